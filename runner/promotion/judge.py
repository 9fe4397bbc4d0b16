"""The gate itself: gather one step of main, judge it. One function serves the hook, CI and the verifier."""

from __future__ import annotations

from typing import NamedTuple

from runner.errors import RecordError
from runner.promotion.gather import Step, gather
from runner.promotion.sources import Sources
from runner.records.verdict import Outcome, Reason, Verdict
from runner.rules.trust.change import promotion_place
from runner.rules.trust.facts import Facts
from runner.rules.trust.verification import verify


class Judgement(NamedTuple):
    verdict: Verdict
    facts: Facts


def judge(sources: Sources, step: Step) -> Judgement:
    """May main go from `step.old` to `step.new`? Raises `HallmarkError` where that could not be judged."""
    facts = gather(sources, step)
    return Judgement(verify(facts), facts)


def judge_root(sources: Sources, commit: str, root: str, *, now: str) -> Verdict:
    """May `commit` be the first of main? Its trust.yaml is the pinned one, its policy holds, nothing is promoted."""
    step, reasons = "0 root", []
    if sources.objects.commit(commit).parents:
        reasons.append(Reason(step=step, problem=f"{commit[:12]} has parents", hint="begin with one root commit"))
    try:
        policy = sources.policy(commit)
    except RecordError as error:
        return Verdict(outcome=Outcome.REFUSE, reasons=(*reasons, Reason(step=step, problem=str(error))))
    if policy.sha256 != root:
        problem = f"policy/trust.yaml has sha256 {policy.sha256}, and {root} is pinned"
        reasons.append(Reason(step=step, problem=problem, hint="this is not the repository you were told of"))
    reasons += policy.problems
    if now > policy.trust.expires:
        reasons.append(Reason(step=step, problem=f"the policy expired at {policy.trust.expires}"))
    promoted = [path for path in sources.objects.files(commit) if promotion_place(path)]
    if promoted:
        reasons.append(Reason(step=step, problem=f"{promoted[0]} is promoted without a gate", hint="remove it"))
    return Verdict(outcome=Outcome.REFUSE if reasons else Outcome.PASS, reasons=tuple(reasons))
