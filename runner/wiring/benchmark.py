"""Settings to the edges that freeze a benchmark's sets and rotate the held-out one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from runner import survey_files
from runner import workspace as workspaces
from runner.edges.files import write_file
from runner.edges.readers import CommitReader, OverlaidReader
from runner.edges.run_branch import BranchPullRequests
from runner.edges.yaml_dump import dump
from runner.edges.yaml_files import line_of, parse
from runner.errors import RecordError, RecordErrors
from runner.phases import rotation
from runner.records.cluster import BenchmarkLock
from runner.records.terms import SetName
from runner.rules.evaluation.looks import HELDOUT, candidates
from runner.rules.evaluation.rotation import Plan
from runner.rules.repository.benchmark import relocked
from runner.wiring import flywheel
from runner.workspace import Inputs


def write_lock(path: Path, cluster: str, *, also: Sequence[SetName] = ()) -> tuple[Path, BenchmarkLock]:
    """Freeze the cluster's sets as they stand in the work tree: those that are frozen, and `also` these. Raises
    `RecordError` where a set that this version has frozen would change, or one of `also` is empty."""
    top = flywheel.root(path)
    found = flywheel.workspace(top, cluster)
    lock = relocked(found.cluster, found.lock, found.scenarios, judges=found.benchmark_judges, also=also)
    target = top / "clusters" / cluster / "benchmark.lock"
    write_file(target, dump(lock.model_dump(mode="json")))
    return target, lock


class Proposed(NamedTuple):
    """What became of a rotation. The branch is empty where too little is there to propose it."""

    plan: Plan
    looks: int
    allowed: int
    branch: str = ""
    was_open: bool = False


def rotate(path: Path, cluster: str) -> Proposed:
    """Propose the rotation of the cluster's held-out set, pinned to HEAD, on `benchmark/<cluster>/v<version>`.

    Raises `RecordError` where the branch is open with another rotation, and `RecordErrors` where `hallmark check` would
    not pass afterwards.
    """
    top = flywheel.root(path)
    head = flywheel.commit(top)
    reader = CommitReader(top, head)
    space = workspaces.load(reader, cluster, parse=parse)
    flywheel.bring_data(top, cluster)
    artifacts = flywheel.data_of(top, cluster)
    found = rotation.planned(Inputs(space, artifacts), has=artifacts.exists)
    looked = candidates(flywheel.ledger_store(top).read(cluster), space.digests[HELDOUT])
    told = Proposed(found, len(looked), space.cluster.heldout_looks)
    if found.lacking:
        return told
    changed = rotation.files(space, found, reader, dump=flywheel.dump_record)
    problems = survey_files.survey(OverlaidReader(reader, changed), parse=parse, locate=line_of).problems
    if problems:
        raise RecordErrors(list(problems))
    branch, pulls = f"benchmark/{cluster}/v{found.version}", BranchPullRequests(top, head)
    standing = pulls.says(branch, changed)
    if standing is False:
        hint = "merge it, or delete the branch to propose this one"
        raise RecordError("is open with another rotation", path=branch, hint=hint)
    words = rotation.body(found, looks=told.looks, allowed=told.allowed)
    pulls.open(branch, changed, title=f"{cluster}: rotate held-out to version {found.version}", body=words)
    return told._replace(branch=branch, was_open=bool(standing))
