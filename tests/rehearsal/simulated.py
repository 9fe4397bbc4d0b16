"""`hallmark` with models in memory, as a program: `python -m tests.rehearsal.simulated iterate desk`.

Models, generators and what compares texts are simulated, and the clock with them; git, DVC, keys and the forge are not.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from runner.cli.main import main
from runner.edges.simulated import simulated_ports
from runner.ports import Ports
from runner.wiring import flywheel
from runner.workspace import Workspace

_REAL = flywheel.ports


def _ports(path: Path, space: Workspace, **options: Any) -> Ports:
    real = _REAL(path, space, **options)
    return replace(simulated_ports(), dump_yaml=real.dump_yaml, adapters=real.adapters)


if __name__ == "__main__":
    flywheel.ports = _ports
    main()
