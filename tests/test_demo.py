"""What the demonstration decides and adds up; `make demo` runs the rest for real."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from runner.cli.demo import demo
from runner.demo import MACHINES, PEOPLE, empty, environment
from runner.errors import RecordError
from runner.records.conversation import Message, Role
from runner.records.ledger import Entry, EntryKind
from runner.records.scenario import Origin
from runner.records.triage import Choice, Decision, TriageFile
from runner.rules.data.demonstration import choose, compute_seconds, vocabulary


def decision(text: str, origin: Origin) -> Decision:
    said = (Message(role=Role.USER, content=text),)
    return Decision(candidate=text, capability="refund", origin=origin, input=said, answer="refund")


def entry(sequence: int, **measured: float) -> Entry:
    return Entry(
        cluster="desk", sequence=sequence, previous=None, kind=EntryKind.PHASE, iteration="desk-1", measured=measured
    )


def test_the_owner_accepts_customers_and_rejects_what_nobody_would_write():
    human = decision("where is my money back", Origin.HUMAN)
    known = vocabulary(TriageFile(cluster="desk", iteration="desk-1", decisions=(human,)))
    assert choose(human, known)[0] is Choice.ACCEPT
    assert choose(decision("where is my money", Origin.SYNTHETIC), known)[0] is Choice.ACCEPT
    choice, reason = choose(decision("whe mone smasbales my", Origin.SYNTHETIC), known)
    assert choice is Choice.REJECT
    assert reason


def test_one_import_of_the_model_libraries_counts_ascompute_seconds():
    entries = [entry(1, compute_s=10.0, import_s=4.0), entry(2, compute_s=20.0), entry(3, compute_s=30.0, import_s=5.0)]
    assert compute_seconds(entries) == 55.0


@pytest.mark.parametrize(
    ("left", "deleted"),
    [
        ([], True),
        (["keys/rowan"], True),  # killed while it made its keys
        ([*(f"keys/{name}" for name in (*PEOPLE, *MACHINES)), "desk/params.yaml", "summary.json"], True),
        (["thesis.txt"], False),
        (["keys/id_ed25519"], False),
        (["keys/rowan", "thesis.txt"], False),
        (["keys/rowan", "keys/ci", "keys/gate", "keys/id_ed25519"], False),
    ],
)
def test_only_what_an_earlier_demonstration_left_is_deleted(tmp_path: Path, left: list[str], deleted: bool) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for path in left:
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).touch()
    if deleted:
        empty(home)
        assert not home.exists()
    else:
        with pytest.raises(RecordError, match="which would be deleted"):
            empty(home)
        assert all((home / path).is_file() for path in left)


def test_the_command_deletes_nobody_elses_files(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    done = CliRunner().invoke(demo, ["--directory", str(tmp_path), "--until", "start"])
    assert isinstance(done.exception, RecordError)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_no_other_repository_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a hook of git's, which has its own repository in the environment."""
    monkeypatch.setenv("GIT_DIR", "elsewhere/.git")
    monkeypatch.setenv("LANG", "C.UTF-8")
    found = environment("ash")
    assert "GIT_DIR" not in found
    assert (found["LANG"], found["GIT_AUTHOR_NAME"]) == ("C.UTF-8", "ash")
