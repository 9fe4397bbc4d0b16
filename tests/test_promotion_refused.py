"""Everything the gate must refuse: a table of attacks, each a real repository, each with the step that finds it."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.edges.ledger_store import LEDGER
from runner.edges.yaml_dump import dump
from runner.errors import HallmarkError
from runner.promotion import decide
from runner.promotion.decide import consider
from runner.promotion.propose import adapter_record
from runner.records.change import ChangeClass, File
from runner.records.intake import Incumbent
from runner.records.promotion import ServingStage
from runner.records.statement import (
    PAYLOAD_TYPE,
    Choice,
    DecisionStatement,
    LedgerPoint,
    Namespace,
    SubjectDigest,
)
from runner.records.verdict import Verdict
from runner.rules.canonical import canonical
from tests.promotion_fixture import CHANGES, CLUSTER, PEOPLE, SIGNERS, World

HOME = "clusters/desk/promotions/1/"
EVIDENCE = f"{HOME}evidence/"
APPROVALS = f"{HOME}approvals/"
Attack = Callable[[World], Verdict]
ATTACKS: dict[str, tuple[str, Attack]] = {}


def attack(step: str, name: str = "") -> Callable[[Attack], Attack]:
    def keep(function: Attack) -> Attack:
        ATTACKS[name or function.__name__] = (step, function)
        return function

    return keep


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> World:
    """One staged iteration; nothing proposed yet."""
    world = World(tmp_path_factory.mktemp("refused") / "world")
    world.create()
    staging = world.staging()
    world.records["staging"] = staging
    world.records["files"] = world.staged(staging)
    world.propose(world.records["files"], check=True)
    world.approve("alice", "bob")
    return world


def judged(world: World, **merge: Any) -> Verdict:
    return world.judge(world.merge(**merge))


def restart(world: World) -> None:
    """Drop the good proposal, so that a forged one takes its place."""
    world.git.run("update-ref", "-d", decide.branch_of("desk/1"))


def forge(
    world: World, files: dict[str, bytes], *, by: str = "dave", people: tuple[str, ...] = ("alice", "bob")
) -> Verdict:
    """Propose `files` and have them approved by people who do not look."""
    restart(world)
    world.propose(files, by=by)
    blind(world, *people)
    return judged(world)


def blind(world: World, *people: str, change: dict[str, Any] | None = None, namespace: str = "", key: str = "") -> None:
    """Sign what is there without asking the gate first; `change` alters what the statement says."""
    branch = decide.branch_of("desk/1")
    for person in people:
        tip = world.git.resolve(branch) or ""
        found = consider(world.sources(), world.git, main=world.main, branch=branch, tip=tip, now=world.now)
        signer = Editing(world, key or person, change or {}, namespace)
        envelope = decide.decide(
            world.sources(), found.facts, signer, choice=Choice.APPROVE, person=person, now=world.now
        )
        world.put({f"{found.approvals_at}{person}.dsse.json": envelope})


class Editing:
    """A signer that changes the statement before it signs."""

    def __init__(self, world: World, key: str, change: dict[str, Any], namespace: str) -> None:
        self.signer, self.change, self.namespace = world.key(key), change, namespace
        self.public_key = self.signer.public_key

    def signature(self, message: bytes, *, namespace: str) -> bytes:
        return self.signer.signature(message, namespace=namespace)

    def sign(self, payload: bytes, *, payload_type: str, namespace: str) -> bytes:
        statement = DecisionStatement.model_validate_json(payload)
        predicate = statement.predicate.model_copy(update=self.change)
        payload = canonical(statement.model_copy(update={"predicate": predicate}))
        return self.signer.sign(payload, payload_type=payload_type, namespace=self.namespace or namespace)


# who signs


@attack("7 quorum")
def one_approval_only(world: World) -> Verdict:
    world.put({f"{APPROVALS}bob.dsse.json": None})
    return world.judge(world.git.commit_files([world.main], branch_files(world), "Squash"))


def branch_files(world: World) -> dict[str, bytes | File | None]:
    tip = world.git.resolve(decide.branch_of("desk/1")) or ""
    return {c.path: File(c.mode, c.blob) for c in world.git.diff(world.main, tip)}


def squashed(world: World, change: dict[str, bytes | None]) -> Verdict:
    """One commit on main: what was proposed, with `change` over it."""
    files = {**branch_files(world), **change}
    kept = {path: data for path, data in files.items() if data is not None}
    return world.judge(world.git.commit_files([world.main], kept, "Squash"))


@attack("7 approvals")
def nobody_proposed(world: World) -> Verdict:
    return squashed(world, {f"{APPROVALS}proposal.dsse.json": None})


@attack("7 quorum")
def the_proposer_approves_himself(world: World) -> Verdict:
    return forge(world, world.records["files"], by="alice")


@attack("7 quorum")
def one_person_with_two_keys(world: World) -> Verdict:
    """Alice's second key is a key of hers, and stands in a file named after somebody else."""
    second = squash_file(world, "alice")
    return squashed(world, {f"{APPROVALS}bob.dsse.json": second})


