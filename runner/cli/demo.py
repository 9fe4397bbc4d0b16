"""`hallmark demo`: the whole loop on the embedded cluster, in a scratch directory."""

from __future__ import annotations

import json
from pathlib import Path

import click

from runner.demo import Demo, Until
from runner.errors import ExitCode, RecordError


@click.command()
@click.option("--directory", type=click.Path(file_okay=False, path_type=Path), default="build/demo", show_default=True)
@click.option(
    "--source",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="A checkout of the Hallmark project, whose embedded cluster is used.",
)
@click.option(
    "--until",
    type=click.Choice([step.value for step in Until]),
    help="Stop there, with a clone for each person: a world to practise in. Without it, the whole loop.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON document at the end.")
def demo(directory: Path, source: Path, until: str | None, as_json: bool) -> ExitCode:
    """Run the embedded cluster from raw traces to a signed, merged and verified promotion.

    DIRECTORY is made anew; where it holds anything but an earlier demonstration, it is refused. Everything happens in
    it: keys, a bare origin with the gate as its hook, a clone for each person. About five minutes on two cores.
    `--until` stops before people's first decision (`start`, some seconds), where candidates wait for triage (a minute),
    or where a promotion waits for approvals (as long as the whole).

    Example: hallmark demo --directory build/demo
    """
    if not (source / "clusters" / "support-desk" / "cluster.yaml").is_file():
        raise RecordError("has no embedded cluster", path=str(source), hint="run this in a checkout of the project")
    played = Demo(directory, source, lambda line: click.echo(line, err=as_json))
    if until:
        played.practice(Until(until))
        if as_json:
            click.echo(json.dumps({"directory": str(directory), "until": until, "root": played.root}, indent=1))
        return ExitCode.DONE
    summary = played.run()
    if as_json:
        click.echo(json.dumps(summary.model_dump(mode="json"), indent=1))
    held = summary.forgery_refused and summary.promotion.verified
    return ExitCode.DONE if held else ExitCode.REFUSED
