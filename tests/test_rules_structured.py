"""Structured answers: fields compared as bags, F1 as entity scores have it, and texts that must go on saying values."""

from __future__ import annotations

import json
import random
from collections import defaultdict

import pytest
from seqeval.metrics import f1_score, precision_score, recall_score

from runner.rules.evaluation.structured import (
    FieldCounts,
    canonical_json,
    counts,
    fault_paths,
    faults,
    fields,
    named_in,
    still_says,
)

RIGHT = '{"intent": "GetWeather", "slots": {"city": "Oslo", "timeRange": ["today", "noon"]}}'
INTENTS = ("AddToPlaylist", "BookRestaurant", "GetWeather", "RateBook")


def test_a_field_is_a_path_and_a_scalar_and_order_says_nothing():
    assert fields(RIGHT) == {
        ("intent", "GetWeather"): 1,
        ("slots.city", "Oslo"): 1,
        ("slots.timeRange", "today"): 1,
        ("slots.timeRange", "noon"): 1,
    }
    turned = '{"slots":{"timeRange":["noon","today"],"city":"Oslo"},"intent":"GetWeather"}'
    assert counts(turned, RIGHT).f1 == 1
    assert fields(RIGHT, below="slots").total() == 3
    assert fields('{"a": [1, true, null, 1]}') == {("a", "1"): 2, ("a", "true"): 1, ("a", "null"): 1}


def test_partial_credit_and_what_is_wrong_in_words():
    answer = '{"intent": "GetWeather", "slots": {"city": "Bergen", "timeRange": "today", "state": "NO"}}'
    found = counts(answer, RIGHT, below="slots")
    assert found == FieldCounts(right=1, given=3, wanted=3)
    assert found.f1 == pytest.approx(1 / 3)
    assert faults(answer, RIGHT, below="slots") == [
        "slots.city is 'Bergen' where 'Oslo' is right",
        "slots.state 'NO' was not asked for",
        "slots.timeRange 'noon' is missed",
    ]
    assert fault_paths(answer, RIGHT) == ("slots.city", "slots.state", "slots.timeRange")


@pytest.mark.parametrize("answer", ["", "Oslo", "[1]", "{", '"GetWeather"', "[" * 100_000])
def test_what_is_no_object_gives_nothing(answer):
    assert counts(answer, RIGHT, below="slots") == FieldCounts(0, 0, 3)
    assert faults(answer, RIGHT) == ["no JSON object"]
    assert fault_paths(answer, RIGHT) == ("",)
    assert canonical_json(answer) == answer
    assert named_in(answer, "intent") == ""


def test_nothing_wanted_and_nothing_given_is_right():
    bare = '{"intent": "GetWeather", "slots": {}}'
    assert counts(bare, bare, below="slots").f1 == 1
    assert counts(RIGHT, bare, below="slots").f1 == 0


def test_one_way_of_writing():
    assert canonical_json('{ "b": 1,\n "a": ["é"] }') == '{"a":["é"],"b":1}'
    assert named_in(RIGHT, "intent") == "getweather"


def test_a_rewrite_must_go_on_saying_the_values_that_it_said():
    text = "weather in Oslo today at noon"
    assert still_says("at noon today: weather in Oslo", text, RIGHT)
    assert not still_says("weather in Olso today at noon", text, RIGHT)
    assert still_says("anything", text, "a-label")


def test_micro_f1_is_that_of_seqeval_on_the_spans_of_the_data(data):
    rng = random.Random(3)
    gold, guessed, total = [], [], FieldCounts()
    for intent in INTENTS:
        content = json.loads((data / "snips" / intent / f"validate_{intent}.json").read_bytes())
        for row in content[intent]:
            parts = [(part["text"].split(), part.get("entity", "")) for part in row["data"]]
            heard = [(words, _misheard(slot, rng)) for words, slot in parts]
            gold.append(_tags(parts))
            guessed.append(_tags(heard))
            total = total.plus(counts(_answer(heard), _answer(parts), below="slots"))
    assert total.wanted > 1000
    assert 0.5 < total.f1 < 0.95
    assert total.f1 == pytest.approx(f1_score(gold, guessed))
    assert total.precision == pytest.approx(precision_score(gold, guessed))
    assert total.recall == pytest.approx(recall_score(gold, guessed))


def _misheard(slot: str, rng: random.Random) -> str:
    """A tagger that drops a slot, or gives it another name, one time in four."""
    return rng.choice(("", "city", "playlist")) if slot and rng.random() < 0.25 else slot


def _tags(parts) -> list[str]:
    return [
        f"{'B' if position == 0 else 'I'}-{slot}" if slot else "O"
        for words, slot in parts
        for position, _ in enumerate(words)
    ]


def _answer(parts) -> str:
    slots = defaultdict(list)
    for words, slot in parts:
        if slot:
            slots[slot].append(" ".join(words))
    return json.dumps({"intent": "any", "slots": slots})
