"""What one generator writes for a task, in rounds, until every capability has enough or the attempts are spent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from runner.phases.common import Stopwatch, ask
from runner.ports import GenerationTask, Ports, RowWriter
from runner.records.conversation import Message, Role
from runner.records.dataset import Candidate
from runner.records.generation import GeneratorChoice, suffix
from runner.rules.data.expansion import Made, Sieve, batch, batch_id, candidate, sieve
from runner.rules.data.generation import Draft
from runner.rules.data.novelty import Novelty
from runner.rules.loop.diagnosis import Answerbook
from runner.rules.text.conversations import with_instruction
from runner.rules.text.normalisation import normalise
from runner.rules.text.shown import shorten
from runner.workspace import Inputs


@dataclass(frozen=True)
class Bench:
    """What every generator's drafts are put to."""

    inputs: Inputs
    ports: Ports
    watch: Stopwatch
    task: GenerationTask
    book: Answerbook
    novelty: Novelty


def written(bench: Bench, choice: GeneratorChoice) -> list[Made]:
    """One batch for each capability. Raises `ModelError` where the generator cannot be had or ends in between."""
    space, task = bench.inputs.workspace, bench.task
    if not task.aims:
        return []
    writer = bench.ports.generators.open(choice, task)
    sieves = {name: _sieve(bench, name) for name in task.aims}
    kept: dict[str, list[Draft]] = defaultdict(list)
    for turn in range(space.params.expand.attempts):
        wanted = {name: found.missing for name, found in sieves.items() if found.missing > 0}
        if not wanted:
            break
        drafts = bench.watch.time(partial(writer.write, wanted, turn=turn, progress=bench.ports.progress))
        take = _take_consistent if writer.checked else _take
        take(bench, drafts, sieves, kept)
    if writer.measured:
        bench.watch.extra.setdefault("generators", {})[suffix(choice)] = writer.measured
    return [_batch(bench, choice, writer, name, kept[name], sieves[name]) for name in task.aims]


def _sieve(bench: Bench, capability: str) -> Sieve:
    space, aim = bench.inputs.workspace, bench.task.aims[capability]
    return sieve(
        aim.human,
        capability=capability,
        answer=aim.answers[0],
        wanted=space.params.expand.per_target,
        novelty=bench.novelty,
        rules=space.cluster.domain_rules,
    )


def _admits(found: Sieve, draft: Draft, kin: Collection[str] = ()) -> bool:
    if draft.cause:
        found.drop(draft.text, draft.cause, draft.detail, request=draft.request)
        return False
    return found.admits(draft.text, answer=draft.answer, context=draft.context, kin=kin, request=draft.request)


def _take(bench: Bench, drafts: Sequence[Draft], sieves: Mapping[str, Sieve], kept: Mapping[str, list[Draft]]) -> None:
    """Read on until enough are kept: a rewrite says what its row says, and costs nothing that is not read."""
    for draft in drafts:
        found = sieves[draft.capability]
        if found.missing > 0 and _admits(found, draft, kin=draft.parents):
            found.keep(draft.text, context=draft.context)
            kept[draft.capability].append(draft)


def _take_consistent(
    bench: Bench, drafts: Sequence[Draft], sieves: Mapping[str, Sieve], kept: Mapping[str, list[Draft]]
) -> None:
    """Keep the messages that the model itself answers with the answer they were written for."""
    admitted = [draft for draft in drafts if _admits(sieves[draft.capability], draft)]
    if not admitted:
        return
    instruction = bench.inputs.workspace.cluster.instruction
    model, _ = bench.task.fitted()
    prompts = [with_instruction((Message(role=Role.USER, content=one.text),), instruction) for one in admitted]
    answers = ask(bench.inputs, bench.ports, bench.watch, model, prompts, f"checking {len(prompts)} samples").texts
    steps = bench.book.normalisation
    for draft, answer in zip(admitted, answers, strict=True):
        consistent = normalise(answer, steps) == normalise(draft.answer, steps)
        said = "" if consistent else f"the model answers {shorten(answer)!r}"
        found = sieves[draft.capability]
        if found.keep(draft.text, context=draft.context, consistent=consistent, detail=said, request=draft.request):
            kept[draft.capability].append(draft)


def _batch(
    bench: Bench, choice: GeneratorChoice, writer: RowWriter, capability: str, drafts: Sequence[Draft], found: Sieve
) -> Made:
    target = bench.task.aims[capability].target
    name = batch_id(target, suffix(choice))
    rows: list[Candidate] = [
        candidate(
            draft.text,
            channel=writer.channel,
            capability=capability,
            answer=draft.answer,
            batch=name,
            parents=draft.parents,
            context=draft.context,
        )
        for draft in drafts
    ]
    return batch(
        name,
        target=target,
        capability=capability,
        channel=writer.channel,
        generator=writer.made_by,
        parameters=writer.parameters(capability),
        seed=bench.task.seed,
        parents=sorted({parent for draft in drafts for parent in draft.parents}),
        rows=rows,
        dropped=found.dropped,
    )
