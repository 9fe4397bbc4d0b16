"""The status of a cluster, from figures that others read: the block for one cluster, a row for the fleet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from pydantic import Field

from runner.records.base import Record, Sha256, Slug
from runner.records.cluster import Cluster
from runner.records.evidence import CandidateSummary
from runner.records.funnel import Funnel
from runner.records.ledger import Entry, EntryKind, RunState
from runner.records.promotion import PromotionRecord, ServingStage
from runner.records.scenario import SetName
from runner.records.verdict import Outcome, Verdict
from runner.rules.benchmark import OPTIONAL
from runner.rules.funnel import sentence
from runner.rules.trust.receipts import receipt_time
from runner.rules.trust.stages import standings

NOTHING = "not measured yet"


class Waiting(Record):
    """Who has to do what before the cluster goes on."""

    who: str
    what: str


class AdapterStatus(Record):
    """Where one promoted adapter stands."""

    adapter: Sha256
    stage: ServingStage
    sequence: int
    """The step that put it there."""
    since: str
    """When the gate verified that step; empty where it has no receipt yet, and so is not to be served."""
    approved_by: tuple[str, ...]
    ended: str
    """Empty where it holds its stage; else `replaced`, `rolled back` or `deprecated`."""
    ended_by: int | None
    withdrawn: str = ""
    """Why it is not deployable though it holds its stage: a key that its step needs was revoked from before it."""


class ClusterStatus(Record):
    """What `hallmark status --json` prints for one cluster."""

    cluster: Slug
    title: str
    base: str
    promoted_sequence: int = Field(ge=0)
    """The promotion that serves, the one in production; 0 is the base alone."""
    adapters: tuple[AdapterStatus, ...]
    """Every adapter that was ever promoted, the last step first."""
    iteration: str
    """Empty where nothing was queued."""
    state: RunState | None
    phase: str
    """The phase that passed, waited or refused last; empty before the first."""
    phase_number: int
    phases: int
    next_phase: str
    """Empty where all have passed."""
    scenarios: dict[SetName, int]
    figures: CandidateSummary | None
    """Of the iteration where it got that far, else of the promotion in force."""
    figures_of: str
    """Whose figures: `iteration <id>` or `promotion <sequence>`; empty where there are none."""
    funnel: Funnel | None
    """The iteration's rows as far as they have come; None before they are validated."""
    seconds: float
    """Measured for the phases of the iteration, waiting for people not counted."""
    reasons: tuple[str, ...]
    """Why the last phase waited or refused."""
    waiting: Waiting | None


def cluster_status(
    cluster: Cluster,
    *,
    phases: Sequence[str],
    scenarios: Mapping[SetName, int],
    entries: Sequence[Entry],
    iteration: str,
    state: RunState | None,
    promoted: int,
    adapters: Sequence[AdapterStatus] = (),
    figures: CandidateSummary | None = None,
    figures_of: str = "",
    funnel: Funnel | None = None,
) -> ClusterStatus:
    """`entries` are those of `iteration`, in order; `phases` the names of the thirteen. Nothing queued: both empty."""
    done = [entry for entry in entries if entry.kind is EntryKind.PHASE]
    passed = len({entry.phase for entry in done if entry.verdict.passed})
    last = done[-1] if done else None
    verdict = entries[-1].verdict if entries else Verdict()
    next_phase = phases[passed] if iteration and passed < len(phases) else ""
    return ClusterStatus(
        cluster=cluster.id,
        title=cluster.title,
        base=_base(cluster),
        promoted_sequence=promoted,
        adapters=tuple(adapters),
        iteration=iteration,
        state=state,
        phase=last.phase if last else "",
        phase_number=phases.index(last.phase) + 1 if last else 0,
        phases=len(phases),
        next_phase=next_phase,
        scenarios=dict(scenarios),
        figures=figures,
        figures_of=figures_of if figures else "",
        funnel=funnel,
        seconds=round(sum(_seconds(entry) for entry in done), 1),
        reasons=() if verdict.passed else tuple(_reason(r.step, r.problem, r.hint) for r in verdict.reasons),
        waiting=_waiting(cluster.id, iteration=iteration, state=state, verdict=verdict, next_phase=next_phase),
    )


def block(status: ClusterStatus) -> tuple[tuple[str, str], ...]:
    """(name, value) lines for one cluster."""
    figures = status.figures
    shown = {name: count for name, count in status.scenarios.items() if count or name not in OPTIONAL}
    promoted = f"promotion {status.promoted_sequence}" if status.promoted_sequence else "the base alone"
    rows = [
        ("cluster", f"{status.cluster}  ({status.title})" if status.title else status.cluster),
        ("model", f"{status.base}, {promoted}"),
        ("iteration", status.iteration or "none queued"),
        ("scenario sets", ", ".join(f"{name.value} {count}" for name, count in shown.items()) or "none"),
        ("phase", phase_line(status)),
        ("state", status.state.value if status.state else "idle"),
        ("composite", NOTHING if figures is None else _against(figures.composite_after, figures.composite_threshold)),
        ("held-out", NOTHING if figures is None else _against(figures.heldout_after, figures.heldout_threshold)),
        ("regressions", NOTHING if figures is None else f"{figures.regressions} / {figures.regressions_of}"),
    ]
    if status.figures_of:
        rows.append(("figures of", status.figures_of))
    if status.funnel:
        rows.append(("rows", sentence(status.funnel)))
    if status.iteration:
        rows.append(("duration", duration(status.seconds)))
    rows += [(one.stage.value, adapter_line(one)) for one in status.adapters]
    rows += [("because", reason) for reason in status.reasons]
    if status.waiting:
        rows.append(("waits for", f"{status.waiting.who}: {status.waiting.what}"))
    return tuple(rows)


