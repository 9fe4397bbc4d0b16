"""The figures of a promotion's evidence, made again from its per-scenario scores: steps 6 and 8 judge these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple, TypeVar

from pydantic import ValidationError

from runner.records.base import Record
from runner.records.evidence import EvidenceFile
from runner.records.scorecard import Scorecard, ScoredScenario
from runner.records.terms import OutcomeType, SetName
from runner.rules.evaluation.assessment import (
    ASSESSED,
    BASE,
    CANDIDATE,
    CONTROL,
    INCUMBENT,
    JUDGED,
    Subject,
    assessed,
    gaps,
    perturbed,
)
from runner.rules.evaluation.repeats import repeat_names
from runner.rules.evaluation.scoring import capability_weights
from runner.rules.evaluation.stated import differences
from runner.rules.trust.facts import Promotion

R = TypeVar("R", bound=Record)
SHOWN = 20
"""Faults of one kind that are listed before the rest is only counted."""


class Figures(NamedTuple):
    """What the grades say, and everything that is wrong with them."""

    card: Scorecard
    """Recomputed; its intervals are (0, 0)."""
    grades: tuple[str, ...]
    """Why the grades are not those of the governed scenarios."""
    stated: tuple[str, ...]
    """Where the scorecard that approvers read says something else."""
    named_once: bool
    """No row of the grades names anything twice: that was seen while they were read."""


def parse(evidence: Mapping[str, bytes], name: EvidenceFile, kind: type[R]) -> R | str:
    """The record in an evidence file, or what is wrong with it."""
    try:
        return kind.model_validate_json(evidence[name], strict=True)
    except KeyError:
        return f"evidence/{name} is missing"
    except ValidationError as error:
        return f"evidence/{name} is not its record: {error.errors()[0]['msg']}"


def figures(promotion: Promotion) -> Figures:
    """Judge the grades against the governed scenarios of the base tip, and the scorecard against the grades."""
    rows, wrong, named_once = read_rows(promotion.evidence.get(EvidenceFile.GRADES, b""))
    before, record = promotion.before, promotion.record
    graded_as = {}
    if before.incumbent.adapter is None:
        wrong += _few(f"{r.set}/{r.scenario}: the incumbent is not the base" for r in rows if not _base_alone(r))
        graded_as[INCUMBENT] = BASE
    adapters = {
        BASE: None,
        INCUMBENT: before.incumbent.adapter,
        CONTROL: None,
        CANDIDATE: record.adapter.sha256 if record.adapter else None,
    }
    named = {*adapters.keys() - graded_as, *repeat_names(row for row in rows if row.set in ASSESSED)}
    missing = gaps(rows, named, kinds=perturbed(before.cluster.gate))
    wrong += [*_ungoverned(rows, before.scenarios), *_few(_mistyped(rows, before.outcome_types)), *_few(missing)]
    card = parse(promotion.evidence, EvidenceFile.SCORECARD, Scorecard)
    if not isinstance(card, str) and CONTROL in card.models:
        adapters[CONTROL] = card.models[CONTROL].adapter  # the arm that nobody promotes: its digest is CI's word
    weights = capability_weights(before.cluster)
    found = assessed(
        [row for row in rows if row.capability in weights or row.set is SetName.GENERAL],
        before.cluster,
        subject=Subject(record.run.iteration, record.benchmark.version, record.benchmark.sha256),
        adapters=adapters,
        graded_as=graded_as,
        real_only=before.real_only,
    )
    stated = [card] if isinstance(card, str) else list(differences(card, found, before.cluster.gate))
    return Figures(found, tuple(wrong), tuple(stated), named_once)


def read_rows(data: bytes) -> tuple[list[ScoredScenario], list[str], bool]:
    """The rows of grades.jsonl, the lines that are none, and whether no row names anything twice."""
    rows, wrong = [], []
    for number, line in enumerate(data.splitlines(), 1):
        try:
            rows.append(ScoredScenario.model_validate_json(line, strict=True))
        except ValidationError as error:
            wrong.append(f"grades.jsonl line {number}: {error.errors()[0]['msg']}")
    named_once = not wrong and b"\\" not in data and data.count(b":") == sum(map(_names, rows))
    return rows, list(_few(wrong)), named_once


def _names(row: ScoredScenario) -> int:
    """How many names a row has. Its text has a colon for each, and more only where one stands in it twice: names and
    values are slugs, which hold none."""
    perturbed = row.perturbed
    return (
        len(row.model_fields_set)
        + len(row.scores)
        + len(row.passed)
        + len(perturbed)
        + sum(map(len, perturbed.values()))
    )


def _base_alone(row: ScoredScenario) -> bool:
    """Whether the incumbent, where it is graded, fared as the base did: nothing is promoted yet."""
    scores, passed = row.scores, row.passed
    if INCUMBENT not in scores and INCUMBENT not in passed:
        return True
    return scores.get(INCUMBENT) == scores.get(BASE) and passed.get(INCUMBENT) == passed.get(BASE)


def _ungoverned(rows: Iterable[ScoredScenario], governed: Mapping[tuple[SetName, str], str]) -> Iterator[str]:
    """Each governed scenario of a set that judges is graded exactly once, and nothing that is not governed is."""
    seen, faults = set(), []
    for row in rows:
        key = (row.set, row.scenario)
        if key in seen:
            faults.append(f"{row.set}/{row.scenario} is graded twice")
        if governed.get(key) != row.capability:
            faults.append(f"{row.set}/{row.scenario} ({row.capability}) is no governed scenario")
        seen.add(key)
    names = Counter(name for _, name in seen)
    faults += [f"{name} stands in several sets" for name, count in sorted(names.items()) if count > 1]
    yield from _few(faults)
    missing = sorted(key for key in governed if key not in seen and key[0] in JUDGED)
    yield from _few(f"{name}/{scenario} is not graded" for name, scenario in missing)


def _mistyped(rows: Iterable[ScoredScenario], governed: Mapping[tuple[SetName, str], OutcomeType]) -> Iterator[str]:
    """Where the cluster asks something of each outcome type: a scenario's is the governed one."""
    for row in rows if governed else ():
        said, is_ = row.outcome_type, governed.get((row.set, row.scenario))
        if said is not is_:
            yield f"{row.set}/{row.scenario} is graded as of type {said or 'none'}, and governed as {is_ or 'none'}"


def _few(faults: Iterable[str]) -> Iterator[str]:
    """The first of them, and how many more there are."""
    rest = iter(faults)
    yield from islice(rest, SHOWN)
    more = sum(1 for _ in rest)
    if more:
        yield f"and {more} more like these"