def squash_file(world: World, person: str) -> bytes:
    tip = world.git.resolve(decide.branch_of("desk/1")) or ""
    return world.git.read(tip, f"{APPROVALS}{person}.dsse.json")


@attack("7 approvals")
def an_approver_not_in_the_policy(world: World) -> Verdict:
    blind(world, "mallory")
    return judged(world)


@attack("7 approvals")
def an_approver_without_the_role(world: World) -> Verdict:
    restart(world)
    world.propose(world.records["files"], by="ci")
    blind(world, "alice", "dave")
    return judged(world)


@attack("7 approvals")
def ci_as_an_approver(world: World) -> Verdict:
    restart(world)
    world.propose(world.records["files"])
    blind(world, "alice")
    blind(world, "ci")
    return judged(world)


@attack("7 approvals")
def signed_with_another_key(world: World) -> Verdict:
    blind(world, "bob", key="mallory")
    return judged(world)


@attack("7 approvals")
def signed_for_the_wrong_purpose(world: World) -> Verdict:
    blind(world, "bob", namespace=Namespace.PROPOSAL)
    return judged(world)


@attack("7 approvals")
def an_expired_approval(world: World) -> Verdict:
    return world.judge(world.merge(), now="2027-01-30T00:00:00Z")


@attack("7 approvals")
def an_approval_from_the_future(world: World) -> Verdict:
    return world.judge(world.merge(), now="2026-11-20T00:00:00Z")


@attack("7 approvals")
def somebody_rejects(world: World) -> Verdict:
    world.approve("carol", choice=Choice.REJECT)
    return judged(world)


@attack("7 approvals")
def a_rejection_by_an_approver(world: World) -> Verdict:
    world.approve("bob", choice=Choice.REJECT)
    return judged(world)


BOUND: dict[str, dict[str, Any]] = {
    "repository": {"repository": "example/other"},
    "ref": {"ref": "refs/heads/other"},
    "cluster": {"cluster": "other"},
    "sequence": {"sequence": 2},
    "stage": {"stage": ServingStage.SHADOW},
    "policy version": {"policy_version": 2},
    "context": {"context": "0" * 64},
    "change class": {"change": ChangeClass.DOCS},
    "incumbent": {"incumbent": Incumbent(sequence=3)},
    "rollback": {"rollback": "0" * 64},
    "benchmark": {"benchmark": None},
    "ledger": {"ledger": None},
    "ledger head": {"ledger": LedgerPoint(size=3, head="0" * 64)},
    "another person": {"person": "carol"},
    "a proposal as approval": {"decision": Choice.PROPOSE},
}
for what, edit in BOUND.items():

    def bound(world: World, edit: dict[str, Any] = edit) -> Verdict:
        blind(world, "bob", change=edit)
        return judged(world)

    attack("7 approvals", f"an approval bound to another {what}")(bound)


