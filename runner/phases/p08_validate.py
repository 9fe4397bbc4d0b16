"""Phase 8, validate: may a batch train? Fidelity, utility, privacy and leakage, each with its figures.

Leaked rows are dropped one by one; a batch of which too much leaked fails whole. Human rows (log) are what real data
is, so their fidelity is recorded and not judged. Privacy is judged where rows are claimed to be new texts (`llm`,
`simulator`, `external`); a perturbation is a rewrite of rows it names, so its figures are recorded. Gold and base rows
that stand in a frozen set are listed, and train nothing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from runner.phases.common import texts
from runner.ports import Output, Ports
from runner.records.conversation import last_user_text
from runner.records.dataset import Batch, Candidate, Channel, Example
from runner.records.scenario import Origin, SetName
from runner.records.validation import BatchValidation, Fidelity, Leak, Privacy, Utility, ValidationReport
from runner.records.verdict import Outcome, Reason, Verdict
from runner.rules.fidelity import fidelity, shortfalls
from runner.rules.leakage import MAX_SHARE, FrozenTexts, fails_whole, verbatim
from runner.rules.mixture import by_capability
from runner.rules.privacy import privacy
from runner.workspace import Inputs

HUMAN = (Channel.LOG, Channel.HUMAN)
CLAIMED_NEW = (Channel.LLM, Channel.SIMULATOR, Channel.EXTERNAL)
HELD_BACK = 5
"""One base row in this many tests and does not train, in capabilities of at least twice as many."""
OTHERS = 200
"""Real rows of other capabilities that a utility classifier sees."""


@dataclass(frozen=True)
class Ground:
    """What batches are judged against."""

    inputs: Inputs
    gold: Mapping[str, Sequence[Example]]
    base: Mapping[str, Sequence[Example]]
    log: Mapping[str, Sequence[Example]]
    reference: Mapping[str, Sequence[Example]]
    frozen: FrozenTexts

    @cached_property
    def by_id(self) -> dict[str, Example]:
        return {row.id: row for group in (self.gold, self.log) for rows in group.values() for row in rows}

    def real(self, capability: str) -> list[Example]:
        return [row for group in (self.gold, self.base, self.log) for row in group.get(capability, ())]

    @cached_property
    def others(self) -> dict[str, list[Example]]:
        return {name: self.real(name) for name in sorted({*self.gold, *self.base, *self.log})}


def run(inputs: Inputs, ports: Ports) -> Output:
    """Writes `validation` and `valid`. The verdict passes and names every batch that failed, and every leak."""
    candidates = inputs.artifacts.rows("candidates", Candidate)
    ground = _ground(inputs, candidates)
    batches = inputs.artifacts.rows("batches", Batch)
    judged = []
    for position, batch in enumerate(batches):
        ports.progress(f"validating {batch.id}", position / len(batches))
        rows = [one.example for one in candidates if one.batch == batch.id]
        judged.append(_judge(batch, rows, ground, ports))
    passed = {one.batch for one in judged if one.verdict.passed}
    leaked = {leak.candidate for one in judged for leak in one.leaks}
    own = [row for group in (ground.gold, ground.base) for rows in group.values() for row in rows]
    report = ValidationReport(
        batches=tuple(judged),
        passed=tuple(one.batch for one in judged if one.batch in passed),
        failed=tuple(one.batch for one in judged if one.batch not in passed),
        human_leaks=ground.frozen.leaks(sorted(own, key=lambda row: row.id)),
    )
    valid = [one for one in candidates if one.batch in passed and one.example.id not in leaked]
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
    )


def _judge(batch: Batch, rows: Sequence[Example], ground: Ground, ports: Ports) -> BatchValidation:
    limits, human = ground.inputs.workspace.cluster.validation, batch.provenance.channel in HUMAN
    leaks = ground.frozen.leaks(rows)
    reasons = list(_leakage(leaks, len(rows)))
    capability = rows[0].capability if rows else ""
    found = _fidelity(batch, rows, ground, human=human) if rows else None
    use: Utility | None = None
    private: Privacy | None = None
    if not human and len(rows) < limits.min_rows:
        hint = "insufficient data: raise `expand.per_target`, or gather more human rows of the target"
        reasons.append(Reason(step="size", problem=f"{len(rows)} rows, fewer than {limits.min_rows}", hint=hint))
    elif not human and found is not None:
        reasons += shortfalls(found, limits)
        use = _utility(capability, rows, ground, ports)
        members = [row for name in batch.provenance.parents if (row := ground.by_id.get(name))]
        reference = ground.reference.get(capability, ())
        private = privacy(texts(rows), gold=texts(members), reference=texts(reference))
        reasons += _measures(batch, use, private, ground)
    outcome = Outcome.REFUSE if reasons else Outcome.PASS
    return BatchValidation(
        batch=batch.id,
        rows=len(rows),
        fidelity=found,
        utility=use,
        privacy=private,
        leaks=leaks,
        verdict=Verdict(outcome=outcome, reasons=tuple(reasons)),
    )


def _leakage(leaks: Sequence[Leak], rows: int) -> Iterator[Reason]:
    copied = verbatim(leaks)
    if fails_whole(copied, rows):
        problem = f"{copied} of {rows} rows stand in a frozen set, more than {MAX_SHARE:.0%}"
        yield Reason(step="leakage", problem=problem, hint="the source knows the benchmark: find out how")


def _fidelity(batch: Batch, rows: Sequence[Example], ground: Ground, *, human: bool) -> Fidelity:
    """Against real rows of the capability, the batch's own left out."""
    own = {row.id for row in rows}
    real = [row for row in ground.real(rows[0].capability) if row.id not in own]
    parents = [] if human else [row for name in batch.provenance.parents if (row := ground.by_id.get(name))]
    return fidelity(texts(rows), texts(real), parents=texts(parents))


