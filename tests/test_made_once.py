"""A world that is made once for all workers of a test run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.made_once import made_once


def test_of_many_who_ask_at_once_one_makes_it_and_none_sees_it_half_made(tmp_path: Path) -> None:
    made = []

    def make(home: Path) -> None:
        made.append(home)
        home.mkdir()
        (home / "one").touch()
        (home / "two").touch()

    with ThreadPoolExecutor(8) as pool:
        homes = list(pool.map(lambda _: sorted(made_once(tmp_path, "world", make).iterdir()), range(8)))
    assert made == [tmp_path / "world"]
    assert homes == [[tmp_path / "world" / "one", tmp_path / "world" / "two"]] * 8


def test_what_failed_half_way_is_made_anew(tmp_path: Path) -> None:
    def fail(home: Path) -> None:
        home.mkdir()
        (home / "left").touch()
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        made_once(tmp_path, "world", fail)
    assert list(made_once(tmp_path, "world", Path.mkdir).iterdir()) == []