@attack("7 approvals")
def an_approval_of_another_adapter(world: World) -> Verdict:
    data = json.loads(squash_file(world, "bob"))
    statement = DecisionStatement.model_validate_json(base64.b64decode(data["payload"]))
    subjects = tuple(
        one.model_copy(update={"digest": SubjectDigest(sha256="0" * 64)}) if one.name == "adapter" else one
        for one in statement.subject
    )
    payload = canonical(statement.model_copy(update={"subject": subjects}))
    signer = world.key("bob")
    forged = signer.sign(payload, payload_type=PAYLOAD_TYPE, namespace=Namespace.APPROVAL)
    return squashed(world, {f"{APPROVALS}bob.dsse.json": forged})


def reencoded(world: World, edit: Callable[[bytes], bytes]) -> Verdict:
    """Bob's signature, its blob edited and wrapped again."""
    data = json.loads(squash_file(world, "bob"))
    data["signatures"][0]["sig"] = base64.b64encode(edit(base64.b64decode(data["signatures"][0]["sig"]))).decode()
    return squashed(world, {f"{APPROVALS}bob.dsse.json": canonical(data) + b"\n"})


@attack("7 approvals")
def trailing_junk_in_a_signature(world: World) -> Verdict:
    return reencoded(world, lambda blob: blob + b"junk")


@attack("7 approvals")
def a_signature_cut_short(world: World) -> Verdict:
    return reencoded(world, lambda blob: blob[:-1])


@attack("7 approvals")
def another_key_id(world: World) -> Verdict:
    data = json.loads(squash_file(world, "bob"))
    data["signatures"][0]["keyid"] = "SHA256:other"
    return squashed(world, {f"{APPROVALS}bob.dsse.json": canonical(data) + b"\n"})


@attack("7 approvals")
def an_envelope_in_another_form(world: World) -> Verdict:
    return squashed(world, {f"{APPROVALS}bob.dsse.json": squash_file(world, "bob") + b"\n"})


# what is signed


@attack("4 manifest")
def an_altered_evidence_byte(world: World) -> Verdict:
    return squashed(world, {f"{EVIDENCE}lineage.json": b'{"nodes":[] }'})


@attack("4 manifest")
def an_altered_record(world: World) -> Verdict:
    data = world.records["files"][f"{HOME}record.yaml"]
    return squashed(world, {f"{HOME}record.yaml": data.replace(b"human_share: 0.75", b"human_share: 0.85")})


@attack("4 manifest")
def an_extra_file_in_the_merge(world: World) -> Verdict:
    return judged(world, extra={f"{EVIDENCE}extra.json": b"{}"})


@attack("2 one class")
def an_evil_merge_of_another_class(world: World) -> Verdict:
    return judged(world, extra={"clusters/desk/cluster.yaml": dump({**CLUSTER, "human_floor": 0.0})})


@attack("5 net paths")
def two_evil_commits_that_cancel(world: World) -> Verdict:
    world.put({"runner/gate.py": b"evil"})
    world.put({"runner/gate.py": None})
    return judged(world)


@attack("1 one step")
def a_rebase_of_several_commits(world: World) -> Verdict:
    return world.judge(world.git.resolve(decide.branch_of("desk/1")) or "")


@attack("1 one step")
def a_merge_with_its_parents_swapped(world: World) -> Verdict:
    tip = world.git.resolve(decide.branch_of("desk/1")) or ""
    return world.judge(world.git.commit_files([tip, world.main], {}, "Swapped", base=tip))


def odd(world: World, path: str, mode: str = "100644", data: bytes = b"x") -> Verdict:
    blob = world.git.write("blob", data)
    tip = world.git.resolve(decide.branch_of("desk/1")) or ""
    return world.judge(world.git.commit_files([world.main, tip], {path: File(mode, blob)}, "Odd", base=world.merge()))


@attack("2 one class")
def a_symlink(world: World) -> Verdict:
    return odd(world, f"{EVIDENCE}link.json", "120000", b"/etc/passwd")


@attack("2 one class")
def an_unsafe_name(world: World) -> Verdict:
    return odd(world, f"{EVIDENCE}-rf.json")


@attack("2 one class")
def a_name_with_a_newline(world: World) -> Verdict:
    return odd(world, "docs/a\nb.md")


@attack("2 one class")
def a_name_that_is_not_ascii(world: World) -> Verdict:
    return odd(world, "clusters/d\u0435sk/problem.md")


