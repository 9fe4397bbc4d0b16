"""What the long runs share: the real data, workspaces, and the command as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "acceptance"


def hallmark(*arguments: str, cwd: Path, timeout: float = 1200, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command as installed beside this Python; its output is shown."""
    command = [str(Path(sys.executable).parent / "hallmark"), *arguments]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    print(f"$ hallmark {' '.join(arguments)}", flush=True)
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=timeout)
    print(done.stdout, done.stderr, sep="", flush=True)
    if check and done.returncode != 0:
        pytest.fail(f"hallmark {' '.join(arguments)} exited {done.returncode}: {done.stderr[-2000:]}")
    return done


@pytest.fixture(scope="session")
def build() -> Path:
    BUILD.mkdir(parents=True, exist_ok=True)
    return BUILD
