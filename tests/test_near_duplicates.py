"""Near-duplicates of many texts: the hashes, the choice of bands, rensa's first look, and the tail of the unique."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import dedup
from runner.edges.minhash import PERMUTATIONS, RECALL, MinHashSuspects
from runner.records.conversation import ToolCall
from runner.records.trace import Feedback, Rating, Tail, Trace, UniqueSignal
from runner.rules.data.signals import signal, unique_signals
from runner.rules.data.tail import rarity, with_tail
from runner.rules.text import shingle_hashes as hashing
from runner.rules.text.near_duplicates import banding, leaders
from runner.rules.text.shingle_hashes import shingle_hashes
from runner.rules.text.similarity import jaccard, shingles, words
from tests.flywheel_fixture import user
from tests.test_rules_similarity import corpus

ODD = st.sampled_from("ab CD'\u2019_1.\n\x00\u00e9\u0301\u00df\ufb01\ud800\u754c\u0130")
TEXTS = st.lists(st.text(ODD, max_size=20) | st.text(max_size=20), max_size=8)


def hashed(texts: list[str], size: int) -> list[list[int]]:
    values, starts = shingle_hashes(texts, size)
    assert len(starts) == len(texts) + 1
    return [values[int(a) : int(b)].tolist() for a, b in pairwise(starts)]


@given(st.text())
def test_words_are_the_same_by_the_short_way_for_ascii(text: str) -> None:
    for one in (text, text.encode("ascii", "replace").decode()):
        plain = unicodedata.normalize("NFKC", one).casefold().replace("\u2019", "").replace("'", "")
        assert words(one) == re.findall(r"\w+", plain)


@settings(deadline=None)
@given(TEXTS, st.integers(1, 4))
def test_shingles_and_hashes_are_one_to_one_in_any_company(texts: list[str], size: int) -> None:
    together = hashed(texts, size)
    assert together == [hashed([text], size)[0] for text in texts]
    named: dict[int, frozenset[str]] = {}
    for text, values in zip(texts, together, strict=True):
        assert len(set(values)) == len(shingles(text, size))
        for value in set(values):
            named.setdefault(value, shingles(text, size))
            assert named[value] & shingles(text, size), "one hash, but no shingle in common"


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = corpus(200, seed=4)
    whole = hashed(texts, 3)
    monkeypatch.setattr(hashing, "BLOCK", 64)
    assert hashed(texts, 3) == whole
    assert len({value for values in whole for value in values}) == len({s for one in texts for s in shingles(one, 3)})


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.8, 0.95, 1.0])
def test_bands_are_as_long_as_the_wanted_recall_lets_them_be(threshold: float) -> None:
    chosen = banding(threshold, recall=RECALL, permutations=PERMUTATIONS)
    assert chosen.permutations <= PERMUTATIONS
    assert chosen.chance(threshold) >= RECALL
    longer = type(chosen)(PERMUTATIONS // (chosen.rows + 1), chosen.rows + 1)
    assert longer.bands == 0 or longer.chance(threshold) < RECALL
    assert banding(0.01, recall=RECALL, permutations=16) == (16, 1)


@pytest.mark.parametrize("threshold", [0.3, 0.6, 0.8, 1.0])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_leaders_are_those_of_brute_force(threshold: float, size: int) -> None:
    texts = corpus(200, seed=size)
    sets = [shingles(text, size) for text in texts]
    expected: list[int] = []
    for position, one in enumerate(sets):
        firsts = [other for other in range(position) if expected[other] == other]
        best, other = min(((-jaccard(one, sets[other]), other) for other in firsts), default=(0.0, position))
        expected.append(other if -best >= threshold - 1e-9 else position)
    assert leaders(texts, threshold=threshold, size=size) == expected


def test_the_first_look_finds_nearly_every_pair_and_little_else() -> None:
    random_ = random.Random(11)
    vocabulary = [f"w{n}" for n in range(5000)]
    texts = [" ".join(random_.choices(vocabulary, k=60)) for _ in range(2000)]
    for text in texts[:400]:
        changed = text.split()
        for place in random_.sample(range(60), 3):
            changed[place] = "other"
        texts.append(" ".join(changed))
    suspects = MinHashSuspects().suspects(texts, threshold=0.7, size=3)
    planted = {*range(400), *range(2000, 2400)}
    assert len(suspects & planted) >= RECALL * len(planted)
    assert len(suspects - planted) < 20
    assert leaders(texts, threshold=0.7, suspects=suspects)[2000:].count(2399) <= 1
    assert MinHashSuspects().suspects([], threshold=0.7, size=3) == frozenset()
    assert MinHashSuspects().suspects(["", "?", "one"], threshold=0.7, size=3).isdisjoint({2})


def test_planted_copies_are_found_under_a_natural_vocabulary() -> None:
    """The benchmark's own texts, fewer of them: a Zipf vocabulary, and boilerplate that many of them share."""
    texts, planted = dedup.corpus(3000, seed=8)
    assert len(planted) == 300
    score = dedup.Score.of(dedup.by_hallmark(texts), planted)
    assert score.recall >= dedup.GOAL_RECALL
    assert score.precision >= dedup.GOAL_PRECISION


