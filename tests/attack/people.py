"""Step 7: who signs, what exactly they sign, and how many they are."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from functools import partial
from typing import Any

from runner.edges.yaml_dump import dump
from runner.records.change import ChangeClass
from runner.records.intake import Incumbent
from runner.records.promotion import ServingStage
from runner.records.statement import PAYLOAD_TYPE, Choice, DecisionStatement, LedgerPoint, Namespace, SubjectDigest
from runner.rules.canonical import canonical
from tests.attack.case import Case, Finding, passes
from tests.attack.desk import Desk, clock
from tests.attack.forgery import (
    APPROVALS,
    BRANCH,
    alone,
    blind,
    branch_files,
    dated,
    forge,
    merged,
    reencoded,
    repoliced,
    reproposed,
    resigned,
    restart,
    signed_file,
    squashed,
)
from tests.promotion_fixture import CLUSTER, SIGNERS

SIGNATURE, BINDING, IN_TIME, SUBJECTS = "7.1 signature", "7.2 binding", "7.3 time", "7.4 subjects"
ELIGIBLE, REJECTION, QUORUM = "7.5 eligible", "7.6 rejection", "7 quorum"
PROPOSAL, BOB = f"{APPROVALS}proposal.dsse.json", f"{APPROVALS}bob.dsse.json"

BOUND: dict[str, dict[str, Any]] = {
    "repository": {"repository": "example/other"},
    "ref": {"ref": "refs/heads/other"},
    "cluster": {"cluster": "other"},
    "sequence": {"sequence": 2},
    "stage": {"stage": ServingStage.SHADOW},
    "policy-version": {"policy_version": 2},
    "context": {"context": "0" * 64},
    "change-class": {"change": ChangeClass.DOCS},
    "incumbent": {"incumbent": Incumbent(sequence=3)},
    "rollback-contract": {"rollback": "0" * 64},
    "benchmark": {"benchmark": None},
    "ledger": {"ledger": None},
    "ledger-head": {"ledger": LedgerPoint(size=3, head="0" * 64)},
}
"""What a decision binds itself to: the same words, said of something else."""


def approval_bound(desk: Desk, edit: dict[str, Any]) -> Finding:
    blind(desk, "bob", change=edit)
    return merged(desk)


def proposal_bound(desk: Desk, edit: dict[str, Any]) -> Finding:
    return forge(desk, desk.records["files"], change=edit)


def benchmark_version(desk: Desk) -> Finding:
    benchmark = desk.records["staging"].benchmark.model_copy(update={"version": 2})
    return approval_bound(desk, {"benchmark": benchmark})


def one_subject(desk: Desk, subject: str) -> Finding:
    """Bob's approval names another digest for one subject."""
    statement = DecisionStatement.model_validate_json(base64.b64decode(json.loads(signed_file(desk, "bob"))["payload"]))
    other = SubjectDigest(sha256="0" * 64)
    subjects = tuple(s.model_copy(update={"digest": other}) if s.name == subject else s for s in statement.subject)
    payload = canonical(statement.model_copy(update={"subject": subjects}))
    forged = desk.key("bob").sign(payload, payload_type=PAYLOAD_TYPE, namespace=Namespace.APPROVAL)
    return squashed(desk, {BOB: forged})


def one_approval(desk: Desk) -> Finding:
    return squashed(desk, {BOB: None})


def same_person_twice(desk: Desk) -> Finding:
    """Alice's good approval, once more in a file that is named after nobody and in one named after Bob."""
    return squashed(desk, {BOB: signed_file(desk, "alice")})


def second_key(desk: Desk) -> Finding:
    """Alice has two keys, both hers by the policy; she signs with one of each and calls the second one Bob's."""
    both = desk.signers() + f'alice namespaces="{SIGNERS["alice"]}" {desk.key("alice-second").public_key}\n'.encode()
    repoliced(desk, allowed=both)
    restart(desk)
    desk.propose(desk.records["files"])
    blind(desk, "alice")
    blind(desk, "bob", key="alice-second")
    return merged(desk)


def approved_by(desk: Desk, *people: str, by: str = "dave") -> Finding:
    return reproposed(desk, *people, by=by)


def unproposed(desk: Desk) -> Finding:
    return squashed(desk, {PROPOSAL: None})


