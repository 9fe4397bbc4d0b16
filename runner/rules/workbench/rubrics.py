"""Whether rubrics do their work: criteria and steps that decide nothing, rubrics that grade nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from runner.records.rubric import Rubric, RubricStatus
from runner.records.score import Grade
from runner.records.terms import SetName
from runner.records.workbench import CriterionHealth, NormalisationHealth, RubricHealth
from runner.rules.evaluation.grading import criterion_slug
from runner.rules.text.normalisation import normalise
from runner.rules.workbench.item import Item

ENOUGH = 20
"""Graded answers below which nothing is said of what a rubric's criteria do."""
LOPSIDED = 10
"""Times as much as another criterion that one may weigh without being told of."""


class Graded(NamedTuple):
    """A grade of an item as it stands, by `set/id`."""

    key: str
    grade: Grade


class _Seen:
    """What the answers to one rubric's items came to. No answer is kept."""

    def __init__(self, rubric: Rubric) -> None:
        self.rubric = rubric
        self.answers = 0
        self.slugs = [criterion_slug(rubric, one) for one in rubric.criteria]
        self.missed: Counter[str] = Counter()
        self.apart: Counter[tuple[str, str]] = Counter()
        self.decides: Counter[str] = Counter()

    def add(self, grade: Grade, reference: str) -> None:
        self.answers += 1
        missed = set(grade.missed)
        self.missed.update(slug for slug in self.slugs if slug in missed)
        self.apart.update(pair for pair in combinations(self.slugs, 2) if (pair[0] in missed) != (pair[1] in missed))
        steps = self.rubric.normalisation
        if not grade.answer or not steps:  # of held-out a log has no answers
            return
        equal = normalise(grade.answer, steps) == normalise(reference, steps)
        for step in steps:
            without = [one for one in steps if one is not step]
            if (normalise(grade.answer, without) == normalise(reference, without)) != equal:
                self.decides[step] += 1


def rubric_health(
    rubrics: Mapping[str, Rubric], items: Sequence[Item], graded: Iterable[Graded]
) -> tuple[RubricHealth, ...]:
    """The health of every rubric, by id. `graded` is gone through once."""
    by_key = {one.key: one for one in items}
    seen = {name: _Seen(rubric) for name, rubric in rubrics.items()}
    for key, grade in graded:
        one = by_key.get(key)
        if one is not None and one.rubric in seen:
            seen[one.rubric].add(grade, one.reference)
    used: dict[str, list[Item]] = defaultdict(list)
    for one in items:
        used[one.rubric].append(one)
    return tuple(_health(seen[name], used[name]) for name in sorted(rubrics))


def uncovered(rubrics: Iterable[Rubric], items: Iterable[Item], capabilities: Sequence[str]) -> tuple[str, ...]:
    """Capabilities none of whose scenarios an approved rubric grades."""
    approved = {one.id for one in rubrics if one.status is RubricStatus.APPROVED}
    graded = {one.capability for one in items if one.rubric in approved}
    return tuple(one for one in dict.fromkeys(capabilities) if one not in graded)


def _health(seen: _Seen, items: Sequence[Item]) -> RubricHealth:
    rubric = seen.rubric
    criteria = tuple(
        CriterionHealth(criterion=one.id, weight=one.weight, required=one.required, missed=seen.missed[slug])
        for one, slug in zip(rubric.criteria, seen.slugs, strict=True)
    )
    names = dict(zip(seen.slugs, (one.id for one in rubric.criteria), strict=True))
    alike = [pair for pair in combinations(seen.slugs, 2) if seen.answers >= ENOUGH and not seen.apart[pair]]
    told = [(names[one], names[other]) for one, other in alike if 0 < seen.missed[one] < seen.answers]
    steps = tuple(NormalisationHealth(step=str(one), decides=seen.decides[one]) for one in rubric.normalisation)
    found = RubricHealth(
        rubric=rubric.id,
        status=str(rubric.status),
        scenarios=len(items),
        frozen=sum(one.set is SetName.HELDOUT for one in items),
        answers=seen.answers,
        criteria=criteria,
        alike=tuple(told),
        normalisation=steps,
    )
    return found.model_copy(update={"findings": tuple(_findings(found, rubric))})


def _findings(found: RubricHealth, rubric: Rubric) -> Iterator[str]:
    yield from _as_written(found, rubric)
    if found.answers >= ENOUGH:
        yield from _as_graded(found)
    elif found.scenarios:
        yield f"has {found.answers:,} graded answers at hand, and {ENOUGH} are the least to say more"


def _as_written(found: RubricHealth, rubric: Rubric) -> Iterator[str]:
    """What the file itself says."""
    several = len(rubric.criteria) > 1
    weights = {one.weight for one in rubric.criteria}
    if not found.scenarios:
        yield "grades no scenario"
    if found.status == RubricStatus.DRAFT:
        yield "is a draft" + (f" and grades {found.scenarios:,} scenarios" if found.scenarios else "")
    if several and rubric.pass_score is None and not any(one.required for one in rubric.criteria):
        yield "requires no criterion, so that only an answer that misses none passes"
    if several and max(weights) >= LOPSIDED * min(weights):
        yield f"weighs one criterion {max(weights) / min(weights):.0f} times as much as another"


def _as_graded(found: RubricHealth) -> Iterator[str]:
    """What the answers say of it."""
    for one in found.criteria:
        if one.missed in (0, found.answers):
            yield f"the criterion {one.criterion} was {'always' if one.missed else 'never'} missed"
    for first, second in found.alike:
        yield f"no answer told {first} from {second}"
    idle = [one.step for one in found.normalisation if not one.decides]
    if idle and len(idle) == len(found.normalisation):
        yield "its normalisation decided nothing"
    elif idle:
        yield f"these steps of its normalisation decided nothing: {', '.join(idle)}"
