"""A page for each kind of reviewed file: its fields, their types and defaults, and an example, from its JSON Schema.

The schemas carry shapes and limits. What a field means stands below it in `runner/records`, as a string of its own, and
is read from there.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from runner.records.schemas import SCHEMAS, schema

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "handbook" / "examples"
FILES = {
    "scenario": "scenarios/support-desk/core/core-missing-item-03.yaml",
    "rubric": "rubrics/right-queue.yaml",
    "cluster": "clusters/support-desk/cluster.yaml",
    "problem": "clusters/support-desk/problem.md",
    "benchmark-lock": "clusters/support-desk/benchmark.lock",
    "handoff": "clusters/support-desk/handoff.md",
    "params": "params.yaml",
    "data-pointer": "clusters/support-desk/data/gold.jsonl.dvc",
}
"""Examples that stand in this repository anyway; the others are in `handbook/examples/`."""
PATTERNS = {
    "^[a-z0-9]+(-[a-z0-9]+)*$": "id",
    "^[0-9a-f]{64}$": "sha256, 64 hex digits",
    "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$": "time in UTC",
}
"""What the patterns that recur are called."""
WORDS = {"string": "text", "integer": "whole number", "boolean": "true or false"}
LIMITS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minItems": "at least {}",
    "maxItems": "at most {}",
}
OVERVIEW = """# Files

Every kind of reviewed file, and of what the program writes for others to read. `hallmark check` holds the reviewed ones
against these schemas and against each other; editors that know the schemas complete and check while you type
(`hallmark export schemas` writes them). Unknown keys, keys that stand twice, anchors and tags are refused.
"""
HEAD = """# {name}

{description}

The schema for editors is
[{name}.schema.json](../../schemas/{name}.schema.json). An *id* is small letters and digits, in words joined by single
hyphens, with 64 characters at most.
"""


def pages() -> dict[str, str]:
    """The text of each page by its path below docs/; the first lists the files."""
    return {"reference/files/index.md": overview(), **{path(name): page(name) for name in SCHEMAS}}


def overview() -> str:
    rows = [f"| [{name}]({name}.md) | {' '.join(schema(name).get('description', '').split())} |" for name in SCHEMAS]
    return f"{OVERVIEW}\n" + "\n".join(["| file | what it is |", "|---|---|", *rows, ""])


def path(name: str) -> str:
    return f"reference/files/{name}.md"


def page(name: str) -> str:
    """One noun. Objects that its fields are made of follow it, in the order in which they are met."""
    found = schema(name)
    parts = [HEAD.format(name=name, description=prose(found.get("description", "")))]
    parts += ["## Fields\n", table(found, found)]
    for title, part in objects(found):
        parts += [f"### {title}\n", prose(part.get("description", "")), table(part, found)]
    suffix, text = example(name)
    parts += ["## Example\n", f"```{suffix}\n{text.strip()}\n```\n"]
    return "\n".join(parts)


def example(name: str) -> tuple[str, str]:
    """The language of the example, and its text: of problem.md, its front matter."""
    if name in FILES:
        file = ROOT / FILES[name]
    else:
        found = sorted(EXAMPLES.glob(f"{name}.*"))
        if len(found) != 1:
            raise LookupError(f"the schema {name} wants one example: a real file, as handbook/examples/{name}.yaml")
        file = found[0]
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".md":
        text = text.split("---\n")[1]
    return ("json" if file.suffix == ".json" else "yaml"), text


def prose(text: str) -> str:
    return f"{text.strip()}\n" if text.strip() else ""


def objects(whole: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The parts that have fields of their own, each once, nearest first."""
    waiting, seen = list(references(whole.get("properties", {}))), set()
    while waiting:
        title = waiting.pop(0)
        if title in seen:
            continue
        seen.add(title)
        part = whole["$defs"][title]
        if "properties" in part:
            yield title, part
        waiting += references(part)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(found := value.get("$ref"), str):
            yield found.rpartition("/")[2]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def table(part: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    required = set(part.get("required", ()))
    meanings = told(part.get("title", ""), part.get("properties", {}))
    rows = ["| field | type | left out | meaning |", "|---|---|---|---|"]
    for name, value in part.get("properties", {}).items():
        left_out = "required" if name in required else default(value)
        meaning = " ".join((meanings.get(name) or value.get("description", "")).split()).replace("|", "&#124;")
        rows.append(f"| `{name}` | {kind(value, whole)} | {left_out} | {meaning} |")
    return "\n".join(rows) + "\n"


def default(value: Mapping[str, Any]) -> str:
    if "default" not in value or value["default"] is None:
        return "nothing"
    said = value["default"]
    return "none" if said in ([], {}, "") else code(said if isinstance(said, str) else json.dumps(said))


def kind(value: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    """The type in words, with its limits."""
    if "$ref" in value:
        return named(value["$ref"].rpartition("/")[2], whole)
    if parts := value.get("anyOf") or value.get("oneOf"):
        return " or ".join(dict.fromkeys(kind(one, whole) for one in parts))
    if "const" in value:
        return code(value["const"])
    if "enum" in value:
        return choice(value)
    limits = [words.format(value[name]) for name, words in LIMITS.items() if name in value]
    return ", ".join([plain(value, whole), *limits])


def plain(value: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    shape = value.get("type", "anything")
    if shape == "array":
        if inside := value.get("prefixItems"):
            return "list of " + ", ".join(kind(one, whole) for one in inside)
        return f"list of {kind(value.get('items', {}), whole)}"
    if shape == "object":
        inner = [*value.get("patternProperties", {}).values(), value.get("additionalProperties")]
        found = [kind(one, whole) for one in inner if isinstance(one, Mapping)]
        return f"mapping to {found[0]}" if found else "mapping"
    if pattern := value.get("pattern"):
        return PATTERNS.get(pattern) or f"text like {code(pattern)}"
    return WORDS.get(str(shape), str(shape))


def named(title: str, whole: Mapping[str, Any]) -> str:
    part = whole["$defs"][title]
    return f"[{title}](#{title.lower()})" if "properties" in part else kind(part, whole)


def choice(value: Mapping[str, Any]) -> str:
    return "one of " + ", ".join(code(one) for one in value["enum"])


def code(value: Any) -> str:
    """As code; a bar in it does not end the cell of a table."""
    return f"`{value}`"


def told(title: str, fields: Collection[str]) -> dict[str, str]:
    """What `runner/records` says below each field of the class, those of its bases included.

    Where two classes share a name, it is the one that has most of the fields.
    """
    found = [_with_bases(bases, own, fields) for bases, own in _classes().get(title, [])]
    return max(found, key=lambda one: len(one.keys() & set(fields)), default={})


def _with_bases(bases: list[str], own: dict[str, str], fields: Collection[str]) -> dict[str, str]:
    said: dict[str, str] = {}
    for base in bases:
        said |= told(base, fields)
    return {**said, **own}


@cache
def _classes() -> dict[str, list[tuple[list[str], dict[str, str]]]]:
    """By class name: names of its bases, and its fields with the string below each, empty where there is none."""
    found: dict[str, list[tuple[list[str], dict[str, str]]]] = {}
    for file in sorted((ROOT / "runner" / "records").glob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id != node.name]
                found.setdefault(node.name, []).append((bases, _documented(node)))
    return found


def _documented(node: ast.ClassDef) -> dict[str, str]:
    said: dict[str, str] = {}
    for field, below in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            text = below.value.value if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) else ""
            said[field.target.id] = str(text)
    return said
