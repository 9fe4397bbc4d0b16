"""The governed scenarios of a cluster as the gate needs them: thousands are read on a push, and few are parsed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:  # the hook's second process begins without pydantic
    from runner.ports_promotion import Objects

_FIELD = re.compile(rb"^(capability|rubric): *[\"']?([a-z0-9-]+)[\"']? *\r?$", re.MULTILINE)
_PLAIN, _ODD_KEY = re.compile(rb"(?:#.*\n|\n)*[a-z]"), re.compile(rb"^[\"'?]", re.MULTILINE)
"""Top-level keys stand at the line's start, and none is quoted or complex: a line of some quoted text that looks like a
field is not the only one that the search finds."""


class Said(NamedTuple):
    """The bytes of a scenario file, and what it says."""

    sha256: str
    capability: str
    rubric: str


class Governed(NamedTuple):
    """A file below `scenarios/<cluster>`; what is no YAML has neither capability nor rubric."""

    path: str
    mode: str
    sha256: str
    capability: str
    rubric: str


Parse = Callable[[bytes, str], tuple[str, str]]
"""A scenario file and its path to its capability and rubric. Raises `RecordError`."""


def governed(
    objects: Objects, commit: str, cluster: str, *, known: dict[tuple[str, bool], Said], parse: Parse
) -> tuple[Governed, ...]:
    """The files below `scenarios/<cluster>`, by path. What is read of a blob (as YAML, or not) is put into `known`, and
    not read again; `parse` reads those that cannot be read otherwise."""
    files = objects.files(commit, f"scenarios/{cluster}")
    keys = {path: (file.blob, path.endswith(".yaml")) for path, file in files.items()}
    fresh = {key: path for path, key in keys.items() if key not in known}
    read = objects.blobs(list(dict.fromkeys(blob for blob, _ in fresh)))
    for (blob, is_yaml), path in fresh.items():
        found = (_found(read[blob]) or parse(read[blob], path)) if is_yaml else ("", "")
        known[blob, is_yaml] = Said(hashlib.sha256(read[blob]).hexdigest(), *found)
    return tuple(Governed(path, file.mode, *known[keys[path]]) for path, file in sorted(files.items()))


def _found(data: bytes) -> tuple[str, str] | None:
    """A top-level field of block YAML is found without parsing; none where a key could be written in a way that the
    search passes over."""
    found = _FIELD.findall(data)
    named = dict(found)
    if len(found) != 2 or len(named) != 2 or not _PLAIN.match(data) or _ODD_KEY.search(data):
        return None
    return named[b"capability"].decode(), named[b"rubric"].decode()


Ahead = Callable[[], Mapping[str, tuple[Governed, ...]]]
"""What another process has read meanwhile: the governed files by the tree that holds them."""
