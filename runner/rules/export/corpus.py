"""The texts that must not leave, and where one of them stands in another text: whole, in part, or nearly.

Texts are compared squeezed (`views`): letters and digits alone. A text is found where it stands there whole, where so
many of its characters in a row do, or where so large a share of its 8-grams does, in any order: changed words, or words
between, hide nothing. Short texts are looked for whole. What is shorter than six letters and digits is no text here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from runner.rules.export.views import folded, squeezed
from runner.rules.text.redaction import redact

GRAM = 8
STRIDE = 4
SHORTEST = 6
_TOKEN = re.compile(r"\S+")
_NAME = re.compile(r"\b[^\W\d_a-z][^\W\d_]{2,}(?: [^\W\d_a-z][^\W\d_]{2,}){1,2}\b")
"""Two or three words with capitals, as names of people and of projects are."""


class Profile(NamedTuple):
    """How much of a forbidden text may stand in a file."""

    whole: int
    """From so many letters and digits on, a text is looked for whole."""
    run: int
    """So many of a text's in a row are a part of it."""
    share: float
    """So large a share of its 8-grams is nearly the text."""
    least: int
    """Of texts with so many at least."""


STRUCTURED = Profile(whole=SHORTEST, run=12, share=0.4, least=16)
"""For files that have no prose of their own."""
PROSE = Profile(whole=24, run=40, share=0.7, least=28)
"""For documents, which say in words what the texts are about."""


class Corpus:
    """`texts` must not leave, nor what is telling in them; `allowed` are words that may stand anywhere."""

    def __init__(self, texts: Iterable[str], *, allowed: Iterable[str] = (), names: bool = True) -> None:
        free = {squeezed(one) for one in allowed}
        self.texts: dict[str, None] = {}
        self.telling: dict[str, None] = {}
        """Parts that give something away by themselves: numbers, keys, names. Looked for whole, however short."""
        for text in dict.fromkeys(texts):
            _keep(text, self.texts, free)
            for one in telling(text, names=names):
                _keep(one, self.telling, free)

    def found_in(self, plain: Sequence[str], profile: Profile) -> Iterator[tuple[str, str]]:
        """Each forbidden text of which too much stands in the squeezed texts `plain`: how, and the text."""
        looked = Looked(plain)
        for text in self.telling:
            if looked.whole(text):
                yield "a number, name or key of a text", text
        for text in self.texts:
            how = _how(text, looked, profile)
            if how:
                yield how, text


def _keep(text: str, kept: dict[str, None], free: Collection[str]) -> None:
    """As it is compared: squeezed, and with its digits read as letters, as a view's are."""
    plain = squeezed(text)
    if len(plain) >= SHORTEST and plain not in free:
        kept |= {plain: None, folded(text): None}


class Looked:
    """What is looked through: squeezed texts, their 6-grams for short ones and 8-grams for the others."""

    def __init__(self, plain: Sequence[str]) -> None:
        self.plain = [one for one in dict.fromkeys(plain) if len(one) >= SHORTEST]
        self.short = {one[at : at + SHORTEST] for one in self.plain for at in range(len(one) - SHORTEST + 1)}
        self.grams = {one[at : at + GRAM] for one in self.plain for at in range(len(one) - GRAM + 1)}

    def whole(self, text: str) -> bool:
        return text[:SHORTEST] in self.short and any(text in one for one in self.plain)


def _how(text: str, looked: Looked, profile: Profile) -> str:
    """How much of the text stands there; nothing where it is little."""
    size = len(text)
    if size < GRAM or size < profile.run:
        return "a whole text" if size >= profile.whole and looked.whole(text) else ""
    if not any(text[at : at + GRAM] in looked.grams for at in range(0, size - GRAM + 1, STRIDE)):
        return ""
    hits = [text[at : at + GRAM] in looked.grams for at in range(size - GRAM + 1)]
    if _longest(hits) + GRAM - 1 >= min(profile.run, size):
        return "a whole text" if all(hits) else "a part of a text"
    return "nearly a text" if size >= profile.least and sum(hits) >= profile.share * len(hits) else ""


def _longest(hits: Sequence[bool]) -> int:
    best = run = 0
    for hit in hits:
        run = run + 1 if hit else 0
        best = max(best, run)
    return best


def telling(text: str, *, names: bool) -> Iterator[str]:
    """What in a text gives something away without the rest of it: what redaction would have replaced, tokens with
    figures or signs in them as passwords and ids have, and (`names`) words with capitals."""
    for token in _TOKEN.findall(text):
        core = token.strip(".,;:!?()[]{}\"'<>")
        if any(one.isdigit() for one in core) and not _plain_number(core):
            yield core
    if any(redact(text).counts.values()):
        yield from _masked(text)
    if names:
        yield from _NAME.findall(text)


def _masked(text: str) -> Iterator[str]:
    """The parts that redaction replaces: what is left of the text between the pieces that it keeps."""
    kept = [re.escape(one) for one in re.split(r"\[[A-Z_]{2,11}\]", redact(text).text)]
    found = re.fullmatch("(.+?)".join(kept), text, re.DOTALL)
    yield from found.groups() if found else ()


def _plain_number(token: str) -> bool:
    """Prices, dates, times and shares: figures that say nothing by themselves."""
    return re.fullmatch(r"[$€£]?\d{1,4}(?:[.,:/-]\d{1,4}){0,3}%?[a-z]{0,2}", token) is not None and len(token) < 11


def both(texts: Iterable[str]) -> list[str]:
    """Squeezed, and with digits read as letters; each also from its end, and turned by thirteen."""
    found: dict[str, None] = {}
    for text in texts:
        for one in (squeezed(text), folded(text)):
            found |= dict.fromkeys((one, one[::-1], one.translate(_ROT13)))
    return list(found)


_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_ROT13 = str.maketrans(_LETTERS, _LETTERS[13:] + _LETTERS[:13])