@attack("2 one class")
def a_file_of_no_class(world: World) -> Verdict:
    return odd(world, "evil.sh")


@attack("2 one class")
def a_file_too_large(world: World) -> Verdict:
    return odd(world, f"{EVIDENCE}large.json", data=b"x" * (5 * 1024 * 1024 + 1))


@attack("2 one class")
def two_classes_in_one_push(world: World) -> Verdict:
    return world.judge(world.git.commit_files([world.main], {"README.md": b"x", "params.yaml": b"x: 1\n"}, "Two"))


@attack("2 one class")
def two_promotions_in_one_push(world: World) -> Verdict:
    return squashed(world, {"clusters/desk/promotions/2/record.yaml": b"x: 1\n"})


@attack("2 one class")
def names_that_differ_only_in_case(world: World) -> Verdict:
    return world.judge(world.git.commit_files([world.main], {"docs/a.md": b"x", "docs/A.md": b"y"}, "Case"))


@attack("2 one class")
def a_frozen_set_without_a_new_version(world: World) -> Verdict:
    path = "scenarios/desk/heldout/heldout-00.yaml"
    return world.judge(world.git.commit_files([world.main], {path: None}, "Easier"))


@attack("2 one class")
def an_older_promotion_modified(world: World) -> Verdict:
    world.land(world.merge())
    world.reconcile()
    return world.judge(world.git.commit_files([world.main], {f"{EVIDENCE}lineage.json": b"{}"}, "Rewrite"))


@attack("2 one class")
def an_older_promotion_deleted(world: World) -> Verdict:
    world.land(world.merge())
    world.reconcile()
    return world.judge(world.git.commit_files([world.main], {f"{HOME}record.yaml": None}, "Forget"))


@attack("3 sequence")
def a_gap_in_the_sequence(world: World) -> Verdict:
    staging = replace(world.records["staging"], sequence=3)
    world.propose(world.staged(staging), sequence=3)
    return judged(world, sequence=3)


# evidence and limits


def altered(world: World, name: str, edit: Callable[[bytes], bytes]) -> dict[str, bytes]:
    """The promotion with one evidence file altered, and staged again by CI."""
    staging = world.records["staging"]
    evidence = {**staging.evidence, name: edit(staging.evidence[name])}
    return world.staged(replace(staging, evidence=evidence))


@attack("6 evidence")
def an_altered_grade_row(world: World) -> Verdict:
    return forge(world, altered(world, "grades.jsonl", lambda data: data.replace(b'"base": 0.0', b'"base": 0.5', 1)))


@attack("6 evidence")
def a_forged_composite(world: World) -> Verdict:
    def edit(data: bytes) -> bytes:
        card = json.loads(data)
        card["models"]["base"]["sets"]["heldout"]["composite"] = 0.01
        return json.dumps(card).encode()

    return forge(world, altered(world, "scorecard.json", edit))


@attack("6 evidence")
def a_bundle_that_the_ledger_does_not_know(world: World) -> Verdict:
    return forge(world, altered(world, "lineage.json", lambda data: data + b"\n"))


@attack("6 evidence")
def an_attestation_by_another_key(world: World) -> Verdict:
    return forge(world, world.staged(world.records["staging"], ci="dave"))


@attack("6 evidence")
def no_attestation(world: World) -> Verdict:
    files = {path: data for path, data in world.records["files"].items() if "attestation" not in path}
    return forge(world, files)


@attack("6 evidence")
def evidence_that_is_not_recorded(world: World) -> Verdict:
    return forge(world, {**world.records["files"], f"{EVIDENCE}extra.json": b"{}"})


@attack("6 evidence")
def runs_left_out(world: World) -> Verdict:
    files = dict(world.records["files"])
    runs = json.loads(files[f"{EVIDENCE}runs.json"])
    files[f"{EVIDENCE}runs.json"] = canonical({**runs, "runs": runs["runs"][:-1]})
    return forge(world, files)


@attack("6 evidence")
def an_adapter_that_was_not_trained(world: World) -> Verdict:
    other = {"adapter_model.safetensors": b"trojan"}
    world.adapters.put(other)
    return forge(world, world.staged(replace(world.records["staging"], adapter=adapter_record(other))))