def proposal_signed_by_another(desk: Desk) -> Finding:
    """Alice signs a proposal that says that Dave proposes, so that she may approve it too."""
    restart(desk)
    desk.propose(desk.records["files"], by="dave")
    statement = base64.b64decode(json.loads(signed_file(desk, "proposal"))["payload"])
    forged = desk.key("alice").sign(statement, payload_type=PAYLOAD_TYPE, namespace=Namespace.PROPOSAL)
    desk.put({PROPOSAL: forged})
    blind(desk, "alice", "bob")
    return merged(desk)


def signed_then(desk: Desk, *, days: float) -> Finding:
    """Everything signed at another time than now."""
    desk.now = clock(days=days)
    return reproposed(desk)


def expired_key_back_dated(desk: Desk) -> Finding:
    """Bob's key expired long ago. His approval and the merge are dated back to when it was good: git itself would
    take its time from the commit and believe it."""
    past = clock(days=-20)
    last = past[:10].replace("-", "")
    good = f'bob namespaces="{SIGNERS["bob"]}"'
    limited = desk.signers().replace(good.encode(), f'{good},valid-before="{last}235959"'.encode())
    repoliced(desk, allowed=limited)
    desk.now = past
    restart(desk)
    desk.propose(desk.records["files"])
    blind(desk, "alice", "bob")
    return desk.gate(dated(desk, desk.merge(), "1700000000"))


def revoked_key(desk: Desk) -> Finding:
    repoliced(desk, revoked=desk.key("bob").public_key.encode() + b"\n")
    return reproposed(desk)


def rejected_by(desk: Desk, person: str) -> Finding:
    desk.approve(person, choice=Choice.REJECT)
    return merged(desk)


def rejection_removed(desk: Desk) -> Finding:
    """Carol rejects, and a commit on the branch takes her file away again."""
    desk.approve("carol", choice=Choice.REJECT)
    desk.put({f"{APPROVALS}carol.dsse.json": None})
    return merged(desk)


def changed_mind(desk: Desk) -> Finding:
    desk.approve("bob", choice=Choice.REJECT)
    desk.approve("bob")
    return merged(desk)


def context_moved(desk: Desk, path: str, data: bytes) -> Finding:
    """Main moves under a branch that is approved."""
    desk.land(desk.git.commit_files([desk.main], {path: data}, "Moved\n"))
    return merged(desk)


def policy_moved(desk: Desk) -> Finding:
    repoliced(desk, approval_days=20)
    return merged(desk)


def other_work(desk: Desk) -> Finding:
    return context_moved(desk, "README.md", b"# desk, better\n")


def replayed_sequence(desk: Desk) -> Finding:
    """The people's envelopes for promotion 1, copied under promotion 2."""
    second = "clusters/desk/promotions/2/approvals/"
    branch = "refs/heads/promote/desk/2"
    desk.propose(desk.staged(desk.staging("it-2")), sequence=2)
    old = {
        f"{second}{who}.dsse.json": desk.git.read(desk.main, f"{APPROVALS}{who}.dsse.json") for who in ("alice", "bob")
    }
    desk.put(old, branch=branch)
    return desk.gate(desk.merge(sequence=2))


def replayed_repository(desk: Desk) -> Finding:
    """The same people approved the same thing in a repository of another name; their envelopes are carried over."""
    twin = desk.copy(desk.path / "twin")
    twin.land(twin.git.commit_files([twin.main], twin.policy(repository="example/fork"), "Fork\n"))
    restart(twin)
    twin.propose(twin.records["files"])
    blind(twin, "alice", "bob")
    return squashed(desk, {path: twin.git.blob(file.blob) for path, file in branch_files(twin).items()})


def stale_approval(desk: Desk) -> Finding:
    """CI stages the promotion again after Bob signed; his old envelope stays."""
    bob = signed_file(desk, "bob")
    restart(desk)
    staging = desk.records["staging"]
    evidence = {**staging.evidence, "report.html": b"<html>Another one.</html>"}
    desk.propose(desk.staged(replace(staging, evidence=evidence)))
    blind(desk, "alice")
    desk.put({BOB: bob})
    return merged(desk)


def wrong_key(desk: Desk) -> Finding:
    blind(desk, "bob", key="mallory")
    return merged(desk)


def wrong_purpose(desk: Desk) -> Finding:
    blind(desk, "bob", namespace=Namespace.PROPOSAL)
    return merged(desk)


def outsider(desk: Desk) -> Finding:
    blind(desk, "mallory")
    return merged(desk)


def two_signatures(document: dict[str, Any]) -> None:
    document["signatures"] = [*document["signatures"], {**document["signatures"][0], "keyid": "SHA256:other"}]


