"""New and reworded scenarios that stand elsewhere already: in another set, in their own, or in training data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from runner.records.change_review import Overlap
from runner.records.conversation import last_user_text
from runner.records.dataset import Example
from runner.records.terms import JUDGING, SetName
from runner.records.validation import LeakHow
from runner.rules.data.leakage import NEAR, Match
from runner.rules.review.scenarios import reworded
from runner.rules.review.side import WITHHELD, Placed, Side
from runner.rules.text.closest import Closest
from runner.rules.text.near_duplicates import leaders
from runner.rules.text.similarity import jaccard, normal_text, shingles

SIZE = 2


def new_scenarios(before: Side, after: Side, cluster: str) -> list[Placed]:
    """The scenarios that ask what was not asked before."""
    old = before.scenarios(cluster)
    return [one for name, one in after.scenarios(cluster).items() if reworded(old.get(name), one)]


FRESH = "fresh"
"""The new and reworded scenarios of sets that are withheld."""
Matches = Mapping[tuple[str, str], Match]
"""By set (or `FRESH`) and text."""


class Compared(NamedTuple):
    """What new and reworded scenarios were found to say, and those of them whose text may not be shown."""

    overlaps: tuple[Overlap, ...]
    hidden: frozenset[str]
    """Scenarios of open sets whose message, before or after the change, stands in a set that is withheld: to show one
    would be to show the other."""


def compared(before: Side, after: Side, cluster: str, gold: Sequence[Example]) -> Compared:
    """The closest match of each new scenario in every set and in `gold`, the leaks and the closest first."""
    new = new_scenarios(before, after, cluster)
    if not new:
        return Compared((), frozenset())
    old = before.scenarios(cluster)
    standing = _standing(new, before, after, cluster)
    matches = Closest(standing).matches([*map(_said, new), *(_said(was) for was in _earlier(new, old))])
    found = [
        _overlap(one, after, SetName(name), match.scenario, match.how, match.similarity)
        for name in standing
        if name != FRESH
        for one in new
        if (match := matches.get((name, _said(one)))) is not None and match.scenario != one.scenario.id
    ]
    found += [*_among(new, after), *_in_gold(new, after, gold)]
    ordered = sorted(found, key=lambda one: (not one.leak, -one.similarity, one.scenario, one.other))
    return Compared(tuple(ordered), frozenset(_hidden(new, matches, old)))


def _said(one: Placed) -> str:
    return last_user_text(one.scenario.input)


def _earlier(new: Sequence[Placed], old: Mapping[str, Placed]) -> list[Placed]:
    """What the reworded ones said before."""
    return [old[one.scenario.id] for one in new if one.scenario.id in old]


def _standing(
    new: Sequence[Placed], before: Side, after: Side, cluster: str
) -> Mapping[str, Collection[tuple[str, str]]]:
    """What the new ones are held against, set by set: the scenarios that stay, and what was withheld until now. Its own
    earlier wording is no other scenario."""
    fresh = {one.scenario.id for one in new}
    texts: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for one in after.scenarios(cluster).values():
        if one.scenario.id not in fresh:
            texts[one.set].add((one.scenario.id, _said(one)))
    for one in before.scenarios(cluster).values():
        if one.set in WITHHELD:
            texts[one.set].add((one.scenario.id, _said(one)))
    for one in new:
        if one.set in WITHHELD:
            texts[FRESH].add((one.scenario.id, _said(one)))
    return texts


def _hidden(new: Sequence[Placed], matches: Matches, old: Mapping[str, Placed]) -> Iterator[str]:
    """The scenarios of open sets that say, or said, what a withheld one says."""
    for one in new:
        was = old.get(one.scenario.id)
        texts = [_said(one), *([_said(was)] if was is not None else [])]
        if one.set not in WITHHELD and any((name, text) in matches for name in (*WITHHELD, FRESH) for text in texts):
            yield one.scenario.id


def _among(new: Sequence[Placed], side: Side) -> Iterator[Overlap]:
    """The new ones among themselves, each with the one that stands for it."""
    said = [last_user_text(one.scenario.input) for one in new]
    for position, leader in enumerate(leaders(said, threshold=NEAR, size=SIZE)):
        if leader != position:
            how = LeakHow.EXACT if normal_text(said[position]) == normal_text(said[leader]) else LeakHow.NEAR
            close = jaccard(shingles(said[position], SIZE), shingles(said[leader], SIZE))
            other = new[leader]
            yield _overlap(new[position], side, other.set, other.scenario.id, how, close)


def _in_gold(new: Sequence[Placed], side: Side, gold: Sequence[Example]) -> Iterator[Overlap]:
    """Of each new one the closest row of `gold`, every message of which is looked at: what a row says is not only its
    closest scenario's matter."""
    if not gold:
        return
    rows: dict[str, str] = {}
    for row in gold:
        for message in row.input:
            rows.setdefault(message.content, row.id)
    matches = Closest({one.scenario.id: [(one.scenario.id, _said(one))] for one in new}).matches(rows)
    closest: dict[str, tuple[Match, str]] = {}
    for (name, text), match in sorted(matches.items(), key=lambda found: (-found[1].similarity, rows[found[0][1]])):
        closest.setdefault(name, (match, rows[text]))
    for one in new:
        if one.scenario.id in closest:
            match, row_id = closest[one.scenario.id]
            yield _overlap(one, side, None, row_id, match.how, match.similarity)


def _overlap(one: Placed, side: Side, name: SetName | None, other: str, how: LeakHow, similarity: float) -> Overlap:
    """`name` is the other's set; None for training data."""
    judges = {one.set in JUDGING, name in JUDGING}
    return Overlap(
        at=side.at(one.path, "input"),
        scenario=f"{one.set}/{one.scenario.id}",
        other=f"{name or 'gold'}/{other}",
        how=how,
        similarity=min(1.0, round(similarity, 9)),
        leak=len(judges) == 2 and name is not SetName.GENERAL and one.set is not SetName.GENERAL,
    )
