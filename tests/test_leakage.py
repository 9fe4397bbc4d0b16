"""Leaks: what counts as one, how often that is wrong on real queries, and how long it takes."""

from __future__ import annotations

import csv
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from runner.records.dataset import Example
from runner.records.scenario import Scenario, SetName
from runner.records.validation import Leak, LeakHow
from runner.rules.data.leakage import CONTENT_WORDS, NEAR, PARAPHRASE, FrozenTexts, fails_whole, verbatim
from runner.rules.text.content_words import character_grams, content_words, stem
from runner.rules.text.similarity import ShingleIndex, Shingles, jaccard
from tests.flywheel_fixture import scenario, user

REWORDED = [
    (
        "I was charged twice for the same purchase at the supermarket yesterday",
        "At the supermarket yesterday the same purchase was charged to me two times, twice",
    ),
    (
        "My new card arrived but the chip is broken and shops refuse it",
        "Shops are refusing my new card, which arrived with a broken chip",
    ),
    (
        "The cash machine swallowed my card and did not give me any money back",
        "A cash machine has swallowed the card and gave back no money",
    ),
    (
        "Can I transfer money from my savings account to a bank in another country?",
        "Is transferring money to a bank in another country possible from a savings account?",
    ),
    (
        "Why was the exchange rate for my holiday payment in Norway wrong?",
        "The exchange rate of my payment on holiday in Norway is wrong, why?",
    ),
]
"""A frozen text, and the same in other words as somebody would write it who must not be found out."""


def frozen(*texts: str) -> FrozenTexts:
    return FrozenTexts(scenario(SetName.HELDOUT, "broken", number, text) for number, text in enumerate(texts))


def test_leaks_are_found_exactly_and_nearly_and_nothing_else() -> None:
    text = "my new kettle arrived today and the lid is cracked right across"
    frozen = FrozenTexts([scenario(SetName.HELDOUT, "broken", 1, text), scenario(SetName.CORE, "login", 1, "help me")])
    loud = "My new kettle arrived today, and the LID is cracked right across!"
    texts = {
        "same": user(loud),
        "near": user(f"{text} sadly"),
        "far": user("my new kettle never arrived and today I want it"),
        "short": user("Help me?"),
        "before": (*user("help me"), *user("with what")),
    }
    rows = [Example(id=name, capability="broken", input=found, answer="b") for name, found in texts.items()]
    found = {leak.candidate: leak for leak in frozen.leaks(rows)}
    assert set(found) == {"same", "near", "short", "before"}
    assert found["same"].similarity == 1.0
    assert (found["near"].how, found["near"].similarity) == (LeakHow.CONTAINED, 1.0)
    assert found["near"].scenario == "heldout-broken-01"


@pytest.mark.parametrize(
    ("leaked", "rows", "whole"), [(0, 10, False), (1, 3, False), (2, 3, True), (2, 40, False), (3, 40, True)]
)
def test_a_batch_fails_whole_above_five_percent(leaked: int, rows: int, whole: bool) -> None:
    assert fails_whole(leaked, rows) is whole


@pytest.mark.parametrize(("original", "reworded"), REWORDED)
def test_a_paraphrase_of_a_frozen_text_is_a_leak(original: str, reworded: str) -> None:
    found = frozen(original, "help me", "where is my parcel").match(reworded)
    assert found is not None
    assert (found.scenario, found.how) == ("heldout-broken-00", LeakHow.PARAPHRASE)


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("Somone stole my credit card at the station!", LeakHow.NEAR),
        (
            "Hello, I hope you are well. Someone stole my credit card at the station on Monday, what now?",
            LeakHow.CONTAINED,
        ),
        ("someone stole my credit card at the station on monday", LeakHow.EXACT),
    ],
)
def test_a_slip_of_the_pen_and_a_frame_change_nothing(text: str, how: LeakHow) -> None:
    texts = ["Someone stole my credit card at the station on Monday."]
    texts += ["Someone stole my credit card at the station"] * (how is LeakHow.NEAR)
    found = frozen(*texts).match(text)
    assert found is not None
    assert found.how is how


def test_another_question_on_the_same_matter_is_no_leak() -> None:
    asked = frozen("How do I activate my new card?", "My transfer to a bank in Norway failed yesterday, why?")
    for text in ("How do I order a new card?", "When does a transfer to Norway arrive?", "", "?!", "why"):
        assert asked.match(text) is None


