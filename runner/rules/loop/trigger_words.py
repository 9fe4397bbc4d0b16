"""What triggers say, in lines for people, and the exit code that goes with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runner.errors import ExitCode
from runner.records.fired import Fired
from runner.records.trigger_findings import Answer, Finding, Findings


def told(found: Findings) -> Iterator[str]:
    """One cluster's, a line a trigger."""
    if not found.findings:
        yield f"{found.cluster}: no triggers in cluster.yaml (docs/triggers.md)"
        return
    against = found.incumbent or found.last or "no iteration yet"
    yield f"{found.cluster}: against {against}, at {found.at}"
    width = max(len(one.trigger) for one in found.findings)
    for one in found.findings:
        yield f"  {one.answer:<7}  {one.trigger:<{width}}  {one.because}{_since(one)}"
    if found.queued:
        yield f"  queued {found.queued}: hallmark iterate {found.cluster} takes it up"
    if found.held:
        yield f"  not queued: {found.held}"


def _since(one: Finding) -> str:
    return f"; {one.since} was of the same already" if one.since else ""


def outcome(found: Findings, *, alone: bool) -> ExitCode:
    """How the command ends for one cluster. That people have to decide is said of one that was asked for `alone`."""
    if any(one.answer is Answer.UNKNOWN for one in found.findings):
        return ExitCode.COULD_NOT
    return ExitCode.WAITING if found.waits and alone else ExitCode.DONE


def begun_by(triggers: Iterable[Fired]) -> tuple[str, ...]:
    """What began an iteration, a line each."""
    return tuple(f"{one.trigger} on {one.on}: {one.because}" for one in triggers)
