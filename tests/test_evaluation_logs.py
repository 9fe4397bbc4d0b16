"""Other programs' logs: the real examples import with the scores that they record, and ours come back as they went."""

from __future__ import annotations

import json
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
import zstandard

from runner.edges.logs import archive
from runner.edges.logs.archive import ZSTD
from runner.edges.logs.inspect_log import read_inspect
from runner.edges.logs.kept import Log
from runner.edges.logs.lm_eval_log import read_lm_eval
from runner.errors import RecordError
from runner.records.evaluation import StageName
from runner.records.terms import SetName
from runner.rules.evaluation.evaluations import sample_id
from runner.rules.evaluation.foreign_logs import ForeignLog, ForeignSample, imported, rescored
from runner.wiring import flywheel
from runner.wiring import logs as wiring_logs
from tests.desk_repository import CLUSTER, make
from tests.printed import ROOT
from tests.test_evaluate import evaluate, said

HELDOUT_WORDS = "heldout-broken-01"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("logs"))


@pytest.mark.parametrize(
    ("name", "samples", "scorer", "mean"),
    [
        ("2025-02-11T15-18-04-05-00_popularity_mj7khqpMM4GBCfVQozKgzB.eval", 10, "match", 0.8),
        ("2025-05-12T20-27-36-04-00_browser.json", 1, "includes", 1.0),
        ("log_formats.eval", 1, "match", 0.0),
        ("log_formats.json", 1, "match", 0.0),
    ],
)
def test_inspects_examples_have_the_scores_that_they_record(
    data: Path, name: str, samples: int, scorer: str, mean: float
) -> None:
    log = read_inspect(data / "inspect_logs" / name)
    found = imported(log)
    assert found.recomputed == {scorer: samples}
    assert found.differing == ()
    assert log.stated == {scorer: mean}
    assert sum(one.grade.passed for one in found.samples) == mean * samples
    assert all(one.grade.answer and one.input for one in found.samples)


def test_an_example_becomes_an_evaluation(data: Path, desk: Path) -> None:
    file = data / "inspect_logs" / "2025-02-11T15-18-04-05-00_popularity_mj7khqpMM4GBCfVQozKgzB.eval"
    text = said(desk, "import", CLUSTER, str(file), "--format", "inspect")
    assert "0.800 (0.490 to 1.000)  8 of 10 passed" in text
    assert "every score is the recorded one" in text
    run = next(one for one in wiring_logs.listed(desk) if one.model.name == "openai/gpt-4o-mini")
    shown = wiring_logs.shown(desk, run.id, failed=True)
    assert [(one.grade.scenario, one.grade.answer) for one in shown.samples] == [("3", "No"), ("7", "No")]


def test_a_score_that_is_not_the_recorded_one_is_named(data: Path, tmp_path: Path) -> None:
    said_ = json.loads((data / "inspect_logs" / "log_formats.json").read_bytes())
    said_["samples"][0]["scores"]["match"]["value"] = "C"
    said_["results"]["scores"][0]["metrics"]["accuracy"]["value"] = 1.0
    (tmp_path / "raised.json").write_text(json.dumps(said_))
    found = imported(read_inspect(tmp_path / "raised.json"))
    assert found.differing == (
        "1: match is 0, and 1 was recorded",
        "the mean of match is 0.000000, and 1.000000 was recorded",
    )
    assert found.samples[0].grade.passed is False


@pytest.mark.parametrize("form", ["inspect.eval", "inspect.json", "lm-eval"])
def test_an_export_comes_back_as_it_went(desk: Path, tmp_path: Path, form: str) -> None:
    went = evaluate(desk, stages=[StageName.CORE, StageName.ROBUSTNESS])
    format = "lm-eval" if form == "lm-eval" else "inspect"
    target = tmp_path / form
    files = wiring_logs.export(desk, went.run.id, target, format=format)
    again = tmp_path / "again" / form
    copies = wiring_logs.export(desk, went.run.id, again, format=format)
    assert [path.read_bytes() for path in files] == [path.read_bytes() for path in copies], "the same bytes"
    kept, found = wiring_logs.import_log(desk, CLUSTER, target, format=format)
    assert [one.differing for one in found if one.differing] == []
    assert sum(sum(one.recomputed.values()) for one in found) == 2 * went.run.counts.asked
    assert Log.open(kept.log).marks().by_key == Log.open(went.log).marks().by_key
    assert {name: one.composite for name, one in kept.run.sets.items()} == {
        name: one.composite for name, one in went.run.sets.items()
    }


