"""Phase 7, expand: candidates for the targets, in batches that each say how they were made.

- `log`: what people answered on failed production signals; human rows, one batch for each target.
- `llm`: messages sampled from the causal LM itself, conditioned on the right answer, kept where the model answers
  them with it. A base that fails on a capability can neither write nor recognise it, so with `ENOUGH` human rows of
  the targets (gold and log) the generator is an adapter fitted on those rows, in both directions.
- `perturbation`: seeded rewrites of gold and log rows.

The two synthetic channels make one batch for each capability, named after its most urgent target. Every batch has its
funnel: rows that break a domain rule, are no news or are not answered with their label are dropped, by cause.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from runner.phases.common import Stopwatch, ask, base_model
from runner.ports import Model, Output, Ports
from runner.records.conversation import Message, Role, last_user_text
from runner.records.dataset import Batch, Candidate, Channel, Example, Generator, Provenance
from runner.records.diversity import DiversityLimits
from runner.records.failure import Diagnosis, FailureCluster
from runner.records.funnel import Funnel, FunnelStep
from runner.records.scenario import Origin, SetName
from runner.records.trace import UniqueSignal
from runner.records.training import TrainingRow, Use
from runner.rules.canonical import digest
from runner.rules.conversations import reversed_example, with_instruction, without_system
from runner.rules.diagnosis import Answerbook, answerbook
from runner.rules.domain_rules import FEWEST_WORDS, binding, breach
from runner.rules.expansion import Sieve, candidate, perturbations, sieve
from runner.rules.funnel import expanded
from runner.rules.grading import normalise
from runner.rules.leakage import FrozenTexts
from runner.rules.naming import content_id
from runner.rules.novelty import DUPLICATE, Novelty
from runner.rules.perturbation import VERSION, generator_digest
from runner.workspace import Inputs

ENOUGH = 8
"""Human rows of the targets from which a generator is fitted."""
LONGEST = 48
"""Tokens of a sampled message at most."""


@dataclass(frozen=True)
class Material:
    """What the generators work from: the leading target of each capability, its right answer, its human rows."""

    targets: Mapping[str, FailureCluster]
    labels: Mapping[str, str]
    human: Mapping[str, Sequence[Example]]
    novelty: Novelty

    @property
    def rows(self) -> list[Example]:
        return [row for name in self.targets for row in self.human.get(name, ())]


def run(inputs: Inputs, ports: Ports) -> Output:
    """Writes `batches` and `candidates`. A target for which nothing was made has no batch."""
    space, watch = inputs.workspace, Stopwatch(ports)
    diagnosis = inputs.artifacts.record("diagnosis", Diagnosis)
    by_id = {one.id: one for one in diagnosis.failures}
    targets = [by_id[name] for name in diagnosis.targets]
    book = answerbook(space.cluster, space.scenarios[SetName.CORE], space.rubrics)
    signals = {one.signal.id: one for one in inputs.artifacts.rows("unique", UniqueSignal)}
    seen: set[str] = set()
    logs = [_log(inputs, target, signals, book, seen) for target in targets]
    material = _material(inputs, targets, [row for _, rows in logs for row in rows], book)
    made = [
        *logs,
        *_sampled(inputs, ports, watch, material, book),
        *(_perturbed(inputs, material, capability) for capability in material.labels),
    ]
    full = [(batch, rows) for batch, rows in made if batch.funnel is not None and batch.funnel.generated]
    candidates = {row.example.id: row for _, rows in full for row in rows}
    batches = [batch for batch, _ in full]
    return Output({"batches": batches, "candidates": list(candidates.values())}, measured=watch.measured)


def _log(
    inputs: Inputs, target: FailureCluster, signals: Mapping[str, UniqueSignal], book: Answerbook, seen: set[str]
) -> tuple[Batch, list[Candidate]]:
    """The target's answered signals as human rows, each message and answer once over all targets (`seen`)."""
    name, rows = _batch_id(target, Channel.LOG), []
    dropped: list[tuple[FunnelStep, str]] = []
    rules = binding(inputs.workspace.cluster.domain_rules, target.capability)
    for one in (signals[key] for key in target.signals):
        trace = one.signal.trace
        answer, found = trace.feedback.correct_answer, without_system(trace.input)
        if not answer or not found:
            dropped.append((FunnelStep.PARSED, "unanswered"))
            continue
        right = book.canonical(answer)
        if broken := breach(rules, text=last_user_text(found), answer=right):
            dropped.append((FunnelStep.RULED, broken.rule))
            continue
        key = content_id("cand", [Channel.LOG, [message.content for message in found], right])
        if key in seen:
            dropped.append((FunnelStep.NOVEL, DUPLICATE))
            continue
        seen.add(key)
        example = Example(id=key, capability=target.capability, input=found, answer=right, origin=Origin.HUMAN)
        rows.append(Candidate(example=example, batch=name, parents=(one.signal.id,)))
    generator = Generator(name="production-traces", version="1", sha256=inputs.artifacts.digest("unique"))
    made = Provenance(
        channel=Channel.LOG,
        generator=generator,
        parameters={"failed": True, "answered": True},
        seed=inputs.workspace.params.seed,
        target=target.id,
        parents=tuple(row.parents[0] for row in rows),
        count=len(rows),
    )
    return _batch(name, made, expanded(len(rows), dropped)), rows


