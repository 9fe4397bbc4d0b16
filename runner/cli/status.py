"""`hallmark status`: the fleet at a glance, or one cluster in full."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from runner import wiring
from runner.cli.fleet import read_status
from runner.errors import ExitCode
from runner.rules.status import FLEET_HEADER, block, fleet_row

WIDTH = 150
"""Columns the fleet's table may take: a narrower terminal wraps its lines rather than lose their ends."""


@click.command()
@click.argument("cluster", required=False)
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def status(cluster: str | None, directory: Path, as_json: bool) -> ExitCode:
    """Where each cluster stands, or CLUSTER in full: phase, figures against thresholds, and what waits for whom.

    Reads the work tree's reviewed files, the ledger branch and the evidence. Changes nothing.

    Example: hallmark status support-desk
    """
    names = (cluster,) if cluster else wiring.cluster_names(directory)
    found = [read_status(directory, name) for name in names]
    if as_json:
        documents = [one.model_dump(mode="json") for one in found]
        click.echo(json.dumps(documents[0] if cluster else documents, indent=1, ensure_ascii=False))
        return ExitCode.DONE
    console = Console(highlight=False, soft_wrap=bool(cluster))
    if cluster:
        for name, value in block(found[0]):
            console.print(Text.assemble((f"{name:<14}", "dim"), value))
    elif not found:
        click.echo("no clusters yet; see `hallmark import labelled --help`")
    else:
        table = Table(*FLEET_HEADER, box=None, pad_edge=False)
        for one in found:
            table.add_row(*(Text(cell) for cell in fleet_row(one)))
        Console(highlight=False, width=max(console.width, WIDTH)).print(table)
    return ExitCode.DONE
