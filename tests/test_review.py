"""`hallmark review`: what a change means, in a real repository and in every form."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt

from runner.begin import begin
from runner.cli.main import group
from runner.edges.simulated_models import SimulatedModels
from runner.edges.yaml_files import dump, load
from runner.errors import ExitCode, GitError
from runner.flywheel import advance
from runner.phases.p01_intake import pin
from runner.pipeline import PHASES
from runner.records.change import ChangeClass
from runner.records.change_review import (
    ChangeReview,
    Direction,
    FrozenTouched,
    Place,
    Refusal,
    Regrading,
    ScenarioChange,
    What,
)
from runner.records.cluster import Cluster
from runner.records.dataset import Example
from runner.records.fired import Fired
from runner.records.scenario import SetName
from runner.records.validation import LeakHow
from runner.rules.review.annotations import MOST, commands
from runner.rules.review.change import NO_ANSWERS
from runner.rules.review.directions import CLUSTER, NEITHER, Looser, Rule, matches, rule_for
from runner.rules.review.markdown import LONGEST, MARKER, markdown, plain
from runner.rules.review.settings import direction, effective, flat
from runner.rules.review.told import LOOSENED
from runner.wiring import review as wiring_review
from tests import desk_repository, review_fixture
from tests.desk_repository import git
from tests.printed import ROOT
from tests.review_fixture import CLUSTER as CLUSTER_FILE
from tests.review_fixture import LOCK, RUBRIC, SECRET, change, commit, everything, lock, make, put_scenario
from tests.reviewed_fixture import put


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return make(tmp_path / "desk")


def reviewed(top: Path, **options: Any) -> ChangeReview:
    commit(top, "A change")
    return wiring_review.reviewed(top, "HEAD^1", "HEAD", **options)


def whole(review: ChangeReview) -> str:
    """Every form of a review."""
    return markdown(review) + plain(review) + commands(review) + review.model_dump_json()


def by_id(review: ChangeReview) -> dict[str, ScenarioChange]:
    return {one.id: one for one in review.scenarios}


def test_scenarios_are_told_by_what_became_of_them(top: Path) -> None:
    everything(top)
    found = by_id(reviewed(top))
    assert {name: one.what for name, one in found.items()} == {
        "core-refunds-4": What.ADDED,
        "core-refunds-5": What.ADDED,
        "dev-late-delivery-2": What.ADDED,
        "heldout-late-delivery-2": What.ADDED,
        "core-refunds-3": What.CHANGED,
        "core-late-delivery-2": What.CHANGED,
        "dev-refunds-1": What.REMOVED,
    }
    changed = found["core-refunds-3"]
    assert changed.words == (
        "lens: customer → courier",
        "severity: medium → high",
        "the right answer was: refunds",
    )
    assert (changed.message, changed.answer) == (review_fixture.TEXTS["core-refunds-3"], "late-delivery")
    lines = (top / changed.at.path).read_text().splitlines()
    assert lines[changed.at.line - 1].startswith("lens:"), "the line of the first field that changed"
    assert found["core-late-delivery-2"].words == (f"the message was: {review_fixture.TEXTS['core-late-delivery-2']}",)
    assert found["dev-refunds-1"].at.gone


def test_a_scenario_that_moves_is_not_removed_and_added(top: Path) -> None:
    git(top, "mv", "scenarios/desk/core/core-refunds-2.yaml", "scenarios/desk/dev/core-refunds-2.yaml")
    (one,) = reviewed(top).scenarios
    assert (one.what, one.words) == (What.CHANGED, ("moved from core to dev",))


def test_of_held_out_there_are_ids_and_figures_alone(top: Path) -> None:
    """Not where it is added, nor where an open scenario says the same, nor where it was held out until now."""
    everything(top)
    review = reviewed(top)
    assert "heldout-late-delivery-2" in whole(review)
    assert "lighthouse" not in whole(review)
    change(
        top,
        "scenarios/desk/heldout/heldout-late-delivery-2.yaml",
        objective=SECRET,
        reference="refunds",
        pass_criteria=(SECRET,),
    )
    change(
        top,
        "scenarios/desk/dev/dev-late-delivery-2.yaml",
        input=[{"role": "user", "content": "Something else altogether, about a bicycle."}],
    )
    review = reviewed(top)
    assert by_id(review)["heldout-late-delivery-2"].words == ("what it tests", "the right answer", "what makes it pass")
    assert "lighthouse" not in whole(review), "what it said before stands in held-out"
    git(top, "mv", "scenarios/desk/heldout/heldout-late-delivery-2.yaml", "scenarios/desk/core/")
    review = reviewed(top)
    assert "moved from heldout to core" in whole(review)
    assert "lighthouse" not in whole(review)


def test_a_broken_file_of_held_out_is_named_and_not_quoted(top: Path) -> None:
    path = put_scenario(top, SetName.HELDOUT, "heldout-refunds-9", text=SECRET, severity=SECRET)
    review = reviewed(top)
    assert [one.at.path for one in review.refusals if "heldout-refunds-9" in one.at.path] == [path]
    assert "lighthouse" not in whole(review)


def test_limits_are_loosened_or_tightened(top: Path) -> None:
    everything(top)
    change(top, "clusters/desk/cluster.yaml", triage={"required": "none"}, stages={"enter": "production"})
    review = reviewed(top)
    found = {one.field: one.direction for one in review.settings}
    assert found == {
        "benchmark_version": Direction.CHANGED,
        "gate.thresholds.heldout": Direction.LOOSENED,
        "gate.max_regressions": Direction.TIGHTENED,
        "heldout_looks": Direction.TIGHTENED,
        "triage.required": Direction.LOOSENED,
        "stages.enter": Direction.LOOSENED,
    }
    (criterion,) = review.rubrics[0].changes
    assert (criterion.field, criterion.direction) == ("normalisation", Direction.LOOSENED)
    assert f"{LOOSENED}: 4 limits" in markdown(review)
    assert f"{LOOSENED} the score that a model must reach on held-out: 0.8 → 0.7" in plain(review)


def test_a_default_that_is_written_out_is_no_change(top: Path) -> None:
    change(top, CLUSTER_FILE, mixture={"caps": {"batch": 1.0}}, gate__perturbations=["typos", "casing", "punctuation"])
    review = reviewed(top)
    assert review.settings == ()
    assert "No scenario, rubric or limit changes; 1 file in all." in plain(review)


def test_a_block_where_there_was_none_is_told_of_by_what_it_holds(top: Path) -> None:
    server = {"id": "elsewhere", "url": "https://models.example/v1", "model": "m", "sends": ["gold"]}
    change(top, CLUSTER_FILE, generation={"servers": [server]})
    (one,) = reviewed(top).settings
    assert (one.field, one.direction) == ("generation.servers[elsewhere]", Direction.LOOSENED)
    change(top, CLUSTER_FILE, generation=None)
    (one,) = reviewed(top).settings
    assert (one.field, one.direction) == ("generation.servers[elsewhere]", Direction.TIGHTENED)


def test_criteria_that_go_or_need_not_be_met_loosen(top: Path) -> None:
    criteria = [
        {"id": "label", "description": "It is the label", "grader": {"kind": "exact"}},
        {"id": "polite", "description": "It is polite", "grader": {"kind": "contains", "values": ["please", "thank"]}},
    ]
    change(top, RUBRIC, criteria=criteria)
    (one,) = reviewed(top).rubrics
    assert [(change.field, change.direction) for change in one.changes] == [("criteria[polite]", Direction.TIGHTENED)]
    criteria[0]["required"] = False
    criteria[1]["grader"] = {"kind": "contains", "values": ["thank"]}
    change(top, RUBRIC, criteria=criteria)
    (one,) = reviewed(top).rubrics
    assert {change.field: change.direction for change in one.changes} == {
        "criteria[label].required": Direction.LOOSENED,
        "criteria[polite].grader<contains>.values": Direction.LOOSENED,
    }
    criteria[1]["grader"] = {"kind": "regex", "pattern": "thank"}
    change(top, RUBRIC, criteria=criteria[1:])
    (one,) = reviewed(top).rubrics
    assert [(change.field, change.before, change.after) for change in one.changes] == [
        ("criteria[label]", "label", "nothing"),
        ("criteria[polite].grader.kind", "contains", "regex"),
    ]


@pytest.mark.parametrize(
    ("field", "before", "after", "expected"),
    [
        ("gate.max_latency_p95_ms", None, 100.0, Direction.TIGHTENED),
        ("gate.max_latency_p95_ms", 100.0, None, Direction.LOOSENED),
        ("gate.max_general_drop", None, 0.1, Direction.LOOSENED),
        ("gate.capability_alpha", 0.05, 0.01, Direction.LOOSENED),
        ("gate.perturbations", ["typos", "casing"], ["typos"], Direction.LOOSENED),
        ("gate.perturbations", ["typos"], ["casing"], Direction.LOOSENED),
        ("stages.canary.min_agreement", None, 0.9, Direction.CHANGED),
        ("stages.canary.source", "any", "live", Direction.TIGHTENED),
        ("triage.signed", True, False, Direction.LOOSENED),
        ("triage.required", "none", "sample", Direction.TIGHTENED),
        ("mixture.corrected_is_human", False, True, Direction.LOOSENED),
        ("mixture.caps.generator", 1.0, 0.5, Direction.TIGHTENED),
        ("hardware.machines", ["a"], ["a", "b"], Direction.LOOSENED),
        ("fleet.exports", [], ["summaries"], Direction.LOOSENED),
        ("fleet.boundary", ["plant-7"], [], Direction.LOOSENED),
        ("fleet.boundary", ["plant-7"], ["office"], Direction.LOOSENED),
        ("fleet.boundary", [], ["plant-7"], Direction.TIGHTENED),
        ("validation.max_c2st_auc", 0.85, 0.95, Direction.LOOSENED),
        ("validation.min_rows", 8, 4, Direction.CHANGED),
    ],
)
def test_which_way_is_looser(field: str, before: Any, after: Any, expected: Direction) -> None:
    assert direction(rule_for(field, CLUSTER), before, after) is expected


def test_every_number_and_switch_of_a_cluster_has_a_direction_or_is_meant_to_have_none() -> None:
    least = {
        "id": "desk",
        "title": "The desk",
        "base": {"kind": "tiny"},
        "serving": {"target": "cpu"},
        "benchmark_version": 1,
        "capabilities": [{"id": "a", "title": "a", "definition": "a"}],
        "gate": {"thresholds": {"composite": 0.8, "heldout": 0.8}, "max_general_drop": 0.1},
        "human_floor": 0.25,
        "evaluation": {"general": [{"task": "arc"}]},
        "triggers": [
            {"kind": "age", "days": 90},
            {"kind": "real-data", "of": "gold", "rows": 200},
            {"kind": "score-drop", "drop": 0.05},
        ],
        "triage": {"required": "sample", "sample": 0.5, "max_error_rate": 0.1, "signed": True}
        | {"double": 0.2, "min_kappa": 0.4},
    }
    fields = flat(effective(Cluster.model_validate_json(json.dumps(least))))
    decided = {
        field
        for field, value in fields.items()
        if isinstance(value, bool | int | float) or re.search(r"(?:^|[._])(?:min|max)_", field)
    }
    assert len(decided) > 60
    without = {field for field in decided if rule_for(field, CLUSTER) is None}
    assert {field for field in without if not any(matches(pattern, field) for pattern in NEITHER)} == set()
    stale = [name for name in CLUSTER if not any(matches(name, field) for field in fields)]
    assert set(stale) == {
        "mixture.withdrawn[*]",
        "generation.servers[*]",
        "generation.servers[*].sends",
        "domain_rules[*]",
    }
    for rule in CLUSTER.values():
        assert isinstance(rule, Rule)
        assert (rule.looser is Looser.LATER) == bool(rule.order)


def test_who_must_sign_and_what_the_gate_would_refuse(top: Path) -> None:
    put_scenario(top, SetName.HELDOUT, "heldout-refunds-2", text="A fresh one.")
    review = reviewed(top)
    (asked,) = review.signatures
    assert (asked.change, asked.people) == (ChangeClass.BENCHMARK, {"benchmark-owner": 2})
    (frozen,) = review.frozen
    assert (frozen.set, frozen.owners, frozen.version_before, frozen.version_after) == (
        "heldout", ("benchmark-owner",), 1, 1,
    )  # fmt: skip
    assert any("heldout is frozen at version 1" in one.problem for one in review.refusals)
    assert [one for one in review.refusals if one.at.path == LOCK]
    change(top, CLUSTER_FILE, benchmark_version=2)
    lock(top, 2)
    review = reviewed(top)
    assert review.refusals == ()
    text = markdown(review)
    assert "must be signed by 2 people with the role `benchmark-owner`" in text


def test_the_policy_s_own_changes(top: Path) -> None:
    review_fixture.write_policy(top, approvers=1)
    review = reviewed(top)
    assert {(one.field, one.direction) for one in review.policy} == {
        ("changes.benchmark[benchmark-owner].people", Direction.LOOSENED)
    }
    assert "people who must sign: `2` → `1`" in markdown(review)


def test_a_cluster_that_cannot_be_read_is_told_of_as_that(top: Path) -> None:
    change(top, CLUSTER_FILE, human_floor="lots")
    put_scenario(top, SetName.CORE, "core-refunds-9", text="Another one.")
    review = reviewed(top)
    (problem,) = review.refusals
    assert (problem.at.path, problem.at.line) == (CLUSTER_FILE, 19)
    assert problem.problem.startswith("human_floor: should be a number")
    assert set(by_id(review)) == {"core-refunds-9"}
    assert review.settings == ()


def test_two_classes_of_change_do_not_merge(top: Path) -> None:
    put_scenario(top, SetName.CORE, "core-refunds-9", text="Another one.")
    review_fixture.put(top, "docs/page.md", b"Words.\n")
    assert any(
        "several classes of change in one merge: benchmark, docs" in one.problem for one in reviewed(top).refusals
    )


def test_what_stands_elsewhere_already(top: Path) -> None:
    everything(top)
    found = {(one.scenario, one.other): one for one in reviewed(top).overlaps}
    assert found["core/core-refunds-5", "core/core-refunds-2"].how is LeakHow.PARAPHRASE
    assert not found["core/core-refunds-5", "core/core-refunds-2"].leak
    (leak,) = [one for one in found.values() if one.leak]
    assert {leak.scenario, leak.other} == {"heldout/heldout-late-delivery-2", "dev/dev-late-delivery-2"}


def test_what_is_covered_before_and_after(top: Path) -> None:
    for number in range(2, 12):
        put_scenario(
            top, SetName.CORE, f"core-refunds-{10 + number}", text=f"Refund number {number} is {number * 7} late."
        )
    (found,) = reviewed(top).coverage
    (core,) = found.capabilities["refunds"]
    assert (core.set, core.before, core.after) == (SetName.CORE, 3, 13)
    assert [(gap.capability, gap.set) for gap in found.gaps_closed] == [("refunds", SetName.CORE)]
    assert found.gaps_opened == ()


def test_a_commit_that_there_is_not(top: Path) -> None:
    with pytest.raises(GitError, match="there is no commit nowhere"):
        wiring_review.reviewed(top, "nowhere")


def test_what_the_base_gained_meanwhile_is_no_part_of_the_change(top: Path) -> None:
    git(top, "checkout", "--quiet", "-b", "topic")
    put_scenario(top, SetName.CORE, "core-refunds-7", text="On the branch.")
    commit(top, "topic")
    git(top, "checkout", "--quiet", "main")
    put_scenario(top, SetName.CORE, "core-refunds-8", text="On main.")
    commit(top, "main goes on")
    assert set(by_id(wiring_review.reviewed(top, "main", "topic"))) == {"core-refunds-7"}


HOSTILE = (
    "`x` **bold** @everyone #1 [a](http://evil.example) <img src=x onerror=alert(1)>",
    "</details> <!-- hallmark-review --> ``` | --- | ````",
    "::error file=a,line=1::owned %0A::warning::b",
    "line\nbreak\r\n- item\n# title",
    "\u202eevil \x1b[31mred\x07 \u200b",
    "`",
    " leading and trailing ",
    "\\`escaped\\`",
)


def hostile(text: str) -> ChangeReview:
    """A review in which strangers' texts say `text` wherever they can say something."""
    at = Place(path=f"scenarios/{text}.yaml")
    one = ScenarioChange(
        what=What.CHANGED, at=at, cluster="desk", set=SetName.CORE, id="core-1", capability="refunds", lens="customer",
        outcome_type="tp", words=(f"what it tests was: {text}",), message=text, answer=text,
    )  # fmt: skip
    return ChangeReview(
        base="a" * 40, head="b" * 40, files=1, scenarios=(one,), rubrics=(), regraded=(), settings=(), policy=(),
        frozen=(), signatures=(), overlaps=(), coverage=(), refusals=(Refusal(at=at, problem=text, hint=text),),
    )  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_breaks_out_of_the_markdown(text: str) -> None:
    """Read by a CommonMark parser: whatever strangers wrote is code, and nothing else is more than it would be."""
    calm = _outside_code(markdown(hostile("calm")))
    assert _outside_code(markdown(hostile(text))) == calm
    assert [line for line in markdown(hostile(text)).splitlines() if line.startswith("<!--")] == [MARKER]


