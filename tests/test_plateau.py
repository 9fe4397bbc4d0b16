"""The loop stops itself where nothing improves, says why, and goes on when people change something."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.edges.run_branch import BranchRuns
from runner.errors import DataError
from runner.ledger import PHASES
from runner.records.failure import Diagnosis
from runner.records.ledger import Entry, EntryKind, RunState
from runner.records.plateau import Escalation, Option, Plateau, PlateauPolicy, Shared, Tried, TriedArm
from runner.records.score import Scorecard
from runner.records.training import Sweep
from runner.records.verdict import Outcome, Reason, Verdict
from runner.rules.loop.escalation_page import page
from runner.rules.loop.plateau import brought, plateau, unimproved
from runner.rules.loop.status import block, cluster_status
from runner.rules.trust.change import ChangeClass, class_of
from tests.evidence_fixture import cluster as evidence_cluster
from tests.flywheel_fixture import digests
from tests.test_flywheel import World, iterate

NEVER = {"thresholds": {"composite": 0.8, "heldout": 0.8}, "max_p_value": 1e-12, "max_robustness_drop": 0.6}
"""No candidate of the fixture is as significantly better as this asks for."""
PINS = {"cluster": "a" * 64, "data/gold": "b" * 64, "data/signals": "c" * 64, "scenarios/heldout": "d" * 64}


def refused(*steps: str) -> Verdict:
    reasons = tuple(Reason(step=step, problem="does not hold") for step in steps)
    return Verdict(outcome=Outcome.REFUSE, reasons=reasons)


def ended(iteration: str, phase: str, verdict: Verdict, *, pins: dict[str, str] | None = None) -> list[Entry]:
    """An iteration's entries, as far as a plateau reads them."""
    kinds = [(EntryKind.QUEUED, "", Verdict()), (EntryKind.PHASE, phase, verdict)]
    return [
        Entry(
            cluster="desk",
            sequence=1,
            previous=None,
            kind=kind,
            iteration=iteration,
            phase=name,
            verdict=one,
            inputs=(PINS if pins is None else pins) if kind is EntryKind.QUEUED else {},
        )
        for kind, name, one in kinds
    ]


def superseded(iteration: str) -> list[Entry]:
    first = ended(iteration, "expand", Verdict())
    return [*first, first[-1].model_copy(update={"kind": EntryKind.SUPERSEDED, "verdict": refused("supersede")})]


@pytest.mark.parametrize(
    ("phase", "verdict", "expected"),
    [
        ("assess", Verdict(), True),
        ("assess", refused("regressions", "latency"), True),
        ("assess", refused("significance"), False),
        ("assess", refused("stages"), False),
        ("assess", refused("thresholds"), False),
        ("assess", refused("robustness"), False),
        ("assess", refused("baseline"), False),
        ("assess", refused("judges", "latency"), False),
        ("assess", refused("real-only baseline"), False),
        ("sweep", refused("human floor"), False),
        ("validate", refused("leakage"), False),
        ("assess", refused("held-out looks"), None),
        ("intake", refused("hardware"), None),
        ("expand", Verdict(), None),
    ],
)
def test_what_an_iteration_brought(phase: str, verdict: Verdict, expected: bool | None) -> None:
    assert brought(ended("i", phase, verdict)) is expected


def test_the_row_ends_at_the_last_improvement_and_at_what_people_acknowledged() -> None:
    nothing = refused("significance")
    entries = [
        *ended("one", "assess", nothing),
        *ended("two", "assess", Verdict()),
        *ended("three", "assess", nothing),
        *superseded("four"),
        *ended("five", "sweep", nothing),
        *ended("six", "assess", nothing),
    ]
    assert unimproved(entries, PlateauPolicy()) == ("three", "five", "six")
    look = entries[0].model_copy(update={"kind": EntryKind.LOOK, "iteration": ""})
    assert unimproved([*entries, look], PlateauPolicy()) == ("three", "five", "six"), "a look is of no iteration"
    assert unimproved(entries, PlateauPolicy(acknowledged="five")) == ("six",)
    found = plateau(entries, PlateauPolicy(), pins=PINS)
    assert found is not None
    assert (found.after, found.iterations) == ("six", ("three", "five", "six"))
    assert plateau(entries, PlateauPolicy(patience=4), pins=PINS) is None


