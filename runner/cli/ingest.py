"""`hallmark ingest`: production traces, redacted at the door."""

from __future__ import annotations

from pathlib import Path

import click

from runner.errors import ExitCode
from runner.records.trace import IngestedFile
from runner.wiring import flywheel

FORMATS = ("openai", "otel", "openinference", "langfuse", "chat", "csv")


@click.command()
@click.argument("cluster")
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="Read every record as this; otherwise each is detected."
)
@click.option("--names", is_flag=True, help="Redact names of people too, with Presidio (the extra `names`).")
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--push/--no-push", default=True, help="Push the data to DVC's default remote, where there is one.")
@click.option("--json", "as_json", is_flag=True, help="Print the count as one JSON document.")
def ingest(
    cluster: str, files: tuple[Path, ...], form: str | None, names: bool, directory: Path, push: bool, as_json: bool
) -> ExitCode:
    """Bring the traces in FILE... into CLUSTER's signals: OpenAI-style requests and responses, OpenTelemetry (OTLP,
    with GenAI or OpenInference attributes), Langfuse observations, chats, CSV.

    Personal data and keys are replaced before git or DVC see a line. A record that was there before is not taken in
    twice; one that cannot be read is quarantined with its line number and the reason. What one file says of a model
    call in another (an evaluation, a message) is joined to it. Users and sessions become pseudonyms, by the key in the
    environment variable HALLMARK_SOURCE_KEY.

    Example: hallmark ingest support-desk spans.jsonl logs.jsonl --format otel
    """
    result = flywheel.ingest(directory, cluster, files, push=push, format=form or "", names=names)
    if as_json:
        click.echo(result.model_dump_json(indent=1))
    else:
        _tell(result)
    return ExitCode.DONE


def _tell(result: IngestedFile) -> None:
    quarantined = len(result.quarantined) + result.more_quarantined
    parts = f"kept {result.kept:,} + quarantined {quarantined:,} + duplicate {result.duplicate:,}"
    click.echo(f"read {result.read:,} = {parts}")
    if result.other or result.unmatched:
        click.echo(
            f"beside them {result.other:,} records that are no model calls; {result.unmatched:,} verdicts without one"
        )
    click.echo(f"redacted: {_counts(result.redactions)}")
    if result.flags:
        click.echo(f"flagged: {_counts(result.flags)}")
    for line in result.quarantined[:10]:
        click.echo(f"  {line.file} line {line.line}: {line.reason}")
    if quarantined > 10:
        click.echo(f"  and {quarantined - 10:,} more: see clusters/{result.cluster}/data/quarantine/")
    if result.kept:
        click.echo(f"next: commit clusters/{result.cluster}/data/signals.jsonl.dvc in a pull request")


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {kind}" for kind, number in counts.items()) or "nothing"
