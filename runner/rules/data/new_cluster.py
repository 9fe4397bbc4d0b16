"""Everything that a new cluster consists of, wherever it comes from, and the parts that all of them share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from runner.records.adoption import ImportRecord
from runner.records.base import Record
from runner.records.cluster import BenchmarkLock, Cluster, Problem, ProblemKind, RealOnlyBaseline
from runner.records.dataset import Example
from runner.records.params import ClusterParams, DiagnoseKnobs
from runner.records.rubric import Rubric
from runner.records.scenario import Scenario, SetName
from runner.records.trace import Trace

BASE, GOLD, REFERENCE = "base", "gold", "reference"
TRAINING = frozenset({BASE, GOLD, REFERENCE})
"""Parts that train or are held against what trains; the others are the sets."""
SHARES_TINY: Mapping[str, float] = {
    BASE: 0.30,
    SetName.HELDOUT: 0.20,
    SetName.CORE: 0.15,
    GOLD: 0.15,
    SetName.DEV: 0.10,
    REFERENCE: 0.05,
    SetName.REPRESENTATIVE: 0.05,
}
"""What a single source is divided into where the base is pre-trained from it."""
SHARES: Mapping[str, float] = {
    SetName.HELDOUT: 0.25,
    GOLD: 0.30,
    SetName.CORE: 0.20,
    SetName.DEV: 0.10,
    REFERENCE: 0.05,
    SetName.REPRESENTATIVE: 0.10,
}
"""The same where the base is somebody's model."""
NEEDED = (SetName.HELDOUT, SetName.CORE, SetName.DEV)
"""The sets without which there is no iteration."""


class Dropped(NamedTuple):
    """A row that was not taken: the same text stands where it weighs more."""

    part: str
    file: str
    line: int
    kept_in: str


class NewCluster(NamedTuple):
    cluster: Cluster
    problem: Problem
    lock: BenchmarkLock
    rubrics: tuple[Rubric, ...]
    scenarios: Mapping[SetName, tuple[Scenario, ...]]
    examples: Mapping[str, tuple[Example, ...]]
    """`base`, `gold` and, where given, `reference`."""
    traces: tuple[Trace, ...]
    left_out: tuple[Dropped, ...]
    record: ImportRecord | None = None
    params: ClusterParams = ClusterParams()


def records(made: NewCluster) -> dict[str, Record]:
    """The governed files of a new cluster that are plain YAML, by path."""
    home = f"clusters/{made.cluster.id}"
    scenarios = {
        f"scenarios/{made.cluster.id}/{name}/{scenario.id}.yaml": scenario
        for name, found in made.scenarios.items()
        for scenario in found
    }
    imported = {f"{home}/imports/{made.record.format}.yaml": made.record} if made.record is not None else {}
    return {
        **scenarios,
        **{f"rubrics/{rubric.id}.yaml": rubric for rubric in made.rubrics},
        f"{home}/cluster.yaml": made.cluster,
        f"{home}/benchmark.lock": made.lock,
        **imported,
    }


def draft_problem(*, real_only: float, how: str, threshold: float) -> Problem:
    """A problem statement to start from. Its gap and its reason are the general ones: people put their own there."""
    return Problem(
        gap="Some labels have too few examples for the specialist to answer them.",
        why_not_real_data="Real examples of these labels are rare, and labelling more of them takes people's time.",
        metric=ProblemKind.COMPOSITE,
        threshold=threshold,
        real_only_baseline=RealOnlyBaseline(value=round(real_only, 4), how=how),
    )


def aimed_at(threshold: float) -> ClusterParams:
    """The pipeline's knobs where whatever lies below the gate's threshold is aimed at."""
    return ClusterParams(diagnose=DiagnoseKnobs(target_below=threshold))


class Numbers:
    """Names of a set's scenarios: `<set>-<capability>-<nnn>`, numbered as they come."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def name(self, set_name: str, capability: str) -> str:
        stem = f"{set_name}-{capability}"[:57].rstrip("-")
        self._seen[stem] += 1
        return f"{stem}-{self._seen[stem]:03d}"


def by_id(scenarios: Iterable[Scenario]) -> tuple[Scenario, ...]:
    return tuple(sorted(scenarios, key=lambda scenario: scenario.id))


def longest_answer(answers: Sequence[str]) -> int:
    """Tokens that the longest answer may take: two bytes make a token at the most, in all that we have seen."""
    return max(16, -(-max((len(answer.encode()) for answer in answers), default=0) // 2))
