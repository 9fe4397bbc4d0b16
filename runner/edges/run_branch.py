"""A run branch, checked out beside the repository: `.hallmark/runs/<cluster>/<iteration>`."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TypeVar

from pydantic import ValidationError

from runner.edges import dvc_data, dvc_run
from runner.edges.artifacts import DirectoryArtifacts, record_bytes
from runner.edges.dvc_lock import locked
from runner.edges.files import write_file
from runner.edges.git_command import attempt, git, has_remote, resolve
from runner.edges.git_write import GitRepository, RefUpdate
from runner.edges.readers import DirectoryReader
from runner.edges.write_points import WritePoint, reach
from runner.errors import DataError, GitError
from runner.ports import Reader, Tree
from runner.records.artifact import ARTIFACTS, Keeper
from runner.records.base import Record
from runner.records.step import Step

R = TypeVar("R", bound=Record)


class BranchRun:
    """`ports.Run` on a git work tree and DVC."""

    def __init__(self, main: Path, root: Path, cluster: str, branch: str, claim: IO[bytes]) -> None:
        self.main, self.root, self.cluster, self.branch = main, root, cluster, branch
        self._claim = claim
        self.home = root / "clusters" / cluster
        self.artifacts = DirectoryArtifacts(self.home)
        self.reader: Reader = DirectoryReader(root)

    def steps(self) -> Mapping[str, Step]:
        """The steps committed on the branch; a file that no commit holds does not count."""
        return _steps(self.root, self.cluster)

    def restore(self, digests: Mapping[str, str]) -> None:
        wrong = [name for name, digest in digests.items() if not self._holds(name, digest)]
        paths = {name: f"clusters/{self.cluster}/{ARTIFACTS[name].path}" for name in wrong}
        in_git = [path for name, path in paths.items() if ARTIFACTS[name].keeper is Keeper.GIT]
        in_dvc = {path: digests[name] for name, path in paths.items() if ARTIFACTS[name].keeper is Keeper.DVC}
        if in_git:
            git(self.root, "checkout", "HEAD", "--", *in_git)
        if in_dvc:
            dvc_run.bring(self.root, in_dvc)
        still = [name for name in wrong if not self._holds(name, digests[name])]
        if still:
            raise DataError(f"{self.branch}: {', '.join(still)}: the bytes are not those that were recorded")
        self.artifacts.pin(digests)

    def _holds(self, name: str, digest: str) -> bool:
        return self.artifacts.exists(name) and self.artifacts.digest(name) == digest

    def bring(self, path: str, data: bytes) -> None:
        write_file(self.root / path, data)

    def write(self, artifacts: Mapping[str, Record | Sequence[Record] | Tree]) -> None:
        for name, value in artifacts.items():
            self.artifacts.write(name, value)
        reach(WritePoint.OUTPUTS_WRITTEN, self.home)

    def commit(self, step: Step, stages: Sequence[str]) -> None:
        if step.outputs:  # refused before it ran, it has none
            dvc_run.keep(self.root, [f"{stage}@{self.cluster}" for stage in stages])
        file = self.home / "run" / "steps" / f"{step.phase}.json"
        write_file(file, record_bytes(step))
        reach(WritePoint.STEP_WRITTEN, file)
        lock = ["dvc.lock"] * (self.root / "dvc.lock").exists()
        git(self.root, "add", "--all", *lock, f"clusters/{self.cluster}")
        reach(WritePoint.STEP_STAGED, file)
        git(self.root, "commit", "--quiet", "--no-verify", "--message", _message(step))
        reach(WritePoint.STEP_COMMITTED, self.branch)
        self.push()
        reach(WritePoint.STEP_PUSHED, self.branch)

    def push(self) -> None:
        """Push the branch, from the repository itself: a relative remote counts from there."""
        if has_remote(self.main):
            ref = f"refs/heads/{self.branch}"
            git(self.main, "push", "--quiet", "origin", f"{ref}:{ref}")

    def settle(self) -> None:
        """Drop what no commit holds: outputs of a phase that was killed half-way. Outs that DVC keeps stay."""
        git(self.root, "reset", "--quiet", "--hard", "HEAD")
        git(self.root, "clean", "--quiet", "-fd", "--", f"clusters/{self.cluster}")


class BranchRuns:
    """`ports.Runs`: opens run branches of the repository at `main`, cut from `commit`."""

    def __init__(self, main: Path, commit: str) -> None:
        self.main, self.commit = main, commit

    def open(self, cluster: str, iteration: str) -> BranchRun:
        """The run, as far as it is committed. Raises `GitError` while another process is at work on it."""
        branch = f"runs/{cluster}/{iteration}"
        root = self.main / ".hallmark" / "runs" / cluster / iteration
        root.parent.mkdir(parents=True, exist_ok=True)
        claim = _claim(root.with_name(f"{iteration}.lock"))
        self._unlock_refs(branch)
        tip = self._tip(branch)
        if not self._has_work_tree(root, branch):
            shutil.rmtree(root, ignore_errors=True)
            git(self.main, "worktree", "prune")
            git(self.main, "update-ref", f"refs/heads/{branch}", tip)
            reach(WritePoint.RUN_CUT, branch)
            git(self.main, "worktree", "add", "--quiet", "--force", "--force", str(root), branch)
            reach(WritePoint.RUN_OPENED, branch)
        run = BranchRun(self.main, root, cluster, branch, claim)
        _unlock(root)
        run.settle()
        if git(root, "rev-parse", "HEAD") != tip:
            git(root, "reset", "--quiet", "--hard", tip)
        dvc_run.share_cache(root, self.main)
        self._prepare(run)
        run.push()
        return run

    def recorded(self, cluster: str, iteration: str, name: str, kind: type[R]) -> R | None:
        """The artifact at the branch's tip. Raises `DataError` where it cannot be read as its record."""
        tip = self._tip(f"runs/{cluster}/{iteration}")
        path = f"clusters/{cluster}/{ARTIFACTS[name].path}"
        if tip == self.commit or not git(self.main, "ls-tree", "--name-only", tip, "--", path):
            return None
        try:
            return kind.model_validate_json(git(self.main, "show", f"{tip}:{path}"))
        except ValidationError as error:
            raise DataError(f"{path} of {iteration} is not its record: {error}") from error

    def _has_work_tree(self, root: Path, branch: str) -> bool:
        """Whether the branch is checked out at `root`, of this repository and not of one that this is a copy of."""
        if not (root / ".git").is_file():
            return False
        common = ("rev-parse", "--path-format=absolute", "--git-common-dir")
        whose = attempt(root, *common).stdout.decode().strip()
        on = attempt(root, "symbolic-ref", "--quiet", "HEAD").stdout.decode().strip()
        return whose == git(self.main, *common) and on == f"refs/heads/{branch}" and resolve(root, "HEAD") is not None

    def _unlock_refs(self, branch: str) -> None:
        """Remove what a killed git left beside the refs of the run, which only this program moves."""
        home = Path(git(self.main, "rev-parse", "--path-format=absolute", "--git-common-dir"))
        for ref in (f"heads/{branch}", f"remotes/origin/{branch}"):
            _remove(home / "refs" / f"{ref}.lock")

    def _tip(self, branch: str) -> str:
        """Where the branch stands: the local tip if it holds the remote's, else the remote's; else a fresh cut."""
        remote = None
        if has_remote(self.main):
            attempt(self.main, "fetch", "--quiet", "origin", f"+refs/heads/{branch}:refs/remotes/origin/{branch}")
            remote = resolve(self.main, f"refs/remotes/origin/{branch}")
        local = resolve(self.main, f"refs/heads/{branch}")
        if local and remote and attempt(self.main, "merge-base", "--is-ancestor", remote, local).returncode != 0:
            return remote
        return local or remote or self.commit

    def _prepare(self, run: BranchRun) -> None:
        """The data that people's pointers name, and a `.gitignore` for what DVC keeps."""
        kept = sorted(ARTIFACTS[name].path for name in ARTIFACTS if ARTIFACTS[name].keeper is Keeper.DVC)
        ignored = [path.removeprefix("run/") for path in kept if path.startswith("run/")]
        write_file(run.home / "run" / ".gitignore", "".join(f"/{path}\n" for path in ignored).encode())
        dvc_data.fetch_all(run.root, [pointer.with_suffix("") for pointer in sorted(run.home.glob("data/*.dvc"))])
        run.artifacts.pin(dvc_data.recorded(run.home))


