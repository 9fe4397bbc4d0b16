"""Files of InstructLab, promptfoo, lm-evaluation-harness and Assay become clusters that check clean; nothing of them is
run, and nothing goes without being counted."""

from __future__ import annotations

import contextlib
import copy
import csv
import json
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from runner.cli.main import group
from runner.edges.adopt import sources
from runner.edges.adopt.folder import Folder
from runner.edges.adopt.foreign_yaml import ForeignDocument
from runner.edges.yaml_files import parse
from runner.errors import RecordError, exit_code
from runner.records.adoption import Format, ImportRecord, SourceFile
from runner.records.dataset import Example
from runner.records.rubric import Rubric, RubricStatus
from runner.records.scenario import Scenario
from runner.records.terms import Origin, SetName, Severity
from runner.rules.adopt.compose import Source, Wanted, compose
from runner.rules.adopt.instructlab import from_instructlab
from runner.rules.adopt.items import Item
from runner.rules.adopt.lm_eval_task import from_lm_eval
from runner.rules.adopt.promptfoo import from_promptfoo
from runner.rules.data.leakage import FrozenTexts
from runner.rules.data.new_cluster import NewCluster
from runner.rules.evaluation.grading import grade
from runner.rules.text.shown import shown
from runner.wiring import flywheel
from runner.wiring.check import survey
from tests.judged_fixture import JUDGE_AT, judge
from tests.judged_fixture import said as judge_bytes

ASSETS = Path(__file__).parent / "assets" / "imports"
TAXONOMY, FOO, LM = ASSETS / "taxonomy", ASSETS / "promptfoo" / "promptfooconfig.yaml", ASSETS / "lm_eval"


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("workspace")
    flywheel.initialise(home / "ws", remote="../store")
    return home


@pytest.fixture
def top(workspace: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(workspace, tmp_path / "home", symlinks=True)) / "ws"


def wanted(kind: Format, **more: object) -> Wanted:
    return Wanted(cluster="shop", format=kind, origin=Origin.HUMAN)._replace(**more)


def adopt(top: Path, kind: Format, *paths: Path, **more: str) -> NewCluster:
    return sources.import_files(top, Source(paths, **more), wanted(kind), push=True)


def record(top: Path, kind: Format) -> ImportRecord:
    path = f"clusters/shop/imports/{kind}.yaml"
    return parse((top / path).read_bytes(), ImportRecord, path=path)


def left(found: ImportRecord) -> dict[str, tuple[str, int]]:
    return {one.what: (one.why, one.count) for one in found.left_out}


def scenario(made: NewCluster, says: str):
    return next(one for found in made.scenarios.values() for one in found if says in one.input[-1].content)


def graded(made: NewCluster, says: str, answer: str) -> bool:
    one = scenario(made, says)
    return grade(one, {rubric.id: rubric for rubric in made.rubrics}[one.rubric], answer).passed


def test_a_taxonomy_becomes_a_cluster_that_checks_clean(top: Path) -> None:
    made = adopt(top, Format.INSTRUCTLAB, TAXONOMY)
    assert survey(top).problems == ()
    assert [one.id for one in made.cluster.capabilities] == ["hub-gears", "tidy-dates"]
    found = record(top, Format.INSTRUCTLAB)
    assert sum(found.parts.values()) == 20, "fifteen questions of knowledge and five of a skill"
    assert found.authors == ("workshop-team",)
    assert [one.name for one in found.files] == ["tidy_dates/qna.yaml", "hub_gears/qna.yaml"]
    assert "not fetched" in left(found)["the field document"][0]
    assert all(made.scenarios[name] for name in (SetName.CORE, SetName.DEV, SetName.HELDOUT))
    assert made.lock.sets[SetName.HELDOUT].scenarios == len(made.scenarios[SetName.HELDOUT])
    gold = (top / "clusters/shop/data/gold.jsonl").read_text().splitlines()
    assert {Example.model_validate_json(line).origin for line in gold} == {Origin.HUMAN}
    assert any((top.parent / "store").rglob("*")), "the data is in the store"


def test_a_passage_s_questions_stay_on_one_side(top: Path) -> None:
    made = adopt(top, Format.INSTRUCTLAB, TAXONOMY)
    where: dict[str, set[str]] = {}
    for name, found in made.scenarios.items():
        for one in found:
            where.setdefault(one.source, set()).add(name)
    adopted, _ = sources.read(Source((TAXONOMY,)), Format.INSTRUCTLAB)
    for passage in {one.together for one in adopted.items if one.together}:
        sets = {name for one in adopted.items if one.together == passage for name in where.get(one.place, {"data"})}
        assert len(sets) == 1


