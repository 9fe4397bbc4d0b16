"""Re-run triggers on real git and DVC: what is queued, once, and what takes it up. Models and clock are simulated."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from runner.cli.main import group
from runner.edges import dvc_data
from runner.edges.artifacts import rows_bytes
from runner.edges.ledger_store import entry_bytes
from runner.flywheel import Standing, iterate
from runner.ledger import History
from runner.records.dataset import Example
from runner.records.intake import Intake
from runner.records.ledger import Entry, EntryKind, RunState
from runner.records.lineage import Lineage
from runner.records.schemas import schema
from runner.records.trace import Trace
from runner.records.trigger_findings import Answer, Findings
from runner.rules.loop.trigger_words import begun_by
from runner.wiring import flywheel
from runner.wiring.status import read_status
from runner.wiring.triggers import judged
from tests.desk_repository import CLUSTER, clone, flow, git, make, said
from tests.flywheel_fixture import cluster, user

HOME = f"clusters/{CLUSTER}"
TRIGGERS: list[dict[str, Any]] = [
    {"kind": "age", "days": 90},
    {"kind": "base"},
    {"kind": "task"},
    {"kind": "real-data", "of": "gold", "rows": 3},
    {"kind": "real-data", "of": "signals", "rows": 2},
    {"kind": "score-drop", "drop": 0.05, "min_signals": 20},
]
SOON, LATER = "2026-01-02T02:00:00Z", "2026-04-01T02:00:00Z"
CHILD = multiprocessing.get_context("spawn")


@pytest.fixture(scope="module")
def bundled(tmp_path_factory) -> Path:
    """The world after one turn, to its bundle."""
    home = tmp_path_factory.mktemp("bundled") / "home"
    home.mkdir()
    make(home, triggers=TRIGGERS)
    turned(home / "desk")
    return home


@pytest.fixture
def home(bundled, tmp_path) -> Path:
    return Path(shutil.copytree(bundled, tmp_path / "home", symlinks=True))


def turned(desk: Path) -> Standing:
    return iterate(flow(desk))


def ledger(desk: Path) -> tuple[Entry, ...]:
    return flywheel.ledger_store(desk).read(CLUSTER)


def answers(found: Findings) -> dict[str, Answer]:
    return {one.trigger: one.answer for one in found.findings}


def committed(desk: Path, message: str = "a change") -> None:
    git(desk, "add", "--all")
    git(desk, "commit", "--quiet", "--message", message)
    git(desk, "push", "--quiet", "origin", "main")


def more(desk: Path, name: str, rows: list[Any]) -> None:
    """Rows added to the cluster's data, tracked and pushed."""
    path = flywheel.bring_data(desk, CLUSTER)[0].parent / f"{name}.jsonl"
    path.write_bytes(path.read_bytes() + rows_bytes(rows))
    dvc_data.track(desk, [path])
    dvc_data.publish(desk, [path])
    committed(desk, f"more {name}")


def gold(count: int) -> list[Example]:
    return [
        Example(id=f"new-{n}", capability="login", input=user(f"a new question {n}"), answer="login")
        for n in range(count)
    ]


def test_nothing_fires_of_what_was_just_made(home):
    found = judged(home / "desk", CLUSTER, at=SOON, queue=True)
    assert set(answers(found).values()) == {Answer.QUIET}
    assert (found.queued, found.held, found.incumbent) == ("", "", "")
    assert found.last == History.from_entries(CLUSTER, ledger(home / "desk")).current


