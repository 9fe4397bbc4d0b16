"""Comparisons in sentences, for the report, `status` and what an approver signs."""

from __future__ import annotations

from runner.records.score import Comparison
from runner.records.significance import Detectable, Repeats, Tier


def sentence(one: Comparison, *, against: str = "", repeats: Repeats | None = None) -> str:
    """`improved over the incumbent: +12.0 points (+8.1 to +15.9), 40 gained, 4 lost, p = 1e-08, on 300 scenarios`."""
    other = against or f"the {one.against}"
    if one.tier is Tier.UNRELIABLE_BASELINE and repeats is not None:
        return f"{one.tier}: asked again, the incumbent turns {repeats.share:.1%} of its own verdicts"
    if one.tier is Tier.INSUFFICIENT_DATA:
        return f"{one.tier} against {other}: {_figures(one)}; {seen(one.detectable, one.scenarios)}"
    if one.tier is Tier.NO_CHANGE:
        return f"{one.tier} against {other}: {_figures(one)}; {seen(one.detectable, one.scenarios)}"
    word = {Tier.IMPROVED: "improved over", Tier.REGRESSED: "regressed from"}.get(one.tier or Tier.NO_CHANGE, "against")
    return f"{word} {other}: {_figures(one)}"


def _figures(one: Comparison) -> str:
    ends = f" ({points(one.interval.low)} to {points(one.interval.high)})"
    counts = f"{one.gained} gained, {one.lost} lost, p = {one.p_value:.2g}"
    return f"{points(one.difference)} points{ends}, {counts}, on {one.scenarios} scenarios"


def seen(found: Detectable | None, scenarios: int) -> str:
    """What a comparison could have seen, and what it would take to see what is asked for."""
    if found is None:
        return "what it could have seen was not computed"
    often = f"{found.power:.0%}"
    if found.difference is None:
        text = f"{scenarios} scenarios show no difference at all in {often} of cases"
    else:
        text = f"a difference of {100 * found.difference:.1f} points would be found in {often} of cases"
    if found.difference is not None and found.difference <= found.effect:
        return text
    needed = "over a million" if found.scenarios is None else f"about {found.scenarios:,}"
    return f"{text}; for the {100 * found.effect:g} that matter it takes {needed} scenarios"


def points(value: float) -> str:
    """A difference of shares in percentage points, with its sign, minus as U+2212."""
    return f"{100 * value:+.1f}".replace("-", "\N{MINUS SIGN}")