def _outside_code(text: str) -> list[tuple[str, str]]:
    """Every token of the rendered text but what stands in code spans."""
    found = []
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        inner = [one for one in token.children or () if one.type != "code_inline"]
        found += [(one.type, one.content) for one in inner] or [(token.type, "")]
        if token.type == "html_block":
            found.append(("html", token.content))
    return found


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_breaks_out_of_an_annotation(text: str) -> None:
    (line,) = commands(hostile(text)).splitlines()
    head, said = re.fullmatch(r"::error file=([^,:\r\n]*),line=1,title=Must be mended::(.*)", line).groups()
    assert "%" not in re.sub(r"%(?:25|0D|0A|3A|2C)", "", head + said)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_moves_the_cursor_of_a_terminal(text: str) -> None:
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", plain(hostile(text)))


def test_what_does_not_fit_is_left_out_and_counted(top: Path) -> None:
    words = [f"word{number}" for number in range(400)]
    for number in range(600):
        text = " ".join(random.Random(number).sample(words, 40))
        put_scenario(top, SetName.CORE, f"core-refunds-{number + 100}", text=text)
    review = reviewed(top)
    text = markdown(review)
    assert len(text.encode()) <= LONGEST
    shown_, more = text.count("  - asks "), int(re.search(r"- … and (\d+) more", text)[1])
    assert shown_ + more == 600
    assert f"{more} lines left out" in text
    assert markdown(review) == text
    lines = commands(hostile("x").model_copy(update={"refusals": hostile("x").refusals * 30})).splitlines()
    assert len(lines) == MOST
    assert lines[-1] == "::error::and 21 more; the comment of the review tells of all"


