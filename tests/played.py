"""A tutorial is played: what its page tells people to type is typed, in order, and what it prints is compared.

A block of the language `console` has commands behind prompts (`rowan$ hallmark check`; the name says whose terminal it
is) and below each what it said. A block with a title is a file, written where the last command was typed. A comment
`<!-- exits 1 -->` before a block is the exit code of its last command. In what was said, `…` stands for any text or,
alone on a line, for any lines; digests, dates, durations and counts of files are anybody's.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runner.wiring.flywheel import root_of_trust
from tests.governed_desk import BIN
from tests.printed import PROMPT

BLOCK = re.compile(
    r"^(?:<!-- exits (?P<code>\d+) -->\n)?```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
PROGRESS = re.compile(r"^(?:looking for alike texts|measuring what real data alone reaches|writing files) \d+%\n", re.M)
"""What a slow machine says while it works, and a fast one does not."""
ANYBODYS = (
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "TIME"),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{7,64}\b"), "DIGEST"),
    (re.compile(r"\b(?:\d+ h )?(?:\d+ m )?\d+(?:\.\d+)? s\b"), "SECONDS"),
    (re.compile(r"\b[\d,]+ files\b"), "FILES"),
    (re.compile(r"[ \t]+"), " "),
)
FIGURE = re.compile(r"\d[\d,.]*(?:e-\d+)?")
ASKED = re.compile(r"(\[y/N\]: )(\w+)\n?")
ANY, ANY_LINES = "…", r"(?:.*\n)*?"


@dataclass(frozen=True)
class Command:
    """What a person types, and what that should say; nothing is compared where the page shows nothing."""

    who: str
    line: str
    said: str
    code: int


@dataclass(frozen=True)
class Written:
    path: str
    text: str


def steps(page: str) -> Iterator[Command | Written]:
    for block in BLOCK.finditer(page):
        if block["title"]:
            yield Written(block["title"], block["text"])
        elif block["language"] == "console":
            yield from commands(block["text"], int(block["code"] or 0))


def commands(text: str, last: int) -> Iterator[Command]:
    """Each prompt with the lines below it. `last` is the exit code of the last command; the others end with 0."""
    found: list[tuple[re.Match[str], list[str]]] = []
    for line in re.sub(r"\\\n *", "", text).splitlines():
        if match := PROMPT.fullmatch(line):
            found.append((match, []))
        else:
            found[-1][1].append(line)
    for number, (match, said) in enumerate(found, 1):
        yield Command(match["who"], match["command"], "\n".join(said), last if number == len(found) else 0)


@dataclass
class Stage:
    """Where a page is played. `stand_ins` do what a command does, by its text, where it would take minutes.

    `figures` are compared only where the machine that printed the page and this one must agree on them.
    """

    checkout: Path
    home: Path
    figures: bool = True
    stand_ins: Mapping[str, Callable[[], None]] = field(default_factory=dict)
    at: dict[str, Path] = field(default_factory=dict)
    now: str = ""

    @property
    def practice(self) -> Path:
        return self.checkout / "build" / "practice"

    def play(self, page: Path, *, before: str = "") -> int:
        """Play it, or what stands before a heading; the number of commands."""
        text, done = page.read_text(encoding="utf-8"), 0
        assert before in text
        for step in steps(text.split(before)[0] if before else text):
            if isinstance(step, Written):
                path = self.where(self.now) / step.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(step.text, encoding="utf-8")
            else:
                self.now = step.who
                self.type(step)
                done += 1
        return done

    def where(self, who: str) -> Path:
        return self.at.get(who) or (self.practice / who if who else self.checkout)

    def type(self, step: Command) -> None:
        if stand_in := self.stand_ins.get(step.line):
            stand_in()
            return
        asked, place = ASKED.search(step.said), shlex.quote(str(self.home / ".where"))
        done = subprocess.run(
            ["bash", "-uo", "pipefail", "-c", f"{self.filled(step.line)}\ncode=$?; pwd > {place}; exit $code"],
            cwd=self.where(step.who),
            env=self.environment(step.who),
            input=f"{asked[2]}\n" if asked else "",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.at[step.who] = Path((self.home / ".where").read_text().strip())
        assert done.returncode == step.code, f"{step.who}$ {step.line}\nexited {done.returncode}:\n{done.stdout}"
        if step.said:
            told = same(step.said, done.stdout, figures=self.figures)
            assert told, f"{step.who}$ {step.line}\nthe page says:\n{step.said}\n\nit said:\n{done.stdout}"

    def filled(self, line: str) -> str:
        """What a reader puts in by hand: the iteration's name, and the root of trust."""
        if "ITERATION" in line:
            listed = subprocess.run(
                ["git", "for-each-ref", "--format=%(refname)", "refs/heads/runs"],
                cwd=self.practice / "origin.git",
                capture_output=True,
                text=True,
                check=True,
            )
            line = line.replace("ITERATION", listed.stdout.strip().rpartition("/")[2])
        return line.replace("SHA256", root_of_trust(self.practice / "desk")) if "SHA256" in line else line

    def environment(self, who: str) -> dict[str, str]:
        """This project's commands, and nobody's configuration but the clone's. Reader and CI have a name."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "HALLMARK_"))}
        own = {"HOME": str(self.home), "PATH": f"{BIN}:{os.environ['PATH']}", "GIT_CONFIG_GLOBAL": os.devnull}
        if who in ("", "ci"):
            for role in ("AUTHOR", "COMMITTER"):
                own |= {f"GIT_{role}_NAME": who or "reader", f"GIT_{role}_EMAIL": f"{who or 'reader'}@example.com"}
        return {**kept, **own, "GIT_CONFIG_NOSYSTEM": "1", "COLUMNS": "200"}


def same(page: str, said: str, *, figures: bool = True) -> bool:
    """Whether what was said is what the page shows."""
    lines = plain(ASKED.sub(r"\1", page), figures=figures).splitlines()
    whole = "".join(ANY_LINES if line == ANY else f"{'.*'.join(map(re.escape, line.split(ANY)))}\n" for line in lines)
    return re.fullmatch(whole, plain(said, figures=figures) + "\n") is not None


def plain(text: str, *, figures: bool) -> str:
    """Without what differs from run to run, and from terminal to terminal."""
    text = PROGRESS.sub("", text)
    for found, name in ANYBODYS:
        text = found.sub(name, text)
    if not figures:
        text = FIGURE.sub("N", text)
    return "\n".join(line.strip() for line in text.strip().splitlines())
