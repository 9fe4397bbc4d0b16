"""What may not pass the door: what names or reaches a person, and what opens an account.

Each finding is replaced by its kind in brackets, such as `[EMAIL]`, and counted:

| kind | what | decided by |
|---|---|---|
| `key` | keys, tokens, private keys | the shapes that services give them (`secrets`) |
| `url` | URLs with credentials | a user before the host, or a token in the query (`secrets`) |
| `email` | e-mail addresses | their form |
| `iban` | bank accounts | mod 97 and the country's length (`identifiers`) |
| `national_id` | numbers of people | check digits of each country (`identifiers`) |
| `ip` | IP addresses | their form, versions aside (`identifiers`) |
| `card` | payment cards | issuer and Luhn (`numbers`) |
| `phone` | telephone numbers | prefix, grouping or words before them (`numbers`) |
| `name` | names of people | a recogniser, where one is given |

Order numbers, prices, dates and sizes stay. All patterns run in linear time: the door is open to whatever production
sends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple, Protocol

from runner.rules.text.identifiers import mask_addresses, mask_ibans, mask_ids
from runner.rules.text.numbers import mask_cards, mask_phones
from runner.rules.text.secrets import KEY, URL

_EMAIL = re.compile(
    r"(?<![\w.%+'-])[\w.%+'-]++(?:@|[ ]?[\[(]\s?at\s?[\])][ ]?)"
    r"(?:[^\W_][\w-]*+\.)+(?:xn--[\w-]+|[^\W\d_]{2,})",
    re.IGNORECASE,
)


_DIGIT = re.compile(r"\d")


class Redacted(NamedTuple):
    text: str
    counts: dict[str, int]
    """How many of each kind were replaced; kinds not found are left out."""


class NameRecogniser(Protocol):
    """Finds names of people. Which words are names is no matter of patterns: a model behind an edge says it."""

    def __call__(self, text: str) -> Iterable[tuple[int, int]]:
        """Where names start and end in `text`, in any order; they may overlap."""
        ...


KINDS: dict[str, Callable[[str], tuple[str, int]]] = {
    "key": lambda text: KEY.subn("[KEY]", text),
    "url": lambda text: URL.subn("[URL]", text),
    "email": lambda text: _EMAIL.subn("[EMAIL]", text),
    "iban": mask_ibans,
    "national_id": mask_ids,
    "ip": mask_addresses,
    "card": mask_cards,
    "phone": mask_phones,
}
"""In this order: a URL's password is no e-mail address, and an IBAN's digits are no card."""

_RUN = re.compile(r"\S{20}|[-_=:]\S{7}")
FEWEST_DIGITS = 7
"""Of the numbers that are looked for, those with the fewest digits have so many."""
NEEDED: dict[str, Callable[[str], bool]] = {
    "key": lambda text: _RUN.search(text) is not None,
    "url": lambda text: "://" in text,
    "email": lambda text: "@" in text or "(" in text or "[" in text,
    "iban": lambda text: _has_digits(text, FEWEST_DIGITS),
    "national_id": lambda text: _has_digits(text, FEWEST_DIGITS),
    "ip": lambda text: _has_digits(text, 1),
    "card": lambda text: _has_digits(text, FEWEST_DIGITS),
    "phone": lambda text: _has_digits(text, FEWEST_DIGITS),
}
"""What a text must have before a kind is looked for in it at all: most texts have little, and pass in a moment."""
REMEMBERED = 2_000
"""Characters of the longest text whose redaction is kept at hand: logs repeat their prompts."""


def redact(text: str, *, names: NameRecogniser | None = None) -> Redacted:
    """`text` without what may not pass the door. Redacting twice changes nothing more, as far as `names` agrees."""
    text, found = _remembered(text) if len(text) <= REMEMBERED else _masked(text)
    counts = dict(found)
    if names:
        text, number = _mask_names(text, names)
        counts |= {"name": number} if number else {}
    return Redacted(text, counts)


def _masked(text: str) -> tuple[str, tuple[tuple[str, int], ...]]:
    """The text without what patterns find, and the count of each kind, sorted."""
    counts: dict[str, int] = {}
    for kind, mask in KINDS.items():
        if NEEDED[kind](text):
            text, counts[kind] = mask(text)
    return text, tuple((kind, number) for kind, number in sorted(counts.items()) if number)


_remembered = lru_cache(maxsize=4096)(_masked)


def _has_digits(text: str, fewest: int) -> bool:
    return len(_DIGIT.findall(text)) >= fewest


TOKEN = re.compile(r"\[(?:KEY|URL|EMAIL|IBAN|NATIONAL_ID|IP|CARD|PHONE|NAME)\]")
"""What it writes in place of what it found."""


def _mask_names(text: str, names: NameRecogniser) -> tuple[str, int]:
    """Spans that overlap are one name; what was replaced before is none."""
    kept = [found.span() for found in TOKEN.finditer(text)]
    pieces, at, count = [], 0, 0
    for start, end in sorted(names(text)):
        if any(start < stop and begin < end for begin, stop in kept):
            continue
        if start >= at:
            pieces += [text[at:start], "[NAME]"]
            count += 1
        at = max(at, end)
    return "".join([*pieces, text[at:]]), count
