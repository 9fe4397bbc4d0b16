"""`hallmark hook`: the gate as a hook of a bare repository."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from runner.cli.roots import root_of_trust
from runner.errors import ExitCode
from runner.wiring import promotion

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def hook() -> None:
    """Install the gate as a hook of a bare repository.

    Example: hallmark hook install desk.git --root 3f0c… --key keys/gate
    """


@hook.command()
@click.argument("repository", type=FOLDER)
@click.option(
    "--root",
    required=True,
    metavar="SHA256",
    callback=root_of_trust,
    help="sha256 of the first policy/trust.yaml.",
)
@click.option("--key", type=FILE, help="The gate's key: receipts and tags are written after each merge.")
@click.option("--store", type=FOLDER, help="The DVC storage directory that adapters' bytes are fetched from.")
@click.option(
    "--resident/--no-resident",
    default=True,
    show_default=True,
    help="After a push a process stays, for 15 minutes, and judges the next ones in a third of the time.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def install(
    repository: Path, root: str, key: Path | None, store: Path | None, resident: bool, as_json: bool
) -> ExitCode:
    """Write pre-receive (refuses what the gate does) and, with --key, post-receive (receipt and tag).

    An empty repository takes one first push: a root commit whose policy/trust.yaml is the pinned one.

    Example: hallmark hook install origin.git --root 3f0c… --key keys/gate --store storage
    """
    python = sys.executable
    written = promotion.install_hooks(repository, python=python, root=root, key=key, store=store, resident=resident)
    if as_json:
        click.echo(json.dumps({name: str(path) for name, path in written.items()}, indent=1))
    for path in () if as_json else written.values():
        click.echo(f"wrote {path}")
    return ExitCode.DONE
