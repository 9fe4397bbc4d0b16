"""The questions that `hallmark init` asks on a terminal. Enter takes the default of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import click
from pydantic import ValidationError

from runner.errors import RecordError, RecordErrors
from runner.records.adoption import Format
from runner.records.base import Record
from runner.records.setup import Answers
from runner.records.terms import Origin
from runner.rules.adopt.guess import format_of
from runner.rules.naming import slug
from runner.rules.repository.problems import explain

R = TypeVar("R", bound=Record)
NONE = "none"
HAVE = "A first cluster from which file (CSV, qna.yaml, promptfoo, lm-eval task; none for later)"


def asked(directory: Path, *, forges: Sequence[str]) -> Answers:
    """Raises `RecordErrors` where what was said does not fit together."""
    store = f"../{directory.resolve().name}-store"
    said: dict[str, object] = {
        "forge": click.prompt("Forge", type=click.Choice(forges), default="github"),
        "remote": click.prompt("DVC remote (a path, ssh://… or s3://…)", default=store),
    }
    file = click.prompt(HAVE, default=NONE)
    if file != NONE:
        said["cluster"] = _cluster(Path(file))
    return validated(Answers, said)


def validated(kind: type[R], said: Mapping[str, object]) -> R:
    """What was said as a record. Raises `RecordErrors` with every problem of it."""
    try:
        return kind.model_validate(said)
    except ValidationError as error:
        found = [RecordError(one.problem, field=one.field, hint=one.hint) for one in explain(error, kind)]
        raise RecordErrors(found) from None


def _cluster(path: Path) -> dict[str, object]:
    if not path.exists():
        raise click.BadParameter(f"there is no file {path}")
    guess = str(format_of(path.name, directory=path.is_dir()))
    kind = click.prompt("What is it", type=click.Choice([*map(str, Format)]), default=guess)
    made: dict[str, object] = {
        "id": click.prompt("The cluster's name", default=slug(path.stem) or "first"),
        "source": kind,
        "files": (str(path),),
    }
    if kind == Format.LABELLED:
        made["text_column"] = click.prompt("The column with the texts", default="text")
        made["label_column"] = click.prompt("The column with the labels", default="label")
    else:
        made["origin"] = click.prompt("Who wrote the texts", type=click.Choice([*map(str, Origin)]), default="human")
    return made
