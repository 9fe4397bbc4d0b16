"""`hallmark status`: the fleet at a glance, or one cluster in full."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import click

from runner.errors import ExitCode
from runner.records.ledger import RunState
from runner.rules.loop.fleet import chosen
from runner.rules.loop.fleet_table import table, total
from runner.rules.text.shown import shown
from runner.wiring.fleet import fleet

PIPED = sys.maxsize
"""Columns where the output is no terminal: nothing is cut or wrapped."""
BEHIND = "\nmain here is not the remote's: `git pull` for what was merged meanwhile"
STYLES: dict[str, dict[str, Any]] = {"head": {"dim": True}, "name": {"bold": True}, "below": {"fg": "red"}}


@click.command()
@click.argument("cluster", required=False)
@click.option("--waiting", is_flag=True, help="Only the clusters that wait for people, the longest first.")
@click.option("--below", is_flag=True, help="Only those that are under a threshold.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([one.value for one in RunState]),
    help="Only runs in this state.",
)
@click.option("--offline", is_flag=True, help="Do not ask the remote: show the fleet as it was fetched last.")
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def status(
    cluster: str | None,
    waiting: bool,
    below: bool,
    states: tuple[str, ...],
    offline: bool,
    directory: Path,
    as_json: bool,
) -> ExitCode:
    """The fleet, a line a cluster: what serves, figures against thresholds, and what waits for whom since when. Or
    CLUSTER in full.

    Reads the work tree's reviewed files, the remote's ledger and branches, and the evidence. Changes nothing. A figure
    under its threshold has a `!`. Exits 1 where a cluster cannot be read.

    Example: hallmark status support-desk
    """
    if cluster:
        if waiting or below or states or offline:
            raise click.UsageError("--waiting, --below, --state and --offline are for the fleet: leave CLUSTER out")
        return _one(directory, cluster, as_json=as_json)
    found = fleet(directory, offline=offline)
    everything = found.rows
    rows = chosen(everything, waiting=waiting, states=tuple(RunState(one) for one in states), below=below)
    if as_json:
        click.echo(json.dumps([row.model_dump(mode="json") for row in rows], indent=1, ensure_ascii=False))
    elif not everything:
        click.echo("no clusters yet; see `hallmark import labelled --help`")
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPED
        for line in table(rows, width=width, paint=_paint):
            click.echo(line)
        click.echo(total(everything) + BEHIND * found.behind)
    return ExitCode.REFUSED if any(row.problem for row in everything) else ExitCode.DONE


def _one(directory: Path, cluster: str, *, as_json: bool) -> ExitCode:
    from runner.rules.loop.status import block
    from runner.wiring.status import read_status  # brings what runs models: the fleet need not wait for it

    found = read_status(directory, cluster)
    if as_json:
        click.echo(json.dumps(found.model_dump(mode="json"), indent=1, ensure_ascii=False))
        return ExitCode.DONE
    for name, value in block(found):
        click.echo(click.style(f"{name:<14}", dim=True) + shown(value))
    return ExitCode.DONE


def _paint(text: str, kind: str) -> str:
    return click.style(text, **STYLES[kind]) if kind else text
