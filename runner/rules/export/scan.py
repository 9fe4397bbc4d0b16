"""The scanner: whether something that is to leave holds a prompt, an answer, held-out text, personal data or a secret.

It says in which file and field, and what kind of thing; never the thing. An export proper is held against a list of the
words that may stand in it; a document (a card, a hand-off) has words of its own, and is held against the texts alone.
"""

from __future__ import annotations

import json
import math
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

from runner.rules.export.corpus import PROSE, STRUCTURED, Corpus, Profile, both
from runner.rules.export.redacted import KINDS, SUMS, faults, shortened
from runner.rules.export.views import MOST, forms, legible
from runner.rules.strict_json import strict_json
from runner.rules.text.redaction import redact

LARGEST_FIGURE = 10**9
TOGETHER = "several fields together"
ILLEGIBLE = 0.1
"""Of a file with more characters that no encoding of text gives, nothing can be said."""
_LONG = re.compile(r"[A-Za-z0-9+/=_~.-]{20,}")
_DIGEST = re.compile(r"(?<![0-9A-Za-z])(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32}|[0-9a-f]{12})(?![0-9A-Za-z])")
_DECIMAL = re.compile(r"(?<![\w.])[+-]?\d{0,3}\.\d{1,6}%?(?![\w.])")
"""A figure between words, which two of beside one another look like a telephone number."""
_TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")


class Finding(NamedTuple):
    file: str
    field: str
    kind: str


class Said(NamedTuple):
    """A string or number of a file."""

    field: str
    text: str
    key: bool = False
    """Whether it is the name of a field, and not what stands in one."""


def scan_export(files: Mapping[str, bytes], corpus: Corpus, *, known: Collection[str]) -> list[Finding]:
    """What is wrong with the files of an export. `known` are the ids, digests and times that its promotion has."""
    found = [Finding(_shown(name, KINDS), "", problem) for name, problem in faults(files)]
    free = {*vocabulary(), *known}
    for name, data in sorted(files.items()):
        if name == SUMS:
            continue
        shown = _shown(name, KINDS)
        try:
            rows = list(_rows(json.loads(data, parse_constant=str), "", free))
        except (ValueError, RecursionError):
            rows = [Said("", data.decode(errors="replace"))]
        strange = [row for row in rows if row.text not in free and not _figure(row.text)]
        strange += [Said("name", name)] if name not in KINDS else []
        found += [Finding(shown, row.field, "is no word or figure of an export") for row in strange]
        found += _contents(shown, strange, corpus, STRUCTURED, free)
    return list(dict.fromkeys(found))


