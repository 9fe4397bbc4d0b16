"""The door: every line is kept, a duplicate or quarantined, and nothing personal reaches a file."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from runner.edges import dvc_data
from runner.edges.door import ingest
from runner.edges.new_workspace import initialise
from runner.edges.traces.base import Quarantined
from runner.edges.traces.container import MAX_LINE
from runner.edges.traces.formats import Reader
from runner.edges.traces.held import Held
from runner.errors import DataError, RecordError
from runner.records.trace import Trace
from tests.reviewed_fixture import write


def line(text: str = "Where is my parcel?", **more: object) -> dict[str, object]:
    return {"request": {"model": "m", "messages": [{"role": "user", "content": text}]}, **more}


def log(path: Path, *documents: object) -> Path:
    path.write_bytes(b"".join((d if isinstance(d, bytes) else json.dumps(d).encode()) + b"\n" for d in documents))
    return path


def read(path: Path) -> list[object]:
    return list(Reader(Held()).read(path))


def one(tmp_path: Path, document: object) -> Trace | Quarantined:
    [found] = read(log(tmp_path / "one.jsonl", document))
    return found


@pytest.fixture
def top(tmp_path: Path) -> Path:
    directory = tmp_path / "ws"
    initialise(directory, remote="../store")
    (directory / "params.yaml").unlink()
    return write(directory)


@pytest.mark.parametrize(
    ("response", "said"),
    [
        ({"choices": [{"message": {"role": "assistant", "content": "Soon."}}]}, "Soon."),
        ({"choices": [{"message": {"content": None}}]}, ""),
        ({"choices": [{"message": {"content": [{"type": "text", "text": "Soon."}]}}]}, "Soon."),
        ({"content": "Soon."}, "Soon."),
        ("Soon.", "Soon."),
        (None, ""),
    ],
)
def test_responses_come_in_several_shapes(tmp_path, response, said):
    assert one(tmp_path, line(response=response)).response == said


@pytest.mark.parametrize(
    ("feedback", "rating", "correct"),
    [
        ({"rating": "good"}, "good", ""),
        ({"rating": "thumbs_down", "correction": "late"}, "bad", "late"),
        ({"rating": "UP"}, "good", ""),
        ({"rating": -1, "correct_answer": "late"}, "bad", "late"),
        ({"rating": True}, "good", ""),
        ("down", "bad", ""),
        ({"correct_answer": "mail a@b.com"}, "none", "mail [EMAIL]"),
        (None, "none", ""),
    ],
)
def test_feedback_comes_in_several_shapes(tmp_path, feedback, rating, correct):
    found = one(tmp_path, line(feedback=feedback)).feedback
    assert (found.rating, found.correct_answer) == (rating, correct)


def test_a_log_entry_of_the_flywheel_blueprint_is_read(tmp_path):
    entry = line(response="x", timestamp=1717430400, client_id="app", workload_id="agent.chat")
    found = one(tmp_path, entry)
    assert (found.timestamp, found.source) == ("2024-06-03T16:00:00Z", "app/agent.chat")
    assert one(tmp_path, line(timestamp=1717430400000)).timestamp == "2024-06-03T16:00:00Z"
    assert one(tmp_path, line(timestamp="2024-06-03T18:00:00+02:00")).timestamp == "2024-06-03T16:00:00Z"


SECRET = "4111111111111111 a@b.com"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"request": ' + SECRET.encode(), "is not JSON"),
        (b"\xff\xfe" + SECRET.encode(), "is not UTF-8: byte 0xff"),
        (b'{"x": NaN}', "is not JSON"),
        ([SECRET], "line: is no JSON object"),
        ({"request": {"messages": []}}, "request.messages: has no list of messages"),
        ({"request": SECRET}, "request.messages"),
        ({"request": {"messages": [{"role": "wizard", "content": SECRET}]}}, "request.messages[0].role"),
        ({"request": {"messages": [{"role": "user", "content": " "}]}}, "says nothing"),
        (
            {"request": {"messages": [{"role": "assistant", "content": SECRET}]}},
            "the last message is not the user's or a tool's",
        ),
        (line(feedback={"rating": SECRET}), "feedback.rating"),
        (line(timestamp=SECRET), "timestamp"),
        (line(response=[SECRET]), "response: is neither"),
        (line("\ud800"), "surrogate"),
        (b'{"request": "' + b"x" * MAX_LINE + b'"}', "is longer than 16,000,000 bytes"),
        (b"[" * 100_000, "is not JSON"),
    ],
)
def test_a_damaged_line_is_quarantined_and_nothing_of_it_is_quoted(tmp_path, bad, reason):
    found = read(log(tmp_path / "log.jsonl", line(), bad, line("Next")))
    assert [type(each).__name__ for each in found] == ["Trace", "Quarantined", "Trace"]
    assert found[1].line == 2
    assert reason in found[1].reason
    assert "4111" not in found[1].reason
    assert "a@b.com" not in found[1].reason


def test_read_is_kept_plus_quarantined_plus_duplicate(top, tmp_path):
    file = log(tmp_path / "log.jsonl", line(f"card {SECRET}"), line("b"), b"{", b"", line("b"))
    first = ingest(top, "desk", [file])
    assert (first.read, first.kept, first.duplicate, len(first.quarantined)) == (4, 2, 1, 1)
    assert first.redactions == {"card": 1, "email": 1}
    pointer = (top / "clusters/desk/data/signals.jsonl.dvc").read_bytes()
    again = ingest(top, "desk", [file])
    assert (again.read, again.kept, again.duplicate) == (4, 0, 3)
    assert (top / "clusters/desk/data/signals.jsonl.dvc").read_bytes() == pointer
    rows = (top / "clusters/desk/data/signals.jsonl").read_text().splitlines()
    assert [Trace.model_validate_json(row).input[0].content for row in rows] == ["card [CARD] [EMAIL]", "b"]
    kept = [path for path in top.rglob("*") if path.is_file() and b"a@b.com" in path.read_bytes()]
    assert kept == []
    status = subprocess.run(["git", "-C", str(top), "status", "--short", "-uall"], capture_output=True, check=True)
    assert b"quarantine" not in status.stdout
    assert b"signals.jsonl.dvc" in status.stdout


def test_a_fresh_clone_adds_to_what_the_pointer_names(top, tmp_path):
    ingest(top, "desk", [log(tmp_path / "a.jsonl", line("a"))])
    target = top / "clusters/desk/data/signals.jsonl"
    target.unlink()
    ingest(top, "desk", [log(tmp_path / "b.jsonl", line("b"))])
    assert len(target.read_text().splitlines()) == 2
    target.write_text("something else\n")
    ingest(top, "desk", [log(tmp_path / "c.jsonl", line("c"))])
    assert len(target.read_text().splitlines()) == 3
    assert [path.read_text() for path in (top / ".hallmark/set-aside").iterdir()] == ["something else\n"]


def test_bytes_that_are_not_those_recorded_are_refused(top, tmp_path):
    ingest(top, "desk", [log(tmp_path / "a.jsonl", line("a"))])
    target = top / "clusters/desk/data/signals.jsonl"
    pointer = dvc_data.pointer_path(target)
    pointer.write_text(pointer.read_text().replace("sha256: ", "sha256: " + "0" * 8)[:-9] + "\n")
    with pytest.raises(DataError, match="is not what was recorded"):
        dvc_data.fetch(top, target)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\n\n", "holds no line"),
        (b"{\n", "log.jsonl:1: no line can be read; the first is not JSON"),
    ],
)
def test_nothing_to_read_is_an_error_and_changes_nothing(top, tmp_path, content, says):
    (tmp_path / "log.jsonl").write_bytes(content)
    with pytest.raises(RecordError, match=says):
        ingest(top, "desk", [tmp_path / "log.jsonl"])
    assert not (top / "clusters/desk/data").exists()
    with pytest.raises(RecordError, match="there is no cluster nobody"):
        ingest(top, "nobody", [tmp_path / "log.jsonl"])
