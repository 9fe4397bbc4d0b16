"""The verdict on a comparison, in one of five words (docs/statistics.md). `comparison_words` puts it in sentences."""

from __future__ import annotations

from collections.abc import Mapping

from runner.records.gated import GateLimits
from runner.records.scorecard import Comparison, Scorecard
from runner.records.significance import Detectable, Repeats, SignificancePolicy, Tier
from runner.rules.evaluation.statistics import holm

PLAIN = SignificancePolicy()


def policy_of(gate: GateLimits) -> SignificancePolicy:
    """What the cluster asks of its comparisons; the defaults where it says nothing."""
    return gate.significance or PLAIN


def reliable(found: Repeats | None, policy: SignificancePolicy) -> bool:
    """Whether the incumbent differs from itself on few enough scenarios. One that was not repeated is believed."""
    return found is None or found.share <= policy.max_flip_share


def excusable(lost: int, found: Repeats, policy: SignificancePolicy) -> bool:
    """Whether `lost` scenarios may go uncounted as ones that the incumbent turns by itself: no more than one run of it
    may turn, however many repeats there are, each of which may turn others."""
    return lost <= policy.max_flip_share * found.scenarios


def tier(one: Comparison, *, significant: bool, believed: bool, detectable: Detectable | None) -> Tier:
    """The first that applies: the baseline cannot be believed; a significant difference; one that matters could have
    been missed; no change."""
    if not believed:
        return Tier.UNRELIABLE_BASELINE
    if significant and one.gained != one.lost:
        return Tier.IMPROVED if one.gained > one.lost else Tier.REGRESSED
    if detectable is None or detectable.difference is None or detectable.difference > detectable.effect:
        return Tier.INSUFFICIENT_DATA
    return Tier.NO_CHANGE


def family(found: Mapping[str, Comparison], *, alpha: float) -> frozenset[str]:
    """The comparisons that are significant when all of them are looked at (Holm 1979)."""
    return frozenset(holm({name: one.p_value for name, one in found.items()}, alpha))


def tiers(card: Scorecard, gate: GateLimits) -> dict[str, Tier]:
    """The tier of every comparison of a scorecard, by `heldout/<model>`, `capability/<id>` and `perturbed/<kind>`, from
    its counts and p-values; what each could have seen is taken as it is stated."""
    believed = reliable(card.repeats, policy_of(gate))
    heldout = {one.against: one for one in card.comparisons}
    groups = (
        ("heldout", heldout, frozenset(name for name, one in heldout.items() if one.p_value <= gate.max_p_value)),
        ("capability", card.capability_comparisons, family(card.capability_comparisons, alpha=gate.capability_alpha)),
        ("perturbed", card.perturbed_comparisons, family(card.perturbed_comparisons, alpha=gate.capability_alpha)),
    )
    return {
        f"{group}/{name}": tier(
            one, significant=name in found, believed=believed or one.against == "control", detectable=one.detectable
        )
        for group, comparisons, found in groups
        for name, one in comparisons.items()
    }
