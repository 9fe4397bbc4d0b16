"""Comparisons in sentences, for the report, `status` and what an approver signs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from runner.records.score import Comparison, Regressions, Scorecard
from runner.records.significance import Detectable, Detection, Interval, RealOnly, Repeats, Tier
from runner.records.terms import SetName


def verdicts(card: Scorecard) -> tuple[str, ...]:
    """What a scorecard comes to, a sentence each: composites, against the others, by capability, regressions, outcome
    types, real data alone. Nothing of a scorecard that has no tiers."""
    if not any(one.tier for one in card.comparisons):
        return ()
    return tuple(_verdicts(card))


def _verdicts(card: Scorecard) -> Iterator[str]:
    alone = any(model.adapter for name, model in card.models.items() if name == "incumbent")
    candidate = card.models.get("candidate")
    if candidate is not None:
        yield "composite: " + ", ".join(
            f"{name} {one.composite:.3f}{_within(one.interval)}" for name, one in candidate.sets.items()
        )
    for one in card.comparisons:
        if one.against != "base" or alone:
            yield sentence(one, repeats=card.repeats)
    for name, found in (("capabilities", card.capability_comparisons), ("perturbations", card.perturbed_comparisons)):
        if found:
            yield f"{name}: {_counted(found.values())}"
    yield regressed(card.regressions, card.repeats)
    heldout = candidate.sets.get(SetName.HELDOUT) if candidate is not None else None
    if heldout is not None and heldout.detection is not None:
        yield detected(heldout.detection)
    if card.real_only is not None:
        yield beside_real_only(card.real_only)


def _counted(found: Iterable[Comparison]) -> str:
    counts = Counter(one.tier for one in found)
    return ", ".join(f"{counts[tier]} {tier}" for tier in Tier if counts[tier])


def regressed(found: Regressions, repeats: Repeats | None) -> str:
    """`regressions: 3 of 201 (0.5% to 4.3%); 1 more the incumbent turns by itself`."""
    text = f"regressions: {found.count} of {found.of}{_percent(found.interval)}"
    if repeats is None:
        return text
    if found.flipping:
        text += f"; {len(found.flipping)} more the incumbent fails itself when asked again"
    if found.count and found.p_value is not None:
        text += f"; a further run of the incumbent would lose as many with p = {found.p_value:.2g}"
    return text


def detected(found: Detection) -> str:
    """`balanced accuracy on held-out 0.91 (0.87 to 0.94): 300 of 320 flagged that should be, 60 of 67 left alone`."""
    flagged, left = found.sensitivity, found.specificity
    return (
        f"balanced accuracy on held-out {found.balanced_accuracy:.3f}{_within(found.interval)}: sensitivity"
        f" {flagged.passed}/{flagged.scenarios}, specificity {left.passed}/{left.scenarios}"
    )


def beside_real_only(found: RealOnly) -> str:
    """`above real data alone: composite 0.930 (0.900 to 0.952) on held-out, 0.897 recorded`."""
    ends = found.interval or Interval(low=found.reached, high=found.reached)
    above, below = ends.low > found.recorded, ends.high < found.recorded
    word = "above" if above else "below" if below else "not told apart from"
    figure = f"{found.metric} {found.reached:.3f}{_within(found.interval)} on held-out"
    return f"{word} real data alone: {figure}, {found.recorded:.3f} recorded"


def _within(found: Interval | None) -> str:
    return f" ({found.low:.3f} to {found.high:.3f})" if found else ""


def _percent(found: Interval | None) -> str:
    return f" ({found.low:.1%} to {found.high:.1%})" if found else ""


def sentence(one: Comparison, *, against: str = "", repeats: Repeats | None = None) -> str:
    """`improved over the incumbent: +12.0 points (+8.1 to +15.9), 40 gained, 4 lost, p = 1e-08, on 300 scenarios`."""
    other = against or f"the {one.against}"
    if one.tier is Tier.UNRELIABLE_BASELINE and repeats is not None:
        return f"{one.tier}: asked again, the incumbent turns {repeats.share:.1%} of its own verdicts"
    if one.tier in (Tier.INSUFFICIENT_DATA, Tier.NO_CHANGE):
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
