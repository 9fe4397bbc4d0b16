"""`hallmark export`: what others may read."""

from __future__ import annotations

import json
from pathlib import Path

import click

from runner.errors import ExitCode
from runner.records.schemas import SCHEMAS, schema


@click.group()
def export() -> None:
    """Write things for other programs."""


@export.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def schemas(directory: Path) -> ExitCode:
    """Write the JSON Schema of every reviewed file to DIRECTORY, for editors that complete and check while you type.

    Example: hallmark export schemas docs/schemas
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name in SCHEMAS:
        path = directory / f"{name}.schema.json"
        path.write_text(json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n")
        click.echo(str(path))
    return ExitCode.DONE
