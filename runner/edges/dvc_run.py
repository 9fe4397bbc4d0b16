"""DVC for a run branch: its outs are hashed into `dvc.lock` and pushed, in this process and quietly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.edges.dvc_repository import opened


def commit(root: Path, targets: Sequence[str]) -> None:
    """Take the stages' dependencies and outs as they stand into `dvc.lock` and the cache."""
    with opened(root) as repo:
        for target in targets:
            repo.commit(target, force=True)


def push(root: Path, targets: Sequence[str]) -> None:
    """Push the stages' outs to the default remote, where there is one."""
    with opened(root) as repo:
        if repo.config["core"].get("remote"):
            repo.push(targets=list(targets))


def bring(root: Path, targets: Sequence[str]) -> None:
    """Check targets out from the cache, fetching from the remote what the cache lacks."""
    with opened(root) as repo:
        if repo.config["core"].get("remote"):
            repo.fetch(targets=list(targets))
        repo.checkout(targets=list(targets), force=True)


def share_cache(root: Path, main: Path) -> None:
    """Let the work tree at `root` use the cache and remotes of the repository at `main`."""
    from dvc.config import Config

    with opened(main) as repo:
        cache = str(Path(repo.cache.local.path).parents[1])
        default = repo.config["core"].get("remote")
        url = repo.config["remote"][default]["url"] if default else None
    config = Config(str(root / ".dvc"), validate=False)
    with config.edit("local", validate=False) as local:
        local["cache"] = {"dir": cache}
        if default:
            local["core"] = {"remote": default}
            local["remote"] = {default: {"url": url}}