def test_a_skill_s_context_is_shown_and_a_passage_of_knowledge_is_not() -> None:
    adopted, _ = sources.read(Source((TAXONOMY,)), Format.INSTRUCTLAB)
    texts = {one.input[0].content: one.lens for one in adopted.items}
    (job,) = [text for text in texts if "Job 17: brake pads" in text]
    assert job.endswith("When was job 17 brought in, as the card writes it?")
    assert not any("keeps its wheels in oil" in text for text in texts)
    assert Counter(texts.values()) == {"knowledge": 15, "skill": 5}


def test_free_text_is_graded_by_its_words(top: Path) -> None:
    made = adopt(top, Format.INSTRUCTLAB, TAXONOMY)
    one = next(one for found in made.scenarios.values() for one in found if len(one.reference.split()) > 3)
    rubric = {rubric.id: rubric for rubric in made.rubrics}[one.rubric]
    assert grade(one, rubric, one.reference.upper() + "!").passed
    assert not grade(one, rubric, "Ask somebody else about it.").passed


def test_a_configuration_becomes_a_cluster_that_checks_clean(top: Path) -> None:
    made = adopt(top, Format.PROMPTFOO, FOO)
    assert survey(top).problems == ()
    assert (
        made.cluster.instruction == "You answer customers of the workshop in one short sentence.\nSay prices in euros."
    )
    assert {one.id for one in made.cluster.capabilities} >= {"prices", "loans", "words"}
    assert not any("workshop" in one.input[0].content for found in made.scenarios.values() for one in found)


@pytest.mark.parametrize(
    ("says", "right", "wrong"),
    [
        ("a new chain", "That is 35 Euros.", "As an AI, I say 35 euros."),
        ("hydraulic brakes", "Yes.", "No."),
        ("bled by Friday", "Done by FRIDAY.", "Next week."),
        ("bent rim", "wheels", "Wheels"),
        ("on Sundays", "We are closed.", "Come by."),
        ("job as JSON", '{"number": 17, "state": "done"}', '{"number": "17", "state": "done"}'),
        ("yellow loan bike", "yes", "no"),
    ],
)
def test_an_assertion_grades_as_it_did(says: str, right: str, wrong: str) -> None:
    adopted, _ = sources.read(Source((FOO,)), Format.PROMPTFOO)
    found = next(one for one in adopted.items if says in one.input[-1].content)
    assert passes(found, right)
    assert not passes(found, wrong)


def passes(item: Item, answer: str) -> bool:
    rubric = Rubric(id="r", title="t", status=RubricStatus.APPROVED, normalisation=item.check.normalisation,
                    criteria=item.check.criteria, pass_score=item.check.pass_score)  # fmt: skip
    one = Scenario(id="s", capability=item.capability, outcome_type=item.outcome, lens=item.lens, severity=Severity.LOW,
                   origin=Origin.HUMAN, objective=item.objective, input=item.input, reference=item.reference,
                   rubric="r", pass_criteria=item.passes, fail_criteria=item.fails)  # fmt: skip
    return grade(one, rubric, answer).passed


def test_what_cannot_be_mapped_is_named_and_counted(top: Path) -> None:
    adopt(top, Format.PROMPTFOO, FOO)
    found = record(top, Format.PROMPTFOO)
    out = left(found)
    assert out["the assertion javascript"] == ("it would run code", 2)
    assert out["the assertion rouge-n"][1] == 1
    assert out["the assertion latency"][1] == 7, "inherited by seven tests; the others do not take it over"
    assert out["the assertion llm-rubric"] == ("it asks a model: name a judge of the workspace with --judge", 1)
    assert out["the assertion similar"][1] == 1
    assert out["a file of tests"][1] == 1
    assert out["a test"] == ("it has no assertion that can be mapped", 1)
    assert out["the field providers"] == ("it says how promptfoo runs", 1)
    mapped = {one.what: (one.to, one.count) for one in found.mapped}
    assert mapped["the assertion equals"] == ("exact", 4)
    assert mapped["the assertion is-json"] == ("json-schema", 1)
    assert mapped["the assertion icontains-any"] == ("contains", 1)
    assert {one.name for one in found.files} == {"promptfooconfig.yaml", "desk.txt", "more.csv"}
    assert sum(found.parts.values()) == 11


