"""What the generators work from: the aims of the targets, and the base with an adapter fitted on their human rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

from runner.phases.common import Stopwatch, base_model
from runner.ports import GenerationTask, Model, Ports
from runner.records.dataset import Candidate, Example, Generator
from runner.records.failure import FailureCluster
from runner.records.graders import JsonSchema
from runner.records.rubric import Rubric
from runner.records.scenario import Origin, Scenario, SetName
from runner.records.training import TrainingRow, Use
from runner.rules.canonical import digest
from runner.rules.data.domain_rules import binding
from runner.rules.data.generation import Aim
from runner.rules.loop.diagnosis import Answerbook
from runner.rules.text.conversations import reversed_example, with_instruction
from runner.workspace import Inputs

ENOUGH = 8
"""Human rows of the targets from which an adapter is fitted."""


def task_of(
    inputs: Inputs,
    ports: Ports,
    watch: Stopwatch,
    *,
    targets: Sequence[FailureCluster],
    log: Sequence[Candidate],
    book: Answerbook,
) -> GenerationTask:
    """The task of this iteration. Held-out and the other frozen sets have no part in it: `inputs` has core alone."""
    space = inputs.workspace
    aims = _aims(inputs, targets, [row.example for row in log], book)
    servers = space.cluster.generation.servers if space.cluster.generation is not None else ()
    return GenerationTask(
        aims=aims,
        title=space.cluster.title,
        base=base_model(inputs),
        base_digest=inputs.artifacts.digest("base"),
        fitted=cache(lambda: _fitted(inputs, ports, watch, [row for aim in aims.values() for row in aim.human])),
        servers=servers,
        temperature=space.params.expand.temperature,
        attempts=space.params.expand.attempts,
        seed=space.params.seed,
    )


def _aims(
    inputs: Inputs, targets: Sequence[FailureCluster], log: Sequence[Example], book: Answerbook
) -> dict[str, Aim]:
    """The leading target of each capability that has a right answer to aim at."""
    space = inputs.workspace
    capabilities = {one.id: one for one in space.cluster.capabilities}
    core = space.scenarios[SetName.CORE]
    gold, logged = _by_capability(inputs.artifacts.rows("gold", Example)), _by_capability(log)
    labels, aims = book.labels(), {}
    for target in targets:
        name = target.capability
        if name in aims or not labels.get(name):
            continue
        own = [scenario for scenario in core if scenario.capability == name]
        rubrics = [space.rubrics[key] for key in sorted({one.rubric for one in own}) if key in space.rubrics]
        fixed = not book.field and sum(found == name for found in book.capabilities.values()) == 1
        human = (*gold[name], *logged[name])
        aims[name] = Aim(
            target=target.id,
            capability=capabilities[name],
            answers=(labels[name],) if fixed else _answers(human) or (labels[name],),
            fixed=fixed,
            instead=target.confused_with,
            gold=tuple(gold[name]),
            log=tuple(logged[name]),
            failures=_failures(own, target),
            criteria=tuple(criterion.description for rubric in rubrics for criterion in rubric.criteria),
            rules=tuple(f"It is rejected where: {rule.reason}" for rule in binding(space.cluster.domain_rules, name)),
            schemas=tuple(_schemas(rubrics)),
        )
    return aims


def _by_capability(rows: Iterable[Example]) -> dict[str, list[Example]]:
    found: dict[str, list[Example]] = defaultdict(list)
    for row in rows:
        found[row.capability].append(row)
    return found


def _answers(human: Iterable[Example]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row.answer for row in sorted(human, key=lambda row: row.id)))


def _failures(core: Iterable[Scenario], target: FailureCluster) -> tuple[Scenario, ...]:
    return tuple(one for one in core if one.id in target.scenarios and one.origin is Origin.HUMAN)


def _schemas(rubrics: Iterable[Rubric]) -> Iterable[str]:
    graders = (criterion.grader for rubric in rubrics for criterion in rubric.criteria)
    return (grader.json_schema for grader in graders if isinstance(grader, JsonSchema))


def _fitted(inputs: Inputs, ports: Ports, watch: Stopwatch, human: Sequence[Example]) -> tuple[Model, Generator]:
    """The base, or an adapter on it fitted on the targets' human rows where there are enough.

    The instruction is put on the answering rows here, because the generating ones are sampled without one.
    """
    space, base = inputs.workspace, base_model(inputs)
    weights, instruction = inputs.artifacts.digest("base"), space.cluster.instruction
    if len(human) < ENOUGH:
        return base, Generator(name="base", version=ports.models.version, sha256=digest([weights, None]))
    asked = [row.model_copy(update={"input": with_instruction(row.input, instruction)}) for row in human]
    both = [*asked, *(reversed_example(row) for row in human)]
    fitted = watch.time(
        lambda: ports.models.fit(
            base,
            [TrainingRow(example=row, use=Use.NEW) for row in both],
            instruction="",
            recipe=space.params.train,
            seed=space.params.seed,
            threads=space.params.threads,
            progress=ports.progress,
        )
    )
    sha256 = digest([weights, fitted.adapter.digest])
    generator = Generator(name="base-with-target-adapter", version=ports.models.version, sha256=sha256)
    return replace(base, adapter=fitted.adapter), generator
