"""DVC for a run branch: its outs are hashed into `dvc.lock` and pushed, in this process and quietly. What comes back is
read as data and written here, checked by sha256: DVC never writes what it brought."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.edges.dvc_lock import locked
from runner.edges.dvc_objects import DvcObjects
from runner.edges.dvc_remote import told
from runner.edges.dvc_repository import configuration, opened
from runner.edges.files import write_directory, write_file
from runner.edges.write_points import WritePoint, reach
from runner.errors import DataError


def keep(root: Path, targets: Sequence[str]) -> None:
    """Take the stages' dependencies and outs as they stand into `dvc.lock` and the cache, and push the outs to the
    default remote, where there is one. Raises `DataError` where something is missing or was not pushed."""
    with opened(root) as repo:
        stages = [stage for target in targets for stage in repo.commit(target, force=True)]
        reach(WritePoint.OUTPUTS_KEPT, root / "dvc.lock")
        if name := repo.config["core"].get("remote"):
            with told(repo.config["remote"][name]["url"]):
                _push(repo, stages)
        reach(WritePoint.OUTPUTS_PUSHED, root / "dvc.lock")


def _push(repo: Any, stages: Iterable[Any]) -> None:
    """As `dvc push` of the stages, from what was just committed: DVC would parse the whole pipeline again."""
    for stage in stages:
        for out in stage.outs:
            for store, objects in out.get_used_objs(push=True).items():
                if repo.cloud.push(objects, odb=store).failed:
                    raise DataError(f"DVC could not push {out}")


def bring(root: Path, wanted: Mapping[str, str]) -> None:
    """Write outputs as they were recorded, from the cache or the default remote of the repository at `root`.

    `wanted` is each output's path from `root`, with its sha256 (of a directory, `rules.canonical.tree_digest`).
    Raises `DataError`, and leaves an output as it is, where the bytes are not to be had or are not those.
    """
    pointers = locked((root / "dvc.lock").read_bytes()) if (root / "dvc.lock").is_file() else {}
    objects = DvcObjects.of_work_tree(root)
    for path, digest in wanted.items():
        pointer = pointers.get(path)
        if pointer is None:
            raise DataError(f"{path}: dvc.lock does not say where it is: run the phase that writes it again")
        if pointer.md5.endswith(".dir"):
            write_directory(root / path, objects.tree(pointer, digest, where=path).files)
        else:
            write_file(root / path, objects.file(pointer, digest, where=path))


def share_cache(root: Path, main: Path) -> None:
    """Let the work tree at `root` use the cache and the default remote of the repository at `main`.

    What `main` says of the remote in its own `config.local`, such as credentials, holds for `root` too.
    """
    with opened(main) as repo:
        cache = str(Path(repo.cache.local.path).parents[1])
    said = configuration(main / ".dvc")
    default = said["core"].get("remote")
    (root / ".dvc" / "config.local").unlink(missing_ok=True)  # a kill may have left half of it
    with configuration(root / ".dvc").edit("local", validate=False) as local:
        local["cache"] = {"dir": cache}
        if default:
            local["core"] = {"remote": default}
            local["remote"] = {default: dict(said["remote"][default])}
