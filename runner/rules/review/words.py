"""A review in the words of people who know their field and no YAML: sections of lines, which each form renders.

What strangers wrote (ids, texts, problems) is always a `Quote`, so that no renderer can take it for its own words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from runner.records.change_review import (
    ChangeReview,
    Direction,
    Place,
    ScenarioChange,
    SettingChange,
    What,
)
from runner.rules.review.figures import covered, overlapping, previewed, regraded
from runner.rules.review.side import WITHHELD
from runner.rules.review.told import LOOSENED, MOST, Item, Line, Quote, Red, Section, count

OUTCOMES = {
    "tp": "plain cases",
    "tn": "cases to leave alone",
    "fp-guard": "look-alikes that must not be taken for it",
    "fn-guard": "disguised cases that must not be missed",
}


def headline(review: ChangeReview) -> list[Line]:
    """What everybody should know, in three lines at most."""
    counts = Counter(one.what for one in review.scenarios)
    told = [f"{count(counts[what], 'scenario')} {what}" for what in What if counts[what]]
    rubrics = Counter(one.what for one in review.rubrics)
    told += [f"{count(rubrics[what], 'rubric')} {what}" for what in What if rubrics[what]]
    other = len(review.settings) + len(review.policy)
    told += [f"{count(other, 'setting')} changed"] if other else []
    first = ", ".join(told) or "No scenario, rubric or limit changes"
    found: list[Line] = [(f"{first}; {count(review.files, 'file')} in all.",)]
    loosened = loosenings(review)
    if loosened:
        found.append((Red(f"{LOOSENED}: {count(len(loosened), 'limit')}."), " More may pass than before."))
    leaks = sum(one.leak for one in review.overlaps)
    if leaks:
        found.append((Red(f"LEAK: {count(leaks, 'text')}."), " What judges models may neither train nor steer them."))
    return found


def loosenings(review: ChangeReview) -> list[SettingChange]:
    """Every setting and criterion that lets more pass than before."""
    every = [*review.settings, *review.policy, *(one for rubric in review.rubrics for one in rubric.changes)]
    return [one for one in every if one.direction is Direction.LOOSENED]


def sections(review: ChangeReview) -> list[Section]:
    """Every section that has something to say."""
    made = (
        _merging(review),
        _loosened(review),
        *_scenarios(review.scenarios),
        _rubrics(review),
        *map(regraded, review.regraded),
        overlapping(review),
        *map(covered, review.coverage),
        _settings(review),
        *previewed(review),
    )
    return [one for one in made if one.lines or one.items]


def _merging(review: ChangeReview) -> Section:
    """What stands between the change and a merge."""
    lines: list[Line] = []
    for one in review.signatures:
        if not one.people:
            lines.append((f"A change of {one.change} ({count(one.files, 'file')}) needs nobody's signature.",))
            continue
        asked: Line = (f"A change of {one.change} ({count(one.files, 'file')}) must be signed by ",)
        for number, (role, several) in enumerate(one.people.items()):
            people = "1 person" if several == 1 else f"{several} people"
            asked += (" and " if number else "", f"{people} with the role ", Quote(role))
        lines.append((*asked, "."))
    if review.no_policy:
        lines.append(("There is no policy yet, so nobody is asked for a signature.",))
    for frozen in review.frozen:
        owners = _joined(frozen.owners)
        at = f" is frozen at version {frozen.version_before}"
        at += f" and becomes version {frozen.version_after}" if frozen.version_after > frozen.version_before else ""
        edited = f": {count(frozen.scenarios, 'scenario')} added, changed or removed. It belongs to the role "
        lines.append((Quote(f"{frozen.cluster}/{frozen.set}"), at, edited, *owners, "."))
    items = [
        Item((*_at(one.at), " ", Quote(one.problem), *((" Fix: ", Quote(one.hint)) if one.hint else ())))
        for one in review.refusals
    ]
    if items:
        lines.append((Red(f"{count(len(items), 'problem')} must be mended before it can be merged:"),))
    return Section("Before it can be merged", tuple(lines), tuple(items))


def _joined(names: Iterable[str]) -> Line:
    found: Line = ()
    for name in names:
        found += ((" or ",) if found else ()) + (Quote(name),)
    return found


def _at(place: Place) -> Line:
    return (Quote(f"{place.path}:{place.line}"),)


def _loosened(review: ChangeReview) -> Section:
    return Section("What was loosened", (), tuple(_setting(one) for one in loosenings(review)))


def _setting(one: SettingChange) -> Item:
    mark: Line = (Red(LOOSENED), " ") if one.direction is Direction.LOOSENED else ()
    meaning: Line = (f"{one.meaning}: ",) if one.meaning else (Quote(one.field), ": ")
    tail = " (tightened)" if one.direction is Direction.TIGHTENED else ""
    said: Line = (*mark, *meaning, Quote(one.before), " → ", Quote(one.after), tail)
    where: Line = (Quote(one.field), " in ", *_at(one.at)) if one.meaning else ("in ", *_at(one.at))
    return Item(said, (where,))


def _scenarios(changes: Sequence[ScenarioChange]) -> Iterator[Section]:
    """A section for each cluster and kind of change."""
    for cluster in sorted({one.cluster for one in changes}):
        for what in What:
            found = [one for one in changes if (one.cluster, one.what) == (cluster, what)]
            title = f"Scenarios {what}: {cluster}"
            yield Section(title, tuple(_by_trait(found)), tuple(map(_scenario, found)))


def _by_trait(found: Sequence[ScenarioChange]) -> Iterator[Line]:
    if len(found) < 2:
        return
    yield ("By set: ", *_counted(one.set for one in found))
    yield ("By capability: ", *_counted(one.capability for one in found))
    yield ("By lens: ", *_counted(one.lens for one in found))
    kinds = Counter(one.outcome_type for one in found)
    told = (f"{OUTCOMES.get(kind, kind)} ({kind}) {number}" for kind, number in sorted(kinds.items()))
    yield ("By kind: " + ", ".join(told),)


def _counted(values: Iterable[str]) -> Line:
    counts = sorted(Counter(values).items(), key=lambda one: (-one[1], one[0]))
    found: Line = ()
    for value, number in counts[:MOST]:
        found += (", " if found else "", Quote(value), f" {number}")
    left = len(counts) - MOST
    return (*found, f", and {left} more") if left > 0 else found


def _scenario(one: ScenarioChange) -> Item:
    kind = f", one of the {OUTCOMES.get(one.outcome_type, one.outcome_type)}" if one.what is What.ADDED else ""
    said: Line = (Quote(one.id), " in ", Quote(one.set), ", capability ", Quote(one.capability), kind)
    under: list[Line] = [_word(word) for word in one.words]
    if one.message and one.what is not What.REMOVED:
        under.append(("asks ", Quote(one.message), "; right is ", Quote(one.answer)))
    elif one.set in WITHHELD:
        under.append(("its text is held out, and not shown",))
    elif not one.message:
        under.append(("it says what a held-out scenario says, and is not shown",))
    return Item(said, tuple(under))


def _word(word: str) -> Line:
    label, colon, text = word.partition(": ")
    return (f"{label}: ", Quote(text)) if colon else (label,)


def _rubrics(review: ChangeReview) -> Section:
    items = []
    for one in review.rubrics:
        graded = f", which grades {count(one.scenarios, 'scenario')}" if one.scenarios else ", which grades no scenario"
        under = [(*_setting(change).line, "; ", *_setting(change).under[0]) for change in one.changes]
        items.append(Item((Quote(one.id), f" was {one.what}{graded}"), tuple(under)))
    return Section("How answers are graded", (), tuple(items))


def _settings(review: ChangeReview) -> Section:
    every = [one for one in (*review.settings, *review.policy) if one.direction is not Direction.LOOSENED]
    return Section("Other settings", (), tuple(map(_setting, every)))
