"""`hallmark fmt`: reviewed files in one layout."""

from __future__ import annotations

import difflib
import json
from pathlib import Path

import click

from runner.cli.check import problem_row, top_of, within
from runner.errors import ExitCode
from runner.wiring import format
from runner.wiring.format import Changed


@click.command("fmt")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit code 1 where a file would change.")
@click.option("--diff", is_flag=True, help="Write nothing; show what would change.")
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def fmt(paths: tuple[Path, ...], only_check: bool, diff: bool, directory: Path, as_json: bool) -> ExitCode:
    """Lay out the reviewed YAML of the workspace, or the files and folders PATHS, as Hallmark itself writes it.

    Values, the order of fields and comments stay as they are. A file that `hallmark check` cannot read is left alone
    and named, with the exit code 1. What is signed (policy, triage, promotions) is not touched.

    Example: hallmark fmt scenarios/support-desk/core
    """
    top = top_of((paths[0] if paths else directory).resolve())
    whole = not paths or any(path.resolve() == top for path in paths)
    found = format.laid_out(top, None if whole else within(top, paths))
    kept = only_check or diff
    if not kept:
        format.write(top, found.changed)
    if as_json:
        said = {"files": found.files, "changed": [one.path for one in found.changed], "written": not kept}
        problems = [problem_row(problem) for problem in found.problems]
        diffs = {"diff": "".join(map(_diff, found.changed))} if diff else {}
        click.echo(json.dumps({**said, "problems": problems, **diffs}, indent=1, ensure_ascii=False))
    else:
        for one in found.changed:
            click.echo(_diff(one) if diff else one.path, nl=not diff)
        for problem in found.problems:
            click.echo(str(problem), err=True)
        done = "would be laid out anew" if kept else "laid out anew"
        click.echo(f"{len(found.changed):,} of {found.files:,} files {done}")
    return ExitCode.REFUSED if found.problems or (only_check and found.changed) else ExitCode.DONE


def _diff(one: Changed) -> str:
    before, after = (data.decode().splitlines(keepends=True) for data in (one.before, one.after))
    return "".join(difflib.unified_diff(before, after, one.path, one.path))
