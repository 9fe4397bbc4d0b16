"""Labelled text becomes a cluster that checks clean; wrong input gets one message and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner import survey_files, workspace
from runner.edges import dvc_data, import_csv
from runner.edges.dvc_data import pointer_path
from runner.edges.import_csv import WHOLE, import_labelled
from runner.edges.new_workspace import initialise
from runner.edges.readers import DirectoryReader
from runner.edges.yaml_files import line_of, parse
from runner.errors import RecordError
from runner.records.dataset import Example
from runner.records.params import Params
from runner.records.pointer import DataPointer
from runner.records.scenario import SetName
from runner.records.trace import Trace
from runner.rules.canonical import sha256
from runner.rules.data.labelled_answers import Request

REQUEST = Request(cluster="bank", real_only=0.5, label_column="category")
LABELS = ("card_lost", "Größe falsch", "退款")
PARTS = ("base", "gold", "traffic", "core", "dev", "heldout")


def rows(part: str) -> list[str]:
    return [f'"{part}, {number}: {label}?",{label}' for label in LABELS for number in (1, 2)]


def csv(path: Path, lines: list[str], header: str = "text,category") -> Path:
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return {part: csv(tmp_path / f"{part}.csv", rows(part)) for part in PARTS}


@pytest.fixture
def top(tmp_path: Path) -> Path:
    initialise(tmp_path / "ws", remote="../store")
    return tmp_path / "ws"


def tree(top: Path) -> dict[str, bytes]:
    """Every file but git's and DVC's own, and the lock of imports."""
    skipped = {".git", ".dvc", "import.lock"}
    found = (path for path in top.rglob("*") if path.is_file() and skipped.isdisjoint(path.relative_to(top).parts))
    return {path.relative_to(top).as_posix(): path.read_bytes() for path in found}


def test_a_cluster_is_made_and_checks_clean(top, files):
    made = import_labelled(top, files, REQUEST)
    reader = DirectoryReader(top)
    assert survey_files.survey(reader, parse=parse, locate=line_of).problems == ()
    loaded = workspace.load(reader, "bank", parse=parse)
    names = [capability.id for capability in loaded.cluster.capabilities]
    assert names[:2] == ["groe-falsch", "card-lost"]
    assert names[2].startswith("label-")
    asked = (SetName.CORE, SetName.DEV, SetName.HELDOUT)
    assert {name: len(found) for name, found in loaded.scenarios.items()} == {
        name: 6 * (name in asked) for name in SetName
    }
    assert not (top / "scenarios/bank/reserve").exists()
    first = loaded.scenarios[SetName.CORE][0]
    assert (first.id, first.reference, first.rubric) == ("core-card-lost-001", "card_lost", "bank-exact")
    assert first.input[0].content == "core, 1: card_lost?"
    assert loaded.lock == made.lock
    home = top / "clusters/bank"
    assert (home / "promotions/.gitkeep").exists()
    assert (top / "scenarios/bank/representative/.gitkeep").exists()
    for name, kind, count in (
        ("base", Example, 6),
        ("gold", Example, 6),
        ("signals", Trace, 6),
        ("reference", Example, 0),
    ):
        data = (home / f"data/{name}.jsonl").read_bytes()
        assert len([kind.model_validate_json(row) for row in data.splitlines()]) == count
        pointer = parse(pointer_path(home / f"data/{name}.jsonl").read_bytes(), DataPointer, path="p")
        assert pointer.meta.sha256 == sha256(data) == loaded.digests[f"data/{name}"]


def test_traffic_comes_through_the_door(top, files, tmp_path):
    csv(files["traffic"], ['"call +44 20 7946 0958 or a@b.com, order 4812345678",card_lost'])
    [trace] = import_labelled(top, files, REQUEST).traces
    assert trace.input[0].content == "call [PHONE] or [EMAIL], order 4812345678"
    assert trace.redactions == {"email": 1, "phone": 1}
    assert (trace.response, trace.feedback.correct_answer) == ("", "card_lost")
    assert trace.source == "import:traffic.csv:2"


def test_dvc_reads_the_pipeline_of_a_new_cluster(top, files):
    import_labelled(top, files, REQUEST)
    with dvc_data.opened(top) as repo:
        stages = [stage.addressing for stage in repo.index.stages]
        waiting = repo.status(targets=[f"{top}/dvc.yaml:intake@bank"])
    assert {"intake@bank", "bundle@bank"} <= {name.rpartition(":")[2] for name in stages}
    [changes] = waiting.values()
    deps = next(change["changed deps"] for change in changes if "changed deps" in change)
    assert len(deps) > 10
    assert "deleted" not in deps.values()


def test_the_same_files_make_the_same_bytes(tmp_path, files):
    for name in ("one", "two"):
        initialise(tmp_path / name, remote="../store")
        import_labelled(tmp_path / name, files, REQUEST)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_held_out_texts_do_not_train(top, files):
    csv(files["gold"], [*rows("gold"), '"HELDOUT,  1: card_lost?",card_lost'])
    csv(files["core"], [*rows("core"), '"heldout, 2: card_lost?",card_lost'])
    made = import_labelled(top, files, REQUEST)
    assert [(row.part, row.line, row.kept_in) for row in made.left_out] == [
        ("core", 8, "heldout"),
        ("gold", 8, "heldout"),
    ]
    assert len(made.examples["gold"]) == 6
    assert survey_files.survey(DirectoryReader(top), parse=parse, locate=line_of).problems == ()


def test_a_text_given_twice_keeps_two_ids(top, files):
    csv(files["base"], [*rows("base"), *rows("base")])
    ids = [example.id for example in import_labelled(top, files, REQUEST).examples["base"]]
    assert len(ids) == len(set(ids)) == 12


def test_a_second_cluster_leaves_the_first_as_it_was(top, files):
    import_labelled(top, files, REQUEST)
    before = tree(top)
    with (top / "params.yaml").open("a") as file:
        file.write("  # a remark\n")
    import_labelled(top, files, REQUEST._replace(cluster="shop"))
    after = tree(top)
    assert {path for path in before if before[path] != after[path]} == {"params.yaml"}
    assert b"# a remark" in after["params.yaml"]
    assert set(parse(after["params.yaml"], Params, path="params.yaml").clusters) == {"bank", "shop"}


def test_the_real_only_baseline_is_measured_when_not_given(top, files):
    made = import_labelled(top, files, REQUEST._replace(real_only=None))
    baseline = made.problem.real_only_baseline
    assert baseline.value > 0.5
    assert "dev (6 texts)" in baseline.how


def test_of_many_texts_a_sample_is_measured_and_said_so(top, files, monkeypatch):
    monkeypatch.setattr(import_csv, "MOST_LEARNT", 5)
    learnt = []

    def accuracy(self, train, test, *, seed: int) -> float:
        learnt.append(train)
        return 0.25

    monkeypatch.setattr(import_csv.LinearTextClassifier, "accuracy", accuracy)
    baseline = import_labelled(top, files, REQUEST._replace(real_only=None)).problem.real_only_baseline
    assert baseline.value == 0.25
    assert "trained on 5 of the 12 texts of base and gold" in baseline.how
    [taken] = learnt
    assert len(set(taken)) == 5
    assert {label for _, label in taken} == set(LABELS)


def test_it_says_what_it_does_and_how_far_it_is(top, tmp_path):
    path = one_file(tmp_path / "all.csv", {"refund": 40, "parcel": 40})
    told = []
    made = import_labelled(top, {WHOLE: path}, REQUEST._replace(real_only=None), progress=lambda *now: told.append(now))
    assert list(dict.fromkeys(what for what, _ in told)) == [
        "looking for alike texts", "measuring what real data alone reaches", "writing files",
    ]  # fmt: skip
    writing = [share for what, share in told if what == "writing files"]
    assert len(writing) > sum(map(len, made.scenarios.values()))
    assert writing == sorted(writing)
    assert 0 == writing[0] < writing[-1] < 1


def test_a_problem_statement_of_ones_own_is_used(top, files, tmp_path):
    own = tmp_path / "problem.md"
    front = (
        "gap: g\nwhy_not_real_data: w\nmetric: composite\nthreshold: 0.6\nreal_only_baseline: {value: 0.4, how: h}\n"
    )
    own.write_text(f"---\n{front}---\nOur words.\n")
    made = import_labelled(top, files, REQUEST._replace(problem_file=str(own)))
    assert made.problem.gap == "g"
    assert "Our words." in (top / "clusters/bank/problem.md").read_text()


WRONG = {
    "missing column": (b"text,label\nx,card_lost\n", 'core.csv:1: has no column "category"'),
    "empty file": (b"", "core.csv:1: is empty"),
    "header alone": (b"text,category\n", "core.csv:1: has a header and no rows"),
    "unseen label": (b"text,category\nx,card_lost\ny,card_list\n", 'core.csv:3: the label "card_list" is unseen'),
    "not UTF-8": (b"text,category\nx,card_lost\ncaf\xe9,card_lost\n", "core.csv:3: is not UTF-8: byte 0xe9"),
    "a line of 20 MB": (
        b"text,category\n" + b"x" * 20_000_000 + b",card_lost\n",
        "core.csv:2: is longer than 1,000,000",
    ),
    "a header twice": (b"text,category,text\nx,card_lost,y\n", 'core.csv:1: has the column "text" twice'),
    "a ragged row": (b"text,category\nx,y,card_lost\n", "core.csv:2: has 3 columns, the header 2"),
    "an empty text": (b"text,category\nx,card_lost\n ,card_lost\n", "core.csv:3: has an empty text"),
    "an empty label": (b"text,category\nx,\n", "core.csv:2: has an empty label"),
    "an open quote": (b'text,category\n"x,card_lost\n', "core.csv:2: is not CSV"),
    "all held out": (b'text,category\n"heldout, 1: card_lost?",card_lost\n', "core.csv: every text of --core"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_gets_one_message_and_leaves_nothing(top, files, name):
    data, says = WRONG[name]
    files["core"].write_bytes(data)
    before = tree(top)
    with pytest.raises(RecordError) as caught:
        import_labelled(top, files, REQUEST)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert tree(top) == before


def test_labels_of_one_name_are_refused(top, files):
    csv(files["base"], ["a,card lost", "b,card_lost"])
    with pytest.raises(RecordError, match='the labels "card lost" and "card_lost" have the same name, card-lost'):
        import_labelled(top, files, REQUEST)


def test_a_name_that_is_bad_or_taken_is_refused(top, files):
    with pytest.raises(RecordError, match="such as the-bank"):
        import_labelled(top, files, REQUEST._replace(cluster="The Bank"))
    import_labelled(top, files, REQUEST)
    before = tree(top)
    with pytest.raises(RecordError, match="clusters/bank: is there already"):
        import_labelled(top, files, REQUEST)
    assert tree(top) == before


def test_a_failure_half_way_is_undone(top, files, monkeypatch):
    before = tree(top)

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("runner.edges.new_cluster.dvc_data.track", fail)
    with pytest.raises(OSError, match="disk full"):
        import_labelled(top, files, REQUEST)
    assert tree(top) == before


WEATHER = '{"intent": "weather", "slots": {"city": "%s"}}'
SCHEMA = '{"type": "object", "required": ["intent", "slots"]}'
STRUCTURED = Request(
    cluster="voice", real_only=0.5, label_column="label", answer_column="answer", answer_field="intent", schema=SCHEMA
)


def structured(path: Path, part: str, *answers: str) -> Path:
    lines = [
        f'"{part} {number}: weather?",Weather,"{one.replace(chr(34), chr(34) * 2)}"'
        for number, one in enumerate(answers)
    ]
    return csv(path, lines, header="text,label,answer")


def test_a_cluster_whose_answers_are_objects_checks_clean(top, files):
    for part, path in files.items():
        structured(path, part, WEATHER % f"Oslo {part}", WEATHER % "Rome")
    made = import_labelled(top, files, STRUCTURED)
    assert survey_files.survey(DirectoryReader(top), parse=parse, locate=line_of).problems == ()
    assert made.cluster.answer_field == "intent"
    assert [one.id for one in made.cluster.capabilities] == ["weather"]
    assert made.scenarios[SetName.CORE][0].reference == WEATHER % "Oslo core"
    assert made.examples["gold"][1].answer == made.traces[1].feedback.correct_answer == WEATHER % "Rome"
    assert [one.grader.kind for one in made.rubrics[0].criteria] == ["json-schema", "json-fields"]
    assert made.cluster.serving.max_new_tokens >= len(WEATHER % "Oslo base") / 2


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("Oslo", "is no JSON object"),
        ('{"intent": "news", "slots": {}}', 'does not name the label "Weather" under "intent"'),
        ('{"intent": "weather"}', "does not conform to the schema"),
        (" ", "has an empty answer"),
    ],
)
def test_an_object_that_is_not_as_it_should_be_is_named(top, files, answer, problem):
    for part, path in files.items():
        structured(path, part, WEATHER % part)
    structured(files["gold"], "gold", WEATHER % "Rome", answer)
    before = tree(top)
    with pytest.raises(RecordError, match=problem) as caught:
        import_labelled(top, files, STRUCTURED)
    assert caught.value.line == 3
    assert tree(top) == before


def test_a_reserve_is_kept_apart_from_what_trains_and_what_is_asked(top, files, tmp_path):
    files["reserve"] = csv(tmp_path / "reserve.csv", [*rows("reserve"), *rows("core")[:1], *rows("heldout")[:1]])
    made = import_labelled(top, files, REQUEST)
    loaded = workspace.load(DirectoryReader(top), "bank", parse=parse)
    assert len(loaded.scenarios[SetName.RESERVE]) == 7
    assert loaded.scenarios[SetName.RESERVE][0].id == "reserve-card-lost-001"
    assert {(row.part, row.kept_in) for row in made.left_out} == {("core", "reserve"), ("reserve", "heldout")}
    assert "scenarios/reserve" in loaded.digests
    assert "scenarios/general" not in loaded.digests


def one_file(path: Path, counts: dict[str, int]) -> Path:
    """A file of texts that say different things; so many of each label."""
    words = ("blue", "late", "broken", "paid", "asked", "again", "today", "never", "twice", "box", "card", "mail")
    lines = []
    for label, count in counts.items():
        for number in range(count):
            chosen = [words[(number * step + len(label)) % len(words)] for step in (1, 3, 5)]
            lines.append(
                f"{label} {' '.join(chosen)} {number} {chr(97 + number % 26) * 5} {label[0] * 4}{number},{label}"
            )
    return csv(path, lines)


def test_one_file_is_divided_and_recorded(top, tmp_path):
    path = one_file(tmp_path / "all.csv", {"refund": 40, "parcel": 40, "login": 40, "rare": 1})
    made = import_labelled(top, {WHOLE: path}, REQUEST)
    assert survey_files.survey(DirectoryReader(top), parse=parse, locate=line_of).problems == ()
    assert [one.id for one in made.cluster.capabilities] == ["login", "parcel", "refund"]
    base = [row.capability for row in made.examples["base"]]
    assert {label: base.count(label) for label in base} == {"login": 5, "parcel": 5, "refund": 5}
    assert made.record is not None
    assert sum(made.record.parts.values()) == 120
    assert made.record.parts["traffic"] == len(made.traces) > 0
    (left,) = made.record.left_out
    assert (left.what, left.count) == ("the label rare", 1)
    assert "two are needed" in left.why
    sources = [one.source for found in made.scenarios.values() for one in found]
    assert len(set(sources)) == len(sources)
    assert all(one.startswith("all.csv:") for one in sources)
    assert made.params.diagnose.target_below == made.cluster.gate.thresholds.composite, (
        "what the gate refuses is aimed at"
    )
    written = parse((top / "params.yaml").read_bytes(), Params, path="params.yaml").clusters["bank"]
    assert written == made.params


def test_traffic_may_stand_beside_one_file(top, tmp_path):
    path = one_file(tmp_path / "all.csv", {"refund": 20, "parcel": 20})
    log = csv(tmp_path / "log.csv", ["something new entirely about refunds,refund"])
    made = import_labelled(top, {WHOLE: path, "traffic": log}, REQUEST)
    assert "something new entirely about refunds" in {trace.input[0].content for trace in made.traces}


def test_another_seed_divides_otherwise(tmp_path):
    path = one_file(tmp_path / "all.csv", {"refund": 30, "parcel": 30})
    heldout = []
    for name, seed in (("one", 7), ("two", 7), ("three", 8)):
        initialise(tmp_path / name, remote="../store")
        made = import_labelled(tmp_path / name, {WHOLE: path}, REQUEST, seed=seed)
        heldout.append({one.source for one in made.scenarios[SetName.HELDOUT]})
    assert heldout[0] == heldout[1] != heldout[2]


def test_too_few_rows_are_told(top, tmp_path):
    path = one_file(tmp_path / "all.csv", {"refund": 2})
    before = tree(top)
    with pytest.raises(RecordError, match=r"has 2 rows, and none are left for .*core"):
        import_labelled(top, {WHOLE: path}, REQUEST)
    assert tree(top) == before


def test_rows_of_labels_that_have_one_text_are_told_as_the_reason(top, tmp_path):
    rows = [f"text number {n} of {n * 7},label {n}" for n in range(20)]
    (tmp_path / "all.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    with pytest.raises(RecordError, match=r"none are left for .*; 20 were left out: its label has one text"):
        import_labelled(top, {WHOLE: tmp_path / "all.csv"}, Request(cluster="c"))
