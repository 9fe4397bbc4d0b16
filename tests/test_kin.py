"""Which texts leak into each other: the groups that comparing all pairs gives, without comparing all pairs."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import cache

import pytest

from runner.rules.data.kin import kin
from runner.rules.data.leakage import CONTAINED, CONTAINED_WORDS, MEASURES
from runner.rules.text import similarity_join
from runner.rules.text.similarity import jaccard, normal_text, shingles


def leaks(one: str, other: str) -> bool:
    """By the definitions of `leakage`, one pair at a time."""
    if normal_text(one) == normal_text(other):
        return True
    if any(jaccard(make(one), make(other)) >= threshold - 1e-9 for _, make, threshold in MEASURES):
        return True
    return contained(one, other) or contained(other, one)


def contained(inner: str, outer: str) -> bool:
    found = shingles(inner, 3)
    return len(found) > CONTAINED_WORDS - 3 and len(found & shingles(outer, 3)) >= CONTAINED * len(found) - 1e-9


def grouped(count: int, pairs: Iterator[tuple[int, int]]) -> list[int]:
    """Of each position the first one of its group."""
    first = list(range(count))
    for one, other in pairs:
        low, high = sorted((first[one], first[other]))
        first = [low if mine == high else mine for mine in first]
    return first


def every_pair(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    for high, text in enumerate(texts):
        yield from ((low, high) for low in range(high) if leaks(texts[low], text))


def varied(rng: random.Random) -> list[str]:
    """A handful of texts, each many times with some words replaced, added, left out or set before another text."""
    words = [rng.choice("abcdefg") * rng.randint(1, 3) + str(n) for n in range(rng.choice([8, 30, 200]))]
    seeds = [rng.choices(words, k=rng.randint(0, 25)) for _ in range(rng.randint(1, 8))]
    texts = []
    for _ in range(rng.choice([30, 90])):
        text = rng.choice(seeds) + (rng.choice(seeds) if rng.random() < 0.2 else [])
        for _ in range(rng.randint(0, 4)):
            at = rng.randrange(len(text) + 1)
            text[at : at + rng.randint(0, 1)] = rng.choices(words, k=rng.randint(0, 1))
        texts.append(" ".join(text))
    return texts


@cache
def expected(seed: int) -> tuple[list[str], list[int]]:
    texts = varied(random.Random(seed))
    return texts, grouped(len(texts), every_pair(texts))


@pytest.mark.parametrize("common", [0, 2, 1000])
def test_the_groups_are_those_of_all_pairs(common, monkeypatch):
    monkeypatch.setattr(similarity_join, "COMMON", common)
    monkeypatch.setattr(similarity_join, "BLOCK", 50 + common)
    monkeypatch.setattr(similarity_join, "FEW", common % 3)
    monkeypatch.setattr(similarity_join, "WORDS", 1)  # sketches that let many pairs pass
    sizes = set()
    for seed in range(20):
        texts, groups = expected(seed)
        found = grouped(len(texts), kin(texts))
        assert found == groups
        sizes.add(len(set(found)))
    assert len(sizes) > 3  # groups of many kinds


def test_each_of_a_group_is_named_with_its_first() -> None:
    texts = ["where is my blue parcel today", "one red shoe", "Where is my blue parcel, today?", "ONE red shoe!"]
    assert sorted(kin(texts)) == [(0, 2), (1, 3)]
    assert list(kin([])) == list(kin(["one red shoe"])) == []


ALIKE = {
    "one long text": "Good morning, my parcel number {} went to the wrong street in Berlin; please send it back",
    "a short text": "where is my parcel number {}?",
    "the same content words": "parcel blue station number refund {}",
}


@pytest.mark.parametrize("text", ALIKE.values(), ids=ALIKE.keys())
def test_alike_texts_are_not_compared_pair_by_pair(text, monkeypatch):
    compared = 0
    alike = similarity_join._Join.alike

    def counted(self, row: int, other: int) -> bool:
        nonlocal compared
        compared += 1
        return alike(self, row, other)

    monkeypatch.setattr(similarity_join._Join, "alike", counted)
    texts = [text.format(number) for number in range(3_000)]
    assert len(list(kin(texts))) == len(texts) - 1
    assert len(texts) - 1 <= compared <= 3 * len(texts)


def test_it_tells_how_far_it_is() -> None:
    told: list[float] = []
    list(kin([f"text number {number} of {number % 7} about parcel {number % 11}" for number in range(50)], told.append))
    assert told == sorted(told)
    assert told[0] == 0
    assert 0.7 < told[-1] < 1
