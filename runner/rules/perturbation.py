"""Seeded changes to a text: for robustness (typos, casing, punctuation) and as a generator of candidates."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from runner.rules.assessment import PERTURBED
from runner.rules.canonical import digest
from runner.rules.structured import still_says

VERSION = "1"
TRIES = 8
_BESIDE = (
    "a:qsz b:vghn c:xdfv d:serfcx e:wsdr f:drtgvc g:ftyhbv h:gyujnb i:ujko j:huikmn k:jiolm l:kop m:njk n:bhjm "
    "o:iklp p:ol q:wa r:edft s:awedxz t:rfgy u:yhji v:cfgb w:qase x:zsdc y:tghu z:asx"
)
NEIGHBOURS = {pair[0]: pair[2:] for pair in _BESIDE.split()}
"""Keys next to each other on a QWERTY keyboard."""


def typo(text: str, random_: random.Random) -> str:
    """One slip in one word of four letters or more: two letters swapped, one dropped, doubled or hit beside."""
    spots = [match.span() for match in re.finditer(r"[A-Za-z]{4,}", text)]
    if not spots:
        return text
    start, end = random_.choice(spots)
    at = random_.randrange(start, end - 1)
    kind = random_.randrange(4)
    if kind == 0:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    if kind == 1:
        return text[:at] + text[at + 1 :]
    if kind == 2:
        return text[:at] + text[at] + text[at:]
    return text[:at] + random_.choice(NEIGHBOURS[text[at].lower()]) + text[at + 1 :]


def typos(text: str, random_: random.Random) -> str:
    """One slip for every five words, at least one."""
    for _ in range(max(1, len(text.split()) // 5)):
        text = typo(text, random_)
    return text


def casing(text: str, random_: random.Random) -> str:
    """All capitals, all small, or each word's first letter as a capital."""
    return random_.choice((str.upper, str.lower, str.title))(text)


def punctuation(text: str, random_: random.Random) -> str:
    """Without punctuation, or with an ending people type."""
    bare = re.sub(r"[^\w\s']", "", text)
    return random_.choice((bare, f"{bare}!!", f"{bare}...", f"{bare} ?"))


def drop_word(text: str, random_: random.Random) -> str:
    """Without one word, where there are more than three."""
    found = text.split()
    if len(found) > 3:
        found.pop(random_.randrange(len(found)))
    return " ".join(found)


def swap_words(text: str, random_: random.Random) -> str:
    """With two neighbouring words in each other's place."""
    found = text.split()
    if len(found) > 1:
        at = random_.randrange(len(found) - 1)
        found[at], found[at + 1] = found[at + 1], found[at]
    return " ".join(found)


def shuffle_clauses(text: str, random_: random.Random) -> str:
    """With its clauses (split at `,` `;` `.` `!` `?`) in another order; unchanged where there is one."""
    clauses = [clause for clause in re.split(r"(?<=[,;.!?])\s+", text) if clause]
    random_.shuffle(clauses)
    return " ".join(clauses)


ROBUSTNESS: dict[str, Callable[[str, random.Random], str]] = dict(
    zip(PERTURBED, (typos, casing, punctuation), strict=True)
)
"""The perturbations that phases 4 and 12 score on core."""

REWRITES: dict[str, Callable[[str, random.Random], str]] = {
    "drop-word": drop_word,
    "swap-words": swap_words,
    "typo": typo,
    "shuffle-clauses": shuffle_clauses,
}
"""The changes that phase 7 makes candidates with."""


def perturb(text: str, kind: str, *, seed: int, key: str) -> str:
    """`text` under the robustness perturbation `kind`; the same for the same text, seed and `key` (a scenario's id)."""
    return ROBUSTNESS[kind](text, random.Random(f"{seed}/{kind}/{key}")) or text


def rewrite(text: str, random_: random.Random, *, answer: str = "") -> str:
    """`text` after one or two changes drawn from `REWRITES`. One that loses a value of a structured `answer` is tried
    anew, `TRIES` times in all; where all of them do, `text` as it was."""
    for _ in range(TRIES):
        changed = text
        for name in random_.sample(sorted(REWRITES), random_.choice((1, 2))):
            changed = REWRITES[name](changed, random_)
        if still_says(changed, text, answer):
            return changed
    return text


def generator_digest() -> str:
    """What a batch made with this module names as its generator: version and operations."""
    return digest({"generator": "perturbation", "version": VERSION, "operations": sorted(REWRITES)})
