"""`hallmark export`: what others may read."""

from __future__ import annotations

import json
from pathlib import Path

import click

from runner import wiring
from runner.errors import ExitCode
from runner.records.schemas import SCHEMAS, schema
from runner.rules.triage.preferences import compiled

JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")


@click.group()
def export() -> None:
    """Write things for other programs."""


@export.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@JSON
def schemas(directory: Path, as_json: bool) -> ExitCode:
    """Write the JSON Schema of every reviewed file to DIRECTORY, for editors that complete and check while you type.

    Example: hallmark export schemas docs/schemas
    """
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / f"{name}.schema.json" for name in SCHEMAS]
    for name, path in zip(SCHEMAS, paths, strict=True):
        path.write_text(json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n")
    click.echo(json.dumps([str(path) for path in paths]) if as_json else "\n".join(map(str, paths)))
    return ExitCode.DONE


@export.command()
@click.argument("cluster")
@click.argument("target", type=click.Path(file_okay=False, path_type=Path))
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@JSON
def preferences(cluster: str, target: Path, directory: Path, as_json: bool) -> ExitCode:
    """Write what people decided on CLUSTER's candidates to TARGET, as rows that train: sft.jsonl, preferences.jsonl
    (prompt, chosen, rejected) and unpaired.jsonl (prompt, completion, label), in TRL's conversational form. Each row
    names its candidate and the people who decided it.

    Example: hallmark export preferences support-desk out
    """
    space = wiring.workspace(directory, cluster)
    target.mkdir(parents=True, exist_ok=True)
    rows = {}
    for name, data in compiled(space.triage, space.reviews, instruction=space.cluster.instruction).items():
        (target / name).write_bytes(data)
        rows[str(target / name)] = data.count(b"\n")
    said = "\n".join(f"{count} rows  {path}" for path, count in rows.items())
    click.echo(json.dumps(rows) if as_json else said)
    return ExitCode.DONE
