"""The commands that a document prints: in its blocks, after a prompt or alone on a line, and in its running text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAMS = ("hallmark", "make", "dvc", "git", "cd")
BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPT = re.compile(r"(?P<who>[a-z]*)\$ (?P<command>.+)")
QUOTED = re.compile(rf"`((?:{'|'.join(PROGRAMS)}) [^`]+)`")
COMMENT = re.compile(r"\s+# .*")
DIGEST = re.compile(r"\b[0-9a-f]{12}…")
"""The first half of a demonstration's digest: another one whenever its output is printed anew."""


@dataclass(frozen=True)
class Printed:
    """One command as it is printed, continued lines joined and a comment behind it left out."""

    document: str
    command: str
    who: str = ""
    """The prompt's name; empty where there is none."""

    @property
    def key(self) -> str:
        command = DIGEST.sub("SHA256", self.command)
        return f"{self.who}$ {command}" if self.who else command


def blocks(text: str) -> list[str]:
    return [re.sub(r"\\\n *", "", found) for found in BLOCK.findall(text)]


def of_block(document: str, block: str) -> list[Printed]:
    """Behind prompts where the block has any: its other lines are what the commands said."""
    lines = block.splitlines()
    prompted = [match for line in lines if (match := PROMPT.fullmatch(line))]
    if prompted:
        return [Printed(document, COMMENT.sub("", match["command"]), match["who"]) for match in prompted]
    return [Printed(document, COMMENT.sub("", line)) for line in lines if line.split(" ")[0] in PROGRAMS]


def commands(path: Path, *, running_text: bool = True) -> list[Printed]:
    """Every command of a document, each once, in the order of the blocks and then of the text."""
    text, name = path.read_text(), path.relative_to(ROOT).as_posix()
    found = [one for block in blocks(text) for one in of_block(name, block)]
    if running_text:
        found += [Printed(name, quoted) for quoted in QUOTED.findall(BLOCK.sub("", text))]
    return list(dict.fromkeys(found))


def block_with(path: Path, words: str) -> list[str]:
    """The commands of the one block that says `words`. Raises `ValueError` where it is not one."""
    (block,) = [block for block in blocks(path.read_text()) if words in block]
    return [one.command for one in of_block(path.name, block)]
