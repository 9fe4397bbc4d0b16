"""What production logs is taken through phases 1 and 2 and fetched in memory that does not grow with it."""

from __future__ import annotations

import hashlib
import subprocess
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.edges import dvc_data
from runner.edges.artifacts import DirectoryArtifacts
from runner.edges.simulated import simulated_ports
from runner.errors import DataError
from runner.phases import p02_ingest
from runner.ports import Streamed
from runner.records.artifact import ARTIFACTS
from runner.records.trace import Feedback, Signal, Trace
from runner.workspace import Inputs
from tests.flywheel_fixture import fixture, user

FEW, MANY = 500, 5_000


def traces(number: int) -> bytes:
    rows = (
        Trace(
            input=user(f"message {n} of {number}, {'long ' * 40}"),
            response="refund",
            feedback=Feedback(correct_answer="login"),
        )
        for n in range(number)
    )
    return b"".join(row.model_dump_json().encode() + b"\n" for row in rows)


def laid(home: Path, number: int) -> DirectoryArtifacts:
    path = home / ARTIFACTS["traces"].path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(traces(number))
    return DirectoryArtifacts(home, {"traces": hashlib.sha256(path.read_bytes()).hexdigest()})


def peak(work: Callable[[], object]) -> int:
    """Bytes that Python held at most while it did `work`."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_phase_2_writes_what_it_does_not_hold(tmp_path: Path) -> None:
    space, _ = fixture()
    peaks = []
    for number in (FEW, MANY):
        artifacts = laid(tmp_path / str(number), number)

        def ingest(artifacts: DirectoryArtifacts = artifacts, number: int = number) -> None:
            output = p02_ingest.run(Inputs(space, artifacts), simulated_ports())
            for name, value in output.artifacts.items():
                artifacts.write(name, value)
            assert sum(1 for _ in artifacts.stream("signals", Signal)) == number

        ingest()  # what is imported and built once
        peaks.append(peak(ingest))
        assert artifacts.rows("signals", Signal) == tuple(artifacts.stream("signals", Signal))
    size = (tmp_path / str(MANY) / ARTIFACTS["signals"].path).stat().st_size
    assert peaks[1] < peaks[0] + 200_000
    assert peaks[1] < size / 2


def test_rows_that_are_not_the_recorded_ones_end_in_an_error_and_write_nothing(tmp_path: Path) -> None:
    space, _ = fixture()
    artifacts = laid(tmp_path, 20)
    with (tmp_path / ARTIFACTS["traces"].path).open("ab") as file:
        file.write(traces(1))
    with pytest.raises(DataError, match="is recorded"):
        p02_ingest.run(Inputs(space, artifacts), simulated_ports())
    with pytest.raises(DataError, match="is missing"):
        next(artifacts.stream("gold", Trace))
    lazy = Streamed(lambda: artifacts.stream("traces", Trace), count=21)
    artifacts.write("unique", ())
    before = artifacts.digest("unique")
    with pytest.raises(DataError, match="is recorded"):
        artifacts.write("unique", lazy)
    assert artifacts.digest("unique") == before


def test_streamed_rows_are_a_sequence() -> None:
    rows = [Feedback(correct_answer=str(n)) for n in range(9)]
    lazy = Streamed(lambda: iter(rows), count=9)
    assert (list(lazy), len(lazy), lazy[2], lazy[-1], lazy[2:5]) == (rows, 9, rows[2], rows[8], rows[2:5])
    assert list(lazy) == rows, "gone through anew"
    with pytest.raises(IndexError):
        lazy[9]


def test_a_fetched_file_is_copied_in_blocks_and_checked_before_it_is_in_its_place(tmp_path: Path) -> None:
    top = tmp_path / "repo"
    subprocess.run(["git", "init", "--quiet", str(top)], check=True)
    dvc_data.initialise(top, "../store")
    path = top / "data.jsonl"
    path.write_bytes(b"0123456789abcdef" * (1 << 20))  # 16 MiB
    dvc_data.track(top, [path])
    wanted = path.read_bytes()
    path.unlink()
    assert peak(lambda: dvc_data.fetch(top, path)) < 6 << 20
    assert path.read_bytes() == wanted
    (cached,) = (one for one in (top / ".dvc" / "cache").rglob("*") if one.is_file() and one.stat().st_size > 1 << 20)
    cached.chmod(0o644)
    cached.write_bytes(wanted[:-1] + b"!")
    path.write_bytes(b"mine")
    with pytest.raises(DataError, match="md5"):
        dvc_data.fetch(top, path)
    assert path.read_bytes() == b"mine"
    assert list((top / ".hallmark" / "fetched").iterdir()) == []