def scan_document(name: str, data: bytes, corpus: Corpus, *, known: Collection[str] = ()) -> list[Finding]:
    """What must not stand in a document that has words of its own: Markdown, HTML, or JSON of another form."""
    text = data.decode("utf-16" if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8", errors="replace")
    if "\0" in text or text.count("\ufffd") > ILLEGIBLE * len(text):
        return [Finding(name, "", "is no text, so nobody knows what it holds")]
    rows = _values(text) if name.endswith((".json", ".jsonld")) else None
    if rows is None:
        rows = [Said(f"line {number}", line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    return list(dict.fromkeys(_contents(name, rows, corpus, PROSE, set(known))))


def _values(text: str) -> list[Said] | None:
    """What JSON says, its numbers to the last digit; None for what is none, or is read in two ways."""
    try:
        strict_json(text.encode())
        return list(_rows(json.loads(text, parse_float=str, parse_int=str), "", None))
    except ValueError:
        return None


def contents(name: str, value: Any, corpus: Corpus, *, profile: Profile = STRUCTURED) -> list[Finding]:
    """What any JSON value holds of forbidden texts, personal data and secrets, whatever its form and words."""
    return list(dict.fromkeys(_contents(name, list(_rows(value, "", None)), corpus, profile, set())))


def _contents(name: str, rows: list[Said], corpus: Corpus, profile: Profile, known: set[str]) -> Iterator[Finding]:
    """Forbidden texts, personal data and secrets in what the rows say, one by one and put together."""
    each = {row: _freed(row.text, known) for row in rows}
    joined = _joined(each)
    found = {row: forms(text) for row, text in each.items()}
    for row, each_form in found.items():
        for form in each_form:
            yield from (Finding(name, row.field, kind) for kind in kinds(form))
    together = [forms(text) for text in joined]
    for row, each_form in [*found.items(), *((Said(TOGETHER, ""), one) for one in together)]:
        if len(each_form) >= MOST:
            yield Finding(name, row.field, "is written in more disguises than are looked through")
    views = {row: both(each_form) for row, each_form in found.items()}
    views |= {Said(TOGETHER, ""): both(chain.from_iterable(together))}
    for how, text in corpus.found_in([one for found in views.values() for one in found], profile):
        yield Finding(name, _where(text, views), f"has {how} that must not leave")
    for text in joined:
        yield from (Finding(name, TOGETHER, kind) for kind in kinds(text) if profile is STRUCTURED)


def _joined(each: Mapping[Said, str]) -> list[str]:
    """What the values say when they are put together in their order, and the keys, and all of them."""
    parts = (list(each.values()), *([text for row, text in each.items() if row.key is key] for key in (False, True)))
    return list(dict.fromkeys(between.join(part) for part in parts if len(part) > 1 for between in ("", " ")))


def kinds(text: str) -> Iterator[str]:
    """The kinds of personal data and secrets in a text."""
    plain = _DECIMAL.sub(" ", legible(text))
    yield from (f"has personal data or a key ({kind})" for kind in redact(plain).counts)
    yield from ("has what looks like a secret",) * any(_random(one) for one in _LONG.findall(plain))


def _random(token: str) -> bool:
    """Whether a long token has letters and figures in such an order as only keys have: no words with hyphens."""
    parts = [one for one in re.split(r"[-_./=~+]", token) if one]
    longest = max(parts, key=len, default="")
    mixed = sum(bool(re.search(kind, longest)) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    if len(longest) < 16 or mixed < 2 or not re.search("[0-9]", longest):
        return False
    counts = Counter(longest)
    entropy = -sum(n / len(longest) * math.log2(n / len(longest)) for n in counts.values())
    return entropy > 3.0


def _freed(text: str, known: set[str]) -> str:
    """Without the digests that are known, and times."""
    text = _DIGEST.sub(
        lambda found: " " if found[0] in known or any(one.startswith(found[0]) for one in known) else found[0], text
    )
    return _TIME.sub(" ", text)


def _where(text: str, views: Mapping[Said, list[str]]) -> str:
    """The field that has most of the text."""
    grams = [text[at : at + 6] for at in range(max(len(text) - 5, 1))]
    scores = {
        row.field: max((sum(one in view for one in grams) for view in found), default=0) for row, found in views.items()
    }
    return max(scores, key=lambda field: (scores[field], field != TOGETHER), default="")


def _rows(value: Any, field: str, free: Collection[str] | None) -> Iterator[Said]:
    """Every key, string and number of a JSON value and where it stands. A field that is no word of an export is not
    named by its own words: it is the thing to hide."""
    if isinstance(value, dict):
        for number, (key, one) in enumerate(value.items(), 1):
            shown = key if free is None or key in free else f"[key {number}]"
            place = f"{field}.{shown}" if field else shown
            if free is None or key not in free:
                yield Said(place, key, key=True)
            yield from _rows(one, place, free)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _rows(one, f"{field}[{number}]", free)
    elif isinstance(value, str):
        yield Said(field, value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield Said(field, repr(value))


def _figure(text: str) -> bool:
    """Whether it is a number as figures are: no more digits than they have."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) < LARGEST_FIGURE and shortened(value) == value and repr(value) == text


def _shown(name: str, known: Collection[str]) -> str:
    return name if name in known or name == SUMS else "a file of another name"


@lru_cache(maxsize=1)
def vocabulary() -> frozenset[str]:
    """The words that any export may have: the names of its fields, and the values of its closed lists."""
    words: set[str] = set()
    for kind in KINDS.values():
        words |= _words(kind.model_json_schema())
    return frozenset(words)


def _words(schema: Any) -> set[str]:
    found: set[str] = set()
    if isinstance(schema, dict):
        found |= set(schema.get("properties", ()))
        found |= {one for one in schema.get("enum", ()) if isinstance(one, str)}
        found |= {schema["const"]} if isinstance(schema.get("const"), str) else set()
        for one in schema.values():
            found |= _words(one)
    if isinstance(schema, list):
        for one in schema:
            found |= _words(one)
    return found