def hundreds(number: int) -> ChangeReview:
    """A change to what so many clusters share, a frozen set of each of them among it."""
    names = [f"{'late-delivery-' * 4}{at:03}" for at in range(number)]
    return hostile("x").model_copy(
        update={
            "regraded": tuple(Regrading(cluster=name, why_not=NO_ANSWERS) for name in names),
            "frozen": tuple(
                FrozenTouched(cluster=name, set="core", owners=("ash",), version_before=1, version_after=2, scenarios=1)
                for name in names
            ),
        }
    )


def test_a_change_to_hundreds_of_clusters_still_fits_a_comment() -> None:
    text = markdown(hundreds(700))
    assert len(text.encode()) <= LONGEST
    assert "must be mended before it can be merged" in text, "the line that most depends on"
    told = re.search(r"\*(\d+) lines and (\d+) sections left out", text)
    assert told
    assert int(told[2]) + text.count("### Scores") == 700
    assert len(text.encode()) > LONGEST - 1000, "as much as fits"
    assert len(markdown(hundreds(100)).encode()) <= LONGEST
    assert "sections left out" not in markdown(hundreds(100))


def test_a_cluster_by_a_name_that_is_none_is_told_of_and_stops_nothing(top: Path) -> None:
    for name in ("a" * 65, "Weird Name"):
        for path in git(top, "ls-files", "clusters/desk", "scenarios/desk").splitlines():
            put(top, path.replace("/desk/", f"/{name}/"), (top / path).read_bytes())
    text = plain(reviewed(top))
    for name in ("a" * 65, "Weird Name"):
        assert f"clusters/{name}/cluster.yaml:1 stands where no record is looked for" in text
        assert f"scenarios/{name}/core/core-refunds-2.yaml:1 stands where no record is looked for" in text


