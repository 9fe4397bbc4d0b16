"""Which frozen sets a change touches, who must sign it, and for what the gate would refuse it whoever signs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from runner.records.change import ChangeClass, PathChange
from runner.records.change_review import FrozenTouched, Place, Refusal, Signatures
from runner.records.cluster import BenchmarkLock, Cluster
from runner.records.judging import JudgeFile
from runner.rules.judges.identity import judge_digest
from runner.rules.review.side import Side
from runner.rules.trust.change import APPROVALS, benchmark_cluster, class_of
from runner.rules.trust.facts import BenchmarkStep
from runner.rules.trust.frozen import version_problems


def touched_clusters(changes: Sequence[PathChange]) -> tuple[str, ...]:
    """Those whose scenarios, cluster.yaml or benchmark.lock change."""
    return tuple(sorted({name for change in changes if (name := benchmark_cluster(change.path))}))


def signatures(changes: Sequence[PathChange], before: Side) -> tuple[Signatures, ...]:
    """Who must sign each class of the change, by the policy of the base; nothing where it has none."""
    if before.trust is None:
        return ()
    files = Counter(class_of(one.path) for one in changes if not one.path.startswith(APPROVALS))
    found = []
    for change in ChangeClass:
        if not files[change]:
            continue
        people: Counter[str] = Counter()
        for asked in before.trust.changes.get(change, ()):
            people[asked.role] += asked.people
        found.append(Signatures(change=change, files=files[change], people={k: n for k, n in people.items() if n}))
    return tuple(found)


def frozen_touched(changes: Sequence[PathChange], before: Side, after: Side) -> tuple[FrozenTouched, ...]:
    """The frozen sets of which a scenario changes."""
    found = []
    for cluster in touched_clusters(changes):
        path = f"clusters/{cluster}/benchmark.lock"
        lock, new = before.one(path, BenchmarkLock), after.one(path, BenchmarkLock)
        for name, frozen in sorted(lock.sets.items()) if lock is not None else ():
            home = f"scenarios/{cluster}/{name}/"
            edited = sum(change.path.startswith(home) for change in changes)
            if edited and lock is not None:
                one = FrozenTouched(
                    cluster=cluster,
                    set=name,
                    owners=frozen.owners,
                    version_before=lock.version,
                    version_after=new.version if new is not None else 0,
                    scenarios=edited,
                )
                found.append(one)
    return tuple(found)


def gate_refusals(changes: Sequence[PathChange], before: Side, after: Side) -> Iterator[Refusal]:
    """What no signature helps against: several classes in one merge, a frozen set that changes under its version."""
    classes = sorted({str(found) for one in changes if (found := class_of(one.path)) is not None})
    if len(classes) > 1 and before.trust is not None:
        problem = f"several classes of change in one merge: {', '.join(classes)}"
        yield Refusal(at=Place(path=changes[0].path), problem=problem, hint="one class a merge: split the change")
    for cluster in touched_clusters(changes):
        if {f"clusters/{cluster}/{name}" for name in ("cluster.yaml", "benchmark.lock")} & after.broken:
            continue  # that it cannot be read is told already
        for reason in version_problems(_step(cluster, changes, before, after), step="review"):
            at = after.at(f"clusters/{cluster}/benchmark.lock")
            yield Refusal(at=at, problem=reason.problem, hint=reason.hint)


def _step(cluster: str, changes: Sequence[PathChange], before: Side, after: Side) -> BenchmarkStep:
    lock, own = f"clusters/{cluster}/benchmark.lock", f"clusters/{cluster}/cluster.yaml"
    locks = before.one(lock, BenchmarkLock), after.one(lock, BenchmarkLock)
    pinned = {judge for one in locks if one is not None for judge in one.judges}
    judges = {judge: after.one(f"rubrics/judges/{judge}.yaml", JudgeFile) for judge in pinned}
    return BenchmarkStep(
        cluster=cluster,
        touched=frozenset(one.path for one in changes if benchmark_cluster(one.path) == cluster),
        before=before.one(own, Cluster),
        after=after.one(own, Cluster),
        lock_before=locks[0],
        lock_after=locks[1],
        left=tuple(path for path in sorted(after.records) if benchmark_cluster(path) == cluster),
        judges={judge: judge_digest(one) if one is not None else "" for judge, one in judges.items()},
        promoted=any(path.startswith(f"clusters/{cluster}/promotions/") for path in before.records),
    )
