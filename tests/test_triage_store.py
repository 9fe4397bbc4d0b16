"""A review on disk: every key is kept, a kill anywhere loses nothing, and nobody else's work is written over."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.edges import write_points
from runner.edges.triage.store import ReviewFiles
from runner.errors import ChangedError, RecordError
from runner.records.triage import Choice
from runner.rules.triage.decisions import decide
from runner.rules.triage.keys import press
from runner.rules.triage.session import Session, opened
from tests.triage_fixture import CLUSTER, ITERATION, NOW, REVIEWER, candidates, put


class Killed(BaseException):
    """What a kill leaves behind: nothing runs after it."""


def store(top: Path, reviewer: str = REVIEWER) -> ReviewFiles:
    return ReviewFiles(top, CLUSTER, ITERATION, reviewer)


def session(found: ReviewFiles) -> Session:
    kept = found.read()
    return opened(kept.file, kept.review, others=kept.others, steps=kept.steps)


def key(found: ReviewFiles, before: Session, name: str) -> Session:
    after = press(before, name, now=NOW).turn.session
    if after.review != before.review:
        found.keep(after)
    return after


@pytest.fixture
def top(tmp_path: Path) -> Path:
    put(tmp_path, candidates(5))
    return tmp_path


def test_what_was_keyed_is_there_when_it_is_opened_again(top):
    found = store(top)
    now = session(found)
    for name in ("right", "left", "3", "right"):
        now = key(found, now, name)
    again = session(store(top))
    assert again.review == now.review
    assert again.steps == now.steps
    assert again.current.candidate == again.undecided[0]
    text = (top / found.name).read_text()
    assert text.startswith(f"cluster: {CLUSTER}\niteration: {ITERATION}\nreviewer: {REVIEWER}\n")
    assert "reason: out of scope" in text
    other = store(top)
    undone = key(other, session(other), "u")
    assert [one.candidate for one in undone.review.decisions] == ["cand-0", "cand-4"], (
        "undo reaches back over a restart"
    )


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(st.sampled_from(["right", "left", "u", "1", "down", "G"]), min_size=1, max_size=8),
    at=st.integers(0, 40),
)
def test_a_kill_between_two_writes_leaves_the_review_before_or_after_the_key(tmp_path_factory, names, at):
    top = tmp_path_factory.mktemp("killed")
    put(top, candidates(5))
    found = store(top)
    before = now = session(found)
    count = itertools.count()

    def kill(point: write_points.WritePoint, writing: str) -> None:
        if next(count) == at:
            raise Killed

    write_points.watchers.append(kill)
    try:
        for name in names:
            before, now = now, press(now, name, now=NOW).turn.session
            if now.review != before.review:
                found.keep(now)
        before = now
    except Killed:
        pass
    finally:
        write_points.watchers.remove(kill)
    again = session(store(top))
    assert again.review in (before.review, now.review)
    expected = now if again.review == now.review else before
    assert again.steps == expected.steps, "and undo still reaches back to the beginning"


def test_what_somebody_else_wrote_is_not_written_over(top):
    mine, other = store(top), store(top)
    now, same = session(mine), session(other)
    key(other, same, "left")
    assert mine.changed()
    with pytest.raises(ChangedError, match="changed by somebody else"):
        key(mine, now, "right")
    again = session(mine)
    assert [one.decision for one in again.review.decisions] == [Choice.REJECT]
    assert not mine.changed()
    key(mine, again, "right")


@pytest.mark.parametrize("broken", ["the review", "the list", "somebody else's review"])
def test_nothing_is_kept_from_a_read_that_failed_until_one_succeeds(top, broken):
    mine, ash = store(top), store(top, "ash")
    now = key(mine, session(mine), "right")
    key(ash, session(ash), "down")
    key(ash, session(ash), "right")
    path = top / {"the review": mine.name, "the list": mine.list_path}.get(broken, ash.name)
    whole, review = path.read_bytes(), top / mine.name
    path.write_text("cluster: [")
    before = review.read_bytes()
    with pytest.raises(RecordError):
        mine.read()
    assert mine.changed()
    with pytest.raises(ChangedError):
        key(mine, now, "left")
    assert review.read_bytes() == before
    path.write_bytes(whole)
    assert mine.changed(), "what stands there was not read yet"
    key(mine, session(mine), "left")


def test_a_list_that_changed_is_noticed(top):
    found = store(top)
    now = session(found)
    put(top, candidates(6))
    with pytest.raises(ChangedError):
        key(found, now, "right")


def test_a_review_of_another_list_is_refused_with_what_to_do(top):
    found = store(top)
    key(found, session(found), "right")
    put(top, candidates(6))
    with pytest.raises(RecordError, match=r"review of another list .*begin again"):
        store(top).read()


def test_other_reviewers_are_read_and_left_alone(top):
    ash, rowan = store(top, "ash"), store(top)
    key(ash, session(ash), "right")
    before = (top / ash.name).read_bytes()
    now = session(rowan)
    assert "cand-0" not in now.undecided
    key(rowan, now, "right")
    assert (top / ash.name).read_bytes() == before


def test_a_journal_that_cannot_be_read_only_costs_undo(top):
    found = store(top)
    now = key(found, session(found), "right")
    journal = next((top / ".hallmark").rglob("*.json"))
    journal.write_text("{")
    again = session(store(top))
    assert (again.review, again.steps) == (now.review, ())


def test_a_review_edited_by_hand_is_taken_as_it_is(top):
    found = store(top)
    now = key(found, session(found), "right")
    by_hand = decide(now.file, now.review, "cand-2", Choice.REJECT, at=NOW, reason="by hand")
    found.keep(type(now)(now.listed, by_hand, now.order, steps=()))
    assert session(store(top)).decision("cand-2") == by_hand.decisions[1]


def test_a_folder_that_leads_elsewhere_is_refused(top, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    folder = top / "clusters" / CLUSTER / "triage"
    folder.rename(elsewhere / "triage")
    folder.symlink_to(elsewhere / "triage")
    with pytest.raises(RecordError, match="symbolic link"):
        store(top).read()
