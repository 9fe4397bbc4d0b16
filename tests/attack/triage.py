"""Step 10: what people decided at triage, unsigned, forged, altered, replayed, or told otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from runner.edges.yaml_dump import dump
from runner.records.conversation import Message, Role
from runner.records.evidence import EvidenceFile
from runner.records.lineage import Lineage, LineageNode
from runner.records.scenario import Origin
from runner.records.statement import Namespace, ReviewStatement
from runner.records.triage import Choice, Decision, Review, ReviewCount, TriageFile, TriageResult
from runner.records.triage_policy import Triage
from runner.reviews import envelope_path, review_path, sign
from runner.rules.canonical import canonical, sha256, tree_digest
from runner.rules.triage.decisions import begin, decide
from runner.rules.trust.evidence import OUTSIDE_BUNDLE
from runner.rules.trust.triage import BINDING, ELIGIBLE, EVIDENCE, IN_TIME, SIGNATURE, SUBJECTS
from tests.attack.case import Case, Finding, passes
from tests.attack.desk import Desk, clock
from tests.attack.forgery import alone, blind, repoliced
from tests.promotion_fixture import CLUSTER, PEOPLE, SIGNERS

ITERATION = "it-1"
LIST = f"clusters/desk/triage/{ITERATION}.yaml"
ALICE = review_path("desk", ITERATION, "alice")
NO_LINEAGE = Lineage(nodes=())
POLICY = Triage(signed=True, role="owner")


class TriageDesk(Desk):
    """A desk whose cluster asks for triage that its owners sign."""

    def signers(self, namespaces: Mapping[str, str] = SIGNERS) -> bytes:
        purposes = {name: f"{spaces},{Namespace.TRIAGE}" if name in PEOPLE else spaces
                    for name, spaces in namespaces.items()}  # fmt: skip
        return super().signers(purposes)

    def tree(self) -> dict[str, bytes]:
        asked = {"triage": POLICY.model_dump(mode="json")}
        return {**super().tree(), "clusters/desk/cluster.yaml": dump({**CLUSTER, **asked})}

    def evidence(self, iteration: str, adapter: str | None, **change: Any) -> dict[str, bytes]:
        """The evidence with what phase 9 said, as `change["triage"]` has it; without it where that is None."""
        files = super().evidence(iteration, adapter, **change)
        told: TriageResult | None = change.get("triage")
        if told is not None:
            files[EvidenceFile.TRIAGE.value] = canonical(told) + b"\n"
        files[EvidenceFile.LINEAGE.value] = canonical(change["lineage"]) + b"\n"
        bundle = {name: data for name, data in files.items() if name not in OUTSIDE_BUNDLE}
        self.records["bundle"] = tree_digest(bundle)
        return files


def opened(desk: Desk) -> None:
    desk.create()


def listed(iteration: str = ITERATION, **change: Any) -> TriageFile:
    """The list of two candidates that CI prefilled."""
    decisions = tuple(
        Decision(
            candidate=f"cand-{at}",
            capability="refund",
            origin=Origin.HUMAN,
            input=(Message(role=Role.USER, content=f"Where is my money, {at}?"),),
            answer="refund",
            **change,
        )
        for at in range(2)
    )
    return TriageFile(cluster="desk", iteration=iteration, policy=POLICY, decisions=decisions)


def reviewed(file: TriageFile, person: str) -> Review:
    review = begin(file, person)
    for at, choice in enumerate((Choice.ACCEPT, Choice.REJECT)):
        review = decide(file, review, f"cand-{at}", choice, at="2026-11-21T12:00:00Z", reason="as the rubric says")
    return review


def said(record: TriageFile | Review) -> bytes:
    return dump(record.model_dump(mode="json", exclude_defaults=True))


class Forger:
    """A signer who changes the claim first, or signs for another purpose."""

    def __init__(self, desk: Desk, key: str, namespace: str = "", **claim: Any) -> None:
        self.signer, self.namespace, self.claim = desk.key(key), namespace, claim
        self.public_key = self.signer.public_key

    def signature(self, message: bytes, *, namespace: str) -> bytes:
        return self.signer.signature(message, namespace=namespace)

    def sign(self, payload: bytes, *, payload_type: str, namespace: str) -> bytes:
        statement = ReviewStatement.model_validate_json(payload)
        claim = statement.predicate.model_copy(update=self.claim)
        forged = canonical(statement.model_copy(update={"predicate": claim}))
        return self.signer.sign(forged, payload_type=payload_type, namespace=self.namespace or namespace)


def files(
    desk: Desk,
    person: str = "alice",
    *,
    key: str = "",
    iteration: str = ITERATION,
    policy: Triage = POLICY,
    **forged: Any,
) -> Any:
    """The list, a person's review of it and its envelope, by path."""
    file = listed(iteration).model_copy(update={"policy": policy})
    review = reviewed(file, person)
    data, path = said(review), review_path("desk", iteration, person)
    trust = desk.sources().policy(desk.main).trust
    signer = Forger(desk, key or person, **forged)
    envelope = sign(review, data, signer, trust, now=desk.now, nonce="0" * 32)
    return {f"clusters/desk/triage/{iteration}.yaml": said(file), path: data, envelope_path(path): envelope}


