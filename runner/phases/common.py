"""What several phases need of their inputs and ports: the models at hand, timed calls, graded answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from runner.phases.judging import Asked, judged
from runner.ports import Answers, Model, Ports, Tree
from runner.records.cluster import Cluster, TinyBase
from runner.records.conversation import Conversation, last_user_text
from runner.records.dataset import Example
from runner.records.scenario import Scenario, SetName
from runner.records.score import GradedAnswer, ModelScores
from runner.records.terms import Perturbation
from runner.records.training import TrainingRecord, TrainingRow
from runner.rules.canonical import digest
from runner.rules.data.mixture import TrainingKey, mixture_digest
from runner.rules.evaluation.assessment import perturbed
from runner.rules.evaluation.grading import grade_all
from runner.rules.evaluation.scoring import AS_WRITTEN, capability_weights, grades_by_set, set_score, weights_of
from runner.rules.evaluation.tool_calls import with_tools
from runner.rules.text.conversations import with_instruction, with_last_user_text
from runner.rules.text.perturbation import perturb
from runner.workspace import Inputs

T = TypeVar("T")


@dataclass
class Stopwatch:
    """Adds up the seconds spent inside the model ports, a phase's `compute_s`, and what servers were asked for."""

    ports: Ports
    seconds: float = 0.0
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._used = dict(self.ports.models.usage)

    def time(self, work: Callable[[], T]) -> T:
        """Do `work` and count its seconds, whether or not it ends well."""
        start = self.ports.clock.monotonic()
        try:
            return work()
        finally:
            self.seconds += self.ports.clock.monotonic() - start

    @property
    def measured(self) -> Mapping[str, Any]:
        usage = {name: count - self._used.get(name, 0) for name, count in self.ports.models.usage.items()}
        return {"compute_s": round(self.seconds, 3), **({"usage": usage} if usage else {}), **self.extra}


def base_model(inputs: Inputs) -> Model:
    """The base alone. Its weights are the `base` artifact where the base is tiny, and the edge's to find where not."""
    base = inputs.workspace.cluster.base
    return Model(base, inputs.artifacts.tree("base") if isinstance(base, TinyBase) else Tree({}))


@dataclass(frozen=True)
class Task:
    """One prompt of a batched call: a scenario of a set, as written or perturbed."""

    set: SetName
    scenario: Scenario
    perturbation: str = AS_WRITTEN

    def prompt(self, instruction: str, *, seed: int) -> Conversation:
        found = self.scenario.input
        if self.perturbation != AS_WRITTEN:
            one, text = self.scenario, last_user_text(found)
            text = perturb(text, self.perturbation, seed=seed, key=one.id, answer=one.reference)
            found = with_last_user_text(found, text)
        return with_tools(with_instruction(found, instruction), self.scenario.tools)


def tasks(inputs: Inputs, sets: Sequence[SetName], *, robustness: bool) -> list[Task]:
    """Every scenario of `sets`, and with `robustness` core under each perturbation."""
    scenarios = inputs.workspace.scenarios
    found = [Task(name, scenario) for name in sets for scenario in scenarios[name]]
    if robustness:
        kinds = run_under(inputs.workspace.cluster)
        found += [Task(SetName.CORE, scenario, kind) for kind in kinds for scenario in scenarios[SetName.CORE]]
    return found


def run_under(cluster: Cluster) -> list[Perturbation]:
    """The perturbations that models are run under: those that the gate judges, and those that are only reported."""
    chosen = {*perturbed(cluster.gate), *cluster.evaluation_policy.perturbations}
    return [kind for kind in Perturbation if kind in chosen]


def ask(
    inputs: Inputs,
    ports: Ports,
    watch: Stopwatch,
    model: Model,
    prompts: Sequence[Conversation],
    what: str,
    *,
    fresh: bool = False,
) -> Answers:
    """Greedy answers, timed; `what` is what the progress display says. `fresh` asks also for what is remembered."""
    ports.progress(what, 0.0)
    serving = inputs.workspace.cluster.serving

    def progress(_message: str, share: float) -> None:
        ports.progress(what, share)

    answers = watch.time(
        lambda: ports.models.answer(
            model,
            prompts,
            max_new_tokens=serving.max_new_tokens,
            choices=serving.choices,
            progress=progress,
            fresh=fresh,
        )
    )
    if answers.remembered:
        watch.extra["remembered_answers"] = watch.extra.get("remembered_answers", 0) + len(answers.remembered)
    return answers


