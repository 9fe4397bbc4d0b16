"""Where a Markdown text shows code: between fences (CommonMark 0.31, 4.5)."""

from __future__ import annotations

import re
from collections.abc import Iterable

_FENCE = re.compile(r"\s*(`{3,}|~{3,})(.*)")


def open_fences(lines: Iterable[str]) -> list[str]:
    """After each line, the fence of the code block that is open, or nothing."""
    found, mark = [], ""
    for line in lines:
        match = _FENCE.match(line)
        if match and not mark and not (match[1][0] == "`" and "`" in match[2]):
            mark = match[1]
        elif match and mark and match[1].startswith(mark) and not match[2].strip():
            mark = ""
        found.append(mark)
    return found