@attack("6 evidence")
def a_scenario_left_out(world: World) -> Verdict:
    return forge(world, again(world, rows=lambda rows: rows[1:]))


@attack("6 evidence")
def a_record_that_is_no_record(world: World) -> Verdict:
    return forge(world, {**world.records["files"], f"{HOME}record.yaml": b"kind: promotion\n"})


def again(world: World, **change: Any) -> dict[str, bytes]:
    """Another iteration whose bundle, ledger and attestation are all consistent, and say something worse."""
    return world.staged(world.staging("it-2", **change))


@attack("8 limits")
def the_human_floor_broken(world: World) -> Verdict:
    return forge(world, again(world, human_share=0.25))


@attack("8 limits")
def too_many_regressions(world: World) -> Verdict:
    def passes(model: str, name: str, capability: str) -> bool:
        gone = name == "core" and capability == "order-status"
        return not gone if model == "candidate" else capability == "order-status" and name != "heldout"

    return forge(world, again(world, passes=passes))


@attack("8 limits")
def under_the_threshold(world: World) -> Verdict:
    return forge(world, again(world, passes=lambda model, name, capability: capability == "order-status"))


@attack("8 limits")
def no_better_than_the_control_arm(world: World) -> Verdict:
    return forge(world, again(world, passes=lambda model, name, capability: model != "base"))


@attack("8 limits")
def too_slow(world: World) -> Verdict:
    return forge(world, again(world, latency=80.0))


@attack("8 limits")
def a_rollback_contract_that_goes_nowhere(world: World) -> Verdict:
    contract = {"to_sequence": 7, "to_adapter": "0" * 64, "when": "never", "who": "nobody"}
    return forge(world, again(world, rollback=contract))


@attack("9 bytes")
def other_adapter_bytes(world: World) -> Verdict:
    home = world.adapters.folder / world.records["staging"].adapter.sha256
    (home / "adapter_model.safetensors").write_bytes(b"trojan")
    return judged(world)


@attack("9 bytes")
def one_more_file_in_the_adapter(world: World) -> Verdict:
    home = world.adapters.folder / world.records["staging"].adapter.sha256
    (home / "tokenizer.json").write_bytes(b"{}")
    return judged(world)


# policy and context


def repoliced(world: World, **policy: Any) -> None:
    """Main moves to another policy, as if by a merge."""
    world.land(world.git.commit_files([world.main], world.policy(version=2, **policy), "Policy\n"))


@attack("7 approvals")
def a_threshold_moved_after_approval(world: World) -> Verdict:
    cluster = dump({**CLUSTER, "human_floor": 0.4})
    world.land(world.git.commit_files([world.main], {"clusters/desk/cluster.yaml": cluster}, "Lower\n"))
    return judged(world)


@attack("7 approvals")
def a_rubric_moved_after_approval(world: World) -> Verdict:
    world.land(world.git.commit_files([world.main], {"rubrics/label.yaml": b"id: label\n\n"}, "Other\n"))
    return judged(world)


@attack("7 approvals")
def a_revoked_key(world: World) -> Verdict:
    repoliced(world, revoked=world.key("bob").public_key.encode() + b"\n")
    restart(world)
    world.propose(world.records["files"])
    blind(world, "alice", "bob")
    return judged(world)


@attack("9 bytes")
def a_revoked_adapter(world: World) -> Verdict:
    digest = world.records["staging"].adapter.sha256
    repoliced(world, revoked=f"# sha256:{digest}\n".encode())
    restart(world)
    world.propose(world.records["files"])
    blind(world, "alice", "bob")
    return judged(world)


@attack("7 approvals")
def the_policy_weakened_alone(world: World) -> Verdict:
    weak = {**CHANGES, "promotion": [{"role": "engineer", "people": 2}]}
    return world.judge(world.git.commit_files([world.main], world.policy(version=2, changes=weak), "Weaker\n"))


