"""Whether a text is JSON that a schema accepts, in a time that neither can stretch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from runner.errors import RecordError
from runner.records.patterns import Instruction, program
from runner.rules.text.matching import OutOfSteps, Steps, found
from runner.rules.text.shown import quoted

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator


Keyword = Callable[[Any, Any, Any, Any], Iterable["ValidationError"]]

_STEPS: ContextVar[Steps] = ContextVar("steps")
"""What all patterns and references of a schema may take together in the answer at hand."""
_REFERENCES = ("$ref", "$dynamicRef")
OF_A_REFERENCE = 100
"""Steps that following one counts for. Two alternatives that refer to the whole double at each level of an answer."""


def conforms(answer: str, schema: str) -> bool:
    """Whether `answer` is JSON that the schema accepts. Raises `RecordError` for a schema that cannot be used."""
    return not misfit(answer, schema)


def misfit(answer: str, schema: str) -> str:
    """Why `answer` is no JSON that the schema accepts, at the first place where it is not; empty where it is. Raises
    `RecordError` for a schema that cannot be used."""
    try:
        value = json.loads(answer)
        json.dumps(value, allow_nan=False)  # Python reads NaN and infinities, JSON has none
    except (ValueError, RecursionError):
        return "is no JSON"
    from referencing.exceptions import Unresolvable

    _STEPS.set(Steps())
    try:
        wrong = next(_validator(schema).iter_errors(value), None)
    except Unresolvable as error:
        raise RecordError(f"refers to what is not in it: {error.ref}", field="json_schema") from error
    except (OverflowError, RecursionError):
        return "has too large a number, or is nested too deeply"
    except OutOfSteps as error:
        return f"the schema {error} and was given up"
    if wrong is None:
        return ""
    return f"the schema's {wrong.validator or 'false'} does not accept {quoted(wrong.json_path)}"


def check_schema(schema: str) -> None:
    """Raises `RecordError` for what is no JSON schema."""
    _validator(schema)


@lru_cache(maxsize=256)
def compiled(pattern: str) -> tuple[Instruction, ...]:
    return program(pattern)


def _has_pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """The keyword `pattern`, in linear time."""
    from jsonschema.exceptions import ValidationError

    if validator.is_type(instance, "string") and not found(compiled(pattern), instance, steps=_STEPS.get(None)):
        yield ValidationError("does not match the pattern")


def _counted(keyword: Keyword) -> Keyword:
    """A keyword that refers to another schema, as one of so many steps."""

    def follow(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if (steps := _STEPS.get(None)) is not None:
            steps.spend(OF_A_REFERENCE)
        yield from keyword(validator, value, instance, schema)

    return follow


def _unique(validator: Any, wanted: bool, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """The keyword `uniqueItems`; jsonschema's own compares every item with every other."""
    from jsonschema.exceptions import ValidationError

    if wanted and validator.is_type(instance, "array"):
        written = {json.dumps(plain(item), sort_keys=True) for item in instance}
        if len(written) < len(instance):
            yield ValidationError("has non-unique elements")


def plain(value: Any, same: Callable[[str], str] = str) -> Any:
    """A JSON value with its whole numbers as integers, since 1 is 1.0, and its strings as `same` makes them."""
    if isinstance(value, dict):
        return {key: plain(inner, same) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner, same) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return same(value) if isinstance(value, str) else value


@lru_cache(maxsize=256)
def _validator(schema: str) -> Validator:
    """Refers to nothing but itself: the registry is empty, and fetches nothing."""
    from jsonschema import Draft202012Validator, validators  # a tenth of a second, which the gate does not need
    from jsonschema.exceptions import SchemaError
    from referencing import Registry

    try:
        parsed = json.loads(schema)
        Draft202012Validator.check_schema(parsed)
    except (ValueError, RecursionError, SchemaError) as error:
        raise RecordError("not a JSON schema of draft 2020-12", field="json_schema") from error
    extend: Callable[..., Any] = validators.extend
    references = {name: _counted(Draft202012Validator.VALIDATORS[name]) for name in _REFERENCES}
    keywords = {"pattern": _has_pattern, "uniqueItems": _unique, **references}
    made: Validator = extend(Draft202012Validator, keywords)(parsed, registry=Registry())
    return made
