"""The status of a cluster, from figures that others read, as a block of lines. The fleet's rows are `loop.fleet`'s."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.records.cluster import Cluster
from runner.records.cluster_status import AdapterStatus, ClusterStatus
from runner.records.evidence import CandidateSummary
from runner.records.fleet_status import Waiting
from runner.records.funnel import Funnel
from runner.records.ledger import Entry, EntryKind, RunState
from runner.records.plateau import Plateau
from runner.records.promotion import ServingStage
from runner.records.scenario import SetName
from runner.records.verdict import Verdict
from runner.rules.data.funnel import sentence
from runner.rules.loop.adapter_status import adapter_line
from runner.rules.loop.trigger_words import begun_by
from runner.rules.loop.waits import Course, escalation, iteration_waits
from runner.rules.repository.benchmark import OPTIONAL

NOTHING = "not measured yet"


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
    verdicts: Sequence[str] = (),
    plateau: Plateau | None = None,
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
        state=RunState.BLOCKED if plateau else state,
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
        waiting=_waiting(cluster.id, entries, phases=phases, state=state, plateau=plateau),
        verdicts=tuple(verdicts) if figures else (),
        plateau=plateau,
        begun_by=begun_by(one for entry in entries for one in entry.triggers),
    )


def _serving(status: ClusterStatus) -> str:
    """What is in production beside the base: a promotion, or nothing, perhaps since a rollback to the base."""
    sequence = status.promoted_sequence
    if any(one.stage is ServingStage.PRODUCTION and not one.ended for one in status.adapters):
        return f"promotion {sequence}"
    return f"the base alone since promotion {sequence}" if sequence else "the base alone"


def block(status: ClusterStatus) -> tuple[tuple[str, str], ...]:
    """(name, value) lines for one cluster."""
    figures = status.figures
    shown = {name: count for name, count in status.scenarios.items() if count or name not in OPTIONAL}
    rows = [
        ("cluster", f"{status.cluster}  ({status.title})" if status.title else status.cluster),
        ("model", f"{status.base}, {_serving(status)}"),
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
    rows += [("verdict", line) for line in status.verdicts]
    if status.funnel:
        rows.append(("rows", sentence(status.funnel)))
    rows += [("begun by", line) for line in status.begun_by]
    if status.iteration:
        rows.append(("duration", duration(status.seconds)))
    rows += [(one.stage.value, adapter_line(one)) for one in status.adapters]
    rows += [("because", reason) for reason in status.reasons]
    if status.plateau:
        row = status.plateau.iterations
        rows.append(
            ("plateau", f"{len(row)} iterations without improvement on held-out, {status.plateau.patience} may")
        )
    if status.waiting:
        since = f", since {status.waiting.since}" if status.waiting.since else ""
        rows.append(("waits for", f"{status.waiting.who}: {status.waiting.what}{since}"))
    return tuple(rows)


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
    cluster: str, entries: Sequence[Entry], *, phases: Sequence[str], state: RunState | None, plateau: Plateau | None
) -> Waiting | None:
    """Whose turn it is. A run that CI can take further by itself waits for nobody."""
    done = [entry for entry in entries if entry.kind is EntryKind.PHASE]
    passed = len({entry.phase for entry in done if entry.verdict.passed})
    last = entries[-1] if entries else None
    since = str(last.measured.get("at", "")) if last is not None else ""
    if plateau is not None:
        return escalation(cluster, plateau.after, since=since)
    if last is not None and state is RunState.ASSESSING and passed == len(phases):
        what = f"read the evidence and sign or refuse the promotion of {last.iteration}"
        return Waiting(gate="promotion", who="approvers", what=what, since=since)
    iteration = last.iteration if last is not None else ""
    course = Course(iteration, passed, last, received=state in (RunState.PROMOTED, RunState.ROLLED_BACK))
    return next(iteration_waits(cluster, course, phases=phases, escalated=False, proposed=True), None)
