"""DVC in this process, quietly, at one repository."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runner.errors import DataError


@contextlib.contextmanager
def opened(top: Path) -> Iterator[Any]:
    """A `dvc.repo.Repo` at `top`, which is the working directory meanwhile: DVC resolves its targets against that,
    whichever repository it was given. What DVC raises becomes a `DataError`."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    logging.getLogger("dvc").setLevel(logging.CRITICAL)
    top = top.absolute()  # before the working directory changes
    try:
        with contextlib.chdir(top), Repo(str(top)) as repo:
            yield repo
    except (DvcException, OSError) as error:
        raise DataError(f"DVC in {top}: {error}") from error
