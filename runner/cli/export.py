"""`hallmark export`: what others may read."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import click

from runner.cli.verdicts import show
from runner.errors import ExitCode, RecordError
from runner.records.base import SLUG
from runner.records.schemas import SCHEMAS, schema
from runner.rules.triage.preferences import compiled
from runner.wiring import flywheel

NAMED = re.compile(rf"(?P<cluster>{SLUG})(?:/(?P<sequence>[0-9]{{1,6}}))?\Z")
PARTIAL = click.option("--partial", is_flag=True, help="Go on where data or answers to hold it against are not here.")
DIRECTORY = click.option(
    "--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default="."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")


@click.group()
def export() -> None:
    """Write things for other programs."""


@export.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@JSON
def schemas(directory: Path, as_json: bool) -> ExitCode:
    """Write the JSON Schema of every reviewed file to DIRECTORY, for editors that complete and check while you type,
    and of documents that are printed or exported, for programs that read them.

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
    space = flywheel.workspace(directory, cluster)
    target.mkdir(parents=True, exist_ok=True)
    rows = {}
    for name, data in compiled(space.triage, space.reviews, instruction=space.cluster.instruction).items():
        (target / name).write_bytes(data)
        rows[str(target / name)] = data.count(b"\n")
    said = "\n".join(f"{count} rows  {path}" for path, count in rows.items())
    click.echo(json.dumps(rows) if as_json else said)
    return ExitCode.DONE


@export.command()
@click.argument("promotion", metavar="CLUSTER[/SEQ]")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="A new directory, or a new .zip file.")
@PARTIAL
@DIRECTORY
@JSON
def evidence(promotion: str, output: Path, partial: bool, directory: Path, as_json: bool) -> ExitCode:
    """Write what of a promotion's evidence may leave the boundary, as `fleet.exports` in cluster.yaml on main declares.

    The promotion is verified, the files are made anew from its records with their checksums and the digests of the
    originals, and scanned for prompts, answers, held-out text, personal data and keys. Where one is found, file and
    field are named, it exits with 1 and nothing is written. Without SEQ: what brought in the adapter that serves.

    Example: hallmark export evidence support-desk --output evidence
    """
    from runner.wiring.export import Boundary, deliver_export

    found = Boundary(directory, *_named(promotion)).export(partial=partial)
    headline = f"{found.name}: nothing may leave"
    if found.verdict.passed:
        deliver_export(output, found.files)
        headline = f"{found.name}: {', '.join(found.files)} written to {output}{_left(found.missing)}"
    return show(found.verdict, headline=headline, as_json=as_json, missing=list(found.missing), files=list(found.files))


@export.command()
@click.argument("promotion", metavar="CLUSTER[/SEQ]")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@PARTIAL
@DIRECTORY
@JSON
def scan(promotion: str, files: tuple[Path, ...], partial: bool, directory: Path, as_json: bool) -> ExitCode:
    """Look through FILE... for what must not leave CLUSTER's boundary: prompts, answers, held-out text, personal data,
    keys; as they are, nearly, or encoded. A directory that `export evidence` made is also held against its own form.

    Says in which file and field, and never what. Exits with 1 where something is found.

    Example: hallmark export scan support-desk model-card.md
    """
    from runner.wiring.export import Boundary

    verdict, missing = Boundary(directory, *_named(promotion)).scan(files, partial=partial)
    headline = "nothing found" if verdict.passed else f"{len(verdict.reasons)} findings"
    return show(verdict, headline=f"{promotion}: {headline}{_left(missing)}", as_json=as_json, missing=list(missing))


def _left(missing: Sequence[str]) -> str:
    return f", not held against {', '.join(missing)}" if missing else ""


def _named(promotion: str) -> tuple[str, int | None]:
    """Raises `RecordError` for what is no promotion's name."""
    match = NAMED.match(promotion)
    if match is None:
        raise RecordError(f"{promotion!r} names no promotion", hint="say CLUSTER or CLUSTER/SEQ")
    return match["cluster"], int(match["sequence"]) if match["sequence"] else None