def said(top: Path, *words: str) -> str:
    done = CliRunner().invoke(group, ["review", *words, "-C", str(top)], standalone_mode=False)
    assert done.exception is None, done.exception
    assert done.return_value == ExitCode.DONE
    return done.output


def test_the_command_says_it_in_every_form(top: Path) -> None:
    everything(top)
    commit(top, "A change")
    assert said(top, "HEAD^1", "HEAD", "--format", "markdown").startswith(f"{MARKER}\n")
    assert said(top, "HEAD^1", "--format", "github").startswith("::error file=scenarios/desk/heldout/")
    assert "LOOSENED" in said(top, "HEAD^1")
    read = ChangeReview.model_validate_json(said(top, "HEAD^1", "--json"))
    assert read == wiring_review.reviewed(top, "HEAD^1", "HEAD")


PAGE = ROOT / "docs" / "review.md"


def test_the_page_s_comment_is_the_one_that_this_change_gets(top: Path) -> None:
    review_fixture.answered(top)
    everything(top)
    review = reviewed(top)
    (regraded,) = review.regraded
    (core,) = regraded.sets
    assert (core.answers, core.passed_before, core.passed_after, regraded.asked_otherwise) == (4, 0, 3, 1)
    text = markdown(review)
    text = re.sub(r"<sub>.*</sub>\n", "", text)
    shown_ = PAGE.read_text().partition("<!-- the example begins -->\n")[2].partition("<!-- the example ends -->")[0]
    assert shown_.strip() == text.removeprefix(MARKER).strip().replace("## What", "#### What").replace(
        "\n### ", "\n##### "
    )


