"""People's data behind DVC pointers. DVC moves the bytes; the sha256 in the pointer's `meta` says which they are."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

from runner.edges.dvc_objects import DvcObjects
from runner.edges.dvc_remote import told
from runner.edges.dvc_repository import configuration, opened
from runner.edges.files import put, write_file
from runner.edges.write_points import WritePoint, reach
from runner.edges.yaml_files import dump, parse
from runner.errors import DataError
from runner.records.artifact import ARTIFACTS
from runner.records.pointer import DataPointer, PointerMeta, PointerOut

_BLOCK = 1 << 20


def pointer_path(path: Path) -> Path:
    return path.with_name(path.name + ".dvc")


def point_at(path: Path) -> DataPointer:
    """Write the pointer of the file at `path`, as DVC would, with its sha256. The cache is not touched."""
    md5, sha256, size = _digests(path)
    out = PointerOut(md5=md5, size=size, hash="md5", path=path.name)
    pointer = DataPointer(outs=(out,), meta=PointerMeta(sha256=sha256))
    write_file(pointer_path(path), pointer_bytes(pointer))
    return pointer


def pointer_bytes(pointer: DataPointer) -> bytes:
    """The pointer as DVC itself writes it (lists are not indented), so that `dvc repro --force` leaves it as it is."""
    outs, meta = dump(pointer.model_dump(mode="json", exclude_none=True)).decode().split("\nmeta:\n")
    flush = "\n".join(line.removeprefix("  ") for line in outs.splitlines())
    return f"{flush}\nmeta:\n{meta}".encode()


def track(top: Path, paths: Sequence[Path]) -> dict[Path, DataPointer]:
    """Write the pointers of files and take their bytes into the cache of the repository at `top`. Raises `DataError`.

    The pointer comes first: killed in between, it is right, and running this again fills the cache.
    """
    for path in paths:
        point_at(path)
        reach(WritePoint.DATA_POINTED, pointer_path(path))
    absolute = [path.absolute() for path in paths]
    with opened(top) as repo:
        repo.add([str(path) for path in absolute])
    pointers = {path: point_at(path) for path in paths}  # DVC has written its own form over them
    reach(WritePoint.DATA_CACHED, top)
    return pointers


def fetch(top: Path, path: Path) -> Path:
    """See `fetch_all`."""
    return fetch_all(top, [path])[0]


def fetch_all(top: Path, paths: Sequence[Path]) -> list[Path]:
    """The files that pointers name, from the work tree, the cache or the remote, their sha256 checked.

    Another file that stands in the place of one is set aside in `.hallmark/`, not lost. Raises `DataError` where the
    bytes are not to be had or are not those that were recorded; then nothing was set aside or written for that file.
    """
    objects = DvcObjects.of_work_tree(top)
    for path in paths:
        pointer = read_pointer(path, name=path.relative_to(top).as_posix())
        found = _digests(path)[1] if path.exists() else ""
        if found != pointer.meta.sha256:
            fresh = top / ".hallmark" / "fetched" / pointer.meta.sha256
            objects.bring(pointer.outs[0], pointer.meta.sha256, fresh, where=str(path))
            if found:
                _set_aside(top, path, found)
            put(fresh, path)
    return list(paths)


def read_pointer(path: Path, *, name: str) -> DataPointer:
    """The pointer of the data file at `path`, which messages call `name`. Raises `RecordErrors`, and `DataError` where
    it points at another file than the one it stands beside."""
    pointer = parse(pointer_path(path).read_bytes(), DataPointer, path=f"{name}.dvc")
    if pointer.outs[0].path != path.name:
        raise DataError(f"{name}.dvc points at {pointer.outs[0].path!a}, and stands beside {path.name}")
    return pointer


def recorded(home: Path) -> dict[str, str]:
    """The sha256 of a cluster's data, by artifact: what its pointers say. `home` is the cluster's directory."""
    paths = {name: home / artifact.path for name, artifact in ARTIFACTS.items() if artifact.path.startswith("data/")}
    there = {name: path for name, path in paths.items() if pointer_path(path).is_file()}
    return {name: read_pointer(path, name=str(path)).meta.sha256 for name, path in there.items()}


def _set_aside(top: Path, path: Path, sha256: str) -> None:
    aside = top / ".hallmark" / "set-aside" / f"{path.name}.{sha256[:12]}"
    aside.parent.mkdir(parents=True, exist_ok=True)
    path.rename(aside)
    reach(WritePoint.DATA_ASIDE, path)


def publish(top: Path, paths: Sequence[Path]) -> bool:
    """Push files to the default remote. False where there is none."""
    absolute = [str(path.absolute()) for path in paths]
    with opened(top) as repo:
        name = repo.config["core"].get("remote")
        if not name:
            return False
        with told(repo.config["remote"][name]["url"]):
            repo.push(targets=absolute)
    reach(WritePoint.DATA_PUSHED, top)
    return True


def initialise(top: Path, remote: str) -> None:
    """Make the git repository at `top` a DVC repository with a default remote; a relative one counts from `top`. No
    analytics are sent. One that has a default remote is left as it is."""
    from dvc.repo import Repo

    logging.getLogger("dvc").setLevel(logging.CRITICAL)
    if not (top / ".dvc").exists():
        Repo.init(str(top)).close()
    with opened(top) as repo:
        if repo.config["core"].get("remote"):
            return
        with configuration(Path(repo.dvc_dir)).edit("repo") as config:
            config["core"]["analytics"] = False
            config["core"]["remote"] = "store"
            config["remote"]["store"] = {"url": remote}


def _digests(path: Path) -> tuple[str, str, int]:
    """md5, sha256 and size, in one reading."""
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            md5.update(block)
            sha256.update(block)
            size += len(block)
    return md5.hexdigest(), sha256.hexdigest(), size
