"""The thirteen phases in one table: for each stage what it runs, reads, writes and may see.

`dvc.yaml` says the same to DVC, and a test keeps the two equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

from runner.errors import PhaseOrderError
from runner.phases import (
    base,
    p01_intake,
    p02_ingest,
    p03_deduplicate,
    p04_baseline,
    p05_diagnose,
    p06_rubrics,
    p07_expand,
    p08_validate,
    p09_triage,
    p10_sweep,
    p11_train,
    p12_assess,
    p13_bundle,
)
from runner.ports import Artifacts, Output, Ports, Tree
from runner.records.base import Record
from runner.records.scenario import Scenario, SetName
from runner.records.terms import ASKED
from runner.records.verdict import Outcome
from runner.workspace import Inputs, Workspace

R = TypeVar("R", bound=Record)
EVERY_SET = tuple(SetName)


class Stage(NamedTuple):
    """One DVC stage: a function, and everything it may read."""

    name: str
    run: Callable[[Inputs, Ports], Output]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    sets: tuple[SetName, ...] = ()
    reviewed: tuple[str, ...] = ()
    """Reviewed files beside `cluster.yaml`: problem, lock, rubrics, triage, promotions."""
    params: tuple[str, ...] = ()


class Phase(NamedTuple):
    number: int
    stages: tuple[Stage, ...]
    gate: str = ""

    @classmethod
    def of(cls, number: int, *stages: Stage, gate: str = "") -> Phase:
        return cls(number, stages, gate)

    @property
    def name(self) -> str:
        return self.stages[-1].name


DATA = ("base-data", "gold", "reference", "traces")
CORE, DEV = SetName.CORE, SetName.DEV
_TRIAGED = ("triage", "accepted", "preferences", "unpaired")

INTAKE = Stage(
    "intake",
    p01_intake.run,
    DATA,
    ("intake", "leaks", "incumbent"),
    sets=EVERY_SET,
    reviewed=("problem", "lock", "rubrics", "promotions"),
    params=("*",),
)

PHASES: tuple[Phase, ...] = (
    Phase.of(1, INTAKE),
    Phase.of(
        2, Stage("ingest", p02_ingest.run, ("traces",), ("signals", "ingest"), sets=(CORE,), reviewed=("rubrics",))
    ),
    Phase.of(
        3,
        Stage(
            "deduplicate",
            p03_deduplicate.run,
            ("leaks", "signals", "gold", "base-data"),
            ("unique", "deduplicate"),
            params=("deduplicate",),
        ),
    ),
    Phase.of(
        4,
        Stage(
            "base",
            base.run,
            ("leaks", "base-data"),
            ("base", "base-training"),
            sets=(DEV,),
            params=("base", "seed", "threads"),
        ),
        Stage(
            "baseline",
            p04_baseline.run,
            ("base", "incumbent"),
            ("core-answers", "dev-answers", "baseline-answers", "baseline"),
            sets=ASKED,
            reviewed=("rubrics",),
            params=("seed", "threads"),
        ),
    ),
    Phase.of(
        5,
        Stage(
            "diagnose",
            p05_diagnose.run,
            ("core-answers", "unique"),
            ("diagnosis",),
            sets=(CORE,),
            reviewed=("rubrics",),
            params=("diagnose",),
        ),
    ),
    Phase.of(
        6,
        Stage("rubrics", p06_rubrics.run, ("diagnosis", "unique"), ("drafts",), sets=(CORE,), reviewed=("rubrics",)),
        gate="people, for the next iteration",
    ),
    Phase.of(
        7,
        Stage(
            "expand",
            p07_expand.run,
            ("diagnosis", "unique", "gold", "base"),
            ("batches", "candidates", "rejected"),
            sets=(CORE,),
            reviewed=("rubrics",),
            params=("expand", "train", "seed", "threads"),
        ),
    ),
    Phase.of(
        8,
        Stage(
            "validate",
            p08_validate.run,
            ("unique", "diagnosis", "batches", "candidates", "gold", "reference", "base-data"),
            ("validation", "valid"),
            sets=EVERY_SET,
            params=("seed",),
        ),
        gate="automatic",
    ),
    Phase.of(
        9,
        Stage("triage", p09_triage.run, ("intake", "validation", "valid"), _TRIAGED, reviewed=("triage",)),
        gate="human",
    ),
    Phase.of(
        10,
        Stage(
            "sweep",
            p10_sweep.run,
            ("intake", "unique", "diagnosis", "base", "base-data", "gold", "batches", "accepted", "validation"),
            ("sweep", "curve", "mixture", "arms"),
            sets=(DEV,),
            reviewed=("rubrics", "triage", "promotions"),
            params=("sweep", "train", "seed", "threads"),
        ),
        gate="automatic",
    ),
    Phase.of(
        11,
        Stage(
            "train",
            p11_train.run,
            ("base", "mixture", "arms", "sweep", "dev-answers"),
            ("training", "adapter"),
            sets=(DEV,),
            reviewed=("rubrics",),
            params=("train", "strength", "seed", "threads"),
        ),
    ),
    Phase.of(
        12,
        Stage(
            "assess",
            p12_assess.run,
            ("intake", "base", "incumbent", "adapter", "arms", "core-answers", "baseline-answers", "baseline", "sweep"),
            ("answers", "scorecard", "stages"),
            sets=ASKED,
            reviewed=("problem", "rubrics"),
            params=("assess", "seed", "threads"),
        ),
        gate="automatic",
    ),
    Phase.of(
        13,
        Stage(
            "bundle",
            p13_bundle.run,
            (
                "intake",
                "unique",
                "diagnosis",
                "batches",
                "validation",
                "triage",
                "accepted",
                "sweep",
                "mixture",
                "training",
                "core-answers",
                "baseline-answers",
                "answers",
                "scorecard",
                "stages",
            ),
            ("bundle",),
            reviewed=("rubrics", "triage", "promotions"),
        ),
        gate="the signed merge",
    ),
)
NAMES = tuple(phase.name for phase in PHASES)


def stage(name: str) -> Stage:
    """The stage of that name. Raises `KeyError` for none."""
    return {stage.name: stage for phase in PHASES for stage in phase.stages}[name]


class _Asked(Mapping[SetName, tuple[Scenario, ...]]):
    """The sets that a stage declared, and which of them it has looked into: what counts as a look is what was read."""

    def __init__(self, sets: Mapping[SetName, tuple[Scenario, ...]]) -> None:
        self._sets = sets
        self.seen: set[SetName] = set()

    def __getitem__(self, name: SetName) -> tuple[Scenario, ...]:
        self.seen.add(name)
        return self._sets[name]

    def __iter__(self) -> Iterator[SetName]:
        return iter(self._sets)

    def __len__(self) -> int:
        return len(self._sets)


@dataclass(frozen=True)
class _Scoped:
    """The artifacts a stage declared; asking for another is a bug in the table or the phase."""

    artifacts: Artifacts
    reads: tuple[str, ...]

    def _declared(self, name: str) -> str:
        if name not in self.reads:
            raise PhaseOrderError(f"a phase asked for `{name}`, which its row in PHASES does not declare")
        return name

    def record(self, name: str, kind: type[R]) -> R:
        return self.artifacts.record(self._declared(name), kind)

    def rows(self, name: str, kind: type[R]) -> tuple[R, ...]:
        return self.artifacts.rows(self._declared(name), kind)

    def stream(self, name: str, kind: type[R]) -> Iterator[R]:
        return self.artifacts.stream(self._declared(name), kind)

    def tree(self, name: str) -> Tree:
        return self.artifacts.tree(self._declared(name))

    def digest(self, name: str) -> str:
        return self.artifacts.digest(self._declared(name))


def perform(stage: Stage, workspace: Workspace, artifacts: Artifacts, ports: Ports) -> Output:
    """Run one stage on what it declared; the output says which of its sets it looked into.

    Raises `PhaseOrderError` if it did not write what it declared.
    """
    sets = _Asked({name: workspace.scenarios.get(name, ()) for name in stage.sets})
    scoped = replace(workspace, scenarios=sets)
    output = stage.run(Inputs(scoped, _Scoped(artifacts, stage.reads)), ports)
    output = replace(output, seen=frozenset(sets.seen))
    if output.verdict.outcome is not Outcome.WAIT and set(output.artifacts) != set(stage.writes):
        raise PhaseOrderError(f"{stage.name} wrote {sorted(output.artifacts)}, not {sorted(stage.writes)}")
    return output
