"""A reviewer's session as a value: what each key does, whatever keys came before."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.records.triage import Choice, SampledBatch
from runner.records.triage_policy import Triage
from runner.rules.canonical import digest
from runner.rules.text.shown import shown
from runner.rules.triage.background import Background
from runner.rules.triage.decisions import begin, decide
from runner.rules.triage.keys import BY_NAME, KEYS, REASONS, Ask, press, quick_reasons
from runner.rules.triage.session import Session, Wait, edit, minutes_left, opened, progress
from runner.rules.triage.view import candidate as candidate_pane
from runner.rules.triage.view import editable, foot, head
from tests.triage_fixture import NOW, REVIEWER, asked, candidate, candidates, listed

COUNT = 6
KEY_NAMES = [*BY_NAME, *"123456789", "x"]


def fresh(count: int = COUNT) -> Session:
    file = candidates(count)
    return opened(file, begin(file, REVIEWER))


def keyed(session: Session, *names: str) -> Session:
    for name in names:
        session = press(session, name, now=NOW).turn.session
    return session


def choices(session: Session) -> dict[str, Choice]:
    return {one.candidate: one.decision for one in session.review.decisions}


def test_ten_candidates_take_ten_keys():
    done = keyed(fresh(10), *["right", "left"] * 5)
    assert done.undecided == ()
    assert sorted(choices(done).values()) == [Choice.ACCEPT] * 5 + [Choice.REJECT] * 5
    assert [one.candidate for one in done.review.decisions] == [f"cand-{n}" for n in range(10)], "in the list's order"


def test_candidates_for_one_input_are_shown_beside_one_another():
    assert fresh().order == ("cand-0", "cand-5", "cand-1", "cand-2", "cand-3", "cand-4")


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(KEY_NAMES), max_size=30))
def test_whatever_is_keyed_undo_leads_back_to_the_beginning(names):
    session = start = fresh()
    for name in names:
        session = keyed(session, name)
        assert 0 <= session.at < COUNT
        done = progress(session)
        assert done.decided + len(session.undecided) == done.asked == COUNT
        assert done.accepted + done.rejected + done.edited == done.decided
        assert session.steps == () or session.steps[-1].after == digest(session.review)
        ranked = [one for one in session.review.decisions if one.rank]
        assert all(one.candidate in ("cand-0", "cand-5") for one in ranked)
    while session.steps:
        shorter = keyed(session, "u")
        assert len(shorter.steps) < len(session.steps)
        session = shorter
    assert session.review == start.review


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(KEY_NAMES), max_size=20))
def test_a_session_opened_again_undoes_what_the_first_one_did(names):
    session = keyed(fresh(), *names)
    again = opened(session.file, session.review, steps=session.steps)
    assert again.steps == session.steps
    assert keyed(again, "u").review == keyed(session, "u").review
    assert again.undecided == session.undecided
    assert not again.undecided or again.current.candidate == again.undecided[0], "it opens at the first undecided"


def test_undo_goes_to_the_candidate_and_takes_reason_and_rank_along():
    session = keyed(fresh(), "right", "2", "left", "1")
    first = session.decision("cand-0")
    assert first is not None
    assert (first.decision, first.rank) == (Choice.ACCEPT, 2)
    rejected = session.decision("cand-5")
    assert rejected is not None
    assert rejected.reason == REASONS[0]
    back = keyed(session, "u")
    assert back.decision("cand-5") is None
    assert back.current.candidate == "cand-5"
    assert keyed(back, "u").review.decisions == ()


def test_a_step_that_led_to_another_review_is_not_undone():
    session = keyed(fresh(), "right", "right")
    elsewhere = decide(session.file, session.review, "cand-4", Choice.REJECT, at=NOW)
    assert opened(session.file, elsewhere, steps=session.steps).steps == ()
    half = opened(session.file, keyed(session, "u").review, steps=session.steps)
    assert half.steps == session.steps[:1], "the last step was written, its review was not"


def test_a_digit_is_a_reason_right_after_a_rejection_only():
    session = keyed(fresh(), "left")
    assert (session.waits, session.waiting) == (Wait.REASON, "cand-0")
    moved = keyed(session, "down", "1")
    again = moved.decision("cand-0")
    assert again is not None
    assert again.reason == ""
    told = press(session, "9", now=NOW).turn
    assert told.session == session
    assert "quick reasons" in told.told


def test_a_rank_needs_a_rival_and_a_decision():
    alone = keyed(fresh(), "G")
    assert "nothing to rank" in press(alone, "r", now=NOW).turn.told
    assert "decide first" in press(fresh(), "1", now=NOW).turn.told
    assert "rank 1 to 2" in press(keyed(fresh(), "right"), "7", now=NOW).turn.told


@pytest.mark.parametrize(
    ("text", "answer", "says"),
    [("", "refund", "without words"), ("one input, two answers", " refund ", "nothing was changed")],
)
def test_an_edit_that_is_none_is_not_saved(text, answer, says):
    turn = edit(fresh(), text=text, answer=answer, now=NOW)
    assert turn.session == fresh()
    assert says in turn.told


def test_an_edit_keeps_only_what_was_changed():
    made = edit(fresh(), text="another input", answer="refund", now=NOW).session.decision("cand-0")
    assert made is not None
    assert (made.decision, made.edited_input, made.edited_answer) == (Choice.EDIT, "another input", "")


def test_what_nobody_asks_for_comes_last_and_is_not_waited_for():
    file = listed([candidate("cand-a", people=0), candidate("cand-b"), candidate("cand-c", people=0)])
    session = opened(file, begin(file, REVIEWER))
    assert session.order == ("cand-b", "cand-a", "cand-c")
    done = keyed(session, "right")
    assert done.undecided == ()
    assert head(done, minutes=0) == "1/1  accepted 1  rejected 0  edited 0  done"
    assert "nobody asks you" in candidate_pane(keyed(done, "G"), Background()).lines[0].text.lower()


def test_a_sample_that_fails_asks_for_the_rest_of_its_batch():
    policy = Triage(required="sample", sample=0.5, max_error_rate=0.6)
    some = [candidate(f"cand-{n}", people=int(n < 4)) for n in range(8)]
    batch = SampledBatch(batch="refund-llm", candidates=8, sampled=4, why="half")
    file = listed(some).model_copy(update={"policy": policy, "batches": (batch,)})
    session = opened(file, begin(file, REVIEWER))
    assert len(session.undecided) == 4
    done = keyed(session, "left", "left", "left", "left")
    assert done.undecided == ("cand-4", "cand-5", "cand-6", "cand-7")
    assert done.current.candidate == "cand-4"


def test_what_another_reviewer_decided_is_not_asked_again_and_not_shown():
    file = candidates(COUNT)
    other = decide(file, begin(file, "ash"), "cand-0", Choice.REJECT, at=NOW, reason="blunt")
    session = opened(file, begin(file, REVIEWER), others=(other,))
    assert "cand-0" not in session.undecided
    said = "\n".join(line.text for line in candidate_pane(replace(session, at=COUNT - 1), Background()).lines)
    assert "blunt" not in said
    assert "cand-0" in said


def test_every_key_is_in_the_table_once():
    names = [name for key in KEYS for name in key.names]
    assert len(names) == len(set(names))
    assert not set(names) & set("123456789")
    assert {key.does for key in KEYS if isinstance(key.does, Ask)} == set(Ask)
    assert len(foot()) <= 78
    assert len(quick_reasons()) <= 2 * 78, "with the words around it, three lines of 80 columns"


@pytest.mark.parametrize(
    ("moments", "waiting", "minutes"),
    [
        ([0.0, 5.0], 10, None),
        ([0.0, 6.0, 12.0, 18.0], 10, 1),
        ([0.0, 6.0, 12.0, 18.0], 0, 0),
        ([0.0, 30.0, 9000.0, 9030.0, 9060.0], 40, 20),
    ],
)
def test_the_minutes_left_go_by_the_recent_pace(moments, waiting, minutes):
    assert minutes_left(moments, waiting) == minutes


@given(st.text())
def test_what_is_edited_is_what_is_seen(text):
    assert shown(editable(text)) == editable(text)


def test_hostile_text_is_written_out_wherever_it_stands():
    hostile = "\x1b[2J\x1b]0;owned\x07 \u202egnp\u202c [red]markup[/red] 漢字 👩\u200d🔧\x00"
    one = candidate("cand-a", text=hostile, answer=hostile)
    file = listed([one, one.model_copy(update={"candidate": "cand-b", "input": asked("plain")})])
    pane = candidate_pane(opened(file, begin(file, REVIEWER)), Background())
    said = "\n".join(line.text for line in pane.lines)
    assert not set(said) & set("\x1b\x07\x00\u202e\u202c")
    assert "\\u001b[2J" in said
    assert "[red]markup[/red] 漢字 👩\u200d🔧" in said