def _material(
    inputs: Inputs, targets: Sequence[FailureCluster], log: Sequence[Candidate], book: Answerbook
) -> Material:
    """The leading target of each capability that has a right answer to aim at."""
    leading: dict[str, FailureCluster] = {}
    for target in targets:
        leading.setdefault(target.capability, target)
    human: dict[str, list[Example]] = defaultdict(list)
    for example in (*inputs.artifacts.rows("gold", Example), *(row.example for row in log)):
        human[example.capability].append(example)
    labels = {name: answer for name in leading if (answer := book.labels().get(name))}
    limits = inputs.workspace.cluster.diversity or DiversityLimits()
    novelty = Novelty(
        (row for rows in human.values() for row in rows),
        frozen=FrozenTexts(inputs.workspace.scenarios[SetName.CORE]),
        threshold=limits.near_duplicate,
    )
    return Material({name: leading[name] for name in labels}, labels, human, novelty)


def _sampled(
    inputs: Inputs, ports: Ports, watch: Stopwatch, material: Material, book: Answerbook
) -> list[tuple[Batch, list[Candidate]]]:
    """Rounds of sampling for every capability at once, until each has enough or the attempts are spent."""
    if not material.labels:
        return []
    knobs, space = inputs.workspace.params.expand, inputs.workspace
    model, generator = _generator(inputs, ports, watch, material)
    sieves = {name: _sieve(inputs, material, name) for name in material.labels}
    for turn in range(knobs.attempts):
        wanted = [name for name, found in sieves.items() for _ in range(found.missing)]
        if not wanted:
            break
        labels, seed = [material.labels[name] for name in wanted], space.params.seed + turn
        ports.progress(f"sampling {len(labels)} messages", turn / knobs.attempts)
        draw = partial(ports.models.sample, model, labels, temperature=knobs.temperature, seed=seed)
        drawn = watch.time(partial(draw, max_new_tokens=LONGEST))
        admitted = [(name, text) for name, text in zip(wanted, drawn, strict=True) if sieves[name].admits(text)]
        _keep_consistent(inputs, ports, watch, model, admitted, sieves=sieves, material=material, book=book)
    return [_sampled_batch(inputs, material, name, found, generator) for name, found in sieves.items()]