def test_only_answers_that_are_known_whole_are_trained_on(top: Path) -> None:
    adopt(top, Format.PROMPTFOO, FOO)
    rows = [
        Example.model_validate_json(line)
        for part in ("base", "gold", "reference")
        for line in (top / f"clusters/shop/data/{part}.jsonl").read_text().splitlines()
    ]
    assert {row.answer for row in rows} <= {"wheels", "brakes", "straightening", "bonjour"}


@pytest.mark.parametrize(("kind", "path"), [(Format.INSTRUCTLAB, TAXONOMY), (Format.PROMPTFOO, FOO)])
def test_a_judge_stands_beside_what_counts_already(top: Path, kind: Format, path: Path) -> None:
    """It is pinned in the lock, and decides nothing before it is calibrated: the result checks clean as it is."""
    (top / "rubrics/judges").mkdir()
    (top / JUDGE_AT).write_bytes(judge_bytes(judge()))
    made = adopt(top, kind, path, judge="tone")
    assert survey(top).problems == ()
    judged = [one for rubric in made.rubrics for one in rubric.criteria if one.grader.kind == "judge"]
    assert judged
    assert not any(one.required for one in judged)
    assert [*made.lock.judges] == ["tone"]
    with pytest.raises(RecordError, match=r"rubrics/judges/nobody.yaml: there is no such judge"):
        sources.import_files(top, Source((path,), judge="nobody"), wanted(kind, cluster="other"))


def test_a_task_becomes_a_cluster_that_checks_clean(top: Path) -> None:
    made = adopt(top, Format.LM_EVAL, LM / "spokes.yaml")
    assert survey(top).problems == ()
    found = record(top, Format.LM_EVAL)
    out = left(found)
    assert out["the field num_fewshot"][0] == "a scenario is asked without examples"
    assert out["a text for training"] == ("it says nearly what a test says", 1), "the tyre's bead stands in both files"
    tested = {one.input[0].content for sets in made.scenarios.values() for one in sets}
    assert len(tested) == 10, "what the task keeps for tests is never trained on"
    assert sum(len(rows) for rows in made.examples.values()) == 5
    one = scenario(made, "squeals")
    assert one.reference == "a brake pad"
    assert one.input[0].content.startswith("Workshop question: What squeals when it is wet?\nAnswer:")
    assert one.input[0].content.endswith("- a saddle\n- a bell\n- a spoke\n- a brake pad")
    assert graded(made, "squeals", " a brake pad\n")
    assert not graded(made, "squeals", "a bell")
    frozen = FrozenTexts(made.scenarios[SetName.HELDOUT])
    assert frozen.leaks(row for rows in made.examples.values() for row in rows) == ()


@pytest.mark.parametrize(("asks", "listed"), [("a bell?", True), ("a bell or a brake?", False), ("which?", True)])
def test_choices_are_listed_where_the_prompt_does_not_show_them_all(tmp_path: Path, asks: str, listed: bool) -> None:
    (tmp_path / "task.yaml").write_text(
        "task: t\ndataset_path: json\ndataset_kwargs: {data_files: d.jsonl}\noutput_type: multiple_choice\n"
        "doc_to_text: q\ndoc_to_target: a\ndoc_to_choice: [a bell, a brake]\n"
    )
    (tmp_path / "d.jsonl").write_text(json.dumps({"q": asks, "a": 1}) + "\n")
    folder = Folder(tmp_path)
    (one,) = from_lm_eval(folder.document("task.yaml"), folder).items
    assert one.input[0].content == asks + "\n\nAnswer with one of:\n- a bell\n- a brake" * listed


def test_metrics_and_filters_are_mapped_or_counted() -> None:
    folder = Folder(LM)
    adopted = from_lm_eval(folder.document("recall.yaml"), folder)
    out = {one.what: one.why for one in adopted.tally.leaves}
    assert set(out) == {
        "generation_kwargs.until", "the filter regex", "the metric bleu", "the option regexes_to_ignore of a metric",
    }  # fmt: skip
    assert adopted.longest == 24
    item = next(one for one in adopted.items if "trued" in one.input[0].content)
    assert (item.reference, item.input[0].content) == ("spoke tension", "What is a rim trued by?")
    assert passes(item, "Spoke tension!")
    assert not passes(item, "tension")