def test_the_first_look_is_the_same_in_every_process() -> None:
    program = (
        "from runner.edges.minhash import MinHashSuspects; from tests.test_rules_similarity import corpus\n"
        "print(sorted(MinHashSuspects().suspects(corpus(500, seed=3), threshold=0.5, size=2)))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "RAYON_NUM_THREADS": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
    assert len(said.pop()) > 100


def unique(texts: list[str], responses: list[str] | None = None) -> tuple[UniqueSignal, ...]:
    traces = [
        Trace(input=user(text), response=response, feedback=Feedback(rating=Rating.BAD))
        for text, response in zip(texts, responses or ["label"] * len(texts), strict=True)
    ]
    return unique_signals([signal(one, []) for one in traces], threshold=0.8, suspects=lambda all_: range(len(all_)))[0]


def test_the_first_look_changes_nothing_that_is_found() -> None:
    texts = corpus(800, seed=7)
    signals = [signal(Trace(input=user(text), response="label"), []) for text in texts]

    def first_look(texts: Sequence[str]) -> frozenset[int]:
        return MinHashSuspects().suspects(texts, threshold=0.8, size=3)

    fast = unique_signals(signals, threshold=0.8, suspects=first_look)
    exact = unique_signals(signals, threshold=0.8, suspects=lambda all_: range(len(all_)))
    assert fast == exact
    assert len(exact[0]) < len(signals) - exact[1], "near-duplicates must be among them"


def test_the_tail_is_marked_and_the_usual_is_not() -> None:
    random_ = random.Random(5)
    common = [f"word{n}" for n in range(40)]
    texts = [" ".join(random_.sample(common, 8)) for _ in range(300)]
    texts += ["quixotic zephyr jinxed my sphinx", " ".join(random_.choices(common, k=90))]
    found = with_tail(unique([*texts, texts[0], texts[0], texts[0]]))
    tails = {one.signal.trace.input[-1].content: one.tail for one in found}
    assert Tail.RARE in tails[texts[300]]
    assert Tail.COSTLY in tails[texts[301]]
    assert Tail.RECURRING in tails[texts[0]]
    assert sum(bool(tail) for tail in tails.values()) <= 9
    plain = next(one for one in found if not one.tail)
    assert "tail" not in plain.model_dump(mode="json"), "what is usual is written as before"


def test_the_same_words_with_another_tool_call_are_another_signal() -> None:
    text = "where is the parcel that I ordered with you last week on monday"
    calls = [ToolCall(name="track", arguments=f'{{"order": {order}}}') for order in (1, 2, 1)]
    traces = [
        Trace(input=user(f"{text} {end}"), response="", tool_calls=(call,))
        for end, call in zip(("", "please", "sorry"), calls, strict=True)
    ]
    found, _ = unique_signals([signal(one, []) for one in traces], threshold=0.8, suspects=lambda _: range(3))
    assert sorted(one.count for one in found) == [1, 2]


def test_few_or_equal_signals_have_no_tail() -> None:
    few = unique([f"message number {n} of few" for n in range(50)])
    assert with_tail(few) == few
    equal = with_tail(unique([f"a{n:03d} b{n:03d} c{n:03d}" for n in range(200)]))
    assert not any(one.tail for one in equal)
    assert rarity(["", "a b", "a c"]) == pytest.approx([0.0, 0.752039, 0.752039])