def _keep_consistent(
    inputs: Inputs,
    ports: Ports,
    watch: Stopwatch,
    model: Model,
    admitted: Sequence[tuple[str, str]],
    *,
    sieves: Mapping[str, Sieve],
    material: Material,
    book: Answerbook,
) -> None:
    """Keep the texts that the model itself answers with the label they were drawn for."""
    instruction = inputs.workspace.cluster.instruction
    prompts = [with_instruction((Message(role=Role.USER, content=text),), instruction) for _, text in admitted]
    if not prompts:
        return
    answers = ask(inputs, ports, watch, model, prompts, f"checking {len(prompts)} samples").texts
    for (name, text), answer in zip(admitted, answers, strict=True):
        wanted = normalise(material.labels[name], book.normalisation)
        sieves[name].keep(text, consistent=normalise(answer, book.normalisation) == wanted)


def _generator(inputs: Inputs, ports: Ports, watch: Stopwatch, material: Material) -> tuple[Model, Generator]:
    """The base, or an adapter on it fitted on the targets' human rows where there are enough.

    The instruction is put on the answering rows here, because the generating ones are sampled without one.
    """
    space, base = inputs.workspace, base_model(inputs)
    weights, instruction = inputs.artifacts.digest("base"), space.cluster.instruction
    if len(material.rows) < ENOUGH:
        return base, Generator(name="base", version=ports.models.version, sha256=digest([weights, None]))
    asked = [row.model_copy(update={"input": with_instruction(row.input, instruction)}) for row in material.rows]
    both = [*asked, *(reversed_example(row) for row in material.rows)]
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


def _sampled_batch(
    inputs: Inputs, material: Material, capability: str, found: Sieve, generator: Generator
) -> tuple[Batch, list[Candidate]]:
    knobs, target = inputs.workspace.params.expand, material.targets[capability]
    name, label = _batch_id(target, Channel.LLM), material.labels[capability]
    learnt = tuple(sorted(row.id for row in material.human.get(capability, ()))) or ("base-data",)
    rows = [
        candidate(text, channel=Channel.LLM, capability=capability, answer=label, batch=name, parents=learnt)
        for text in found.kept
    ]
    made = Provenance(
        channel=Channel.LLM,
        generator=generator,
        parameters={"label": label, "temperature": knobs.temperature, "attempts": knobs.attempts, "tokens": LONGEST},
        seed=inputs.workspace.params.seed,
        target=target.id,
        parents=learnt,
        count=len(rows),
    )
    return _batch(name, made, found.funnel), rows


def _perturbed(inputs: Inputs, material: Material, capability: str) -> tuple[Batch, list[Candidate]]:
    knobs, target = inputs.workspace.params.expand, material.targets[capability]
    name, sources = _batch_id(target, Channel.PERTURBATION), material.human.get(capability, ())
    found = _sieve(inputs, material, capability)
    rows = [
        candidate(
            text,
            channel=Channel.PERTURBATION,
            capability=capability,
            answer=source.answer,
            batch=name,
            parents=(source.id,),
            context=source.input,
        )
        for text, source in perturbations(sources, found, attempts=knobs.attempts, seed=inputs.workspace.params.seed)
    ]
    made = Provenance(
        channel=Channel.PERTURBATION,
        generator=Generator(name="runner.rules.perturbation", version=VERSION, sha256=generator_digest()),
        parameters={"attempts": knobs.attempts, "fewest_words": FEWEST_WORDS},
        seed=inputs.workspace.params.seed,
        target=target.id,
        parents=tuple(sorted({row.parents[0] for row in rows})),
        count=len(rows),
    )
    return _batch(name, made, found.funnel), rows


def _batch_id(target: FailureCluster, channel: Channel) -> str:
    return f"{target.id}-{channel}"


def _batch(name: str, made: Provenance, funnel: Funnel) -> Batch:
    return Batch(id=name, provenance=made, rejected=funnel.rejected, funnel=funnel)


def _sieve(inputs: Inputs, material: Material, capability: str) -> Sieve:
    return sieve(
        material.human.get(capability, ()),
        capability=capability,
        answer=material.labels[capability],
        wanted=inputs.workspace.params.expand.per_target,
        novelty=material.novelty,
        rules=inputs.workspace.cluster.domain_rules,
    )
