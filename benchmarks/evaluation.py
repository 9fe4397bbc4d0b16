"""What an evaluation costs from a cold start: Hallmark beside lm-evaluation-harness, Inspect and a bare loop.

    python -m benchmarks.evaluation [--rounds 1] [--threads 2] [--only NAME …] [--data DIR] [--json FILE]

All four ask the same tiny base the same 1,540 queries of BANKING77, greedily, with the same limit of new tokens and 128
prompts at once, on the processor; each is a process of its own, timed from its start to its end, its log written.
Rounds take turns. Wall seconds are what a user waits; processor seconds (the process's own and its children's) are
beside them, for on a busy machine the first say more about the others. Every contestant's answers and verdicts are then
read from the log that it wrote and held against Hallmark's, sample by sample.

Then the same with a model that takes no time, on 1,540 scenarios and on 77: what a sample costs, and a start.

The first run pre-trains the base (a minute on two quiet cores) and installs the peers, pinned, into `build/peers`,
which shares torch and transformers with this environment. Nothing is downloaded from a hub. The exit code is 1 where
answers or verdicts differ; speed is reported against its goals and not judged, for a busy machine is no defect.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.evaluation_desk import CLUSTER, FEW, Desk, prepared
from benchmarks.evaluation_peers import INSPECT, LM_EVAL, Peers, installed

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("HALLMARK_DATA", ROOT.parent / "shared" / "data"))
BUILD = ROOT / "build" / "evaluation"
HALLMARK, BARE = "hallmark", "bare generate"
PEER_GOAL, AIM, BARE_GOAL, SAMPLE_GOAL_MS, START_GOAL_S = 1.7, 2.0, 1.3, 0.5, 1.0
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


class Said(NamedTuple):
    """What a contestant's log says of one question."""

    answer: str
    right: bool


class Contestant(NamedTuple):
    command: Sequence[str]
    read: Callable[[str], Mapping[str, Said]]
    """From what the process printed, its log's content by question."""


class Taken(NamedTuple):
    wall: float
    processor: float


