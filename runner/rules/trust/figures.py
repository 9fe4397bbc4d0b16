"""The figures of a promotion's evidence, made again from its per-scenario scores: steps 6 and 8 judge these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from pydantic import ValidationError

from runner.records.base import Record
from runner.records.evidence import EvidenceFile
from runner.records.scenario import SetName
from runner.records.score import Scorecard, ScoredScenario
from runner.rules.assessment import BASE, CANDIDATE, CONTROL, INCUMBENT, Subject, assessed, differences, gaps
from runner.rules.perturbation import ROBUSTNESS
from runner.rules.scoring import capability_weights
from runner.rules.trust.facts import Promotion

R = TypeVar("R", bound=Record)
SHOWN = 20
"""Faults of one kind that are listed before the rest is only counted."""


@dataclass(frozen=True)
class Figures:
    """What the grades say, and everything that is wrong with them."""

    card: Scorecard
    """Recomputed; its intervals are (0, 0)."""
    grades: tuple[str, ...]
    """Why the grades are not those of the governed scenarios."""
    stated: tuple[str, ...]
    """Where the scorecard that approvers read says something else."""


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
    rows, wrong = _rows(promotion.evidence.get(EvidenceFile.GRADES, b""))
    before, record = promotion.before, promotion.record
    if before.incumbent.adapter is None:
        wrong += _few(f"{r.set}/{r.scenario}: the incumbent is not the base" for r in rows if not _base_alone(r))
        rows = [_with_base_as_incumbent(row) for row in rows]
    adapters = {
        BASE: None,
        INCUMBENT: before.incumbent.adapter,
        CONTROL: None,
        CANDIDATE: record.adapter.sha256 if record.adapter else None,
    }
    wrong += [*_ungoverned(rows, before.scenarios), *_few(gaps(rows, adapters, kinds=ROBUSTNESS))]
    card = parse(promotion.evidence, EvidenceFile.SCORECARD, Scorecard)
    if not isinstance(card, str) and CONTROL in card.models:
        adapters[CONTROL] = card.models[CONTROL].adapter  # the arm that nobody promotes: its digest is CI's word
    weights = capability_weights(before.cluster)
    found = assessed(
        [row for row in rows if row.capability in weights],
        before.cluster,
        subject=Subject(record.run.iteration, record.benchmark.version, record.benchmark.sha256),
        adapters=adapters,
    )
    stated = [card] if isinstance(card, str) else list(differences(card, found))
    return Figures(found, tuple(wrong), tuple(stated))


def _rows(data: bytes) -> tuple[list[ScoredScenario], list[str]]:
    """The rows of grades.jsonl, and the lines that are none."""
    rows, wrong = [], []
    for number, line in enumerate(data.splitlines(), 1):
        try:
            rows.append(ScoredScenario.model_validate_json(line, strict=True))
        except ValidationError as error:
            wrong.append(f"grades.jsonl line {number}: {error.errors()[0]['msg']}")
    return rows, list(_few(wrong))


def _base_alone(row: ScoredScenario) -> bool:
    """Whether the incumbent, where it is graded, fared as the base did: nothing is promoted yet."""
    if INCUMBENT not in row.scores and INCUMBENT not in row.passed:
        return True
    mine, theirs = ((row.scores.get(name), row.passed.get(name)) for name in (INCUMBENT, BASE))
    return mine == theirs


def _with_base_as_incumbent(row: ScoredScenario) -> ScoredScenario:
    """Whatever the row says of an incumbent: the candidate is compared with the base."""
    both = {
        name: {**values, INCUMBENT: values[BASE]}
        for name, values in (("scores", row.scores), ("passed", row.passed))
        if BASE in values
    }
    return row.model_copy(update=both)


def _ungoverned(rows: Iterable[ScoredScenario], governed: Mapping[tuple[SetName, str], str]) -> Iterator[str]:
    """Each governed scenario is graded exactly once, dev apart, and nothing else is."""
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
    missing = sorted(key for key in governed if key not in seen and key[0] is not SetName.DEV)
    yield from _few(f"{name}/{scenario} is not graded" for name, scenario in missing)


def _few(faults: Iterable[str]) -> Iterator[str]:
    """The first of them, and how many more there are."""
    rest = iter(faults)
    yield from islice(rest, SHOWN)
    more = sum(1 for _ in rest)
    if more:
        yield f"and {more} more like these"