def test_age_queues_an_iteration_of_the_same_files_once_and_a_turn_takes_it_up(home):
    desk = home / "desk"
    before = ledger(desk)
    told = judged(desk, CLUSTER, at=LATER)
    assert [one.trigger for one in told.due] == ["age"]
    assert ledger(desk) == before  # nobody asked for it to be queued

    found = judged(desk, CLUSTER, at=LATER, queue=True)
    (entry,) = ledger(desk)[len(before) :]
    assert (entry.kind, entry.iteration, entry.measured) == (EntryKind.QUEUED, found.queued, {"at": LATER})
    assert [one.trigger for one in entry.triggers] == ["age"]
    first = before[0]
    assert entry.inputs == first.inputs
    assert entry.iteration != first.iteration
    assert b'"triggers"' in entry_bytes(entry)
    assert b'"triggers"' not in entry_bytes(first)
    assert History.from_entries(CLUSTER, ledger(desk)).state(found.queued) is RunState.QUEUED

    again = judged(desk, CLUSTER, at=LATER, queue=True)
    assert (again.queued, again.held) == ("", f"{found.queued} is in flight (queued), and goes first")
    status = read_status(desk, CLUSTER)
    assert (status.state, status.begun_by) == (RunState.QUEUED, begun_by(entry.triggers))

    standing = turned(desk)
    assert (standing.iteration, standing.phase) == (found.queued, "bundle")
    branch = f"runs/{CLUSTER}/{found.queued}"
    intake = Intake.model_validate_json(git(home / "origin.git", "show", f"{branch}:{HOME}/run/intake.json"))
    assert (intake.iteration, intake.triggers) == (found.queued, entry.triggers)
    lineage = Lineage.model_validate_json(git(home / "origin.git", "show", f"{branch}:{HOME}/run/bundle/lineage.json"))
    (cause,) = (node for node in lineage.nodes if node.kind == "trigger")
    (adapter,) = (node for node in lineage.nodes if node.kind == "adapter")
    assert (cause.id, cause.label) == ("trigger-age-2026-04-01", entry.triggers[0].because)
    assert cause.id in adapter.parents
    assert turned(desk).iteration == found.queued  # and it is not begun again
    repeated(clone(home, "auditor"), found.queued)
    assert not judged(desk, CLUSTER, at=LATER, queue=True).due  # the last one began today


def repeated(machine: Path, iteration: str) -> None:
    """`hallmark phase intake` on the run branch makes the same intake again."""
    git(machine, "switch", "--quiet", f"runs/{CLUSTER}/{iteration}")
    flywheel.bring_data(machine, CLUSTER)
    before = (machine / HOME / "run" / "intake.json").read_bytes()
    done = CliRunner().invoke(group, ["phase", "intake", CLUSTER, "-C", str(machine)], standalone_mode=False)
    assert done.exception is None, done.output
    assert (machine / HOME / "run" / "intake.json").read_bytes() == before


def test_main_that_moves_on_takes_the_trigger_along_and_no_trigger_overtakes_what_is_in_flight(home):
    desk = home / "desk"
    queued = judged(desk, CLUSTER, at=LATER, queue=True).queued
    changed = cluster(triggers=TRIGGERS, instruction="Name the queue.", triage={"required": "all"})
    (desk / HOME / "cluster.yaml").write_bytes(said(changed))
    params = (desk / "params.yaml").read_text()
    (desk / "params.yaml").write_text(params.replace("seed: 7", "seed: 8"))
    committed(desk)
    found = judged(desk, CLUSTER, at=LATER, queue=True)
    assert {one.trigger for one in found.due} == {"age", "base", "task"}
    assert (found.held, found.waits) == (f"{queued} is in flight (queued), and goes first", False)

    standing = turned(desk)
    history = History.from_entries(CLUSTER, ledger(desk))
    assert (standing.phase, history.state(queued)) == ("triage", RunState.SUPERSEDED)
    (entry,) = (one for one in history.of(standing.iteration) if one.kind is EntryKind.QUEUED)
    assert [one.trigger for one in entry.triggers] == ["age"]
    assert turned(desk).iteration == standing.iteration

    before = ledger(desk)
    found = judged(desk, CLUSTER, at=LATER, queue=True)
    assert [one.trigger for one in found.due] == ["age"]  # the base and the task are what it is pinned to
    assert (found.held, found.waits) == (f"{standing.iteration} is in flight (blocked), and goes first", True)
    assert ledger(desk) == before


@pytest.mark.parametrize(("name", "rows", "fires"), [("gold", 2, False), ("gold", 3, True)])
def test_new_gold_rows_are_counted_by_what_they_say(home, name, rows, fires):
    desk = home / "desk"
    old = [Example.model_validate_json(line) for line in (desk / HOME / "data/gold.jsonl").read_text().splitlines()]
    same = [old[0].model_copy(update={"id": "another-id"})]
    more(desk, name, [*gold(rows), *same])
    found = judged(desk, CLUSTER, at=SOON, queue=True)
    (one,) = (one for one in found.findings if one.trigger == "real-data gold")
    assert (one.answer is Answer.FIRED, one.evidence.counts["rows"]) == (fires, rows)
    assert bool(found.queued) is fires
    if fires:
        assert one.evidence.digests["was"] == ledger(desk)[0].inputs["data/gold"]
        assert one.evidence.digests["now"] == ledger(desk)[-1].inputs["data/gold"]


