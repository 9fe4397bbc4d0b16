"""Numbers as people write them: thousands separators, powers of ten, currency signs, per cent, and a unit behind.

`1,234.5 km`, `$1.2 million`, `6.02e23`, `3 x 10^8 m/s`, `-40 °F`; with a decimal comma `1.234,5`. Digits are 0 to 9.
Numbers are exact fractions; not-a-number and infinity are none, and no number is longer than `LONGEST`. What may mean
another number than its first digits (`1,5`, `1.2.3`, `$10k`) is refused, and never read in part.
"""

from __future__ import annotations

import re
from collections import deque
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from runner.rules.text.shown import quoted
from runner.rules.text.units import CURRENCY_CODES, CURRENCY_SIGNS, Unit, unit

LONGEST = 60
"""Characters of a number at most."""
LARGEST_POWER = 150
SCALES = {
    "hundred": 100,
    "thousand": 1_000,
    "million": 10**6,
    "mn": 10**6,
    "billion": 10**9,
    "bn": 10**9,
    "trillion": 10**12,
    "tn": 10**12,
}
_MINUS = "\u2212\u2013-"
_GAPS = "\u00a0\u2009\u202f'\u2019_"
"""What may stand between thousands, whatever the decimal sign is."""
_TIMES = "[x*\u00d7\u00b7]"
_UNIT = (
    r"%|\u2030|°\s?[CF]\b|[$€£¥₹]|(?ai:degrees?\s+(?:celsius|fahrenheit|c|f)\b)|[^\W\d_]++\s++per\s++[^\W\d_]++"
    r"|[^\W\d_][^\s\d,.;:!?()\[\]{}<>\"'^]*(?:\^?[23](?!\w))?"
)


class Quantity(NamedTuple):
    """A number, and the unit written beside it; none where there was no word."""

    number: Fraction
    unit: Unit | None
    named: str = ""
    """The word that stands where a unit would behind the number, and is none."""


def whole(text: str, *, decimal_comma: bool = False) -> Quantity:
    """The one number that `text` is. Raises `ValueError` that says what else it is."""
    text = text.strip().removesuffix(".")
    if len(text) <= 2 * LONGEST:
        found = _pattern(decimal_comma, spaced=True).fullmatch(text)
        if found is not None:
            return _quantity(found, decimal_comma)
    raise ValueError(f"{quoted(text)} is not one number")


def within(text: str, *, last: bool, decimal_comma: bool = False) -> Quantity:
    """The first or last number in `text`; a word behind it may be no unit. Raises `ValueError` where there is none,
    and where that number cannot be read: it is too large, or signs or letters that nobody knows are part of it."""
    numbers = _pattern(decimal_comma, spaced=False).finditer(text)
    found = [*deque(numbers, maxlen=1)] if last else [*islice(numbers, 1)]
    if not found:
        raise ValueError("no number stands in it")
    quantity = _quantity(found[0], decimal_comma)
    if quantity.named and (not found[0]["between"] or _begins_as_a_unit(quantity.named)):
        raise ValueError(f"{quoted(quantity.named)} is no unit that is known")
    return quantity


def _begins_as_a_unit(named: str) -> bool:
    """Whether a word is a unit by another that is not known, such as "km/l" or "dollars per head"."""
    first = re.split(r"/|\s", named)[0]
    return first != named and unit(first) is not None


@lru_cache(maxsize=4)
def _pattern(decimal_comma: bool, *, spaced: bool) -> re.Pattern[str]:
    """A number with what stands around it; with `spaced`, thousands and a sign may be set apart by spaces. In a text
    "- 5" is an item of a list. What goes on as no number does is taken whole, as `rest`."""
    point, comma = (",", ".") if decimal_comma else (".", ",")
    gap = f"[{comma}{_GAPS}{' ' if spaced else ''}]"
    part = rf"{re.escape(point)}[0-9]++"
    digits = rf"(?:[0-9]{{1,3}}(?:{gap}[0-9]{{3}})++(?![0-9])|[0-9]++)(?:{part})?|{part}"
    rest = rf"(?P<rest>[.,{_GAPS}][0-9][0-9.,{_GAPS}]*+)?"
    sign = f"[+{_MINUS}]"
    power = rf"[eE](?P<e>{sign}?[0-9]{{1,4}})(?![0-9])|\s?{_TIMES}\s?10\s?\^?\(?(?P<p>{sign}?[0-9]{{1,4}})\)?(?![0-9])"
    first = rf"(?P<sign>{sign}{'' if spaced else '(?! )'})?"
    front = rf"{first}(?P<front>[{CURRENCY_SIGNS}]|(?:{'|'.join(CURRENCY_CODES)})\s)?\s?(?P<inner>{sign})?"
    scale = rf"(?:\s?(?P<scale>(?ai:{'|'.join(SCALES)}))\b)?"
    behind = rf"(?:(?P<between>\s?-?)(?P<unit>{_UNIT}))?"
    return re.compile(rf"(?<![\w.,]){front}(?P<digits>{digits}){rest}(?:{power})?{scale}{behind}")


def _quantity(found: re.Match[str], decimal_comma: bool) -> Quantity:
    if found["rest"]:
        raise ValueError(f"{quoted(found[0])} is not one number")
    digits, plain = found["digits"], str.maketrans(_MINUS, "-" * len(_MINUS))
    exponent = int((found["e"] or found["p"] or "0").translate(plain))
    if len(digits) > LONGEST or abs(exponent) > LARGEST_POWER:
        raise ValueError(f"{quoted(found[0])} is too large a number")
    point, comma = (",", ".") if decimal_comma else (".", ",")
    for gap in (comma, *_GAPS, " "):
        digits = digits.replace(gap, "")
    scale = SCALES[found["scale"].lower()] if found["scale"] else 1
    number = Fraction(digits.replace(point, ".")) * Fraction(10) ** exponent * scale
    minus = ((found["sign"] or "") + (found["inner"] or "")).translate(plain).count("-")
    named = " ".join((found["unit"] or "").split())
    front = (found["front"] or "").strip()
    return Quantity(-number if minus % 2 else number, *_unit(front, named))


def _unit(front: str, named: str) -> tuple[Unit | None, str]:
    """A currency before the number, or the unit after it. Raises `ValueError` where they are two."""
    before, after = unit(front), unit(named)
    if before is not None and after is not None and before != after:
        raise ValueError(f"{f'{front} {named}'!r} is no unit that is known")
    return before or after, named if after is None else ""
