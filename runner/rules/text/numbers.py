"""Telephone numbers and payment card numbers, told from order numbers, prices, dates and sizes.

- a card number is a run of 13 to 19 digits with an issuer's prefix and a right check digit (ISO/IEC 7812, Luhn);
- a telephone number has an international prefix, or the grouping of a national one, or words before it that say so
  ("call me on"); words such as "order" or "ref" before it, or a currency beside it, say that it is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

_SPACE = " \u00a0\u2007\u2009\u202f"
_DASH = "\\-\u2010\u2011\u2012\u2013"
_RUN = re.compile(rf"\+?\(?\d++\)?(?:(?:[{_SPACE}{_DASH}./]{{1,3}}\(?|(?<=\))|\()\d++\)?)*+")
"""Digits in groups, with what may stand between the groups of one number."""
_GROUP = re.compile(r"\d+")
_SHORTEST = 7
"""Fewer digits are neither kind."""
_LONGEST_RUN = 40
"""Groups looked at in one run; beyond that it is a table, not a number."""

_ASKS = re.compile(
    r"(?:\b(?:call|phone|telephone|tel|mobile|mob|cell|whatsapp|sms|text|fax|ring|dial|reach|contact|callback|hotline)\b"
    r"|☎|📞|📱)[^\d\n]{0,40}\Z",
    re.IGNORECASE,
)
_OTHER = re.compile(
    r"(?:\b(?:order|invoice|ticket|case|tracking|track|reference|ref|parcel|shipment|package|sku|item|article|product|"
    r"serial|model|isbn|ean|gtin|imei|booking|reservation|policy|claim|contract|transaction|receipt|voucher|coupon|code|"
    r"id|account|iban|vat|zip|postcode|part|batch|lot|rma)\b[^\d\n]{0,16}|\bno\.?\s?|\bnr\.?\s?|#\s?|№\s?|[$€£¥]\s?)\Z",
    re.IGNORECASE,
)
_UNIT = re.compile(r"\s?(?:[%$€£¥°]|(?:usd|eur|gbp|chf|cm|mm|km|kg|kb|mb|gb|ml|px|pcs|x)\b)", re.IGNORECASE)
_LABEL = re.compile(r"-(?:office|fax|home|mobile|cell|work|desk)\b", re.IGNORECASE)
"""What a business card writes behind a telephone number."""
_DATE = re.compile(r"(?:\d{4}[./-]\d{1,2}[./-]\d{1,2}|\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d\d))(?!\d)")


class _Window(NamedTuple):
    """Some neighbouring groups of digits in a text."""

    start: int
    end: int
    groups: tuple[str, ...]
    text: str

    @property
    def digits(self) -> str:
        return "".join(self.groups)


def mask_cards(text: str) -> tuple[str, int]:
    """`text` with each payment card number replaced by `[CARD]`, and how many there were."""
    return _replace(text, _is_card, "[CARD]")


def mask_phones(text: str) -> tuple[str, int]:
    """`text` with each telephone number replaced by `[PHONE]`, and how many there were."""
    return _replace(text, _is_phone, "[PHONE]")


def _replace(text: str, matches: Callable[[_Window, str], bool], token: str) -> tuple[str, int]:
    """Replace the longest windows of digit groups that match, from the left."""
    pieces, at, count = [], 0, 0
    for run in _RUN.finditer(text):
        if run.end() - run.start() < _SHORTEST:
            continue
        for window in _windows(run, at):
            if window.start >= at and matches(window, text):
                pieces += [text[at : window.start], token]
                at = window.end
                count += 1
    return "".join([*pieces, text[at:]]), count


def _windows(run: re.Match[str], at: int) -> Iterator[_Window]:
    """Every window of a run, by start, the longest first. Parentheses and a plus sign belong to their group."""
    groups = [(m.start() + run.start(), m.end() + run.start(), m[0]) for m in _GROUP.finditer(run[0])][:_LONGEST_RUN]
    whole = run.string
    for first in range(len(groups)):
        for last in range(min(len(groups), first + 8) - 1, first - 1, -1):
            start, end = groups[first][0], groups[last][1]
            while start > run.start() and (
                whole[start - 1] == "+" or (whole[start - 1] == "(" and ")" in whole[start:end])
            ):
                start -= 1
            inside = whole[start:end]
            if inside.count("(") > inside.count(")") and whole[end : end + 1] == ")":
                end += 1
            yield _Window(start, end, tuple(group for _, _, group in groups[first : last + 1]), whole[start:end])


def _is_card(window: _Window, text: str) -> bool:
    """An issuer's prefix, a length the issuer uses, and Luhn's check digit."""
    digits = window.digits
    if not 13 <= len(digits) <= 19 or (len(window.groups) > 1 and min(map(len, window.groups)) < 2):
        return False
    if _joined(window, text) or not luhn(digits) or not _issued([int(digit) for digit in digits]):
        return False
    # thirteen digits are also an article number (EAN)
    return len(digits) > 13 or not _OTHER.search(text[max(0, window.start - 60) : window.start])


def luhn(digits: str) -> bool:
    """Whether the last digit checks the others (ISO/IEC 7812-1, annex B)."""
    values = [int(digit) for digit in reversed(digits)]
    return sum(value if index % 2 == 0 else sum(divmod(2 * value, 10)) for index, value in enumerate(values)) % 10 == 0


def _issued(digits: list[int]) -> bool:
    """Visa, Mastercard, American Express, Discover, JCB, Diners, UnionPay and Maestro, with the lengths they issue."""
    length = len(digits)
    two, four = digits[0] * 10 + digits[1], int("".join(map(str, digits[:4])))
    if digits[0] == 4:
        return length in {13, 16, 19}
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return length == 16
    if two in {34, 37}:
        return length == 15
    if two in {30, 36, 38, 39}:
        return length == 14 or length == 16
    if 3528 <= four <= 3589 or two in {60, 62, 64, 65, 81}:
        return 16 <= length <= 19
    return two in {50, 56, 57, 58, 63, 67} and length >= 16


def _is_phone(window: _Window, text: str) -> bool:
    digits, before = window.digits, text[max(0, window.start - 60) : window.start]
    if _joined(window, text) or not 7 <= len(digits) <= 15 or len(set(digits)) == 1:
        return False
    if window.text.startswith(("+", "(+")):
        return len(digits) >= 8
    if _DATE.match(window.text) or _UNIT.match(text, window.end):
        return False
    if _ASKS.search(before) and not _OTHER.search(before):
        return min(map(len, window.groups)) >= 2 or window.groups[0] == "1"
    return not _OTHER.search(before) and _grouped(window)


def _grouped(window: _Window) -> bool:
    """The grouping of a national number that nothing else is written in."""
    groups, digits = window.groups, window.digits
    sizes = tuple(map(len, groups))
    if groups[0] == "1" and sizes[1:] == (3, 3, 4):
        return True
    if sizes == (3, 3, 4) and groups[0][0] in "23456789":
        return True
    if digits.startswith("00"):
        return len(digits) >= 11 and digits[2] != "0"
    if digits.startswith("0"):
        return 9 <= len(digits) <= 12 and digits[1] != "0" and min(sizes) >= 2 and "." not in window.text[:2]
    return False


def _joined(window: _Window, text: str) -> bool:
    """Whether the window is part of something longer: a word, a decimal number, a path."""
    before, after = text[max(0, window.start - 2) : window.start], text[window.end : window.end + 2]
    glued_before = before[-1:].isalnum() or before[-1:] in {"_", "@", "="}
    glued_after = after[:1].isalnum() or after[:1] == "_"
    sticks_before = len(before) == 2 and _sticks(before[::-1])
    sticks_after = len(after) == 2 and _sticks(after) and not _LABEL.match(text, window.end)
    return glued_before or glued_after or sticks_before or sticks_after


def _sticks(pair: str) -> bool:
    """A separator with a letter or digit behind it, seen from the window: `-A`, `.5`, `/7`, `,3`."""
    return (pair[0] in "-./_" and pair[1].isalnum()) or (pair[0] in ",:" and pair[1].isdigit())