def test_no_text_of_held_out_leaves(desk: Path, tmp_path: Path) -> None:
    kept = evaluate(desk, stages=[StageName.HELDOUT])
    scenarios = flywheel.workspace(desk, CLUSTER).scenarios[SetName.HELDOUT]
    texts = {one.input[-1].content for one in scenarios}
    inspect, lm_eval = tmp_path / "log.eval", tmp_path / "lm"
    wiring_logs.export(desk, kept.run.id, inspect, format="inspect")
    wiring_logs.export(desk, kept.run.id, lm_eval, format="lm-eval")
    with zipfile.ZipFile(inspect) as made:
        written = b"".join(made.read(name) for name in made.namelist())
    written += b"".join(path.read_bytes() for path in lm_eval.iterdir())
    assert HELDOUT_WORDS.encode() in written
    assert not [text for text in texts if text.encode() in written]
    back = wiring_logs.import_log(desk, CLUSTER, inspect, format="inspect").kept.run
    assert back.sets["heldout"].composite == kept.run.sets["heldout"].composite


def test_answers_to_held_out_that_come_from_elsewhere_are_graded_and_let_go(desk: Path, tmp_path: Path) -> None:
    (tmp_path / "results_1.json").write_text(json.dumps({"results": {"desk": {"exact_match,none": 0.5}}}))
    rows = [
        {"doc_id": place, "doc": {"id": f"heldout-refund-0{place}"}, "target": "refund", "filter": "none",
         "arguments": {"gen_args_0": {"arg_0": "secret words"}}, "filtered_resps": [answer],
         "metrics": ["exact_match"], "exact_match": right}
        for place, (answer, right) in enumerate([("Refund ", 0.0), ("refund", 1.0)])
    ]  # fmt: skip
    (tmp_path / "samples_desk_1.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    kept, found = wiring_logs.import_log(desk, CLUSTER, tmp_path, format="lm-eval")
    assert found[0].differing == ()
    assert kept.run.sets["heldout"].passed == 2, "our rubric strips and lowers"
    assert (
        b"secret words"
        not in zstandard.ZstdDecompressor().stream_reader(kept.log.read_bytes(), read_across_frames=True).read()
    )


SCORED = [
    ("match", {}, "The answer is: YES.", " yes", 1.0),
    ("match", {"location": "begin"}, "Yes, it is", "yes", 1.0),
    ("match", {"ignore_case": False}, "YES", "yes", 0.0),
    ("match", {"location": "exact"}, "(yes)", "yes", 1.0),
    ("match", {"numeric": True}, "42", "42", None),
    ("includes", {}, "The Refund queue", "refund", 1.0),
    ("includes", {"ignore_case": False}, "The Refund queue", "refund", 0.0),
    ("exact", {}, "The  Late, Parcel!", "late parcel", 1.0),
    ("exact", {}, "3.0", "3", 1.0),
    ("exact", {}, "", "the", 0.0),
    ("exact_match", {"ignore_case": True, "ignore_punctuation": True}, "Late-Parcel", "lateparcel", 1.0),
    ("exact_match", {}, "refund", "refund ", 0.0),
    ("model_graded_qa", {}, "anything", "anything", None),
]


@pytest.mark.parametrize(("name", "options", "answer", "target", "score"), SCORED)
def test_scorers_are_those_of_the_programs(
    name: str, options: dict[str, Any], answer: str, target: str, score: float | None
) -> None:
    assert rescored(name, ForeignSample("1", (target,), answer, {}), options) == score


def test_a_choice_is_the_likeliest() -> None:
    one = ForeignSample("1", ("2",), "", {"acc": 1.0}, choices=(-3.0, -2.5, -0.1))
    assert rescored("acc", one, {}) == 1.0
    log = ForeignLog("arc", "m", "lm-eval", {"acc": {}}, [one], {"acc": 1.0})
    assert imported(log).differing == ()


def test_lm_evals_own_shapes_are_read(tmp_path: Path) -> None:
    """As `EvaluationTracker` writes them: responses as text, several targets as Python writes a list."""
    results = {
        "results": {"qa": {"alias": "qa", "exact_match,strict": 0.5, "exact_match_stderr,strict": 0.5}},
        "configs": {"qa": {"metric_list": [{"metric": "exact_match", "ignore_case": True}]}},
        "config": {"model": "hf"}, "model_name": "tiny", "lm_eval_version": "0.4.13",
    }  # fmt: skip
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "results_2026-01-01T00-00-00.json").write_text(json.dumps(results))
    rows = [
        {"doc_id": 0, "doc": {"q": "?"}, "target": "['Yes', 'Yep']", "arguments": {"gen_args_0": {"arg_0": "Q: ?"}},
         "resps": [["yep"]], "filtered_resps": ["yep"], "filter": "strict", "metrics": ["exact_match"],
         "exact_match": 1.0},
        {"doc_id": 1, "doc": {"q": "!"}, "target": "No", "arguments": {}, "resps": [["x"]], "filtered_resps": ["x"],
         "filter": "strict", "metrics": ["exact_match"], "exact_match": 0.0},
        {"doc_id": 0, "doc": {"q": "?"}, "target": "No", "arguments": {}, "resps": [["x"]], "filtered_resps": ["no"],
         "filter": "flexible", "metrics": ["exact_match"], "exact_match": 1.0},
    ]  # fmt: skip
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "m" / "samples_qa_2026-01-01T00-00-00.jsonl").write_text(text)
    (log,) = read_lm_eval(tmp_path)
    assert [one.targets for one in log.samples] == [("Yes", "Yep"), ("No",)], "one filter"
    found = imported(log)
    assert (found.recomputed, found.differing) == ({"exact_match": 2}, ())
    assert [one.grade.scenario for one in found.samples] == ["qa-0", "qa-1"]
    assert (log.model, log.engine) == ("tiny", "lm-eval 0.4.13")


