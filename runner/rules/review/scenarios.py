"""Which scenarios a change adds, changes and removes, and what changed in words that need no YAML."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from runner.records.change_review import ScenarioChange, What
from runner.records.conversation import last_user_text
from runner.records.terms import SetName
from runner.rules.review.side import WITHHELD, Placed, Side
from runner.rules.text.shown import shorten, shown

LONGEST = 240
NAMED = {
    "capability": "capability",
    "outcome_type": "outcome type",
    "lens": "lens",
    "severity": "severity",
    "origin": "origin",
    "rubric": "rubric",
    "source": "where it was found",
}
TEXTS = {"objective": "what it tests", "reference": "the right answer"}
LISTS = {"pass_criteria": "what makes it pass", "fail_criteria": "what makes it fail"}


def scenario_changes(
    before: Side, after: Side, cluster: str, *, hidden: Collection[str] = ()
) -> tuple[ScenarioChange, ...]:
    """Of one cluster, by set and id. One that moves to another set is changed, not removed and added.

    Of those that are `hidden`, by id, no text is shown, as of those in sets that are withheld.
    """
    old, new = before.scenarios(cluster), after.scenarios(cluster)
    found = [
        _change(old.get(name), new.get(name), before if name not in new else after, hidden=name in hidden)
        for name in {**old, **new}
        if name not in old or name not in new or _differs(old[name], new[name])
    ]
    order, sets = list(What), list(SetName)
    return tuple(sorted(found, key=lambda one: (order.index(one.what), sets.index(one.set), one.id)))


def reworded(before: Placed | None, after: Placed) -> bool:
    """Whether the model would be asked something else: a new scenario, another message or other tools."""
    if before is None:
        return True
    return (before.scenario.input, before.scenario.tools) != (after.scenario.input, after.scenario.tools)


def _differs(before: Placed, after: Placed) -> bool:
    return before.set != after.set or (before.scenario is not after.scenario and before.scenario != after.scenario)


def _change(before: Placed | None, after: Placed | None, side: Side, *, hidden: bool) -> ScenarioChange:
    placed = after or before
    assert placed is not None
    one = placed.scenario
    words: Sequence[str] = ()
    what, field = What.CHANGED, ""
    hidden = hidden or any(side.set in WITHHELD for side in (before, after) if side is not None)
    if before is None:
        what = What.ADDED
    elif after is None:
        what = What.REMOVED
    else:
        words = list(_words(before, after, hidden=hidden))
        field = next((name for name in type(one).model_fields if _field(before, name) != _field(after, name)), "")
    return ScenarioChange(
        what=what,
        at=side.at(placed.path, field, gone=after is None),
        cluster=placed.cluster,
        set=placed.set,
        id=one.id,
        capability=one.capability,
        lens=one.lens,
        outcome_type=one.outcome_type,
        words=tuple(words),
        message="" if hidden else said(last_user_text(one.input)),
        answer="" if hidden else said(one.reference),
    )


def _field(placed: Placed, name: str) -> object:
    return getattr(placed.scenario, name)


def said(text: str) -> str:
    """A text as a review shows it: on one line, cut, with what nobody sees as its code."""
    return shown(shorten(text, longest=LONGEST))


def _words(before: Placed, after: Placed, *, hidden: bool) -> Iterator[str]:
    """What changed. Of what is `hidden` the names of fields alone."""
    if before.set != after.set:
        yield f"moved from {before.set} to {after.set}"
    old, new = before.scenario, after.scenario
    for name, words in NAMED.items():
        if getattr(old, name) != getattr(new, name):
            yield f"{words}: {getattr(old, name)} → {getattr(new, name)}"
    if old.input != new.input:
        yield "the message was reworded" if hidden else f"the message was: {said(last_user_text(old.input))}"
    if old.tools != new.tools:
        yield "the tools that it may call"
    for name, words in TEXTS.items():
        if getattr(old, name) != getattr(new, name):
            yield words if hidden else f"{words} was: {said(getattr(old, name))}"
    for name, words in LISTS.items():
        yield from _listed(words, getattr(old, name), getattr(new, name), hidden=hidden)


def _listed(words: str, old: Sequence[str], new: Sequence[str], *, hidden: bool) -> Iterator[str]:
    if old == new:
        return
    if hidden or set(old) == set(new):
        yield words
        return
    for text in new:
        if text not in old:
            yield f"{words}, now also: {said(text)}"
    for text in old:
        if text not in new:
            yield f"{words}, no longer: {said(text)}"
