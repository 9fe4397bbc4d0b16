"""`hallmark` with models in memory, as a program: `python -m tests.rehearsal.simulated iterate desk`.

Models, generators and what compares texts are simulated, and the clock with them; git, DVC, keys and the forge are not.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from runner import wiring
from runner.cli.main import main
from runner.edges.simulated import simulated_ports
from runner.flywheel import Flow

_REAL = wiring.flow


def _flow(directory: Path, name: str, **options: Any) -> Flow:
    real = _REAL(directory, name, **options)
    ports = replace(simulated_ports(), dump_yaml=real.ports.dump_yaml, adapters=real.ports.adapters)
    return replace(real, ports=ports)


if __name__ == "__main__":
    wiring.flow = _flow
    main()
