"""A hand-off in one document: what people state and say, what the evidence makes, and what has happened since."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from runner.records.handoff import Handoff
from runner.records.promotion import PromotionRecord
from runner.rules.handoff.standing import HISTORY, rows_of
from runner.rules.handoff.words import bullets, code, inline, stated, table
from runner.rules.text.fences import open_fences

_HEADING = re.compile(r"#{1,5} ")
NOTHING = "*Nobody has written `handoff.md` yet.*"


def whole(
    generated: str, *, title: str, told: Handoff, people: str, source: str, since: Iterable[PromotionRecord]
) -> str:
    """The document. `generated` is the promotion's part as it was made, its mark first; `source` says where its bytes
    stand; `since` are the promotions after it."""
    later = rows_of(since)
    parts = [
        f"# Hand-off: {inline(title)}",
        "## Terms and use",
        bullets(_terms(told)),
        "## What people say",
        _below(people) or NOTHING,
        "## What the evidence says",
        source,
        _below(generated.partition("\n")[2]),
        "## Since then",
        table(HISTORY, later) if later else "Nothing: it is the last promotion.",
    ]
    return "\n\n".join(parts) + "\n"


def people_part(text: str) -> str:
    """A reviewed text without its front matter."""
    lines = text.splitlines()
    marks = [number for number, line in enumerate(lines) if line.rstrip() == "---"][:2]
    return "\n".join(lines[marks[1] + 1 :] if len(marks) == 2 and marks[0] == 0 else lines).strip()


def _terms(told: Handoff) -> Iterator[str]:
    yield f"**Licence of the adapters:** {stated(told.license)}"
    yield f"**Licence of the data:** {stated(told.data_license)}"
    yield f"**Languages:** {stated(', '.join(told.language))}"
    yield f"**Who answers for it:** {stated(told.owner)}"
    yield f"**Intended use:** {stated(told.intended_use)}"
    yield f"**Out of scope:** {stated(told.out_of_scope)}"
    yield f"**Personal data:** {stated(told.personal_data)}"


def _below(text: str) -> str:
    """The text under another heading: the title that it begins with left out, its headings one lower. What stands in
    fenced blocks stays as it is; a block or a comment that nothing ends does so here, or it would hide what follows."""
    lines: list[str] = []
    whole = text.strip().splitlines()
    after = open_fences(whole)
    for line, *fence in zip(whole, ["", *after], after, strict=False):
        if any(fence) or not _HEADING.match(line):
            lines.append(line)
        elif lines or not line.startswith("# "):
            lines.append(f"#{line}")
    if after and after[-1]:
        lines.append(after[-1])
    if text.rfind("<!--") > text.rfind("-->"):
        lines.append("-->")
    return "\n".join(lines).strip()


def told_source(sha256: str, path: str) -> str:
    """Where the generated part stands as it was signed."""
    return f"As it stands in {code(path)}, sha256 {code(sha256)}, signed with the rest of the evidence."


def made_now(sequence: int) -> str:
    return (
        f"Promotion {sequence} is older than hand-offs: this was made now, of its evidence and of what stands on main "
        "today, and nobody signed these words."
    )
