"""Step 2 for a benchmark: ways round what is frozen. Every one of them has the owner's signature."""

from __future__ import annotations

from functools import partial
from typing import Any

from runner.edges.yaml_dump import dump
from runner.records.change import ChangeClass
from runner.rules.judges.identity import judge_digest
from runner.rules.trust.change import class_of
from tests.attack.case import Case, Finding, passes
from tests.attack.desk import Desk
from tests.attack.forgery import carried
from tests.judged_fixture import JUDGE_AT, judge, said
from tests.promotion_fixture import CLUSTER, LOCK, scenario_file

FROZEN = "2.6 frozen sets"
YAML, LOCKED = "clusters/desk/cluster.yaml", "clusters/desk/benchmark.lock"
HELD = "scenarios/desk/heldout/heldout-00.yaml"
EASIER = {HELD: scenario_file("heldout-00", "easy")}
WIDER = {"boundary": "plant-7", "exports": ["summaries", "scorecards", "capabilities"]}
OTHER = {"heldout": {**LOCK["sets"]["heldout"], "sha256": "b" * 64}}


def signed(desk: Desk, change: dict[str, bytes | None]) -> Finding:
    return desk.gate(carried(desk, change, people=("alice",)))


def cluster(**change: Any) -> bytes:
    return dump({**CLUSTER, **change})


def lock(**change: Any) -> bytes:
    return dump({**LOCK, **change})


def governed(desk: Desk) -> dict[str, bytes]:
    """The cluster's benchmark as it stands on main."""
    paths = [*desk.git.files(desk.main, "scenarios/desk"), *desk.git.files(desk.main, "clusters/desk")]
    return {path: desk.git.read(desk.main, path) for path in paths if class_of(path) is ChangeClass.BENCHMARK}


def gone(desk: Desk, *, keep: str = "") -> Finding:
    """The whole cluster, or all of it but one file."""
    return signed(desk, {path: None for path in governed(desk) if path != keep})


def renamed(desk: Desk) -> Finding:
    """Everything of the cluster under another name, with an easier held-out set."""
    found = governed(desk)
    there = {path.replace("/desk/", "/table/"): data for path, data in found.items()}
    there |= {"clusters/table/cluster.yaml": cluster(id="table")}
    return signed(desk, {**dict.fromkeys(found), **there})


def fallen(desk: Desk) -> Finding:
    """From version 2 back to 1, so that the number 2 can be given twice."""
    second = {YAML: cluster(benchmark_version=2), LOCKED: lock(version=2)}
    desk.land(desk.git.commit_files([desk.main], second, "Second\n"))
    return signed(desk, {YAML: cluster(), LOCKED: lock()})


JUDGE, KINDER = judge(), judge(prompt="You judge kindly.")


def judged(desk: Desk) -> None:
    """The benchmark with a judge, as its owner merged it."""
    found = {JUDGE_AT: said(JUDGE), LOCKED: lock(judges={"tone": judge_digest(JUDGE)})}
    desk.land(desk.git.commit_files([desk.main], found, "A judge\n"))


def swapped(desk: Desk, *, change: dict[str, bytes | None], people: tuple[str, ...] = ("alice",)) -> Finding:
    """A change of a benchmark that has a judge."""
    judged(desk)
    return desk.gate(carried(desk, change, people=people))


TO_KINDER = {LOCKED: lock(judges={"tone": judge_digest(KINDER)})}
RENEWED = {YAML: cluster(benchmark_version=2), JUDGE_AT: said(KINDER)}
OF_JUDGES: tuple[tuple[str, str, dict[str, bytes | None]], ...] = (
    ("judge-swapped-without-the-lock", "A kinder judge takes its place.", {JUDGE_AT: said(KINDER)}),
    ("judge-swapped-with-its-pin", "The lock's pin follows the kinder judge.", {JUDGE_AT: said(KINDER), **TO_KINDER}),
    ("judge-deleted", "The judge goes.", {JUDGE_AT: None}),
    ("judge-emptied", "The judge is emptied.", {JUDGE_AT: b""}),
    ("judge-forgotten-by-the-lock", "The lock forgets the judge, before it is swapped.", {LOCKED: lock()}),
    ("judge-pin-of-another", "The lock pins a judge that is not there.", TO_KINDER),
    (
        "judge-swapped-behind-a-new-version",
        "A new version keeps the old judge's pin.",
        {**RENEWED, LOCKED: lock(version=2, judges={"tone": judge_digest(JUDGE)})},
    ),
)