def another_key_id(document: dict[str, Any]) -> None:
    document["signatures"][0]["keyid"] = "SHA256:other"


def another_type(document: dict[str, Any]) -> None:
    document["payloadType"] = "application/json"


def another_form(desk: Desk) -> Finding:
    return squashed(desk, {BOB: signed_file(desk, "bob") + b"\n"})


def unknown_field(document: dict[str, Any]) -> None:
    statement = json.loads(base64.b64decode(document["payload"]))
    document["payload"] = base64.b64encode(canonical({**statement, "note": "x"})).decode()


def commit_author(desk: Desk) -> Finding:
    """The merge and its author say Alice and Bob; nobody but Dave signed anything."""
    restart(desk)
    tip = desk.propose(desk.records["files"])
    by_alice = desk.git.object(tip)[1].replace(b"author hallmark <hallmark@", b"author alice <alice@")
    desk.git.move({BRANCH: (desk.git.write("commit", by_alice), tip)})
    return merged(desk)


def signed_off_in_words(desk: Desk) -> Finding:
    files = {path: data for path, data in branch_files(desk).items() if "/approvals/" not in path}
    return alone(desk, files, says="Promote\n\nApproved-by: alice\nApproved-by: bob\nSigned-off-by: carol")


def editing_namespace(desk: Desk) -> Finding:
    """CI's evidence key signs a decision in the evidence namespace."""
    blind(desk, "bob", key="ci", namespace=Namespace.EVIDENCE)
    return merged(desk)


def honest_squash(desk: Desk) -> Finding:
    return squashed(desk, {})


