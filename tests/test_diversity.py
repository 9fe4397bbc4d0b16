"""Diversity: each measure against its definition written out plainly, and on real messages."""

from __future__ import annotations

import csv
import math
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.records.diversity import DiversityLimits
from runner.rules.data.diversity import NEIGHBOURS, SMOOTHING, distinct, diversity, self_bleu, shortfalls
from runner.rules.text.similarity import words

TEXTS = st.lists(st.lists(st.sampled_from("abcdef"), max_size=9), max_size=9)


def grams(text: Sequence[str], size: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(text[at : at + size]) for at in range(len(text) - size + 1))


def bleu(text: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Papineni et al. 2002, with smoothing 1 of Chen and Cherry 2014, as it is written there."""
    precisions = []
    for size in range(1, 5):
        own = grams(text, size)
        if not own:
            break
        matched = sum(min(count, max(grams(one, size)[gram] for one in references)) for gram, count in own.items())
        precisions.append((matched or SMOOTHING) / sum(own.values()))
    if not precisions:
        return 0.0
    closest = min((len(one) for one in references), key=lambda length: (abs(length - len(text)), length))
    brevity = 1.0 if len(text) >= closest else math.exp(1 - closest / len(text))
    return brevity * math.prod(precisions) ** (1 / len(precisions))


@settings(deadline=None)
@given(TEXTS)
def test_self_bleu_is_each_text_s_bleu_against_the_others(texts: list[list[str]]) -> None:
    found = self_bleu(texts)
    if len(texts) < 2:
        assert found is None
        return
    plain = [bleu(text, [*texts[:at], *texts[at + 1 :]]) for at, text in enumerate(texts)]
    assert found == pytest.approx(sum(plain) / len(plain), abs=1e-8)


@given(TEXTS, st.integers(1, 3))
def test_distinct_counts_each_n_gram_once(texts: list[list[str]], size: int) -> None:
    every = [gram for text in texts for gram in grams(text, size).elements()]
    assert distinct(texts, size) == pytest.approx(len(set(every)) / len(every) if every else 0.0, abs=1e-8)


def test_alike_texts_are_less_diverse() -> None:
    same = ["where is my new card today"] * 6
    other = [
        "where is my card",
        "the fee is wrong",
        "how do I get cash abroad",
        "cancel this payment now please",
        "my pin was refused twice",
        "can I top up by cheque",
    ]
    alike, varied = (diversity(texts, real=other, members=other, seed=1) for texts in (same, other))
    assert alike.batch.self_bleu == 1.0
    assert varied.batch.self_bleu is not None
    assert varied.batch.self_bleu < 0.4
    assert alike.batch.distinct_2 < varied.batch.distinct_2
    assert varied.batch == varied.real
    assert (varied.reach.members, varied.reach.vocabulary, varied.reach.modes) == (1.0, 1.0, None)
    assert alike.reach.members == 0.5
    assert varied.batch.words.model_dump() == {"p10": 4, "p50": 5, "p90": 6}


def test_too_few_members_say_nothing() -> None:
    few = [f"text number {number}" for number in range(NEIGHBOURS)]
    assert diversity(few, real=(), members=few, seed=1).reach.members is None
    assert diversity(few, real=(), members=(), seed=1).real is None
    assert diversity(few[:1], real=few, members=few, seed=1).batch.self_bleu is None


def test_each_limit_that_is_missed_is_a_reason() -> None:
    texts = [f"where is card {number}" for number in range(8)]
    found = diversity(texts, real=[*texts, "cash abroad fee", "cash abroad rate"], members=texts, seed=1)
    assert shortfalls(found, DiversityLimits()) == ()
    hard = DiversityLimits(
        min_distinct_1=1,
        min_distinct_2=1,
        min_distinct_3=1,
        max_self_bleu=0,
        min_vocabulary=1,
        min_modes=1,
        min_median_words=9,
    )
    brief = DiversityLimits(max_median_words=3)
    problems = [reason.problem for limits in (hard, brief) for reason in shortfalls(found, limits)]
    assert [problem.rsplit(" is ", 1)[0].rsplit(" ", 1)[0] for problem in problems] == [
        "distinct-1",
        "distinct-2",
        "distinct-3",
        "share of the human rows' words reached",
        "share of the human rows' word pairs reached",
        "median of words",
        "self-BLEU",
        "median of words",
    ]
    assert {reason.step for reason in shortfalls(found, hard)} == {"diversity"}
    assert shortfalls(found, DiversityLimits(min_members=1.0)) == (), "the members reach themselves"


def banking(data: Path, category: str) -> list[str]:
    with (data / "banking77" / "train.csv").open(newline="") as file:
        return [row["text"] for row in csv.DictReader(file) if row["category"] == category]


def test_on_real_messages_a_narrow_batch_is_told_from_a_real_one(data: Path) -> None:
    texts = banking(data, "card_arrival")
    gold, held = texts[::2], texts[1::2]
    cards = [f"Where is my card number {number}?" for number in range(len(held))]
    others = banking(data, "exchange_rate")[: len(held)]
    found = {
        name: diversity(batch, real=gold, members=gold, seed=7)
        for name, batch in (("real", held), ("template", cards), ("another intent", others))
    }
    started = time.perf_counter()
    diversity(held, real=gold, members=gold, seed=7)
    print(f"{len(held)} rows against {len(gold)}: {time.perf_counter() - started:.2f} s")
    for name, one in found.items():
        print(name, one.batch.model_dump(exclude={"words"}), one.reach.model_dump())
    real, template, other = found.values()
    members = {name: one.reach.members or 0.0 for name, one in found.items()}
    assert members["real"] > 0.85 > 0.3 > max(members["template"], members["another intent"])
    modes = {name: one.reach.modes or 0.0 for name, one in found.items()}
    assert modes["real"] > modes["another intent"] > modes["template"]
    assert template.batch.self_bleu > 0.7 > 0.5 > real.batch.self_bleu > other.batch.self_bleu > 0.1
    assert real.batch.self_bleu == pytest.approx(real.real.self_bleu, abs=0.1)
    assert template.batch.distinct_2 < 0.3 < 0.4 < real.batch.distinct_2
    assert diversity(held[::-1], real=gold[::-1], members=gold, seed=7) == real, "whatever their order"
    assert {len(words(text)) for text in held} >= {real.batch.words.p10, real.batch.words.p50, real.batch.words.p90}
