"""The expressions of workflow files, `${{ … }}`: a small set of the forge's language, and a loud refusal of the rest.

Written from GitHub's "Evaluate expressions in workflows and actions": operators `( ) [ ] . ! == != && ||`, literals,
the functions in `FUNCTIONS`, and the contexts that a job is given. What is outside raises `Unsupported`, so that a
rehearsal never passes because it read something as empty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(?P<number>-?\d+(?:\.\d+)?)|(?P<string>'(?:[^']|'')*')|(?P<name>[A-Za-z_][\w-]*)"
    r"|(?P<mark>==|!=|&&|\|\||[!().,\[\]]))"
)
_TEMPLATE = re.compile(r"\$\{\{((?:(?!\}\}).)*)\}\}", re.DOTALL)
_STATUS = re.compile(r"\b(success|failure|always|cancelled)\s*\(")
_WORDS = {"true": True, "false": False, "null": None}

Contexts = Mapping[str, Any]
Status = Callable[[str], bool]
"""Whether `success`, `failure`, `always` or `cancelled` holds where the condition stands."""


class Unsupported(Exception):
    """A workflow uses something that the rehearsal does not play."""


def _contains(found: Any, wanted: Any) -> bool:
    if isinstance(found, list):
        return any(_equal(one, wanted) for one in found)
    return _text(wanted).lower() in _text(found).lower()


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "fromJSON": lambda text: json.loads(text),
    "toJSON": lambda value: json.dumps(value, indent=2),
    "contains": _contains,
    "startsWith": lambda text, start: _text(text).lower().startswith(_text(start).lower()),
    "endsWith": lambda text, end: _text(text).lower().endswith(_text(end).lower()),
}
STATUS_FUNCTIONS = ("success", "failure", "always", "cancelled")


def evaluate(text: str, contexts: Contexts, status: Status | None = None) -> Any:
    """The value of an expression without its braces. Raises `Unsupported`."""
    parser = _Parser(text, contexts, status)
    value = parser.either()
    if parser.peek():
        raise Unsupported(f"{text!r}: cannot read {parser.peek()!r}")
    return value


def filled(value: Any, contexts: Contexts) -> Any:
    """A value of a workflow file with its expressions evaluated; text that is one expression gives that one's value."""
    if isinstance(value, dict):
        return {key: filled(one, contexts) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, contexts) for one in value]
    if not isinstance(value, str):
        return value
    whole = _TEMPLATE.fullmatch(value.strip())
    if whole:
        return evaluate(whole[1], contexts)
    return _TEMPLATE.sub(lambda match: _text(evaluate(match[1], contexts)), value)


def holds(condition: str | bool | None, contexts: Contexts, status: Status) -> bool:
    """Whether something runs `if: condition`. Without a status function, success is asked for as well."""
    text = "success()" if condition is None else str(condition).lower() if isinstance(condition, bool) else condition
    whole = _TEMPLATE.fullmatch(text.strip())
    text = whole[1] if whole else text
    if not _STATUS.search(text) and not status("success"):
        return False
    return _truth(evaluate(text, contexts, status))


class _Parser:
    """Recursive descent; `&&` and `||` give one of their operands, as the forge's do."""

    def __init__(self, text: str, contexts: Contexts, status: Status | None) -> None:
        self.text, self.contexts, self.status = text, contexts, status
        self.tokens, at, stripped = [], 0, text.strip()
        while at < len(stripped):
            match = _TOKEN.match(stripped, at)
            if match is None:
                raise Unsupported(f"{text!r}: cannot read {stripped[at:]!r}")
            self.tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
            at = match.end()
        self.tokens.reverse()

    def peek(self) -> str:
        return self.tokens[-1][1] if self.tokens else ""

    def take(self, *marks: str) -> str:
        """The next token if it is one of `marks`, which it leaves otherwise."""
        if self.tokens and self.tokens[-1][0] == "mark" and self.tokens[-1][1] in marks:
            return self.tokens.pop()[1]
        return ""

    def need(self, mark: str) -> None:
        if not self.take(mark):
            raise Unsupported(f"{self.text!r}: expected {mark!r}, found {self.peek()!r}")

    def either(self) -> Any:
        value = self.both()
        while self.take("||"):
            other = self.both()
            value = value if _truth(value) else other
        return value

    def both(self) -> Any:
        value = self.compared()
        while self.take("&&"):
            other = self.compared()
            value = other if _truth(value) else value
        return value

    def compared(self) -> Any:
        value = self.unary()
        while mark := self.take("==", "!="):
            value = _equal(value, self.unary()) == (mark == "==")
        return value

    def unary(self) -> Any:
        return not _truth(self.unary()) if self.take("!") else self.reached()

    def reached(self) -> Any:
        """A value and what is taken out of it; what is not there is null, as on the forge."""
        value = self.plain()
        while mark := self.take(".", "["):
            if mark == ".":
                kind, key = self.tokens.pop() if self.tokens else ("", "")
                if kind != "name":
                    raise Unsupported(f"{self.text!r}: expected a name after the dot, found {key!r}")
            else:
                key = self.either()
                self.need("]")
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def plain(self) -> Any:
        if self.take("("):
            value = self.either()
            self.need(")")
            return value
        kind, word = self.tokens.pop() if self.tokens else ("", "")
        if kind == "number":
            return float(word)
        if kind == "string":
            return word[1:-1].replace("''", "'")
        if kind == "name":
            return self.called(word) if self.take("(") else self.named(word)
        raise Unsupported(f"{self.text!r}: cannot read {word!r}")

    def named(self, word: str) -> Any:
        if word in _WORDS:
            return _WORDS[word]
        if word not in self.contexts:
            raise Unsupported(f"{self.text!r}: there is no context {word!r} here")
        found = self.contexts[word]
        if word == "github":  # a misspelt name would be null, and a condition on it silently false
            following = self.tokens[-2][1] if len(self.tokens) > 1 else ""
            if following not in found:
                raise Unsupported(f"{self.text!r}: the rehearsal gives no github.{following}")
        return found

    def called(self, name: str) -> Any:
        given = []
        while not self.take(")"):
            given.append(self.either())
            if not self.take(",") and self.peek() != ")":
                raise Unsupported(f"{self.text!r}: cannot read {self.peek()!r}")
        if name in STATUS_FUNCTIONS and self.status is not None and not given:
            return self.status(name)
        if name not in FUNCTIONS:
            raise Unsupported(f"{self.text!r}: the rehearsal knows no function {name}() here")
        return FUNCTIONS[name](*given)


def _truth(value: Any) -> bool:
    return value not in (None, False, 0, "")


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if value != int(value) else str(int(value))
    if isinstance(value, (dict, list)):
        raise Unsupported(f"{value!r} stands where text is asked for")
    return str(value)


def _number(value: Any) -> float:
    if value is None or value == "":
        return 0.0
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def _equal(one: Any, other: Any) -> bool:
    """Loosely, as the forge compares: text without its case, and different types as numbers."""
    if isinstance(one, str) and isinstance(other, str):
        return one.lower() == other.lower()
    if type(one) is type(other) or isinstance(one, (dict, list)) or isinstance(other, (dict, list)):
        return bool(one == other)
    return _number(one) == _number(other)
