"""What a rotation of held-out is said to be."""

from __future__ import annotations

from collections import Counter

from runner.cli.said import reasons
from runner.records.evaluation_policy import Source
from runner.records.verdict import Outcome, Verdict
from runner.rules.text.shown import shown
from runner.wiring.benchmark import Proposed

SHOWN = 10
"""Unfit scenarios that are listed before the rest is only counted."""


def lines(done: Proposed) -> list[str]:
    """A table by capability, what is unfit and why, and what comes next."""
    plan = done.plan
    retired = Counter(one.capability for one in plan.retired)
    fresh = {
        source: Counter(one.scenario.capability for one in plan.fresh if one.source is source) for source in Source
    }
    said = [f"held-out has been looked at by {done.looks} candidates, {done.allowed} may", ""]
    said.append(f"{'capability':32} {'retire':>7} {'reserve':>8} {'reference':>10}")
    for name, count in sorted(retired.items()):
        said.append(f"{name:32} {count:7} {fresh[Source.RESERVE][name]:8} {fresh[Source.REFERENCE][name]:10}")
    said += ["", f"{plan.left} fresh scenarios are left for the next time, {len(plan.unfit)} are unfit"]
    said += [shown(f"  {one.scenario} ({one.source}): {one.why}") for one in plan.unfit[:SHOWN]]
    if len(plan.unfit) > SHOWN:
        said.append(f"  and {len(plan.unfit) - SHOWN} more, which --json lists")
    if plan.lacking:
        return [*said, "", "not proposed:", *reasons(Verdict(outcome=Outcome.REFUSE, reasons=plan.lacking))]
    opened = "is open already" if done.was_open else "proposed"
    said += ["", f"version {plan.version} {opened} on branch {done.branch}: the retired go to {plan.retire_to}"]
    return [*said, f"next: hallmark propose --branch {done.branch}, then the benchmark's owner approves it"]
