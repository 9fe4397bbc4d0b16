"""`hallmark simulate`: what would become of this data, tried on a small scale."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from runner.records.collapse import Collapse, Size
from runner.rules.text.shown import shown
from runner.wiring import flywheel


@click.group()
def simulate() -> None:
    """Try on a small scale what would become of a cluster's data.

    Example: hallmark simulate collapse support-desk
    """


@simulate.command()
@click.argument("cluster")
@click.option("--generations", type=click.IntRange(1, 50), default=4, show_default=True)
@click.option("--rows", type=click.IntRange(20), default=500, show_default=True, help="Real rows at most.")
@click.option(
    "--steps", type=click.IntRange(1), default=250, show_default=True, help="Training steps on the real rows."
)
@click.option("--seed", type=int, help="The cluster's where not given.")
@click.option(
    "--data",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A CSV file with the columns `text` and `label`, instead of the cluster's base and gold data.",
)
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), default="collapse.png", show_default=True)
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON document.")
def collapse(
    cluster: str,
    generations: int,
    rows: int,
    steps: int,
    seed: int | None,
    data: Path | None,
    plot: Path,
    directory: Path,
    as_json: bool,
) -> None:
    """Train generations of a tiny base on what the one before wrote, and on that beside the real data.

    It shows on CLUSTER's own data why a human floor exists and why the pool only grows: the score on the real dev
    set, and how much of the rare wording each generation still writes. Nothing of the repository is changed.

    Example: hallmark simulate collapse support-desk --generations 4
    """
    console = Console(stderr=True, quiet=as_json, highlight=False)
    with console.status("") as status:

        def progress(message: str, share: float) -> None:
            if not console.is_terminal:
                console.print(f"{share:4.0%}  {message}")
            status.update(f"{message}  {share:.0%}")

        size = Size(generations=generations, rows=rows, steps=steps, seed=seed)
        found = flywheel.collapse(directory, cluster, size, data=data, plot=plot, progress=progress)
    if as_json:
        click.echo(found.model_dump_json(indent=1))
        return
    _print(found)
    click.echo(f"The picture is {plot}.")


def _print(found: Collapse) -> None:
    click.echo(
        shown(f"{found.data}: {found.real} real rows, {found.dev} dev rows, {found.steps} steps on the real rows")
    )
    click.echo(f"{'regime':<12}{'generation':>11}{'rows':>7}{'score':>8}{'rare':>8}{'tails':>8}{'distinct-2':>12}")
    for line in found.lines:
        for one in line.generations:
            rare = "-" if one.rare_score is None else f"{one.rare_score:.3f}"
            figures = f"{one.score:>8.3f}{rare:>8}{one.tails:>8.3f}{one.distinct:>12.3f}"
            click.echo(f"{line.regime:<12}{one.number:>11}{one.rows:>7}{figures}")
    click.echo(found.words)
