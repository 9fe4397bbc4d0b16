"""`hallmark gate`: judge one step of main."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.verdicts import show
from runner.errors import ExitCode, RecordError
from runner.promotion.gather import Step
from runner.promotion.judge import judge
from runner.wiring import gate as wiring


@click.command()
@click.argument("base")
@click.argument("head")
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--store", type=click.Path(exists=True, file_okay=False, path_type=Path), help="DVC storage directory.")
@click.option("--no-bytes", is_flag=True, help="Leave the adapter's bytes out: a look ahead, not a judgement.")
@click.option("--offline", is_flag=True, help="By what was fetched last: ask no remote, and leave the bytes out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def gate(
    base: str, head: str, directory: Path, store: Path | None, no_bytes: bool, offline: bool, as_json: bool
) -> ExitCode:
    """May main go from BASE to HEAD? The verdict lists every reason why not.

    Policy, keys and limits are read from BASE. HEAD is one first-parent step: a merge, or a squashed commit.
    Rejections count that stand on the change's branch, as origin had it when it was fetched last, merged or not.
    With --offline the ledger is the one that was fetched last, and adapters' bytes are left to approvers and the
    receipt, who check every one: what a job without keys to the data store can say.
    Exits 0 if it may, 1 if it may not, 5 where it could not be judged.

    Example: hallmark gate origin/main HEAD
    """
    room = wiring.room(directory, store=store, with_bytes=not (no_bytes or offline))
    ends = [room.repository.resolve(name) for name in (base, head)]
    missing = [name for name, found in zip((base, head), ends, strict=True) if found is None]
    if missing:
        raise RecordError(f"there is no commit {missing[0]}", hint="fetch it first")
    old, new = (str(end) for end in ends)
    now = wiring.now()
    judgement = judge(room.offline() if offline else room.sources(), Step(old, new, now, clock=now, heads=room.heads))
    change = str(judgement.facts.change) if judgement.facts.change else None
    headline = f"{old[:12]} -> {new[:12]} ({change or 'no one class'})"
    more = {"base": old, "head": new, "change": change, "manifest": judgement.facts.manifest}
    return show(judgement.verdict, headline=headline, as_json=as_json, **more)
