"""A text in the forms under which the same text may hide, and all of them in one plain form that can be compared.

What is undone: case, accents, widths and compatibility forms, look-alike letters of other alphabets, invisible and
formatting characters, spaces, punctuation and tags between letters, digits for letters, percent, HTML, backslash and
quoted-printable escapes, base64 (both alphabets), base32, base85, hexadecimal, binary, lists of character codes, and
these inside one another, three deep; reversal and rot13. A text under a cipher or in other words is not seen.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from urllib.parse import unquote_plus

DEEP = 3
MOST = 200
"""Forms of one text at most: of one that has as many, not all have been seen."""
_ALIKE = str.maketrans(
    "абвгдеёжзийклмнопрстуфхцчшщыэюяіјѕԁԛԝһӏαβγδεζηικλμνοπρςστυχωϲϳıɑɡɩʋ",
    "abbrдeeж3ийkлmhoпpctyфxцчшщыэюяijsdqwhlabydeznikλuvoπpςotuxwcjiagiv",
)
"""Letters of other alphabets to the Latin ones that they are drawn like, after lower case."""
_ALIKE_CAPITALS = str.maketrans(
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u0412\u041d\u0421\u0420\u0423\u0425\u0405",
    "ABEZHIKMNOPTYXBHCPYXS",
)
"""The same of capitals, which are drawn otherwise than their small letters."""
_LEET = str.maketrans("013457@$", "oieastas")
_ESCAPE = re.compile(r"\\u\{?([0-9a-fA-F]{2,6})\}?|\\x([0-9a-fA-F]{2})|\\([0-7]{3})")
_TAG = re.compile(r"<[^<>]*>")
_QUOTED = re.compile(r"=\r?\n|=([0-9A-F]{2})")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_BASE32 = re.compile(r"[A-Z2-7]{16,}={0,6}")
_HEX = re.compile(r"(?:(?:0x|\\x|%|[\s:,;-])?[0-9a-fA-F]{2}){6,}")
_BASE85 = re.compile(r"[!-~]{12,}")
_BINARY = re.compile(r"(?:\b[01]{7,8}\b[\s,]*){6,}")
_CODES = re.compile(r"(?:\b(?:0x[0-9a-fA-F]{2,5}|\d{2,6})\b[\s,;\[\]]*){6,}")
_CODE = re.compile(r"0x[0-9a-fA-F]{2,5}|\d{2,6}")


def forms(text: str) -> list[str]:
    """The text and what it turns into by undoing what may have been done to it, each once and as it reads."""
    found: dict[str, None] = {text: None}
    fresh = [text]
    for _ in range(DEEP):
        made = [other for one in fresh for decode in DECODERS for other in decode(one)]
        fresh = [one for one in dict.fromkeys(made) if one not in found][: MOST - len(found)]
        found |= dict.fromkeys(fresh)
    return list(found)


def legible(text: str) -> str:
    """Its letters as they are drawn: no widths, accents or invisible characters, one alphabet; case and spaces stay."""
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFKD", text)
    kept = "".join(one for one in plain if unicodedata.category(one) not in ("Mn", "Me", "Cf", "Cc") or one in "\n\t")
    return "".join(_alike(one) for one in kept)


@lru_cache(maxsize=4096)
def _alike(letter: str) -> str:
    if letter.isupper():
        return letter.translate(_ALIKE_CAPITALS).lower().translate(_ALIKE).upper()
    return letter.translate(_ALIKE)


def squeezed(text: str) -> str:
    """Letters and digits alone, in lower case: what is left whatever stands between them."""
    return "".join(filter(str.isalnum, legible(text).casefold()))


def folded(text: str) -> str:
    """Squeezed text with digits and signs read as the letters that they stand for."""
    return "".join(filter(str.isalnum, legible(text).casefold().translate(_LEET)))


def _escapes(text: str) -> Iterator[str]:
    if "\\" in text:
        yield _ESCAPE.sub(
            lambda found: _character(found[1] or found[2], 16) if not found[3] else _character(found[3], 8), text
        )
    if "%" in text or "+" in text:
        yield unquote_plus(text, errors="replace")
    if "&" in text:
        yield html.unescape(text)
    if "<" in text:
        yield _TAG.sub("", text)
    if "=" in text:
        plain = _QUOTED.sub(lambda found: chr(int(found[1], 16)) if found[1] else "", text)
        if plain != text:
            yield _utf8(plain.encode("latin-1", "ignore")) or plain


def _character(digits: str, base: int) -> str:
    number = int(digits, base)
    return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else ""


def _runs(pattern: re.Pattern[str], decode: Callable[[str], bytes]) -> Callable[[str], Iterator[str]]:
    def each(text: str) -> Iterator[str]:
        for found in pattern.finditer(text):
            try:
                plain = _utf8(decode(found[0]))
            except (ValueError, binascii.Error):
                continue
            if plain:
                yield plain

    return each


def _base64(text: str) -> bytes:
    stripped = text.rstrip("=").translate(str.maketrans("-_", "+/"))
    return base64.b64decode(stripped[: len(stripped) - (len(stripped) % 4 == 1)] + "=" * (-len(stripped) % 4))


def _base32(text: str) -> bytes:
    stripped = text.rstrip("=")
    return base64.b32decode(stripped + "=" * (-len(stripped) % 8))


def _binary(text: str) -> bytes:
    return bytes(int(one, 2) for one in re.findall("[01]{7,8}", text))


def _hex(text: str) -> bytes:
    digits = re.sub(r"0x|\\x|[^0-9a-fA-F]", "", text)
    return bytes.fromhex(digits[: len(digits) // 2 * 2])


def _utf8(data: bytes) -> str:
    """The text in the bytes; nothing where they are none: what decodes to noise was no code."""
    for encoding in ("utf-8", "utf-16-le"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        signs = sum(one.isprintable() or one.isspace() or unicodedata.category(one) == "Cf" for one in text)
        letters = sum(one.isalnum() or one.isspace() for one in text)
        if len(text) >= 4 and signs == len(text) and letters > 0.6 * len(text) and _common(text):
            return text
    return ""


def _common(text: str) -> bool:
    """Whether the characters come from few scripts, as those of text do."""
    return len({ord(one) >> 8 for one in text}) <= 4


def _codes(text: str) -> Iterator[str]:
    for run in _CODES.finditer(text):
        numbers = [int(one, 16) if one.startswith("0x") else int(one) for one in _CODE.findall(run[0])]
        plain = "".join(chr(one) for one in numbers if one < 0x110000 and not 0xD800 <= one < 0xE000)
        if all(one.isprintable() or one.isspace() for one in plain):
            yield plain


DECODERS: tuple[Callable[[str], Iterator[str]], ...] = (
    _escapes,
    _runs(_BASE64, _base64),
    _runs(_BASE32, _base32),
    _runs(_BASE85, base64.b85decode),
    _runs(_BASE85, base64.a85decode),
    _runs(_BINARY, _binary),
    _runs(_HEX, _hex),
    _codes,
)
