"""`hallmark ci`: what workflows ask beside the verbs that people type."""

from __future__ import annotations

import json
from pathlib import Path

import click

from runner import wiring_ci
from runner.errors import ExitCode
from runner.records.ci_plan import MOST_JOBS, CiPlan, PlannedCluster
from runner.rules.shown import shown

DIRECTORY = click.option(
    "--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default="."
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
OUTPUT = click.Path(dir_okay=False, path_type=Path)


@click.group()
def ci() -> None:
    """What workflows ask: which clusters to run, and what people see of it in pull requests.

    Example: hallmark ci plan HEAD^1 HEAD
    """


@ci.command()
@click.argument("base")
@click.argument("head", default="HEAD")
@click.option("--output", type=OUTPUT, help="Append `any` and `matrix` to this file, as GitHub reads a step's outputs.")
@DIRECTORY
@AS_JSON
def plan(base: str, head: str, output: Path | None, directory: Path, as_json: bool) -> ExitCode:
    """Say which clusters to iterate after main moved from BASE to HEAD, why, and on what runner.

    Those whose inputs changed (a file that is laid out anew did not), on whose candidates people decided, or whose
    iteration was queued or left in the middle, by the ledger as it was fetched last. Every cluster where BASE is not
    known: a new branch, or noughts.

    Example: hallmark ci plan "$BEFORE" HEAD --output "$GITHUB_OUTPUT"
    """
    found = wiring_ci.plan(directory, base, head)
    if output is not None:
        with output.open("a", encoding="utf-8") as file:
            file.write(_outputs(found))
    click.echo(_document(found) if as_json else "\n".join(_words(found)))
    return ExitCode.DONE


def _outputs(found: CiPlan) -> str:
    """Of a step's outputs, a line each: what a job's `if` and its `strategy.matrix` read."""
    return f"any={json.dumps(bool(found.clusters))}\nmatrix={json.dumps(found.matrix)}\n"


def _document(found: CiPlan) -> str:
    more = {"any": bool(found.clusters), "matrix": found.matrix, "left_out": found.left_out}
    return json.dumps({**found.model_dump(mode="json"), **more}, indent=1, ensure_ascii=False)


def _words(found: CiPlan) -> list[str]:
    lines = [line for one in found.clusters for line in _cluster(one)]
    if found.left_out:
        left = ", ".join(found.left_out)
        lines.append(f"a matrix has room for {MOST_JOBS} jobs, and these are left out: {left}")
        lines.append("  → run `hallmark iterate --all` on a machine that holds CI's key")
    return [*lines, f"{len(found.clusters)} to iterate, {found.untouched} untouched"]


def _cluster(one: PlannedCluster) -> list[str]:
    return [f"{one.cluster}  on {', '.join(one.runner)}", *(shown(f"  {reason}") for reason in one.reasons)]
