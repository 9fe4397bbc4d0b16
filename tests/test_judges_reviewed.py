"""Judges as reviewed files: what `check` finds, what the lock pins, what `hallmark calibrate` writes."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from runner import survey_files, workspace
from runner.cli.main import group
from runner.edges.readers import DirectoryReader
from runner.edges.simulated import simulated_ports
from runner.edges.simulated_judges import SimulatedJudges
from runner.edges.yaml_dump import dump
from runner.edges.yaml_files import line_of, parse
from runner.errors import ExitCode, RecordError, RecordErrors
from runner.phases.calibration import calibrate
from runner.records.judging import Calibration, JudgeLabels
from runner.records.rubric import Rubric
from runner.rules.judges.calibration import refused, why_shown
from runner.rules.judges.identity import judge_digest
from runner.rules.judges.intake import reasons
from runner.rules.repository.benchmark import mismatches, relocked
from runner.wiring import judges as wiring_judges
from runner.workspace import Workspace
from tests.judged_fixture import (
    CALIBRATION_AT,
    JUDGE_AT,
    LABELS_AT,
    POLITE,
    SERVED,
    judge,
    judged_workspace,
    labels,
    lock,
    require,
    said,
)
from tests.reviewed_fixture import edit, put

RUBRIC_AT, LOCK_AT = "rubrics/desk-exact.yaml", "clusters/desk/benchmark.lock"
CORE = "core-refunds-1"
SLUG = "desk-exact-polite"


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """Locked, and not calibrated."""
    found = judged_workspace(tmp_path / "ws")
    lock(found, judge_digest(judge()))
    return found


def load(top: Path) -> Workspace:
    return workspace.load(DirectoryReader(top), "desk", parse=parse)


def problems(top: Path, *paths: str) -> list[tuple[str, int | None, str]]:
    found = survey_files.survey(DirectoryReader(top), parse=parse, locate=line_of, paths=paths)
    return [(one.path, one.line, one.field) for one in found.problems]


def told(top: Path) -> str:
    found = survey_files.survey(DirectoryReader(top), parse=parse, locate=line_of)
    return "\n".join(map(str, found.problems))


def calibrated(top: Path, judges: SimulatedJudges | None = None, **counts: int) -> Calibration:
    """Write labels and calibration into the workspace, as `hallmark calibrate` does."""
    made = labels(CORE, **counts)
    space, ports = load(top), replace(simulated_ports(), judges=judges or SimulatedJudges())
    record = calibrate(space, space.judges["tone"], made, ports, before=space.calibrations.get("tone"))
    put(top, LABELS_AT, said(made))
    put(top, CALIBRATION_AT, said(record))
    return record


# what check finds


def test_a_judge_that_is_for_show_is_sound_and_one_that_is_required_is_not(top: Path) -> None:
    assert problems(top) == []
    require(top)
    assert [(path, field) for path, _, field in problems(top)] == [(RUBRIC_AT, "criteria[1].required")]
    assert "requires polite, which may not count: it was never calibrated on people's labels" in told(top)
    calibrated(top)
    assert problems(top) == []


@pytest.mark.parametrize("status", ["approved", "draft"])
def test_a_rubric_by_which_nothing_could_be_graded_is_refused(status: str) -> None:
    rubric = Rubric.model_validate({"id": "r", "title": "R", "status": status, "criteria": [POLITE]})
    found = list(refused([rubric], {"tone": judge()}, {}))
    assert found == [(rubric, "criteria", "every criterion is decided by a judge that may not count")]


def test_a_judge_that_is_not_there_is_told_at_its_line(top: Path) -> None:
    edit(top, RUBRIC_AT, "judge: tone", "judge: tune")
    found = problems(top)
    line = (top / RUBRIC_AT).read_text().splitlines().index("      judge: tune") + 1
    assert (RUBRIC_AT, line, "criteria[1].grader.judge") in found
    assert (LOCK_AT, line_of((top / LOCK_AT).read_bytes(), "judges.tone", path=LOCK_AT), "judges.tone") in found


def test_a_judge_that_changes_under_its_version_is_found(top: Path) -> None:
    edit(top, JUDGE_AT, "You judge the tone", "You praise the tone")
    assert [(path, field) for path, _, field in problems(top)] == [(LOCK_AT, "judges.tone")]
    assert [(path, field) for path, _, field in problems(top, JUDGE_AT)] == [(LOCK_AT, "judges.tone")]
    assert "the judge tone is not the one that was locked" in told(top)
    made = load(top)
    with pytest.raises(RecordError, match="the judge tone has changed since version 1") as caught:
        relocked(made.cluster, made.lock, made.scenarios, judges=made.benchmark_judges)
    assert caught.value.field == "judges.tone"
    (reason,) = mismatches(made.cluster, made.lock, made.scenarios, judges=made.benchmark_judges)
    assert reason.problem == "the judge tone is not the one that was locked"
    edit(top, "clusters/desk/cluster.yaml", "benchmark_version: 1", "benchmark_version: 2")
    made = load(top)
    fresh = relocked(made.cluster, made.lock, made.scenarios, judges=made.benchmark_judges)
    assert fresh.judges == {"tone": judge_digest(made.judges["tone"])}


def test_how_hard_a_judge_is_asked_may_change(top: Path) -> None:
    put(top, JUDGE_AT, said(judge(asking={"concurrency": 2})))
    assert problems(top) == []


def test_a_judge_that_an_approved_rubric_names_is_locked_and_a_draft_s_is_not(tmp_path: Path) -> None:
    top = judged_workspace(tmp_path / "ws")
    assert [(path, field) for path, _, field in problems(top)] == [(LOCK_AT, "judges")]
    edit(top, RUBRIC_AT, "status: approved", "status: draft")
    assert load(top).benchmark_judges == {}
    lock_without = load(top).lock
    assert lock_without is not None
    assert "judges" not in lock_without.model_dump(), "what has no judges has the bytes it had"


def test_a_judge_may_not_be_the_base_and_may_not_be_shown_what_may_not_leave(top: Path) -> None:
    base = f"base:\n  kind: hub\n  id: other/judge-7b-instruct\n  revision: {'b' * 40}"
    edit(top, "clusters/desk/cluster.yaml", "base:\n  kind: tiny", base)
    put(top, JUDGE_AT, said(judge(model={**SERVED, "sends": ["core", "dev"]})))
    found = told(top)
    assert (
        f"{JUDGE_AT}:3: model: its model is the candidate or the candidate's base (judge-7b-instruct), of desk" in found
    )
    assert "scenarios of heldout may not leave for http://127.0.0.1:8000/v1" in found
    said_at_intake = [reason.problem for reason in reasons(load(top).bench)]
    assert len(said_at_intake) == 2
    assert all(reason.startswith(JUDGE_AT) for reason in said_at_intake)


def test_labels_and_calibrations_are_held_against_each_other(top: Path) -> None:
    calibrated(top)
    edit(top, LABELS_AT, f"scenario: {CORE}", "scenario: heldout-refunds-1")
    found = told(top)
    assert f"{LABELS_AT}:4: labels[0].scenario: there is no scenario heldout-refunds-1 in core or dev" in found
    assert f"{CALIBRATION_AT}:5: labels: the labels have changed since the judge was calibrated" in found


def test_figures_that_do_not_follow_from_the_votes_are_found(top: Path) -> None:
    record = calibrated(top, SimulatedJudges(lambda question, answer: True))
    assert why_shown(judge(), record, SLUG, "Is it polite?").startswith("kappa with people is 0.00")
    (top / CALIBRATION_AT).unlink()
    better = calibrated(top)
    forged = record.model_copy(update={"criteria": better.criteria})
    put(top, CALIBRATION_AT, said(forged))
    assert [(path, field) for path, _, field in problems(top)] == [(CALIBRATION_AT, "criteria")]


def test_votes_without_their_swaps_are_told_at_their_line(top: Path) -> None:
    forged = calibrated(top).model_dump(mode="json")
    forged["votes"] = {key: votes[:1] for key, votes in forged["votes"].items()}
    put(top, CALIBRATION_AT, dump(forged))
    assert f"{CALIBRATION_AT}:8: votes.{min(forged['votes'])}: votes come in pairs" in told(top)


def test_a_file_in_another_s_place_is_found(top: Path) -> None:
    calibrated(top)
    put(top, "rubrics/judges/other.yaml", (top / JUDGE_AT).read_bytes())
    put(top, "rubrics/judges/other/desk.labels.yaml", (top / LABELS_AT).read_bytes())
    put(top, "rubrics/judges/tone/notes.txt", b"")
    found = {(path, field) for path, _, field in problems(top)}
    assert found == {
        ("rubrics/judges/other.yaml", "id"),
        ("rubrics/judges/other/desk.labels.yaml", "judge"),
        ("rubrics/judges/tone/notes.txt", ""),
    }


def test_labels_of_a_cluster_that_is_not_there_are_found(top: Path) -> None:
    stray = labels(CORE).model_copy(update={"cluster": "bench"})
    put(top, "rubrics/judges/tone/bench.labels.yaml", said(stray))
    assert [(path, field) for path, _, field in problems(top)] == [("rubrics/judges/tone/bench.labels.yaml", "")]


# what is pinned


def test_a_judge_and_its_calibration_are_pinned(top: Path) -> None:
    before = load(top).digests
    calibrated(top)
    after = load(top).digests
    assert {name for name in after if before.get(name) != after[name]} == {"judges"}
    edit(top, JUDGE_AT, "You judge", "You praise")
    assert load(top).digests["judges"] != after["judges"]


# calibration


def test_a_judge_that_agrees_counts_and_keeps_counting_until_it_changes(top: Path) -> None:
    judges = SimulatedJudges()
    record = calibrated(top, judges)
    found = record.criteria[SLUG]
    assert (found.answers, found.accuracy.value, found.flip_rate) == (40, 1.0, 0.0)
    assert judges.asked == 80
    assert why_shown(judge(), record, SLUG, "Is it polite?") == ""
    for changed, question, why in (
        (judge(prompt="Judge."), "Is it polite?", "the judge has changed"),
        (judge(), "Is it kind?", "its question has changed"),
    ):
        assert why_shown(changed, record, SLUG, question).startswith(why)
    worded = record.model_copy(update={"wording": "0" * 64})
    assert "worded otherwise" in why_shown(judge(), worded, SLUG, "Is it polite?")
    assert why_shown(judge(), record, "desk-exact-kind", "Is it kind?") == "no labels of this criterion"


def test_what_was_asked_is_not_asked_again(top: Path) -> None:
    calibrated(top)
    judges = SimulatedJudges()
    assert calibrated(top, judges, polite=21).criteria[SLUG].answers == 41
    assert judges.asked == 2 * 2, "one more polite answer, and the rude one of that number is another text"


def test_nothing_leaves_for_a_judge_that_may_not_see_it_or_not_judge(top: Path) -> None:
    put(top, JUDGE_AT, said(judge(model={**SERVED, "sends": ["dev"]})))
    judges = SimulatedJudges()
    with pytest.raises(RecordErrors, match=r"scenarios of core may not leave for http"):
        calibrated(top, judges)
    put(top, JUDGE_AT, said(judge()))
    base = f"base:\n  kind: hub\n  id: other/judge-7b-instruct\n  revision: {'b' * 40}"
    edit(top, "clusters/desk/cluster.yaml", "base:\n  kind: tiny", base)
    with pytest.raises(RecordErrors, match="its model is the candidate or the candidate's base"):
        calibrated(top, judges)
    assert judges.asked == 0


@pytest.mark.parametrize(
    ("judges", "counts", "why"),
    [
        (SimulatedJudges(), {"polite": 10, "rude": 10}, "20 labelled answers, of 30 asked for"),
        (SimulatedJudges(lambda question, answer: len(answer) % 2 == 0), {}, "kappa with people is "),
        (SimulatedJudges(lambda question, answer: True), {}, "kappa with people is 0.00"),
        (SimulatedJudges(), {"polite": 40, "rude": 0}, "kappa says nothing"),
        (SimulatedJudges(), {"polite": 36, "rude": 4}, "4 of the judged answers are of the rarer kind of label"),
        (SimulatedJudges(takes_first=lambda answer: answer[-1] in "37"), {}, "the order turns 20% of its votes"),
        (SimulatedJudges(mute=lambda answer: answer[-1] == "7"), {}, "it gives no verdict on 10%"),
    ],
)
def test_a_judge_below_its_floor_does_not_count(
    top: Path, judges: SimulatedJudges, counts: dict[str, int], why: str
) -> None:
    record = calibrated(top, judges, **counts)
    assert why_shown(judge(), record, SLUG, "Is it polite?").startswith(why)
    require(top)
    assert "requires polite, which may not count" in told(top)


# the command


@pytest.fixture
def repository(top: Path) -> Path:
    subprocess.run(["git", "-C", str(top), "init", "-q"], check=True)
    return top


def lines(top: Path, *more: dict[str, object]) -> Path:
    rows = [one.model_dump(mode="json") for one in labels(CORE).labels]
    path = top / "labels.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, *more]))
    return path


def test_the_command_s_work_takes_labels_in_and_writes_a_calibration(repository: Path) -> None:
    with pytest.raises(RecordError, match="nobody has labelled answers for a judge of desk"):
        wiring_judges.calibrate(repository, "desk", judges=SimulatedJudges())
    (made,) = wiring_judges.calibrate(repository, "desk", labels=lines(repository), judges=SimulatedJudges())
    assert (made.path, made.why_shown) == (CALIBRATION_AT, {SLUG: ""})
    assert problems(repository) == []
    assert load(repository).calibrations == {"tone": made.record}
    (again,) = wiring_judges.calibrate(repository, "desk", labels=lines(repository), judges=SimulatedJudges())
    assert again.record == made.record


def test_an_answer_may_have_every_kind_of_line(repository: Path) -> None:
    """As `json.dumps` writes them outside of ASCII."""
    answer = "please\u2028and\x85again"
    path = lines(repository)
    row = {"scenario": CORE, "criterion": "polite", "answer": answer, "met": True, "by": "ash"}
    path.write_text(path.read_text() + json.dumps(row, ensure_ascii=False) + "\r\n", encoding="utf-8", newline="")
    wiring_judges.calibrate(repository, "desk", labels=path, judges=SimulatedJudges())
    assert parse((repository / LABELS_AT).read_bytes(), JudgeLabels, path=LABELS_AT).labels[-1].answer == answer


def test_lines_that_are_no_labels_are_told_with_their_numbers(repository: Path) -> None:
    path = lines(repository, {"scenario": CORE, "criterion": "polite", "answer": "x", "met": "maybe", "by": "ash"})
    path.write_text(path.read_text() + "{\n")
    with pytest.raises(RecordErrors) as caught:
        wiring_judges.calibrate(repository, "desk", labels=path, judges=SimulatedJudges())
    assert [(error.line, error.field) for error in caught.value.errors] == [(41, "met"), (42, "")]
    path.write_bytes(b'{"scenario": "x", "answer": "\xff"}\n{"scenario": "x", "answer": "\\ud800"}\n')
    with pytest.raises(RecordErrors) as caught:
        wiring_judges.calibrate(repository, "desk", labels=path, judges=SimulatedJudges())
    assert [(error.line, "not JSON" in str(error)) for error in caught.value.errors] == [(1, True), (2, True)]
    with pytest.raises(RecordError, match="names a judge nobody"):
        wiring_judges.calibrate(repository, "desk", judge="nobody")


def test_the_command_says_what_counts(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for judges, code, says in (
        (SimulatedJudges(), ExitCode.DONE, "kappa 1.00 (1.00 to 1.00)"),
        (SimulatedJudges(lambda question, answer: True), ExitCode.REFUSED, "for show: kappa with people is 0.00"),
    ):
        (repository / CALIBRATION_AT).unlink(missing_ok=True)
        asked = wiring_judges.flywheel.ports

        def ports(*args: object, _asked=asked, _judges=judges, **more: object) -> object:
            return replace(_asked(*args, **more), judges=_judges)

        with monkeypatch.context() as patch:
            patch.setattr(wiring_judges.flywheel, "ports", ports)
            arguments = ["calibrate", "desk", str(lines(repository)), "-C", str(repository)]
            done = CliRunner().invoke(group, arguments, standalone_mode=False)
            assert (done.return_value, says in done.output) == (code, True), done.output
            quiet = CliRunner().invoke(group, [*arguments, "--json"], standalone_mode=False)
            (found,) = json.loads(quiet.stdout)["calibrations"]
            assert (found["path"], bool(found["shown"][SLUG])) == (CALIBRATION_AT, code == ExitCode.REFUSED)
