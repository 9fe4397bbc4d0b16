"""A DVC remote over the network (ssh, S3, …), through DVC's own file system for it: read, and tried out.

DVC's whole configuration is asked, so that a port, a key or credentials in any of its files hold, and what the
environment and an ssh agent say. Nothing waits for a server for ever: DVC itself would give an ssh server half an hour.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from runner.errors import DataError, HallmarkError
from runner.rules.repository.dvc_config import without_password

S3_LIMITS = {"connect_timeout": 10, "read_timeout": 20}
"""Seconds, for one answer of the server, where the configuration says nothing."""
S3_TRIES = 2
"""By botocore, and as often by s3fs, which would both try five times: a server that is down took minutes."""
SSH_LIMITS = {"connect_timeout": 20, "keepalive_interval": 10}
"""Seconds, as `asyncssh.connect` takes them: to log in, and between two questions whether the server is still there."""
DENIED = "access is denied: the credentials in the environment, the ssh agent or .dvc/config.local do not open it"
NONE = "there are no credentials for it: in the environment (AWS_ACCESS_KEY_ID, …) or in .dvc/config.local"
TRIES = "no answer in time: look whether it is up, and reachable from here"


class DvcRemote:
    """The remote `name` of the configuration in `folder`, a `.dvc` directory. Raises `DataError` with what to do."""

    def __init__(self, folder: Path, name: str, *, url: str) -> None:
        self._folder, self._name, self._url = folder, name, without_password(url)
        self._opened: tuple[Any, str] | None = None

    def size(self, part: str) -> int | None:
        """Bytes of the object at `part`; None where there is none."""
        with self._asked() as (system, root):
            try:
                return int(system.info(system.join(root, part))["size"])
            except FileNotFoundError as error:
                if "bucket" in str(error):  # every other remote makes its folder when it is first written to
                    raise
                return None

    def copy(self, part: str, target: Path) -> None:
        with self._asked() as (system, root):
            system.fs.get_file(system.join(root, part), str(target))

    def try_out(self, part: str, data: bytes) -> None:
        """Write an object, read it and remove it."""
        with self._asked() as (system, root):
            path = system.join(root, part)
            system.makedirs(system.parent(path), exist_ok=True)
            system.pipe_file(path, data)
            try:
                if system.cat_file(path) != data:
                    raise DataError(f"the remote {self._url} gives back other bytes than it was given")
            finally:
                system.rm_file(path)

    @contextlib.contextmanager
    def _asked(self) -> Iterator[tuple[Any, str]]:
        """DVC's file system and the remote's root in it."""
        with told(self._url):
            if self._opened is None:
                self._opened = self._open()
            yield self._opened

    def _open(self) -> tuple[Any, str]:
        from dvc.config import Config
        from dvc.fs import get_cloud_fs

        kind, options, root = get_cloud_fs(Config(str(self._folder)), name=self._name)
        if kind.protocol == "s3":
            options = {**S3_LIMITS, **options}
        system = kind(**options)
        if kind.protocol == "s3":
            retries = {"total_max_attempts": S3_TRIES, "mode": "standard"}
            system.fs_args.setdefault("config_kwargs", {}).setdefault("retries", retries)
            system.fs.retries = S3_TRIES
        if kind.protocol == "ssh":
            system.fs_args.update({name: limit for name, limit in SSH_LIMITS.items() if name not in system.fs_args})
        return system, root


class _Transfers(logging.Filter):
    """Keeps why single objects were not transferred: DVC logs it, and raises how many there were."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[BaseException] = []

    def filter(self, record: logging.LogRecord) -> bool:
        """Nothing is printed: the error that is raised says it."""
        self.errors += [error for error in (record.exc_info or ())[1:2] if isinstance(error, BaseException)]
        return False


@contextlib.contextmanager
def told(url: str) -> Iterator[None]:
    """Put what goes wrong with the remote at `url` into one kind of words, that of `DataError`."""
    transfers, logger = _Transfers(), logging.getLogger("dvc_data.hashfile.transfer")
    logger.addFilter(transfers)
    try:
        yield
    except HallmarkError as error:
        _remove_halves(transfers.errors)
        if transfers.errors:
            raise DataError(f"{error}: {_words(transfers.errors[-1])}") from error
        raise
    except Exception as error:  # each file system has an error tree of its own
        _remove_halves(transfers.errors)
        cause = _words(transfers.errors[-1] if transfers.errors else error)
        raise DataError(f"the remote {without_password(url)} cannot be reached: {cause}") from error
    finally:
        logger.removeFilter(transfers)


def _remove_halves(errors: Iterable[BaseException]) -> None:
    """What was half written to a folder whose disk is full: DVC leaves it there, and the disk full with it."""
    for error in errors:
        half = error.filename2 if isinstance(error, OSError) else None
        if isinstance(half, str) and half.endswith(".tmp"):  # as `dvc_objects.fs.utils.tmp_fname` calls them
            Path(half).unlink(missing_ok=True)


def _words(error: BaseException) -> str:
    """What went wrong, and what to do where that is known."""
    said = " ".join(str(error).split())[:300] or type(error).__name__
    if isinstance(error, PermissionError) or "Permission denied" in said or "Forbidden" in said:
        return f"{DENIED} ({said})"
    if "credentials" in said.lower() and "locate" in said.lower():
        return f"{NONE} ({said})"
    if isinstance(error, ImportError):
        return f"{said}: python -m pip install 'hallmark-flywheel[data]', for S3 [data,s3]"
    if isinstance(error, TimeoutError) or "imeout" in type(error).__name__:
        return f"{TRIES} ({said})"
    return said
