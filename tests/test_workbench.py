"""The benchmark workbench: what it counts, what it computes, and that held-out's texts go nowhere."""

from __future__ import annotations

import json
import math
import random
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from runner.cli.benchmark_tables import show
from runner.cli.main import group
from runner.edges.logs.store import Evaluations
from runner.edges.minhash import MinHashSuspects
from runner.edges.workbench.page import page
from runner.records.rubric import Rubric
from runner.records.schemas import schema
from runner.records.score import Grade
from runner.records.terms import SetName
from runner.records.triage import Review, TriageFile
from runner.records.workbench import DataLeak, Subject, Trait, WorkbenchReport
from runner.rules.evaluation.power import detectable
from runner.rules.evaluation.scoring import AS_WRITTEN
from runner.rules.workbench.balance import balance, permutation_p
from runner.rules.workbench.coverage import coverage, gaps
from runner.rules.workbench.duplicates import SIZE, THRESHOLD, Row, duplicates
from runner.rules.workbench.item import Item
from runner.rules.workbench.items import MIN_SUBJECTS, Sitting, discrimination, items
from runner.rules.workbench.readings import power, triage
from runner.rules.workbench.rubrics import ENOUGH, Graded, rubric_health, uncovered
from runner.rules.workbench.words import backwards, gap, hardest
from runner.wiring import workbench
from runner.wiring.logs import log_of
from tests.desk_repository import git
from tests.reviewed_fixture import edit, write

CORE, DEV, HELDOUT, REPRESENTATIVE = SetName.CORE, SetName.DEV, SetName.HELDOUT, SetName.REPRESENTATIVE
SECRET = "quarantined zeppelin"
HOSTILE = '<script src="https://example.org/x.js"></script>[red]&{{ 7 * 7 }}'


def made(set_: SetName, name: str, capability: str = "refunds", **changes: str) -> Item:
    values = {
        "lens": "customer",
        "outcome_type": "tp",
        "severity": "low",
        "rubric": "exact",
        "text": f"the text of {name}",
        "reference": capability,
        "sha256": "0" * 64,
    }
    return Item(set=set_, id=name, capability=capability, **{**values, **changes})


def suspects(texts):
    return MinHashSuspects().suspects(texts, threshold=THRESHOLD, size=SIZE)


def test_every_cell_is_counted_and_what_is_empty_or_thin_is_asked_for():
    rows = [made(CORE, f"c{n}") for n in range(12)] + [made(HELDOUT, f"h{n}", severity="high") for n in range(4)]
    rows += [made(CORE, "g", "late", outcome_type="fp-guard")]
    sets = (CORE, HELDOUT)
    tables = {
        one.trait: {row.value: row.counts for row in one.rows} for one in coverage(rows, ["refunds", "late"], sets)
    }
    assert tables[Trait.CAPABILITY] == {"refunds": (12, 4), "late": (1, 0)}
    assert tables[Trait.OUTCOME_TYPE] == {"tp": (12, 4), "tn": (0, 0), "fp-guard": (1, 0), "fn-guard": (0, 0)}
    assert tables[Trait.SEVERITY] == {"low": (13, 0), "medium": (0, 0), "high": (0, 4)}
    said = [gap(one) for one in gaps(rows, ["refunds", "late"], sets)]
    assert said == [
        "10 scenarios (real ones) in heldout for late: it has none",
        "a scenario in core for late with something to flag (tp, fn-guard): it has none",
        "a scenario in core for refunds with something to leave alone (tn, fp-guard): it has none",
        "6 scenarios (real ones) in heldout for refunds: it has 4",
        "9 scenarios in core for late: it has 1",
    ]


def test_the_permutation_p_is_the_exact_one_of_a_two_by_two_table():
    """Over all tables with these margins, by the same statistic: 3 of 8 against 9 of 10."""
    ours, theirs = np.array([3, 5]), np.array([9, 1])
    both, size = ours + theirs, int(ours.sum())

    def apart(first: int) -> float:
        expected = both * size / both.sum()
        return float((((np.array([first, size - first]) - expected) ** 2) / both).sum())

    chances = {
        n: math.comb(int(both[0]), n) * math.comb(int(both[1]), size - n) / math.comb(int(both.sum()), size)
        for n in range(max(0, size - int(both[1])), min(size, int(both[0])) + 1)
    }
    exact = sum(chance for n, chance in chances.items() if apart(n) >= apart(3) - 1e-9)
    found = permutation_p(ours, theirs, draws=40_000, seed=1)
    assert found == pytest.approx(exact, abs=4 * math.sqrt(exact / 40_000))
    assert permutation_p(ours, ours * 4, draws=200, seed=1) == 1.0


