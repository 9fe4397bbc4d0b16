"""Text that a reviewer sees as it is: UTF-8 of a bounded size, without characters that do not show."""

from __future__ import annotations

import re

from runner.edges.yaml_scalars import INVISIBLE, escape
from runner.errors import RecordError, RecordErrors

_FORBIDDEN = re.compile(rf"[\x00-\x09\x0b\x0c\x0e-\x1f{INVISIBLE}]|\r(?!\n)")


def check_text(data: bytes, *, path: str, max_bytes: int, first_line: int, tabs: bool = False) -> str:
    """UTF-8 text of a bounded size without characters that a reviewer cannot see."""
    if len(data) > max_bytes:
        problem = f"is {len(data):,} bytes long"
        raise RecordErrors([RecordError(problem, path=path, hint=f"at most {max_bytes:,} are read; split the file")])
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = first_line + data.count(b"\n", 0, error.start)
        problem = f"is not UTF-8: byte 0x{data[error.start]:02x} cannot be read"
        raise RecordErrors([RecordError(problem, path=path, line=line, hint="save the file as UTF-8")]) from None
    errors = []
    for match in _FORBIDDEN.finditer(text):
        if tabs and match[0] == "\t":
            continue
        line = first_line + text.count("\n", 0, match.start())
        problem, hint = _forbidden(match[0])
        errors.append(RecordError(problem, path=path, line=line, hint=hint))
        if len(errors) == 20:
            break
    if errors:
        raise RecordErrors(errors)
    return text


def _forbidden(character: str) -> tuple[str, str]:
    if character == "\t":
        return "a tab stands here", 'indent with spaces; inside a text write "\\t" between double quotes'
    if character == "\ufeff":
        return "a byte-order mark stands here", "save the file as UTF-8 without BOM"
    if character == "\r":
        return "a lone carriage return stands here", "end lines with a line feed"
    code = f"U+{ord(character):04X}"
    return f"the invisible character {code} stands here", f'remove it, or write "{escape(character)}" in double quotes'