def merged(desk: Desk, **how: Any) -> Finding:
    return alone(desk, files(desk, **how))


def without_envelope(desk: Desk) -> Finding:
    return alone(desk, {path: data for path, data in files(desk).items() if not path.endswith(".json")})


def without_review(desk: Desk) -> Finding:
    return alone(desk, {path: data for path, data in files(desk).items() if path != ALICE})


def in_the_list(desk: Desk) -> Finding:
    file = listed(decision=Choice.ACCEPT).model_copy(update={"reviewer": "alice"})
    return alone(desk, {LIST: said(file)})


def own_policy(desk: Desk) -> Finding:
    """The list, signed as it stands, bears nearly every error in what nobody reads."""
    loose = Triage(required="sample", sample=0.01, max_error_rate=0.99, signed=True, role="owner")
    return alone(desk, files(desk, policy=loose))


def edited(desk: Desk, path: str, edit: Callable[[bytes], bytes]) -> Finding:
    """One of the files is other than it was when the review was signed."""
    made = files(desk)
    return alone(desk, {**made, path: edit(made[path])})


def accepted_instead(data: bytes) -> bytes:
    return data.replace(b"decision: reject", b"decision: accept")


def another_answer(data: bytes) -> bytes:
    return data.replace(b"answer: refund", b"answer: order-status", 1)


def anothers_file(desk: Desk) -> Finding:
    """Alice's review and envelope, once more as Bob's."""
    made = files(desk)
    bob = review_path("desk", ITERATION, "bob")
    return alone(desk, {**made, bob: made[ALICE], envelope_path(bob): made[envelope_path(ALICE)]})


def another_iteration(desk: Desk) -> Finding:
    """What Alice signed of one iteration, carried to the next, whose candidates happen to be the same."""
    old, new = files(desk), files(desk, iteration="it-2")
    path = review_path("desk", "it-2", "alice")
    return alone(desk, {**new, envelope_path(path): old[envelope_path(ALICE)]})


def revoked(desk: Desk) -> Finding:
    repoliced(desk, revoked=desk.key("alice").public_key.encode() + b"\n")
    return merged(desk)


def later_reviewer(desk: Desk) -> Finding:
    """Alice's review is merged, and then Bob's of the same list."""
    desk.land(desk.git.commit_files([desk.main], files(desk), "Triage\n"))
    bob = {path: data for path, data in files(desk, "bob").items() if path != LIST}
    return alone(desk, bob)


def rewritten(desk: Desk) -> Finding:
    desk.land(desk.git.commit_files([desk.main], files(desk), "Triage\n"))
    return alone(desk, {ALICE: accepted_instead(desk.git.read(desk.main, ALICE))})


def past_the_hook(desk: Desk) -> Finding:
    """An administrator merges a review that nobody signed; a clone shows which commit it was."""
    unsigned = {path: data for path, data in files(desk).items() if not path.endswith(".json")}
    commit = desk.git.commit_files([desk.main], unsigned, "Triage\n")
    desk.land(commit)
    return desk.verify(named=commit)


def told(desk: Desk, **change: Any) -> TriageResult:
    """What phase 9 says of Alice's review."""
    counted = {"accepted": 1, "edited": 0, "rejected": 1, "signed": True, **change}
    count = ReviewCount(reviewer="alice", review=sha256(said(reviewed(listed(), "alice"))), **counted)
    checked = {f"cand-{at}": ("alice",) for at in range(2)}
    return TriageResult(reviewer="alice", accepted=1, edited=0, rejected=1, reviews=(count,), checked=checked)


def promoted(desk: Desk, change: Callable[[TriageResult], TriageResult] = lambda told: told, **counts: Any) -> Finding:
    """A promotion whose evidence says something of Alice's review, which is on main."""
    desk.land(desk.git.commit_files([desk.main], files(desk), "Triage\n"))
    return proposed(desk, change(told(desk, **counts)))


def proposed(desk: Desk, triage: TriageResult | None, lineage: Lineage = NO_LINEAGE) -> Finding:
    desk.propose(desk.staged(desk.staging(triage=triage, lineage=lineage)))
    blind(desk, "alice", "bob")
    return desk.gate(desk.merge())


def never_merged(desk: Desk) -> Finding:
    return proposed(desk, told(desk))


def unheard_of(result: TriageResult) -> TriageResult:
    return result.model_copy(update={"checked": {**result.checked, "cand-9": ("alice",)}})


def unread(desk: Desk) -> Finding:
    """Two rows of the iteration's batch are trained on; Alice rejected one, and nobody saw the other."""
    desk.land(desk.git.commit_files([desk.main], files(desk), "Triage\n"))
    names = ("cand-0", "cand-1", "cand-2")
    nodes = [LineageNode(id="b-1", kind="batch", parents=())]
    nodes += [LineageNode(id=name, kind="example", parents=("b-1",)) for name in names]
    return proposed(desk, told(desk), lineage=Lineage(nodes=tuple(nodes)))