FLEET_HEADER = (
    "cluster",
    "promotion",
    "iteration",
    "state",
    "phase",
    "composite",
    "held-out",
    "regressions",
    "waits for",
)


def fleet_row(status: ClusterStatus) -> tuple[str, ...]:
    """One cluster in the columns of `FLEET_HEADER`."""
    figures = status.figures
    return (
        status.cluster,
        _promotions(status),
        status.iteration or "-",
        status.state.value if status.state else "idle",
        f"{status.phase_number} of {status.phases}" if status.iteration else "-",
        _against(figures.composite_after, figures.composite_threshold) if figures else "-",
        _against(figures.heldout_after, figures.heldout_threshold) if figures else "-",
        f"{figures.regressions} / {figures.regressions_of}" if figures else "-",
        status.waiting.who if status.waiting else "-",
    )


def adapter_statuses(
    records: Mapping[int, PromotionRecord],
    *,
    approved_by: Mapping[int, tuple[str, ...]],
    entries: Iterable[Entry],
    withdrawn: Mapping[int, str] = MappingProxyType({}),
) -> tuple[AdapterStatus, ...]:
    """Every promoted adapter, the last step first. `approved_by` says who signed each sequence, `entries` is the
    cluster's ledger, `withdrawn` why a sequence is not deployable any more."""
    times = {entry.promotion: receipt_time(entry) for entry in entries if entry.kind is EntryKind.RECEIPT}
    return tuple(
        AdapterStatus(
            adapter=one.adapter,
            stage=one.stage,
            sequence=one.sequence,
            since=times.get(one.sequence) or "",
            approved_by=approved_by.get(one.sequence, ()),
            ended=one.ended,
            ended_by=one.ended_by,
            withdrawn=withdrawn.get(one.sequence, ""),
        )
        for one in reversed(standings(records))
    )


def adapter_line(one: AdapterStatus) -> str:
    """`3f9c2b71a0d4 since 2026-11-21T13:00:00Z (promotion 2), by alice, bob; replaced by promotion 3`."""
    since = f"since {one.since}" if one.since else "no receipt yet, so not to be served"
    people = f", by {', '.join(one.approved_by)}" if one.approved_by else ""
    over = f"; {one.ended} by promotion {one.ended_by}" if one.ended and one.ended_by != one.sequence else ""
    fallen = f"; NOT DEPLOYABLE: {one.withdrawn}" if one.withdrawn else ""
    return f"{one.adapter[:12]} {since} (promotion {one.sequence}){people}{over}{fallen}"


def _promotions(status: ClusterStatus) -> str:
    """`3, canary 4, shadow 5`: what serves, and what is on its way."""
    serving = [str(status.promoted_sequence)] if status.promoted_sequence else []
    others = [one for one in status.adapters if not one.ended and one.stage is not ServingStage.PRODUCTION]
    return ", ".join([*serving, *(f"{one.stage} {one.sequence}" for one in others)]) or "-"


def phase_line(status: ClusterStatus) -> str:
    """`9 of 13 triage, next: sweep`."""
    if not status.phase:
        return f"0 of {status.phases}" + (f", next: {status.next_phase}" if status.next_phase else "")
    after = "done" if not status.next_phase else f"next: {status.next_phase}"
    return f"{status.phase_number} of {status.phases} {status.phase}, {after}"


def duration(seconds: float) -> str:
    """`4 m 12 s`; hours where there are any, tenths below ten seconds."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h"] * bool(hours) + [f"{minutes} m"] * bool(hours or minutes)
    return " ".join([*parts, f"{rest} s"])


def _against(value: float, threshold: float) -> str:
    return f"{value:.3f} / {threshold:.3f}"


def _base(cluster: Cluster) -> str:
    base = cluster.base
    if base.kind == "hub":
        return f"{base.id}@{base.revision[:12]}"
    return f"path {base.path}" if base.kind == "path" else "tiny base"


def _seconds(entry: Entry) -> float:
    value = entry.measured.get("seconds", 0.0)
    return float(value) if isinstance(value, int | float) and value > 0 else 0.0


def _reason(step: str, problem: str, hint: str) -> str:
    return f"{step}: {problem}" + (f" ({hint})" if hint else "")


def _waiting(
    cluster: str, *, iteration: str, state: RunState | None, verdict: Verdict, next_phase: str
) -> Waiting | None:
    """Whose turn it is. A run that CI can take further by itself waits for nobody."""
    if not iteration:
        return None
    if state is RunState.ASSESSING and not next_phase:
        return Waiting(who="approvers", what=f"read the evidence and sign or refuse the promotion of {iteration}")
    if verdict.outcome is Outcome.WAIT and next_phase == "triage":
        return Waiting(
            who="domain owners", what=f"decide every candidate in clusters/{cluster}/triage/{iteration}.yaml"
        )
    if verdict.outcome is Outcome.WAIT:
        return Waiting(who="domain owners", what=f"the {next_phase} gate asks for people")
    if verdict.outcome is Outcome.REFUSE and state is RunState.BLOCKED:
        return Waiting(
            who="domain owners", what=f"{next_phase} refused: mend what it names and merge, which starts anew"
        )
    return None