# with answers and a model


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The desk with data behind DVC, evaluated once."""
    from runner.wiring import evaluate

    made = desk_repository.make(tmp_path_factory.mktemp("review"))
    evaluate.evaluate(made, desk_repository.CLUSTER, model="base", models=SimulatedModels())
    return made


def test_stored_answers_are_graded_again_by_the_new_rubric(desk: Path) -> None:
    path = min((desk / "rubrics").glob("*.yaml")).relative_to(desk).as_posix()
    criteria = [{"id": "label", "description": "It says anything", "grader": {"kind": "regex", "pattern": "."}}]
    change(desk, path, criteria=criteria)
    (found,) = reviewed(desk).regraded
    git(desk, "reset", "--quiet", "--hard", "HEAD^1")
    assert found.source.startswith("base (base-")
    core = next(one for one in found.sets if one.set is SetName.CORE)
    assert core.passed_after == core.answers > core.passed_before
    assert len(core.gained) == core.passed_after - core.passed_before
    assert core.lost == ()
    assert {one.set for one in found.sets} <= {SetName.CORE, SetName.DEV, SetName.REPRESENTATIVE}


def test_answers_to_an_earlier_wording_are_left_out_and_counted(desk: Path) -> None:
    """The base of the change has moved since the evaluation, though the change itself leaves the message alone."""
    home = f"scenarios/{desk_repository.CLUSTER}/core"
    change(desk, f"{home}/core-login-00.yaml", input=[{"role": "user", "content": "Another question by now."}])
    commit(desk, "Reworded since")
    change(desk, "rubrics/queue.yaml", normalisation=["strip"])
    (found,) = reviewed(desk).regraded
    git(desk, "reset", "--quiet", "--hard", "HEAD^1")
    git(desk, "reset", "--quiet", "--hard", "HEAD^1")
    assert found.asked_otherwise == 1
    assert next(one for one in found.sets if one.set is SetName.CORE).answers == 39


def test_other_weights_move_scores_though_no_answer_turns(desk: Path) -> None:
    cluster_file = f"clusters/{desk_repository.CLUSTER}/cluster.yaml"
    capabilities = load((desk / cluster_file).read_bytes(), path=cluster_file).value["capabilities"]
    change(desk, cluster_file, capabilities=[{**capabilities[0], "weight": 9.0}, *capabilities[1:]])
    (found,) = reviewed(desk).regraded
    git(desk, "reset", "--quiet", "--hard", "HEAD^1")
    core = next(one for one in found.sets if one.set is SetName.CORE)
    assert core.before != core.after
    assert (core.passed_before, core.gained, core.lost) == (core.passed_after, (), ())


def _without_extra(*_: object) -> None:
    raise ImportError("No module named 'dvc'")


def test_evaluations_that_cannot_be_read_are_told_of_and_not_as_none(top: Path) -> None:
    put(top, "clusters/desk/evaluations/base-1.json", b"{}")
    commit(top, "Broken")
    change(top, RUBRIC, normalisation=["strip"])
    (found,) = reviewed(top).regraded
    assert found.why_not == wiring_review.UNREADABLE


def test_answers_of_a_run_branch_are_graded_again_where_nothing_else_is_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the iteration that is pinned to the files before the change; of held-out, none."""
    home = tmp_path / "home"
    home.mkdir()
    iteration = to_baseline(desk_repository.make(home), begun=(Fired(trigger="age", on="2026-04-01", because="so"),))
    machine = desk_repository.clone(home, "reviewer")
    git(machine, "fetch", "--quiet", "origin", "+refs/heads/runs/*:refs/remotes/origin/runs/*")
    change(machine, "rubrics/queue.yaml", normalisation=["strip"], criteria=[ANYTHING])
    (home / "store").rename(home / "away")
    (found,) = reviewed(machine).regraded
    expected = f"those of {iteration}/incumbent are in the data store: run hallmark review where that can be read"
    assert found.why_not == expected
    (home / "away").rename(home / "store")
    with monkeypatch.context() as light:
        light.setattr(wiring_review.logs, "log_of", _without_extra)
        (found,) = wiring_review.reviewed(machine, "HEAD^1").regraded
    assert found.why_not.startswith(
        f"those of {iteration}/candidate are in the data store: needs the extra `data`: pip"
    )

    review = wiring_review.reviewed(machine, "HEAD^1")
    (found,) = review.regraded
    assert (found.why_not, found.source.split(" (")[0]) == ("", f"incumbent of {iteration}")
    assert {one.set: one.answers for one in found.sets} == {
        SetName.CORE: 40,
        SetName.DEV: 40,
        SetName.REPRESENTATIVE: 30,
    }
    assert all(one.passed_after == one.answers > one.passed_before for one in found.sets)
    assert f"incumbent of {iteration}" in markdown(review)
    assert git(machine, "status", "--porcelain") == "", "the log that was made of them is no part of the repository"

    change(machine, "params.yaml", clusters={desk_repository.CLUSTER: {"seed": 8}})
    commit(machine, "Another pin")
    change(machine, "rubrics/queue.yaml", normalisation=["lowercase"])
    (found,) = reviewed(machine).regraded
    assert found.why_not == NO_ANSWERS, "they are of other files than those before the change"


