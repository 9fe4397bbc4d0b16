"""Kill every command that writes at every point that it comes to, run it again, and compare what it leaves.

What a command leaves undisturbed is what it must leave after any blow: the ledger's entries to the byte but for
`measured`, refs, and files. Entries from before a blow are looked at right after it, before anything could mend them.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.attack.ledger import Row
from tests.attack.struck import Blow, Strike, run
from tests.attack.works import Work, works

FULL = "No space left on device"
SAME, ENDED = "the same", "ended before"


def struck(work: Work, strike: Strike, home: Path, *, again: bool = True) -> Row:
    """Let one blow befall the command in the world `home`, then (or not yet) run it to its end and compare."""
    before = work.entries(home)
    ended = run(work.command, home, strike)
    problems = []
    if ended.code == 0:
        return Row(f"{work.name}: {strike}", SAME, ENDED, strike.point or "")
    wanted = -9 if strike.blow is Blow.KILL else 5
    if ended.code != wanted:
        problems.append(f"exit {ended.code}: {ended.said[-200:]}")
    if strike.blow is Blow.FULL and not (FULL in ended.said and "/" in ended.said):
        problems.append(f"names no file: {ended.said[-200:]}")
    if work.entries(home)[: len(before)] != before:
        problems.append("entries from before changed")
    if again and not problems:
        problems += finish(work, home)
    return Row(f"{work.name}: {strike}", SAME, "; ".join(problems) or SAME, strike.point or "")


def finish(work: Work, home: Path) -> list[str]:
    """Run the command again, undisturbed. How what it leaves differs from what it should leave."""
    ended = run(work.command, home)
    if ended.code:
        return [f"again: exit {ended.code}: {ended.said[-300:]}"]
    return differences(work, home)


def differences(work: Work, home: Path) -> list[str]:
    """How what the command has left differs from what it leaves undisturbed."""
    left, wanted = work.state(home), work.undisturbed[0]
    return [
        f"{key} differs: {left[key]!r:.150} and not {wanted[key]!r:.150}" for key in wanted if left[key] != wanted[key]
    ]


def each_point_once(work: Work, blow: Blow) -> list[Row]:
    """The command struck at the first pass of each point, each time in a world of its own."""
    return [struck(work, one, work.copy("struck")) for one in work.first_passes(blow)]


def in_a_chain(work: Work, strikes: Sequence[Strike]) -> list[Row]:
    """One world, struck again and again: each command takes up what the one before left. At its end all is compared.

    A command that ends before its blow comes ends the chain.
    """
    home, rows = work.copy("chain"), list[Row]()
    for one in strikes:
        rows.append(struck(work, one, home, again=False))
        if rows[-1].got == ENDED:
            rows.pop()
            break
    problems = finish(work, home)
    return [*rows, Row(f"{work.name}: after {len(rows)} blows", SAME, "; ".join(problems) or SAME, "")]


def kills(seed: int, count: int) -> list[Row]:
    """`count` kills: two thirds at points drawn from every command but `iterate`, the rest in chains of that one, each
    chain with a row of its own for its end."""
    rng, rows = random.Random(seed), list[Row]()
    with tempfile.TemporaryDirectory(prefix="hallmark-kills-") as folder:
        every = works(Path(folder))
        turn = every.pop("iterate")
        light = [(work, one) for work in every.values() for one in work.strikes(Blow.KILL)]
        for work, one in rng.choices(light, k=count - count // 3):
            rows.append(struck(work, one, work.copy("struck")))
        first = turn.first_passes(Blow.KILL)
        while (left := count - struck_rows(rows)) > 0:
            drawn = set(rng.sample(first, min(left, 16)))
            rows += in_a_chain(turn, [one for one in first if one in drawn])
    return rows


def struck_rows(rows: Sequence[Row]) -> int:
    """How many of the rows are blows; the others are the ends of chains."""
    return sum(bool(row.step) for row in rows)
