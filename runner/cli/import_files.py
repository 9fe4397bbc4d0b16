"""`hallmark import instructlab`, `promptfoo` and `lm-eval`: a new cluster from another program's files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from runner.cli.evaluating import Progress
from runner.cli.imported import summary, tell
from runner.errors import ExitCode
from runner.records.adoption import Format
from runner.records.terms import Origin, Severity
from runner.rules.adopt.compose import Source, Wanted
from runner.rules.adopt.guess import base_of
from runner.rules.data.splits import SEED
from runner.wiring import adopt

F = TypeVar("F", bound=Callable[..., Any])
SHARE = click.FloatRange(0, 1)
THERE = click.Path(exists=True, path_type=Path)
OPTIONS = (
    click.option("--cluster", required=True, help="The new cluster's name, such as support-desk."),
    click.option("--origin", type=click.Choice([*map(str, Origin)]), required=True,
                 help="Who wrote the texts: the files do not say."),
    click.option("--capability", default="", help="One for all of them; otherwise as the files say."),
    click.option("--severity", type=click.Choice([*map(str, Severity)]), default="medium", show_default=True),
    click.option("--judge", default="", help="A judge of the workspace, where words are to be judged."),
    click.option("--model", default="tiny", show_default=True, help="The base: tiny, or ORG/NAME@COMMIT of a hub."),
    click.option("--seed", type=int, default=SEED, show_default=True, help="Divides the texts."),
    click.option("--threshold-composite", type=SHARE, default=0.7, show_default=True),
    click.option("--threshold-heldout", type=SHARE, default=0.7, show_default=True),
    click.option("--triage", type=click.Choice(["all", "none"]), default="all", show_default=True,
                 help="Whether people decide on every candidate, or the policy passes them."),
    click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default="."),
    click.option("--push/--no-push", default=True, help="Push the data to DVC's default remote, where there is one."),
    click.option("--json", "as_json", is_flag=True, help="Print what was made as one JSON document."),
)  # fmt: skip


def shared(function: F) -> F:
    """The options that all of them have."""
    for option in reversed(OPTIONS):
        function = option(function)
    return function


@click.command()
@click.argument("files", type=THERE, nargs=-1, required=True)
@shared
def instructlab(files: tuple[Path, ...], **options: Any) -> ExitCode:
    """Make a cluster from InstructLab's qna.yaml FILES, skills and knowledge of versions 2 and 3; a directory stands
    for every qna.yaml below it. Each file's folder is a capability.

    Example: hallmark import instructlab taxonomy/knowledge --cluster handbook --origin human
    """
    return _made(Format.INSTRUCTLAB, files, **options)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@shared
def promptfoo(file: Path, **options: Any) -> ExitCode:
    """Make a cluster from the promptfoo configuration FILE: prompts, variables, tests, and assertions as graders. What
    cannot be mapped is named and counted. Nothing of the configuration is run.

    Example: hallmark import promptfoo promptfooconfig.yaml --cluster answers --origin human
    """
    return _made(Format.PROMPTFOO, (file,), **options)


@click.command("lm-eval")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--data", default="", help="A dataset beside FILE (CSV, JSON Lines), in the place of the one it names.")
@shared
def lm_eval(file: Path, data: str, **options: Any) -> ExitCode:
    """Make a cluster from FILE, a task of lm-evaluation-harness with a dataset on this machine. Templates are rendered;
    tasks that name Python are refused.

    Example: hallmark import lm-eval task.yaml --cluster trivia --origin human --data questions.jsonl
    """
    return _made(Format.LM_EVAL, (file,), data=data, **options)


def _made(
    kind: Format,
    paths: tuple[Path, ...],
    *,
    directory: Path,
    push: bool,
    as_json: bool,
    judge: str,
    capability: str,
    model: str,
    data: str = "",
    **said: Any,
) -> ExitCode:
    said |= {"origin": Origin(said["origin"]), "severity": Severity(said["severity"])}
    wanted = Wanted(format=kind, base=base_of(model), **said)
    source = Source(paths, judge=judge, capability=capability, data=data)
    with Progress(quiet=as_json) as progress:
        made = adopt.import_files(directory, source, wanted, push=push, progress=progress.update)
    if as_json:
        click.echo(json.dumps(summary(made), indent=1))
    else:
        tell(made)
    return ExitCode.DONE