def to_baseline(desk: Path, *, begun: tuple[Fired, ...]) -> str:
    """An iteration that triggers began and that was killed after its fourth phase, which asked the incumbent."""
    flow = desk_repository.flow(desk)
    flow = replace(flow, workspace=replace(flow.workspace, triggers=begun))
    intake = pin(flow.workspace)
    begin(flow.ledger, intake, at=flow.ports.clock.now())
    run = flow.runs.open(flow.cluster, intake.iteration)
    for phase in PHASES[:4]:
        assert advance(flow, run, phase, intake.iteration).verdict.passed
    return intake.iteration


ANYTHING = {"id": "label", "description": "It says anything", "grader": {"kind": "regex", "pattern": "."}}


def gold_rows(desk: Path) -> list[Example]:
    data = (desk / "clusters" / desk_repository.CLUSTER / "data" / "gold.jsonl").read_text()
    return [Example.model_validate_json(line) for line in data.splitlines()]


def test_a_new_scenario_that_training_data_have_is_told_of_with_its_closest_row(desk: Path) -> None:
    """Each of them, also where one row is nearer to another new scenario; text of no new one is looked for."""
    home = f"scenarios/{desk_repository.CLUSTER}/dev"
    template = load((desk / home / "dev-login-00.yaml").read_bytes(), path="dev").value
    said = next(text for row in gold_rows(desk) if len((text := row.input[-1].content).split()) > 5)
    row = next(one for one in gold_rows(desk) if one.input[-1].content == said)
    for name, text in (("dev-new-1", said), ("dev-new-2", f"{said} now"), ("dev-new-3", "nothing of the kind at all")):
        value = {**template, "id": name, "input": [{"role": "user", "content": text}]}
        (desk / home / f"{name}.yaml").write_bytes(dump(value))
    review = reviewed(desk)
    git(desk, "reset", "--quiet", "--hard", "HEAD^1")
    found = {one.scenario: one for one in review.overlaps if one.other.startswith("gold/")}
    assert set(found) == {"dev/dev-new-1", "dev/dev-new-2"}
    assert {one.other for one in found.values()} == {f"gold/{row.id}"}
    assert (found["dev/dev-new-1"].how, found["dev/dev-new-1"].similarity) == (LeakHow.EXACT, 1.0)
    assert found["dev/dev-new-2"].similarity < 1.0
    assert review.without_gold == ()
    assert not any(one.leak for one in found.values()), "people may train on what dev asks"


