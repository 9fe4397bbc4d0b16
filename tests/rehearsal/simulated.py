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


def simulate() -> None:
    """Put models in memory behind every command of this process."""
    real = flywheel.ports

    def simulated(path: Path, space: Workspace, **options: Any) -> Ports:
        outside = real(path, space, **options)
        return replace(simulated_ports(), dump_yaml=outside.dump_yaml, adapters=outside.adapters)

    flywheel.ports = simulated


if __name__ == "__main__":
    simulate()
    main()