def test_stems_join_the_forms_of_a_word() -> None:
    assert len({stem(word) for word in ("charge", "charges", "charged", "charging")}) == 1
    assert {stem("stopped"), stem("stopping")} == {"stop"}
    assert content_words("Where are the queries that you were asking?") == {"query", "ask"}


@pytest.fixture(scope="module")
def banking(data: Path) -> dict[str, list[tuple[str, str]]]:
    found = {}
    for part in ("train", "test_visible"):
        with (data / f"banking77/{part}.csv").open(newline="") as file:
            found[part] = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    return found


def asked(rows: list[tuple[str, str]]) -> list[Scenario]:
    return [scenario(SetName.HELDOUT, "q", number, text) for number, (text, _) in enumerate(rows)]


def test_real_queries_are_called_leaks_where_they_are(banking, capsys) -> None:
    """Where the frozen query has another answer, the alarm is false; where it has the same, it may be true."""
    train, test = banking["train"], banking["test_visible"]
    index = FrozenTexts(asked(test))
    found = [(match, label) for text, label in train if (match := index.match(text))]
    wrong = Counter(match.how for match, label in found if test[int(match.scenario.split("-")[-1])][1] != label)
    kinds = Counter(match.how for match, _ in found)
    with capsys.disabled():
        said = ", ".join(f"{kind} {count} ({wrong[kind]} of another answer)" for kind, count in sorted(kinds.items()))
        print(f"\nleaks of {len(train)} BANKING77 queries into {len(test)}: {said}")
        print(f"a false alarm for certain: {wrong.total() / len(train):.2%}")
    assert kinds[LeakHow.EXACT] == 15, "the data's known defect"
    assert len(found) < 0.04 * len(train)
    assert wrong.total() < 0.002 * len(train)


def telling(text: str) -> Shingles:
    found = content_words(text)
    return found if len(found) >= CONTENT_WORDS else frozenset()


@pytest.mark.parametrize(
    ("make", "chosen", "lower"), [(character_grams, NEAR, NEAR - 0.1), (telling, PARAPHRASE, PARAPHRASE - 0.05)]
)
def test_below_the_limits_false_alarms_grow_faster_than_finds(banking, capsys, make, chosen, lower) -> None:
    train, test = banking["train"], banking["test_visible"]

    def alarms(threshold: float) -> tuple[int, int]:
        sets = [make(text) for text, _ in test]
        index = ShingleIndex(sets, threshold=threshold)
        for position, one in enumerate(sets):
            index.add(position, one)
        near = [(label, index.find(make(text))) for text, label in train]
        hits = [(label, positions[0][0]) for label, positions in near if positions]
        return len(hits), sum(test[position][1] != label for label, position in hits)

    (found, false), (more, worse) = alarms(chosen), alarms(lower)
    with capsys.disabled():
        print(f"\n{make.__name__}: {found} found, {false} false at {chosen:g}; {more} and {worse} at {lower:g}")
    assert worse / false > more / found


def test_ten_thousand_candidates_against_two_thousand_frozen_texts_take_seconds(banking, capsys) -> None:
    rng = random.Random(5)
    pool = [text for text, _ in banking["train"]]
    texts = [f"{text} {rng.choice(pool)}" for text in pool[:2000]]
    start = time.process_time()
    index = FrozenTexts(asked([(text, "") for text in texts]))
    leaked = sum(index.match(text) is not None for text in pool[:10_000])
    seconds = time.process_time() - start
    with capsys.disabled():
        print(f"\n10,000 candidates against 2,000 frozen texts: {seconds:.1f} s of CPU, {leaked} leaks")
    assert seconds < 10


def test_what_the_index_finds_is_what_comparing_all_finds(banking) -> None:
    train, test = banking["train"][:200], banking["test_visible"][:400]
    index = FrozenTexts(asked(test))
    grams = [character_grams(text) for text, _ in test]
    for text, _ in train:
        best = max(jaccard(character_grams(text), one) for one in grams)
        if best >= NEAR:
            assert index.match(text) is not None


def test_a_batch_of_paraphrases_loses_its_rows_and_does_not_fail_whole() -> None:
    leaks = [Leak(candidate=str(n), scenario="s", similarity=0.9, how=LeakHow.PARAPHRASE) for n in range(9)]
    assert verbatim(leaks) == 0
    assert verbatim([*leaks, Leak(candidate="x", scenario="s", similarity=1.0, how=LeakHow.EXACT)]) == 1
