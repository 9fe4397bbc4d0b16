"""`hallmark init`: a new workspace."""

from __future__ import annotations

import json
from pathlib import Path

import click

from runner import wiring
from runner.errors import ExitCode


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--remote", help="DVC's default remote: a path or URL. By default a folder beside DIRECTORY.")
@click.option("--json", "as_json", is_flag=True, help="Print the files written as one JSON document.")
def init(directory: Path, remote: str | None, as_json: bool) -> ExitCode:
    """Make a workspace in DIRECTORY: layout, git with the branch main, DVC with a default remote.

    Nothing is committed. A policy comes with `hallmark policy init`, when there are keys.

    Example: hallmark init specialists
    """
    written = wiring.initialise(directory, remote=remote or f"../{directory.resolve().name}-store")
    if as_json:
        click.echo(json.dumps({"directory": str(directory), "files": written}, indent=1))
    else:
        click.echo(f"{directory}: {len(written)} files")
        click.echo("next: hallmark import labelled --help, or write clusters/<cluster>/ by hand")
    return ExitCode.DONE
