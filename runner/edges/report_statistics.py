"""What the report shows of how far figures can be trusted: further limits, intervals in words, outcome types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from runner.edges.report_view import Limit, figure, present
from runner.records.gated import GateLimits
from runner.records.score import Scorecard
from runner.records.significance import Detectable, Detection, Interval, Tally
from runner.records.terms import OutcomeType, SetName
from runner.rules.evaluation.tiers import excusable, policy_of, reliable

ABSENT = "\N{EN DASH}"


class OutcomeRow(NamedTuple):
    """One model on held-out by outcome type."""

    model: str
    cells: tuple[Tally | None, ...]
    detection: Detection | None


def more_limits(scorecard: Scorecard, gate: GateLimits) -> Iterator[Limit]:
    """Those of `gate.significance` that this evidence can show."""
    policy, heldout = policy_of(gate), scorecard.models["candidate"].sets.get(SetName.HELDOUT)
    if scorecard.repeats is not None:
        found, asked = scorecard.repeats, f"at most {policy.max_flip_share:.1%} turned"
        measured = f"{found.share:.1%} in {found.runs} repeat{'s' * (found.runs > 1)}"
        yield Limit("The incumbent, asked again", measured, asked, reliable(found, policy))
        lost = len(scorecard.regressions.flipping)
        asked, holds = f"at most {policy.max_flip_share:.1%} of {found.scenarios}", excusable(lost, found, policy)
        yield Limit("Lost as what the incumbent turns", f"{lost}", asked, holds)
    if policy.min_outcome_share and heldout is not None and heldout.outcomes:
        kind, worst = min(heldout.outcomes.items(), key=lambda item: item[1].passed / item[1].scenarios)
        holds = worst.passed >= policy.min_outcome_share * worst.scenarios
        asked = f"at least {policy.min_outcome_share:.0%} of each"
        yield Limit("Worst outcome type on held-out", f"{kind} {worst.passed} of {worst.scenarios}", asked, holds)
    if policy.real_only == "refuse" and scorecard.real_only is not None:
        beside = scorecard.real_only
        measured, asked = f"{beside.metric} {figure(beside.reached)}", f"above {figure(beside.recorded)}"
        yield Limit("Beside real data alone", measured, asked, beside.reached > beside.recorded)


def outcome_kinds(scorecard: Scorecard) -> tuple[OutcomeType, ...]:
    """The outcome types of held-out; nothing of one alone, which no model can trade against another."""
    sets = (model.sets.get(SetName.HELDOUT) for model in scorecard.models.values())
    found = {kind for one in sets if one for kind in one.outcomes}
    return tuple(kind for kind in OutcomeType if kind in found) if len(found) > 1 else ()


def outcome_rows(scorecard: Scorecard) -> tuple[OutcomeRow, ...]:
    """A row for each model that was run."""
    kinds, found = outcome_kinds(scorecard), []
    for name in present(scorecard):
        heldout = scorecard.models[name].sets.get(SetName.HELDOUT)
        if kinds and heldout is not None and heldout.outcomes:
            found.append(OutcomeRow(name, tuple(heldout.outcomes.get(kind) for kind in kinds), heldout.detection))
    return tuple(found)


def ends(found: Interval | None) -> str:
    """`0.871 to 0.934`; nothing of an older scorecard, which has no interval."""
    return f"{figure(found.low)} to {figure(found.high)}" if found else ""


def could_see(found: Detectable | None) -> str:
    """The smallest difference that a comparison could have seen, in points."""
    if found is None:
        return ABSENT
    return "none" if found.difference is None else f"{100 * found.difference:.1f} points"
