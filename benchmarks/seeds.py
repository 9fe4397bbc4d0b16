"""The embedded specialist under several seeds: every result, good or bad, as a Markdown table.

A seed decides the base's weights, the samples, the mixture and the training. Corpus, split and recipe are the ones in
the repository; triage is open (policy `none`), so that no person's choice enters.

    python benchmarks/seeds.py 1 2 3 4 5

The sweep has its control arm and the arm without synthetic data only, which is the one it chose in every full run so
far; a full sweep takes twice as long.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from runner.edges.artifacts import DirectoryArtifacts
from runner.pipeline import PHASES, perform
from runner.records.artifact import ARTIFACTS
from runner.records.params import SweepKnobs
from runner.records.scenario import SetName
from runner.records.score import Scorecard
from runner.records.training import Sweep, Training
from runner.records.triage_policy import Triage
from runner.wiring import flywheel

CLUSTER = "support-desk"
HEAD = "| seed | core | held-out | weak held-out | p over base | p over control | regressions | curve | verdict | s |"
RULE = "|---|---|---|---|---|---|---|---|---|---|"


def run(root: Path, seed: int) -> tuple[DirectoryArtifacts, str, float]:
    """All thirteen phases in a directory of their own; the last verdict's outcome and the seconds."""
    bench = flywheel.workbench(root, CLUSTER)
    space = bench.workspace
    open_triage = space.cluster.model_copy(update={"triage": Triage(required="none")})
    knobs = {"seed": seed, "sweep": SweepKnobs(synthetic=(0.0,))}
    space = replace(space, cluster=open_triage, params=space.params.model_copy(update=knobs))
    artifacts = DirectoryArtifacts(Path(tempfile.mkdtemp(prefix=f"hallmark-seed-{seed}-")))
    for name in ("base-data", "gold", "reference", "traces"):
        target = artifacts.path(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((root / "clusters" / CLUSTER / ARTIFACTS[name].path).read_bytes())
    started, outcome = time.monotonic(), ""
    for phase in PHASES:
        for stage in phase.stages:
            output = perform(stage, space, artifacts, bench.ports)
            for name, value in output.artifacts.items():
                artifacts.write(name, value)
            outcome = output.verdict.outcome
            if not output.verdict.passed:
                why = "; ".join(reason.problem for reason in output.verdict.reasons)
                print(f"seed {seed}, {stage.name}: {outcome}: {why}", file=sys.stderr)
        if phase.name == "assess":
            break
    return artifacts, outcome, time.monotonic() - started


def row(seed: int, artifacts: DirectoryArtifacts, outcome: str, seconds: float) -> Iterator[str]:
    card = artifacts.record("scorecard", Scorecard)
    sweep, training = artifacts.record("sweep", Sweep), artifacts.record("training", Training)
    models = card.models
    against = {one.against: one.p_value for one in card.comparisons}
    weak = ("missing-item", "warranty-repair", "duplicate-charge")

    def trio(value: SetName, only: tuple[str, ...] = ()) -> str:
        scores = []
        for name in ("base", "control", "candidate"):
            score = models[name].sets[value]
            scores.append(sum(score.capabilities[one] for one in only) / len(only) if only else score.composite)
        return " / ".join(f"{score:.3f}" for score in scores)

    yield str(seed)
    yield trio(SetName.CORE)
    yield trio(SetName.HELDOUT)
    yield trio(SetName.HELDOUT, weak)
    yield f"{against['base']:.1g}"
    yield f"{against['control']:.1g}"
    yield f"{card.regressions.count} of {card.regressions.of}"
    yield f"{sweep.shape}: {sweep.chosen} x {training.strength:g}"
    yield outcome
    yield f"{seconds:.0f}"


def main() -> None:
    root = Path(__file__).parents[1]
    flywheel.bring_data(root, CLUSTER)
    print(HEAD, RULE, sep="\n", flush=True)
    for seed in map(int, sys.argv[1:] or ["1", "2", "3", "4", "5"]):
        print("| " + " | ".join(row(seed, *run(root, seed))) + " |", flush=True)


if __name__ == "__main__":
    main()
