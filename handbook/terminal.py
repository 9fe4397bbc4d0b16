"""A picture of a terminal: what commands really print, as an SVG that names no font of another server.

Example: (cd build/practice/ash && python -m handbook.terminal status.svg ash "hallmark status support-desk")
"""

from __future__ import annotations

import io
import os
import pty
import re
import struct
import subprocess
import sys
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

COLUMNS, ROWS = 140, 50
FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
THEME = TerminalTheme(
    (250, 250, 250),
    (40, 44, 52),
    [
        (40, 44, 52),
        (180, 35, 40),
        (30, 120, 60),
        (150, 100, 0),
        (30, 90, 170),
        (130, 60, 150),
        (0, 110, 125),
        (90, 90, 90),
    ],
    [
        (120, 120, 120),
        (210, 50, 55),
        (40, 150, 80),
        (180, 125, 10),
        (50, 115, 200),
        (155, 85, 175),
        (0, 140, 155),
        (40, 44, 52),
    ],
)


def shown(command: str) -> str:
    """What the command prints on a terminal of its own, its escape sequences included."""
    ours, theirs = pty.openpty()
    ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    with subprocess.Popen(command, shell=True, stdout=theirs, stderr=theirs, env=environment):
        os.close(theirs)
        said = bytearray()
        while part := _read(ours):
            said += part
    os.close(ours)
    return said.decode().replace("\r\n", "\n")


def _read(end: int) -> bytes:
    """The next bytes; none where the other end was closed, which Linux tells as an error."""
    try:
        return os.read(end, 65536)
    except OSError:
        return b""


def picture(who: str, said: dict[str, str]) -> str:
    """The SVG of commands, each behind its prompt with what it printed below it."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for command, text in said.items():
        console.print(Text.assemble((f"{who}$ ", "bold"), command))
        console.print(Text.from_ansi(text.rstrip("\n")))
    return FONT.sub("", console.export_svg(title="", theme=THEME, unique_id="terminal"))


def main(arguments: list[str]) -> None:
    target, who, *commands = arguments
    Path(target).write_text(picture(who, {command: shown(command) for command in commands}), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
