"""How the promotion verbs show a verdict and exit."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import click

from runner.cli.said import reasons
from runner.errors import ExitCode
from runner.records.verdict import Verdict


def show(verdict: Verdict, *, headline: str, as_json: bool, **more: Any) -> ExitCode:
    """Print a verdict, as words or as one JSON document, and say how to exit."""
    if as_json:
        click.echo(json.dumps({**more, **verdict.model_dump(mode="json")}, indent=1, ensure_ascii=False))
    else:
        click.echo("\n".join([f"{headline}: {verdict.outcome}", *reasons(verdict)]))
    return ExitCode.DONE if verdict.passed else ExitCode.REFUSED


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """How a command over many clusters ends (docs/exit-codes.md)."""
    return min(codes, key=(ExitCode.BUG, ExitCode.COULD_NOT, ExitCode.REFUSED, ExitCode.WAITING, ExitCode.DONE).index)