def test_a_held_out_set_of_another_kind_is_told_of_and_a_random_part_is_not():
    generator = random.Random(3)
    rows = [made(CORE, f"c{n}", severity=generator.choice(["low", "medium"])) for n in range(300)]
    rows += [made(HELDOUT, f"h{n}", severity=generator.choice(["low", "medium"])) for n in range(100)]
    assert not any(one.differs for one in balance(rows, seed=1))
    rows = [one._replace(severity="high") if one.set is HELDOUT and one.id < "h4" else one for one in rows]
    [found] = [one for one in balance(rows, seed=1) if one.differs]
    assert (found.trait, found.against) == (Trait.SEVERITY, CORE)
    assert found.shifts[0].value == "high"
    assert found.distance == pytest.approx(found.shifts[0].heldout, abs=0.05)
    assert balance([one for one in rows if one.set is CORE], seed=1) == ()


def test_pairs_and_leaks_are_named_by_id(monkeypatch):
    words = "my parcel was left with a neighbour who has gone away for two weeks and I need it today please"
    say = words.split(" ")
    rows = [made(CORE, f"c{n}", text=" ".join(random.Random(n).sample(say, 12))) for n in range(30)]
    rows += [made(CORE, "first", "late", text=" ".join(say)), made(DEV, "again", text=" ".join([*say[:-1], "thanks"]))]
    rows += [made(HELDOUT, "held", text=f"{SECRET} and how the invoice of last month can be paid twice by mistake")]
    copied = f"{SECRET} and how the invoice of last month can be paid twice by mistake!"
    data = {"gold": lambda: iter([Row("g1", (copied,)), Row("g2", ("something else",))])}
    found = duplicates(rows, data, suspects=suspects)
    assert ("core/first", "dev/again", False) in [(one.one, one.other, one.same_answer) for one in found.pairs]
    assert (found.across, found.two_answers) == (1, 1)
    [leak] = found.leaks
    assert (leak.source, leak.row, leak.scenario, leak.how, leak.similarity) == (
        "gold",
        "g1",
        "heldout/held",
        "exact",
        1,
    )
    assert found.looked_at == {"core": 31, "dev": 1, "gold": 2}
    assert "zeppelin" not in found.model_dump_json()
    rows += [made(HELDOUT, f"h{n}", text=f"number {n} says {'so ' * n}") for n in range(20)]
    whole = duplicates(rows, data, suspects=suspects)
    monkeypatch.setattr("runner.rules.workbench.duplicates.AT_ONCE", 100)
    assert duplicates(rows, data, suspects=suspects) == whole, "a few at a time are the same"


def sat(model: str, verdicts: dict[str, bool], run: str = "run") -> Sitting:
    return Sitting(run=run, name=model, model=model, passed={f"core/{name}": good for name, good in verdicts.items()})


def test_items_that_tell_models_apart_and_those_that_do_not():
    """Of twelve models of growing strength, the n-th passes the first n of ten items, and no model the last. One item
    is passed by the weaker half alone, as one with a wrong reference is."""
    rows = [made(CORE, f"i{n}") for n in range(10)] + [made(CORE, "never"), made(CORE, "always"), made(CORE, "wrong")]
    sittings = [
        sat(f"m{n}", {**{f"i{k}": k < n for k in range(10)}, "never": False, "always": True, "wrong": n < 6})
        for n in range(12)
    ]
    found = items(rows, sittings)
    by_name = {one.scenario: one for one in found.figures}
    assert found.all_pass == ("core/always",)
    assert found.all_fail == ("core/never",)
    assert by_name["i0"].difficulty < by_name["i5"].difficulty < by_name["i9"].difficulty
    assert by_name["i5"].discrimination > 0.7
    assert by_name["never"].discrimination is None
    assert [one.scenario for one in backwards(found.figures)] == ["wrong"]
    assert "never" not in [one.scenario for one in hardest(found.figures, most=99)]
    share = sum(12 - one.passed for one in found.figures) / (12 * len(found.figures))
    assert by_name["i9"].difficulty == pytest.approx((12 - by_name["i9"].passed + 2 * share) / 14, abs=1e-6)


