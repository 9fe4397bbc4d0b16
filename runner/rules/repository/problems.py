"""What pydantic says of a record, in the words of the file's author: field path, problem and fix."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from runner.records.base import SLUG_PATTERN, Record


class Problem(NamedTuple):
    """`field` is a path such as `criteria[0].grader.kind`; empty for the whole file."""

    field: str
    problem: str
    hint: str


_TYPES = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
}
_SLUG_HINT = "use lower-case letters, digits and single hyphens, such as late-delivery, at most 64 characters"


def explain(error: ValidationError, kind: type[Record]) -> list[Problem]:
    """Every problem of a record of type `kind`, in the order pydantic found them."""
    found = error.errors(include_url=False)
    locations = [details["loc"] for details in found]
    return [
        _explain_one(details, kind)
        for details in found
        # pydantic calls a list too short when its items are wrong: the items' own problems say more
        if not (details["type"] == "too_short" and any(_below(loc, details["loc"]) for loc in locations))
    ]


def _below(loc: tuple[int | str, ...], above: tuple[int | str, ...]) -> bool:
    return len(loc) > len(above) and loc[: len(above)] == above


def field_path(parts: typing.Iterable[str | int]) -> str:
    """`("criteria", 0, "grader")` as `criteria[0].grader`."""
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else part
    return path


def _explain_one(details: ErrorDetails, kind: type[Record]) -> Problem:
    parts, model = _walk(details["loc"], kind)
    field = field_path(parts)
    what, context = details["type"], details.get("ctx", {})
    if what == "missing":
        hint = f"add `{parts[-1]}:`" + (f" below `{field_path(parts[:-1])}`" if parts[:-1] else "")
        return Problem(field, "is missing", hint)
    if what == "extra_forbidden":
        return Problem(field, "unknown key", _known_keys(str(parts[-1]), model))
    if what in _TYPES:
        problem = f"should be {_TYPES[what]}, is {_shown(details['input'])}"
        return Problem(field, problem, _type_hint(what, details["input"]))
    if what in {"enum", "literal_error"}:
        allowed = str(context.get("expected", "")).replace("'", "")
        return Problem(field, f"{_shown(details['input'])} is not allowed here", _one_of(details["input"], allowed))
    if what == "union_tag_invalid":
        allowed = str(context.get("expected_tags", "")).replace("'", "")
        problem = f"{_shown(context.get('tag'))} is not allowed here"
        return Problem(f"{field}.kind", problem, _one_of(context.get("tag"), allowed))
    if what == "union_tag_not_found":
        return Problem(f"{field}.kind", "is missing", "add `kind:`, which says what the other keys mean")
    return _constraint(field, details)


def _constraint(field: str, details: ErrorDetails) -> Problem:
    """A value of the right type that its field does not take."""
    what, context, value = details["type"], details.get("ctx", {}), _shown(details["input"])
    if what in {"too_short", "string_too_short"}:
        return Problem(field, "is empty", "say something here, or remove the file")
    if what == "string_pattern_mismatch":
        pattern = str(context.get("pattern", ""))
        hints = {SLUG_PATTERN: _SLUG_HINT, r"^[0-9a-f]{64}$": "a sha256 is 64 lower-case hex digits"}
        return Problem(field, f"{value} does not have the right form", hints.get(pattern, f"it must match {pattern}"))
    if what == "string_too_long":
        return Problem(field, f"is longer than {context.get('max_length')} characters", "shorten it")
    bounds = {
        "greater_than": ("gt", "more than"),
        "greater_than_equal": ("ge", "at least"),
        "less_than": ("lt", "less than"),
        "less_than_equal": ("le", "at most"),
    }
    if what in bounds:
        key, words = bounds[what]
        return Problem(field, f"{value} is out of range", f"it must be {words} {context.get(key)}")
    return Problem(field, details["msg"].removeprefix("Value error, "), str(context.get("hint", "")))


def _known_keys(key: str, model: type[Record] | None) -> str:
    known = sorted(model.model_fields) if model is not None else []
    close = _close(key, known)
    start = f"did you mean `{close}`? " if close else ""
    return f"{start}known keys: {', '.join(known)}" if known else "remove it"


def _close(word: str, known: Sequence[str]) -> str:
    import difflib  # what is right needs none

    return next(iter(difflib.get_close_matches(word, known, n=1)), "")


def _one_of(value: Any, allowed: str) -> str:
    names = allowed.replace(" or ", ", ").split(", ")
    close = _close(str(value), names)
    return (f"did you mean {close}? " if close else "") + f"use one of: {', '.join(names)}"


def _type_hint(what: str, value: Any) -> str:
    if what == "string_type" and isinstance(value, (bool, int, float)):
        return "put quotes around it"
    if what in {"int_type", "float_type", "bool_type"} and isinstance(value, str):
        return "remove the quotes" if value.replace(".", "").isdigit() else "write it without quotes, as a plain value"
    if what in {"tuple_type", "list_type"}:
        return "put each item on its own line, after `- `"
    return ""


def _shown(value: Any) -> str:
    """A value, short enough for a message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    text = str(value)
    text = text if len(text) <= 60 else text[:57] + "..."
    return f'"{text}"' if isinstance(value, str) else text


def _walk(loc: tuple[str | int, ...], kind: type[Record]) -> tuple[list[str | int], type[Record] | None]:
    """The path as the file has it (pydantic's own union tags left out), and the model that the last key stands in."""
    annotation: Any = kind
    model: type[Record] | None = None
    path: list[str | int] = []
    for part in loc:
        if part == "[key]":
            continue
        members = list(_records(annotation))
        if len(members) > 1:
            annotation = next((m for m in members if part in _tags(m)), None)
            continue
        path.append(part)
        model = members[0] if members else None
        annotation = _step(annotation, model, part)
    return path, model


def _step(annotation: Any, model: type[Record] | None, part: str | int) -> Any:
    """The annotation one step down from `annotation`."""
    if model is not None:
        field = model.model_fields.get(str(part))
        return field.annotation if field is not None else None
    arguments = [a for a in get_args(_bare(annotation)) if a is not Ellipsis]
    return arguments[-1] if arguments else None


def _bare(annotation: Any) -> Any:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [a for a in get_args(annotation) if a is not type(None)]
        return _bare(rest[0]) if len(rest) == 1 else annotation
    return annotation


def _records(annotation: Any) -> Iterator[type[Record]]:
    """The record types that stand at `annotation` itself: one, or the members of a union."""
    bare = _bare(annotation)
    if isinstance(bare, type) and not get_args(bare) and issubclass(bare, Record):
        yield bare
    elif get_origin(bare) in (Union, types.UnionType):
        for member in get_args(bare):
            yield from _records(member)


def _tags(model: type[Record]) -> tuple[Any, ...]:
    kind = model.model_fields.get("kind")
    return get_args(kind.annotation) if kind is not None else ()