class BranchPullRequests:
    """`ports.PullRequests` as branches on the remote: what a forge makes a pull request of."""

    def __init__(self, main: Path, commit: str) -> None:
        self.main, self.commit = main, commit

    def open(self, branch: str, files: Mapping[str, bytes | None], *, title: str, body: str) -> str:
        ref = f"refs/heads/{branch}"
        with GitRepository(self.main) as repository:
            there = has_remote(self.main)
            if (repository.remote_ref("origin", ref) if there else repository.resolve(ref)) is None:
                made = repository.commit_files([self.commit], files, f"{title}\n\n{body}\n")
                if there:
                    repository.push("origin", {ref: made})
                else:
                    repository.update_refs([RefUpdate(ref, made, None)])
        return branch

    def says(self, branch: str, files: Mapping[str, bytes | None]) -> bool | None:
        """Whether `branch` is open and has these files; None where there is no such branch."""
        ref = f"refs/heads/{branch}"
        with GitRepository(self.main) as repository:
            there = has_remote(self.main)
            tip = repository.remote_ref("origin", ref) if there else repository.resolve(ref)
            if tip is None:
                return None
            return all(_read(repository, tip, path) == data for path, data in files.items())


def _read(repository: GitRepository, commit: str, path: str) -> bytes | None:
    return repository.read(commit, path) if path in repository.files(commit, path) else None


