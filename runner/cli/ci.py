"""`hallmark ci`: what workflows ask beside the verbs that people type."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from runner.cli.evaluating import Progress
from runner.cli.verdicts import worst
from runner.errors import ExitCode, exit_code
from runner.ports_forge import Opened, PullState, Written
from runner.records.ci_plan import MOST_JOBS, CiPlan, PlannedCluster
from runner.rules.review.annotations import commands
from runner.rules.review.markdown import markdown
from runner.rules.review.told import count
from runner.rules.text.shown import shown
from runner.wiring import ci as wiring_ci
from runner.wiring import flywheel
from runner.wiring import forge as wiring_forge
from runner.wiring import review as wiring_review
from runner.wiring.forge import Opening

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
@click.argument("base", required=False)
@click.argument("head", default="HEAD")
@click.option("--all", "every", is_flag=True, help="Every cluster, whatever changed; there is no BASE then.")
@click.option("--output", type=OUTPUT, help="Append `any` and `matrix` to this file, as GitHub reads a step's outputs.")
@click.option(
    "--turn",
    type=click.IntRange(min=0),
    default=0,
    envvar="GITHUB_RUN_NUMBER",
    show_envvar=True,
    help="Where there are more clusters than jobs of a matrix: which run of the workflow, for the next ones to come.",
)
@DIRECTORY
@AS_JSON
def plan(
    base: str | None, head: str, every: bool, output: Path | None, turn: int, directory: Path, as_json: bool
) -> ExitCode:
    """Say which clusters to iterate after main moved from BASE to HEAD, why, and on what runner.

    Those whose inputs changed (a file that is laid out anew did not), on whose candidates people decided, or whose
    iteration was queued or left in the middle, by the ledger as it was fetched last. Every cluster where BASE is not
    known: a new branch, or noughts.

    Example: hallmark ci plan "$BEFORE" HEAD --output "$GITHUB_OUTPUT"
    """
    if every == (base is not None):
        raise click.UsageError("name the commit that main was at, or give --all")
    found = wiring_ci.plan(directory, base, head, turn=turn)
    if output is not None:
        with output.open("a", encoding="utf-8") as file:
            file.write(_outputs(found))
    click.echo(_document(found) if as_json else "\n".join(_words(found)))
    if output is not None and found.left_out and not as_json:
        click.echo(f"::warning::{count(len(found.left_out), 'cluster')} left out of this run; its log names them")
    return ExitCode.DONE


@ci.command()
@click.argument("base")
@click.argument("head", default="HEAD")
@click.option("--pull", type=int, help="Write the comment of the pull request of this number, over an earlier one.")
@click.option("--summary", type=OUTPUT, help="Append the review to this file, as GitHub reads the summary of a job.")
@DIRECTORY
@AS_JSON
def review(base: str, head: str, pull: int | None, summary: Path | None, directory: Path, as_json: bool) -> ExitCode:
    """Say what the commits from BASE to HEAD change (`hallmark review`), in every place where people of a pull request
    look: annotations at its lines, the job's summary, and its comment.

    The comment needs GITHUB_TOKEN, GITHUB_REPOSITORY and, on a server of one's own, GITHUB_API_URL. A token that may
    not write it, as a fork's, is no failure.

    Example: hallmark ci review HEAD^1 HEAD --pull 7 --summary "$GITHUB_STEP_SUMMARY"
    """
    found = wiring_review.reviewed(directory, base, head)
    text = markdown(found)
    if summary is not None:
        with summary.open("a", encoding="utf-8") as file:
            file.write(text)
    if not as_json:
        click.echo(commands(found), nl=False)
    said = wiring_forge.comment(pull, text) if pull is not None else ""
    if as_json:
        click.echo(json.dumps({"review": found.model_dump(mode="json"), "comment": said}, indent=1))
    elif said:
        click.echo(shown(said))
    return ExitCode.DONE


@ci.command("open")
@click.argument("clusters", nargs=-1, metavar="[CLUSTER]...")
@click.option("--all", "every", is_flag=True, help="Every cluster of the repository.")
@DIRECTORY
@AS_JSON
def open_(clusters: tuple[str, ...], every: bool, directory: Path, as_json: bool) -> ExitCode:
    """Open a pull request for each branch of CLUSTER that waits for people: drafts, triage, promotions and the like.

    A branch has one pull request: opening it again changes nothing, and what people closed stays closed until the
    branch moves. Those of earlier iterations that nobody reads any more are closed, with the reason. A branch that
    fails keeps no other from its own, and the command exits 5; where the forge answers nothing for now, it stops.

    It needs GITHUB_TOKEN, GITHUB_REPOSITORY and, on a server of one's own, GITHUB_API_URL.

    Example: hallmark ci open support-desk
    """
    if every == bool(clusters):
        raise click.UsageError("name a cluster, or give --all")
    found = wiring_forge.open_pulls(directory, clusters or flywheel.cluster_names(directory))
    for branch, error in found.failed.items():
        click.echo(shown(f"hallmark: {branch}: {error}"), err=True)
    if found.unreached:
        click.echo(shown(f"hallmark: not reached: {', '.join(found.unreached)}; run this again later"), err=True)
    if as_json:
        click.echo(json.dumps(_openings(found), indent=1, ensure_ascii=False))
    elif found.opened or not found.failed:
        click.echo("\n".join(map(_opened, found.opened)) or "nothing waits for people")
    return worst([ExitCode.DONE, *map(exit_code, found.failed.values())])


@ci.command()
@click.argument("pull", type=int)
@click.option(
    "--start", metavar="WORKFLOW", help="Start this workflow on main, with the input `pull`, and ask no model."
)
@DIRECTORY
@AS_JSON
def preview(pull: int, start: str | None, directory: Path, as_json: bool) -> ExitCode:
    """Ask the model that serves now the scenarios of pull request PULL, and write that into its comment.

    Only where owners of every changed file have approved the change as it stands, by main's CODEOWNERS, and never for
    a fork. HEAD is main: its program, servers and models are used, and the change is data. Exits 4 while it is not
    approved; with --start that is no failure.

    Example: hallmark ci preview 7
    """
    forge = wiring_forge.forge()
    asked = wiring_forge.asked(directory, pull, at=forge)
    said = list(asked.why_not)
    if start and not said:
        forge.start(start, ref=wiring_forge.BASE, inputs={"pull": str(pull)})
        said = [f"{start} is started on {wiring_forge.BASE}"]
    elif not said:
        with Progress(quiet=as_json) as progress:
            found = wiring_forge.previewed(directory, asked, progress=progress.update)
        said = [wiring_forge.comment(pull, markdown(found), at=forge)]
    if as_json:
        click.echo(json.dumps({"pull": pull, "head": asked.pull.head, "approved": not asked.why_not, "said": said}))
    else:
        click.echo("\n".join(shown(line) for line in (f"pull request {pull} at {asked.pull.head[:12]}", *said)))
    return ExitCode.WAITING if asked.why_not and not start else ExitCode.DONE


@ci.command()
@click.argument("forge")
@click.option("--sources", is_flag=True, help="The repository holds the program itself, and installs it from there.")
@click.option("--check", is_flag=True, help="Write nothing, and exit 1 where a file would change.")
@DIRECTORY
@AS_JSON
def files(forge: str, sources: bool, check: bool, directory: Path, as_json: bool) -> ExitCode:
    """Write the workflows, CODEOWNERS and pull-request form of FORGE, as this version of Hallmark has them.

    After an upgrade: `git diff` then shows what is new. CODEOWNERS that is there stays: the names in it are yours.

    Example: hallmark ci files github
    """
    became = wiring_forge.lay_files(directory, forge, sources=sources, write=not check)
    if as_json:
        click.echo(json.dumps(became, indent=1))
    else:
        click.echo("\n".join(f"{path}: {written}" for path, written in became.items()))
    differs = any(written != "unchanged" for written in became.values())
    return ExitCode.REFUSED if check and differs else ExitCode.DONE


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
        lines.append(
            "  → the next run begins with those of them that it finds; or run `hallmark iterate` where CI's key is"
        )
    return [*lines, f"{len(found.clusters)} to iterate, {found.untouched} untouched"]


def _cluster(one: PlannedCluster) -> list[str]:
    return [f"{one.cluster}  on {', '.join(one.runner)}", *(shown(f"  {reason}") for reason in one.reasons)]


def _openings(found: Opening) -> list[dict[str, object]]:
    """A row a branch: its pull request, or why there is none."""
    return [
        *({**asdict(one.pull), "written": one.written} for one in found.opened),
        *({"branch": name, "written": "failed", "problem": str(error)} for name, error in found.failed.items()),
        *({"branch": name, "written": "not reached"} for name in found.unreached),
    ]


def _opened(one: Opened) -> str:
    states = {
        Written.NEW: "opened",
        Written.CHANGED: "opened again" if one.pull.state is PullState.OPEN else "closed, its iteration is over,",
        Written.UNCHANGED: f"{one.pull.state} already",
    }
    return f"{one.pull.branch}: {states[one.written]} as {one.pull.url}"
