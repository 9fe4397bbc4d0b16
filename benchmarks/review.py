"""How long `hallmark review` takes on a change of 500 scenarios, whole process, each run from a cold start.

    python -m benchmarks.review [--scenarios 2000] [--changed 500] [--json FILE]

Makes a repository of scenarios whose messages are four of the embedded example's each, adds, rewords and removes as
many in one commit that also changes the rubric and a threshold, and times the review in two of its forms.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.repository import scenario, write
from runner.edges.yaml_files import dump, load
from runner.records.terms import SetName

WHO = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com")
LIMIT_S = 2.0
EXAMPLES = Path(__file__).resolve().parent.parent / "scenarios" / "support-desk"


def git(top: Path, *arguments: str) -> None:
    subprocess.run(["git", *WHO, "-C", str(top), *arguments], check=True, capture_output=True)


def said() -> list[str]:
    """What people wrote, in the embedded example."""
    files = sorted(EXAMPLES.rglob("*.yaml"))
    return [load(path.read_bytes(), path=path.name).value["input"][-1]["content"] for path in files]


def put(top: Path, name: SetName, number: int, texts: Sequence[str]) -> None:
    value = scenario(number, name)
    value["input"] = [{"role": "user", "content": " ".join(random.Random(number).sample(texts, 4))}]
    (top / f"scenarios/benchmark/{name}/{value['id']}.yaml").write_bytes(dump(value))


def timed(command: Sequence[str]) -> tuple[float, float]:
    """Median seconds of five whole processes, and the fewest seconds of CPU, which another program at work lengthens
    less. Raises `CalledProcessError` where one does not exit 0."""
    seconds, cpu = [], []
    for _ in range(5):
        started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(time.monotonic() - started)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return round(statistics.median(seconds), 3), round(min(cpu), 3)


def change(top: Path, scenarios: int, changed: int) -> None:
    """Two in five are new, two reworded, one removed; the rubric and a threshold change with them."""
    core, texts = sorted((top / "scenarios/benchmark/core").glob("*.yaml")), said()
    part = changed * 2 // 5
    for number in range(part):
        put(top, SetName.CORE, scenarios + number, texts)
    for path in core[:part]:
        value = load(path.read_bytes(), path=path.name).value
        value["input"][-1]["content"] = f"Hello again. {value['input'][-1]['content']}"
        path.write_bytes(dump(value))
    for path in core[-(changed - 2 * part) :]:
        path.unlink()
    for path, old, new in (
        (top / "rubrics/benchmark-exact.yaml", "status: approved", "status: approved\nnormalisation:\n  - strip"),
        (top / "clusters/benchmark/cluster.yaml", "composite: 0.8", "composite: 0.7"),
    ):
        path.write_text(path.read_text().replace(old, new))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenarios", type=int, default=2_000)
    parser.add_argument("--changed", type=int, default=500)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    hallmark = str(Path(sys.executable).parent / "hallmark")
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        write(top, arguments.scenarios)
        texts = said()
        for number in range(arguments.scenarios):
            put(top, SetName.CORE if number % 4 else SetName.HELDOUT, number, texts)
        git(top, "init", "--quiet", "--initial-branch=main")
        for message in ("before", "after"):
            if message == "after":
                change(top, arguments.scenarios, arguments.changed)
            git(top, "add", "--all")
            git(top, "commit", "--quiet", "--message", message)
        command = [hallmark, "review", "HEAD^1", "HEAD", "-C", folder, "--format"]
        figures: dict[str, float] = {"scenarios": arguments.scenarios, "changed": arguments.changed}
        for form in ("markdown", "github"):
            figures[f"{form}_s"], figures[f"{form}_cpu_s"] = timed([*command, form])
    print(json.dumps(figures, indent=1))
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")
    if os.getloadavg()[0] > (os.cpu_count() or 1):
        print(f"other programs are at work: {LIMIT_S} s are not asked for", file=sys.stderr)
    elif arguments.scenarios <= 2_000 and figures["markdown_s"] > LIMIT_S:
        sys.exit(f"a review of {arguments.changed} scenarios took {figures['markdown_s']} s, over {LIMIT_S}")


if __name__ == "__main__":
    main()
