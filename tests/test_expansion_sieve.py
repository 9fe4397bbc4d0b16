"""The sieve of phase 7: what rejects a row, at which step, and that nothing vanishes on the way."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.records.conversation import Conversation, Message, Role
from runner.records.dataset import Example
from runner.records.domain_rules import DomainRule
from runner.records.funnel import FunnelStep
from runner.records.scenario import SetName
from runner.rules.data.expansion import Sieve, sieve
from runner.rules.data.leakage import FrozenTexts
from runner.rules.data.novelty import SIZE, Novelty
from runner.rules.text.similarity import jaccard, shingles
from tests.flywheel_fixture import scenario, user

TRACES = Path(__file__).parent.parent / "examples" / "support-desk" / "traces.jsonl"
GOLD = "my new card has still not arrived after two weeks of waiting"
FROZEN = "the machine at the corner kept my card and gave nothing back to me"


def made(human: Sequence[Example], *, wanted: int, rules: Sequence[DomainRule] = (), **novelty: Any) -> Sieve:
    known = Novelty(human, **novelty)
    return sieve(human, capability="login", answer="login", wanted=wanted, novelty=known, rules=rules)


def gold(*texts: str) -> tuple[Example, ...]:
    return tuple(
        Example(id=f"gold-{number}", capability="login", input=user(text), answer="login")
        for number, text in enumerate(texts)
    )


def offer(found: Sieve, *texts: str) -> None:
    for text in texts:
        if found.admits(text):
            found.keep(text)


def test_every_cause_is_kept_apart() -> None:
    rule = {
        "id": "no-rivals",
        "reason": "names another bank",
        "check": {"kind": "must-not-contain", "values": ["Rival"]},
    }
    frozen = FrozenTexts([scenario(SetName.CORE, "login", 1, FROZEN)])
    found = made(gold(GOLD), wanted=2, rules=[DomainRule.model_validate(rule)], frozen=frozen)
    offer(
        found,
        "too short",
        "Please tell [YOUR NAME] why the card is blocked",
        "is the rival cheaper for cards abroad",
        GOLD.upper() + "!",
        GOLD + " now",
        FROZEN + " today",
        "how do I change the code of my card at a machine",
        "How do I change the code of my card, at a machine?",
        "how do I change the code of my card at a machine here",
        "a quite different question about the exchange rate",
        "one more that is new but no longer wanted by anybody",
    )
    assert [one.cause for one in found.dropped] == [
        "too-short",
        "unfilled-placeholder",
        "no-rivals",
        "copy",
        "near-gold",
        "near-frozen",
        "duplicate",
        "near-candidate",
        "surplus",
    ]
    details = {one.cause: one.detail for one in found.dropped}
    assert details["no-rivals"] == "names another bank"
    assert details["near-gold"] == "gold-0, 0.92 similar"
    assert details["near-frozen"].startswith("core-login-01")
    assert FROZEN not in str(found.dropped[5].detail)
    counts = {one.step: (one.kept, sum(one.rejected.values())) for one in found.funnel.steps}
    assert counts == {
        FunnelStep.GENERATED: (11, 0),
        FunnelStep.PARSED: (11, 0),
        FunnelStep.RULED: (8, 3),
        FunnelStep.NOVEL: (3, 5),
        FunnelStep.CONSISTENT: (2, 1),
    }


def test_candidates_are_compared_across_batches_and_what_was_dropped_stops_only_copies() -> None:
    known = Novelty(gold(GOLD))
    first, second = (sieve((), capability="login", answer=name, wanted=5, novelty=known) for name in ("a", "b"))
    text = "why was the fee taken twice from my account in may"
    assert first.admits(text)
    first.keep(text, consistent=False, detail="answered b")
    assert not second.admits(text.capitalize())
    assert second.admits(text + " please")
    second.keep(text + " please")
    assert not first.admits(text + " thanks")
    assert [(one.cause, one.detail) for one in first.dropped] == [
        ("inconsistent", "answered b"),
        ("near-candidate", "another candidate, 0.83 similar"),
    ]
    assert [one.cause for one in second.dropped] == ["duplicate"]


def test_a_rewrite_is_compared_with_everything_but_its_kin() -> None:
    human = gold(GOLD, GOLD.replace("two", "three") + " here")
    found = made(human, wanted=9, threshold=0.6)
    assert not found.admits(GOLD + " now", kin=("gold-0",)), "near to the other gold row"
    assert found.admits(GOLD + " now", kin=("gold-0", "gold-1"))
    assert found.admits(GOLD + " again", kin=("gold-0", "gold-1")), "another rewrite of the same rows"
    assert not found.admits(GOLD + " again", kin=("gold-0", "gold-1"))


def test_the_same_words_in_another_conversation_are_new() -> None:
    def ends(question: str, answer: str = "to be replaced") -> Conversation:
        return (*user("hello"), Message(role=Role.ASSISTANT, content=question), *user(answer))

    question, other, reply = "Is the card lost?", "Was the fee taken twice?", "yes it is since last week"
    human = Example(id="gold-0", capability="login", input=ends(question, reply), answer="login")
    found = made((human,), wanted=9)
    assert not found.admits(reply, context=ends(question))
    assert not found.admits(reply + " only", context=ends(question.upper()))
    assert found.admits(reply, context=ends(other)), "what was said before is another thing"
    assert not found.admits(reply, context=ends(other))
    assert not found.admits(reply + " only", context=ends(other))
    assert found.keep(reply, context=ends(other))
    assert found.admits(reply), "no conversation before it"
    found.keep(reply, consistent=False)
    assert [one.cause for one in found.dropped] == ["copy", "near-gold", "duplicate", "near-candidate", "inconsistent"]


def test_no_message_is_too_short_that_is_as_long_as_a_person_s() -> None:
    found = made(gold("card lost", GOLD), wanted=5)
    offer(found, "help", "phone stolen")
    assert found.kept == ["phone stolen"]


def test_a_cluster_s_rule_replaces_the_usual_one_of_its_name() -> None:
    any_length = {"id": "too-short", "reason": "says nothing", "check": {"kind": "words", "least": 1}}
    found = made(gold(GOLD), wanted=5, rules=[DomainRule.model_validate(any_length)])
    offer(found, "help", "!")
    assert (found.kept, found.dropped[0].detail) == (["help"], "says nothing")


WORDS = st.sampled_from(["card", "lost", "fee", "abroad", "rate", "my", "the", "why", "[NAME]", "[YOUR NAME]", "rival"])


@given(
    texts=st.lists(st.lists(WORDS, max_size=8).map(" ".join), max_size=30),
    consistent=st.lists(st.booleans(), min_size=30, max_size=30),
    wanted=st.integers(1, 10),
)
def test_no_row_appears_or_vanishes(texts: list[str], consistent: list[bool], wanted: int) -> None:
    found = made(gold("my card abroad"), wanted=wanted)
    for text, right in zip(texts, consistent, strict=False):
        if found.admits(text):
            found.keep(text, consistent=right)
    assert found.funnel.generated == len(texts)
    assert found.funnel.kept == len(found.kept) <= wanted
    assert len(found.kept) + len(found.dropped) == len(texts)
    assert found.funnel.rejected == dict(found.rejected)


@pytest.mark.parametrize("text", ["", "   ", "?!"])
def test_what_says_nothing_is_too_short(text: str) -> None:
    assert not made(gold(GOLD), wanted=5).admits(text)


MESSAGES = st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=8).map(" ".join), max_size=12)


@given(known=MESSAGES, offered=MESSAGES, threshold=st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_near_is_what_true_jaccard_says(known: list[str], offered: list[str], threshold: float) -> None:
    novelty, admitted = Novelty(gold(*known), threshold=threshold), list[str]()

    def close(text: str, others: Sequence[str]) -> bool:
        return any(jaccard(shingles(text, SIZE), shingles(one, SIZE)) >= threshold - 1e-9 for one in others)

    for text in offered:
        found = novelty.likeness(text)
        cause = found.cause if found else None
        if text in known or text in admitted:
            assert cause == ("copy" if text in known else "duplicate")
        elif close(text, known) or close(text, admitted):
            assert cause == ("near-gold" if close(text, known) else "near-candidate")
        else:
            assert cause is None
            novelty.admit(text)
            admitted.append(text)


def near(known: Sequence[str], offered: Sequence[str]) -> Counter[str]:
    """The causes for which a novelty that knows `known` turns `offered` down."""
    found = made(gold(*known), wanted=len(offered))
    offer(found, *offered)
    return found.rejected


def test_real_messages_are_seldom_near_duplicates_of_one_another(data: Path) -> None:
    """The usual limit on people's own messages, each half of an intent as candidates beside the other half."""
    groups: dict[str, list[str]] = {}
    with (data / "banking77" / "train.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            groups.setdefault(row["category"], []).append(row["text"])
    causes: Counter[str] = Counter()
    for texts in groups.values():
        causes += near(texts[::2], texts[1::2])
    offered = sum(len(texts) // 2 for texts in groups.values())
    print(f"BANKING77, {offered} messages beside as many of their intent: {dict(causes)}")
    desk = [json.loads(line)["request"]["messages"][-1]["content"] for line in TRACES.read_text().splitlines()]
    desk = list(dict.fromkeys(desk))
    own = near(desk[::2], desk[1::2])
    print(f"support-desk, {len(desk[1::2])} messages beside the others: {dict(own)}")
    assert set(causes) == {"copy", "duplicate", "near-gold", "near-candidate", "too-short"}
    assert causes["too-short"] <= 0.001 * offered, "shorter than all of the other half"
    assert causes["near-gold"] + causes["near-candidate"] < 0.02 * offered
    assert set(own) <= {"copy"}, "the same message, written otherwise"
