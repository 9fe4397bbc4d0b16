"""People and their public keys, as options name them: `NAME=KEY.pub[:ROLE,ROLE]`."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import click

SHAPE = "NAME=KEY.pub[:ROLE,ROLE]"


class Named(NamedTuple):
    name: str
    path: Path
    roles: tuple[str, ...]


def named_key(value: str) -> Named:
    """Raises `click.BadParameter` for another shape, and where there is no such file."""
    name, _, rest = value.partition("=")
    path, _, roles = rest.rpartition(":") if ":" in rest else (rest, "", "")
    if not name or not Path(path).is_file():
        raise click.BadParameter(f"{value!r} is not NAME=PUBLIC_KEY_FILE[:ROLE,ROLE] with a file that is there")
    return Named(name, Path(path), tuple(filter(None, roles.split(","))))
