"""What git runs before a push moves refs: `hallmark hook install` writes a script that calls it.

It asks the process that stays (`runner.cli.resident`), which has the gate imported. Where none stays, it judges by
itself and begins one for the next push. By itself it begins without the gate, which is imported while a second process
reads scenarios.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

from runner.cli.said import TOLD, told, undisturbed
from runner.wiring.resident import Answer, ask, begin

STAY = "from runner.cli.resident import main; main()"


def main(*, resident: bool = True) -> None:
    """Judge the ref updates on standard input: `REPOSITORY ROOT [STORE]`. Refuses all of them if one is refused."""
    arguments, updates = sys.argv[1:], sys.stdin.buffer.read().decode(errors="surrogateescape")
    answer = ask(arguments, updates) if resident else None
    if answer is not None:
        _end(answer)
    undisturbed()
    gc.disable()  # it ends before there is much to collect
    answer = judged(arguments, updates)
    if resident:
        begin(STAY)
    _end(answer)


def judged(arguments: Sequence[str], updates: str) -> Answer:
    """The hook's work: how it exits, and what it says before."""
    try:
        return _judge(arguments, updates)
    except TOLD as error:
        message, code = told(error)
        return Answer(code, f"{message}\n")


def _judge(arguments: Sequence[str], text: str) -> Answer:
    from contextlib import closing
    from pathlib import Path

    from runner.cli.said import reasons
    from runner.errors import ExitCode
    from runner.promotion.updates import ABSENT, MAIN, read_updates
    from runner.wiring.hook import NOTHING, now, read_ahead

    repository, root, *stores = arguments
    path, store = Path(repository), Path(stores[0]) if stores else None
    updates = read_updates(text)
    steps = [one for one in updates if one.ref == MAIN and ABSENT not in (one.old, one.new)]
    at = now()
    ahead = read_ahead(path, old=steps[0].old, new=steps[0].new, at=at) if len(steps) == 1 else NOTHING

    from runner.promotion.hook import refuse_or_pass
    from runner.wiring import gate  # what follows takes most of the time that a push takes

    said = []
    with closing(gate.bare(path, store=store, asked=ahead.git, answered=ahead.signatures)) as room:
        for update in updates:
            sources = room.pushed(update.ref, update.new, ahead=ahead.scenarios)
            verdict = refuse_or_pass(sources, update, root=root, now=at, clock=at)
            if not verdict.passed:
                said += [f"hallmark refuses {update.ref}:", *reasons(verdict)]
    return Answer(ExitCode.REFUSED if said else ExitCode.DONE, "".join(f"{line}\n" for line in said))


def _end(answer: Answer) -> None:
    print(answer.said, end="", file=sys.stderr, flush=True)
    os._exit(answer.code)  # the interpreter would first take thousands of records apart
