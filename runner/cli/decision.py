"""What `approve` and `reject` share: show what is signed, ask, sign, push one file."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import click

from runner.errors import ExitCode
from runner.promotion import approve as room_of
from runner.records.statement import Choice
from runner.rules.text.shown import shown
from runner.wiring import promotion

INDENT, MORE = " " * 17, " " * 19
KEY = click.Path(exists=True, dir_okay=False, path_type=Path)


def sign(
    target: str, choice: Choice, *, key: Path, person: str, yes: bool, directory: Path, as_json: bool, reason: str = ""
) -> ExitCode:
    """Sign `choice` about `target` after showing it. Exits 130 where the person says no."""
    room = promotion.room(directory)

    def confirm(told: dict[str, Any]) -> bool:
        if not as_json:
            click.echo(words(told))
        return yes or click.confirm(f"Sign {choice.value} of {target} as {told['person']}?", err=as_json)

    signed = room_of.sign(
        room.sources(),
        room.repository,
        target,
        choice=choice,
        signer=promotion.signer(key),
        now=promotion.now(),
        remote=room.remote,
        confirm=confirm,
        person=person,
        reason=reason,
    )
    if signed is None:
        raise click.Abort
    proposal, who = signed
    if as_json:
        told = room_of.summary(proposal.facts, choice=choice, person=who, reason=reason)
        click.echo(json.dumps(told, indent=1, ensure_ascii=False))
    else:
        click.echo(f"signed: {who} {choice.value}s {target}")
    return ExitCode.DONE


def words(told: dict[str, Any]) -> str:
    """The summary, a field a line; what has parts stands below it, a part a line."""
    rows = []
    for name, value in told.items():
        title = f"{name.replace('_', ' '):>15}"
        whole = flat(value)
        if isinstance(value, str) or len(whole) <= 90:
            rows.append(f"{title}  {whole}")
            continue
        parts = [f"{key}: {flat(part)}" for key, part in value.items()] if isinstance(value, dict) else map(flat, value)
        rows += [
            title,
            *(textwrap.fill(part, 110, initial_indent=INDENT, subsequent_indent=MORE) for part in parts),
        ]
    return shown("\n".join(rows))


def flat(value: Any) -> str:
    """A value on one line: numbers to four digits, the parts of a list or mapping behind one another."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {flat(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(flat, value)) or "none"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "none" if value is None else str(value)