TRICKS: tuple[tuple[str, str, dict[str, bytes | None]], ...] = (
    (
        "benchmark-cluster-deleted",
        "cluster.yaml goes with the edit, so that no version is there.",
        {YAML: None, **EASIER},
    ),
    ("benchmark-cluster-emptied", "cluster.yaml is emptied with the edit.", {YAML: b"", **EASIER}),
    ("benchmark-lock-deleted", "The lock goes, before the edit that it would refuse.", {LOCKED: None}),
    ("benchmark-lock-emptied", "The lock is emptied.", {LOCKED: b""}),
    (
        "benchmark-lock-and-all-deleted",
        "The lock and cluster.yaml go with the edit.",
        {YAML: None, LOCKED: None, **EASIER},
    ),
    ("benchmark-set-unlocked", "The lock forgets the held-out set.", {LOCKED: lock(sets={})}),
    ("benchmark-lock-of-another-set", "The lock's digest follows the edit.", {LOCKED: lock(sets=OTHER), **EASIER}),
    (
        "benchmark-version-in-the-lock-alone",
        "The lock is of version 2, and cluster.yaml is not.",
        {LOCKED: lock(version=2, sets=OTHER), **EASIER},
    ),
)
CASES: tuple[Case, ...] = (
    *(Case(name, does, FROZEN, partial(swapped, change=change)) for name, does, change in OF_JUDGES),
    Case(
        "judge-swapped-by-nobody",
        "A judge is renewed by the book, but for the owner's signature.",
        "7 quorum",
        partial(swapped, change={**RENEWED, LOCKED: lock(version=2, judges={"tone": judge_digest(KINDER)})}, people=()),
    ),
    passes(
        "judge-renewed",
        "A new version with another judge, and its pin.",
        partial(swapped, change={**RENEWED, LOCKED: lock(version=2, judges={"tone": judge_digest(KINDER)})}),
    ),
    passes(
        "judge-asked-less-hard",
        "What decides no verdict may change.",
        partial(swapped, change={JUDGE_AT: said(judge(asking={"concurrency": 2}))}),
    ),
    *(Case(name, does, FROZEN, partial(signed, change=change)) for name, does, change in TRICKS),
    Case("benchmark-version-falls", "The version goes back to a number that was given.", FROZEN, fallen),
    Case("cluster-renamed", "A promoted cluster moves to another name.", FROZEN, renamed, "promoted"),
    Case("cluster-deleted", "A promoted cluster is deleted whole.", FROZEN, gone, "promoted"),
    Case("cluster-deleted-in-part", "The lock outlives its cluster.", FROZEN, partial(gone, keep=LOCKED), "root"),
    Case(
        "boundary-widened-by-nobody",
        "Prompts' scores may leave, says a change that no owner signed.",
        "7 quorum",
        lambda desk: desk.gate(carried(desk, {YAML: cluster(fleet=WIDER)})),
    ),
    Case(
        "boundary-with-unknown-words",
        "What may leave is widened by a word that no release knows.",
        FROZEN,
        partial(signed, change={YAML: cluster(fleet={**WIDER, "exports": ["answers"]})}),
    ),
    passes(
        "boundary-declared", "An owner declares what may leave.", partial(signed, change={YAML: cluster(fleet=WIDER)})
    ),
    passes("cluster-never-promoted-deleted", "A cluster without promotions goes whole.", gone, start="root"),
    passes(
        "benchmark-renewed",
        "A new version with its sets locked again.",
        partial(signed, change={YAML: cluster(benchmark_version=2), LOCKED: lock(version=2, sets=OTHER), **EASIER}),
    ),
)
