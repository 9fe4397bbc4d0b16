"""Settings to what `hallmark status` says of one cluster: its reviewed files, ledger, promotions and run branch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from runner.errors import RecordError
from runner.ledger import PHASES, History
from runner.ports import Reader
from runner.promotion.updates import MAIN
from runner.promotion.withdrawn import withdrawn
from runner.records.cluster_status import ClusterStatus
from runner.records.evidence import CandidateSummary, EvidenceFile
from runner.records.funnel import Funnel
from runner.records.promotion import PromotionRecord
from runner.records.score import Scorecard
from runner.records.triage import TriageResult
from runner.records.validation import ValidationReport
from runner.rules.evaluation.comparison_words import verdicts
from runner.rules.evaluation.limits import summary
from runner.rules.loop.adapter_status import adapter_statuses
from runner.rules.loop.plateau import plateau
from runner.rules.loop.status import cluster_status
from runner.rules.trust.signers import REVOKED, read_revoked
from runner.rules.trust.stages import incumbent
from runner.wiring import flywheel, gate
from runner.wiring.evidence import promoted, read_record, run_branch, sequences
from runner.workspace import Workspace


def read_status(directory: Path, cluster: str) -> ClusterStatus:
    """One cluster, from the work tree's reviewed files, the ledger, and the evidence of its run or last promotion."""
    reader, space = flywheel.reader(directory), flywheel.workspace(directory, cluster)
    history = History.from_entries(cluster, flywheel.ledger_store(directory).read(cluster))
    iteration, records = history.current or "", promotion_records(reader, cluster)
    serving, card, figures_of = incumbent(records), None, ""
    if serving.adapter is not None:
        assessed = _assessed(records, serving.adapter)
        where, home = promoted(reader, cluster, assessed)
        card, figures_of = _scorecard(where, home + EvidenceFile.SCORECARD), f"promotion {assessed}"
    run = run_branch(directory, cluster, iteration) if "validate" in history.passed(iteration) else None
    path = f"clusters/{cluster}/run/scorecard.json"
    if run is not None and "assess" in history.passed(iteration) and (own := _scorecard(run, path)) is not None:
        card, figures_of = own, f"iteration {iteration}"
    return cluster_status(
        space.cluster,
        phases=PHASES,
        scenarios={name: len(found) for name, found in space.scenarios.items()},
        entries=history.of(iteration) if iteration else (),
        iteration=iteration,
        state=history.state(iteration) if iteration else None,
        promoted=serving.sequence,
        adapters=adapter_statuses(
            records,
            approved_by={number: _approvers(reader, cluster, number) for number in records},
            entries=history.entries,
            withdrawn=fallen(directory, reader, cluster),
        ),
        figures=_figures(card, figures_of, space) if card else None,
        figures_of=figures_of,
        funnel=_funnel(run, f"clusters/{cluster}/run/") if run is not None else None,
        verdicts=verdicts(card) if card else (),
        plateau=plateau(history.entries, space.cluster.plateau_policy, pins=space.digests),
    )


def fallen(directory: Path, reader: Reader, cluster: str) -> dict[int, str]:
    """Why promotions are not deployable any more, by sequence. Signatures are checked only where a key was revoked from
    a ledger size on."""
    if REVOKED not in reader.paths(REVOKED) or not read_revoked(reader.read(REVOKED))[0].since:
        return {}
    room = gate.room(directory, with_bytes=False)
    tip = room.tip(MAIN)
    found = withdrawn(room.offline(), tip=tip, cluster=cluster) if tip else {}
    return {int(name.rpartition("/")[2]): reasons[0].problem for name, reasons in found.items()}


def promotion_records(reader: Reader, cluster: str) -> dict[int, PromotionRecord]:
    """Every promotion of a cluster that the tree holds, by sequence."""
    found = {}
    for number in sequences(reader, cluster):
        where, evidence = promoted(reader, cluster, number)
        path = f"{evidence.removesuffix('evidence/')}record.yaml"
        found[number] = flywheel.parse_record(where.read(path), PromotionRecord, path=path)
    return found


def _assessed(records: Mapping[int, PromotionRecord], adapter: str) -> int:
    """The sequence that brought an adapter in, with its whole assessment."""
    return next(number for number, one in records.items() if one.adapter and one.adapter.sha256 == adapter)


def _approvers(reader: Reader, cluster: str, sequence: int) -> tuple[str, ...]:
    """Who signed a merged promotion: the gate let no other file into its `approvals/`."""
    home, end = f"clusters/{cluster}/promotions/{sequence}/approvals/", ".dsse.json"
    names = sorted(path.removeprefix(home).removesuffix(end) for path in reader.paths(home) if path.endswith(end))
    return tuple(name for name in names if name != "proposal")


def _scorecard(reader: Reader, path: str) -> Scorecard | None:
    """None where there is no such file, as after a rollback."""
    return read_record(reader, path, Scorecard) if path in reader.paths(path) else None


def _figures(card: Scorecard, whose: str, space: Workspace) -> CandidateSummary:
    """The headline of a scorecard."""
    try:
        return summary(card, space.cluster)
    except KeyError as error:
        raise RecordError(f"it has no figures for {error}", path=f"the scorecard of {whose}") from error


def _funnel(run: Reader, home: str) -> Funnel | None:
    """The funnel of all batches: to its end where people have decided, else as far as validated."""
    triage, validation = home + "triage.json", home + "validation.json"
    there = run.paths(home)
    if triage in there and (decided := read_record(run, triage, TriageResult).funnel):
        return decided.total
    if validation in there and (judged := read_record(run, validation, ValidationReport).funnel):
        return judged.total
    return None
