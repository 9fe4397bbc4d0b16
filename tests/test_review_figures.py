"""Words of a review that count: answers that are wrong, gaps that are not listed, a rubric that is gone."""

from __future__ import annotations

from runner.records.change_review import ChangeReview, CoverageChange, Place, Preview, Previewed, What
from runner.records.rubric import Rubric
from runner.records.terms import SetName
from runner.records.workbench import Gap
from runner.rules.review.figures import covered, previewed
from runner.rules.review.governed import rubric_changes
from runner.rules.review.side import Side
from runner.rules.review.told import MOST, Line


def words(line: Line) -> str:
    return "".join(part if isinstance(part, str) else part.text for part in line)


def answer(number: int, *, passed: bool) -> Previewed:
    return Previewed(
        at=Place(path=f"scenarios/desk/core/s{number}.yaml"), set=SetName.CORE, scenario=f"s{number}", passed=passed,
        score=float(passed), answer=f"a{number}", explanation="" if passed else "exact: not the answer",
    )  # fmt: skip


def test_what_is_wrong_is_counted_and_comes_first() -> None:
    answers = (answer(1, passed=True), answer(2, passed=False), answer(3, passed=True))
    review = ChangeReview.model_construct(previews=(Preview(cluster="desk", model="m", answers=answers),))
    (section,) = previewed(review)
    assert words(section.lines[0]) == "m gets 1 of 3 scenarios wrong."
    assert [words(item.line) for item in section.items] == [
        "wrong: s2 answered a2", "right: s1 answered a1", "right: s3 answered a3",
    ]  # fmt: skip
    assert [[words(line) for line in item.under] for item in section.items] == [["exact: not the answer"], [], []]


def test_a_rubric_that_is_removed_is_shown_where_it_was() -> None:
    path = "rubrics/tone.yaml"
    with_it, without = (Side(files, lambda *_: 1) for files in ({path: Rubric.model_construct(id="tone")}, {}))
    for sides, what, gone in (((with_it, without), What.REMOVED, True), ((without, with_it), What.ADDED, False)):
        (change,) = rubric_changes(*sides, {})
        assert (change.what, change.at.path, change.at.gone) == (what, path, gone)


def test_gaps_beyond_the_listed_ones_are_counted() -> None:
    lack = Gap(capability="c0", set=SetName.CORE, lacks="scenarios", has=0, write=2)
    gaps = tuple(lack.model_copy(update={"capability": f"c{number}"}) for number in range(MOST + 3))
    change = CoverageChange(
        cluster="desk", sets=(), capabilities={}, lenses={}, outcome_types={}, gaps_closed=gaps[:1], gaps_opened=gaps,
        gaps_left=MOST + 3, balance_before=(), balance_after=(),
    )  # fmt: skip
    said = [words(line) for line in covered(change).lines]
    assert said[0] == "Closed a gap: c0 in core"
    assert said[1 : MOST + 2] == [
        *(f"Opened a gap: c{number} in core" for number in range(MOST)),
        "Opened 3 more gaps.",
    ]
    assert said[-1] == f"{MOST + 3} gaps left: hallmark benchmark report desk lists them."