def zipped(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(f"{name}.json", data)
    return path


def test_members_packed_with_zstd_are_read(tmp_path: Path) -> None:
    """As Inspect writes them since 2026; what unpacks to more than it says is refused."""
    header = json.dumps({"eval": {"task": "t", "model": "m"}}).encode()
    for name, size in (("whole", len(header)), ("lies", len(header) - 1)):
        path = zipped(tmp_path / f"{name}.eval", header=b"x" * size)
        data = bytearray(path.read_bytes())
        packed = zstandard.ZstdCompressor().compress(header)
        path.write_bytes(with_method(bytes(data), packed, header, size))
        if name == "whole":
            assert read_inspect(path).task == "t"
        else:
            with pytest.raises(RecordError, match="not what the directory says"):
                read_inspect(path)


def with_method(data: bytes, packed: bytes, raw: bytes, size: int) -> bytes:
    """A zip archive with one member, `header.json`, packed with zstd."""
    import struct
    import zlib

    name, crc = b"header.json", zlib.crc32(raw[:size])
    local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, ZSTD, 0, 33, crc, len(packed), size, len(name), 0)
    central = struct.pack(
        "<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, 0, ZSTD, 0, 33, crc, len(packed), size, len(name), 0, 0, 0, 0, 0, 0
    )
    start = len(local) + len(name) + len(packed)
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 1, 1, len(central) + len(name), start, 0)
    return local + name + packed + central + name + end


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("log.eval", b"PK\3\4 cut off", "is no zip archive"),
        ("log.json", b"[1, 2]", "is no JSON object"),
        ("log.json", b'{"eval": {"task": 3}}', "names no task and model"),
        ("log.json", b'{"eval": {"task": "t", "model": "m"}, "samples": [4]}', "sample without an id"),
        ("log.json", b"[" * 100_000, "is no JSON"),
    ],
)
def test_what_is_no_inspect_log_is_told(tmp_path: Path, name: str, data: bytes, problem: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(RecordError, match=problem):
        read_inspect(tmp_path / name)


def test_a_member_that_unpacks_to_too_much_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "bomb.eval", header=b"0" * 2_000_000)
    monkeypatch.setattr(archive, "MAX_MEMBER", 1_000_000)
    with pytest.raises(RecordError, match="unpacks to 2,000,000 bytes"):
        read_inspect(path)
    monkeypatch.setattr(archive, "MAX_TOTAL", 1_000_000)
    with pytest.raises(RecordError, match="in 1 files"):
        read_inspect(path)