def test_a_held_out_scenario_that_training_data_have_is_a_leak_and_is_not_quoted(desk: Path) -> None:
    home = f"scenarios/{desk_repository.CLUSTER}/heldout"
    row = max(gold_rows(desk), key=lambda one: len(one.input[-1].content))
    path = min((desk / home).glob("*.yaml"))
    change(desk, path.relative_to(desk).as_posix(), input=[{"role": "user", "content": row.input[-1].content}])
    review = reviewed(desk)
    git(desk, "reset", "--quiet", "--hard", "HEAD^1")
    (found,) = (one for one in review.overlaps if one.other == f"gold/{row.id}")
    assert (found.scenario, found.leak) == (f"heldout/{path.stem}", True)
    assert row.input[-1].content not in whole(review)


def test_without_the_training_data_at_hand_it_says_so(desk: Path, tmp_path: Path) -> None:
    light = tmp_path / "light"
    git(tmp_path, "clone", "--quiet", str(desk), str(light))
    home = f"scenarios/{desk_repository.CLUSTER}/core"
    change(light, f"{home}/core-login-00.yaml", input=[{"role": "user", "content": "Something new."}])
    review = reviewed(light)
    assert review.without_gold == (desk_repository.CLUSTER,)
    assert "Not compared with the training data" in markdown(review)


