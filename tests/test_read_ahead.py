"""What the hook's second process reads, and that it neither outlives the hook nor answers for another file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from runner.wiring_hook import read_ahead

LEAVES = """
import os
from runner.edges.aside import Aside
Aside(lambda: b"x" * 1_000_000)
os._exit(0)
"""


def test_what_nobody_asks_for_keeps_no_push_waiting() -> None:
    """The pipes close only when both processes have ended: what a server waits for before it answers a push."""
    subprocess.run([sys.executable, "-c", LEAVES], capture_output=True, check=True, timeout=20)


def test_an_answer_is_given_again_where_nothing_could_be_read(tmp_path: Path) -> None:
    """A base that holds a scenario which cannot be read is asked about by more than one step of the gate."""
    ahead = read_ahead(tmp_path, old="1" * 40, new="2" * 40)
    assert [ahead(), ahead()] == [{}, {}]