def graded(
    inputs: Inputs,
    ports: Ports,
    watch: Stopwatch,
    *,
    model: Model,
    name: str,
    work: Sequence[Task],
    fresh: bool = False,
) -> tuple[list[GradedAnswer], Answers]:
    """The model's graded answers to `work`, in its order, from one batched call."""
    space = inputs.workspace
    prompts = [task.prompt(space.cluster.instruction, seed=space.params.seed) for task in work]
    answers = ask(inputs, ports, watch, model, prompts, f"{name} answers {len(prompts)} prompts", fresh=fresh)
    verdicts = watch.time(
        lambda: judged(space, ports, model, [Asked(task.set, task.scenario) for task in work], answers.texts)
    )
    grades = grade_all([task.scenario for task in work], space.rubrics, answers.texts, judged=verdicts)
    rows = [
        GradedAnswer(model=name, set=task.set, perturbation=task.perturbation, grade=grade, tokens=tokens)
        for task, grade, tokens in zip(work, grades, answers.tokens, strict=True)
    ]
    return rows, answers


def model_scores(inputs: Inputs, rows: Sequence[GradedAnswer], name: str, *, adapter: str | None) -> ModelScores:
    """One model's scores over the sets in `rows`, robustness as composites on core."""
    weights = capability_weights(inputs.workspace.cluster)
    robustness = {}
    for kind in run_under(inputs.workspace.cluster):
        found = grades_by_set(rows, name, kind).get(SetName.CORE)
        if found:
            robustness[kind] = set_score(found, weights).composite
    by_set = sorted(grades_by_set(rows, name).items())
    sets = {key: set_score(grades, weights_of(key, grades, weights)) for key, grades in by_set}
    return ModelScores(adapter=adapter, sets=sets, robustness=robustness)


def training_key(inputs: Inputs, ports: Ports, rows: Sequence[TrainingRow], *, seed: int | None = None) -> TrainingKey:
    space = inputs.workspace
    return TrainingKey(
        mixture=mixture_digest(rows),
        base=inputs.artifacts.digest("base"),
        recipe=digest(space.params.train),
        seed=space.params.seed if seed is None else seed,
        threads=space.params.threads,
        setting=digest([space.cluster.instruction, ports.models.version]),
    )


@dataclass(frozen=True)
class Trained:
    """An adapter and the record of the run that made it."""

    adapter: Tree
    record: TrainingRecord
    seconds: float


def train(
    inputs: Inputs, ports: Ports, watch: Stopwatch, *, rows: Sequence[TrainingRow], what: str, seed: int | None = None
) -> Trained:
    """Fit an adapter on the base with the cluster's recipe, timed. The seed is the cluster's where none is given."""
    space = inputs.workspace
    asked = training_key(inputs, ports, rows, seed=seed)
    ports.progress(what, 0.0)

    def progress(_message: str, share: float) -> None:
        ports.progress(what, share)

    fitted = watch.time(
        lambda: ports.models.fit(
            base_model(inputs),
            rows,
            instruction=space.cluster.instruction,
            recipe=space.params.train,
            seed=asked.seed,
            threads=asked.threads,
            progress=progress,
        )
    )
    record = TrainingRecord(
        **asked._asdict(),
        examples=sum(row.repeat for row in rows),
        tokens=fitted.tokens,
        steps=fitted.steps,
        loss=fitted.loss,
        adapter=fitted.adapter.digest,
    )
    return Trained(fitted.adapter, record, fitted.seconds)


def subtree(tree: Tree, folder: str) -> Tree:
    """The files of `tree` below `folder`, by their paths from there."""
    start = f"{folder}/"
    return Tree({path[len(start) :]: data for path, data in tree.files.items() if path.startswith(start)})


def texts(examples: Sequence[Example]) -> list[str]:
    """The last user text of each."""
    return [last_user_text(example.input) for example in examples]
