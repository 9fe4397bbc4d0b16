"""Phase 8, validate: may a batch train? Fidelity, utility, privacy and leakage, each with its figures.

Leaked rows are dropped one by one; a batch of which too much leaked fails whole. Human rows (log) are what real data
is, so their fidelity is recorded and not judged. Privacy is judged where rows are claimed to be new texts (`llm`,
`simulator`, `external`); a perturbation is a rewrite of rows it names, so its figures are recorded. Gold and base rows
that stand in a frozen set are listed, and train nothing. What a batch may not be, and what too little is known of, is
decided by `rules.data.validation`; docs/validation.md says what each measure tells. Of every batch its diversity is
measured, and judged where the cluster sets a limit (`diversity:`); the funnel gets its step `validated`.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeVar

from runner.phases.common import texts
from runner.ports import Output, Ports
from runner.records.cluster import Validation
from runner.records.conversation import last_user_text
from runner.records.dataset import Batch, Candidate, Channel, Example
from runner.records.failure import Diagnosis
from runner.records.scenario import Origin, SetName
from runner.records.trace import UniqueSignal
from runner.records.validation import BatchValidation, Estimate, Fidelity, Privacy, Utility, ValidationReport
from runner.records.verdict import Reason, Verdict
from runner.rules.data import funnel
from runner.rules.data.cleanliness import Slips, cleanliness
from runner.rules.data.diversity import diversity
from runner.rules.data.fidelity import fidelity, spread
from runner.rules.data.leakage import FrozenTexts
from runner.rules.data.mixture import by_capability
from runner.rules.data.privacy import privacy, share
from runner.rules.data.utility import utility
from runner.rules.data.validation import judged, lacks_real, lacks_records, lacks_rows, lacks_tests, with_diversity
from runner.rules.evaluation.statistics import auc, auc_interval
from runner.workspace import Inputs

T = TypeVar("T")
HUMAN = (Channel.LOG, Channel.HUMAN)
CLAIMED_NEW = (Channel.LLM, Channel.SIMULATOR, Channel.EXTERNAL)
HELD_BACK = 5
"""One base row in this many tests and does not train, in capabilities of at least twice as many."""
OTHERS = 200
"""Real rows of other capabilities that a utility classifier sees."""
MOST = 1000
"""Rows of each kind that are compared with each other: of more, a sample says the same in a hundredth of the time."""
USUAL = 0.99
"""The quantile of real rows' distances to each other beyond which a row is an outlier."""


@dataclass(frozen=True)
class Ground:
    """What batches are judged against."""

    inputs: Inputs
    gold: Mapping[str, Sequence[Example]]
    base: Mapping[str, Sequence[Example]]
    log: Mapping[str, Sequence[Example]]
    reference: Mapping[str, Sequence[Example]]
    frozen: FrozenTexts
    members: Mapping[str, Sequence[str]]
    """The failed messages of each failure cluster."""

    @property
    def limits(self) -> Validation:
        return self.inputs.workspace.cluster.validation

    @property
    def seed(self) -> int:
        return self.inputs.workspace.params.seed

    @cached_property
    def by_id(self) -> dict[str, Example]:
        return {row.id: row for group in (self.gold, self.log) for rows in group.values() for row in rows}

    def real(self, capability: str) -> list[Example]:
        return [row for group in (self.gold, self.base, self.log) for row in group.get(capability, ())]

    @cached_property
    def everything(self) -> dict[str, list[Example]]:
        """All real rows by capability."""
        return {name: self.real(name) for name in sorted({*self.gold, *self.base, *self.log})}

    @cached_property
    def slips(self) -> Slips:
        return Slips(text for rows in self.everything.values() for text in texts(rows))


class Figures(NamedTuple):
    """What was measured of a batch, and what could not be."""

    fidelity: Fidelity | None = None
    utility: Utility | None = None
    privacy: Privacy | None = None
    lacking: tuple[Reason, ...] = ()


