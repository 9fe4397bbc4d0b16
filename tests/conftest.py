"""Fixtures that several tests share."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.edges.simulated import MemoryArtifacts, simulated_ports
from tests.flywheel_fixture import fixture
from tests.governed_desk import GovernedDesk
from tests.made_once import made_once

DATA = Path(os.environ.get("HALLMARK_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def data() -> Path:
    """The real data, which is no part of the project."""
    if not DATA.is_dir():
        if os.environ.get("HALLMARK_REQUIRE_DATA") == "1":
            pytest.fail(f"the real data is not at {DATA}; set HALLMARK_DATA")
        pytest.skip(f"the real data is not at {DATA}; set HALLMARK_DATA to run this")
    return DATA


@pytest.fixture(scope="session", autouse=True)
def runtime() -> Iterator[Path]:
    """Where the gate that stays between pushes sits, and goes when this goes. A socket's path must be short."""
    with tempfile.TemporaryDirectory(prefix="hallmark-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


@pytest.fixture(autouse=True)
def small_numbers() -> Iterator[None]:
    """Models round numbers below 1e-308 to zero in the thread they run in; the next test may count on them."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)


@pytest.fixture
def desk():
    """The small cluster in memory: its workspace and the data behind its pointers."""
    return fixture()


@pytest.fixture
def workspace(desk):
    return desk[0]


@pytest.fixture
def artifacts(desk):
    return MemoryArtifacts(desk[1])


@pytest.fixture
def ports():
    return simulated_ports()


@pytest.fixture(scope="session")
def shared_folder(pytestconfig, tmp_path_factory) -> Path:
    """A folder of this run, the same for all of its workers."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if hasattr(pytestconfig, "workerinput") else own


@pytest.fixture(scope="session")
def governed(shared_folder, tmp_path_factory) -> GovernedDesk:
    """A governed repository before its first iteration. Work in a copy."""
    home = made_once(shared_folder, "governed-desk", lambda home: GovernedDesk(home, "support-desk").make())
    return GovernedDesk(home, "support-desk").copy(tmp_path_factory.mktemp("governed") / "home")


@pytest.fixture(scope="session")
def finished(governed, shared_folder, tmp_path_factory) -> GovernedDesk:
    """The same with an iteration through its bundle, nothing proposed. Work in a copy."""

    def make(home: Path) -> None:
        assert governed.copy(home).turn().verdict.passed

    home = made_once(shared_folder, "finished-desk", make)
    return GovernedDesk(home, "support-desk").copy(tmp_path_factory.mktemp("finished") / "home")
