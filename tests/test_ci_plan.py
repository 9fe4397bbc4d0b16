"""`hallmark ci plan`: which clusters' inputs a push to main changed, why, and what a matrix reads of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from runner.cli.main import group
from runner.ledger import History, extend
from runner.records.ci_plan import MOST_JOBS, CiPlan, PlannedCluster
from runner.records.ledger import Entry, EntryKind
from runner.records.scenario import SetName
from runner.records.verdict import Outcome, Verdict
from runner.rules.loop.ci_plan import concerned, decided, program
from runner.wiring import ci, flywheel
from tests import review_fixture
from tests.desk_repository import git
from tests.review_fixture import change, commit, put_scenario
from tests.reviewed_fixture import edit, put

GPU = ("self-hosted", "linux", "gpu")
NOUGHTS = "0" * 40


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """Two clusters that share a rubric, and the policy."""
    top = review_fixture.make(tmp_path / "fleet")
    for path in git(top, "ls-files", "clusters/desk", "scenarios/desk").splitlines():
        text = (top / path).read_text().replace("id: desk\n", "id: till\n")
        put(top, path.replace("/desk/", "/till/"), text.encode())
    change(top, "params.yaml", clusters={"desk": {"seed": 3}, "till": {"seed": 3}})
    commit(top, "A second cluster")
    return top


def planned(top: Path, *, base: str = "HEAD^") -> dict[str, tuple[str, ...]]:
    return {one.cluster: one.reasons for one in ci.plan(top, base).clusters}


def triage(top: Path) -> None:
    put(top, "clusters/till/triage/till-1.yaml", b"cluster: till\niteration: till-1\ndecisions: []\n")


CHANGES: dict[str, tuple[Callable[[Path], object], dict[str, tuple[str, ...]]]] = {
    "a scenario": (
        lambda top: put_scenario(top, SetName.CORE, "core-refunds-9", text="Is my money on its way?"),
        {"desk": ("scenarios core changed",)},
    ),
    "a threshold": (
        lambda top: change(top, "clusters/till/cluster.yaml", human_floor=0.5),
        {"till": ("cluster.yaml changed",)},
    ),
    "the task": (
        lambda top: change(top, review_fixture.LOCK, version=2),
        {"desk": ("benchmark.lock changed",)},
    ),
    "a rubric that both use": (
        lambda top: change(top, review_fixture.RUBRIC, title="Only the right label"),
        {"desk": ("rubric desk-exact changed",), "till": ("rubric desk-exact changed",)},
    ),
    "a rubric that nobody uses": (
        lambda top: put(
            top, "rubrics/other.yaml", (top / review_fixture.RUBRIC).read_bytes().replace(b"desk-exact", b"other")
            + b"capabilities: [elsewhere]\n",
        ),
        {},
    ),
    "the knobs of one": (
        lambda top: edit(top, "params.yaml", "seed: 3", "seed: 4"),
        {"desk": ("its part of params.yaml changed",)},
    ),
    "the policy": (
        lambda top: review_fixture.write_policy(top, approvers=1),
        {"desk": ("the policy changed",), "till": ("the policy changed",)},
    ),
    "an approval of a policy": (lambda top: put(top, f"policy/approvals/{NOUGHTS}/ash.dsse.json", b"{}"), {}),
    "people's decisions": (triage, {"till": ("people decided on the candidates of till-1",)}),
    "a promotion": (lambda top: put(top, "clusters/desk/promotions/1/evidence/report.html", b"<p>"), {}),
    "the hand-off": (lambda top: put(top, "clusters/desk/handoff.md", b"It is sold.\n"), {}),
    "the layout of a file": (
        lambda top: edit(top, review_fixture.RUBRIC, "title:", "# what counts\ntitle:"),
        {},
    ),
    "the program's pins": (
        lambda top: put(top, "constraints.txt", b"hallmark-flywheel==0.2\n"),
        dict.fromkeys(("desk", "till"), ("the program changed: constraints.txt",)),
    ),
    "a document": (lambda top: put(top, "docs/page.md", b"Words.\n"), {}),
    "a cluster that goes": (lambda top: git(top, "rm", "-rq", "clusters/till", "scenarios/till"), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_push_starts(fleet: Path, name: str) -> None:
    make, wanted = CHANGES[name]
    make(fleet)
    commit(fleet, name)
    assert planned(fleet) == wanted


def test_a_new_cluster_starts(fleet: Path) -> None:
    assert planned(fleet) == {"till": ("it is new",)}


def test_what_cannot_be_read_is_planned_so_that_its_own_job_says_why(fleet: Path) -> None:
    edit(fleet, "clusters/till/cluster.yaml", "human_floor", "human_flour")
    commit(fleet, "A slip")
    (reason,) = planned(fleet)["till"]
    assert reason.startswith("its files cannot be read: clusters/till/cluster.yaml")
    edit(fleet, "clusters/till/cluster.yaml", "human_flour", "human_floor")
    commit(fleet, "Mended")
    assert planned(fleet) == {"till": ("its files could not be read before",)}


@pytest.mark.parametrize("base", [NOUGHTS, "", "f" * 40])
def test_where_the_base_is_not_known_every_cluster_starts(fleet: Path, base: str) -> None:
    found = planned(fleet, base=base)
    assert list(found) == ["desk", "till"]
    assert all("nothing is known of what main was before" in reasons[0] for reasons in found.values())


def test_every_cluster_can_be_asked_for(fleet: Path) -> None:
    def asked(*words: str) -> Result:
        return CliRunner().invoke(group, ["ci", "plan", *words, "-C", str(fleet), "--json"])

    told = json.loads(asked("--all").output)
    assert [(one["cluster"], one["reasons"]) for one in told["clusters"]] == [
        (name, ["every cluster is asked for"]) for name in ("desk", "till")
    ]
    for wrong in ((), ("HEAD^", "--all")):
        assert "name the commit that main was at, or give --all" in asked(*wrong).stderr


def test_what_the_ledger_has_unfinished_starts_though_nothing_changed(fleet: Path) -> None:
    store = flywheel.ledger_store(fleet)

    def say(kind: EntryKind, **more: object) -> None:
        def draft(history: History) -> Entry:
            values = {"cluster": "desk", "sequence": history.size + 1, "previous": history.head, "kind": kind}
            return Entry.model_validate({**values, "iteration": "desk-1", **more})

        extend(store, "desk", draft)

    assert planned(fleet, base="HEAD") == {}
    say(EntryKind.QUEUED, inputs=flywheel.workspace(fleet, "desk").digests)
    assert planned(fleet, base="HEAD") == {"desk": ("desk-1 is queued",)}
    say(EntryKind.PHASE, phase="intake", verdict=Verdict())
    assert planned(fleet, base="HEAD") == {"desk": ("desk-1 was left before ingest",)}
    say(EntryKind.PHASE, phase="ingest", verdict=Verdict(outcome=Outcome.WAIT))
    assert planned(fleet, base="HEAD") == {}, "people are asked, and a job would only wait"
    put(fleet, "clusters/desk/triage/desk-1.yaml", b"cluster: desk\niteration: desk-1\ndecisions: []\n")
    commit(fleet, "People decide")
    reason = {"desk": ("people decided on the candidates of desk-1",)}
    assert planned(fleet) == reason
    assert planned(fleet, base="HEAD") == reason, "also where the job of their merge died before it began"


def test_what_main_gained_and_no_iteration_began_with_starts_later(fleet: Path) -> None:
    """The job of an earlier push died before it entered anything into the ledger."""
    pins = {**flywheel.workspace(fleet, "desk").digests, "promoted": "a" * 64}

    def draft(history: History) -> Entry:
        return Entry(cluster="desk", sequence=1, previous=None, kind=EntryKind.QUEUED, iteration="desk-1", inputs=pins)

    extend(flywheel.ledger_store(fleet), "desk", draft)
    assert planned(fleet, base="HEAD") == {"desk": ("desk-1 is queued",)}, "what was promoted since starts nothing"
    put_scenario(fleet, SetName.CORE, "core-refunds-9", text="Is my money on its way?")
    change(fleet, review_fixture.RUBRIC, title="Only the right label")
    commit(fleet, "Its job dies")
    put(fleet, "docs/page.md", b"Words.\n")
    commit(fleet, "A page")
    said = "no iteration has begun with these yet, after desk-1: rubrics, scenarios core"
    assert planned(fleet) == {"desk": (said,)}


def test_the_runner_is_the_one_that_the_cluster_declares(fleet: Path) -> None:
    change(fleet, "clusters/desk/cluster.yaml", hardware={"gpu": "forbidden"})
    change(fleet, "clusters/till/cluster.yaml", fleet={"runner": ["self-hosted", "line-3"]})
    commit(fleet, "Where they run")
    found = {one.cluster: one.runner for one in ci.plan(fleet, "HEAD^").clusters}
    assert found == {"desk": ("self-hosted", "linux"), "till": ("self-hosted", "line-3")}
    assert ci.plan(fleet, NOUGHTS, "HEAD^").clusters[0].runner == GPU


def test_the_outputs_are_what_a_matrix_reads(fleet: Path, tmp_path: Path) -> None:
    change(fleet, "clusters/till/cluster.yaml", human_floor=0.5)
    commit(fleet, "A floor")
    outputs = tmp_path / "outputs"
    outputs.write_text("earlier=yes\n")
    call = ["ci", "plan", "HEAD^", "-C", str(fleet), "--output", str(outputs)]
    done = CliRunner().invoke(group, [*call, "--json"])
    assert done.exit_code == 0
    told = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
    assert told["earlier"] == "yes"
    assert told["any"] == "true"
    assert json.loads(told["matrix"]) == {"include": [{"cluster": "till", "runner": list(GPU)}]}
    assert json.loads(done.output)["clusters"][0]["reasons"] == ["cluster.yaml changed"]
    words = CliRunner().invoke(group, call).output
    assert words == "till  on self-hosted, linux, gpu\n  cluster.yaml changed\n1 to iterate, 1 untouched\n"


def test_a_plan_of_nothing_starts_no_job(fleet: Path, tmp_path: Path) -> None:
    """A matrix of nothing is an error on GitHub: the job is skipped by `any`."""
    outputs = tmp_path / "outputs"
    assert CliRunner().invoke(group, ["ci", "plan", "HEAD", "-C", str(fleet), "--output", str(outputs)]).exit_code == 0
    assert outputs.read_text() == 'any=false\nmatrix={"include": []}\n'


def test_a_matrix_holds_what_the_forge_takes_and_the_rest_is_named() -> None:
    clusters = tuple(PlannedCluster(cluster=f"c{n:03}", runner=GPU, reasons=("new",)) for n in range(MOST_JOBS + 2))
    plan = CiPlan(base="", head="h", clusters=clusters)
    assert len(plan.matrix["include"]) == MOST_JOBS
    assert plan.left_out == ("c256", "c257")


def test_of_more_clusters_than_jobs_each_has_its_turn() -> None:
    clusters = tuple(PlannedCluster(cluster=f"c{n:04}", runner=GPU, reasons=("new",)) for n in range(1000))
    plans = [CiPlan(base="", head="h", clusters=clusters, turn=turn) for turn in range(17, 21)]
    taken = [[one["cluster"] for one in plan.matrix["include"]] for plan in plans]
    assert {len(names) for names in taken} == {MOST_JOBS}
    assert {name for names in taken for name in names} == {one.cluster for one in clusters}
    assert all(later[0] == plan.left_out[0] for plan, later in zip(plans, taken[1:], strict=False))
    few = CiPlan(base="", head="h", clusters=clusters[:3], turn=5)
    assert [one["cluster"] for one in few.matrix["include"]] == ["c0000", "c0001", "c0002"]


def test_a_run_that_has_no_room_for_all_says_so_where_people_look(
    fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.records.ci_plan.MOST_JOBS", 1)
    monkeypatch.setenv("GITHUB_RUN_NUMBER", "7")
    output = tmp_path / "output"
    call = ["ci", "plan", "--all", "-C", str(fleet), "--output", str(output)]
    said = CliRunner().invoke(group, call).output
    assert "these are left out: desk" in said
    assert said.endswith("::warning::1 cluster left out of this run; its log names them\n")
    assert json.loads(output.read_text().partition("matrix=")[2])["include"][0]["cluster"] == "till"


def test_a_broken_file_of_held_out_is_named_and_not_quoted(fleet: Path) -> None:
    """A log of CI is read by more people than held-out is."""
    path = put_scenario(fleet, SetName.HELDOUT, "heldout-refunds-9", text="When?", severity=review_fixture.SECRET)
    commit(fleet, "Broken")
    (reason,) = planned(fleet)["desk"]
    assert path in reason
    assert "lighthouse" not in reason


def test_a_cluster_by_a_name_that_is_none_stops_no_other(fleet: Path) -> None:
    name = "a" * 65
    put(fleet, f"clusters/{name}/cluster.yaml", (fleet / "clusters/desk/cluster.yaml").read_bytes())
    put_scenario(fleet, SetName.CORE, "core-refunds-9", text="Is my money on its way?")
    commit(fleet, "A name that is too long")
    assert planned(fleet) == {"desk": ("scenarios core changed",)}


def test_paths_say_whom_a_change_may_concern() -> None:
    names = ("desk", "till")
    assert concerned(["scenarios/desk/core/a.yaml", "clusters/gone/cluster.yaml"], names) == {"desk"}
    assert concerned(["clusters/till/run/x.json", "clusters/till/evaluations/e.json"], names) == set()
    assert concerned(["clusters/till/promotions/1/record.yaml", "clusters/till/handoff.md"], names) == set()
    assert concerned(["clusters/till/handoff.md.dvc"], names) == {"till"}
    assert concerned(["rubrics/judges/j.yaml"], names) == set(names)
    paths = ["clusters/desk/triage/desk-2.yaml", "clusters/desk/triage/desk-1/ash.dsse.json"]
    assert decided(paths, "desk") == ("desk-1", "desk-2")
    assert decided(paths, "till") == ()
    assert program(["runner/a/b.py", "dvc.yaml", "docs/a.md", "runner/c.py"]) == ("dvc.yaml", "runner")