def timed(command: Sequence[str], *, threads: int, folder: Path) -> tuple[Taken, str]:
    """Run a process to its end. Raises `SystemExit` with what it said where it fails."""
    environment = {**os.environ, **OFFLINE, "OMP_NUM_THREADS": str(threads), "HALLMARK_NO_CACHE": "1"}
    said, errors = folder / "stdout.txt", folder / "stderr.txt"
    files = [
        (os.POSIX_SPAWN_OPEN, number, str(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        for number, path in ((1, said), (2, errors))
    ]
    started = time.perf_counter()
    process = os.posix_spawn(command[0], list(command), environment, file_actions=files)
    _, status, used = os.wait4(process, 0)
    wall = time.perf_counter() - started
    if status:
        raise SystemExit(f"{' '.join(command)}\nended with {status}: {errors.read_text()[-3000:]}")
    return Taken(wall, used.ru_utime + used.ru_stime), said.read_text()


def hallmark_log(desk: Desk) -> Callable[[str], Mapping[str, Said]]:
    from runner.edges.logs.store import opened

    def read(printed: str) -> Mapping[str, Said]:
        samples = opened(desk.home / json.loads(printed)["log"]).samples()
        return {one.input[-1].content: Said(one.grade.answer, one.grade.passed) for one in samples}

    return read


def bare_log(path: Path, texts: Mapping[str, str]) -> Callable[[str], Mapping[str, Said]]:
    def read(_: str) -> Mapping[str, Said]:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        return {texts[row["id"]]: Said(row["answer"], row["right"]) for row in rows}

    return read


def contestants(desk: Desk, peers: Peers, *, threads: int) -> dict[str, Contestant]:
    """By name, in the order in which they run."""
    python = sys.executable
    hallmark = str(Path(python).with_name("hallmark"))
    bare = BUILD / "bare.jsonl"
    command = [hallmark, "evaluate", CLUSTER, "--model", "base", "--stage", "core", "--json", "-C", str(desk.home)]
    loop = [python, str(ROOT / "benchmarks" / "bare_generate.py"), str(desk.model), str(desk.questions), str(bare)]
    loop.append(str(desk.new_tokens))
    return {
        HALLMARK: Contestant(command, hallmark_log(desk)),
        BARE: Contestant(loop, bare_log(bare, desk.texts)),
        LM_EVAL: Contestant(peers.lm_eval(desk), lambda _: _said(peers.lm_eval_log(desk))),
        INSPECT: Contestant(peers.inspect(desk), lambda _: _said(peers.inspect_log(desk))),
    }


def _said(rows: Mapping[str, tuple[str, bool]]) -> dict[str, Said]:
    return {text: Said(*row) for text, row in rows.items()}


def race(found: Mapping[str, Contestant], *, rounds: int, threads: int) -> tuple[dict[str, Taken], dict[str, str]]:
    """Median seconds of each contestant, and what it printed last."""
    taken: dict[str, list[Taken]] = {name: [] for name in found}
    printed = {}
    for _ in range(rounds):
        for name, one in found.items():
            seconds, printed[name] = timed(one.command, threads=threads, folder=BUILD)
            taken[name].append(seconds)
            print(f"  {name:<24} {seconds.wall:7.2f} s wall  {seconds.processor:7.2f} s processor", flush=True)
    medians = {
        name: Taken(*(statistics.median(column) for column in zip(*runs, strict=True))) for name, runs in taken.items()
    }
    return medians, printed


def differences(left: Mapping[str, Said], right: Mapping[str, Said]) -> tuple[int, int]:
    """How many answers, and verdicts, are not the same. Raises `SystemExit` where other questions were asked."""
    if left.keys() != right.keys():
        raise SystemExit(f"other questions: {len(left.keys() ^ right.keys())} of {len(left)} stand in one log alone")
    return (
        sum(left[text].answer != right[text].answer for text in left),
        sum(left[text].right != right[text].right for text in left),
    )


def trivial(desk: Desk, *, rounds: int, threads: int) -> dict[str, float]:
    """Milliseconds a sample and seconds of a start, with a model that takes no time. Medians."""
    script = str(ROOT / "benchmarks" / "trivial_model.py")
    environment = [sys.executable, script, str(desk.home)]
    for name in (CLUSTER, FEW):
        timed([*environment, name], threads=threads, folder=BUILD)  # the first makes the base that nothing answers with
    runs: dict[str, list[Taken]] = {CLUSTER: [], FEW: []}
    for _ in range(max(3, rounds)):
        for name, found in runs.items():
            found.append(timed([*environment, name], threads=threads, folder=BUILD)[0])
    many, few = (Taken(*(statistics.median(column) for column in zip(*runs[name], strict=True))) for name in runs)
    more = len(desk.texts) - desk.few
    each = Taken(*((a - b) / more for a, b in zip(many, few, strict=True)))
    return {
        "wall_ms_a_sample": 1000 * each.wall,
        "processor_ms_a_sample": 1000 * each.processor,
        "wall_start_s": few.wall - desk.few * each.wall,
        "processor_start_s": few.processor - desk.few * each.processor,
    }


def told(medians: Mapping[str, Taken], samples: int) -> dict[str, float]:
    """Print the table and the ratios; the ratios by name, of wall and of processor seconds."""
    print(f"\n{'':<26}{'wall s':>8}{'a second':>10}{'processor s':>13}{'wall ratio':>12}{'processor ratio':>17}")
    ours = medians[HALLMARK]
    ratios: dict[str, float] = {}
    for name, taken in medians.items():
        wall, processor = taken.wall / ours.wall, taken.processor / ours.processor
        ratios |= {f"{name}: wall": wall, f"{name}: processor": processor}
        print(
            f"{name:<26}{taken.wall:>8.2f}{samples / taken.wall:>10.0f}{taken.processor:>13.2f}"
            f"{wall:>11.2f}x{processor:>16.2f}x"
        )
    for kind, column in (("wall", 0), ("processor", 1)):
        peers = [medians[name][column] for name in (LM_EVAL, INSPECT) if name in medians]
        if peers:
            ratio = min(peers) / ours[column]
            met = "aim reached" if ratio >= AIM else "goal reached" if ratio >= PEER_GOAL else "MISSED"
            print(f"{kind}: the faster peer takes {ratio:.2f}x ours (goal {PEER_GOAL}, aim {AIM}): {met}")
        if BARE in medians:
            ratio = ours[column] / medians[BARE][column]
            met = "goal reached" if ratio <= BARE_GOAL else "MISSED"
            print(f"{kind}: ours takes {ratio:.2f}x the bare loop (goal {BARE_GOAL}): {met}")
    return ratios


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="+", default=[], help="contestants beside Hallmark; all where none is named")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", type=Path, default=BUILD / "result.json")
    arguments = parser.parse_args()
    desk = prepared(BUILD, arguments.data / "banking77", threads=arguments.threads)
    peers = installed(ROOT / "build" / "peers", folder=BUILD)
    found = contestants(desk, peers, threads=arguments.threads)
    if arguments.only:
        found = {name: one for name, one in found.items() if name in (HALLMARK, *arguments.only)}
    medians, printed = race(found, rounds=arguments.rounds, threads=arguments.threads)
    ratios = told(medians, len(desk.texts))
    logs = {name: one.read(printed[name]) for name, one in found.items()}
    apart = {name: differences(logs[HALLMARK], log) for name, log in logs.items() if name != HALLMARK}
    for name, log in logs.items():
        answers, verdicts = apart.get(name, (0, 0))
        share = sum(one.right for one in log.values()) / len(log)
        print(f"{name:<26}{share:.4f} right; {answers} answers and {verdicts} verdicts of {len(log)} differ from ours")
    nothing = trivial(desk, rounds=arguments.rounds, threads=arguments.threads)
    for kind in ("wall", "processor"):
        each, start = nothing[f"{kind}_ms_a_sample"], nothing[f"{kind}_start_s"]
        print(
            f"trivial model, {kind}: {each:.3f} ms a sample (goal {SAMPLE_GOAL_MS}), {start:.2f} s to start"
            f" (goal {START_GOAL_S})"
        )
    result = {
        "samples": len(desk.texts),
        "threads": arguments.threads,
        "seconds": {name: taken._asdict() for name, taken in medians.items()},
        "ratios": ratios,
        "differences": {name: {"answers": one, "verdicts": other} for name, (one, other) in apart.items()},
        "trivial": nothing,
    }
    arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    return int(any(any(both) for both in apart.values()))


if __name__ == "__main__":
    sys.exit(main())
