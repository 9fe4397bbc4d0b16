"""A promotion's evidence as it may leave its boundary: made anew from its records, by what may go.

Nothing is copied and then cut: each field is named here, so what a later release adds to evidence stays inside until
somebody adds it here as well. Figures are rounded to six digits, which no code can hide text in for long.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from runner.errors import RecordError
from runner.records.base import Record
from runner.records.evidence import CandidateSummary, EvidenceFile, Operations
from runner.records.exported import (
    ExportedComparison,
    ExportedModel,
    ExportedOperations,
    ExportedPromotion,
    ExportedRegressions,
    ExportedScorecard,
    ExportedSet,
    ExportedSummary,
)
from runner.records.fleet import Export
from runner.records.funnel import FunnelReport
from runner.records.promotion import PromotionRecord
from runner.records.risks import Risks
from runner.records.scorecard import Comparison, ModelScores, Scorecard, SetScore
from runner.records.terms import Perturbation
from runner.rules.repository.evidence_files import parsed
from runner.rules.repository.evidence_files import record as read

R = TypeVar("R", bound=Record)
PROMOTION, SUMMARY, SCORECARD, SUMS = "promotion.json", "summary.json", "scorecard.json", "SHA256SUMS"
KINDS: Mapping[str, type[Record]] = {
    PROMOTION: ExportedPromotion,
    SUMMARY: ExportedSummary,
    SCORECARD: ExportedScorecard,
}
MODELS = ("base", "incumbent", "control", "candidate")
DIGITS = 6


class Promoted(NamedTuple):
    """A promotion on main, as the gate let it through."""

    record: PromotionRecord
    record_sha256: str
    commit: str
    verified_at: str
    approvals: int
    evidence: Mapping[str, bytes]


def exported(promoted: Promoted, allowed: Collection[Export], figures: CandidateSummary | None) -> dict[str, bytes]:
    """The files that may leave, with their checksums. `figures` are the status block's, where there is a scorecard.

    Raises `RecordError` where evidence that is to be shown is not what its record says.
    """
    names = _names(promoted, Export.CAPABILITIES in allowed)
    files: dict[str, Record] = {PROMOTION: _promotion(promoted, allowed)}
    card = read(promoted.evidence, EvidenceFile.SCORECARD, Scorecard)
    if Export.SUMMARIES in allowed and card is not None and figures is not None:
        files[SUMMARY] = _summary(promoted, card, figures)
    if Export.SCORECARDS in allowed and card is not None:
        files[SCORECARD] = _scorecard(promoted, card, names)
    said = {name: written(record) for name, record in sorted(files.items())}
    return {**said, SUMS: checksums(said)}


def written(record: Record) -> bytes:
    """One JSON document, keys sorted, a key a line: the same bytes for the same record."""
    value = shortened(record.model_dump(mode="json"))
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False).encode() + b"\n"


def checksums(files: Mapping[str, bytes]) -> bytes:
    """As `sha256sum --check` reads them."""
    return "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())).encode()


def shortened(value: Any) -> Any:
    """Figures to six significant digits."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: shortened(one) for key, one in value.items()}
    return [shortened(one) for one in value] if isinstance(value, list) else value


def _promotion(promoted: Promoted, allowed: Collection[Export]) -> ExportedPromotion:
    record = promoted.record
    known = {name.value: name for name in EvidenceFile}
    return ExportedPromotion(
        cluster=record.cluster,
        sequence=record.sequence,
        kind=record.kind,
        stage=record.stage,
        exports=tuple(sorted(set(allowed))),
        record=promoted.record_sha256,
        adapter=record.adapter.sha256 if record.adapter else None,
        base=record.base.sha256,
        benchmark=record.benchmark.sha256,
        benchmark_version=record.benchmark.version,
        commit=promoted.commit,
        verified_at=promoted.verified_at,
        approvals=promoted.approvals,
        evidence={known[name]: digest for name, digest in sorted(record.evidence.items()) if name in known},
        others=tuple(sorted(digest for name, digest in record.evidence.items() if name not in known)),
    )