def test_a_member_that_says_less_than_it_unpacks_to_takes_no_more_memory(tmp_path: Path) -> None:
    path = zipped(tmp_path / "lies.eval", header=b"0" * (64 << 20))
    data = bytearray(path.read_bytes())
    sizes = [data.index(mark) + at for mark, at in ((b"PK\3\4", 22), (b"PK\1\2", 24))]
    for at in sizes:
        data[at : at + 4] = (100).to_bytes(4, "little")
    path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(RecordError, match=r"header.json cannot be unpacked: Bad CRC"):
        read_inspect(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.parametrize(("method", "problem"), [(12, "packed by method 12"), (14, "packed by method 14")])
def test_a_member_that_is_packed_in_no_way_of_inspects_is_refused(tmp_path: Path, method: int, problem: str) -> None:
    with zipfile.ZipFile(tmp_path / "odd.eval", "w", method) as made:
        made.writestr("header.json", b"{}")
    with pytest.raises(RecordError, match=problem):
        read_inspect(tmp_path / "odd.eval")


def test_lm_eval_without_samples_says_how_to_get_them(tmp_path: Path) -> None:
    (tmp_path / "results_1.json").write_text('{"results": {"qa": {}}}')
    with pytest.raises(RecordError, match="--log_samples"):
        read_lm_eval(tmp_path)
    with pytest.raises(RecordError, match="not called results"):
        read_lm_eval(tmp_path / "results.json")


def test_what_json_does_not_have_does_no_harm(desk: Path, tmp_path: Path) -> None:
    """Halves of characters, numbers without end, escape codes, the same id again and again."""
    one = {
        "epoch": 1,
        "target": "x\ud800",
        "output": {"choices": [{"message": {"role": "assistant", "content": "\x1b[2Jgone \ud800"}}],
                   "usage": {"output_tokens": -4}},
        "scores": {"match": {"value": "I"}, "odd": {"value": float("nan")}, "big": {"value": 10**400}, "no": 3},
        "messages": [{"role": "user", "content": [{"type": "text", "text": "attachment://a"}, {"type": "image"}]}],
        "attachments": {"a": "the prompt"},
    }  # fmt: skip
    samples = [{**one, "id": name} for name in (1, 1, "1-2", 1, "../../etc", "ÜÜ" * 80, "")]
    text = json.dumps({"eval": {"task": "?", "model": ""}, "samples": samples, "results": {"scores": 4}})
    (tmp_path / "hard.json").write_text(text)
    kept = wiring_logs.import_log(desk, CLUSTER, tmp_path / "hard.json", format="inspect").kept
    logged = list(Log.open(kept.log).samples())
    assert len({sample.grade.scenario for sample in logged}) == len(samples), "none stands for another"
    assert {sample.grade.answer for sample in logged} == {"\x1b[2Jgone ?"}
    assert logged[0].recorded == {"match": 0.0}
    assert logged[0].input[0].content == "the prompt"
    assert (kept.run.counts.tokens, kept.run.counts.asked) == (0, len(samples))
    shown = said(desk, "show", kept.run.id, "--failed")
    assert "\x1b" not in shown
    assert "\\u001b[2Jgone ?" in shown


ODD: tuple[Any, ...] = (3, True, [1], [[]], {"a": [1]}, [{"role": ["user"], "content": "x"}], "../x")


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_fields_of_another_shape_than_their_programs_write_do_no_harm(tmp_path: Path, odd: Any) -> None:
    row = {"doc_id": 0, "doc": {}, "target": "x", "arguments": {"g": {"a": "Q"}}, "filtered_resps": ["x"],
           "filter": "none", "metrics": ["exact_match"], "exact_match": 1.0}  # fmt: skip
    configs = {"t": {"metric_list": odd}}
    results = {"results": {"t": {"exact_match,none": 1.0}, "a/../b": {}}, "configs": configs, "model_name": odd}
    (tmp_path / "results_1.json").write_text(json.dumps(results))
    for name in row:
        (tmp_path / "samples_t_1.jsonl").write_text(json.dumps(row | {name: odd}))
        assert len(imported(read_lm_eval(tmp_path)[0]).samples) == 1
    sample = {"id": "a", "target": "t", "output": {"choices": [{"message": {"content": "t"}}]},
              "scores": {"match": {"value": 1}}, "messages": [{"role": "user", "content": "q"}]}  # fmt: skip
    scores = [{"name": odd, "scorer": odd, "metrics": {"mean": {"value": 1.0}}}]
    for name in (*sample, "input", "attachments", "metadata", "epoch"):
        log = {"eval": {"task": "t", "model": "m"}, "samples": [{**sample, name: odd}], "results": {"scores": scores}}
        (tmp_path / "log.json").write_text(json.dumps(log))
        assert len(imported(read_inspect(tmp_path / "log.json")).samples) == 1


def test_no_sample_stands_for_another(desk: Path, tmp_path: Path) -> None:
    """Addresses as ids, and two tasks of one id."""
    for task in ("one", "two"):
        rows = [
            {"doc_id": place, "doc": {"id": name}, "target": "refund", "filtered_resps": ["refund"],
             "metrics": ["exact_match"], "exact_match": 1.0}
            for place, name in enumerate(["x@post.example", "x@mail.example", "x", "x@typos", "core-refund-01"])
        ]  # fmt: skip
        (tmp_path / f"samples_{task}_1.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "results_1.json").write_text(json.dumps({"results": {"one": {}, "two": {}}}))
    kept = wiring_logs.import_log(desk, CLUSTER, tmp_path, format="lm-eval").kept
    samples = list(Log.open(kept.log).samples())
    assert [one.grade.scenario for one in samples][:5] == ["x", "x-2", "x-3", "x", "core-refund-01"]
    assert [one.perturbation for one in samples][:5] == ["none", "none", "none", "typos", "none"]
    assert len({sample_id(one) for one in samples}) == len(samples) == 10
    target = tmp_path / "again.eval"
    wiring_logs.export(desk, kept.run.id, target, format="inspect")
    assert len(read_inspect(target).samples) == 10


def test_what_a_log_calls_held_out_is_withheld_though_no_scenario_is_called_so(tmp_path: Path) -> None:
    one = ForeignSample("retired", ("secret",), "secret answer", {"match": 1.0}, metadata={"set": "heldout"})
    (sample,) = imported(ForeignLog("t", "m", "e", {"match": {}}, [one], {})).samples
    assert sample.withheld
    assert "secret" not in sample.model_dump_json()


def test_parts_within_parts_are_no_text(tmp_path: Path) -> None:
    content: Any = "x"
    for _ in range(400):
        content = [{"type": "text", "text": content}]
    sample = {"id": "a", "output": {"choices": [{"message": {"content": content}}]}}
    (tmp_path / "log.json").write_text(json.dumps({"eval": {"task": "t", "model": "m"}, "samples": [sample]}))
    assert imported(read_inspect(tmp_path / "log.json")).samples[0].grade.answer == ""


def test_a_log_that_lm_eval_wrote_is_read_with_the_scores_that_it_records() -> None:
    """`tests/assets/lm-eval` is what lm_eval 0.4.13 wrote of its dummy model on two tasks of four documents."""
    logs = {log.task: log for log in read_lm_eval(ROOT / "tests" / "assets" / "lm-eval")}
    found = {task: imported(log) for task, log in logs.items()}
    assert {task: one.recomputed for task, one in found.items()} == {"toy": {"exact_match": 4}, "toymc": {"acc": 4}}
    assert [one.differing for one in found.values()] == [(), ()]
    assert {task: log.stated for task, log in logs.items()} == {"toy": {"exact_match": 0.5}, "toymc": {"acc": 0.5}}
    assert [one.grade.passed for one in found["toy"].samples] == [True, False, True, False]