LOWER = dump({**CLUSTER, "human_floor": 0.4})
CASES = (
    passes("honest-merge", "A promotion that two people approved, merged.", merged),
    passes("honest-squash", "The same, squashed into one commit.", honest_squash),
    passes("ci-proposes", "CI signs the proposal, two people approve.", partial(approved_by, by="ci")),
    passes("mind-changed", "Bob rejects, and then signs a newer approval.", changed_mind),
    passes("other-work-merged", "Main moves by work of another class; the approvals stand.", other_work),
    Case("approval-missing", "One approval where two are asked for.", QUORUM, one_approval),
    Case("approvals-in-words", "The commit message says who approved.", QUORUM, signed_off_in_words),
    Case("author-self-declared", "The commit's author is somebody who never signed.", QUORUM, commit_author),
    Case("proposer-approves", "Alice proposes and approves.", QUORUM, partial(approved_by, by="alice")),
    Case(
        "proposal-in-anothers-name",
        "Alice proposes in Dave's name to keep her vote.",
        SIGNATURE,
        proposal_signed_by_another,
    ),
    Case("proposal-missing", "Approved, and proposed by nobody.", SIGNATURE, unproposed),
    Case("one-person-two-files", "Alice's approval also stands in Bob's file.", SIGNATURE, same_person_twice),
    Case("one-person-two-keys", "Alice's second key signs in Bob's name.", SIGNATURE, second_key),
    Case("approver-unknown", "Somebody the policy does not name approves.", SIGNATURE, outsider),
    Case(
        "approver-without-role",
        "An engineer approves a promotion.",
        ELIGIBLE,
        lambda d: approved_by(d, "alice", "dave", by="ci"),
    ),
    Case("ci-approves", "CI's key approves.", SIGNATURE, lambda d: approved_by(d, "alice", "ci")),
    Case("gate-approves", "The gate's key approves.", SIGNATURE, lambda d: approved_by(d, "alice", "gate")),
    Case("key-of-another", "Bob's approval is signed with a key that is not his.", SIGNATURE, wrong_key),
    Case("key-of-ci", "CI's evidence key signs Bob's approval.", SIGNATURE, editing_namespace),
    Case("namespace-of-proposal", "An approval signed for the purpose of proposing.", SIGNATURE, wrong_purpose),
    Case("key-revoked", "Bob's key is in the revocation file.", SIGNATURE, revoked_key),
    Case(
        "key-expired-commit-back-dated",
        "An expired key, its approval and the commit dated back.",
        SIGNATURE,
        expired_key_back_dated,
    ),
    Case(
        "approval-expired",
        "Signed longer ago than the policy lets a decision hold.",
        IN_TIME,
        partial(signed_then, days=-40),
        says="holds from",
    ),
    Case(
        "approval-before-its-time",
        "Signed to hold from tomorrow.",
        IN_TIME,
        partial(signed_then, days=1),
        says="holds from",
    ),
    Case(
        "rejected-by-another",
        "Carol, who may approve, rejects.",
        REJECTION,
        partial(rejected_by, person="carol"),
        says="rejects it",
    ),
    Case(
        "approved-then-rejected",
        "Bob takes his approval back.",
        REJECTION,
        partial(rejected_by, person="bob"),
        says="rejects it",
    ),
    Case(
        "rejection-removed", "A later commit of the branch deletes Carol's rejection.", "5 net paths", rejection_removed
    ),
    Case(
        "threshold-moved",
        "The human floor moves after the approvals.",
        BINDING,
        partial(context_moved, path="clusters/desk/cluster.yaml", data=LOWER),
        says="context",
    ),
    Case(
        "rubric-moved",
        "A rubric moves after the approvals.",
        BINDING,
        partial(context_moved, path="rubrics/label.yaml", data=b"id: label\n\n"),
        says="context",
    ),
    Case(
        "problem-moved",
        "The problem statement moves after the approvals.",
        BINDING,
        partial(context_moved, path="clusters/desk/problem.md", data=b"---\ngap: other\n---\n"),
        says="context",
    ),
    Case("policy-moved", "The policy moves after the approvals.", BINDING, policy_moved, says="policy version"),
    Case(
        "replay-sequence",
        "The approvals of promotion 1, under promotion 2.",
        BINDING,
        replayed_sequence,
        "promoted",
        says="sequence",
    ),
    Case(
        "replay-repository", "Approvals of the same thing in a fork.", BINDING, replayed_repository, says="repository"
    ),
    Case(
        "replay-older-evidence",
        "Bob signed before CI staged the evidence again.",
        SUBJECTS,
        stale_approval,
        says="signs another evidence/report.html",
    ),
    *(
        Case(
            f"approval-bound-to-another-{what}",
            f"Bob's approval is of another {what}.",
            BINDING,
            partial(approval_bound, edit=edit),
        )
        for what, edit in BOUND.items()
    ),
    *(
        Case(
            f"proposal-bound-to-another-{what}",
            f"The proposal is of another {what}.",
            BINDING,
            partial(proposal_bound, edit=edit),
        )
        for what, edit in BOUND.items()
    ),
    *(
        Case(
            f"approval-of-another-{what}",
            f"Bob's approval names another {what}.",
            SUBJECTS,
            partial(one_subject, subject=subject),
        )
        for what, subject in (
            ("manifest", "change-manifest"),
            ("record", "record"),
            ("scorecard", "evidence/scorecard.json"),
            ("adapter", "adapter"),
        )
    ),
    Case(
        "approval-of-another-benchmark-version",
        "Bob's approval is of the next benchmark version.",
        BINDING,
        benchmark_version,
    ),
    Case(
        "approval-in-anothers-file",
        "Bob's approval says that Carol speaks.",
        SIGNATURE,
        partial(approval_bound, edit={"person": "carol"}),
    ),
    Case(
        "proposal-as-approval",
        "Bob's file holds a proposal.",
        SIGNATURE,
        partial(approval_bound, edit={"decision": Choice.PROPOSE}),
    ),
    Case(
        "approval-as-proposal",
        "The proposal's file holds an approval.",
        SIGNATURE,
        partial(proposal_bound, edit={"decision": Choice.APPROVE}),
    ),
    Case(
        "signature-with-junk",
        "Bytes after the signature's end, which ssh-keygen takes.",
        SIGNATURE,
        partial(reencoded, edit=partial(resigned, edit=lambda blob: blob + b"junk")),
    ),
    Case(
        "signature-cut-short",
        "A signature without its last byte.",
        SIGNATURE,
        partial(reencoded, edit=partial(resigned, edit=lambda blob: blob[:-1])),
    ),
    Case("signature-twice", "An envelope with two signatures.", SIGNATURE, partial(reencoded, edit=two_signatures)),
    Case("envelope-another-key-id", "The hint names another key.", SIGNATURE, partial(reencoded, edit=another_key_id)),
    Case(
        "envelope-another-payload-type",
        "Signed bytes read as another type.",
        SIGNATURE,
        partial(reencoded, edit=another_type),
    ),
    Case(
        "envelope-payload-edited",
        "One field more in what was signed.",
        SIGNATURE,
        partial(reencoded, edit=unknown_field),
    ),
    Case("envelope-in-another-form", "A newline after the envelope.", SIGNATURE, another_form),
)
