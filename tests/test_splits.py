"""Texts of one source are divided by a seed, alike ones on one side, whatever their order."""

from __future__ import annotations

import csv
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.rules.data.kin import kin
from runner.rules.data.leakage import FrozenTexts
from runner.rules.data.new_cluster import NEEDED, SHARES, SHARES_TINY, TRAINING
from runner.rules.data.splits import LEFT_OUT, Unit, divide, groups

WORDS = [
    "card",
    "refund",
    "parcel",
    "late",
    "broken",
    "blue",
    "shoe",
    "size",
    "order",
    "login",
    "money",
    "bank",
    "gift",
    "voucher",
    "return",
]


def texts(count: int, *, seed: int = 1) -> list[str]:
    made = random.Random(seed)
    return [" ".join(made.sample(WORDS, 9)) + f" {number}" for number in range(count)]


def divided(units: list[Unit], *, shares=SHARES, seed: int = 7):
    return divide(units, shares=shares, seed=seed, first="heldout", needed=NEEDED, training=TRAINING)


def test_the_shares_sum_to_one() -> None:
    assert sum(SHARES.values()) == pytest.approx(1)
    assert sum(SHARES_TINY.values()) == pytest.approx(1)


def test_every_part_gets_its_share_of_every_stratum() -> None:
    units = [Unit(text, stratum) for stratum in "ab" for text in texts(100, seed=ord(stratum))]
    found = divided(units)
    for stratum in "ab":
        counts = Counter(part for unit, part in zip(units, found.parts, strict=True) if unit.stratum == stratum)
        assert all(abs(counts[part] - 100 * share) <= 2 for part, share in SHARES.items()), counts


def test_the_seed_decides_and_the_order_does_not() -> None:
    units = [Unit(text, "a") for text in texts(60)]
    found = dict(zip([unit.text for unit in units], divided(units).parts, strict=True))
    turned = units[::-1]
    assert dict(zip([unit.text for unit in turned], divided(turned).parts, strict=True)) == found
    assert dict(zip([unit.text for unit in units], divided(units, seed=8).parts, strict=True)) != found


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(WORDS[:6]), min_size=1, max_size=6), min_size=2, max_size=40), st.integers(0, 9)
)
def test_no_text_leaks_from_one_side_to_another(made: list[list[str]], seed: int) -> None:
    units = [Unit(" ".join(words), "a") for words in made]
    found = divided(units, seed=seed)
    for judging in ("heldout", "core", "dev"):
        frozen = FrozenTexts.of((str(n), u.text) for n, u in enumerate(units) if found.parts[n] == judging)
        others = [unit.text for unit, part in zip(units, found.parts, strict=True) if part != judging]
        assert [text for text in others if frozen.match(text)] == []


def test_real_queries_are_divided_without_a_leak(data: Path) -> None:
    with (data / "banking77" / "train.csv").open() as file:
        rows = list(csv.DictReader(file))[:1500]
    units = [Unit(row["text"], row["category"]) for row in rows]
    found = divided(units, shares=SHARES_TINY)
    assert found.kept_together > 0, "and there was something to keep together"
    frozen = FrozenTexts.of((str(n), u.text) for n, u in enumerate(units) if found.parts[n] == "heldout")
    others = [unit.text for unit, part in zip(units, found.parts, strict=True) if part != "heldout"]
    assert not any(frozen.match(text) for text in others)


def test_what_is_said_to_be_together_is() -> None:
    units = [Unit(text, "a", together="one passage" if n % 2 else "") for n, text in enumerate(texts(20))]
    assert len({part for unit, part in zip(units, divided(units).parts, strict=True) if unit.together}) == 1


def test_what_has_no_answer_does_not_train_and_what_trains_does_not_judge() -> None:
    units = [Unit(text, "a", judges=n < 30, trains=n >= 30) for n, text in enumerate(texts(60))]
    parts = divided(units).parts
    assert not TRAINING & {*parts[:30]}
    assert {*parts[30:]} <= TRAINING | {LEFT_OUT}


def test_training_text_that_says_what_a_test_says_is_left_out() -> None:
    units = [Unit("where is my blue parcel today", "a"), Unit("Where is my blue parcel, today?", "a", trains=True)]
    assert divided(units).parts == ("heldout", LEFT_OUT)


def test_a_handful_fills_the_sets_that_may_not_be_empty() -> None:
    units = [Unit(text, "a") for text in ("one red shoe", "two blue hats", "three green socks", "four black coats")]
    assert {*divided(units).parts} >= {*NEEDED}


def test_kin_names_a_way_between_all_that_are_alike() -> None:
    same = ["my card is lost", "My card is LOST!", "my card is lost"]
    assert {*kin(same)} == {(0, 1), (0, 2)}
    assert groups([Unit(text, "a") for text in [*same, "something else altogether"]]) == [0, 0, 0, 3]
