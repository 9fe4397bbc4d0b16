"""DVC in this process, quietly, at one repository."""

from __future__ import annotations

import contextlib
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runner.edges.files import write_file
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
            _forget_half_a_list(Path(repo.tmp_dir))
            yield repo
    except (DvcException, OSError) as error:
        raise DataError(f"DVC in {top}: {error}") from error


def _forget_half_a_list(folder: Path) -> None:
    """Remove DVC's list of who reads and writes which outputs, where a kill or a full disk cut it short.

    DVC writes it in place, and refuses every command while it cannot read it. Under the lock by which DVC guards it,
    nobody is writing it.
    """
    from dvc.lock import make_lock
    from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK

    listed = folder / RWLOCK_FILE
    if _is_cut_short(listed):
        with make_lock(str(folder / RWLOCK_LOCK)):
            if _is_cut_short(listed):
                listed.unlink()


def _is_cut_short(listed: Path) -> bool:
    try:
        json.loads(listed.read_bytes())
    except FileNotFoundError:
        return False
    except ValueError:
        return True
    return False


def configuration(folder: Path) -> Any:
    """A `dvc.config.Config` of `folder`, a `.dvc` directory, as it stands. Its files are whole or as they were, and in
    UTF-8, which DVC reads: its own writing knows ASCII alone, and empties the file before it finds that out."""
    from configobj import ConfigObj
    from dvc.config import Config, _pack_named

    config = Config(str(folder), validate=False)

    def save(level: str, said: dict[str, Any]) -> None:
        data = io.BytesIO()
        ConfigObj(_pack_named(said), encoding="utf-8").write(data)
        mode = 0o600 if level == "local" else 0o644  # config.local is where credentials are
        write_file(Path(config.files[level]), data.getvalue(), mode=mode)

    config._save_config = save
    return config
