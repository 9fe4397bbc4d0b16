"""The scenarios of the Assay harness, real ones: they become scenarios and drafts of rubrics that grade as it does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from runner.cli.main import group
from runner.edges.yaml_files import parse
from runner.errors import RecordError
from runner.records.rubric import Rubric
from runner.records.scenario import Origin, Scenario, SetName, Severity
from runner.rules.adopt.assay import Terms, from_assay
from runner.rules.evaluation.grading import grade
from runner.wiring.check import survey
from runner.wiring.evaluate import import_assay
from tests.desk_repository import CLUSTER, make

FILES = {"adtech-public-metadata.json": 4, "sanitised-scenario-sample.json": 1}
PUBLIC = "scenarios/desk/reserve/public-adtech-fp-guard-pmp-deal.yaml"


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    return make(tmp_path)


def test_the_examples_become_scenarios(data: Path, desk: Path) -> None:
    terms = Terms(origin=Origin.SYNTHETIC, capability="refund", rubric="queue")
    for name, count in FILES.items():
        written = import_assay(desk, CLUSTER, data / "assay" / name, into=SetName.RESERVE, terms=terms)
        assert len(written.scenarios) == count
        again = import_assay(desk, CLUSTER, data / "assay" / name, into=SetName.RESERVE, terms=terms)
        assert again == written, "taken over again, nothing changes"
    assert survey(desk).problems == ()
    found = parse((desk / PUBLIC).read_bytes(), Scenario, path=PUBLIC)
    said = json.loads((data / "assay" / "adtech-public-metadata.json").read_bytes())["scenarios"][-1]
    assert found.input[0].content == said["input"]["messages"][0]["content"]
    assert (found.outcome_type, found.lens, found.origin) == ("fp-guard", "pmp", Origin.SYNTHETIC)
    prose = json.loads((data / "assay" / "sanitised-scenario-sample.json").read_bytes())
    path = "scenarios/desk/reserve/assay-adtech-adversarial-cpm-vs-revenue.yaml"
    one = parse((desk / path).read_bytes(), Scenario, path=path)
    assert (one.pass_criteria, one.fail_criteria) == ((prose["passCriteria"],), (prose["failCriteria"],))
    assert prose["domainInput"]["bidRequest"]["signals"] in one.input[0].content


@pytest.mark.parametrize(
    ("rubric", "scenario", "answer", "passes"),
    [
        ("assay-contains-escalation", "fp-guard-pmp-deal", "No evidence for Escalation here.", True),
        ("assay-contains-escalation", "fp-guard-pmp-deal", "Nothing is wrong.", False),
        ("assay-non-empty", "tp-bid-floor", "bid floor", True),
        ("assay-non-empty", "tp-bid-floor", " \n", False),
    ],
)
def test_a_checker_grades_as_it_did(data: Path, rubric: str, scenario: str, answer: str, passes: bool) -> None:
    value = json.loads((data / "assay" / "adtech-public-metadata.json").read_bytes())
    found = from_assay(value, Terms(Origin.SYNTHETIC), path="f")
    rubrics: dict[str, Rubric] = {one.id: one for one in found.rubrics}
    (one,) = (one for one in found.scenarios if one.id == f"public-adtech-{scenario}")
    assert one.rubric == rubric
    assert grade(one, rubrics[rubric], answer).passed is passes
    assert {one.capability for one in found.scenarios} == {"auction-integrity", "deal-integrity"}


def contains(name: str, wanted: str, **more: Any) -> dict[str, Any]:
    said = {
        "id": name,
        "category": "refund",
        "outcomeType": "tp",
        "input": {"messages": [{"role": "user", "content": "q"}]},
    }
    return said | {"rubric": {"checker": "contains", "params": {"expected": [wanted]}}} | more


def test_checkers_whose_names_come_to_the_same_stay_two() -> None:
    found = from_assay(
        {"scenarios": [contains("one", "C++"), contains("two", "C"), contains("three", "C")]},
        Terms(Origin.HUMAN),
        path="f",
    )
    rubrics = {one.id: one for one in found.rubrics}
    assert len(rubrics) == 2
    passed = [grade(one, rubrics[one.rubric], "It is C.").passed for one in found.scenarios]
    assert passed == [False, True, True]


@pytest.mark.parametrize(
    ("one", "field"),
    [
        (contains("!!!", "x"), r"scenarios\[0\].id"),
        (contains("one", "x", category="?"), r"scenarios\[0\].capability"),
        (contains("one", ""), r"scenarios\[0\].values.0"),
    ],
)
def test_what_makes_no_record_is_told_by_its_place(one: dict[str, Any], field: str) -> None:
    with pytest.raises(RecordError, match=field):
        from_assay({"scenarios": [one]}, Terms(Origin.HUMAN), path="f")


def test_what_cannot_be_taken_over_is_refused_whole(data: Path, desk: Path) -> None:
    prose, public = (data / "assay" / name for name in reversed(FILES))
    for file, terms, problem in (
        (public, Terms(Origin.HUMAN), "the cluster has no capability auction-integrity, deal-integrity"),
        (prose, Terms(Origin.HUMAN, capability="refund"), "it has no checker"),
        (prose, Terms(Origin.HUMAN, capability="refund", rubric="judged"), "there is no rubric judged"),
    ):
        with pytest.raises(RecordError, match=problem):
            import_assay(desk, CLUSTER, file, into=SetName.RESERVE, terms=terms)
    assert not (desk / "scenarios" / CLUSTER / "reserve").exists()
    terms = Terms(Origin.HUMAN, Severity.HIGH, "refund")
    import_assay(desk, CLUSTER, public, into=SetName.RESERVE, terms=terms)
    with pytest.raises(RecordError, match="stands there already, and says something else"):
        import_assay(desk, CLUSTER, public, into=SetName.RESERVE, terms=terms._replace(severity=Severity.LOW))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([], "is no Assay file"),
        ({"scenarios": [3]}, r"scenarios\[0\]: is no scenario"),
        ({"scenarios": [{"id": "A"}]}, "it has no checker"),
        ({"scenarios": [{"id": "A", "rubric": {"checker": "semantic"}}]}, "the checker 'semantic' is not known"),
        ({"scenarios": [{"id": "A", "rubric": {"checker": "non-empty"}}]}, "outcomeType: is missing"),
        (
            {"scenarios": [{"id": "A", "rubric": {"checker": "non-empty"}, "meta": {"outcomeType": "x"}}]},
            "no outcome type",
        ),
    ],
)
def test_what_is_no_assay_file_is_told(value: Any, problem: str) -> None:
    with pytest.raises(RecordError, match=problem):
        from_assay(value, Terms(Origin.HUMAN), path="f")


def test_the_command(data: Path, desk: Path) -> None:
    file = str(data / "assay" / "adtech-public-metadata.json")
    words = ["import", "assay", file, "--cluster", CLUSTER, "--origin", "synthetic", "--capability", "refund"]
    done = CliRunner().invoke(group, [*words, "--set", "reserve", "-C", str(desk)])
    assert PUBLIC in done.output
    assert "approve the rubrics" in done.output