def run(inputs: Inputs, ports: Ports) -> Output:
    """Writes `validation` and `valid`. The verdict passes and names every batch that failed, and every leak."""
    candidates = inputs.artifacts.rows("candidates", Candidate)
    ground = _ground(inputs, candidates)
    batches = inputs.artifacts.rows("batches", Batch)
    found = []
    for position, batch in enumerate(batches):
        ports.progress(f"validating {batch.id}", position / len(batches))
        rows = [one for one in candidates if one.batch == batch.id]
        found.append(_varied(_judge(batch, rows, ground, ports), batch, rows, ground))
    passed = {one.batch for one in found if one.verdict.passed}
    leaked = {leak.candidate for one in found for leak in one.leaks}
    own = [row for group in (ground.gold, ground.base) for some in group.values() for row in some]
    valid = [one for one in candidates if one.batch in passed and one.example.id not in leaked]
    before = funnel.report(batches)
    report = ValidationReport(
        batches=tuple(found),
        passed=tuple(one.batch for one in found if one.batch in passed),
        failed=tuple(one.batch for one in found if one.batch not in passed),
        human_leaks=ground.frozen.leaks(sorted(own, key=lambda row: row.id)),
        funnel=funnel.validated(before, candidates=candidates, valid=valid, leaked=leaked) if before else None,
    )
    verdict = Verdict(reasons=tuple(_reasons(report)))
    return Output({"validation": report, "valid": valid}, verdict, {"compute_s": 0.0})


def _ground(inputs: Inputs, candidates: Sequence[Candidate]) -> Ground:
    scenarios = inputs.workspace.scenarios
    log = [one.example for one in candidates if one.example.origin is Origin.HUMAN]
    return Ground(
        inputs=inputs,
        gold=by_capability(inputs.artifacts.rows("gold", Example)),
        base=by_capability(inputs.artifacts.rows("base-data", Example)),
        log=by_capability(log),
        reference=by_capability(inputs.artifacts.rows("reference", Example)),
        frozen=FrozenTexts(scenario for found in scenarios.values() for scenario in found),
        members=_members(inputs),
    )


def _members(inputs: Inputs) -> dict[str, list[str]]:
    signals = inputs.artifacts.rows("unique", UniqueSignal)
    said = {one.signal.id: last_user_text(one.signal.trace.input) for one in signals}
    failures = inputs.artifacts.record("diagnosis", Diagnosis).failures
    return {one.id: [said[name] for name in one.signals if name in said] for one in failures}


def _judge(batch: Batch, candidates: Sequence[Candidate], ground: Ground, ports: Ports) -> BatchValidation:
    rows = [one.example for one in candidates]
    human, channel = batch.provenance.channel in HUMAN, batch.provenance.channel
    found = Figures()
    if rows:
        found = _human(rows, ground) if human else _measured(batch, candidates, ground, ports)
    elif not human:
        found = Figures(lacking=tuple(lacks_rows(0, ground.limits)))
    return judged(
        batch.id,
        len(rows),
        limits=ground.limits,
        fidelity=found.fidelity,
        utility=found.utility,
        privacy=found.privacy,
        leaks=ground.frozen.leaks(rows),
        lacking=found.lacking,
        human=human,
        claimed_new=channel in CLAIMED_NEW,
    )


def _varied(
    judgement: BatchValidation, batch: Batch, candidates: Sequence[Candidate], ground: Ground
) -> BatchValidation:
    """With the batch's diversity. What people wrote is what a batch should reach, so theirs is not judged."""
    if not candidates:
        return judgement
    own, human = {one.example.id for one in candidates}, batch.provenance.channel in HUMAN
    real = [row for row in ground.real(candidates[0].example.capability) if row.id not in own]
    members = () if human else ground.members.get(batch.provenance.target, ())
    rows = texts([one.example for one in candidates])
    found = diversity(rows, real=texts(real), members=members, seed=ground.seed)
    limits = ground.inputs.workspace.cluster.diversity
    return with_diversity(judgement, found, limits=None if human else limits)


def _human(rows: Sequence[Example], ground: Ground) -> Figures:
    own = {row.id for row in rows}
    real = [row for row in ground.real(rows[0].capability) if row.id not in own]
    return Figures(fidelity(texts(rows), texts(real), parents=()))


def _measured(batch: Batch, candidates: Sequence[Candidate], ground: Ground, ports: Ports) -> Figures:
    """Everything of a synthetic batch; of one that is too small, no more than its distances."""
    rows, limits = [one.example for one in candidates], ground.limits
    capability = rows[0].capability
    parents = [row for name in batch.provenance.parents if (row := ground.by_id.get(name))]
    rewritten = {one.parents[0] for one in candidates if len(one.parents) == 1}
    real = texts([row for row in ground.real(capability) if row.id not in rewritten])
    like = fidelity(texts(rows), real, parents=texts(parents))
    small = tuple(lacks_rows(len(rows), limits))
    if small:
        return Figures(like, lacking=small)
    some, reference = _some(rows, ground), ground.reference.get(capability, ())
    lacking = list(lacks_real(len(real), limits))
    if len(real) >= max(2, limits.min_real):
        like = _compared(like, texts(some), _some(real, ground), ground, ports)
    use, why = _utility(capability, some, ground, ports)
    if batch.provenance.channel in CLAIMED_NEW:
        lacking += lacks_records(len(parents), len(reference), limits)
    private = _privacy(some, _some(parents, ground), _some(reference, ground), ground)
    return Figures(like, use, private, (*lacking, *why))