def test_discrimination_is_the_item_rest_correlation_and_is_not_given_to_few():
    matrix = np.random.default_rng(2).integers(0, 2, (6, 20)).astype(float)
    rest = (matrix.sum(axis=0) - matrix[0]) / 5
    assert discrimination(matrix)[0] == pytest.approx(np.corrcoef(matrix[0], rest)[0, 1], abs=1e-6)
    assert discrimination(matrix[:, : MIN_SUBJECTS - 1]) == [None] * 6
    matrix[0, MIN_SUBJECTS - 1 :] = np.nan
    assert discrimination(matrix)[0] is None
    few = items([made(CORE, "a")], [sat("m", {"a": True})])
    assert few.told_apart.startswith("insufficient data: 1 models")
    assert few.all_pass == (), "one model says nothing of all"


def test_a_model_that_differs_from_itself_is_one_model_and_its_items_turn():
    rows = [made(CORE, "a"), made(CORE, "b")]
    runs = [sat("m", {"a": True, "b": True}), sat("m", {"a": False, "b": True}), sat("m", {"a": True, "b": True})]
    found = items(rows, [*runs, sat("n", {"a": False, "b": True}), sat("gone", {"c": True})])
    assert found.unstable == ("core/a",)
    assert [(one.name, one.runs, one.items) for one in found.subjects] == [("m", 3, 2), ("n", 1, 2)]
    assert [(one.models, one.passed) for one in found.figures] == [(2, 1), (2, 2)]


def rubric(**changes) -> Rubric:
    criteria = [
        {"id": name, "description": name, "grader": {"kind": "exact"}, "weight": weight}
        for name, weight in (("label", 1.0), ("tone", 1.0), ("form", 20.0))
    ]
    steps = {"normalisation": ["strip", "lowercase", "unicode-nfkc"]}
    value = {"id": "exact", "title": HOSTILE, "status": "approved", "criteria": criteria, **steps, **changes}
    return Rubric.model_validate(value)


def graded(name: str, answer: str, *missed: str) -> Graded:
    slugs = tuple(f"exact-{one}" for one in missed)
    grade = Grade(scenario=name, capability="refunds", outcome_type="tp", score=0.5, passed=not missed, missed=slugs,
                  answer=answer, explanation="x")  # fmt: skip
    return Graded(f"core/{name}", grade)


def test_criteria_and_steps_that_decide_nothing_are_named():
    rows = [made(CORE, "a"), made(HELDOUT, "h")]
    answers = [graded("a", "Refunds", "form"), graded("a", "late", "label", "tone", "form")] * ENOUGH
    unused = rubric(id="unused", status="draft", normalisation=[])
    [found, idle] = rubric_health({"exact": rubric(), "unused": unused}, rows, answers)
    assert [(one.criterion, one.missed) for one in found.criteria] == [("label", 20), ("tone", 20), ("form", 40)]
    assert found.alike == (("label", "tone"),)
    assert {one.step: one.decides for one in found.normalisation} == {"strip": 0, "lowercase": 20, "unicode-nfkc": 0}
    assert found.findings == (
        "weighs one criterion 20 times as much as another",
        "the criterion form was always missed",
        "no answer told label from tone",
        "these steps of its normalisation decided nothing: strip, unicode-nfkc",
    )
    assert idle.findings[:2] == ("grades no scenario", "is a draft")
    [few] = rubric_health({"exact": rubric()}, rows, answers[:3])
    assert few.findings[-1] == "has 3 graded answers at hand, and 20 are the least to say more"
    assert uncovered([unused], rows, ["refunds"]) == ("refunds",)
    assert uncovered([rubric()], rows, ["refunds", "late"]) == ("late",)