def recorded(root: Path, cluster: str) -> dict[str, str]:
    """The sha256 of what DVC keeps of the run that is checked out at `root`, by artifact: what its committed steps say.

    An output whose pointer in `dvc.lock` is no longer the committed one was made again since, and is left out.
    """
    digests = {name: digest for step in _steps(root, cluster).values() for name, digest in step.outputs.items()}
    if not digests:
        return {}
    then = locked(git(root, "show", "HEAD:dvc.lock").encode())
    now = locked((root / "dvc.lock").read_bytes()) if (root / "dvc.lock").is_file() else {}
    paths = {name: f"clusters/{cluster}/{ARTIFACTS[name].path}" for name in digests if name in ARTIFACTS}
    kept = [name for name, path in paths.items() if path in then and now.get(path) == then[path]]
    return {name: digests[name] for name in kept}


def _steps(root: Path, cluster: str) -> dict[str, Step]:
    folder = f"clusters/{cluster}/run/steps"
    steps = {}
    for path in git(root, "ls-tree", "-r", "--name-only", "HEAD", f"{folder}/").splitlines():
        try:
            step = Step.model_validate_json(git(root, "show", f"HEAD:{path}"))
        except ValidationError as error:
            raise DataError(f"{root}: {path} is not a step: {error}") from error
        steps[step.phase] = step
    return steps


def _message(step: Step) -> str:
    body = json.dumps(step.verdict.model_dump(mode="json"), indent=1, sort_keys=True)
    return f"{step.phase}: {step.verdict.outcome}\n\nIteration {step.iteration}.\n\n{body}\n"


def _claim(path: Path) -> IO[bytes]:
    """A lock on the run that the kernel takes back when this process ends, however it ends."""
    file = path.open("ab")
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise GitError(f"another process is at work on {path.stem}; wait for it, or end it") from error
    return file


def _unlock(root: Path) -> None:
    """Remove the locks that a killed git or DVC left in this work tree, which only this program uses."""
    folder = Path(git(root, "rev-parse", "--path-format=absolute", "--git-dir"))
    for lock in (*folder.glob("*.lock"), *(root / ".dvc" / "tmp" / name for name in ("lock", "rwlock", "rwlock.lock"))):
        _remove(lock)


def _remove(lock: Path) -> None:
    try:
        lock.unlink(missing_ok=True)
    except OSError as error:
        raise GitError(f"{lock}: {error}") from error
