"""Whether two regular expressions accept the same texts.

Both are followed at once, a character at a time, by Brzozowski's derivatives (Derivatives of regular expressions, JACM
1964) until a text tells them apart or no new pair turns up. Unions are kept flat, sorted and without repeats, so there
are finitely many derivatives; characters that no class tells apart are followed once.

The syntax is that of dk.brics.automaton, which regular expressions with `&` and `~` are commonly written in. From the
loosest to the tightest: `|` or, `&` and, one after the other, `*` `+` `?` `{n}` `{n,}` `{n,m}`, `~` not. Atoms are
`( )`, `[a-z]`, `[^a-z]`, `.` for any character, and characters; after a backslash a character stands for itself. A
word's edge, backslash and b, is read as a sign of its own: expressions which set it elsewhere differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

LONGEST = 1_000
"""Characters of an expression at most."""
MOST = 64
"""Times that `{n}` may repeat."""
LARGEST = 20_000
"""Expressions made on the way at most; a comparison that needs more is given up."""
EDGE = "\b"

Letters = tuple[bool, frozenset[str]]
"""The characters of the set; with True, all others."""
ANY: Letters = (True, frozenset())


class Expressions:
    """Expressions as numbers: equal ones, as far as simplifying sees it, have the same number."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[object, ...], int] = {}
        self._made: list[tuple[str, tuple[int, ...], Letters]] = []
        self._derived: dict[tuple[int, str], int] = {}
        self.nothing = self._number("letters", letters=(False, frozenset()))
        self.empty = self._number("empty")
        self.everything = self._number("not", self.nothing)

    def _number(self, kind: str, *parts: int, letters: Letters = ANY) -> int:
        key = (kind, parts, letters)
        found = self._numbers.get(key)
        if found is None:
            if len(self._made) >= LARGEST:
                raise ValueError("too large to be compared")
            found = self._numbers[key] = len(self._made)
            self._made.append(key)
        return found

    def letters(self, letters: Letters) -> int:
        return self._number("letters", letters=letters)

    def after(self, first: int, second: int) -> int:
        """`second` after `first`."""
        if self.nothing in (first, second):
            return self.nothing
        if first == self.empty:
            return second
        if second == self.empty:
            return first
        kind, parts, _ = self._made[first]
        if kind == "after":
            return self.after(parts[0], self.after(parts[1], second))
        return self._number("after", first, second)

    def either(self, parts: Iterable[int]) -> int:
        flat: set[int] = set()
        for one in parts:
            kind, inner, _ = self._made[one]
            flat.update(inner if kind == "either" else (one,))
        flat.discard(self.nothing)
        if self.everything in flat:
            return self.everything
        if len(flat) < 2:
            return flat.pop() if flat else self.nothing
        return self._number("either", *sorted(flat))

    def negated(self, one: int) -> int:
        kind, parts, _ = self._made[one]
        return parts[0] if kind == "not" else self._number("not", one)

    def both(self, parts: Iterable[int]) -> int:
        return self.negated(self.either(self.negated(one) for one in parts))

    def repeated(self, one: int) -> int:
        """`one` any number of times, none too."""
        if one in (self.nothing, self.empty):
            return self.empty
        return one if self._made[one][0] == "repeated" else self._number("repeated", one)

    def accepts_empty(self, one: int) -> bool:
        kind, parts, _ = self._made[one]
        match kind:
            case "empty" | "repeated":
                return True
            case "after":
                return all(map(self.accepts_empty, parts))
            case "either":
                return any(map(self.accepts_empty, parts))
            case "not":
                return not self.accepts_empty(parts[0])
        return False

    def derivative(self, one: int, character: str) -> int:
        """What must follow `character` in the texts of `one` that start with it."""
        found = self._derived.get((one, character))
        if found is None:
            found = self._derived[one, character] = self._derive(one, character)
        return found

    def _derive(self, one: int, character: str) -> int:
        kind, parts, (others, listed) = self._made[one]
        match kind:
            case "letters":
                return self.empty if (character in listed) != others else self.nothing
            case "after":
                first, second = parts
                on = self.after(self.derivative(first, character), second)
                return self.either([on, self.derivative(second, character)]) if self.accepts_empty(first) else on
            case "either":
                return self.either([self.derivative(part, character) for part in parts])
            case "not":
                return self.negated(self.derivative(parts[0], character))
            case "repeated":
                return self.after(self.derivative(parts[0], character), one)
        return self.nothing

    def alphabet(self) -> list[str]:
        """One character of each group that no class here tells apart; the empty text is all those in none."""
        classes = {made[2][1] for made in self._made if made[0] == "letters"}
        held: dict[str, list[int]] = {"": []}
        for number, found in enumerate(classes):
            for character in found:
                held.setdefault(character, []).append(number)
        groups: dict[tuple[int, ...], str] = {}
        for character in sorted(held):
            groups.setdefault(tuple(held[character]), character)
        return list(groups.values())


