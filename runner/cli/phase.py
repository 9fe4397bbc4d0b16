"""`hallmark phase`: one phase in the work tree at hand. This is what a DVC stage calls."""

from __future__ import annotations

import json
from pathlib import Path

import click

from runner.cli.iterate import EXITS
from runner.errors import ExitCode
from runner.pipeline import PHASES, perform
from runner.wiring import flywheel


@click.command()
@click.argument("name", type=click.Choice([stage.name for phase in PHASES for stage in phase.stages]))
@click.argument("cluster")
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict and what was measured as one JSON document.")
def phase(name: str, cluster: str, directory: Path, as_json: bool) -> ExitCode:
    """Run the phase NAME of CLUSTER on the files of this work tree and write its outputs below run/.

    Nothing is committed and the ledger is left alone: `dvc repro` calls this, `hallmark iterate` does the rest.

    Example: hallmark phase diagnose support-desk
    """
    stage = next(stage for phase in PHASES for stage in phase.stages if stage.name == name)
    workbench = flywheel.workbench(directory, cluster)
    output = perform(stage, workbench.workspace, workbench.artifacts, workbench.ports)
    for artifact, value in output.artifacts.items():
        workbench.artifacts.write(artifact, value)
    if as_json:
        document = {"verdict": output.verdict.model_dump(mode="json"), "measured": dict(output.measured)}
        click.echo(json.dumps(document, indent=1))
    else:
        click.echo(f"{name}: {output.verdict.outcome}")
        for reason in output.verdict.reasons:
            click.echo(f"  {reason.step}: {reason.problem}")
    return EXITS[output.verdict.outcome]
