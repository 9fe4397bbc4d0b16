"""What each perturbation does to a text, and what it must leave alone."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pytest

from runner.records.terms import Perturbation
from runner.rules.text.paraphrase import contract, paraphrase, put_differently, synonym
from runner.rules.text.perturbation import ASIDES, KEEPING, ROBUSTNESS, context, order, perturb
from runner.rules.text.similarity import words

ANY = random.Random(1)


def test_there_is_one_for_each_name() -> None:
    assert tuple(ROBUSTNESS) == tuple(Perturbation)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("I am waiting", {"I'm waiting"}),
        ("You don't say who I am", {"You do not say who I am"}),
        ("it's gone", {"it's gone"}),
        ("Cannot log in", {"Can't log in"}),
        ("that is what it is", {"that's what it is"}),
    ],
)
def test_a_contraction_is_made_where_people_make_it(text: str, said: set[str]) -> None:
    assert {contract(text, random.Random(seed)) for seed in range(20)} == said


def test_a_synonym_keeps_the_case_of_what_it_replaces() -> None:
    assert synonym("Tell me the rate", ANY) == "Let me know the rate"
    assert synonym("I want to pay", ANY) == "I would like to pay"
    assert synonym("unwanted toll", ANY) == "unwanted toll", "words, not letters"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("How do I get a refund?", "Tell me how I can get a refund"),
        ("can i top up by card", "I would like to know whether I can top up by card"),
        ("Can we pay?", "I would like to know whether we can pay"),
        ("Why was it declined?", "Please tell me: Why was it declined?"),
        ("My card is lost. What now?", "My card is lost. What now?"),
        ("Where is it? When does it come?", "Where is it? When does it come?"),
        ("Lost my card", "Lost my card"),
    ],
)
def test_one_question_is_put_differently_and_nothing_else(text: str, said: str) -> None:
    assert put_differently(text, ANY) == said


def test_a_paraphrase_always_changes_something_and_keeps_most_words() -> None:
    text = "My card was declined at the shop because I have not used it"
    made = {paraphrase(text, random.Random(seed)) for seed in range(60)}
    assert text not in made
    assert len(made) > 12
    for one in made:
        assert {"card", "declined", "shop", "used"} <= set(words(one))


@pytest.mark.parametrize(
    ("text", "answer", "said"),
    [
        ("I paid twice. Where is my money?", "", "Where is my money? I paid twice."),
        ("If the card is lost, block it", "", "Block it if the card is lost"),
        ("Block it if the card is lost!", "", "If the card is lost, block it!"),
        ("I was charged because the shop closed", "", "Because the shop closed, I was charged"),
        ("Is it lost or stolen?", "", "Is it stolen or lost?"),
        ("Please help me", "", "Help me please"),
        ("I lost it yesterday", "", "Yesterday, I lost it"),
        ("Which?\n- red\n- blue", "", "Which?\n- blue\n- red"),
        ("Which?\nA) red\nB) blue", "red", "Which?\nA) blue\nB) red"),
        ("Which?\nA) red\nB) blue", "B", "Which?\nA) red\nB) blue"),
        ("Which?\n1. red\n2. blue", "2", "Which?\n1. red\n2. blue"),
        ("What if it is lost", "", "What if it is lost"),
        ("Lost my card", "", "Lost my card"),
    ],
)
def test_parts_change_places(text: str, answer: str, said: str) -> None:
    assert order(text, random.Random(3), answer=answer) == said


def test_context_is_small_talk_beside_the_text() -> None:
    made = {context("Lost my card", random.Random(seed)) for seed in range(200)}
    assert made == {f"{one} Lost my card" for one in ASIDES} | {f"Lost my card. {one}" for one in ASIDES}
    assert not any(letter.isdigit() for one in ASIDES for letter in one)


def test_what_an_answer_must_repeat_is_not_reworded() -> None:
    text = "Add I want to break free to my list. Tell me when it is there."
    answer = '{"slots": {"song": "I want to break free"}}'
    for kind in KEEPING:
        for seed in range(40):
            assert "I want to break free" in perturb(text, kind, seed=seed, key="s", answer=answer)
    assert any("I want to break free" not in perturb(text, "paraphrase", seed=seed, key="s") for seed in range(40))


def test_on_real_messages_each_changes_as_many_as_the_page_says(data: Path) -> None:
    with (data / "banking77" / "train.csv").open(newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)][::5]
    share = {
        kind: sum(perturb(text, kind, seed=7, key=str(at)) != text for at, text in enumerate(texts)) / len(texts)
        for kind in KEEPING
    }
    assert share["paraphrase"] == share["context"] == 1.0
    assert share["order"] == pytest.approx(0.22, abs=0.03)


@pytest.mark.parametrize("answer", ["B", "(b)", "B) blue", '{"choice": "B"}', '{"choices": ["A", "B"]}'])
def test_a_list_whose_mark_the_answer_names_stays_as_it_is(answer: str) -> None:
    """`B` would be another item after it."""
    text = "Which one?\nA) red\nB) blue\nC) green"
    assert {perturb(text, "order", seed=seed, key="k", answer=answer) for seed in range(9)} == {text}
    assert perturb(text, "order", seed=1, key="k", answer="blue") != text
