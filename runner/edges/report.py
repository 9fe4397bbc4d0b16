"""The evidence bundle as one self-contained HTML page: no script, nothing loaded, same evidence, same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files as resources
from typing import Any

from runner.edges import report_batches
from runner.edges import report_figures as figures
from runner.edges import report_statistics as statistics
from runner.edges import report_view as view
from runner.errors import RecordError
from runner.records.cluster import Cluster
from runner.records.evaluation import CandidateStages
from runner.records.evidence import CandidateSummary, EvidenceFile, Operations, RollbackContract
from runner.records.failure import Diagnosis
from runner.records.fields import FieldReport
from runner.records.funnel import FunnelReport
from runner.records.judging import JudgesReport
from runner.records.lineage import Lineage
from runner.records.risks import Risks
from runner.records.scenario import SetName
from runner.records.score import Scorecard, ScoredScenario
from runner.records.training import Sweep, Training
from runner.records.triage import TriageResult
from runner.records.validation import ValidationReport
from runner.rules.canonical import sha256
from runner.rules.evaluation.comparison_words import verdicts
from runner.rules.evaluation.limits import limits
from runner.rules.evaluation.limits import summary as summarise
from runner.rules.loop.lineage import plural, short
from runner.rules.repository.evidence_files import batches as batches_of
from runner.rules.repository.evidence_files import parsed, record

UNDIGESTED = (EvidenceFile.REPORT, EvidenceFile.ATTESTATION)
"""Left out of the table of digests: the report itself, and the signature made over it."""
SHOWN = (
    EvidenceFile.SCORECARD,
    EvidenceFile.GRADES,
    EvidenceFile.LINEAGE,
    EvidenceFile.SWEEP,
    EvidenceFile.VALIDATION,
    EvidenceFile.DIAGNOSIS,
    EvidenceFile.PROVENANCE,
    EvidenceFile.RISKS,
    EvidenceFile.ROLLBACK,
    EvidenceFile.TRAINING,
    EvidenceFile.OPERATIONS,
)
"""What the report names where it is missing. Older evidence has none of the rest; drill and traffic come after it."""

HANDED_ON = {
    EvidenceFile.HANDOFF: "The hand-off",
    EvidenceFile.MODEL_CARD: "The model card, as Hugging Face has them",
    EvidenceFile.DATASET_CARD: "The card of what trained it",
    EvidenceFile.CROISSANT: "The same as Croissant, for machines",
    EvidenceFile.BOM: "The bill of materials, as CycloneDX has them",
}
"""What stands beside the report for whoever takes the adapter on."""


def render(
    files: Mapping[str, bytes],
    *,
    cluster: Cluster,
    title: str = "",
    sequence: int | None = None,
    summary: CandidateSummary | None = None,
    commands: Sequence[str] = (),
) -> bytes:
    """The report as UTF-8 HTML. `files` are evidence files by name (`EvidenceFile`); only the scorecard is required.

    `summary` is the record's, where there is one; else it is computed. `commands` replace the usual ones under "How to
    verify". Raises `RecordError` that names the file that is missing or cannot be read.
    """
    if EvidenceFile.SCORECARD not in files:
        raise RecordError("the evidence has no scorecard", path=EvidenceFile.SCORECARD)
    scorecard = parsed(files[EvidenceFile.SCORECARD], EvidenceFile.SCORECARD, Scorecard)
    try:
        head = summary or summarise(scorecard, cluster)
    except KeyError as error:
        raise RecordError(f"it has no figures for {error}", path=EvidenceFile.SCORECARD) from error
    context = {
        "cluster": cluster,
        "title": title or cluster.title,
        "sequence": sequence,
        "scorecard": scorecard,
        "head": head,
        **_evidence(files, scorecard, cluster, head),
        "digests": _digests(files, scorecard),
        "commands": tuple(commands) or _commands(cluster.id, sequence),
    }
    page: str = _template().render(context)
    return page.encode()


def _evidence(
    files: Mapping[str, bytes], scorecard: Scorecard, cluster: Cluster, head: CandidateSummary
) -> dict[str, Any]:
    """Everything that comes from the other files; what is missing is None or empty, and the report says so."""
    sweep = record(files, EvidenceFile.SWEEP, Sweep)
    operations = record(files, EvidenceFile.OPERATIONS, Operations)
    diagnosis = record(files, EvidenceFile.DIAGNOSIS, Diagnosis)
    validation = record(files, EvidenceFile.VALIDATION, ValidationReport)
    batches = batches_of(files)
    risks = record(files, EvidenceFile.RISKS, Risks)
    lineage = record(files, EvidenceFile.LINEAGE, Lineage)
    return {
        "models": view.present(scorecard),
        "comparisons": [one for one in scorecard.comparisons if one.against in view.present(scorecard)],
        "reasons": limits(
            scorecard,
            cluster,
            human_share=sweep.human_share if sweep else None,
            latency_p95_ms=operations.latency_p95_ms if operations else None,
        ),
        "limits": (
            *view.limits(scorecard, cluster, head, sweep, operations),
            *statistics.more_limits(scorecard, cluster.gate),
        ),
        "verdicts": verdicts(scorecard),
        "outcome_kinds": statistics.outcome_kinds(scorecard),
        "outcomes": statistics.outcome_rows(scorecard),
        "heldout": {name: view.score(scorecard, name, SetName.HELDOUT) for name in view.present(scorecard)},
        "sets": [name for name in SetName if any(name in model.sets for model in scorecard.models.values())],
        "perturbations": sorted({p for model in scorecard.models.values() for p in model.robustness}),
        "regressions": view.regressions_by_set(scorecard, _grades(files)),
        "sweep": sweep,
        "cards": view.cards(scorecard, cluster, diagnosis, batches),
        "diagnosis": diagnosis,
        "batches": view.batch_rows(batches, validation),
        "funnel": record(files, EvidenceFile.FUNNEL, FunnelReport),
        "fields": record(files, EvidenceFile.FIELDS, FieldReport),
        "stages": record(files, EvidenceFile.STAGES, CandidateStages),
        "judges": record(files, EvidenceFile.JUDGES, JudgesReport),
        "triage": record(files, EvidenceFile.TRIAGE, TriageResult),
        "validation": validation,
        "training": record(files, EvidenceFile.TRAINING, Training),
        "operations": operations,
        "lineage": view.lineage_counts(lineage),
        "risks": risks.risks if risks else (),
        "rollback": record(files, EvidenceFile.ROLLBACK, RollbackContract),
        "missing": [name.value for name in SHOWN if name not in files],
        "generated": [(name.value, words) for name, words in HANDED_ON.items() if name in files],
    }


def _grades(files: Mapping[str, bytes]) -> tuple[ScoredScenario, ...]:
    name = EvidenceFile.GRADES
    rows = files.get(name, b"").decode().splitlines()
    return tuple(parsed(row, name, ScoredScenario, line) for line, row in enumerate(rows, 1) if row.strip())


def _digests(files: Mapping[str, bytes], scorecard: Scorecard) -> list[tuple[str, str]]:
    rows = [("benchmark", scorecard.benchmark_sha256)]
    rows += [(f"adapter of {name}", model.adapter) for name, model in scorecard.models.items() if model.adapter]
    return rows + [(name, sha256(files[name])) for name in sorted(files) if name not in UNDIGESTED]


def _commands(cluster: str, sequence: int | None) -> tuple[str, ...]:
    promotion = f"{cluster}/{sequence}" if sequence else f"{cluster}/<sequence>"
    return (
        f"hallmark why {promotion}",
        "sha256sum evidence/*",
        "hallmark verify --root <sha256 of the first trust.yaml>",
    )


def page_style() -> str:
    """The style sheet of every page: light and dark, wide and narrow, and on paper."""
    return resources("runner").joinpath("templates", "page.css").read_text(encoding="utf-8")


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(
        figure=view.figure,
        p=view.p_text,
        signed=figures.signed,
        short=short,
        plural=plural,
        percent=lambda value: f"{value:.0%}",
    )
    drawings = (figures.intervals, figures.bars, figures.funnel_bars, figures.sweep_curve, figures.against_limit)
    environment.globals.update({drawing.__name__: drawing for drawing in drawings})
    environment.globals.update(ends=statistics.ends, could_see=statistics.could_see)
    environment.globals.update(
        batch_cells=report_batches.cells,
        batch_words=report_batches.WORDS,
        told_apart=report_batches.told_apart,
        style=page_style(),
    )
    source = resources("runner").joinpath("templates", "report.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source)
