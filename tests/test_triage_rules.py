"""Triage's rules: who is asked, what everybody's decisions come to, how far people agree, which preferences follow."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from runner.edges.yaml_files import dump, line_of, parse
from runner.errors import RecordError
from runner.records.conversation import Message, Role
from runner.records.dataset import Candidate, Example
from runner.records.preference import Ground
from runner.records.scenario import Origin
from runner.records.schemas import schema
from runner.records.triage import Choice, Decision, Review, ReviewDecision, TriageFile
from runner.records.triage_policy import Triage
from runner.rules.triage.agreement import cohens_kappa
from runner.rules.triage.decisions import Listed, begin, candidates_digest, decide, withdraw
from runner.rules.triage.lists import disagreeing, list_problems, prefilled, review_problems, waiting
from runner.rules.triage.preferences import compiled, pairs, unpaired
from runner.rules.triage.sampling import draw, least_sample, wilson
from runner.rules.triage.settlement import accepted, gathered, left, settle

AT = "2026-11-21T12:00:00Z"
ROWS = {"sft.jsonl": "supervised-row", "preferences.jsonl": "preference-pair", "unpaired.jsonl": "unpaired-preference"}
"""The schema that is published for the rows of each exported file."""
SAMPLE = Triage(required="sample", sample=0.1, max_error_rate=0.05)


def candidate(number: int, *, batch: str = "b-1", text: str = "", answer: str = "refund") -> Candidate:
    said = (Message(role=Role.USER, content=text or f"where is my money {number}"),)
    example = Example(id=f"c-{number:04d}", capability="refund", input=said, answer=answer, origin=Origin.SYNTHETIC)
    return Candidate(example=example, batch=batch, parents=("signal-1",))


def listed(count: int = 3, policy: Triage | None = None, **how: Any) -> TriageFile:
    rows = [candidate(number, **how) for number in range(count)]
    return prefilled(rows, policy or Triage(), cluster="desk", iteration="desk-1")


def review(file: TriageFile, person: str, choices: dict[int, Choice], **how: Any) -> Review:
    made = begin(file, person)
    for number, choice in choices.items():
        made = decide(file, made, file.decisions[number].candidate, choice, at=AT, **how)
    return made


def everything(file: TriageFile, choice: Choice = Choice.ACCEPT) -> dict[int, Choice]:
    return {number: choice for number, one in enumerate(file.decisions) if one.people}


# kappa and Wilson against published values


@pytest.mark.parametrize(
    ("table", "kappa", "low", "high"),
    [
        # the SAS manual's example, as statsmodels' tests print it
        ([[0, 4, 1], [0, 8, 0], [0, 1, 5]], 0.4842, 0.2137, 0.7547),
        # maths against reading of 200 pupils (UCLA's hsb2), as Stata's and inferr's documentation print it
        ([[135, 21], [18, 26]], 0.4454, 0.2984, 0.5923),
    ],
)
def test_kappa_and_its_interval_are_the_published_ones(
    table: list[list[int]], kappa: float, low: float, high: float
) -> None:
    rated = [(i, j) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]
    found = cohens_kappa([one for one, _ in rated], [other for _, other in rated])
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((kappa, low, high), abs=1e-4)


def test_kappa_is_sklearns() -> None:
    from sklearn.metrics import cohen_kappa_score

    source = random.Random(3)
    for _ in range(20):
        first = [source.choice("aer") for _ in range(40)]
        second = [one if source.random() < 0.6 else source.choice("aer") for one in first]
        found = cohens_kappa(first, second)
        assert found is not None
        assert found.value == pytest.approx(cohen_kappa_score(first, second))
        assert -1 <= found.low <= found.value <= found.high <= 1


def test_kappa_is_not_defined_where_chance_explains_everything() -> None:
    assert cohens_kappa([], []) is None
    assert cohens_kappa("aaa", "aaa") is None
    assert cohens_kappa("aaa", "aab") is not None
    with pytest.raises(ValueError, match="shorter"):
        cohens_kappa("aa", "a")


def test_wilsons_interval_is_the_published_one() -> None:
    # Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29
    published = ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718))
    for errors, of, low, high in published:
        assert wilson(errors, of) == pytest.approx((low, high), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="3 errors in 2"):
        wilson(3, 2)


@given(st.floats(0.01, 0.5))
def test_the_least_sample_is_the_smallest_that_can_show_the_bound(rate: float) -> None:
    least = least_sample(rate)
    assert wilson(0, least)[1] <= rate + 1e-8
    assert least == 1 or wilson(0, least - 1)[1] > rate


# who is asked


def test_a_sample_is_of_each_batch_repeats_and_says_why() -> None:
    rows = [candidate(n, batch="big") for n in range(1000)] + [candidate(2000 + n, batch="small") for n in range(40)]
    drawn = draw(rows, SAMPLE, iteration="desk-1")
    assert drawn == draw(rows, SAMPLE, iteration="desk-1")
    assert drawn.people != draw(rows, SAMPLE, iteration="desk-2").people
    assert drawn.people != draw(rows, SAMPLE.model_copy(update={"seed": 1}), iteration="desk-1").people
    big, small = drawn.batches
    assert (big.sampled, small.sampled) == (100, 40)
    assert sum(drawn.people[one.example.id] for one in rows if one.batch == "big") == 100
    assert "0.1 of 1000" in big.why
    assert "takes 73 without an error, and the batch has 40" in small.why
    middle = draw(rows[:300], SAMPLE, iteration="desk-1").batches[0]
    assert (middle.sampled, "73, not 30" in middle.why) == (73, True)


def test_two_people_are_asked_for_the_share_that_is_double() -> None:
    file = listed(20, Triage(double=0.2))
    assert [one.people for one in file.decisions].count(2) == 4
    assert file.batches[0].double == 4


@settings(max_examples=30)
@given(st.integers(1, 60), st.floats(0.05, 0.9), st.floats(0, 1))
def test_a_draw_never_asks_of_what_it_does_not_sample(count: int, share: float, double: float) -> None:
    policy = Triage(required="sample", sample=share, max_error_rate=0.4, double=double)
    drawn = draw([candidate(n) for n in range(count)], policy, iteration="desk-1")
    asked = [people for people in drawn.people.values() if people]
    assert len(asked) == drawn.batches[0].sampled
    assert drawn.batches[0].sampled >= min(count, share * count)
    assert asked.count(2) == drawn.batches[0].double


def test_the_policy_belongs_together() -> None:
    for wrong in (
        {"required": "sample", "sample": 0.1},
        {"sample": 0.1},
        {"min_kappa": 0.6},
        {"disagreements": "adjudicate"},
        {"adjudicator": "ada"},
    ):
        with pytest.raises(ValueError, match=r"goes with|needs"):
            Triage.model_validate(wrong)


# what one person does


def test_a_review_is_decided_taken_back_and_kept_in_the_lists_order() -> None:
    file = listed()
    made = review(file, "ada", {2: Choice.REJECT, 0: Choice.ACCEPT})
    assert [one.candidate for one in made.decisions] == ["c-0000", "c-0002"]
    assert decide(file, made, "c-0000", Choice.REJECT, at=AT).decisions[0].decision is Choice.REJECT
    assert [one.candidate for one in withdraw(made, "c-0000").decisions] == ["c-0002"]
    assert list(review_problems(file, made)) == []


def test_a_decision_that_does_not_hold_is_refused_at_once() -> None:
    file = listed()
    empty = begin(file, "ada")
    accept, edit = Choice.ACCEPT, Choice.EDIT
    cases: tuple[tuple[str, Choice, dict[str, Any], str], ...] = (
        ("c-9", accept, {}, "no candidate of the list"),
        ("c-0000", Choice.UNDECIDED, {}, "undecided"),
        ("c-0000", edit, {}, "changes nothing"),
        ("c-0000", edit, {"edited_answer": "refund"}, "changes nothing"),
        ("c-0000", accept, {"edited_answer": "x"}, "beside `accept`"),
        ("c-0000", accept, {"rank": 1}, "same input"),
    )
    for name, choice, how, said in cases:
        with pytest.raises(RecordError, match=said):
            decide(file, empty, name, choice, at=AT, **how)
    other = listed(2)
    with pytest.raises(RecordError, match="another list"):
        decide(other, empty, "c-0000", Choice.ACCEPT, at=AT)
    assert any("another list" in reason.problem for reason in review_problems(other, empty))


def test_the_digest_is_of_what_was_shown_and_not_of_what_was_decided() -> None:
    file = listed()
    shown = file.decisions[0]
    for change in ({"answer": "other"}, {"people": 2}, {"input": (Message(role=Role.USER, content="x"),)}):
        moved = file.model_copy(update={"decisions": (shown.model_copy(update=change), *file.decisions[1:])})
        assert candidates_digest(moved) != candidates_digest(file)
    decided = shown.model_copy(update={"decision": Choice.ACCEPT})
    same = file.model_copy(update={"decisions": (decided, *file.decisions[1:])})
    assert candidates_digest(same) == candidates_digest(file)


# what everybody's decisions come to


def test_two_who_agree_settle_it_and_two_who_do_not_reject_it() -> None:
    file = listed(10, Triage(double=1.0))
    ada = review(file, "ada", everything(file))
    state = settle(file, [ada])
    assert (len(state.open), set(state.open.values())) == (10, {"1 of 2 people"})
    assert left(file, [ada], "ada") == ()
    assert len(left(file, [ada], "ben")) == 10
    ben = review(file, "ben", everything(file) | {3: Choice.REJECT})
    state = settle(file, [ada, ben])
    assert (state.open, len(accepted(file, state))) == ({}, 9)
    (differ,) = state.disagreements
    assert (differ.said, differ.settled) == ({"ada": Choice.ACCEPT, "ben": Choice.REJECT}, Choice.REJECT)
    assert state.checked["c-0003"] == ("ada", "ben")
    (agreed,) = state.agreement
    assert (agreed.reviewers, agreed.candidates, agreed.agreed, agreed.kappa) == (("ada", "ben"), 10, 9, 0.0)
    strict = Triage(double=1.0, min_kappa=0.4)
    assert gathered({"desk-1": file.model_copy(update={"policy": strict})}, {"desk-1": [ada, ben]}, ["desk-1"]) == []
    assert len(gathered({"desk-1": file}, {"desk-1": [ada, ben]}, ["desk-1"])) == 9
    (reason,) = disagreeing(state, strict)
    assert "ada and ben agree on 9 of 10: kappa 0.00" in reason.problem


def test_an_adjudicator_ends_a_disagreement() -> None:
    policy = Triage(double=1.0, disagreements="adjudicate", adjudicator="cy")
    file = listed(2, policy)
    both = [review(file, "ada", everything(file)), review(file, "ben", {0: Choice.ACCEPT, 1: Choice.REJECT})]
    state = settle(file, both)
    assert state.open == {"c-0001": "the adjudicator, cy"}
    assert left(file, both, "cy") == ("c-0001",)
    assert left(file, both, "dan") == ()
    state = settle(file, [*both, review(file, "cy", {1: Choice.ACCEPT})])
    assert (len(state.decisions), state.disagreements[0].by) == (2, "cy")
    assert state.agreement[0].reviewers == ("ada", "ben"), "the adjudicator is no rater"


def test_a_good_sample_lets_the_rest_of_its_batch_pass_unread() -> None:
    file = listed(300, SAMPLE)
    ada = review(file, "ada", everything(file))
    state = settle(file, [ada])
    assert (len(state.unread), len(accepted(file, state)), state.open) == (227, 300, {})
    (batch,) = state.batches
    assert (batch.sampled, batch.errors, batch.unread) == (73, 0, 227)
    assert batch.upper <= 0.05
    assert not set(state.unread) & set(state.checked), "nobody checked what passed unread"


def test_a_bad_sample_asks_for_the_whole_batch_as_soon_as_it_is_bad() -> None:
    file = listed(300, SAMPLE)
    sampled = [number for number, one in enumerate(file.decisions) if one.people]
    ada = review(file, "ada", {sampled[0]: Choice.REJECT})
    state = settle(file, [ada])
    assert (len(state.unread), len(state.open), state.failed) == (0, 299, {"b-1"})
    assert len(left(file, [ada], "ada")) == 299
    said = " ".join(reason.problem for reason in waiting(state, path="x"))
    assert "1 of the 73 sampled of b-1 were rejected or edited: up to 7.4% of the rest may be wrong" in said
    whole = review(file, "ada", dict.fromkeys(range(300), Choice.ACCEPT) | {sampled[0]: Choice.REJECT})
    assert (settle(file, [whole]).open, len(accepted(file, settle(file, [whole])))) == ({}, 299)


def test_a_list_decided_in_place_still_counts() -> None:
    file = listed(2)
    rows = tuple(one.model_copy(update={"decision": Choice.ACCEPT}) for one in file.decisions)
    old = TriageFile(cluster="desk", iteration="desk-1", reviewer="ada", decisions=rows)
    assert len(gathered({"desk-1": old}, {}, ["desk-1"])) == 2
    assert settle(old).checked == {"c-0000": ("ada",), "c-0001": ("ada",)}


def test_a_list_that_was_drawn_otherwise_is_refused() -> None:
    file = listed(300, SAMPLE)
    fewer = tuple(one.model_copy(update={"people": 0}) for one in file.decisions)
    for wrong, said in (
        (file.model_copy(update={"decisions": fewer}), "asks for 0 people, and 1 were drawn"),
        (file.model_copy(update={"policy": Triage()}), "another policy"),
        (file.model_copy(update={"decisions": file.decisions[1:]}), "1 candidates are not in the list"),
        (file.model_copy(update={"iteration": "desk-2"}), "is about desk"),
    ):
        assert any(said in reason.problem for reason in list_problems(wrong, file)), said
    assert list(list_problems(file, file)) == []


# preferences


def test_preferences_are_edits_acceptances_and_ranks_each_with_who_says_so() -> None:
    answers = ("refund", "return", "payment", "other")
    rows = [candidate(n, text="where is it", answer=answer) for n, answer in enumerate(answers)] + [candidate(9)]
    file = prefilled(rows, Triage(), cluster="desk", iteration="desk-1")
    assert Listed(file).rivals("c-0000") == ("c-0001", "c-0002", "c-0003")
    ada = begin(file, "ada")
    ada = decide(file, ada, "c-0000", Choice.ACCEPT, at=AT, rank=1)
    ada = decide(file, ada, "c-0001", Choice.ACCEPT, at=AT, rank=2)
    ada = decide(file, ada, "c-0002", Choice.REJECT, at=AT)
    ada = decide(file, ada, "c-0003", Choice.EDIT, at=AT, edited_input="another question", edited_answer="x")
    ada = decide(file, ada, "c-0009", Choice.EDIT, at=AT, edited_answer="return")
    state = settle(file, [ada])
    made = pairs(file, [ada], state)
    found = {(one.ground, one.chosen[0].content, one.rejected[0].content, one.reviewers) for one in made}
    assert found == {
        (Ground.EDITED, "return", "refund", ("ada",)),
        (Ground.ACCEPTED, "refund", "payment", ("ada",)),
        (Ground.ACCEPTED, "return", "payment", ("ada",)),
        (Ground.RANKED, "refund", "return", ("ada",)),
    }
    written = compiled({"desk-1": file}, {"desk-1": (ada,)}, instruction="Route it.")
    for name, kind in ROWS.items():
        rows = [json.loads(line) for line in written[name].splitlines()]
        assert rows
        for row in rows:
            Draft202012Validator(schema(kind)).validate(row)
    labelled = {(one.prompt[0].content, one.completion[0].content, one.label) for one in unpaired(file, state)}
    assert labelled == {
        ("where is it", "refund", True),
        ("where is it", "return", True),
        ("where is it", "payment", False),
        ("another question", "x", True),
        ("where is my money 9", "refund", False),
        ("where is my money 9", "return", True),
    }


def test_what_nobody_read_is_nobodys_preference() -> None:
    file = listed(300, SAMPLE)
    ada = review(file, "ada", everything(file))
    assert len(unpaired(file, settle(file, [ada]))) == 73
    assert pairs(file, [ada], settle(file, [ada])) == ()


def test_a_decision_row_of_before_there_were_batches_reads_as_it_did() -> None:
    old = {"candidate": "c", "capability": "refund", "origin": "human", "answer": "a",
           "input": [{"role": "user", "content": "x"}], "decision": "accept"}  # fmt: skip
    assert Decision.model_validate(old).people == 1


def test_a_list_of_thousands_can_be_read() -> None:
    file = listed(6000, SAMPLE)
    data = dump(file.model_dump(mode="json", exclude_defaults=True))
    assert len(data) > 1_000_000
    assert parse(data, TriageFile, path="list.yaml") == file
    assert line_of(data, "decisions[5999].answer", path="list.yaml") > 6000


def test_thousands_for_two_inputs_each_are_compared_in_seconds() -> None:
    rows = [candidate(n, text=f"where is it {n // 2}", answer=("refund", "return")[n % 2]) for n in range(6000)]
    file = prefilled(rows, Triage(), cluster="desk", iteration="desk-1")
    choices = (Choice.ACCEPT, Choice.REJECT)
    made = tuple(
        ReviewDecision(candidate=one.candidate, decision=choices[n % 2], rank=n % 2 + 1, at=AT)
        for n, one in enumerate(file.decisions)
    )
    ada = begin(file, "ada").model_copy(update={"decisions": made})
    started = time.process_time()
    assert list(review_problems(file, ada)) == []
    assert len(pairs(file, [ada], settle(file, [ada]))) == 3000
    assert time.process_time() - started < 15, "a minute where each is compared with all"