def _measures(batch: Batch, use: Utility | None, private: Privacy | None, ground: Ground) -> Iterator[Reason]:
    limits = ground.inputs.workspace.cluster.validation
    if use is not None and use.ratio < limits.min_utility:
        problem = f"trained on the batch, a classifier reaches {use.ratio:.2f} of what real data teaches it"
        yield Reason(step="utility", problem=problem, hint=f"the limit is {limits.min_utility:g}")
    judged = batch.provenance.channel in CLAIMED_NEW
    if judged and private is not None and private.membership_auc > limits.max_membership_auc:
        problem = f"distance to the batch tells its sources from others with AUC {private.membership_auc:.2f}"
        yield Reason(step="privacy", problem=problem, hint=f"the limit is {limits.max_membership_auc:g}")


def _utility(capability: str, rows: Sequence[Example], ground: Ground, ports: Ports) -> Utility | None:
    """One capability against the rest: a classifier trained on the batch, and one trained on real rows, each beside
    the same real rows of other capabilities; both tested on dev and on base rows held back. None without tests."""
    space = ground.inputs.workspace
    random_ = random.Random(f"{space.params.seed}/{capability}")
    base = list(ground.base.get(capability, ()))
    held = base[::HELD_BACK] if len(base) >= 2 * HELD_BACK else []
    kept = [row for row in ground.real(capability) if row not in held]
    dev = space.scenarios[SetName.DEV]
    yes = [last_user_text(one.input) for one in dev if one.capability == capability] + texts(held)
    no = [last_user_text(one.input) for one in dev if one.capability != capability]
    if not yes or not no or not kept:
        return None
    test = [(text, capability) for text in yes]
    test += [(text, "other") for text in random_.sample(no, min(len(no), len(yes)))]
    pool = [row for name, found in ground.others.items() if name != capability for row in found]
    rest = [(text, "other") for text in texts(random_.sample(pool, min(OTHERS, len(pool))))]

    def accuracy(positives: Sequence[str]) -> float:
        train = [(text, capability) for text in positives] + rest
        seed = space.params.seed
        return round(ports.classifier.accuracy(train, test, seed=seed), 9)

    made, real = accuracy(texts(rows)), accuracy(texts(kept))
    return Utility(synthetic_accuracy=made, real_accuracy=real, ratio=round(made / real, 9) if real else 1.0)


def _reasons(report: ValidationReport) -> Iterator[Reason]:
    for one in report.batches:
        for reason in one.verdict.reasons:
            yield Reason(step=reason.step, problem=f"batch {one.batch}: {reason.problem}", hint=reason.hint)
        if one.leaks:
            yield Reason(step="leakage", problem=f"batch {one.batch}: {len(one.leaks)} leaked rows were dropped")
    if report.human_leaks:
        problem = f"{len(report.human_leaks)} gold or base rows stand in a frozen set and train nothing"
        yield Reason(step="leakage", problem=problem, hint="remove them from the data, or the scenarios from the set")
