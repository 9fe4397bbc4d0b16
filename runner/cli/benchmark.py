"""`hallmark benchmark`: what is frozen, how it is renewed, and what the sets are worth."""

from __future__ import annotations

import json
from pathlib import Path

import click

from runner.errors import ExitCode
from runner.records.terms import SetName


@click.group()
def benchmark() -> None:
    """The sets of a cluster: what is frozen, what they cover, how their items behave."""


@benchmark.command()
@click.argument("cluster")
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--set", "sets", type=click.Choice([*map(str, SetName)]), multiple=True,
              help="A further set to freeze; may be given several times.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the lock as one JSON document.")
def lock(cluster: str, directory: Path, sets: tuple[str, ...], as_json: bool) -> ExitCode:
    """Write CLUSTER's benchmark.lock: the digests of its frozen sets as they stand (held-out, if none is named
    yet), and of the judges that its approved rubrics name.

    A frozen set or a locked judge changes only with a new benchmark_version in cluster.yaml; raise that first.

    Example: hallmark benchmark lock support-desk
    """
    from runner.wiring import benchmark as wiring_benchmark

    path, made = wiring_benchmark.write_lock(directory, cluster, also=[SetName(name) for name in sets])
    if as_json:
        click.echo(json.dumps(made.model_dump(mode="json"), indent=1))
    else:
        for name, frozen in made.sets.items():
            click.echo(f"{name}: {frozen.scenarios:,} scenarios, sha256 {frozen.sha256[:16]}…")
        for name, sha256 in made.judges.items():
            click.echo(f"judge {name}: sha256 {sha256[:16]}…")
        click.echo(f"{path}: version {made.version}")
    return ExitCode.DONE


@benchmark.command()
@click.argument("cluster")
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def rotate(cluster: str, directory: Path, as_json: bool) -> ExitCode:
    """Propose a fresh held-out set for CLUSTER as a pull request: branch benchmark/CLUSTER/vN.

    The used scenarios become core (or what `evaluation.rotation` says), and as many of each capability take their
    place, from scenarios/CLUSTER/reserve and from people's reference rows, if nothing that trains resembles them. The
    version rises and the sets are locked again. Whoever owns the benchmark approves and merges it.

    Exits 1, and says what is needed, where there are too few fresh scenarios.

    Example: hallmark benchmark rotate support-desk
    """
    from runner.cli.rotation import lines
    from runner.wiring import benchmark as wiring_benchmark

    done = wiring_benchmark.rotate(directory, cluster)
    if as_json:
        told = {"cluster": cluster, "looks": done.looks, "looks_allowed": done.allowed, "branch": done.branch}
        click.echo(json.dumps({**told, **done.plan.told()}, indent=1, ensure_ascii=False))
    else:
        click.echo("\n".join(lines(done)))
    return ExitCode.REFUSED if done.plan.lacking else ExitCode.DONE


@benchmark.command()
@click.argument("cluster")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write the page, with its plots, there.")
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON document.")
def report(cluster: str, html: Path | None, directory: Path, as_json: bool) -> ExitCode:
    """What CLUSTER's benchmark covers and lacks, whether held-out is like the rest, duplicates and leaks, and how
    items and rubrics fared with every model of the history. Of held-out, ids and figures alone.

    Example: hallmark benchmark report support-desk --html build/benchmark.html
    """
    from runner.cli.benchmark_tables import show
    from runner.wiring import workbench

    found = workbench.benchmark_report(directory, cluster)
    if html is not None:
        workbench.write_page(html, found)
    if as_json:
        click.echo(found.model_dump_json(indent=1))
        return ExitCode.DONE
    show(found)
    if html is not None:
        click.echo(f"{html}: the page")
    return ExitCode.DONE