def test_the_incumbent_is_asked_what_is_new(desk: Path) -> None:
    home = f"scenarios/{desk_repository.CLUSTER}"
    change_of = sorted((desk / home / "core").glob("*.yaml"))
    change(desk, change_of[0].relative_to(desk).as_posix(), input=[{"role": "user", "content": "Where is it?"}])
    held = sorted((desk / home / "heldout").glob("*.yaml"))[0].relative_to(desk).as_posix()
    change(desk, held, input=[{"role": "user", "content": SECRET}])
    models = SimulatedModels()
    review = reviewed(desk, preview=True, models=models)
    git(desk, "reset", "--quiet", "--hard", "HEAD^1")
    (preview,) = review.previews
    assert preview.why_not == ""
    assert [one.scenario for one in preview.answers] == [change_of[0].stem]
    assert preview.answers[0].explanation
    (hidden,) = preview.withheld
    assert (hidden.set, hidden.scenarios) == (SetName.HELDOUT, 1)
    assert "lighthouse" not in whole(review)
    assert "What the present model answers" in markdown(review)


def test_why_no_model_was_asked_quotes_no_held_out(desk: Path) -> None:
    home = f"scenarios/{desk_repository.CLUSTER}"
    first = min((desk / home / "core").glob("*.yaml")).relative_to(desk).as_posix()
    change(desk, first, input=[{"role": "user", "content": "Where is it?"}])
    held = min((desk / home / "heldout").glob("*.yaml")).relative_to(desk).as_posix()
    change(desk, held, severity=SECRET)
    review = reviewed(desk, preview=True, models=SimulatedModels())
    git(desk, "reset", "--quiet", "--hard", "HEAD^1")
    (preview,) = review.previews
    assert preview.why_not == wiring_review.BROKEN
    assert "lighthouse" not in whole(review)
