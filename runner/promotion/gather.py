"""Gather what the gate judges: one step of main as `Facts`. Nothing is judged here but signatures and parsing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from runner.errors import HallmarkError, RecordError
from runner.promotion.adapters import adapter_problem
from runner.promotion.benchmarks import benchmark_steps
from runner.promotion.envelopes import ATTESTATION, begin
from runner.promotion.signed import attestation, proposal_and_approvals, read_decisions
from runner.promotion.sources import Policy, Sources
from runner.promotion.standing import standing
from runner.promotion.told import told_by
from runner.promotion.twins import twins
from runner.records.change import ChangeClass, Operation, PathChange
from runner.records.evidence import GENERATED, EvidenceFile
from runner.records.gated import BenchmarkLock, GatedCluster
from runner.records.promotion import PromotionKind, PromotionRecord
from runner.records.verdict import Reason
from runner.rules.canonical import sha256
from runner.rules.repository.benchmark import benchmark_digest
from runner.rules.trust.change import NAMES, approvals_prefix, classes, manifest, promotion_place
from runner.rules.trust.facts import NO_TRIAGE, Before, Facts, NextPolicy, Promotion, TriageStep
from runner.rules.trust.policy import FILES, GATE_STEP, NEXT, following_traps, numbered, revoked_digests

if TYPE_CHECKING:
    from runner.rules.handoff.facts import Background


class Step(NamedTuple):
    """One step of main and when it is judged."""

    old: str
    new: str
    now: str
    incoming: tuple[str, ...] | None = None
    """The commits that `new` brings; asked of git where none."""
    parents: tuple[str, ...] | None = None
    """The first parent and the rest; a draft that is no merge yet names the base itself."""
    clock: str = ""
    """What time it is, where the step is judged as it comes in: main must not be dated ahead of it."""
    heads: str = ""
    """Where the branches stand, on which people may have rejected the change; none are read where empty."""
    withdrawn: bytes = b""
    """Keys that were revoked later, for this step too: lines of `policy/revoked`."""


def gather(sources: Sources, step: Step) -> Facts:
    """The facts of one step. Raises `HallmarkError` where something could not be read at all: nothing merges."""
    objects = sources.objects
    with told_by(FILES):
        policy = sources.policy(step.old).without(step.withdrawn)
    with told_by(NAMES):
        changes = objects.diff(step.old, step.new)
    blobs = {c.path: c.blob for c in changes if c.operation is not Operation.DELETE and _is_file(c)}
    read = objects.blobs(list(dict.fromkeys(blobs.values())))
    contents = {path: read[blob] for path, blob in blobs.items()}
    found = [promotion_place(change.path) for change in changes]
    places = {(one.cluster, one.sequence) for one in found if one is not None}
    place = next(iter(places)) if len(places) == 1 else ("", 0)
    prefix = approvals_prefix(changes)
    complete = all(c.operation is Operation.DELETE or c.path in contents for c in changes)
    digest = manifest(changes, contents, leaving_out=prefix) if complete else "0" * 64
    following = _next_policy(sources, step, policy, changes)
    incoming = objects.incoming(step.old, step.new) if step.incoming is None else step.incoming
    decisions = {c.path: contents[c.path] for c in changes if c.path.startswith(prefix) and c.path in contents}
    if not place[0]:
        decisions = {path: data for path, data in decisions.items() if path.startswith(f"{prefix}{digest}/")}
    word = _evidence(place, contents).get(ATTESTATION)
    begin(sources.verifier, decisions, word, ci=policy.trust.ci, keys=policy.keys, at=step.now)
    promotion, unreadable = _promotion(sources, step, place, contents, policy)
    proposal, approvals = proposal_and_approvals(sources, decisions, policy.keys, step.now)
    change = _change(changes, following, promotion)
    home = prefix if place[0] else f"{prefix}{digest}/"
    on_branch = standing(sources, step.heads, old=step.old, place=place, home=home) if step.heads and change else ()
    next_policy = None
    if following is not None and following[0] is not None:
        begin(sources.verifier, decisions, None, ci="", keys=following[0].keys, at=step.now)
        theirs = proposal_and_approvals(sources, decisions, following[0].keys, step.now)
        problems = (*following[0].problems, *following[1])
        read_again = read_decisions(sources, on_branch, following[0].keys, step.now)
        next_policy = NextPolicy(following[0].trust, problems, *theirs, read_again, revocation_only=following[2])
    elif following is not None:
        next_policy = NextPolicy(None, following[1])
    return Facts(
        old=step.old,
        new=step.new,
        parents=objects.commit(step.new).parents if step.parents is None else step.parents,
        changes=changes,
        contents=contents,
        touched={commit: objects.touched(commit) for commit in incoming},
        change=change,
        manifest=digest,
        trust=policy.trust,
        policy_problems=policy.problems,
        revoked=revoked_digests(policy.keys.revoked),
        now=step.now,
        times=_times(sources, step),
        clock=step.clock,
        context=sources.context(step.old, place[0] if sources.exists(step.old, _cluster_file(place[0])) else ""),
        proposal=proposal,
        approvals=approvals,
        standing=read_decisions(sources, on_branch, policy.keys, step.now),
        promotion=promotion,
        unreadable=unreadable,
        next_policy=next_policy,
        benchmarks=benchmark_steps(sources, step.old, step.new, changes),
        twins=twins(sources, step.new, changes),
        place=place,
        triage=_triage(sources, step, policy, changes, contents, promotion),
    )


def _triage(
    sources: Sources,
    step: Step,
    policy: Policy,
    changes: tuple[PathChange, ...],
    contents: Mapping[str, bytes],
    promotion: Promotion | None,
) -> TriageStep:
    """What the step says of triage; most say nothing, and need not load the records of it."""
    told = promotion is not None and EvidenceFile.TRIAGE in promotion.evidence
    if not told and not any("/triage/" in change.path for change in changes):
        return NO_TRIAGE
    from runner.promotion.reviews import triage_step

    ends = (step.old, step.new)
    return triage_step(sources, *ends, policy, changes=changes, contents=contents, promotion=promotion, now=step.now)


def _times(sources: Sources, step: Step) -> tuple[int, int]:
    """When both ends were committed; a draft, which nobody will merge as it is, counts as made with its base."""
    old = sources.objects.commit(step.old).time
    return old, old if step.parents else sources.objects.commit(step.new).time


def _is_file(change: PathChange) -> bool:
    """A submodule's object is a commit of another repository, and a symlink's is a path."""
    return change.mode in ("100644", "100755")


def _cluster_file(cluster: str) -> str:
    return f"clusters/{cluster}/cluster.yaml"


def _change(
    changes: tuple[PathChange, ...],
    following: tuple[Policy | None, tuple[Reason, ...], bool] | None,
    promotion: Promotion | None,
) -> ChangeClass | None:
    """The one class; a revocation and a rollback are told from their kin by what they say."""
    found = classes(changes)
    if len(found) != 1:
        return None
    if found[0] is ChangeClass.POLICY and following is not None and following[2]:
        return ChangeClass.REVOCATION
    if promotion is not None and promotion.record.kind is PromotionKind.ROLLBACK:
        return ChangeClass.ROLLBACK
    return found[0]


def _next_policy(
    sources: Sources, step: Step, policy: Policy, changes: tuple[PathChange, ...]
) -> tuple[Policy | None, tuple[Reason, ...], bool] | None:
    """The policy that a policy change would put in place: it, what is wrong with it as the next one, and whether it
    only revokes, by whole lines after those that are there."""
    touched = {c.path for c in changes if c.path.startswith("policy/") and not c.path.startswith("policy/approvals/")}
    if not touched:
        return None
    try:
        following = sources.policy(step.new)
    except HallmarkError as error:
        hint = "mend it: run `hallmark policy lint` on the branch"
        return None, (Reason(step=GATE_STEP, problem=f"{NEXT}: it cannot be read: {error}", hint=hint),), False
    same = {"version": following.trust.version, "revoked": following.trust.revoked}
    revokes = (
        touched == {"policy/revoked", "policy/trust.yaml"}
        and policy.trust.model_copy(update=same) == following.trust
        and following.keys.revoked.startswith(policy.keys.revoked)
        and policy.keys.revoked[-1:] in (b"", b"\n")
    )
    keys = following.keys.allowed_signers
    found = () if revokes else following_traps(policy.keys.allowed_signers, following.trust, keys, now=step.now)
    return following, tuple(numbered(trap) for trap in found), revokes


def _evidence(place: tuple[str, int], contents: Mapping[str, bytes]) -> dict[str, bytes]:
    """The evidence files that the step adds, by name."""
    start = f"clusters/{place[0]}/promotions/{place[1]}/evidence/"
    return {path.removeprefix(start): data for path, data in contents.items() if path.startswith(start)}


def _promotion(
    sources: Sources, step: Step, place: tuple[str, int], contents: Mapping[str, bytes], policy: Policy
) -> tuple[Promotion | None, tuple[Reason, ...]]:
    """The promotion in the step, if it can be read, and why not."""
    cluster, sequence = place
    if not cluster:
        return None, ()
    home = f"clusters/{cluster}/promotions/{sequence}/"
    said, rule = "6 evidence", "6.1 files"
    try:
        data = contents[f"{home}record.yaml"]
        record = sources.parse(data, PromotionRecord, path=f"{home}record.yaml")
        before = read_before(sources, step.old, cluster)
    except KeyError:
        return None, (
            Reason(step=said, problem=f"{rule}: {home}record.yaml is not in this change", hint="propose again"),
        )
    except RecordError as error:
        return None, (Reason(step=said, problem=f"{rule}: {error}", hint="propose again"),)
    evidence, problem = _evidence(place, contents), adapter_problem(sources, record)
    word = attestation(sources, evidence.get(ATTESTATION), policy, step.now)
    return Promotion(
        record, sha256(data), evidence, word, before, problem, _made_again(sources, step, record, evidence)
    ), ()


def _made_again(
    sources: Sources, step: Step, record: PromotionRecord, evidence: Mapping[str, bytes]
) -> Callable[[], Iterable[str]]:
    """Step 6.9: what is wrong with the hand-off and the cards; evidence that is older has none."""
    if not any(name in evidence for name in GENERATED):
        return tuple

    def problems(sources: Sources) -> Iterable[str]:
        from runner.promotion.handoff import background  # most pushes carry none
        from runner.rules.trust.generated import generated_problems

        made_from: Background | str
        try:
            made_from = background(sources, step.old, record.cluster, record.run.iteration)
        except RecordError as error:
            made_from = str(error)
        return generated_problems(record, evidence, made_from, incoming=bool(step.clock))

    return sources.beside(sources, problems)


def read_before(sources: Sources, commit: str, cluster: str) -> Before:
    """What the base tip and the ledger say of a cluster. Raises `RecordError` where a file of it cannot be read."""
    with told_by("6.4 ledger"):
        chain = sources.chain(cluster)
    lock_path, lock = f"clusters/{cluster}/benchmark.lock", None
    if sources.exists(commit, lock_path):
        lock = sources.record(commit, lock_path, BenchmarkLock)
    gated = sources.record(commit, _cluster_file(cluster), GatedCluster)
    return Before(
        cluster=gated,
        benchmark_sha256=benchmark_digest(lock),
        scenarios=sources.scenarios(commit, cluster),
        records=sources.promotions(commit, cluster),
        ledger=chain.history.entries,
        ledger_digests=chain.digests,
        **_asked(sources, commit, gated),
    )


def _asked(sources: Sources, commit: str, cluster: GatedCluster) -> dict[str, Any]:
    """What its policy asks to be read beside; most ask for nothing, and need not load the records of it."""
    if cluster.gate.significance is None:
        return {}
    from runner.promotion.asked import asked

    return asked(sources, commit, cluster.id, cluster.gate)
