"""`python -m tests.rehearsal`: play the workflows without a forge, and print what came of each event.

Exits 1 if it is not what it must be. The embedded specialist is trained for real, with `--short` for seconds, and the
light jobs install themselves from the package registry. With `--quick` models are simulated and nothing is installed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.rehearsal import gitlab
from tests.rehearsal.environments import Installed
from tests.rehearsal.expressions import Unsupported
from tests.rehearsal.play import Play, Row, Texts, Wrong
from tests.rehearsal.world import ROOT, embedded, shortened, simulated, small_desk, whole_project

SMALL = Texts(
    like="core-broken-00",
    first="the lamp came cracked again and is leaking",
    second="my new mirror was shattered and bent today",
    third="can you help me the vase is snapped and scratched",
)
DESK = Texts(
    like="core-account-access-01",
    first="The page says my email belongs to nobody, though you write to it every week.",
    second="I changed phones and the code goes to the old one, so I am shut out of my account.",
    third="Your sign-in page turns in circles after I type the number you texted me.",
)
STRIKE = "sweep        done"
"""Where the machine dies: the next phase trains the adapter."""
SEEDS = {"quick": small_desk, "short": shortened, "whole": whole_project}
COLUMNS = {"event": 34, "workflow": 20, "jobs": 44, "result": 9, "what became of origin": 44}


def table(rows: Sequence[Row]) -> Table:
    found = Table(show_lines=True)
    for name, width in COLUMNS.items():
        found.add_column(name, max_width=width, overflow="fold")
    for row in rows:
        found.add_row(row.event, row.workflow, "\n".join(row.jobs), row.result, row.became)
    return found


def rehearse(home: Path, size: str) -> Play:
    """Play every act in `home`, which is made anew. Raises `Wrong` and `Unsupported`."""
    quick = size == "quick"
    world = simulated(home) if quick else embedded(home)
    forge = world.begin(SEEDS[size])
    play = Play(world, SMALL if quick else DESK, STRIKE, show=printed(time.monotonic()))
    try:
        play.run()
    finally:
        forge.close()
    return play


def printed(began: float) -> Callable[[Row], None]:
    """Prints a row as soon as it is known."""

    def show(row: Row) -> None:
        words = [row.event or "  and", row.workflow, ", ".join(row.jobs), row.result, row.became]
        print(f"{time.monotonic() - began:7.1f} s  " + " | ".join(word for word in words if word), flush=True)

    return show


def _gitlab(home: Path, console: Console) -> int:
    if lacking := gitlab.missing():
        print(f"\nGitLab's file is not played: {lacking} is missing")
        return 1
    try:
        console.print(table(gitlab.rehearse(home / "gitlab", SMALL, printed(time.monotonic()))))
    except Wrong as error:
        print(f"\nnot as it must be: {error}")
        return 1
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.rehearsal", description="Play CI without a forge.")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_const", dest="size", const="quick", help="simulated models")
    size.add_argument(
        "--short", action="store_const", dest="size", const="short", help="real ones, trained for seconds"
    )
    parser.set_defaults(size="whole")
    parser.add_argument("--directory", type=Path, default=ROOT / "build" / "rehearsal", help="made anew")
    parser.add_argument("--only", choices=["github", "gitlab"], help="one forge alone")
    options = parser.parse_args()
    home = options.directory.resolve()
    began, code, console = time.monotonic(), 0, Console(width=170)
    if options.only != "gitlab":
        shutil.rmtree(home / "github", ignore_errors=True)
        try:
            play = rehearse(home / "github", options.size)
            console.print(table(play.rows))
            environments = play.world.environments
            for command, said in environments.said.items() if isinstance(environments, Installed) else ():
                print(f"{command}\n  {said}")
        except (Wrong, Unsupported) as error:
            print(f"\nnot as it must be: {error}")
            code = 1
    if options.only != "github":
        code = max(code, _gitlab(home, console))
    print(f"\n{'all as it must be' if not code else 'WRONG'}, {time.monotonic() - began:.0f} s; the logs are in {home}")
    return code


if __name__ == "__main__":
    sys.exit(main())