def _summary(promoted: Promoted, card: Scorecard, figures: CandidateSummary) -> ExportedSummary:
    evidence, record = promoted.evidence, promoted.record
    funnel = read(evidence, EvidenceFile.FUNNEL, FunnelReport)
    operations = read(evidence, EvidenceFile.OPERATIONS, Operations)
    risks = read(evidence, EvidenceFile.RISKS, Risks)
    return ExportedSummary(
        cluster=record.cluster,
        sequence=record.sequence,
        figures=figures,
        sets={name: score.scenarios for name, score in card.models["candidate"].sets.items()},
        human_share=record.human_share,
        rows={one.step: one.kept for one in funnel.total.steps} if funnel else {},
        risks=len(risks.risks) if risks else 0,
        rollback_to=record.incumbent.sequence,
        operations=_only(ExportedOperations, operations) if operations else None,
    )


def _scorecard(promoted: Promoted, card: Scorecard, names: Mapping[str, str]) -> ExportedScorecard:
    lost = card.regressions
    return ExportedScorecard(
        cluster=promoted.record.cluster,
        sequence=promoted.record.sequence,
        benchmark_version=card.benchmark_version,
        models={name: _model(card.models[name], names) for name in MODELS if name in card.models},
        comparisons={one.against: _only(ExportedComparison, one) for one in card.comparisons if one.against in MODELS},
        capabilities=_renamed(card.capability_comparisons, names),
        worse_capabilities=tuple(sorted(names[name] for name in card.worse_capabilities)),
        perturbed=_perturbed(card.perturbed_comparisons),
        regressions=ExportedRegressions(
            count=lost.count, of=lost.of, flipping=len(lost.flipping), interval=lost.interval
        ),
    )


def _model(model: ModelScores, names: Mapping[str, str]) -> ExportedModel:
    known = {name.value: name for name in Perturbation}
    return ExportedModel(
        adapter=model.adapter,
        sets={name: _set(score, names) for name, score in model.sets.items()},
        robustness={known[name]: score for name, score in model.robustness.items() if name in known},
    )


def _set(score: SetScore, names: Mapping[str, str]) -> ExportedSet:
    own = {names[name]: value for name, value in score.capabilities.items()}
    intervals = {names[name]: value for name, value in score.capability_intervals.items()}
    return _only(ExportedSet, score, capabilities=own, capability_intervals=intervals)


def _renamed(found: Mapping[str, Comparison], names: Mapping[str, str]) -> dict[str, ExportedComparison]:
    return {names[name]: _only(ExportedComparison, one) for name, one in found.items()}


def _perturbed(found: Mapping[str, Comparison]) -> dict[Perturbation, ExportedComparison]:
    known = {name.value: name for name in Perturbation}
    return {known[name]: _only(ExportedComparison, one) for name, one in found.items() if name in known}


def _only(kind: type[R], record: Record, **instead: object) -> R:
    """The fields that `kind` names, of a record that may have more."""
    taken = {name: getattr(record, name) for name in kind.model_fields if name not in instead}
    return kind.model_validate({**taken, **instead}, from_attributes=True)


def _names(promoted: Promoted, by_id: bool) -> dict[str, str]:
    """What each capability is called outside: by its id, or a number in the order of the ids."""
    card = read(promoted.evidence, EvidenceFile.SCORECARD, Scorecard)
    ids = sorted(_capabilities(card)) if card is not None else []
    return {name: name if by_id else f"capability-{number:03}" for number, name in enumerate(ids, 1)}


def _capabilities(card: Scorecard) -> set[str]:
    found = {*card.capability_comparisons, *card.worse_capabilities}
    for model in card.models.values():
        for score in model.sets.values():
            found |= {*score.capabilities, *score.capability_intervals}
    return found


def faults(files: Mapping[str, bytes]) -> Iterable[tuple[str, str]]:
    """File and problem of each that does not have the form of an export: its record, its bytes, its checksum."""
    for name, data in sorted(files.items()):
        if name == SUMS:
            continue
        kind = KINDS.get(name)
        if kind is None:
            yield name, "is no file of an export"
            continue
        try:
            record = parsed(data, name, kind)
        except RecordError:
            yield name, "is not the record that belongs there"
            continue
        if written(record) != data:
            yield name, "holds more than its record says"
    rest = {name: data for name, data in files.items() if name != SUMS}
    if files.get(SUMS) != checksums(rest):
        yield SUMS, "does not name these files with these checksums"
