"""Reviewed files in canonical form: the layout in which Hallmark itself writes them, with the people's comments.

Nothing is said otherwise than before: the value is the same, fields keep their order and comments their field.
"""

from __future__ import annotations

from runner.edges.yaml_comments import comments, remarks
from runner.edges.yaml_dump import dump
from runner.edges.yaml_files import front_matter, load
from runner.errors import RecordError
from runner.records.base import Record


def canonical_form(data: bytes, kind: type[Record], *, path: str) -> bytes:
    """A file of `kind` in canonical form; of a text, its front matter. The same bytes where they are so already.

    Raises `RecordErrors` for what is not strict YAML, and `RecordError` where a comment would be lost.
    """
    if not path.endswith(".md"):
        return _formatted(data, path=path, first_line=1, max_bytes=kind.MAX_BYTES)
    head, body = front_matter(data, path=path)
    return b"---\n" + _formatted(head, path=path, first_line=2, max_bytes=kind.MAX_BYTES) + b"---\n" + body.encode()


def _formatted(data: bytes, *, path: str, first_line: int, max_bytes: int) -> bytes:
    value = load(data, path=path, first_line=first_line, max_bytes=max_bytes).value
    if b"#" not in data and b"\n\n" not in data and (plain := dump(value)) == data:
        return plain
    found = dump(value, remarks=remarks(data))
    again = load(found, path=path, first_line=first_line, max_bytes=max(max_bytes, len(found)))
    if again.value != value or comments(found) != comments(data):
        hint = "move the comment to a line of its own above the field it is about"
        raise RecordError("cannot be put in canonical form with all that it says", path=path, hint=hint)
    return found
