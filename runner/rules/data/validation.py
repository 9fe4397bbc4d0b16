"""From a batch's figures to its judgement: pass, refuse, or insufficient data.

A figure with an interval is judged by the end of it that speaks for the batch, so that noise refuses nobody; what is
plain stays plain at any size. A measure whose limit nothing can break is recorded and not judged. A batch of which
something that is judged could not be measured does not train either, and says what it would take.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.records.cluster import Validation
from runner.records.diversity import Diversity, DiversityLimits
from runner.records.validation import (
    BatchValidation,
    Cleanliness,
    Estimate,
    Fidelity,
    Judgement,
    Leak,
    Privacy,
    Utility,
)
from runner.records.verdict import Outcome, Reason, Verdict
from runner.rules.data.cleanliness import RARE
from runner.rules.data.diversity import shortfalls
from runner.rules.data.leakage import MAX_SHARE, fails_whole, verbatim

SIZE = "size"
PROSE = {
    "spelling": "fewer slips",
    "casing": "more regular capitals",
    "punctuation": "tidier punctuation",
    "contractions": "fewer contractions",
    "variety": "fewer different words",
    "surprisal": "more predictable words",
}


def judged(
    batch: str,
    rows: int,
    *,
    limits: Validation,
    fidelity: Fidelity | None,
    utility: Utility | None,
    privacy: Privacy | None,
    leaks: tuple[Leak, ...],
    lacking: Sequence[Reason],
    human: bool,
    claimed_new: bool,
) -> BatchValidation:
    """The judgement of one batch. Of `human` rows leakage alone is judged, and privacy only where rows are
    `claimed_new`: a perturbation says itself which row it rewrites."""
    reasons = list(leakage(leaks, rows))
    small = any(reason.step == SIZE for reason in lacking)
    if not human and not small:
        reasons += fidelity_shortfalls(fidelity, limits) if fidelity else ()
        reasons += utility_shortfalls(utility, limits) if utility else ()
        reasons += privacy_shortfalls(privacy, limits) if privacy and claimed_new else ()
    judgement = Judgement.REFUSE if reasons else Judgement.INSUFFICIENT_DATA if lacking else Judgement.PASS
    outcome = Outcome.PASS if judgement is Judgement.PASS else Outcome.REFUSE
    return BatchValidation(
        batch=batch,
        rows=rows,
        fidelity=fidelity,
        utility=utility,
        privacy=privacy,
        leaks=leaks,
        verdict=Verdict(outcome=outcome, reasons=(*reasons, *lacking)),
        lacking=tuple(lacking),
        judgement=judgement,
    )


def with_diversity(judgement: BatchValidation, found: Diversity, *, limits: DiversityLimits | None) -> BatchValidation:
    """The judgement with what `found` says, refused where it misses a limit; a batch that is too small misses none."""
    small = any(reason.step == SIZE for reason in judgement.lacking)
    reasons = shortfalls(found, limits) if limits is not None and not small else ()
    update: dict[str, object] = {"diversity": found}
    if reasons:
        verdict = Verdict(outcome=Outcome.REFUSE, reasons=(*reasons, *judgement.verdict.reasons))
        update |= {"verdict": verdict, "judgement": Judgement.REFUSE}
    return judgement.model_copy(update=update)


def leakage(leaks: Sequence[Leak], rows: int) -> Iterator[Reason]:
    """Refuses a batch of which too much leaked; less is dropped row by row."""
    copied = verbatim(leaks)
    if fails_whole(copied, rows):
        problem = f"{copied} of {rows} rows stand in a frozen set, more than {MAX_SHARE:.0%}"
        yield Reason(step="leakage", problem=problem, hint="the source knows the benchmark: find out how")


def fidelity_shortfalls(found: Fidelity, limits: Validation) -> Iterator[Reason]:
    """Each limit on likeness that `found` breaks."""
    for name in ("length", "vocabulary", "ngram"):
        value, limit = getattr(found, f"{name}_distance"), getattr(limits, f"max_{name}_distance")
        usual = getattr(found.real, f"{name}_distance") if found.real else 0.0
        if value > max(limit, usual):
            among = f" (real rows among themselves: up to {usual:.3f})" if found.real else ""
            problem = f"{name} distance {value:.3f} is above {limit:.3f}{among}"
            yield Reason(step="fidelity", problem=problem, hint="show the generator more real examples of the target")
    if found.exact_copies > limits.max_exact_copies:
        problem = f"share of exact copies {found.exact_copies:.3f} is above {limits.max_exact_copies:.3f}"
        yield Reason(step="fidelity", problem=problem, hint="raise the temperature, or ask for fewer rows")
    if found.c2st_auc and found.c2st_auc.low > limits.max_c2st_auc:
        problem = f"a classifier tells the batch from real rows with AUC {_estimate(found.c2st_auc)}"
        hint = f"the limit is {limits.max_c2st_auc:g}: read some rows beside real ones, and mend what gives them away"
        yield Reason(step="fidelity", problem=problem, hint=hint)
    if found.outliers and found.outliers.low > limits.max_outliers:
        problem = f"{found.outliers.value:.0%} of the rows are like no real row (at least {found.outliers.low:.0%})"
        hint = f"the limit is {limits.max_outliers:.0%}: the generator left the subject"
        yield Reason(step="fidelity", problem=problem, hint=hint)
    if found.cleanliness and found.cleanliness.score > limits.max_cleanliness:
        hint = f"the limit is {limits.max_cleanliness:.0%} of the traits: ask for messages as people type them"
        yield Reason(step="fidelity", problem=_too_clean(found.cleanliness), hint=hint)


def utility_shortfalls(found: Utility, limits: Validation) -> Iterator[Reason]:
    """Refuses what teaches less than its share, at the best end of the interval."""
    if found.lift and found.lift.high < limits.min_utility:
        problem = f"the batch teaches {_estimate(found.lift)} of what as many real rows teach a classifier"
        hint = f"the limit is {limits.min_utility:g}: look for wrong labels, or for rows that say nothing of the target"
        yield Reason(step="utility", problem=problem, hint=hint)


def privacy_shortfalls(found: Privacy, limits: Validation) -> Iterator[Reason]:
    """Each sign that the batch repeats its sources, at the end of the interval that speaks for it."""
    membership = found.membership
    if membership and membership.low > limits.max_membership_auc:
        problem = f"distance to the batch tells its sources from held-back rows with AUC {_estimate(membership)}"
        hint = f"the limit is {limits.max_membership_auc:g}: the generator remembers; train it shorter, or on more rows"
        yield Reason(step="privacy", problem=problem, hint=hint)
    closer = found.closer_than_gold
    if closer and closer.low > limits.max_closer_than_gold:
        problem = f"{closer.value:.0%} of the rows are closer to gold than nine in ten gold rows are to each other"
        hint = f"at least {closer.low:.0%}, where {limits.max_closer_than_gold:.0%} is the limit: these are rewrites"
        yield Reason(step="privacy", problem=problem, hint=hint)
    verbatim = found.verbatim_rows
    if verbatim and verbatim.low > limits.max_verbatim_rows:
        problem = f"{verbatim.value:.0%} of the rows repeat eight words in a row that one gold row alone has"
        hint = f"at least {verbatim.low:.0%}, where {limits.max_verbatim_rows:.0%} is the limit"
        yield Reason(step="privacy", problem=problem, hint=hint)


def lacks_rows(rows: int, limits: Validation) -> Iterator[Reason]:
    """A batch that is too small for any measure."""
    if rows < limits.min_rows:
        hint = f"{limits.min_rows - rows} more: raise `expand.per_target`, or gather more human rows of the target"
        yield Reason(step=SIZE, problem=f"insufficient data: {rows} rows, fewer than {limits.min_rows}", hint=hint)


def lacks_real(real: int, limits: Validation) -> Iterator[Reason]:
    """Too few real rows to compare with, where comparing could refuse."""
    least = max(2, limits.min_real)
    if real < least and min(limits.max_c2st_auc, limits.max_outliers, limits.max_cleanliness) < 1:
        problem = f"insufficient data: {real} real rows to compare with, fewer than {least}"
        hint = f"{least - real} more human rows of the capability, in base or gold, that the batch does not rewrite"
        yield Reason(step="fidelity", problem=problem, hint=hint)


def lacks_tests(capability: str, tests: int, limits: Validation) -> Iterator[Reason]:
    """Too few real tests of the capability to measure what the batch teaches."""
    if tests < limits.min_records and limits.min_utility > 0:
        problem = f"insufficient data: {tests} real tests of {capability}, fewer than {limits.min_records}"
        hint = f"{limits.min_records - tests} more dev scenarios of {capability}"
        yield Reason(step="utility", problem=problem, hint=hint)


def lacks_records(gold: int, reference: int, limits: Validation) -> Iterator[Reason]:
    """Too few gold or held-back rows to measure privacy, where it could refuse."""
    if min(limits.max_membership_auc, limits.max_closer_than_gold, limits.max_verbatim_rows) == 1:
        return
    for name, count, where in (
        ("gold", gold, "data/gold.jsonl that the batch names as its parents"),
        ("reference", reference, "data/reference.jsonl, held back from every generator"),
    ):
        if count < limits.min_records:
            problem = f"insufficient data: {count} {name} rows of the capability, fewer than {limits.min_records}"
            yield Reason(step="privacy", problem=problem, hint=f"{limits.min_records - count} more in {where}")


def _estimate(found: Estimate) -> str:
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def _too_clean(found: Cleanliness) -> str:
    names = [PROSE.get(name, name) for name, one in found.traits.items() if one.tail <= RARE and one.batch < one.real]
    return f"the batch is tidier than what people write: {', '.join(names)}"
