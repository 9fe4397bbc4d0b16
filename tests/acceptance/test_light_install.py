"""What CI installs to answer a pull request: the core alone, in a fresh environment, as the workflow `check` does. Its
size and time are printed; it must do its work without the libraries of the extras."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from runner.edges.forge_files import SOURCES, forge_files
from tests.governed_desk import GovernedDesk

pytestmark = pytest.mark.acceptance
ROOT = Path(__file__).parents[2]
MOST = 150 * 10**6
"""Bytes of installed packages, pip among them."""
HEAVY = ("torch", "dvc", "transformers", "peft", "trl", "sklearn", "matplotlib", "rensa", "aiohttp", "textual", "boto3")


@dataclass(frozen=True)
class Light:
    python: Path
    packages: Path

    @property
    def hallmark(self) -> Path:
        return self.python.with_name("hallmark")


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Light:
    """Installed from this repository's files, by the line that this repository's own workflow has."""
    home = tmp_path_factory.mktemp("light")
    source, environment = home / "source", home / "environment"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = environment / "bin" / "python"
    install = SOURCES.command("here")
    assert install in (ROOT / ".github" / "workflows" / "check.yaml").read_text()
    started = time.monotonic()
    done = subprocess.run([python, *install.split()[1:]], cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seconds = time.monotonic() - started
    (packages,) = (environment / "lib").glob("python3*/site-packages")
    sizes = sorted(((size(path), path.name) for path in packages.iterdir()), reverse=True)
    whole = sum(number for number, _ in sizes)
    named = ", ".join(f"{name} {number / 1e6:.0f}" for number, name in sizes[:6])
    print(f"\nlight install: {seconds:.1f} s, {whole / 1e6:.0f} MB in {len(sizes)} entries ({named})", flush=True)
    assert whole < MOST
    return Light(python, packages)


def size(path: Path) -> int:
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file() and not one.is_symlink()]
    return sum(file.stat().st_size for file in files)


@pytest.fixture(scope="module")
def clone(finished: GovernedDesk, tmp_path_factory: pytest.TempPathFactory) -> tuple[GovernedDesk, Path]:
    """A clone of a workspace with one promotion, whose last merge is that promotion."""
    desk = finished.copy(tmp_path_factory.mktemp("promoted") / "home")
    desk.propose()
    desk.approve("ash", "hazel")
    desk.merge()
    top = desk.home / "clone"
    subprocess.run(["git", "clone", "--quiet", str(desk.origin), str(top)], check=True)
    return desk, top


def test_nothing_heavy_is_there(light: Light) -> None:
    program = f"import importlib.util as u; print([name for name in {HEAVY!r} if u.find_spec(name)])"
    done = subprocess.run([light.python, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("check", r"\d+ files, 0 problems"),
        ("fmt --check", r"0 of \d+ files would be laid out anew"),
        ("review HEAD^1 HEAD", r"A change of promotion"),
        ("review HEAD^1 HEAD --format markdown", r"<!-- hallmark-review -->"),
        ("gate HEAD^1 HEAD --offline", r": pass$"),
        ("verify --root ROOT", r"1 promotions verified: pass"),
        ("ci plan HEAD^1 HEAD --json", r'"clusters"'),
        ("triggers --all", r"support-desk: "),
        ("status", r"support-desk "),
        ("policy lint", r": pass"),
        ("doctor", r"ok +python +Python 3\.\d+\.\d+, extras none; without "),
    ],
)
def test_what_a_pull_request_asks_of_it(
    light: Light, clone: tuple[GovernedDesk, Path], command: str, says: str
) -> None:
    desk, top = clone
    words = [desk.root if word == "ROOT" else word for word in command.split()]
    environment = desk.environment()
    environment["PATH"] = f"{light.python.parent}:{os.environ['PATH']}"
    started = time.monotonic()
    done = subprocess.run(
        [light.hallmark, *words], cwd=top, env=environment, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    print(f"{command}: {time.monotonic() - started:.2f} s", flush=True)
    assert done.returncode == 0, said
    assert re.search(says, said, re.MULTILINE), said


def test_a_workspace_s_own_workflow_is_as_light() -> None:
    """What `hallmark ci files` gives to others installs no extra to answer a pull request either."""
    workflow = yaml.safe_load(forge_files("github")[".github/workflows/check.yaml"])
    jobs = [workflow["jobs"][name] for name in ("records", "gate")]
    runs = [step["run"] for job in jobs for step in job["steps"] if step.get("name") == "Install"]
    assert len(runs) == 2
    assert not any("[" in run for run in runs), runs