def test_assay_s_scenarios_become_a_cluster(top: Path, data: Path) -> None:
    file = json.loads((data / "assay" / "adtech-public-metadata.json").read_bytes())
    made = adopt(top, Format.ASSAY, data / "assay" / "adtech-public-metadata.json")
    assert survey(top).problems == ()
    assert sum(map(len, made.scenarios.values())) == len(file["scenarios"])
    assert made.examples == {}
    assert record(top, Format.ASSAY).rule.startswith("the largest group of alike texts in core")
    assert {name: len(found) for name, found in made.scenarios.items() if found} == {
        SetName.CORE: 3,
        SetName.HELDOUT: 1,
    }


def test_a_larger_set_of_assay_s_is_divided(top: Path, data: Path, tmp_path: Path) -> None:
    file = json.loads((data / "assay" / "adtech-public-metadata.json").read_bytes())
    first, *_ = file["scenarios"]
    texts = ("bid floor of the sports desk", "pacing of a slow campaign", "a deal nobody bought", "viewable banners",
             "brand safety on news", "latency of one exchange", "frequency caps in May", "a broken tag")  # fmt: skip
    file["scenarios"] = [
        {**first, "id": f"{first['id']}-{number}", "input": {"messages": [{"role": "user", "content": text}]}}
        for number, text in enumerate(texts)
    ]
    path = tmp_path / "set.json"
    path.write_text(json.dumps(file))
    made = adopt(top, Format.ASSAY, path)
    assert survey(top).problems == ()
    assert all(made.scenarios[name] for name in (SetName.CORE, SetName.DEV, SetName.HELDOUT))


def test_the_same_files_make_the_same_cluster(workspace: Path, tmp_path: Path) -> None:
    tops = [Path(shutil.copytree(workspace, tmp_path / name, symlinks=True)) / "ws" for name in "ab"]
    made = [adopt(top, Format.PROMPTFOO, FOO) for top in tops]
    assert made[0] == made[1]


WRONG = {
    "python": ("task: t\ndoc_to_text: !function utils.text\n", r"task.yaml:2: doc_to_text: !function names Python"),
    "a tag": ("task: !!python/name:os.system\n", r"task.yaml:1: task: the tag .* are not read"),
    "a bomb": ("a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}, *{a}]\n"
        for a, b in zip("abcdefg", "bcdefgh", strict=True)), "more than 500,000 values"),
    "an alias in itself": ("a: &a [*a]\n", r"the alias \*a names nothing before it"),
    "a key twice": ("task: a\ntask: b\n", "task.yaml:2: task: this key stands here twice"),
    "deep": ("a: " + "[" * 100 + "]" * 100 + "\n", "nested deeper than 60"),
    "a hub dataset": ("task: t\ndataset_path: EleutherAI/arc\ndoc_to_text: q\ndoc_to_target: a\n",
                      r"task.yaml:2: dataset_path: its dataset EleutherAI/arc is not on this machine"),
    "a group": ("group: g\ntask:\n  - one\n  - two\n", "task.yaml:2: task: is a group of tasks"),
    "outside": ("task: t\ndataset_path: json\ndataset_kwargs: {data_files: ../../secret.jsonl}\ndoc_to_text: q\n"
                "doc_to_target: a\n", "lies outside of the folder"),
    "two documents": ("a: 1\n---\nb: 2\n", "task.yaml:2: a second document starts here"),
    "not YAML": ("a: [1\n", "task.yaml:2: is not YAML"),
    "a call": ("task: t\ndataset_path: json\ndataset_kwargs: {data_files: d.jsonl}\ndoc_to_text: '{{ range(9) }}'\n"
               "doc_to_target: a\n", "doc_to_text: the template calls range, which is not done here"),
    "an undefined name": ("task: t\ndataset_path: json\ndataset_kwargs: {data_files: d.jsonl}\n"
                          "doc_to_text: '{{ nothing }}'\ndoc_to_target: a\n", "'nothing' is undefined"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_gets_one_message_and_leaves_nothing(top: Path, tmp_path: Path, name: str) -> None:
    text, says = WRONG[name]
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "task.yaml").write_text(text)
    (tmp_path / "task" / "d.jsonl").write_text('{"q": "x", "a": "y"}\n')
    before = sorted(path for path in top.rglob("*") if ".hallmark" not in path.parts)
    with pytest.raises(RecordError, match=says) as caught:
        adopt(top, Format.LM_EVAL, tmp_path / "task" / "task.yaml")
    assert "\n" not in str(caught.value)
    assert exit_code(caught.value) == 1
    assert sorted(path for path in top.rglob("*") if ".hallmark" not in path.parts) == before


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("version: 1\nseed_examples: []\n", r"qna.yaml:1: version: has version 1 \(versions 2 and 3"),
        ("version: 3\nseed_examples: 3\n", "qna.yaml:2: seed_examples: is no list"),
        ("version: 2\nseed_examples:\n  - question: why?\n", r"seed_examples\[0\].answer: is missing, or says nothing"),
        ("- version: 2\n", "is no mapping"),
    ],
)
def test_a_wrong_taxonomy_is_told_by_its_place(top: Path, tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "skill").mkdir()
    (tmp_path / "skill" / "qna.yaml").write_text(text)
    with pytest.raises(RecordError, match=says):
        adopt(top, Format.INSTRUCTLAB, tmp_path / "skill")


