"""What the evaluations that the repository keeps must hold: named by their ids, each beside the pointer of its log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runner.records.evaluation import EvaluationRun
from runner.records.pointer import DataPointer

Finding = tuple[str, str, str, str]
"""Path, field, problem and fix."""
AGAIN = "evaluate again with --keep, or restore both files as they were written"


def kept_findings(runs: Mapping[str, EvaluationRun], pointers: Mapping[str, DataPointer]) -> Iterator[Finding]:
    """`runs` and `pointers` are those of one cluster, by path."""
    for path, run in sorted(runs.items()):
        home, _, name = path.rpartition("/")
        if name != f"{run.id}.json":
            yield path, "id", f"{run.id} is not the file's name", AGAIN
        if home.split("/")[1:2] != [run.cluster]:
            yield path, "cluster", f"{run.cluster} is not the folder's name", AGAIN
        pointer = pointers.get(f"{path.removesuffix('.json')}.jsonl.zst.dvc")
        if run.log is None or pointer is None:
            yield path, "log", "the log has no DVC pointer beside the summary", AGAIN
        elif pointer.meta.sha256 != run.log.sha256:
            yield path, "log.sha256", "the pointer beside the summary is of another log", AGAIN
