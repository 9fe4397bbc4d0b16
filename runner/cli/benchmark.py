"""`hallmark benchmark`: what is frozen."""

from __future__ import annotations

import json
from pathlib import Path

import click

from runner import wiring
from runner.errors import ExitCode


@click.group()
def benchmark() -> None:
    """The frozen sets of a cluster."""


@benchmark.command()
@click.argument("cluster")
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print the lock as one JSON document.")
def lock(cluster: str, directory: Path, as_json: bool) -> ExitCode:
    """Write CLUSTER's benchmark.lock: the digests of its frozen sets as they stand (held-out, if none is named yet).

    A frozen set changes only with a new benchmark_version in cluster.yaml; raise that first.

    Example: hallmark benchmark lock support-desk
    """
    path, made = wiring.write_lock(directory, cluster)
    if as_json:
        click.echo(json.dumps(made.model_dump(mode="json"), indent=1))
    else:
        for name, frozen in made.sets.items():
            click.echo(f"{name}: {frozen.scenarios:,} scenarios, sha256 {frozen.sha256[:16]}…")
        click.echo(f"{path}: version {made.version}")
    return ExitCode.DONE