def test_data_whose_bytes_are_gone_leave_the_trigger_unknown_and_the_others_judged(home):
    desk = home / "desk"
    more(desk, "gold", gold(5))
    shutil.rmtree(home / "store")
    shutil.rmtree(desk / ".dvc" / "cache")
    found = judged(desk, CLUSTER, at=LATER, queue=True)
    assert answers(found)["real-data gold"] is Answer.UNKNOWN
    assert [one.trigger for one in found.due] == ["age"]
    assert found.queued


def test_a_branch_that_is_gone_leaves_what_compares_files_unknown(home):
    desk = home / "desk"
    branch = f"runs/{CLUSTER}/{ledger(desk)[0].iteration}"
    git(desk, "update-ref", "-d", f"refs/heads/{branch}")
    git(desk, "push", "--quiet", "origin", "--delete", branch)
    git(desk, "update-ref", "-d", f"refs/remotes/origin/{branch}")
    found = answers(judged(desk, CLUSTER, at=LATER))
    assert found["age"] is Answer.FIRED
    assert {found[name] for name in ("base", "task", "real-data gold")} == {Answer.UNKNOWN}


def test_a_falling_score_in_production(home):
    desk = home / "desk"

    def traces(day: str, right: int, wrong: int) -> list[Trace]:
        return [
            Trace(
                input=user(f"{day} {n}"),
                response="refund",
                feedback={"rating": "good" if n < right else "bad"},
                timestamp=f"{day}T10:00:00Z",
            )
            for n in range(right + wrong)
        ]

    more(desk, "signals", traces("2026-02-10", 180, 20) + traces("2026-03-25", 60, 60))
    found = judged(desk, CLUSTER, at=LATER, queue=True)
    (one,) = (one for one in found.findings if one.trigger == "score-drop")
    assert (one.answer, one.evidence.now) == (Answer.FIRED, "60 of 120 right")
    assert one.evidence.shares["fell at least"] > 0.05
    assert {"score-drop", "age", "real-data signals"} == {one.trigger for one in found.due}
    assert [one.trigger for one in ledger(desk)[-1].triggers] == ["age", "real-data signals", "score-drop"]


def test_two_machines_at_once_queue_one(home):
    machines = [home / "desk", clone(home, "other")]
    with CHILD.Pool(2) as pool:
        found = pool.map(_asked, machines)
    assert sorted(bool(one) for one in found) == [False, True]
    queued = [one for one in ledger(machines[0]) if one.kind is EntryKind.QUEUED]
    assert len(queued) == 2


def _asked(desk: Path) -> str:
    return judged(desk, CLUSTER, at=LATER, queue=True).queued


def test_the_command_says_it_in_lines_and_in_one_document(home):
    desk, published = home / "desk", Draft202012Validator(schema("trigger-findings"))

    def asked(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(group, ["triggers", *arguments, "-C", str(desk)], standalone_mode=False)
        assert done.exception is None, done.output
        return int(done.return_value), done.stdout

    code, text = asked(CLUSTER)
    assert code == 0
    assert text.startswith(f"{CLUSTER}: against {ledger(desk)[0].iteration}, at 20")
    code, text = asked(CLUSTER, "--queue", "--json")
    published.validate(json.loads(text))
    document = Findings.model_validate_json(text)
    assert (code, [one.trigger for one in document.due]) == (0, ["age"])
    assert document.queued == ledger(desk)[-1].iteration
    shutil.copytree(desk / HOME, desk / "clusters" / "draft")  # of the work tree, and not of HEAD
    code, text = asked("--all", "--json")
    documents = json.loads(text)
    assert (code, [one["cluster"] for one in documents]) == (0, [CLUSTER])
    published.validate(documents[0])
    assert documents[0]["findings"][0]["evidence"]["counts"]["asked"] == 90
