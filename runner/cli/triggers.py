"""`hallmark triggers`: which of the reviewed re-run triggers fired, and on what evidence."""

from __future__ import annotations

import json
from pathlib import Path

import click

from runner.cli.verdicts import worst
from runner.errors import ExitCode, HallmarkError, exit_code
from runner.records.trigger_findings import Findings
from runner.rules.loop.trigger_words import outcome, told
from runner.rules.text.shown import shown
from runner.wiring import flywheel
from runner.wiring.triggers import judged, unread


@click.command()
@click.argument("cluster", required=False)
@click.option("--all", "every", is_flag=True, help="Every cluster of the repository; so it is where none is named.")
@click.option("--queue", is_flag=True, help="Queue an iteration for the triggers that are due, and write the ledger.")
@click.option("--unattended", is_flag=True, help="CLUSTER as --all takes it: waiting for people is no failure.")
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def triggers(
    cluster: str | None, every: bool, queue: bool, unattended: bool, directory: Path, as_json: bool
) -> ExitCode:
    """Whether something asks for another iteration of CLUSTER, or of every cluster: data, age, a falling score, …

    Holds HEAD against the iteration whose model serves, by the `triggers` of cluster.yaml. With --queue, what is due
    is put into the ledger, once however often it is asked, and `hallmark iterate` takes it up.
    Of every cluster, one that cannot be read is told of with its problem and stops no other.
    Exits 0 where everything could be judged, 4 where CLUSTER's iteration waits for people, 5 where a trigger could not
    be judged.

    Example: hallmark triggers support-desk
    """
    if every and cluster:
        raise click.UsageError("name a cluster, or give --all")
    found: list[Findings] = []
    codes = [ExitCode.DONE]
    for name in (cluster,) if cluster else flywheel.cluster_names(directory, "HEAD"):
        try:
            one = judged(directory, name, queue=queue)
        except HallmarkError as error:
            if cluster:
                raise
            click.echo(shown(f"hallmark: {name}: {error}"), err=True)
            codes.append(exit_code(error))
            found.append(unread(name, str(error)))
            continue
        found.append(one)
        codes.append(outcome(one, alone=bool(cluster) and not unattended))
        if not as_json:
            click.echo("\n".join(shown(line).replace("\n", " ") for line in told(one)))
    if as_json:
        documents = [one.model_dump(mode="json") for one in found]
        click.echo(json.dumps(documents[0] if cluster else documents, indent=1, ensure_ascii=False))
    return worst(codes)
