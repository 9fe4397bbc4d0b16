"""Regular expressions are the same where they accept the same texts, whatever they look like."""

from __future__ import annotations

import random
import re
import time
from itertools import product

import pytest

from runner.rules.text.regular_languages import LONGEST, same_language

TEXTS = ["".join(letters) for length in range(6) for letters in product("ab", repeat=length)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a|b", "b|a"),
        ("(a*b*)*", "(a|b)*"),
        ("a{3,}", "aaaa*"),
        ("a{2,3}", "aa|aaa"),
        ("~(~(dog))", "dog"),
        (".*a.*&.*b.*", ".*b.*&.*a.*"),
        ("~(a|b)", "~(a)&~(b)"),
        ("dog&[A-Z]", "[0-9]&truck"),
        (".*", "~([a-z]&[A-Z])"),
        ("[^a]|a", "."),
        ("a?", "()|a"),
        (r"\.", "[.]"),
    ],
)
def test_written_otherwise_they_are_the_same(one, other):
    assert same_language(one, other)
    assert same_language(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("dog", "dot"),
        ("a*", "a+"),
        ("[a-z]", "[^a-z]"),
        ("~(a){2}", "~(a{2})"),
        ("a|b&c", "(a|b)&c"),
        (r"\bdog\b", "dog"),
        (".", "a"),
        ("a{2,}", "a{3,}"),
    ],
)
def test_one_text_that_tells_them_apart_is_enough(one, other):
    assert not same_language(one, other)


@pytest.mark.parametrize(
    "text", ["(a", "a)", "*a", "a{2", "a{3,2}", "a{65}", "[z-a]", "[a", "a\\", "(" * 900, "a" * (LONGEST + 1)]
)
def test_what_is_no_expression_says_so(text):
    with pytest.raises(ValueError, match=r"character|expected|longer|deeply"):
        same_language(text, "a")


def test_what_would_take_too_long_is_not_said_to_be_the_same():
    wide = "(.*a.{60})&~(.*b.{59})"
    assert not same_language(wide, f"{wide}|{wide}a")


def test_many_wide_classes_are_told_apart_in_time():
    """Every character against every class would be 10^10 steps here."""
    wide = "".join(f"[{chr(0x1000 + 990 * n)}-{chr(0x1000 + 990 * n + 989)}]" for n in range(40))
    started = time.process_time()
    assert not same_language(wide, "a")
    assert same_language(wide, f"({wide})")
    assert time.process_time() - started < 10


def _expression(rng: random.Random, depth: int) -> str:
    if depth == 0:
        return rng.choice("ab.")
    one, other = _expression(rng, depth - 1), _expression(rng, depth - 1)
    return rng.choice((f"({one})({other})", f"({one}|{other})", f"({one})*", f"({one})?", f"({one}){{1,2}}"))


def test_it_agrees_with_re_on_every_short_text():
    rng = random.Random(4)
    same = 0
    for _ in range(400):
        pair = [_expression(rng, rng.randrange(1, 4)) for _ in range(2)]
        languages = [{text for text in TEXTS if re.fullmatch(one, text)} for one in pair]
        said = same_language(*pair)
        same += said
        assert languages[0] == languages[1] if said else True
        assert same_language(pair[0], f"(~({pair[1]}))&({pair[0]})|({pair[0]})&({pair[1]})")
        if languages[0] != languages[1]:
            assert not said
    assert same > 5
