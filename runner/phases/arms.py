"""The arms of a sweep: their rows, an adapter for each seed, and their dev grades."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from runner.phases.common import Stopwatch, Trained, base_model, graded, tasks, train, training_key
from runner.ports import KeptArm, Ports, Tree
from runner.records.scenario import SetName
from runner.records.score import Grade, SetScore
from runner.records.training import SeedRun, TrainingRow
from runner.rules.data.bands import ArmScores, Bands, Dev
from runner.rules.data.mixture import (
    CONTROL,
    Makeup,
    Pool,
    arm_rows,
    counted_as_human,
    makeup,
    mixture_digest,
    replay_rows,
)
from runner.rules.evaluation.scoring import capability_weights, set_score
from runner.workspace import Inputs


@dataclass(frozen=True)
class Run:
    """One arm with one seed, trained and scored."""

    arm: str
    wanted: float
    """The share of synthetic rows asked for."""
    seed: int
    rows: tuple[TrainingRow, ...]
    trained: Trained
    grades: tuple[Grade, ...]
    """On dev, in the order of the scenarios."""
    dev: SetScore

    @property
    def adapter(self) -> Tree:
        return self.trained.adapter

    @property
    def again(self) -> SeedRun:
        """What is kept of a further seed's run."""
        return SeedRun(seed=self.seed, dev=self.dev, training=self.trained.record)


@dataclass
class Arms:
    """Makes the arms and keeps them, in the order in which they were made."""

    inputs: Inputs
    ports: Ports
    watch: Stopwatch
    source: Pool
    runs: list[Run] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(run.arm for run in self.runs))

    @property
    def shares(self) -> dict[str, float]:
        """The control, then each share of `params.sweep`: arm to the synthetic share wanted."""
        wanted = self.inputs.workspace.params.sweep.synthetic
        return {CONTROL: 0.0} | {f"synthetic-{round(100 * share):02d}": share for share in wanted}

    def of(self, arm: str) -> list[Run]:
        """The arm's runs, the first seed's first."""
        return [run for run in self.runs if run.arm == arm]

    def make(self, arm: str, *, seed: int) -> None:
        """Train and score one arm with one seed, which draws its rows and its weights. Without rows there is none."""
        params, share = self.inputs.workspace.params, self.shares[arm]
        replay = replay_rows(self.source, wanted=params.train.replay, seed=seed)
        rows = arm_rows(self.source, arm=arm, synthetic=share, new_rows=params.train.new_rows, replay=replay, seed=seed)
        if not rows:
            return
        first = not self.of(arm)
        name = arm if first else f"{arm}-seed-{seed}"
        asked = (seed, mixture_digest(rows))
        twin = next((run for run in self.runs if (run.seed, run.trained.record.mixture) == asked), None)
        if twin:
            trained, grades = replace(twin.trained, seconds=0.0), twin.grades
        else:
            trained = self._trained(rows, name, seed=seed)
            grades = self._dev(trained.adapter, name)
            self.watch.extra.setdefault("training_s", {})[name] = round(trained.seconds, 3)
        dev = set_score(grades, capability_weights(self.inputs.workspace.cluster))
        self.runs.append(Run(arm, share, seed, rows, trained, grades, dev))

    def makeup(self, arm: str) -> Makeup:
        """Of the first seed's rows."""
        policy = self.inputs.workspace.cluster.mixture_policy
        return makeup(self.of(arm)[0].rows, human_origins=counted_as_human(policy))

    def bands(self) -> Bands:
        """Intervals over everything that was made so far."""
        space = self.inputs.workspace
        scores = [
            ArmScores(
                name=arm,
                synthetic_share=self.makeup(arm).synthetic_share,
                seeds=tuple(run.seed for run in self.of(arm)),
                scores=tuple(tuple(grade.score for grade in run.grades) for run in self.of(arm)),
            )
            for arm in self.names
        ]
        dev = Dev.of(self.runs[0].grades, capability_weights(space.cluster))
        return Bands(scores, dev, seed=space.params.seed)

    def adapters(self) -> Tree:
        """`<arm>/<file>` for the first seed of each arm, `<arm>-seed-<seed>/<file>` for the others."""
        files: dict[str, bytes] = {}
        for arm in self.names:
            for number, run in enumerate(self.of(arm)):
                folder = f"{arm}-seed-{run.seed}" if number else arm
                files |= {f"{folder}/{path}": data for path, data in run.adapter.files.items()}
        return Tree(files)

    def _trained(self, rows: Sequence[TrainingRow], name: str, *, seed: int) -> Trained:
        """The adapter that an earlier sweep trained in the very same way, or a new one."""
        kept = self.ports.arms.find(training_key(self.inputs, self.ports, rows, seed=seed))
        if kept:
            self.watch.extra.setdefault("reused", []).append(name)
            return Trained(kept.adapter, kept.record, kept.seconds)
        made = train(self.inputs, self.ports, self.watch, rows=rows, seed=seed, what=f"training arm {name}")
        self.ports.arms.keep(KeptArm(made.adapter, made.record, made.seconds))
        return made

    def _dev(self, adapter: Tree, name: str) -> tuple[Grade, ...]:
        model = replace(base_model(self.inputs), adapter=adapter)
        work = tasks(self.inputs, (SetName.DEV,), robustness=False)
        rows, _ = graded(self.inputs, self.ports, self.watch, model=model, name=name, work=work)
        return tuple(row.grade for row in rows)
