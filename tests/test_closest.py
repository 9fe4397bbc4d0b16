"""Many texts asked at once are answered as each is alone: candidates are found otherwise, and nothing else differs."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.rules.data.leakage import FrozenTexts
from runner.rules.text.closest import Closest
from tests.flywheel_fixture import SHARED, VOCABULARY

WORDS = [*SHARED, *(word for found in VOCABULARY.values() for word in found)]
FEW = st.lists(st.sampled_from(WORDS[:9]), max_size=14).map(" ".join)


def agree(groups: dict[str, list[tuple[str, str]]], texts: list[str]) -> int:
    """How many matches there are; every one is what `FrozenTexts` finds of that group, and none is missing."""
    found = Closest(groups).matches(texts)
    alone = {name: FrozenTexts.of(pairs) for name, pairs in groups.items()}
    expected = {(name, text): frozen.match(text) for name, frozen in alone.items() for text in texts}
    assert found == {key: match for key, match in expected.items() if match is not None}
    return len(found)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from("ab"), st.lists(FEW, max_size=8)), st.lists(FEW, max_size=5))
def test_of_any_texts(texts: dict[str, list[str]], asked: list[str]) -> None:
    agree({name: [(f"{name}{n}", text) for n, text in enumerate(found)] for name, found in texts.items()}, asked)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=6), st.lists(st.text(max_size=30), max_size=3))
def test_of_any_characters(texts: list[str], asked: list[str]) -> None:
    agree({"a": [(f"t{n}", text) for n, text in enumerate(texts)]}, [*asked, *texts, ""])


def test_of_long_texts_that_were_changed_a_little() -> None:
    chance = random.Random(5)
    texts = [" ".join(chance.choices(WORDS, k=chance.randint(3, 40))) for _ in range(300)]

    def changed(text: str) -> str:
        words = text.split()
        for _ in range(chance.randint(0, 4)):
            words[chance.randrange(len(words))] = chance.choice(WORDS)
        return " ".join([*words, *chance.choices(WORDS, k=chance.choice([0, 0, 3]))])

    groups = {name: [(f"{name}-{n}", text) for n, text in enumerate(texts[at::2])] for at, name in enumerate("ab")}
    assert agree(groups, [changed(chance.choice(texts)) for _ in range(300)]) > 100
