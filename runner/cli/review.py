"""`hallmark review`: what a change means, in words."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from runner.errors import ExitCode


@contextmanager
def without_search() -> Iterator[None]:
    """No search for garbage: a review makes many objects and keeps them, and is soon over."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@click.command()
@click.argument("base")
@click.argument("head", default="HEAD")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "github", "gitlab", "json"]),
    default="text",
    show_default=True,
    help="Words, a pull-request comment, annotations of GitHub, a Code Quality report of GitLab, or JSON.",
)
@click.option("--preview", is_flag=True, help="Ask the present model the new and changed scenarios.")
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def review(base: str, head: str, form: str, preview: bool, directory: Path, as_json: bool) -> ExitCode:
    """Say what the commits from BASE to HEAD change: scenarios, grading, limits, who must sign, leaks and coverage.

    It refuses nothing: `hallmark check` and the gate do. Held-out is told of by ids and figures alone.

    Example: hallmark review origin/main HEAD --format markdown
    """
    from runner.cli.evaluating import Progress
    from runner.rules.review.annotations import commands
    from runner.rules.review.code_quality import report
    from runner.rules.review.markdown import markdown, plain
    from runner.rules.review.told import LOOSENED
    from runner.wiring import review as wiring_review

    with Progress(quiet=as_json or not preview) as progress, without_search():
        found = wiring_review.reviewed(directory, base, head, preview=preview, progress=progress.update)
    if as_json or form == "json":
        click.echo(found.model_dump_json(indent=1))
    elif form == "text":
        click.echo(plain(found).replace(LOOSENED, click.style(LOOSENED, fg="red", bold=True)), nl=False)
    else:
        write = {"markdown": markdown, "github": commands, "gitlab": report}[form]
        click.echo(write(found), nl=False)
    return ExitCode.DONE
