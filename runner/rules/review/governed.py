"""What a change does to everything that governs: clusters, problems, locks, judges, knobs, and the policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from runner.records.base import Record
from runner.records.change_review import RubricChange, SettingChange, What
from runner.records.cluster import BenchmarkLock, Cluster, Problem
from runner.records.judging import JudgeFile
from runner.records.params import Params
from runner.records.rubric import Rubric
from runner.rules.review.directions import CLUSTER, JUDGE, LOCK, PROBLEM, RUBRIC, TRUST, Rule
from runner.rules.review.settings import effective, setting_changes
from runner.rules.review.side import Side
from runner.rules.trust.signers import read_revoked, read_signers

POLICY = "policy/trust.yaml"
NOTHING: Mapping[str, Rule] = {}


def _json(record: Record) -> Any:
    return record.model_dump(mode="json")


def _lock(record: Record) -> Any:
    """What of a lock is a setting: digests and counts follow from the scenarios, and versions are told of apart."""
    assert isinstance(record, BenchmarkLock)
    owners = {name: list(frozen.owners) for name, frozen in record.sets.items()}
    return {"sets": sorted(record.sets), "owners": owners, "judges": sorted(record.judges), "pins": dict(record.judges)}


def _cluster(record: Record) -> Any:
    assert isinstance(record, Cluster)
    return effective(record)


KINDS: tuple[tuple[type[Record], Mapping[str, Rule], Callable[[Record], Any]], ...] = (
    (Cluster, CLUSTER, _cluster),
    (Problem, PROBLEM, _json),
    (BenchmarkLock, LOCK, _lock),
    (JudgeFile, JUDGE, _json),
    (Params, NOTHING, _json),
)


def governed_changes(before: Side, after: Side) -> tuple[SettingChange, ...]:
    """Every setting that changes, by file. A file that comes or goes whole is told of by its scenarios, not here."""
    return tuple(
        one
        for kind, table, said in KINDS
        for path, new in sorted(after.all(kind).items())
        if (old := before.one(path, kind)) is not None and old != new
        for one in setting_changes(said(old), said(new), table, path=path, sides=(before, after))
    )


def rubric_changes(before: Side, after: Side, graded: Mapping[str, int]) -> tuple[RubricChange, ...]:
    """`graded` says how many scenarios name each rubric after the change."""
    old, new = before.all(Rubric), after.all(Rubric)
    return tuple(_rubric_changes(old, new, (before, after), graded))


def _rubric_changes(
    old: Mapping[str, Rubric], new: Mapping[str, Rubric], sides: tuple[Side, Side], graded: Mapping[str, int]
) -> Iterator[RubricChange]:
    for path in sorted({*old, *new}):
        was, is_ = old.get(path), new.get(path)
        if was == is_:
            continue
        changes: tuple[SettingChange, ...] = ()
        if was is not None and is_ is not None:
            changes = tuple(setting_changes(_json(was), _json(is_), RUBRIC, path=path, sides=sides))
        what = What.ADDED if was is None else What.REMOVED if is_ is None else What.CHANGED
        rubric = is_ or was
        assert rubric is not None
        at = sides[1].at(path) if is_ is not None else sides[0].at(path, gone=True)
        yield RubricChange(what=what, at=at, id=rubric.id, scenarios=graded.get(rubric.id, 0), changes=changes)


def policy_changes(before: Side, after: Side) -> tuple[SettingChange, ...]:
    """Who may sign what, and whose word counts: the policy, the keys and what was revoked."""
    if before.trust is None or after.trust is None:
        return ()
    old, new = _policy(before), _policy(after)
    return tuple(setting_changes(old, new, TRUST, path=POLICY, sides=(before, after)))


def _policy(side: Side) -> Any:
    assert side.trust is not None
    said = _json(side.trust)
    for digest_ in ("allowed_signers", "revoked", "version"):
        said.pop(digest_)
    revoked = read_revoked(side.revoked)[0]
    keys = sorted({f"{line.principal} {line.public_key[-12:]}" for line in read_signers(side.signers)[0]})
    gone = sorted({*(key[-12:] for key in revoked.keys), *(digest[:12] for digest in revoked.digests)})
    return {**said, "signing keys": keys, "revoked keys": gone}
