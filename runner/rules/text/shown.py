"""Text from strangers, made fit for a terminal: what it says, and nothing that moves the cursor or hides a letter."""

from __future__ import annotations

_KEPT = frozenset("\n\u200c\u200d")


def shown(text: str) -> str:
    """`text` with every control, format, private and unassigned character, and every half of a surrogate pair, written
    out as its code, such as \\u202e."""
    if text.replace("\n", "").isprintable():  # nothing printable is of these
        return text
    return "".join(map(_written, text))


def _written(character: str) -> str:
    import unicodedata  # most text is plain, and the gate has nothing to show

    if character in _KEPT or unicodedata.category(character)[0] != "C":
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def shorten(text: str, *, longest: int = 60) -> str:
    """`text` on one line, cut to `longest` characters."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def quoted(text: str, *, longest: int = 60) -> str:
    """`text` shortened and in quotes, every character that nobody sees as its code."""
    return repr(shorten(text, longest=longest))
