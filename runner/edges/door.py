"""The door: production traces come in redacted, each line once, and the count says where every line went."""

from __future__ import annotations

import json
from pathlib import Path

from runner.edges import dvc_data
from runner.edges.files import only_one, write_file
from runner.edges.trace_formats import Quarantined, read
from runner.errors import RecordError
from runner.records.trace import IngestedFile, QuarantinedLine

_SIGNALS = "data/signals.jsonl"


def ingest(top: Path, cluster: str, file: Path) -> IngestedFile:
    """Take the traces in `file` into the cluster's signals, and its pointer with them.

    A line that was taken in before, or stands in the file twice, is a duplicate. A line that cannot be read is
    quarantined: its number and the reason are kept beside the data, out of git, and nothing of its text.
    Raises `RecordError` where there is nothing to read, and leaves everything as it was.
    """
    home = top / "clusters" / cluster
    if not (home / "cluster.yaml").is_file():
        raise RecordError(f"there is no cluster {cluster}", path=str(top), hint="hallmark import labelled --help")
    if not file.is_file() or file.stat().st_size == 0:
        raise RecordError("is empty", path=str(file), hint="give a file of JSON lines, one request and response a line")
    with only_one(top / ".hallmark" / "ingest.lock"):
        target = home / _SIGNALS
        if dvc_data.pointer_path(target).exists():
            dvc_data.fetch(top, target)
        before = target.read_bytes().splitlines() if target.exists() else []
        result, rows = _sort(file, cluster, dict.fromkeys(before))
        if result.kept == result.duplicate == 0:
            first = result.quarantined[0] if result.quarantined else None
            problem = f"no line can be read; the first {first.reason}" if first else "holds no line"
            hint = "one JSON object a line, with request.messages"
            raise RecordError(problem, path=str(file), line=first.line if first else None, hint=hint)
        if result.kept:
            write_file(target, b"".join(row + b"\n" for row in rows))
        dvc_data.track(top, [target])
        _keep_quarantine(home, file, result)
    return result


def _sort(file: Path, cluster: str, rows: dict[bytes, None]) -> tuple[IngestedFile, dict[bytes, None]]:
    """Every line of `file` is kept (added to `rows`), a duplicate, or quarantined."""
    number, duplicate, redactions = len(rows), 0, dict[str, int]()
    quarantined = []
    for found in read(file):
        if isinstance(found, Quarantined):
            quarantined.append(QuarantinedLine(line=found.line, reason=found.reason))
            continue
        row = found.model_dump_json().encode()
        if row in rows:
            duplicate += 1
            continue
        rows[row] = None
        for kind, count in found.redactions.items():
            redactions[kind] = redactions.get(kind, 0) + count
    kept = len(rows) - number
    result = IngestedFile(
        cluster=cluster,
        read=kept + duplicate + len(quarantined),
        kept=kept,
        duplicate=duplicate,
        quarantined=tuple(quarantined),
        redactions=dict(sorted(redactions.items())),
    )
    return result, rows


def _keep_quarantine(home: Path, file: Path, result: IngestedFile) -> None:
    if not result.quarantined:
        return
    folder = home / "data" / "quarantine"
    lines = [line.model_dump(mode="json") for line in result.quarantined]
    write_file(folder / ".gitignore", b"*\n")
    report = {"file": file.name, "read": result.read, "quarantined": lines}
    write_file(folder / f"{file.name}.json", json.dumps(report, indent=1).encode() + b"\n")