def same_language(one: str, other: str) -> bool:
    """Whether the two accept exactly the same texts. False also where that needs more than `LARGEST` expressions.

    Raises `ValueError` for what is no expression.
    """
    made = Expressions()
    pair = (parse(one, made), parse(other, made))
    try:
        return _same(made, pair)
    except (ValueError, RecursionError):
        return False


def _same(made: Expressions, pair: tuple[int, int]) -> bool:
    alphabet, seen, waiting = made.alphabet(), {pair}, [pair]
    while waiting:
        left, right = waiting.pop()
        if left == right:
            continue
        if made.accepts_empty(left) != made.accepts_empty(right):
            return False
        for character in alphabet:
            found = (made.derivative(left, character), made.derivative(right, character))
            if found not in seen:
                seen.add(found)
                waiting.append(found)
    return True


def parse(text: str, made: Expressions) -> int:
    """The number of the expression that `text` writes. Raises `ValueError` with the place of what is wrong."""
    if len(text) > LONGEST:
        raise ValueError(f"is longer than {LONGEST} characters")
    reader = _Reader(text, made)
    try:
        found = reader.either()
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    if reader.at < len(text):
        raise reader.wrong(f"{text[reader.at]!r} is not expected")
    return found


class _Reader:
    """Recursive descent, a method for each level of binding."""

    def __init__(self, text: str, made: Expressions) -> None:
        self.text, self.made, self.at = text, made, 0

    def wrong(self, problem: str) -> ValueError:
        return ValueError(f"{problem} at character {self.at + 1}")

    def either(self) -> int:
        return self._list("|", self.both, self.made.either)

    def both(self) -> int:
        return self._list("&", self.sequence, self.made.both)

    def sequence(self) -> int:
        parts = []
        while self.at < len(self.text) and self.text[self.at] not in "|&)":
            parts.append(self.repeat())
        found = self.made.empty
        for one in reversed(parts):
            found = self.made.after(one, found)
        return found

    def repeat(self) -> int:
        found = self.negation()
        while self.at < len(self.text) and self.text[self.at] in "*+?{":
            found = self._times(found, *self._bounds())
        return found

    def negation(self) -> int:
        negated = False
        while self._take("~"):
            negated = not negated
        found = self.atom()
        return self.made.negated(found) if negated else found

    def atom(self) -> int:
        if self._take("("):
            found = self.either()
            self._need(")")
            return found
        if self._take("["):
            return self.made.letters(self._class())
        if self._take("."):
            return self.made.letters(ANY)
        if self.at < len(self.text) and self.text[self.at] in "*+?{}]|&)":
            raise self.wrong(f"{self.text[self.at]!r} is not expected")
        return self.made.letters((False, frozenset(self._character())))

    def _list(self, sign: str, part: Callable[[], int], join: Callable[[Iterable[int]], int]) -> int:
        found = [part()]
        while self._take(sign):
            found.append(part())
        return found[0] if len(found) == 1 else join(found)

    def _times(self, one: int, least: int, most: int | None) -> int:
        found = self.made.repeated(one) if most is None else self.made.empty
        for _ in range((most or least) - least):
            found = self.made.either([self.made.empty, self.made.after(one, found)])
        for _ in range(least):
            found = self.made.after(one, found)
        return found

    def _bounds(self) -> tuple[int, int | None]:
        simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        sign = self.text[self.at]
        self.at += 1
        if sign in simple:
            return simple[sign]
        least = self._digits()
        most = least if not self._take(",") else None if self.text[self.at : self.at + 1] == "}" else self._digits()
        self._need("}")
        if max(least, most or 0) > MOST or (most is not None and most < least):
            raise self.wrong(f"repeats more than {MOST} times, or fewer at most than at least")
        return least, most

    def _digits(self) -> int:
        start = self.at
        while self.at < len(self.text) and self.text[self.at] in "0123456789":
            self.at += 1
        if start == self.at or self.at - start > 4:
            raise self.wrong("a number is missing, or too long")
        return int(self.text[start : self.at])

    def _class(self) -> Letters:
        others, found = self._take("^"), set[str]()
        while not self._take("]"):
            first = last = self._character()
            if self.text[self.at : self.at + 1] == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                last = self._character()
            if not 0 <= ord(last) - ord(first) < 1_000:
                raise self.wrong("the range goes backwards, or is too long")
            found.update(map(chr, range(ord(first), ord(last) + 1)))
        return others, frozenset(found)

    def _character(self) -> str:
        escaped = self._take("\\")
        if self.at >= len(self.text):
            raise self.wrong("it ends too soon")
        self.at += 1
        found = self.text[self.at - 1]
        return EDGE if escaped and found == "b" else found

    def _take(self, sign: str) -> bool:
        found = self.at < len(self.text) and self.text[self.at] == sign
        self.at += found
        return found

    def _need(self, sign: str) -> None:
        if not self._take(sign):
            raise self.wrong(f"{sign!r} is missing")
