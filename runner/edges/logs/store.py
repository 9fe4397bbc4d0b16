"""Where evaluations are: below `.hallmark/` those of this machine, below `clusters/` those that the repository keeps.

An evaluation is two files beside each other: its summary, `RUN.json`, and its log, `RUN.jsonl.zst`. The repository
keeps the summary in git and the log behind a DVC pointer, whose sha256 decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from runner.edges import dvc_data
from runner.edges.artifacts import record_bytes
from runner.edges.files import only_one, write_file
from runner.edges.logs.frames import broken
from runner.edges.logs.kept import SUFFIX, Log, log_digest, write_log
from runner.edges.yaml_files import parse
from runner.errors import DataError, RecordError
from runner.records.evaluation import EvaluationRun, ModelKind, Sample

SUMMARY = ".json"


class Kept(NamedTuple):
    """An evaluation that was written: its summary, and the files."""

    run: EvaluationRun
    summary: Path
    log: Path


class Evaluations:
    """Those of the repository at `top`."""

    def __init__(self, top: Path, room: str = "evaluations") -> None:
        """`room` is the folder of `.hallmark` that those of this machine are in."""
        self.top, self.room = top, room

    def keep(self, run: EvaluationRun, samples: Sequence[Sample], *, in_git: bool) -> Kept:
        """Write both files, the log first: a summary never stands without its log. Raises `DataError`.

        The same evaluation again gives the same log; what was measured is then that of the last.
        """
        home = self._committed(run.cluster) if in_git else self._local(run.cluster)
        log, summary = home / f"{run.id}{SUFFIX}", home / f"{run.id}{SUMMARY}"
        with only_one(self._local(run.cluster) / ".lock"):
            pointer = write_log(log, run, samples)
            if in_git:
                dvc_data.track(self.top, [log])
            whole = run.model_copy(update={"log": pointer})
            write_file(summary, record_bytes(whole))
        return Kept(whole, summary, log)

    def publish(self, kept: Kept) -> bool:
        """Push the log to DVC's default remote. False where there is none."""
        return dvc_data.publish(self.top, [kept.log])

    def named(self, name: str, *, admit: Callable[[str], None]) -> Kept:
        """The evaluation whose id begins with `name`, or the newest of a kind of model, such as `base`; its log brought
        by DVC where it is not here. `admit` raises where those of a cluster may not be brought to this machine.

        Raises `RecordError` where there is none or several, or where the log is another than the summary's.
        """
        found = {path.stem: path for path in self._summaries() if path.name.startswith(name)}
        if len(found) > 1 and name in set(ModelKind):
            newest = max(found, key=lambda one: (str(self._parsed(found[one]).measured.get("started", "")), one))
            found = {newest: found[newest]}
        if len(found) != 1:
            said = ", ".join(sorted(found)) or "none begins so"
            problem = f"{'several evaluations are' if found else 'there is no evaluation'} called {name}: {said}"
            raise RecordError(problem, hint="`hallmark evaluate list` names them; a log's path will do as well")
        return self._read(next(iter(found.values())), admit)

    def listed(self, cluster: str = "") -> list[EvaluationRun]:
        """Every summary, or a cluster's, by id; those of the repository before those of this machine alone."""
        runs = [self._parsed(path) for path in self._summaries()]
        by_id = {run.id: run for run in reversed(runs) if cluster in ("", run.cluster)}
        return [by_id[name] for name in sorted(by_id)]

    def _summaries(self) -> Iterator[Path]:
        for pattern in ("clusters/*/evaluations", f".hallmark/{self.room}/*"):
            yield from sorted(self.top.glob(f"{pattern}/*{SUMMARY}"))

    def _read(self, summary: Path, admit: Callable[[str], None]) -> Kept:
        run = self._parsed(summary)
        log = summary.with_name(f"{run.id}{SUFFIX}")
        if dvc_data.pointer_path(log).is_file():
            admit(run.cluster)
            dvc_data.fetch(self.top, log)
        if not log.is_file():
            raise DataError(f"{log} is missing: evaluate again, or fetch it")
        if run.log is not None and log_digest(log) != run.log.sha256:
            raise broken(log, "is another log than that of the summary beside it")
        return Kept(run, summary, log)

    @staticmethod
    def _parsed(path: Path) -> EvaluationRun:
        return parse(path.read_bytes(), EvaluationRun, path=str(path))

    def _local(self, cluster: str) -> Path:
        return self.top / ".hallmark" / self.room / cluster

    def _committed(self, cluster: str) -> Path:
        return self.top / "clusters" / cluster / "evaluations"


def opened(path: Path) -> Log:
    """The log at `path`, or beside the summary at `path`. Raises `RecordError`."""
    if path.name.endswith(SUMMARY):
        path = path.with_name(path.name.removesuffix(SUMMARY) + SUFFIX)
    if not path.is_file():
        raise RecordError("is no file", path=str(path), hint="name an evaluation's log, its summary or its id")
    return Log.open(path)
