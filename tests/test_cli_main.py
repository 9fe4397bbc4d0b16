"""How the `hallmark` command ends where it has an error of its own."""

from __future__ import annotations

import sys

import pytest

from runner.cli import main
from runner.errors import ExitCode


def test_a_bug_shows_its_traceback_and_exits_as_a_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python's own exit code would be 1, by which CI takes it for a refusal."""

    def broken(*_: object, **__: object) -> None:
        raise LookupError("nobody thought of this")

    monkeypatch.setattr(main.group, "main", broken)
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == ExitCode.BUG
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "this is a bug in Hallmark, please report it: nobody thought of this" in said