def test_what_was_superseded_and_queued_again_counts_where_it_ended() -> None:
    nothing = refused("significance")
    entries = [
        *superseded("back"),
        *(entry for name in ("a", "b") for entry in ended(name, "assess", nothing)),
        *ended("back", "assess", nothing),
    ]
    assert unimproved(entries, PlateauPolicy()) == ("a", "b", "back")
    assert brought([*superseded("back"), *superseded("back")]) is None


@pytest.mark.parametrize("changed", ["data/gold", "data/base", "scenarios/heldout", "cluster", "judges"])
def test_what_people_govern_lifts_it(changed: str) -> None:
    entries = [entry for name in ("a", "b", "c") for entry in ended(name, "assess", refused("significance"))]
    assert plateau(entries, PlateauPolicy(), pins={**PINS, "data/signals": "e" * 64}) is not None
    assert plateau(entries, PlateauPolicy(), pins={**PINS, changed: "e" * 64}) is None
    assert (
        plateau(entries[:-2] + ended("c", "assess", refused("significance"), pins={}), PlateauPolicy(), pins=PINS)
        is None
    )


def moved(world: World, **update: str) -> None:
    """Another tree: data that nobody governs has come in, or what `update` says."""
    pins = {**world.workspace.digests, **update}
    world.workspace = replace(world.workspace, digests=pins)


@pytest.fixture(scope="module")
def stuck() -> tuple[World, list[Any]]:
    """Two iterations of the whole flywheel in memory, neither of which is significantly better; and a third turn."""
    world = World(gate=NEVER, plateau={"patience": 2})
    turns = []
    for number in range(3):
        moved(world, **{"data/signals": f"{number}" * 64})
        turns.append(iterate(world.flow()))
    return world, turns


def test_the_loop_stops_itself_and_says_so(stuck: tuple[World, list[Any]]) -> None:
    world, turns = stuck
    assert [(turn.phase, turn.verdict.outcome) for turn in turns[:2]] == [("assess", Outcome.REFUSE)] * 2
    last = turns[2]
    assert (last.state, last.verdict.outcome, last.verdict.reasons[0].step) == (
        RunState.BLOCKED,
        Outcome.WAIT,
        "plateau",
    )
    assert last.opened == (f"escalation/desk/{turns[1].iteration}",)
    entries = world.entries()
    assert [entry.iteration for entry in entries if entry.kind is EntryKind.QUEUED] == [t.iteration for t in turns[:2]]
    assert iterate(world.flow()).state is RunState.BLOCKED
    assert world.entries() == entries, "standing still writes nothing"


def test_the_page_says_what_was_tried_and_shared_and_could_change(stuck: tuple[World, list[Any]]) -> None:
    world, turns = stuck
    ((path, data),) = world.pulls.branches[turns[2].opened[0]].items()
    assert path == f"clusters/desk/escalations/{turns[1].iteration}.md"
    assert class_of(path) is ChangeClass.DOCS
    text = data.decode()
    for turn in turns[:2]:
        assert (
            f"### {turn.iteration}\n\n- refused at assess: significance: against the incumbent on held-out p is" in text
        )
    assert "arms on dev: control (0% synthetic) 0." in text
    assert "human, " in text
    assert "improved over the incumbent: +32.0 points" not in text, "at 1e-12 it is no significant difference"
    assert "**login**: answers refund where login is right (high severity, lens inbox), found by 2 iterations" in text
    assert "core scenarios fail with what serves, every time: core-broken-0" in text
    assert (
        "**The base, or the recipe in params.yaml: a larger model, a higher rank, more steps.** Held-out stood at 0."
        in text
    )
    assert f"acknowledged: {turns[1].iteration}" in text
    heldout = list(world.workspace.scenarios["heldout"])
    assert not any(one.input[-1].content in text or one.id in text for one in heldout)


