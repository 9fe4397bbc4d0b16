"""Seeded changes to a text that leave its right answer as it is: for robustness, and as a generator of candidates."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from runner.records.terms import Perturbation
from runner.rules.canonical import digest
from runner.rules.evaluation.structured import fields, still_says
from runner.rules.text.paraphrase import ended, paraphrase

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


def order(text: str, random_: random.Random, *, answer: str = "") -> str:
    """With its parts in another order: the items of a list, else its sentences, else what stands on either side of a
    conjunction, else the alternatives before and after an `or`, else a `please` or `yesterday` from the other end.
    Unchanged where there is nothing to reorder, and where `answer` names an item by its mark."""
    for change in (_items, _sentences, _conjunction, _alternatives, _loose_word):
        changed = change(text, random_, answer)
        if changed != text:
            return changed
    return text


def _items(text: str, random_: random.Random, answer: str) -> str:
    """A list's marks stay where they are, and what they mark moves."""
    lines = text.split("\n")
    found = [(at, match[1], match[2]) for at, line in enumerate(lines) if (match := _ITEM.match(line))]
    if len(found) < 2 or _named(answer) & {_bare(said) for _, mark, item in found for said in (mark, mark + item)}:
        return text
    for (at, mark, _), said in zip(found, _moved([said for _, _, said in found], random_), strict=True):
        lines[at] = mark + said
    return "\n".join(lines)


def _named(answer: str) -> set[str]:
    """What an answer may name an item of a list by: itself, or a value of its own where it is structured."""
    return {_bare(said) for said in (answer, *(value for _, value in fields(answer) or ()))}


def _bare(mark: str) -> str:
    return mark.strip(" \t.)(").casefold()


def _sentences(text: str, random_: random.Random, _answer: str) -> str:
    found = re.split(r"(?<=[.!?])\s+(?=\S)", text)
    if "\n" in text or len(found) < 2:
        return text
    return " ".join(ended(one) for one in _moved(found, random_))


def _conjunction(text: str, _random: random.Random, _answer: str) -> str:
    """`If A, B` as `B if A`, and the other way round; so of when, because, although."""
    match = re.fullmatch(rf"({_WORDS})\s+([^,]+),\s+([^,.!?]+?)([.!?]*)", text.strip(), re.I)
    if match:
        word, one, other, mark = match.groups()
        return f"{other[0].upper()}{other[1:]} {word.lower()} {one}{mark}"
    match = re.fullmatch(rf"([^,.!?]+?),?\s+({_WORDS})\s+([^,.!?]+?)([.!?]*)", text.strip(), re.I)
    if match and not re.match(_ASKED, match[1], re.I):
        one, word, other, mark = match.groups()
        first = one if re.match(r"I\b", one) else one[0].lower() + one[1:]
        return f"{word.capitalize()} {other}, {first}{mark}"
    return text


def _alternatives(text: str, random_: random.Random, _answer: str) -> str:
    """`a, b or c`, each of a word."""
    match = re.search(r"\b\w+(?:, \w+)*,? or \w+\b", text)
    if not match:
        return text
    found = re.split(r",? or |, ", match[0])
    *rest, last = _moved(found, random_)
    return f"{text[: match.start()]}{', '.join(rest)} or {last}{text[match.end() :]}"


def _loose_word(text: str, _random: random.Random, _answer: str) -> str:
    """One that stands at either end of a sentence goes to the other."""
    match = re.fullmatch(rf"({_LOOSE}),?\s+(.+?)([.!?]*)", text.strip(), re.I | re.S)
    if match:
        word, rest, mark = match.groups()
        return f"{rest[0].upper()}{rest[1:]} {word.lower()}{mark}"
    match = re.fullmatch(rf"(.+?),?\s+({_LOOSE})([.!?]*)", text.strip(), re.I | re.S)
    if match:
        rest, word, mark = match.groups()
        first = rest if re.match(r"I\b", rest) else rest[0].lower() + rest[1:]
        return f"{word.capitalize()}, {first}{mark}"
    return text


def _moved(found: Sequence[str], random_: random.Random) -> list[str]:
    """In another order, if any two differ."""
    moved = list(found)
    while len(set(found)) > 1 and moved == list(found):
        random_.shuffle(moved)
    return moved


def context(text: str, random_: random.Random) -> str:
    """With a sentence before or after it that has nothing to do with anything."""
    aside = random_.choice(ASIDES)
    return f"{aside} {text}" if random_.random() < 0.5 else f"{ended(text)} {aside}"


_ITEM = re.compile(r"(\s*(?:[-*\u2022]|\(?\w{1,2}[.)])\s+)(\S.*)\Z")
_WORDS = "if|when|because|although|though|whenever|unless"
_LOOSE = "please|today|yesterday|this morning|last week|last night|right now|at the moment|recently"
_ASKED = r"(?:what|where|why|how|which|who|can|could|may|do|does|did|is|are|was|were|will|would|should|has|have)\b"
ASIDES = (
    "It has been raining here all week.",
    "I am writing this on the train.",
    "I hope you are having a good day.",
    "It is a bit noisy around me.",
    "The weather is lovely today.",
    "I have just come back from a long walk.",
    "My neighbour says hello.",
    "Sorry, my dog is barking in the background.",
    "I have not had my coffee yet.",
    "It is already dark outside.",
)
"""Small talk, of no field and without figures."""

Change = Callable[[str, random.Random], str]
ROBUSTNESS: dict[Perturbation, Change] = {
    Perturbation.TYPOS: typos,
    Perturbation.CASING: casing,
    Perturbation.PUNCTUATION: punctuation,
    Perturbation.PARAPHRASE: paraphrase,
    Perturbation.ORDER: order,
    Perturbation.CONTEXT: context,
}
"""What phases 4 and 12 do to core, and score."""
KEEPING = frozenset({Perturbation.PARAPHRASE, Perturbation.ORDER, Perturbation.CONTEXT})
"""Those that must leave every value of a structured answer in the text, as a person would. A slip of the keyboard
spares none."""

REWRITES: dict[str, Change] = {
    "drop-word": drop_word,
    "swap-words": swap_words,
    "typo": typo,
    "shuffle-clauses": shuffle_clauses,
}
"""The changes that phase 7 makes candidates with."""


def perturb(text: str, kind: str, *, seed: int, key: str, answer: str = "") -> str:
    """`text` under the robustness perturbation `kind`; the same for the same text, seed and `key` (a scenario's id).

    `answer` is the right one. Where every try of a perturbation that keeps its values loses one, `text` as it was.
    """
    name, random_ = Perturbation(kind), random.Random(f"{seed}/{kind}/{key}")
    if name not in KEEPING:
        return ROBUSTNESS[name](text, random_) or text
    for _ in range(TRIES):
        changed = order(text, random_, answer=answer) if name is Perturbation.ORDER else ROBUSTNESS[name](text, random_)
        if still_says(changed, text, answer):
            return changed or text
    return text


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
