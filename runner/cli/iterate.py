"""`hallmark iterate`: turn the flywheel of a cluster to the next human gate, or to its bundle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from runner.cli.progress import Progress
from runner.cli.verdicts import worst
from runner.errors import ExitCode, HallmarkError, exit_code
from runner.flywheel import Standing
from runner.flywheel import iterate as turn
from runner.records.ledger import RunState
from runner.records.verdict import Outcome
from runner.wiring import flywheel
from runner.wiring.boundary import judged

EXITS = {Outcome.PASS: ExitCode.DONE, Outcome.REFUSE: ExitCode.REFUSED, Outcome.WAIT: ExitCode.WAITING}


@click.command()
@click.argument("clusters", nargs=-1, metavar="[CLUSTER]...")
@click.option("--all", "every", is_flag=True, help="Every cluster of the repository, one after the other.")
@click.option("--unattended", is_flag=True, help="As CI does, and --all: waiting for people is no failure.")
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def iterate(clusters: tuple[str, ...], every: bool, unattended: bool, directory: Path, as_json: bool) -> ExitCode:
    """Run an iteration of CLUSTER to the next human gate, or to its bundle.

    The iteration is pinned to the reviewed files of HEAD. Killed anywhere, the same command goes on where it was.
    Exits 0 at the bundle, 4 where people must decide, 1 where a gate refused. On a machine outside of the cluster's
    boundary (docs/fleet.md) nothing is brought or begun, and nothing is written into the ledger.

    Example: hallmark iterate support-desk
    """
    if every == bool(clusters):
        raise click.UsageError("name a cluster, or give --all")
    if clusters and not unattended:
        standings = [_turn(directory, name, quiet=as_json) for name in clusters]
        code = max((EXITS[standing.verdict.outcome] for standing in standings), default=ExitCode.DONE)
    else:
        names = clusters or flywheel.cluster_names(directory)
        standings, code = _turn_all(directory, names, quiet=as_json)
    if as_json:
        click.echo(json.dumps([standing.model_dump(mode="json") for standing in standings], indent=1))
    return code


def _turn(directory: Path, name: str, *, quiet: bool) -> Standing:
    refusal = judged(flywheel.root(directory), name)
    if not refusal.passed:
        standing = Standing(cluster=name, iteration="", state=RunState.BLOCKED, phase="intake", verdict=refusal)
        if not quiet:
            click.echo(_words(standing))
        return standing
    with Progress(name, quiet=quiet) as progress:
        standing = turn(flywheel.flow(directory, name, progress=progress.update, tell=progress.done))
    if not quiet:
        click.echo(_words(standing))
    return standing


def _turn_all(directory: Path, names: Sequence[str], *, quiet: bool) -> tuple[list[Standing], ExitCode]:
    """Each cluster, whatever became of the others: a cluster that waits for people is no failure of the run."""
    standings, codes = [], [ExitCode.DONE]
    for name in names:
        try:
            standings.append(_turn(directory, name, quiet=quiet))
        except HallmarkError as error:
            click.echo(f"hallmark: {name}: {error}", err=True)
            codes.append(exit_code(error))
    codes += [ExitCode.REFUSED for standing in standings if standing.verdict.outcome is Outcome.REFUSE]
    return standings, worst(codes)


def _words(standing: Standing) -> str:
    iteration = f"iteration {standing.iteration}" if standing.iteration else "no iteration on this machine"
    lines = [f"{standing.cluster}  {iteration}  {standing.state} at {standing.phase}"]
    lines += [
        f"  {reason.step}: {reason.problem}" + f" ({reason.hint})" * bool(reason.hint)
        for reason in standing.verdict.reasons
    ]
    lines += [f"  waits for people: branch {branch}" for branch in standing.opened]
    return "\n".join(lines)
