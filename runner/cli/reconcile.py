"""`hallmark reconcile`: the receipts and tags that merged promotions still lack."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from runner.errors import ExitCode
from runner.promotion.receipt import reconcile as write
from runner.wiring import promotion


@click.command()
@click.option(
    "--key",
    required=True,
    envvar="HALLMARK_GATE_KEY",
    show_envvar=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The gate's key.",
)
@click.option("--store", type=click.Path(exists=True, file_okay=False, path_type=Path), help="DVC storage directory.")
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def reconcile(key: Path, store: Path | None, directory: Path, as_json: bool) -> ExitCode:
    """Judge every merged promotion that has no receipt, and write its receipt and signed tag, both or neither.

    Killed anywhere, the same command finishes. Run by the post-receive hook, or by whoever holds the gate's key.

    Example: hallmark reconcile --key keys/gate
    """
    room = promotion.room(directory, store=store)
    made = write(room.sources, promotion.registry(room), promotion.signer(key), main=room.main(), now=promotion.now)
    if as_json:
        click.echo(json.dumps([asdict(one) for one in made], indent=1))
    for one in () if as_json else made:
        click.echo(f"promotions/{one.cluster}/{one.sequence} at {one.commit[:12]}: wrote {', '.join(one.wrote)}")
    return ExitCode.DONE