def test_too_few_texts_are_told(top: Path, tmp_path: Path) -> None:
    (tmp_path / "qna.yaml").write_text("version: 2\nseed_examples:\n  - question: why?\n    answer: so\n")
    with pytest.raises(RecordError, match=r"holds 1 texts in 1 groups .* none are left for core, dev"):
        adopt(top, Format.INSTRUCTLAB, tmp_path / "qna.yaml")


def test_a_symbolic_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("a secret")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "prompt.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "in" / "c.yaml").write_text("prompts: [file://prompt.txt]\ntests: [{vars: {}}]\n")
    folder = Folder(tmp_path / "in")
    with pytest.raises(RecordError, match="lies outside of the folder"):
        from_promptfoo(folder.document("c.yaml"), folder)


def test_the_commands(top: Path) -> None:
    words = ["--cluster", "shop", "--origin", "human", "-C", str(top), "--no-push"]
    done = CliRunner().invoke(group, ["import", "promptfoo", str(FOO), *words])
    assert done.exit_code == 0, done.output
    assert "left out: 2 of the assertion javascript: it would run code" in done.output
    words[1] = "handbook"
    told = CliRunner().invoke(group, ["import", "instructlab", str(TAXONOMY), *words, "--json"])
    assert json.loads(told.output)["import"]["format"] == "instructlab"
    words[1] = "spokes"
    hub = f"acme/base@{'a' * 40}"
    told = CliRunner().invoke(group, ["import", "lm-eval", str(LM / "spokes.yaml"), *words, "--model", hub, "--json"])
    assert json.loads(told.output)["examples"] == {"gold": 4, "reference": 1}
    assert survey(top).problems == ()
    wrong = CliRunner().invoke(group, ["import", "lm-eval", str(LM / "spokes.yaml"), *words, "--model", "gpt"])
    assert "neither tiny nor ORG/NAME@COMMIT" in str(wrong.exception)


JUNK: tuple[object, ...] = (
    *(None, 0, -1, 1.5, True, "", "x", "\0", "{{", "{{ a.b }}", "file://x.txt", "file://../x"),
    *([], [1], [[]], [None], {}, {"a": 1}, {"type": 3}, {"": None}),
)


def places(value: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield at
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*at, key))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from places(one, (*at, number))


def mutated(value: Any, at: tuple[str | int, ...], junk: object) -> Any:
    if not at:
        return junk
    value = copy.deepcopy(value)
    inner = value
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = junk
    return value


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (Format.PROMPTFOO, FOO),
        (Format.INSTRUCTLAB, TAXONOMY / "knowledge/bicycles/hub_gears/qna.yaml"),
        (Format.INSTRUCTLAB, TAXONOMY / "compositional_skills/tidy_dates/qna.yaml"),
        (Format.LM_EVAL, LM / "spokes.yaml"),
        (Format.LM_EVAL, LM / "recall.yaml"),
    ],
)
def test_whatever_stands_at_a_place_is_read_or_told(kind: Format, path: Path) -> None:
    """Two hundred files with one value changed: each becomes a cluster, or gets an error that is one of ours."""
    folder = Folder(path.parent)
    value = folder.document(path.name).value
    chosen, every = random.Random(7), list(places(value))
    made = 0
    for _ in range(200):
        document = ForeignDocument(path.name, mutated(value, chosen.choice(every), chosen.choice(JUNK)), {})
        with contextlib.suppress(RecordError):
            match kind:
                case Format.PROMPTFOO:
                    adopted = from_promptfoo(document, folder)
                case Format.INSTRUCTLAB:
                    adopted = from_instructlab([("folder", document)])
                case _:
                    adopted = from_lm_eval(document, folder)
            compose(adopted, wanted(kind), files=[SourceFile(name=path.name, sha256="0" * 64)])
            made += 1
    assert 20 < made < 200, "some are still whole, and some are not"


