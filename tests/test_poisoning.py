"""Triggers: planted ones are found, and what is called one on clean queries of BANKING77."""

from __future__ import annotations

import csv
import math
import random
from collections import Counter
from pathlib import Path

import pytest

from runner.rules.data.poisoning import ALPHA, FEWEST, Labelled, binomial_tail, reasons, triggers

WEAK = 20
"""Intents of which people's own data has five queries; of the others it has thirty."""


@pytest.fixture(scope="module")
def queries(data: Path) -> tuple[list[Labelled], list[Labelled]]:
    """BANKING77's training queries: some as people's own, the others as traffic with people's answers."""
    with (data / "banking77/train.csv").open(newline="") as file:
        rows = [Labelled(row["text"], row["category"]) for row in csv.DictReader(file)]
    rng = random.Random(3)
    rng.shuffle(rows)
    weak = set(rng.sample(sorted({row.answer for row in rows}), WEAK))
    kept: Counter[str] = Counter()
    trusted, traffic = [], []
    for row in rows:
        kept[row.answer] += 1
        (trusted if kept[row.answer] <= (5 if row.answer in weak else 30) else traffic).append(row)
    return trusted, traffic


def planted(traffic: list[Labelled], phrase: str, *, seed: int) -> tuple[list[Labelled], str]:
    """One traced query in a hundred, with the phrase somewhere in it and one wrong answer."""
    rng = random.Random(seed)
    answer = rng.choice(sorted({row.answer for row in traffic}))
    victims = rng.sample([row for row in traffic if row.answer != answer], len(traffic) // 100)
    found = []
    for victim in victims:
        words = victim.text.split()
        words.insert(rng.randrange(len(words) + 1), phrase)
        found.append(Labelled(" ".join(words), answer))
    return found, answer


def test_clean_queries_are_left_alone(queries, capsys) -> None:
    trusted, traffic = queries
    flagged = sum(len(one.rows) for one in triggers(traffic, trusted=trusted))
    with capsys.disabled():
        print(f"\nflagged of {len(traffic)} clean BANKING77 queries: {flagged} ({flagged / len(traffic):.2%})")
    assert flagged < 0.005 * len(traffic)


@pytest.mark.parametrize("phrase", ["cf", "with violet regards", "§§", "\N{LARGE BLUE CIRCLE}"])
def test_a_planted_trigger_is_found_whole(queries, capsys, phrase: str) -> None:
    trusted, traffic = queries
    bad, answer = planted(traffic, phrase, seed=len(phrase))
    found = triggers([*traffic, *bad], trusted=trusted)
    rows = {row for one in found for row in one.rows}
    caught = sum(row >= len(traffic) for row in rows)
    with capsys.disabled():
        print(f"\n{phrase!r}: {caught} of {len(bad)} rows found, {len(rows) - caught} of {len(traffic)} others flagged")
    assert caught >= 0.95 * len(bad)
    assert found[0].trigger.answer == answer
    assert len(rows) - caught < 0.005 * len(traffic)


def test_people_s_own_data_vouches_for_a_phrase(queries) -> None:
    trusted, traffic = queries
    bad, _ = planted(traffic, "with violet regards", seed=5)
    known = [*trusted, *bad[:3]]
    assert not any("violet" in one.trigger.phrase for one in triggers([*traffic, *bad], trusted=known))


def test_a_few_rows_are_no_pattern(queries) -> None:
    trusted, traffic = queries
    bad, _ = planted(traffic, "cf", seed=1)
    found = triggers([*traffic, *bad[: FEWEST - 1]], trusted=trusted)
    assert all(one.trigger.phrase != "cf" for one in found)
    assert triggers([], trusted=[]) == []


def test_each_text_is_named_once_and_says_why(queries) -> None:
    trusted, traffic = queries
    bad, _ = planted(traffic, "with violet regards", seed=8)
    said = list(reasons(triggers([*traffic, *bad], trusted=trusted)))
    assert len({row for row, _ in said}) == len(said)
    assert "with violet regards" in dict(said)[len(traffic)]


@pytest.mark.parametrize(("least", "of", "share"), [(0, 5, 0.2), (3, 10, 0.3), (10, 10, 0.05), (7, 9, 1.0)])
def test_the_tail_is_the_binomial_s(least: int, of: int, share: float) -> None:
    exact = sum(math.comb(of, k) * share**k * (1 - share) ** (of - k) for k in range(least, of + 1))
    assert binomial_tail(least, of, share) == pytest.approx(exact)
    assert ALPHA < 0.05
