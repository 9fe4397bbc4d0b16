"""What git runs before a push moves refs: `hallmark hook install` writes a script that calls it.

It begins without click and without the gate: those are imported while a second process reads scenarios.
"""

from __future__ import annotations

import gc
import os
import sys
from contextlib import closing
from pathlib import Path

from runner.cli.said import TOLD, reasons, told, undisturbed
from runner.errors import ExitCode
from runner.promotion.updates import ABSENT, MAIN, read_updates
from runner.wiring.hook import NOTHING, now, read_ahead


def main() -> None:
    """Judge the ref updates on standard input: `REPOSITORY ROOT [STORE]`. Refuses all of them if one is refused."""
    undisturbed()
    gc.disable()  # it ends before there is much to collect
    repository, root, *store = sys.argv[1:]
    try:
        code = judge_updates(Path(repository), root, Path(store[0]) if store else None)
    except TOLD as error:
        message, code = told(error)
        print(message, file=sys.stderr)
    sys.stderr.flush()
    os._exit(code)  # the interpreter would first take thousands of records apart


def judge_updates(repository: Path, root: str, store: Path | None) -> ExitCode:
    """The hook's work. Raises `HallmarkError` where it could not judge."""
    updates = read_updates(sys.stdin.read())
    steps = [one for one in updates if one.ref == MAIN and ABSENT not in (one.old, one.new)]
    at = now()
    ahead = read_ahead(repository, old=steps[0].old, new=steps[0].new, at=at) if len(steps) == 1 else NOTHING

    from runner.promotion.hook import refuse_or_pass
    from runner.wiring import gate  # what follows takes most of the time that a push takes

    code = ExitCode.DONE
    with closing(gate.bare(repository, store=store, asked=ahead.git, answered=ahead.signatures)) as room:
        for update in updates:
            sources = room.pushed(update.ref, update.new, ahead=ahead.scenarios)
            verdict = refuse_or_pass(sources, update, root=root, now=at, clock=at)
            if not verdict.passed:
                code = ExitCode.REFUSED
                print("\n".join([f"hallmark refuses {update.ref}:", *reasons(verdict)]), file=sys.stderr)
    return code
