"""The sections of a review that are figures: scores graded again, overlaps, coverage, and a model's answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runner.records.change_review import ChangeReview, CoverageChange, Overlap, Regrading, SetCount
from runner.records.validation import LeakHow
from runner.rules.review.told import MOST, Item, Line, Quote, Red, Section, count, named

HOW = {
    LeakHow.EXACT: "says the same as",
    LeakHow.NEAR: "says nearly the same as",
    LeakHow.PARAPHRASE: "says in other words the same as",
    LeakHow.CONTAINED: "contains the text of",
}


def regraded(one: Regrading) -> Section:
    """What stored answers would score, set by set."""
    title = f"Scores, were this merged: {one.cluster}"
    if one.why_not:
        return Section(title, (("The last answers could not be graded again: ", Quote(one.why_not)),))
    lines: list[Line] = [("The stored answers of ", Quote(one.source), ", graded again without asking a model:")]
    items = []
    for found in one.sets:
        moved = "as before" if found.before == found.after else f"{found.before:.3f} → {found.after:.3f}"
        passed = f"{found.passed_before} → {found.passed_after} of {count(found.answers, 'answer')} pass"
        under = [
            (f"{word}: ", *named(names))
            for word, names in (("now right", found.gained), ("now wrong", found.lost))
            if names
        ]
        items.append(Item((Quote(found.set), f" {moved}; {passed}"), tuple(under)))
    if one.asked_otherwise:
        lines.append((f"{count(one.asked_otherwise, 'answer')} left out: the scenario asks something else now.",))
    if one.ungraded:
        lines.append((f"{count(one.ungraded, 'answer')} left out: a judge would have to look at them.",))
    return Section(title, tuple(lines), tuple(items))


def overlapping(review: ChangeReview) -> Section:
    """What new scenarios say that stands elsewhere."""
    lines: list[Line] = (
        [("Not compared with the training data of ", *named(review.without_gold), ": they are not at hand.")]
        if review.without_gold
        else []
    )
    return Section("Found elsewhere already", tuple(lines), tuple(map(_overlap, review.overlaps)))


def _overlap(one: Overlap) -> Item:
    mark: Line = (Red("LEAK"), " ") if one.leak else ()
    alike = "" if one.how is LeakHow.EXACT else f" ({one.similarity:.0%} alike)"
    return Item((*mark, Quote(one.scenario), f" {HOW[one.how]} ", Quote(one.other), alike))


def covered(one: CoverageChange) -> Section:
    lines: list[Line] = [("In all: ", *_sets(one.sets))] if one.sets else []
    for word, gaps in (("Closed", one.gaps_closed), ("Opened", one.gaps_opened)):
        for gap in gaps[:MOST]:
            lacks = "" if gap.lacks == "scenarios" else f", {gap.lacks}"
            lines.append((f"{word} a gap: ", Quote(gap.capability), " in ", Quote(gap.set), lacks))
        if len(gaps) > MOST:
            lines.append((f"{word} {len(gaps) - MOST} more gaps.",))
    if one.gaps_left:
        lines.append(
            (f"{count(one.gaps_left, 'gap')} left: ", Quote(f"hallmark benchmark report {one.cluster}"), " lists them.")
        )
    for when, found in (("before", one.balance_before), ("after", one.balance_after)):
        for weighed in found:
            words = f"Held-out beside {weighed.against}, by {weighed.trait}, {when}: {weighed.distance:.0%} apart"
            lines.append((words + (", more than chance" if weighed.differs else ""),))
    traits = (("capability", one.capabilities), ("lens", one.lenses), ("kind", one.outcome_types))
    items = [Item((f"{word} ", Quote(value), ": ", *_sets(rows))) for word, by in traits for value, rows in by.items()]
    return Section(f"What the benchmark covers: {one.cluster}", tuple(lines), tuple(items))


def _sets(rows: Iterable[SetCount]) -> Line:
    found: Line = ()
    for row in rows:
        found += (", " if found else "", Quote(row.set), f" {row.before} → {row.after}")
    return found


def previewed(review: ChangeReview) -> Iterator[Section]:
    for one in review.previews:
        title = f"What the present model answers: {one.cluster}"
        if one.why_not:
            yield Section(title, (("The present model could not be asked: ", Quote(one.why_not)),))
            continue
        failed = sum(not found.passed for found in one.answers)
        lines: list[Line] = [(Quote(one.model), f" gets {failed} of {count(len(one.answers), 'scenario')} wrong.")]
        for hidden in one.withheld:
            lines.append((Quote(hidden.set), f": {hidden.passed} of {hidden.scenarios} pass; their text is held out."))
        items = [
            Item(
                ("right: " if found.passed else "wrong: ", Quote(found.scenario), " answered ", Quote(found.answer)),
                () if found.passed else ((Quote(found.explanation),),),
            )
            for found in sorted(one.answers, key=lambda found: found.passed)
        ]
        yield Section(title, tuple(lines), tuple(items))