def test_a_file_of_tests_that_names_itself_is_told(top: Path, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("prompts: ['{{q}}']\ntests: more.yaml\n")
    (tmp_path / "more.yaml").write_text("- more.yaml\n")
    with pytest.raises(
        RecordError, match=r"more.yaml:1: \[0\]: names too many files of tests, or one that names itself"
    ):
        adopt(top, Format.PROMPTFOO, tmp_path / "p.yaml")


def test_files_of_tests_that_name_one_another_very_often_are_told(top: Path, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("prompts: ['{{q}}']\ntests: [a.yaml]\n")
    (tmp_path / "a.yaml").write_text("- b.yaml\n" * 100)
    (tmp_path / "b.yaml").write_text("- c.yaml\n" * 100)
    (tmp_path / "c.yaml").write_text("[]\n")
    with pytest.raises(RecordError, match="names too many files of tests"):
        adopt(top, Format.PROMPTFOO, tmp_path / "p.yaml")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", r"gears/qna.yaml:1: is empty"),
        (b"version: 2\ntask_description: f\xfcr\n", r"gears/qna.yaml:2: is not YAML: .* \(save the file as UTF-8"),
        (b"version: [\n", r"gears/qna.yaml:2: is not YAML"),
    ],
)
def test_of_many_qna_files_the_wrong_one_is_named(top: Path, tmp_path: Path, data: bytes, says: str) -> None:
    shutil.copytree(TAXONOMY, tmp_path / "taxonomy")
    (tmp_path / "taxonomy/gears").mkdir()
    (tmp_path / "taxonomy/gears/qna.yaml").write_bytes(data)
    with pytest.raises(RecordError, match=says) as caught:
        adopt(top, Format.INSTRUCTLAB, tmp_path / "taxonomy")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("row", [{"question": "a b"}, {"question": "a b", "answer": None}])
def test_a_row_without_its_column_is_told_and_the_column_s_name_is_no_answer(
    top: Path, tmp_path: Path, row: dict[str, Any]
) -> None:
    rows = [row, *({"question": f"what are {n} of {n * 7}", "answer": f"a{n}"} for n in range(20))]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    (tmp_path / "task.yaml").write_text("task: t\ndoc_to_text: question\ndoc_to_target: answer\n")
    with pytest.raises(RecordError, match=r"data.jsonl:1: the target says nothing"):
        adopt(top, Format.LM_EVAL, tmp_path / "task.yaml", data="data.jsonl")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (
            "q,__expected\n" + "x" * 1_000_001 + ",equals:1\n",
            r"more.csv:2: is not CSV: .* \(close its quotes, or shorten",
        ),
        ("q,q\na,b\n", r'more.csv:1: has the column "q" twice'),
        ("q,__expected\na\n", r"more.csv:2: has 1 columns, the header 2 \(put fields that hold commas"),
        ("\n", r"more.csv:1: is empty \(start with a header"),
    ],
)
def test_wrong_csv_beside_a_configuration_is_told_with_what_to_do(
    top: Path, tmp_path: Path, data: str, says: str
) -> None:
    (tmp_path / "p.yaml").write_text("prompts: ['{{q}}']\ntests: more.csv\n")
    (tmp_path / "more.csv").write_text(data)
    with pytest.raises(RecordError, match=says):
        adopt(top, Format.PROMPTFOO, tmp_path / "p.yaml")


def test_a_long_cell_is_read_whatever_was_read_before(tmp_path: Path) -> None:
    """The limit of the csv module is the whole process's."""
    csv.field_size_limit(1000)
    (tmp_path / "rows.csv").write_text(f"q,a\n{'x' * 200_000},1\n")
    ((_, row),) = Folder(tmp_path).rows("rows.csv")
    assert len(row["q"]) == 200_000


def test_what_a_file_says_does_not_reach_the_terminal_as_it_is(top: Path, tmp_path: Path) -> None:
    questions = "".join(f"- question: what are {n} of {n * 7}\n  answer: a{n}\n" for n in range(20))
    (tmp_path / "gears").mkdir()
    (tmp_path / "gears/qna.yaml").write_text(f'version: 2\n"k\\e[31m\\u202e": 1\nseed_examples:\n{questions}')
    words = ["instructlab", str(tmp_path / "gears"), "--cluster", "shop", "--origin", "human", "-C", str(top)]
    done = CliRunner().invoke(group, ["import", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert not {"\x1b", "\u202e"} & {*done.output}
    assert "the field " + shown("k\x1b[31m\u202e") in done.output
