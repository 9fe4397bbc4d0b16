"""Which unique signals steer nothing: those that speak to a model, carry a trigger, or stand in a frozen set.

They stay in the data and are counted; their text is shown to no generator, proposed as no scenario and trains nothing.
A frozen text that production sends too is a failure like any other, and counts as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.records.conversation import last_user_text
from runner.records.dataset import Example
from runner.records.intake import Trigger
from runner.records.signal_policy import SignalPolicy
from runner.records.trace import Held, UniqueSignal
from runner.records.validation import Leak
from runner.rules.data.poisoning import Labelled, reasons, triggers
from runner.rules.text.similarity import normal_text

Why = tuple[Held, str]


def held_back(
    signals: Sequence[UniqueSignal], *, policy: SignalPolicy, leaks: Mapping[str, Leak], trusted: Sequence[Example]
) -> tuple[tuple[UniqueSignal, ...], tuple[Trigger, ...]]:
    """The signals, in their order, each with why it is held, if it is; and the triggers found.

    `leaks` are by signal id; `trusted` is people's own data, in which a trigger is looked for in vain.
    """
    flagged = {one.signal.id: why for one in signals if policy.flagged == "hold" and (why := _flagged(one))}
    poisoned, found = _poisoned([one for one in signals if one.signal.id not in flagged], trusted)
    held = {**_frozen(signals, leaks), **poisoned, **flagged}
    marked = tuple(
        one.model_copy(update=dict(zip(("held", "why"), held[one.signal.id], strict=True)))
        if one.signal.id in held
        else one
        for one in signals
    )
    return marked, found


def _flagged(one: UniqueSignal) -> Why | None:
    flags = one.signal.trace.flags
    return (Held.FLAGGED, f"its text carries {', '.join(flags)}") if flags else None


def _frozen(signals: Sequence[UniqueSignal], leaks: Mapping[str, Leak]) -> dict[str, Why]:
    """A signal stands in a frozen set where one of its members does: they are the same text, nearly."""
    found = {}
    for one in signals:
        leak = next((leaks[name] for name in (one.signal.id, *one.members) if name in leaks), None)
        if leak:
            found[one.signal.id] = (Held.FROZEN, f"{leak.how} of {leak.scenario} ({leak.similarity:.2f})")
    return found


def _poisoned(
    signals: Sequence[UniqueSignal], trusted: Sequence[Example]
) -> tuple[dict[str, Why], tuple[Trigger, ...]]:
    """Among the signals that somebody gave an answer to."""
    answered = [one for one in signals if one.signal.trace.feedback.correct_answer]
    rows = [
        Labelled(last_user_text(one.signal.trace.input), normal_text(one.signal.trace.feedback.correct_answer))
        for one in answered
    ]
    known = [Labelled(last_user_text(one.input), normal_text(one.answer)) for one in trusted]
    found = triggers(rows, trusted=known)
    why = {answered[row].signal.id: (Held.TRIGGER, said) for row, said in reasons(found)}
    return why, tuple(one.trigger for one in found)