def test_people_disagree_on_what_two_of_them_decided_otherwise():
    shown = {"origin": "synthetic", "input": [{"role": "user", "content": SECRET}], "answer": "x"}
    listed = TriageFile.model_validate(
        {
            "cluster": "desk",
            "iteration": "it",
            "decisions": [
                {"candidate": name, "capability": name[0] * 3, **shown} for name in ("a1", "a2", "a3", "b1", "b2")
            ],
        }
    )

    def said(reviewer: str, **decisions: str) -> Review:
        rows = [{"candidate": one, "decision": what, "at": "2026-11-21T12:00:00Z"} for one, what in decisions.items()]
        whole = {"cluster": "desk", "iteration": "it", "reviewer": reviewer, "candidates": "0" * 64}
        return Review.model_validate({**whole, "decisions": rows})

    first = said("anna", a1="accept", a2="reject", a3="accept", b1="accept", b2="undecided")
    second = said("ben", a1="accept", a2="accept", b1="accept", b2="reject", gone="reject")
    found = triage([(listed, (first, second))])
    assert [(one.capability, one.candidates, one.disagreed) for one in found] == [("aaa", 2, 1), ("bbb", 1, 0)]


def test_what_held_out_can_see_grows_with_it():
    rows = [made(HELDOUT, f"h{n}") for n in range(80)] + [made(HELDOUT, f"l{n}", "late") for n in range(4)]
    found = power(rows, ["refunds", "late", "none"], discordance=0.3)
    seen = {one.capability: one.difference for one in found.rows}
    assert seen["refunds"] == detectable(80, discordance=0.3, alpha=0.05, wanted=0.8)
    assert (seen["late"], seen["none"]) == (None, None), "four pairs never reach p = .05"
    assert power(rows, ["refunds"], discordance=None).discordance == 0.2


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """The reviewed fixture as a repository, held-out's text one that is looked for in every output."""
    found = write(tmp_path / "ws")
    edit(found, "scenarios/desk/heldout/heldout-refunds-1.yaml", "The text of", SECRET)
    edit(found, "scenarios/desk/core/core-refunds-1.yaml", "Tell refunds", HOSTILE.replace('"', "'"))
    subprocess.run(["git", "init", "-q", str(found)], check=True)
    return found


