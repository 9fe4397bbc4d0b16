"""A rubric's JSON schema: all it refers to stands in it, so that nothing is fetched, and its patterns are rubrics'."""

import json
from collections.abc import Iterator
from typing import Any

from runner.records.patterns import check_pattern, unusable

_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def check_schema(text: str) -> str:
    """The schema's text. Raises `ValueError` for a reference out of it, an address of its own, or such a pattern."""
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise unusable("is not JSON", "write the schema as JSON text") from error
    for one in _objects(schema):
        for name in _REFERENCES:
            if isinstance(one.get(name), str) and not one[name].startswith("#"):
                raise unusable(
                    f"{name} {one[name][:60]!r} leaves the schema", "copy it under $defs, and refer to #/$defs/…"
                )
        if isinstance(one.get("$id"), str):
            raise unusable("has an $id, against which references would be read", "remove it")
        if isinstance(one.get("patternProperties"), dict):
            raise unusable("uses patternProperties", "name the properties, or use propertyNames with a pattern")
        if isinstance(one.get("pattern"), str):
            check_pattern(one["pattern"])
    return text


def _objects(schema: Any) -> Iterator[dict[str, Any]]:
    waiting = [schema]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