def _some(rows: Sequence[T], ground: Ground) -> Sequence[T]:
    """All of them, or a seeded sample of `MOST`."""
    return rows if len(rows) <= MOST else random.Random(ground.seed).sample(list(rows), MOST)


def _compared(like: Fidelity, batch: Sequence[str], real: Sequence[str], ground: Ground, ports: Ports) -> Fidelity:
    """`like` with what takes a number of real rows: their spread, the two-sample test, outliers, cleanliness."""
    made, true = ports.classifier.told_apart(batch, real, seed=ground.seed)
    low, high = auc_interval(made, true)
    to_real, own = ports.classifier.nearest(batch, real)
    usual = sorted(own)[min(len(own) - 1, int(USUAL * len(own)))]
    return like.model_copy(
        update={
            "real": spread(real, size=len(batch), seed=ground.seed),
            "c2st_auc": Estimate(value=round(auc(made, true), 9), low=low, high=high),
            "outliers": share(sum(distance > usual for distance in to_real), len(batch)),
            "cleanliness": cleanliness(batch, real, slips=ground.slips, seed=ground.seed),
        }
    )


def _utility(
    capability: str, rows: Sequence[Example], ground: Ground, ports: Ports
) -> tuple[Utility | None, tuple[Reason, ...]]:
    """One capability against the rest: a classifier trained on the batch, and one trained on as many real rows, each
    beside the same real rows of other capabilities; both tested on dev and on base rows held back. Where there is one
    capability alone there is nothing to tell apart, and nothing is asked."""
    space, limits = ground.inputs.workspace, ground.limits
    random_ = random.Random(f"{ground.seed}/{capability}")
    base = list(ground.base.get(capability, ()))
    held = base[::HELD_BACK] if len(base) >= 2 * HELD_BACK else []
    kept = [row for row in ground.real(capability) if row not in held]
    dev = space.scenarios[SetName.DEV]
    yes = [last_user_text(one.input) for one in dev if one.capability == capability] + texts(held)
    no = [last_user_text(one.input) for one in dev if one.capability != capability]
    no = random_.sample(no, min(len(no), len(yes)))
    pool = [row for name, found in ground.everything.items() if name != capability for row in found]
    if not no and not pool:
        return None, ()
    tests, fewer = min((len(yes), capability), (len(no), "other capabilities"))
    if tests < limits.min_records or not kept:
        return None, tuple(lacks_tests(fewer, tests if kept else 0, limits))
    test = [*((text, capability) for text in yes), *((text, "other") for text in no)]
    rest = [(text, "other") for text in texts(random_.sample(pool, min(OTHERS, len(pool))))]
    size = min(len(rows), len(kept))

    def correct(shown: Sequence[Example]) -> Sequence[bool]:
        train = [(text, capability) for text in texts(random_.sample(shown, size))]
        return ports.classifier.correct([*train, *rest], test, seed=ground.seed)

    found, nothing = utility(correct(rows), correct(kept), positives=len(yes), rows=size, seed=ground.seed)
    if nothing and limits.min_utility > 0:
        hint = "more real rows of the capability, or dev scenarios that can be told from others by their words"
        return found, (Reason(step="utility", problem=f"insufficient data: {nothing}", hint=hint),)
    return found, ()


def _privacy(
    rows: Sequence[Example], parents: Sequence[Example], reference: Sequence[Example], ground: Ground
) -> Privacy | None:
    members = {row.id for row in parents}
    others = [row for found in ground.everything.values() for row in found if row.id not in members]
    least = ground.limits.min_records
    return privacy(texts(rows), gold=texts(parents), reference=texts(reference), others=texts(others), least=least)


def _reasons(report: ValidationReport) -> Iterator[Reason]:
    for one in report.batches:
        for reason in one.verdict.reasons:
            yield Reason(step=reason.step, problem=f"batch {one.batch}: {reason.problem}", hint=reason.hint)
        if one.leaks:
            yield Reason(step="leakage", problem=f"batch {one.batch}: {len(one.leaks)} leaked rows were dropped")
    if report.human_leaks:
        problem = f"{len(report.human_leaks)} gold or base rows stand in a frozen set and train nothing"
        yield Reason(step="leakage", problem=problem, hint="remove them from the data, or the scenarios from the set")
