"""Whether this machine may touch a cluster at all, and whether the servers that it would ask are inside: asked before
data are brought, or a model is trained, served or asked."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

from runner.edges.machine import declared_boundaries as declared_boundaries
from runner.edges.readers import CommitReader, DirectoryReader
from runner.edges.yaml_files import parse
from runner.errors import RecordError, RecordErrors
from runner.ports import Reader
from runner.records.fleet import Fleet
from runner.records.fleet_status import FleetCluster
from runner.records.verdict import Outcome, Verdict
from runner.rules.judges.intake import outside as outside_judge
from runner.rules.loop.boundary import outside, strangers
from runner.workspace import Workspace


def judged(top: Path, cluster: str, revision: str = "HEAD") -> Verdict:
    """Whether this machine is inside the boundary that the cluster declares at `revision`: a refusal says what it
    declares and what it would have to. Nothing is written down: another machine may do it. Where there is no such
    cluster nothing is refused here; whoever reads it says so."""
    reasons = outside(_place(CommitReader(top, revision), cluster), declared_boundaries())
    return Verdict(outcome=Outcome.REFUSE, reasons=reasons) if reasons else Verdict()


def admit(top: Path, cluster: str) -> None:
    """Raises `RecordError` where this machine is outside of the boundary that the cluster declares in the work tree."""
    admitted(_place(DirectoryReader(top), cluster), cluster)


def admitted(place: Fleet, cluster: str) -> None:
    """Raises `RecordError` where this machine is outside."""
    for reason in outside(place, declared_boundaries()):
        raise RecordError(reason.problem, path=f"clusters/{cluster}/cluster.yaml", field="fleet", hint=reason.hint)


def asked_inside(space: Workspace) -> None:
    """Raises `RecordErrors` that name each server outside of the cluster's boundary: the serving endpoint, a
    generator's, a judge's."""
    judges = (fault for judge in space.judges.values() for fault in outside_judge(judge, space.cluster))
    found = [
        RecordError(one.problem, path=one.path, field=one.field, hint=one.hint)
        for one in chain(strangers(space.cluster), judges)
    ]
    if found:
        raise RecordErrors(found)


def _place(reader: Reader, cluster: str) -> Fleet:
    path = f"clusters/{cluster}/cluster.yaml"
    if path not in reader.paths(path):
        return Fleet()
    return parse(reader.read(path), FleetCluster, path=path).fleet or Fleet()