START = "triage"
CASES = (
    passes("triage-signed", "A list and a review that its reviewer signed.", merged, start=START),
    passes("triage-second-reviewer", "A second reviewer's file joins the list on main.", later_reviewer, start=START),
    passes("triage-in-evidence", "A promotion whose evidence names the review on main.", promoted, start=START),
    Case("triage-unsigned", "A review without an envelope.", SIGNATURE, without_envelope, START),
    Case("triage-in-the-list", "Somebody decides in the list that CI prefilled.", SIGNATURE, in_the_list, START),
    Case(
        "triage-key-of-another",
        "Alice's review, signed with Bob's key.",
        SIGNATURE,
        partial(merged, key="bob"),
        START,
    ),
    Case(
        "triage-namespace-of-approval",
        "A review signed for the purpose of approving.",
        SIGNATURE,
        partial(merged, namespace=Namespace.APPROVAL),
        START,
    ),
    Case("triage-key-revoked", "Alice's key is in the revocation file.", SIGNATURE, revoked, START),
    Case("triage-past-the-hook", "An unsigned review, merged past the gate.", SIGNATURE, past_the_hook, START),
    Case("triage-in-anothers-file", "Alice's review also stands as Bob's.", BINDING, anothers_file, START),
    Case(
        "triage-of-another-iteration",
        "A signature is carried to the next iteration.",
        BINDING,
        another_iteration,
        START,
        says="iteration",
    ),
    Case(
        "triage-of-another-repository",
        "A review that was signed in a fork.",
        BINDING,
        partial(merged, repository="example/fork"),
        START,
        says="repository",
    ),
    Case(
        "triage-of-another-cluster",
        "A review that was signed for another cluster.",
        BINDING,
        partial(merged, cluster="other"),
        START,
        says="for cluster",
    ),
    Case(
        "triage-too-late",
        "Signed longer ago than the policy lets it wait.",
        IN_TIME,
        partial(merged, not_before=clock(days=-40), expires=clock(days=-10)),
        START,
    ),
    Case(
        "triage-before-its-time",
        "Signed to be merged from tomorrow.",
        IN_TIME,
        partial(merged, not_before=clock(days=1), expires=clock(days=2)),
        START,
    ),
    Case(
        "triage-for-ever",
        "Signed to be merged whenever somebody likes.",
        IN_TIME,
        partial(merged, expires="2099-01-01T00:00:00Z"),
        START,
        says="longer",
    ),
    Case(
        "triage-decision-altered",
        "A rejection becomes an acceptance after it was signed.",
        SUBJECTS,
        partial(edited, path=ALICE, edit=accepted_instead),
        START,
        says="other decisions",
    ),
    Case(
        "triage-candidate-altered",
        "A candidate's answer changes after the review was signed.",
        SUBJECTS,
        partial(edited, path=LIST, edit=another_answer),
        START,
        says="another list",
    ),
    Case(
        "triage-policy-of-its-own",
        "A list that says which errors to bear, and who ends disagreements.",
        SUBJECTS,
        own_policy,
        START,
        says="another policy",
    ),
    Case("triage-envelope-alone", "An envelope beside no review.", SUBJECTS, without_review, START),
    Case(
        "triage-by-a-stranger", "Somebody the policy does not name.", ELIGIBLE, partial(merged, person="mallory"), START
    ),
    Case("triage-by-ci", "CI reviews what it made.", ELIGIBLE, partial(merged, person="ci"), START),
    Case("triage-without-role", "An engineer reviews for the owners.", ELIGIBLE, partial(merged, person="dave"), START),
    Case("triage-review-rewritten", "A merged review is edited.", "2.2 operations", rewritten, START),
    Case(
        "triage-evidence-missing",
        "The cluster asks for signed triage, and the evidence is silent.",
        EVIDENCE,
        partial(proposed, triage=None),
        START,
    ),
    Case(
        "triage-evidence-of-no-review",
        "The evidence names a review that is not on main.",
        EVIDENCE,
        never_merged,
        START,
    ),
    Case(
        "triage-evidence-counts",
        "The evidence counts other decisions than the review has.",
        EVIDENCE,
        partial(promoted, accepted=2, rejected=0),
        START,
        says="counted otherwise",
    ),
    Case(
        "triage-evidence-unsigned",
        "The evidence rests on a review that was not signed.",
        EVIDENCE,
        partial(promoted, signed=False),
        START,
        says="not signed",
    ),
    Case(
        "triage-evidence-unread",
        "The evidence trains on rows that were rejected, or that nobody saw.",
        EVIDENCE,
        unread,
        START,
        says="1 of the examples, first cand-2",
    ),
    Case(
        "triage-evidence-unheard-of",
        "The evidence says that Alice checked what she never saw.",
        EVIDENCE,
        partial(promoted, change=unheard_of),
        START,
        says="did not decide",
    ),
)
