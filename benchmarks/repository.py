"""How long `hallmark check` takes in a large repository, beside check-jsonschema, yamllint and PyYAML's C loader.

    python benchmarks/repository.py [--scenarios 10000] [--large 100000] [--no-peers] [--json FILE]

Makes a workspace with scenarios of about 1.3 KB in a scratch directory and times whole processes, all in one run on
the same files: the check of everything with no memory, with one file changed, and with nothing changed; the check of
one file alone; and the peers, which look at each file by itself. check-jsonschema holds them against the published
schema, yamllint against its default rules, `yaml.load(Loader=CSafeLoader)` against nothing. Last it checks a
repository of `--large` scenarios cold and says how much memory the larger of its two processes took. Wall seconds and
processor seconds are both given, and the load: on a busy machine the first say more about the others. It reports and
does not judge: the exit code is 0.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from runner.edges.yaml_files import dump
from runner.records.scenario import Scenario, SetName
from runner.records.schemas import schema as published
from runner.rules.repository.benchmark import locked

BIN = Path(sys.executable).parent
HALLMARK = str(BIN / "hallmark")
GOALS = {"cold": "goal: 3 s", "one_changed": "goal: 0.3 s", "large": "goal: 1,024 MiB"}
CAPABILITIES = [f"capability-{number:02d}" for number in range(40)]
SENTENCE = (
    "The customer writes that item {} of the order from last week came without its cable and wants the cable sent. "
)
PEER = """
import sys, yaml
from pathlib import Path
for path in sorted(Path(sys.argv[1]).rglob("*.yaml")):
    yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
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


class Took(NamedTuple):
    """A whole process: wall and processor seconds, and the memory of the largest process in it, in MiB."""

    wall_s: float
    cpu_s: float
    peak_mib: float


def run(command: Sequence[str], *, codes: Sequence[int] = (0,)) -> Took:
    """Raises `CalledProcessError` where it ends otherwise than with one of `codes`."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in codes:
        raise subprocess.CalledProcessError(process.returncode, command[:3])
    wall = time.monotonic() - started
    return Took(round(wall, 3), round(used.ru_utime + used.ru_stime, 3), round(used.ru_maxrss / 1024, 1))


def median(found: Sequence[Took]) -> Took:
    """The run whose wall time is the middle one."""
    return sorted(found)[len(found) // 2]


def checks(top: Path, one: Path, *, runs: int) -> dict[str, Took]:
    """Cold, warm with nothing changed, warm with one file changed, and one file by itself."""
    check = [HALLMARK, "check", "-C", str(top)]
    cold, changed = [], []
    for _ in range(runs):
        shutil.rmtree(top / ".hallmark", ignore_errors=True)
        cold.append(run(check))
    time.sleep(2.1)  # a file that changed just before it was read is hashed again: let them settle, as they do
    run(check)
    for number in range(2 * runs + 1):
        one.write_text(f"{one.read_text()}# looked at {number} times\n")
        changed.append(run(check))
    return {
        "cold": median(cold),
        "one_changed": median(changed),
        "nothing_changed": median([run(check) for _ in range(runs)]),
        "one_file": median([run([HALLMARK, "check", str(one)]) for _ in range(runs)]),
    }


def peers(top: Path) -> dict[str, Took]:
    """One run each: they take long. yamllint warns of what is only a matter of style, and exits 1."""
    files = sorted(str(path) for path in (top / "scenarios").rglob("*.yaml"))
    schema = top / "scenario.schema.json"
    schema.write_text(json.dumps(published("scenario")))
    style = ["-d", "{extends: default, rules: {line-length: disable, document-start: disable}}"]
    return {
        "check-jsonschema": run([str(BIN / "check-jsonschema"), "--schemafile", str(schema), *files]),
        "yamllint": run([str(BIN / "yamllint"), *style, str(top / "scenarios")], codes=(0, 1)),
        "pyyaml C loader": run([sys.executable, "-c", PEER, str(top)]),
    }


def measured(arguments: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {"load_before": [round(one, 2) for one in os.getloadavg()], "cpus": os.cpu_count()}
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        write(top, arguments.scenarios)
        sizes = [path.stat().st_size for path in (top / "scenarios").rglob("*.yaml")]
        found |= {"files": len(sizes), "mean_bytes": round(statistics.mean(sizes))}
        ours = checks(top, top / "scenarios/benchmark/core/core-00001.yaml", runs=arguments.runs)
        others = peers(top) if arguments.peers else {}
    found |= {"check": {name: took._asdict() for name, took in ours.items()}}
    found |= {"peers": {name: took._asdict() for name, took in others.items()}}
    found["times_as_long"] = {name: round(took.cpu_s / ours["cold"].cpu_s, 1) for name, took in others.items()}
    if arguments.large:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), arguments.large)
            found["large"] = {"files": arguments.large, **run([HALLMARK, "check", "-C", folder])._asdict()}
    return {**found, "load_after": [round(one, 2) for one in os.getloadavg()]}


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The figures for people, goals beside them."""
    yield (
        f"{found['files']:,} scenarios of {found['mean_bytes']:,} bytes, {found['cpus']} cores, load "
        f"{found['load_before'][0]} to {found['load_after'][0]}"
    )
    yield f"{'':24}{'wall s':>8}{'CPU s':>8}{'MiB':>8}"
    for name, took in {
        **found["check"],
        **found["peers"],
        **({"large": found["large"]} if "large" in found else {}),
    }.items():
        goal = GOALS.get(name, "")
        beside = (
            f"{found['times_as_long'][name]} times our cold check's CPU" if name in found["times_as_long"] else goal
        )
        yield f"{name.replace('_', ' '):24}{took['wall_s']:8.2f}{took['cpu_s']:8.2f}{took['peak_mib']:8.0f}  {beside}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenarios", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=100_000, help="0 leaves the large repository out")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-peers", dest="peers", action="store_false")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = measured(arguments)
    print("\n".join(lines(found)))
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
