"""Fixtures that several tests share."""

from __future__ import annotations

import pytest

from runner.edges.simulated import MemoryArtifacts, simulated_ports
from tests.flywheel_fixture import fixture


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