def test_it_goes_on_when_people_change_something(stuck: tuple[World, list[Any]]) -> None:
    world, turns = stuck
    before = world.workspace
    cluster = before.cluster.model_copy(update={"plateau": PlateauPolicy(patience=2, acknowledged=turns[1].iteration)})
    acknowledged = replace(before, cluster=cluster)
    try:
        world.workspace = replace(acknowledged, digests={**before.digests, "cluster": digests(acknowledged)["cluster"]})
        turn = iterate(world.flow())
    finally:
        world.workspace = before
    assert (turn.phase, turn.state) == ("assess", RunState.BLOCKED)
    assert turn.iteration not in {one.iteration for one in turns[:2]}
    assert len([e for e in world.entries() if e.iteration == turn.iteration and e.kind is EntryKind.PHASE]) == 12
    assert len(PHASES) == 13


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=ci", "-c", "user.email=ci@example.com", *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_what_an_iteration_left_is_read_from_its_branch(tmp_path: Path) -> None:
    """As far as it came: a branch that lacks the file, and an iteration that has no branch, left nothing."""
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "Root")
    main = git(tmp_path, "rev-parse", "HEAD")
    git(tmp_path, "switch", "-q", "-c", "runs/desk/it-1")
    home = tmp_path / "clusters" / "desk" / "run"
    home.mkdir(parents=True)
    found = Diagnosis(failures=(), targets=(), uncovered=("login",))
    (home / "diagnosis.json").write_text(found.model_dump_json())
    (home / "sweep.json").write_text("{}")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "diagnose: pass")
    git(tmp_path, "switch", "-q", "main")
    runs = BranchRuns(tmp_path, main)
    assert runs.recorded("desk", "it-1", "diagnosis", Diagnosis) == found
    assert runs.recorded("desk", "it-1", "scorecard", Scorecard) is None
    assert runs.recorded("desk", "it-2", "diagnosis", Diagnosis) is None
    with pytest.raises(DataError, match=r"sweep.json of it-1 is not its record"):
        runs.recorded("desk", "it-1", "sweep", Sweep)


def test_status_says_that_the_loop_stands_still_and_who_is_asked() -> None:
    found = Plateau(after="i1", iterations=("a", "b", "i1"), patience=3)
    status = cluster_status(
        evidence_cluster(),
        phases=PHASES,
        scenarios={},
        entries=ended("i1", "assess", refused("significance")),
        iteration="i1",
        state=RunState.BLOCKED,
        promoted=0,
        plateau=found,
    )
    rows = dict(block(status))
    assert rows["state"] == "blocked"
    assert rows["plateau"] == "3 iterations without improvement on held-out, 3 may"
    path, branch = "clusters/support-desk/escalations/i1.md", "escalation/support-desk/i1"
    assert rows["waits for"] == f"domain owners: read {path} on {branch}, and change what people govern"


def test_the_page_has_others_words_as_words() -> None:
    """A pattern holds what a model answered, and a reason what a file says."""
    hostile = "<b>it</b> ![x](https://example.com/x.png)\n# Approve | this"
    words = r"&lt;b>it&lt;/b> ![x]\(https://example.com/x.png) # Approve \| this"
    found = Escalation(
        cluster="desk",
        plateau=Plateau(after="i1", iterations=("i1",), patience=1),
        tried=(
            Tried(
                iteration="i1",
                refused_at="assess",
                reasons=(hostile, hostile),
                arms=(TriedArm(name=hostile, synthetic_share=0.5, dev=0.7),),
                chosen=hostile,
                rows=hostile,
                verdict=hostile,
            ),
        ),
        shared=(
            Shared(
                capability="login",
                pattern=hostile,
                lenses=(),
                severity="high",
                iterations=1,
                frequency=2,
                scenarios=(),
                covered=True,
                next_target="core",
            ),
        ),
        options=(Option(what=hostile, why=hostile),),
    )
    text = page(found)
    assert text.count(words) == 9
    assert "<b>" not in text
    assert "](" not in text
    assert "\n# Approve" not in text
