"""A model that is asked a benchmark piece by piece, and never the same thing twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from runner.phases.common import Stopwatch, Task, graded
from runner.ports import Answers, Model, Ports
from runner.records.evaluation import Drop
from runner.records.scenario import Scenario, SetName
from runner.records.score import Grade, GradedAnswer
from runner.rules.evaluation.evaluation_stages import Pair, drop
from runner.rules.evaluation.scoring import capability_weights
from runner.workspace import Inputs

Key = tuple[SetName, str, str]
"""Set, perturbation, scenario: what is answered once."""


def key_of(row: GradedAnswer) -> Key:
    return row.set, row.perturbation, row.grade.scenario


class Pace(NamedTuple):
    """How many answers were generated, of how many tokens, and the seconds that took. Remembered ones do not count."""

    generated: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def after(self, answers: Answers) -> Pace:
        return Pace(
            self.generated + answers.generated,
            self.tokens + answers.generated_tokens,
            self.seconds + answers.seconds,
        )


@dataclass
class Asking:
    """One model, and every answer of its that is known: each scenario is asked once under each perturbation.

    `known` are rows that need not be asked for; `rows` are in the order in which they were needed.
    """

    inputs: Inputs
    ports: Ports
    watch: Stopwatch
    model: Model
    name: str
    known: Mapping[Key, GradedAnswer] = field(default_factory=dict)
    rows: dict[Key, GradedAnswer] = field(default_factory=dict)
    pace: Pace = field(default_factory=Pace)

    def __post_init__(self) -> None:
        self.weights = capability_weights(self.inputs.workspace.cluster)

    def scenarios(self, name: SetName) -> Sequence[Scenario]:
        return self.inputs.workspace.scenarios.get(name, ())

    def ask(self, work: Sequence[Task]) -> tuple[list[Grade], int]:
        """The grades of `work`, in its order, and how many of them were asked for now."""
        keys = [(task.set, task.perturbation, task.scenario.id) for task in work]
        missing = [at for at, key in enumerate(keys) if key not in self.rows and key not in self.known]
        found: dict[Key, GradedAnswer] = {}
        if missing:
            chosen = [work[at] for at in missing]
            rows, answers = graded(self.inputs, self.ports, self.watch, model=self.model, name=self.name, work=chosen)
            found = {keys[at]: row for at, row in zip(missing, rows, strict=True)}
            self.pace = self.pace.after(answers)
        for key in keys:
            if key not in self.rows:
                self.rows[key] = found[key] if key in found else self.known[key]
        return [self.rows[key].grade for key in keys], len(missing)

    def drop(self, pairs: Sequence[Pair], weights: Mapping[str, float], *, below: str, limit: float | None) -> Drop:
        params = self.inputs.workspace.params
        resamples = params.assess.resamples
        return drop(pairs, weights, below=below, limit=limit, resamples=resamples, seed=params.seed)
