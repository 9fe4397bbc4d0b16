"""How long `hallmark check` takes in a large repository, beside PyYAML's C loader on the same files in the same run.

    python benchmarks/repository.py [--scenarios 10000] [--json FILE]

Makes a workspace with scenarios of about 1.3 KB in a scratch directory and times, each in a fresh process: the check
of everything, the check of one changed file, and `yaml.load(Loader=CSafeLoader)` alone on the same files.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from runner.edges.yaml_files import dump
from runner.records.scenario import Scenario, SetName
from runner.rules.benchmark import locked

CAPABILITIES = [f"capability-{number:02d}" for number in range(40)]
SENTENCE = (
    "The customer writes that item {} of the order from last week came without its cable and wants the cable sent. "
)
PEER = """
import sys, time, yaml
from pathlib import Path
started = time.monotonic()
for path in sorted(Path(sys.argv[1]).rglob("*.yaml")):
    yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
print(time.monotonic() - started)
"""


def scenario(number: int, name: SetName) -> dict[str, object]:
    """A scenario of about 1.3 KB, as a mapping in the order that a person would write it."""
    capability = CAPABILITIES[number % len(CAPABILITIES)]
    return {
        "id": f"{name}-{number:05d}",
        "capability": capability,
        "outcome_type": ("tp", "tn", "fp-guard", "fn-guard")[number % 4],
        "lens": "customer",
        "severity": ("low", "medium", "high")[number % 3],
        "origin": "human",
        "objective": f"Tell {capability} from what lies next to it, in message {number}.",
        "input": [{"role": "user", "content": SENTENCE.format(number) * 8}],
        "reference": capability,
        "rubric": "benchmark-exact",
        "pass_criteria": ["The answer names the capability and nothing else.", "It does so in the words of the list."],
        "fail_criteria": ["The answer names another capability.", "The answer explains: one label is asked for."],
    }


def write(top: Path, scenarios: int) -> None:
    """A workspace with `scenarios` scenarios, three quarters of them in core, and no problem in it."""
    files: dict[str, object] = {
        "params.yaml": {"clusters": {"benchmark": {}}},
        "rubrics/benchmark-exact.yaml": {
            "id": "benchmark-exact",
            "title": "The right label",
            "status": "approved",
            "criteria": [{"id": "label", "description": "The label is right", "grader": {"kind": "exact"}}],
        },
        "clusters/benchmark/cluster.yaml": {
            "id": "benchmark",
            "title": "A benchmark",
            "base": {"kind": "tiny"},
            "serving": {"target": "cpu"},
            "benchmark_version": 1,
            "capabilities": [{"id": c, "title": c, "definition": f"What belongs to {c}"} for c in CAPABILITIES],
            "gate": {"thresholds": {"composite": 0.8, "heldout": 0.8}},
            "human_floor": 0.25,
        },
    }
    heldout = []
    for number in range(scenarios):
        name = SetName.HELDOUT if number % 4 == 0 else SetName.CORE
        value = scenario(number, name)
        files[f"scenarios/benchmark/{name}/{value['id']}.yaml"] = value
        if name is SetName.HELDOUT:
            heldout.append(Scenario.model_validate(value))
    lock = locked({SetName.HELDOUT: heldout}, version=1)
    files["clusters/benchmark/benchmark.lock"] = lock.model_dump(mode="json")
    for path, content in files.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_bytes(dump(content))
    problem = {
        "gap": "There is a gap",
        "why_not_real_data": "There is too little of it",
        "metric": "composite",
        "threshold": 0.8,
        "real_only_baseline": {"value": 0.5, "how": "measured"},
    }
    text = b"---\n" + dump(problem) + b"---\nWhy, in prose.\n"
    (top / "clusters/benchmark/problem.md").write_bytes(text)


def timed(command: list[str], *, repeat: int = 3) -> float:
    """Median seconds of a whole process. Raises `CalledProcessError` where it does not exit 0."""
    seconds = []
    for _ in range(repeat):
        started = time.monotonic()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.monotonic() - started)
    return statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenarios", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    hallmark = str(Path(sys.executable).parent / "hallmark")
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        write(top, arguments.scenarios)
        sizes = [path.stat().st_size for path in (top / "scenarios").rglob("*.yaml")]
        one = str(top / "scenarios/benchmark/core/core-00001.yaml")
        figures = {
            "files": len(sizes),
            "mean_bytes": round(statistics.mean(sizes)),
            "check_s": round(timed([hallmark, "check", "-C", folder]), 3),
            "check_one_s": round(timed([hallmark, "check", one]), 3),
            "pyyaml_c_loader_s": round(timed([sys.executable, "-c", PEER, folder]), 3),
        }
    figures["ratio"] = round(figures["check_s"] / figures["pyyaml_c_loader_s"], 2)
    print(json.dumps(figures, indent=1))
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
