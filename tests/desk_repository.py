"""The small cluster as a real repository: reviewed files, data behind DVC pointers, a bare origin and a DVC store.

Everything below `home` refers to the rest by relative paths, so that a copy of `home` is a world of its own.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner.edges import dvc_data, dvc_run, run_branch
from runner.edges.artifacts import DirectoryArtifacts, rows_bytes
from runner.edges.git_write import GitRepository
from runner.edges.simulated import simulated_ports
from runner.edges.yaml_files import dump
from runner.flywheel import Flow, iterate
from runner.records.artifact import ARTIFACTS
from runner.records.base import Record
from runner.records.params import Params
from runner.wiring import flywheel
from tests.flywheel_fixture import fixture

CLUSTER = "desk"
WHO = ("-c", "user.name=owner", "-c", "user.email=owner@example.com")


def git(cwd: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *WHO, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


def make(home: Path, **changes: Any) -> Path:
    """`home/origin.git`, `home/store` and the work tree `home/desk`, pushed. `changes` go into cluster.yaml; `id` is
    the cluster's name everywhere."""
    desk = home / "desk"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(home / "origin.git")], check=True)
    seed(desk, remote="../store", **changes)
    git(desk, "add", "--all")
    git(desk, "commit", "--quiet", "--message", "The first tree")
    git(desk, "remote", "add", "origin", "../origin.git")
    git(desk, "push", "--quiet", "origin", "main")
    return desk


def seed(desk: Path, *, remote: str, **changes: Any) -> None:
    """The reviewed files in a new work tree, and their data in the DVC store `remote`."""
    flywheel.initialise(desk, remote=remote)
    dvc_yaml = Path(__file__).parents[1] / "dvc.yaml"
    (desk / "dvc.yaml").write_bytes(dvc_yaml.read_bytes())
    space, values = fixture(**changes)
    name = space.cluster.id
    _put(desk, "params.yaml", said(Params(clusters={name: space.params})))
    _put(desk, f"clusters/{name}/cluster.yaml", said(space.cluster))
    _put(desk, f"clusters/{name}/problem.md", b"---\n" + said(space.problem) + b"---\nProse.\n")
    assert space.lock is not None
    _put(desk, f"clusters/{name}/benchmark.lock", said(space.lock))
    for rubric_id, rubric in space.rubrics.items():
        _put(desk, f"rubrics/{rubric_id}.yaml", said(rubric))
    for chosen, found in space.scenarios.items():
        for one in found:
            _put(desk, f"scenarios/{name}/{chosen}/{one.id}.yaml", said(one))
    for folder in ("triage", "promotions"):
        _put(desk, f"clusters/{name}/{folder}/.gitkeep", b"")
    for kind, rows in values.items():
        _put(desk, f"clusters/{name}/{ARTIFACTS[kind].path}", rows_bytes(rows))
    data = sorted((desk / "clusters" / name / "data").glob("*.jsonl"))
    dvc_data.track(desk, data)
    dvc_data.publish(desk, data)


def said(record: Record) -> bytes:
    """The record as a reviewed file, every default written out: DVC knows none."""
    return dump(record.model_dump(mode="json", exclude_none=True))


def _put(desk: Path, path: str, data: bytes) -> None:
    (desk / path).parent.mkdir(parents=True, exist_ok=True)
    (desk / path).write_bytes(data)


def clone(home: Path, name: str) -> Path:
    """Another machine's clone of origin, beside the desk, so that the store's relative path holds."""
    git(home, "clone", "--quiet", "origin.git", name)
    return home / name


def flow(desk: Path, name: str = CLUSTER) -> Flow:
    """The flywheel with every real edge but the models, the classifier, the machine and the clock."""
    real = flywheel.flow(desk, name)
    return replace(real, ports=replace(simulated_ports(), dump_yaml=real.ports.dump_yaml))


def turn(desk: Path, kill: tuple[str, int] | None = None) -> None:
    """One turn in a process group of its own, for a child process. `kill` names a call of an edge and how often it
    may come: at that one the whole group is killed, git commands that it started included."""
    os.setsid()
    if kill is not None:
        _arm(*kill)
    iterate(flow(desk))


def _arm(name: str, count: int) -> None:
    left = itertools.count(count - 1, -1)

    def tick(called: str) -> None:
        if called == name and next(left) == 0:
            os.killpg(0, signal.SIGKILL)

    def watch(owner: Any, attribute: str, named: Callable[..., str]) -> None:
        real = getattr(owner, attribute)

        def watched(*arguments: Any, **options: Any) -> Any:
            called = named(*arguments)
            tick(f"before {called}")
            result = real(*arguments, **options)
            tick(f"after {called}")
            return result

        setattr(owner, attribute, watched)

    watch(run_branch, "git", lambda root, command, *rest: f"git {command}")
    for owner, attribute, label in EDGES:
        watch(owner, attribute, lambda *rest, label=label: label)


EDGES = (
    (DirectoryArtifacts, "write", "write"),
    (dvc_run, "share_cache", "share cache"),
    (dvc_run, "keep", "dvc commit and push"),
    (dvc_run, "_push", "dvc push"),
    (dvc_run, "bring", "dvc checkout"),
    (dvc_data, "fetch_all", "fetch data"),
    (GitRepository, "commit_files", "ledger commit"),
    (GitRepository, "push", "ledger push"),
)
