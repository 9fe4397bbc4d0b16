"""`hallmark check`: reviewed files, one or all."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from runner.errors import ExitCode, RecordError
from runner.rules.repository.governed import GOVERNED
from runner.wiring import check as wiring_check

_MARKS = ("params.yaml", "clusters", "scenarios")


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print the problems as one JSON document.")
def check(paths: tuple[Path, ...], directory: Path, as_json: bool) -> ExitCode:
    """Check every governed file of the workspace, or the files and folders PATHS, cross-references included.

    Each problem is one line: path:line: field: problem (fix). Exit code 1 if there is any.

    Example: hallmark check scenarios/support-desk/core/late-delivery-01.yaml
    """
    started = time.monotonic()
    top = top_of((paths[0] if paths else directory).resolve())
    named = within(top, paths)
    survey = wiring_check.survey(top, named)
    untidy = wiring_check.untidy(top, named, files=survey.files)
    seconds = time.monotonic() - started
    if as_json:
        problems = [problem_row(problem) for problem in survey.problems]
        found = {"files": survey.files, "problems": problems, "unformatted": untidy, "seconds": round(seconds, 3)}
        click.echo(json.dumps(found, indent=1))
    else:
        for problem in survey.problems:
            click.echo(str(problem))
        if untidy:
            more = f" and {len(untidy) - 1} more" if len(untidy) > 1 else ""
            click.echo(f"note: {untidy[0]}{more} could be laid out like the rest: hallmark fmt", err=True)
        click.echo(f"{_count(survey.files, 'file')}, {_count(len(survey.problems), 'problem')}, {seconds:.1f} s")
    return ExitCode.REFUSED if survey.problems else ExitCode.DONE


def top_of(path: Path) -> Path:
    """The workspace that `path` lies in: the nearest folder above that holds governed files."""
    for folder in (path, *path.parents):
        if all((folder / mark).exists() for mark in _MARKS[:2]) or (folder / _MARKS[0]).is_file():
            return folder
    hint = "go into a workspace, or make one: hallmark init DIR"
    raise RecordError("is no workspace, and lies in none", path=str(path), hint=hint)


def within(top: Path, paths: tuple[Path, ...]) -> list[str]:
    """The governed files at and below `paths`, relative to `top`. None for the whole workspace."""
    found: set[str] = set()
    for path in paths:
        whole = path.resolve()
        if whole == top:
            return []
        if not whole.is_relative_to(top):
            raise RecordError("lies outside the workspace", path=str(path), hint=f"the workspace is {top}")
        relative = whole.relative_to(top).as_posix()
        if whole.is_dir():
            below = {file.relative_to(top).as_posix() for file in whole.rglob("*") if file.is_file()}
            found |= {file for file in below if file.startswith(GOVERNED)}
        else:
            found.add(relative)
    return sorted(found)


def problem_row(problem: RecordError) -> dict[str, str | int | None]:
    return {
        "path": problem.path,
        "line": problem.line,
        "field": problem.field,
        "problem": problem.problem,
        "hint": problem.hint,
    }


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
