"""Normalisation: what a rubric does to texts before they are compared, in the order it lists."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable

from runner.records.rubric import Normalisation
from runner.rules.evaluation.structured import canonical_json


def _strip_punctuation(text: str) -> str:
    return "".join(character for character in text if not unicodedata.category(character).startswith("P"))


def _strip_invisible(text: str) -> str:
    return "".join(character for character in text if unicodedata.category(character) != "Cf")


STEPS: dict[Normalisation, Callable[[str], str]] = {
    Normalisation.STRIP: str.strip,
    Normalisation.LOWERCASE: str.lower,
    Normalisation.COLLAPSE_SPACES: lambda text: re.sub(r"\s+", " ", text),
    Normalisation.STRIP_PUNCTUATION: _strip_punctuation,
    Normalisation.UNICODE_NFKC: lambda text: unicodedata.normalize("NFKC", text),
    Normalisation.CANONICAL_JSON: canonical_json,
    Normalisation.STRIP_INVISIBLE: _strip_invisible,
}


def normalise(text: str, steps: Iterable[Normalisation]) -> str:
    """`text` after each step, in order."""
    for step in steps:
        text = STEPS[step](text)
    return text


def whole_characters(text: str) -> str:
    """`text` with each half of a surrogate pair as U+FFFD: no file can hold a half."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
