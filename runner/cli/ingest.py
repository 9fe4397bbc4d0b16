"""`hallmark ingest`: production traces, redacted at the door."""

from __future__ import annotations

from pathlib import Path

import click

from runner import wiring
from runner.errors import ExitCode
from runner.records.trace import IngestedFile


@click.command()
@click.argument("cluster")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--push/--no-push", default=True, help="Push the data to DVC's default remote, where there is one.")
@click.option("--json", "as_json", is_flag=True, help="Print the count as one JSON document.")
def ingest(cluster: str, file: Path, directory: Path, push: bool, as_json: bool) -> ExitCode:
    """Bring the traces in FILE (JSON lines, OpenAI-style request and response) into CLUSTER's signals.

    E-mail addresses, telephone and card numbers are replaced before git or DVC see a line. A line that was there
    before is not taken in twice; a line that cannot be read is quarantined with its number and the reason.

    Example: hallmark ingest support-desk production-2026-03.jsonl
    """
    result = wiring.ingest(directory, cluster, file, push=push)
    if as_json:
        click.echo(result.model_dump_json(indent=1))
    else:
        _tell(result)
    return ExitCode.DONE


def _tell(result: IngestedFile) -> None:
    quarantined = len(result.quarantined)
    parts = f"kept {result.kept:,} + quarantined {quarantined:,} + duplicate {result.duplicate:,}"
    click.echo(f"read {result.read:,} = {parts}")
    redacted = ", ".join(f"{number:,} {kind}" for kind, number in result.redactions.items()) or "nothing"
    click.echo(f"redacted: {redacted}")
    for line in result.quarantined[:10]:
        click.echo(f"  line {line.line}: {line.reason}")
    if quarantined > 10:
        click.echo(f"  and {quarantined - 10:,} more: see clusters/{result.cluster}/data/quarantine/")
    if result.kept:
        click.echo(f"next: commit clusters/{result.cluster}/data/signals.jsonl.dvc in a pull request")