class Loads(HTMLParser):
    """Everything that a page would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.found += [tag] if tag in {"script", "link", "iframe", "img", "object", "embed", "form"} else []
        self.found += [f"{name}={value}" for name, value in attrs if name.startswith("on") or name == "src"]
        self.found += [value for name, value in attrs if name == "href" and not (value or "").startswith("#")]


def test_the_report_of_a_repository_as_tables_json_and_page(top, tmp_path):
    target = tmp_path / "benchmark.html"
    said = CliRunner().invoke(group, ["benchmark", "report", "desk", "-C", str(top), "--html", str(target)])
    assert said.exit_code == 0, said.output
    assert re.search(r"desk: 6 scenarios \(2 core, 2 dev, 2 heldout, 0 representative\)", said.output)
    assert "9 scenarios (real ones) in heldout for late-delivery: it has 1" in said.output
    assert max(map(len, said.output.splitlines())) <= 160
    printed = CliRunner().invoke(group, ["benchmark", "report", "desk", "-C", str(top), "--json"])
    document = json.loads(printed.output)
    Draft202012Validator(schema("workbench")).validate(document)
    report = WorkbenchReport.model_validate(document)
    assert report == workbench.benchmark_report(top, "desk"), "the same tree gives the same report"
    html = target.read_text()
    assert html.encode() == page(report)
    loads = Loads()
    loads.feed(html)
    assert loads.found == []
    assert not re.search(r"@import|url\(", html)
    for output in (said.output, printed.output, html):
        assert "zeppelin" not in output


def test_hostile_names_stay_text(top, capsys):
    report = workbench.benchmark_report(top, "desk")
    subject = Subject(name=HOSTILE, runs=1, items=3)
    items_ = report.items.model_copy(update={"subjects": (subject,), "left_out": (HOSTILE,)})
    hostile = report.model_copy(update={"items": items_, "uncovered": (HOSTILE,)})
    html = page(hostile).decode()
    loads = Loads()
    loads.feed(html)
    assert loads.found == []
    assert "&lt;script src=" in html
    assert "49" not in html.partition("Who was asked")[2].partition("</ul>")[0]
    moving = "\x1b[2J\u202e"
    leak = DataLeak(source="gold", row=moving, scenario="heldout/x", how="exact", similarity=1.0)
    leaks = report.duplicates.model_copy(update={"leaks": (leak,), "leaks_found": 1})
    hostile = hostile.model_copy(update={"duplicates": leaks})
    show(hostile)
    said = capsys.readouterr().out.replace("\n", "")
    assert f"left out: {HOSTILE}" in said
    assert "gold \\u001b[2J\\u202e stands in heldout/x" in said
    assert not set(moving) & set(page(hostile).decode()) - set("[2J")


def test_a_cluster_that_there_is_not_is_named_with_those_that_there_are(top):
    said = CliRunner().invoke(group, ["benchmark", "report", "nobody", "-C", str(top)])
    assert said.exit_code != 0
    assert "there is no cluster nobody" in str(said.exception)
    assert "clusters: desk" in str(said.exception)


def test_the_history_of_a_desk_counts_while_it_is_about_the_present_items(finished, tmp_path):
    desk = finished.copy(tmp_path / "home")
    report = workbench.benchmark_report(desk.desk, desk.cluster)
    models = {one.name.partition(",")[0]: one for one in report.items.subjects}
    assert set(models) == {"base", "control", "candidate"}, "the incumbent is the base, which is counted once"
    judged = sum(report.scenarios[name] for name in (CORE, HELDOUT, REPRESENTATIVE))
    assert {one.items for one in models.values()} == {judged}
    assert len(report.items.figures) == judged
    assert report.items.told_apart.startswith("insufficient data: 3 models")
    assert report.items.all_pass
    assert any(one.answers > ENOUGH and one.criteria for one in report.rubrics), "the answers came from the DVC store"
    assert report.duplicates.looked_at["gold"] > 0
    assert report.power is not None
    assert report.power.discordance != 0.2, "what the last bundle saw"
    texts = [path.read_text() for path in (desk.desk / "scenarios" / desk.cluster / "heldout").glob("*.yaml")]
    held = {re.search(r'content: "?([^"\n]+)', text)[1] for text in texts}
    shown = page(report).decode() + report.model_dump_json()
    assert [text for text in held if text in shown] == []
    core = sorted((desk.desk / "scenarios" / desk.cluster / "core").glob("*.yaml"))[0]
    core.write_text(core.read_text().replace("objective: ", "objective: Now to "))
    after = workbench.benchmark_report(desk.desk, desk.cluster)
    assert {one.set for one in after.items.figures} == {HELDOUT, REPRESENTATIVE}
    assert any("core had other scenarios then" in one for one in after.items.left_out)
    name = next((desk.desk / "rubrics").glob("*.yaml"))
    name.write_text(name.read_text().replace("title: ", "title: Another "))
    assert workbench.benchmark_report(desk.desk, desk.cluster).items.subjects == ()


def test_an_evaluation_counts_as_a_run_of_its_model_and_an_iterations_own_answers_once(finished, tmp_path):
    desk = finished.copy(tmp_path / "home")
    report = workbench.benchmark_report(desk.desk, desk.cluster)
    before, answers = report.items.subjects, [one.answers for one in report.rubrics]
    branch = git(desk.desk, "for-each-ref", "--format=%(refname:lstrip=-1)", f"refs/heads/runs/{desk.cluster}/")
    log = log_of(desk.desk, f"{branch.splitlines()[0]}/candidate")
    again = workbench.benchmark_report(desk.desk, desk.cluster)
    assert again.items.subjects == before
    assert [one.answers for one in again.rubrics] == answers
    samples = [
        one.model_copy(update={"grade": one.grade.model_copy(update={"passed": False})}) for one in log.samples()
    ]
    other = log.run.model_copy(
        update={"id": "another-run", "model": log.run.model.model_copy(update={"name": "another"})}
    )
    kept = Evaluations(desk.desk).keep(other, samples, in_git=False)
    later = workbench.benchmark_report(desk.desk, desk.cluster)
    asked = [one for one in samples if one.perturbation == AS_WRITTEN]
    assert sum(one.answers for one in later.rubrics) == sum(answers) + len(asked)
    stale = other.model_copy(update={"id": "stale-run", "rubrics": dict.fromkeys(other.rubrics, "0" * 64)})
    Evaluations(desk.desk).keep(stale, samples, in_git=False)
    assert workbench.benchmark_report(desk.desk, desk.cluster).rubrics == later.rubrics
    after = later.items
    assert [one.name for one in after.subjects[len(before) :]] == ["another, evaluation another-run"]
    assert after.all_pass == ()
    kept.log.unlink()
    left = workbench.benchmark_report(desk.desk, desk.cluster).items.left_out
    assert "evaluation another-run: its log is not here; `dvc pull` brings a kept one" in left
