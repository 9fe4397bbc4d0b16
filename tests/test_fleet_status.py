"""The fleet on real git: what each cluster serves, where its run stands, and what waits for whom."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from runner.cli.status import status
from runner.edges import fleet_reading
from runner.errors import ExitCode, GitError, RecordError
from runner.ledger import PHASES, History
from runner.records.change import ChangeClass
from runner.records.fleet_status import FleetRow, Waiting
from runner.records.ledger import EntryKind, RunState
from runner.records.policy import Requirement
from runner.records.schemas import schema
from runner.rules.loop.fleet import chosen, course, state, told
from runner.rules.loop.fleet_table import cells, table, total
from runner.rules.loop.waits import Proposal, proposal_waits
from runner.wiring.fleet import Fleet, fleet
from tests.fleet_fixture import KINDS, at, chain, make, name_of


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("fleet"), len(KINDS))


@pytest.fixture(scope="module")
def rows(clone: Path) -> Mapping[str, FleetRow]:
    found = fleet(clone)
    assert found.behind is False
    return dict(zip(KINDS, found.rows, strict=True))


def ask(clone: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(status, [*arguments, "-C", str(clone)], catch_exceptions=False, standalone_mode=False)
    assert result.exception is None
    return result


def test_what_serves_and_where_each_run_stands(rows: Mapping[str, FleetRow]) -> None:
    found = {kind: (row.promoted_sequence, row.state, row.phase, row.iteration) for kind, row in rows.items()}
    assert found == {
        "promoted": (2, RunState.PROMOTED, "bundle", "i3"),
        "shadowed": (1, RunState.PROMOTED, "bundle", "i3"),
        "triage": (1, RunState.BLOCKED, "triage", "i3"),
        "blocked": (1, RunState.BLOCKED, "sweep", "i3"),
        "proposed": (1, RunState.ASSESSING, "bundle", "i3"),
        "unproposed": (1, RunState.ASSESSING, "bundle", "i3"),
        "active": (1, RunState.ACTIVE, "rubrics", "i3"),
        "requeued": (1, RunState.ACTIVE, "", "i3"),
        "rolled-back": (3, RunState.ROLLED_BACK, "bundle", "i2"),
        "idle": (0, None, "", ""),
    }
    assert rows["shadowed"].stages == {"production": 1, "shadow": 2}
    assert rows["requeued"].phase_number == 4
    assert rows["idle"].boundary == "plant-7"


def test_what_waits_for_whom_and_since_when(rows: Mapping[str, FleetRow]) -> None:
    waits = {kind: [(one.gate, one.who, one.people) for one in row.waiting] for kind, row in rows.items()}
    assert {kind: found for kind, found in waits.items() if found} == {
        "triage": [("triage", "domain owners", True)],
        "blocked": [("sweep", "domain owners", True)],
        "proposed": [("promotion", "2 approvers", True)],
        "unproposed": [("promotion", "CI", False)],
    }
    assert "signed so far by ash" in rows["proposed"].waiting[0].what
    assert rows["triage"].waiting[0].since == at(chain(KINDS.index("triage")).time)
    assert rows["triage"].reasons == ("triage: 12 candidates are undecided",)


def test_the_figures_are_of_the_run_or_else_of_what_serves(rows: Mapping[str, FleetRow]) -> None:
    assert rows["proposed"].figures_of == "iteration i3"
    assert rows["triage"].figures_of == "promotion 1"
    assert rows["idle"].figures is None
    shown = rows["promoted"].figures
    assert shown is not None
    assert (shown.composite_before, shown.composite_after, shown.composite_threshold) == (0.7825, 0.9225, 0.85)
    assert (shown.heldout_before, shown.heldout_after, shown.heldout_threshold) == (0.7825, 0.9225, 0.84)
    assert (shown.regressions, shown.regressions_of) == (4, 371)
    assert shown.p_value == 0.000102, "of incumbent and control the less sure; the base is not compared"


def test_the_states_are_those_that_the_whole_history_says(rows: Mapping[str, FleetRow]) -> None:
    for number, kind in enumerate(KINDS):
        history = chain(number).history
        if history.current:
            assert rows[kind].state is history.state(history.current), kind


def test_only_the_last_entries_are_read() -> None:
    entries = chain(KINDS.index("triage")).history.entries
    assert told(entries[-1:], whole=False)
    queued = chain(KINDS.index("requeued")).history.entries
    assert not told(queued[-3:], whole=False)
    assert told(queued, whole=True)
    assert not told((), whole=False)
    received = chain(KINDS.index("promoted")).history.entries
    assert received[-1].kind is EntryKind.RECEIPT
    assert not told(received[-1:], whole=False)
    assert course(received[-2:], PHASES).received


def test_every_prefix_of_a_history_says_the_same_by_its_tail() -> None:
    """Whatever the last entries are, as many as are asked for say what all of them say."""
    for number, kind in enumerate(KINDS):
        if kind == "rolled-back":  # the records on main say so, not the ledger's tail
            continue
        entries = chain(number).history.entries
        for end in range(1, len(entries) + 1):
            whole = History.from_entries(name_of(number), entries[:end])
            size = next(n for n in range(1, end + 1) if told(entries[end - n : end], whole=n == end))
            found = course(entries[end - size : end], PHASES)
            assert found.iteration == whole.current
            assert found.passed == whole.runs[found.iteration].passed
            assert state(found, {}, PHASES) is whole.state(found.iteration)


def test_a_clone_asks_the_remote_and_offline_it_does_not(clone: Path, tmp_path: Path) -> None:
    for name in ("origin.git", "desk"):
        shutil.copytree(clone.parent / name, tmp_path / name)
    desk, origin = tmp_path / "desk", tmp_path / "origin.git"
    git(desk, "remote", "set-url", "origin", str(origin))
    git(origin, "update-ref", "-d", f"refs/heads/promote/{name_of(4)}/2")
    git(origin, "update-ref", "refs/heads/ledger", "refs/heads/ledger~1")
    git(origin, "update-ref", "refs/heads/main", "refs/heads/ledger")
    now, before = fleet(desk), fleet(desk, offline=True)
    assert [one.gate for one in now.rows[4].waiting] == ["promotion"]
    assert now.rows[4].waiting[0].who == "CI"
    assert before.rows[4].waiting[0].who == "2 approvers"
    assert (now.behind, before.behind) == (True, False)
    git(origin, "update-ref", "refs/heads/main", git(desk, "rev-parse", "main"))
    with pytest.raises(RecordError, match="is no workspace"):
        fleet(tmp_path)


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_a_rejected_proposal_waits_for_nobody_and_a_merge_without_receipt_for_ci(clone: Path, tmp_path: Path) -> None:
    for name in ("origin.git", "desk"):
        shutil.copytree(clone.parent / name, tmp_path / name)
    desk = tmp_path / "desk"
    git(desk, "remote", "remove", "origin")
    git(desk, "fetch", "-q", str(tmp_path / "origin.git"), "refs/heads/*:refs/heads/*", "--update-head-ok")
    git(desk, "update-ref", "-d", f"refs/tags/promotions/{name_of(0)}/2")
    git(desk, "checkout", "-q", f"promote/{name_of(4)}/2")
    path = desk / f"clusters/{name_of(4)}/promotions/2/approvals/hazel.dsse.json"
    from tests.fleet_fixture import envelope

    path.write_bytes(envelope("reject"))
    git(desk, "add", ".")
    git(desk, "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-q", "-m", "no")
    git(desk, "checkout", "-q", "main")
    found = fleet(desk).rows
    assert found[4].waiting == ()
    assert [(one.gate, one.what) for one in found[0].waiting] == [("receipt", "hallmark reconcile (promotion 2)")]


def test_a_cluster_that_cannot_be_read_hides_no_other(clone: Path, tmp_path: Path) -> None:
    shutil.copytree(clone, tmp_path / "desk")
    (tmp_path / "desk/clusters/desk-003/cluster.yaml").write_text("id: [\n")
    found = ask(tmp_path / "desk", "--offline")
    assert found.return_value is ExitCode.REFUSED
    assert "cannot be read" in found.output
    assert "10 clusters: 2 waiting for people, 1 cannot be read" in found.output
    document = json.loads(ask(tmp_path / "desk", "--offline", "--json").output)
    assert [bool(one["problem"]) for one in document] == [name == "desk-003" for name in map(name_of, range(10))]


def test_a_folder_that_is_no_promotion_is_none(clone: Path, tmp_path: Path) -> None:
    shutil.copytree(clone, tmp_path / "desk")
    for name in ("01", "\uff13", "draft"):
        (tmp_path / "desk/clusters/desk-002/promotions" / name).mkdir()
    assert fleet(tmp_path / "desk", offline=True).rows[2] == fleet(clone, offline=True).rows[2]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (None, "is not a ledger entry"),
        ({"sequence": 99}, "does not hold the entry that belongs there"),
        ({"phase": "polish"}, "names a phase 'polish', and there is none"),
    ],
)
def test_a_ledger_entry_that_is_none_is_told_of_its_cluster_alone(
    clone: Path, tmp_path: Path, changes: dict[str, object] | None, problem: str
) -> None:
    shutil.copytree(clone, tmp_path / "desk")
    desk = tmp_path / "desk"
    git(desk, "checkout", "-q", "-B", "ledger", "origin/ledger")
    last = sorted((desk / "desk-004").iterdir())[-1]
    last.write_text("{}" if changes is None else json.dumps(json.loads(last.read_text()) | changes))
    git(desk, "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-q", "-am", "forged")
    git(desk, "update-ref", "refs/remotes/origin/ledger", "ledger")
    git(desk, "checkout", "-q", "main")
    problems = {row.cluster: row.problem for row in fleet(desk, offline=True).rows if row.problem}
    assert list(problems) == ["desk-004"]
    assert problem in problems["desk-004"]


def test_a_remote_that_does_not_answer_is_told_with_the_way_around_it(clone: Path, tmp_path: Path) -> None:
    shutil.copytree(clone, tmp_path / "desk")
    git(tmp_path / "desk", "remote", "set-url", "origin", str(tmp_path / "gone.git"))
    with pytest.raises(GitError, match="`hallmark status --offline` shows the fleet as it was fetched last"):
        fleet(tmp_path / "desk")
    assert fleet(tmp_path / "desk", offline=True).rows


def test_an_envelope_that_anybody_pushed_cannot_stop_the_table_nor_speak_to_the_terminal() -> None:
    deep = json.dumps({"payload": base64.b64encode(b"[" * 100_000).decode()}).encode()
    assert fleet_reading._decision(deep) == ""
    assert fleet_reading._decision(b"[" * 100_000) == ""
    asked = Proposal("promote", 2, "", ("ash\x1b[2J\ndesk-000  all is well",), ())
    (wait,) = proposal_waits("desk", [asked], {})
    row = FleetRow(cluster="desk", phases=13, waiting=(wait,), problem="")
    for said in (row, row.model_copy(update={"problem": "x\x1b[2J\ny"})):
        for width in (40, 500):
            lines = list(table([said], width=width))
            assert all(line.isprintable() for line in lines)
            assert not any(line.startswith("desk-000") for line in lines)


def test_the_command_filters_and_sorts(clone: Path) -> None:
    assert ask(clone).return_value is ExitCode.DONE
    published, everything = Draft202012Validator(schema("fleet-row")), json.loads(ask(clone, "--json").output)
    assert len(everything) == len(KINDS)
    for row in everything:
        published.validate(row)
    waiting = json.loads(ask(clone, "--waiting", "--json").output)
    assert [one["cluster"] for one in waiting] == [name_of(2), name_of(3), name_of(4)]
    blocked = json.loads(ask(clone, "--state", "blocked", "--json").output)
    assert [one["cluster"] for one in blocked] == [name_of(2), name_of(3)]
    assert json.loads(ask(clone, "--below", "--json").output) == []


def test_those_that_have_waited_longest_come_first() -> None:
    waits = {"a": "2026-02-01", "b": "2026-01-01", "c": ""}
    rows = [
        FleetRow(cluster=name, phases=13, waiting=(Waiting(who="x", what="y", since=since),))
        for name, since in waits.items()
    ]
    assert [row.cluster for row in chosen(rows, waiting=True, states=(), below=False)] == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("asked", "who"),
    [
        ([("approver", 1)], "1 approver"),
        ([("approver", 2), ("on-call", 2)], "2 approvers and 2 on-call"),
        ([("benchmark-owner", 3), ("approver", 0)], "3 benchmark-owners"),
        ([], "approvers"),
    ],
)
def test_who_is_asked_is_said_by_number_and_role(asked: list[tuple[str, int]], who: str) -> None:
    proposal = Proposal(kind="promote", sequence=1, since="", signed=(), rejected=())
    needed = {ChangeClass.PROMOTION: [Requirement(role=role, people=people) for role, people in asked]}
    assert [one.who for one in proposal_waits("desk", [proposal], needed)] == [who]


@pytest.mark.parametrize("width", [50, 60, 80, 300])
def test_it_reads_well_on_a_narrow_terminal(rows: Mapping[str, FleetRow], width: int) -> None:
    found = list(table(list(rows.values()), width=width))
    assert all(len(line) <= width for line in found)
    assert "waits for 2 approvers" in " ".join("\n".join(found).split()) or width == 300
    assert (len(found) == len(rows) + 1) is (width == 300)
    assert [line for line in found if line != line.rstrip()] == []


def test_a_figure_under_its_threshold_is_marked_without_colour(rows: Mapping[str, FleetRow]) -> None:
    row = rows["promoted"]
    assert row.figures is not None
    low = row.model_copy(update={"figures": row.figures.model_copy(update={"composite_after": 0.8})})
    assert cells(low)[4] == "0.800 / 0.850 !"
    assert low.below
    assert total([low, rows["triage"]]) == (
        "2 clusters: 1 waiting for people, 1 under a threshold; 1 blocked, 1 promoted"
    )


@pytest.mark.parametrize(
    ("field", "value", "below"),
    [
        ("composite_after", 0.85, False),
        ("composite_after", 0.8499, True),
        ("heldout_after", 0.84, False),
        ("heldout_after", 0.8399, True),
    ],
)
def test_below_is_under_either_threshold(rows: Mapping[str, FleetRow], field: str, value: float, below: bool) -> None:
    row = rows["promoted"]
    assert row.figures is not None
    assert row.model_copy(update={"figures": row.figures.model_copy(update={field: value})}).below is below


def test_an_empty_workspace_says_so(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert fleet(tmp_path) == Fleet((), behind=False)
    assert "no clusters yet" in ask(tmp_path).output
