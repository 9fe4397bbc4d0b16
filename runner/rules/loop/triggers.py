"""Which of a cluster's triggers fired: the present files against those that an iteration was pinned to.

- Each is held against the iteration whose model serves (where the base alone does, against the last one).
- One that fired is due where it fires against the last iteration too; else that one was of the same already.
- What cannot be read is unknown, with the reason, and not quiet.
- The same values give the same findings: the time is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, assert_never

from runner.records.fired import Fired
from runner.records.trigger_findings import Answer, Evidence, Finding
from runner.records.triggers import (
    AgeTrigger,
    BaseTrigger,
    GeneratorTrigger,
    RealData,
    RealDataTrigger,
    ScoreDropTrigger,
    TaskTrigger,
    Trigger,
    trigger_name,
)
from runner.rules.canonical import digest
from runner.rules.loop.production import Production, fallen
from runner.rules.loop.trigger_facts import Facts, Unknown
from runner.rules.times import moment

DAY = 86_400


@dataclass(frozen=True)
class Since:
    """An iteration that the present is held against."""

    iteration: str
    began: str | Unknown
    facts: Facts | Unknown
    fresh: Mapping[RealData, int | Unknown] = field(default_factory=dict)
    """Rows of the present data that were not in the data it was pinned to."""


class Present(NamedTuple):
    """What is now."""

    facts: Facts
    production: Production | Unknown
    at: str


def findings(
    triggers: Sequence[Trigger], present: Present, *, incumbent: Since | None, last: Since | None
) -> tuple[Finding, ...]:
    """One for each trigger, in their order."""
    return tuple(_finding(one, present, incumbent or last, last) for one in triggers)


def _finding(trigger: Trigger, present: Present, against: Since | None, last: Since | None) -> Finding:
    name = trigger_name(trigger)
    if against is None or last is None:
        because = "no iteration has begun yet that the present could be held against"
        return Finding(trigger=name, answer=Answer.QUIET, because=because)
    found = _judged(name, trigger, present, against)
    if found.answer is not Answer.FIRED or last.iteration == against.iteration:
        return found.model_copy(update={"due": found.answer is Answer.FIRED})
    later = _judged(name, trigger, present, last)
    if later.answer is Answer.QUIET:
        return found.model_copy(update={"since": last.iteration})
    if later.answer is Answer.UNKNOWN:
        return later
    return found.model_copy(update={"due": True})


def fired(found: Sequence[Finding], *, at: str) -> tuple[Fired, ...]:
    """Of those that are due, what an iteration is queued for."""
    return tuple(Fired(trigger=one.trigger, on=at[:10], because=one.because) for one in found if one.due)


class _Held(NamedTuple):
    """Whether a trigger fires against an iteration; None where that is unknown."""

    fires: bool | None
    because: str
    evidence: Evidence = Evidence()


def _judged(name: str, trigger: Trigger, present: Present, since: Since) -> Finding:
    held = _hold(trigger, present, since)
    answer = Answer.UNKNOWN if held.fires is None else Answer.FIRED if held.fires else Answer.QUIET
    evidence = held.evidence.model_copy(update={"against": since.iteration})
    return Finding(trigger=name, answer=answer, because=held.because, evidence=evidence)


def _hold(trigger: Trigger, present: Present, since: Since) -> _Held:
    match trigger:
        case AgeTrigger():
            return _age(trigger, present, since)
        case BaseTrigger():
            return _base_changed(present, since)
        case TaskTrigger():
            return _task_changed(present, since)
        case GeneratorTrigger():
            return _generator_changed(present, since)
        case RealDataTrigger():
            return _more_real_data(trigger, present, since)
        case ScoreDropTrigger():
            return _score_dropped(trigger, present, since)
        case _:
            assert_never(trigger)


def _age(trigger: AgeTrigger, present: Present, since: Since) -> _Held:
    if isinstance(since.began, Unknown):
        return _Held(None, since.began.why)
    days = (moment(present.at) - moment(since.began)).total_seconds() / DAY
    shown = Evidence(
        was=since.began,
        now=present.at,
        dates={"began": since.began, "at": present.at},
        counts={"days": int(days), "asked": trigger.days},
    )
    return _Held(days >= trigger.days, f"{since.iteration} began {int(days)} days ago, {trigger.days} are asked", shown)


def _base_changed(present: Present, since: Since) -> _Held:
    if isinstance(since.facts, Unknown):
        return _Held(None, since.facts.why)
    was, now = since.facts.base, present.facts.base
    shown = Evidence(was=was.words, now=now.words, digests={"was": was.sha256, "now": now.sha256})
    if was.sha256 == now.sha256:
        return _Held(False, f"the base is still {now.words}", shown)
    return _Held(True, f"the base was {was.words}, and is {now.words}", shown)


def _task_changed(present: Present, since: Since) -> _Held:
    if isinstance(since.facts, Unknown):
        return _Held(None, since.facts.why)
    was, now = since.facts.task, present.facts.task
    other = [part for part in now if was.get(part) != now[part]]
    digests = {f"{when}/{part}": of[part] for part in other for when, of in (("was", was), ("now", now)) if part in of}
    if not other:
        return _Held(False, "the task is defined and graded as it was", Evidence(was=digest(was), now=digest(now)))
    changed = ", ".join(other)
    return _Held(True, f"other than then: {changed}", Evidence(was=digest(was), now=digest(now), digests=digests))


def _generator_changed(present: Present, since: Since) -> _Held:
    if isinstance(since.facts, Unknown):
        return _Held(None, since.facts.why)
    was, now = since.facts.generators, present.facts.generators
    other = [f"{name}: {was.get(name, 'not used')}, now {now[name]}" for name in now if was.get(name) != now[name]]
    shown = Evidence(was=_versions(was), now=_versions(now))
    return _Held(bool(other), "; ".join(other) or "each generator is as it was", shown)


def _more_real_data(trigger: RealDataTrigger, present: Present, since: Since) -> _Held:
    if isinstance(since.facts, Unknown):
        return _Held(None, since.facts.why)
    was, now = since.facts.data.get(trigger.of, ""), present.facts.data.get(trigger.of, "")
    if not now:
        return _Held(None, f"there is no data/{trigger.of}")
    fresh = since.fresh.get(trigger.of, Unknown(f"the rows of data/{trigger.of} were not counted"))
    if isinstance(fresh, Unknown):
        return _Held(None, fresh.why)
    digests = {when: one for when, one in (("was", was), ("now", now)) if one}
    shown = Evidence(
        was=was[:12] or "none", now=now[:12], digests=digests, counts={"rows": fresh, "asked": trigger.rows}
    )
    return _Held(fresh >= trigger.rows, f"{fresh:,} new rows of {trigger.of}, {trigger.rows:,} are asked", shown)


def _score_dropped(trigger: ScoreDropTrigger, present: Present, since: Since) -> _Held:
    found = present.production
    if isinstance(found, Unknown):
        return _Held(None, found.why)
    if isinstance(since.began, Unknown):
        return _Held(None, since.began.why)
    if since.began[:10] >= found.turn:
        dates = {"began": since.began, "turn": found.turn, "end": found.end}
        return _Held(False, f"{since.iteration} began within the last {trigger.days} days", Evidence(dates=dates))
    before, lately = found.before, found.lately
    wanted, bound = trigger.min_signals, fallen(found, confidence=trigger.confidence)
    shown = Evidence(
        was=f"{before.passed} of {before.judged} right",
        now=f"{lately.passed} of {lately.judged} right",
        counts={"before": before.judged, "lately": lately.judged, "undated": found.undated, "asked": wanted},
        shares={"before": before.share, "lately": lately.share, "fell at least": bound, "drop": trigger.drop},
        dates={"start": found.start, "turn": found.turn, "end": found.end},
    )
    if min(before.judged, lately.judged) < wanted:
        counted = f"{lately.judged:,} judged signals in the last {trigger.days} days, {before.judged:,} before"
        return _Held(False, f"{counted}; each must have {wanted:,}", shown)
    words = f"{lately.share:.3f} right in the last {trigger.days} days ({lately.judged}), {before.share:.3f} before"
    words += f" ({before.judged})"
    if bound <= trigger.drop:
        return _Held(False, f"{words}; fell by {bound:.3f} at least, {trigger.drop:g} is asked", shown)
    return _Held(True, f"{words}; fell by {bound:.3f} at least at {trigger.confidence:.0%} confidence", shown)


def _versions(found: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {version}" for name, version in found.items())
