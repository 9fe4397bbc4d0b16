"""The root of trust, as options name it."""

from __future__ import annotations

import re

import click

SHA256 = re.compile(r"[0-9a-f]{64}")


def root_of_trust(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """The sha256 that `--root` gives, in small letters; empty where it was left out. Raises `click.BadParameter`."""
    digest = value.strip().lower()
    if (digest or parameter.required) and not SHA256.fullmatch(digest):
        how = "`git show COMMIT:policy/trust.yaml | sha256sum` prints it, of the first commit with a policy"
        raise click.BadParameter(f"{value!r} is no sha256 (64 hex digits): {how}", context, parameter)
    return digest