@attack("2 one class")
def the_policy_weakened_in_the_same_push(world: World) -> Verdict:
    weak = {**CHANGES, "promotion": [{"role": "approver", "people": 1}]}
    return judged(world, extra=dict(world.policy(version=2, changes=weak)))


@attack("3 sequence")
def a_policy_of_the_same_version(world: World) -> Verdict:
    return world.judge(world.git.commit_files([world.main], world.policy(approval_days=10), "Same version\n"))


@attack("0 policy")
def an_expired_policy(world: World) -> Verdict:
    return world.judge(world.merge(), now="2027-06-02T00:00:00Z")


def trap(name: str, **change: Any) -> None:
    def trapped(world: World) -> Verdict:
        made = {key: value(world) if callable(value) else value for key, value in change.items()}
        repoliced(world, **made)
        return judged(world)

    attack("policy", f"a policy with {name}")(trapped)


trap(
    "a key without namespaces", allowed=lambda w: w.signers() + b"alice " + w.key("mallory").public_key.encode() + b"\n"
)
trap("a pattern for a name", allowed=lambda w: w.signers({**SIGNERS, "alice": SIGNERS["alice"]}) + pattern(w))
trap("a certificate authority", allowed=lambda w: w.signers() + authority(w))
trap("one key under two people", allowed=lambda w: w.signers().replace(w.key("bob").public_key.encode(), alice(w)))
trap("a pin that is not the file's", revoked=b"", allowed_signers="0" * 64)
trap("one approver", changes={**CHANGES, "promotion": [{"role": "approver", "people": 1}]})
trap("more approvers than people", changes={**CHANGES, "promotion": [{"role": "approver", "people": 4}]})
trap("CI among the people", people={**PEOPLE, "ci": ["approver"]})


def pattern(world: World) -> bytes:
    return f'* namespaces="hallmark-approval@v1" {world.key("mallory").public_key}\n'.encode()


def authority(world: World) -> bytes:
    return f'alice cert-authority,namespaces="hallmark-approval@v1" {world.key("mallory").public_key}\n'.encode()


def alice(world: World) -> bytes:
    return world.key("alice").public_key.encode()


# the ledger


@attack("7 approvals")
def a_ledger_that_forgot(world: World) -> Verdict:
    """The ledger is cut back to before the bundle: what was signed cites more than there is."""
    tip = world.git.resolve(LEDGER) or ""
    shorter = world.git.commit_files([tip], {"desk/00000014.json": None}, "Forget\n")
    world.git.move({LEDGER: (shorter, tip)})
    return judged(world)


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_refused(name: str, template: World, tmp_path: Path) -> None:
    step, function = ATTACKS[name]
    world = template.copy(tmp_path / "world")
    world.records = dict(template.records)
    verdict = function(world)
    assert not verdict.passed
    assert step in {reason.step for reason in verdict.reasons}, verdict.reasons
    assert all(reason.problem for reason in verdict.reasons)


def test_there_are_enough_attacks() -> None:
    assert len(ATTACKS) >= 60


def test_the_template_itself_passes(template: World) -> None:
    assert judged(template).reasons == ()


def test_a_broken_ledger_is_no_judgement(template: World, tmp_path: Path) -> None:
    world = template.copy(tmp_path / "world")
    tip = world.git.resolve(LEDGER) or ""
    gap = world.git.commit_files([tip], {"desk/00000005.json": None}, "Gap\n")
    world.git.move({LEDGER: (gap, tip)})
    with pytest.raises(HallmarkError, match="next sequence"):
        judged(world)


def test_every_flipped_bit_is_found(template: World, tmp_path: Path) -> None:
    """One bit in each file of the promotion, at a seeded place; the whole corpus flips more."""
    world = template.copy(tmp_path / "world")
    generator = random.Random(7)
    tip = world.git.resolve(decide.branch_of("desk/1")) or ""
    merged = world.merge()
    for change in world.git.diff(world.main, tip):
        data = bytearray(world.git.blob(change.blob))
        data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
        flipped = world.git.commit_files([world.main, tip], {change.path: bytes(data)}, "Flip", base=merged)
        try:
            found = world.judge(flipped).passed
        except HallmarkError:
            found = False
        assert not found, change.path
