"""A new cluster's files into a workspace: written beside, then moved, so that an import is whole or undone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from runner.edges import dvc_data
from runner.edges.artifacts import rows_bytes
from runner.edges.files import naming, only_one, write_file
from runner.edges.write_points import WritePoint, reach
from runner.edges.yaml_files import dump, parse
from runner.errors import RecordError
from runner.ports import Progress, silent
from runner.records.base import Record
from runner.records.params import ClusterParams, Params
from runner.rules.data.new_cluster import BASE, GOLD, REFERENCE, NewCluster, records
from runner.rules.naming import slug
from runner.rules.repository.layout import PARAMS

ALIKE = "looking for alike texts"
"""What an import is doing where it divides texts."""
PEOPLES = (BASE, GOLD, REFERENCE)
"""Data of people's making, beside the traces."""
KNOBS = "knobs.json"
"""In the folder beside: what params.yaml gets."""
PLACES = "places.json"
"""In the folder beside: what an import moves into place, in order."""

DRAFT_PROSE = """
# Why this specialist

This text was written by `hallmark import`. Say in your own words who needs the specialist, what it is weak at and why,
and what a wrong answer costs. The block above is what intake reads; review its numbers.
"""
_HANDOFF = """---
license: ""
data_license: ""
owner: ""
intended_use: ""
out_of_scope: ""
personal_data: ""
limitations: []
---

# Hand-off

People's part of the hand-off: who runs this specialist, who is called when it fails, and what it must never decide
alone. The generated part is in each promotion's evidence.
"""


def made_by() -> str:
    """This program and its version."""
    try:
        return f"hallmark {version('hallmark-flywheel')}"
    except PackageNotFoundError:
        return "hallmark"


@contextmanager
def placing(top: Path, cluster: str) -> Iterator[None]:
    """In the block nobody else imports, nothing of the cluster is there, and what a killed import left is undone.

    Raises `RecordError` for a name that is none, where there is no workspace, and where the cluster is there already.
    """
    if slug(cluster) != cluster:
        hint = f"use lower-case letters, digits and single hyphens, such as {slug(cluster) or 'support-desk'}"
        raise RecordError(f'"{cluster}" cannot be a cluster\'s name', field="--cluster", hint=hint)
    if not (top / PARAMS).is_file():
        raise RecordError("is no workspace", path=str(top), hint="make one: hallmark init DIR")
    with only_one(top / ".hallmark" / "import.lock"):
        _undo(top, cluster)
        for path in (f"clusters/{cluster}", f"scenarios/{cluster}"):
            if (top / path).exists():
                raise RecordError("is there already", path=path, hint="choose another --cluster, or remove it first")
        if cluster in parse((top / PARAMS).read_bytes(), Params, path=PARAMS).clusters:
            field = f"clusters.{cluster}"
            raise RecordError("is there already", path=PARAMS, field=field, hint="remove it first")
        yield


def place(top: Path, made: NewCluster, prose: str, *, push: bool, progress: Progress = silent) -> None:
    """Write the cluster, inside of `placing`; `push` its data to DVC's default remote, where there is one.

    What an error or a kill cuts short is taken back, now or by the next import. The folder beside goes last: where it
    is found, an import was cut short.
    """
    cluster = made.cluster.id
    beside, data = _beside(top, cluster), top / "clusters" / cluster / "data"
    params = (top / PARAMS).read_bytes()
    files = _files(made, prose)
    places = [f"scenarios/{cluster}", *sorted(path for path in files if path.startswith("rubrics/"))]
    places.append(f"clusters/{cluster}")
    for path in places:
        if (top / path).exists():
            raise RecordError("is there already", path=path, hint="rename it, or choose another --cluster")
    try:
        for number, (path, content) in enumerate(files.items()):
            progress("writing files", number / len(files))
            write_file(beside / path, content)
        write_file(beside / PLACES, json.dumps(places).encode())
        write_file(beside / KNOBS, made.params.model_dump_json().encode())
        write_file(beside / PARAMS, params)
        reach(WritePoint.IMPORT_STAGED, beside)
        for path in places:
            with naming(top / path):
                (top / path).parent.mkdir(parents=True, exist_ok=True)
                (beside / path).rename(top / path)
            reach(WritePoint.IMPORT_MOVED, top / path)
        write_file(top / PARAMS, _with_params(params, cluster, made.params))
        paths = sorted(data.glob("*.jsonl"))
        dvc_data.track(top, paths)
        if push:
            dvc_data.publish(top, paths)
    except BaseException:
        _undo(top, cluster)
        raise
    (beside / PARAMS).unlink()  # from here on the import is done
    shutil.rmtree(beside)


def _beside(top: Path, cluster: str) -> Path:
    return top / ".hallmark" / f"import-{cluster}"


def _undo(top: Path, cluster: str) -> None:
    """Take back an import of the cluster that was cut short, by an error or a kill; what it has not moved stays."""
    beside = _beside(top, cluster)
    kept = beside / PARAMS  # written before anything is moved
    if kept.is_file():
        for path in _staged_places(beside, cluster):
            if not (beside / path).exists():
                target = top / path
                shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
        before = kept.read_bytes()
        knobs = parse((beside / KNOBS).read_bytes(), ClusterParams, path=KNOBS)
        if (top / PARAMS).read_bytes() == _with_params(before, cluster, knobs):
            write_file(top / PARAMS, before)
    shutil.rmtree(beside, ignore_errors=True)


def _staged_places(beside: Path, cluster: str) -> Sequence[str]:
    """What the import moves. Nothing but a cluster's own folders and rubrics is ever taken back."""
    try:
        listed = json.loads((beside / PLACES).read_bytes())
    except (OSError, ValueError):
        return ()
    own = {f"scenarios/{cluster}", f"clusters/{cluster}"}
    rubrics = f"rubrics/{cluster}-"
    return [
        path
        for path in (listed if isinstance(listed, list) else ())
        if path in own or (isinstance(path, str) and path.startswith(rubrics) and path.count("/") == 1)
    ]


def _files(made: NewCluster, prose: str) -> dict[str, bytes]:
    """Every file of the new cluster, by path; data pointers come when DVC has the data.

    What the pipeline depends on is there even where it is empty: DVC stops at a missing dependency.
    """
    home = f"clusters/{made.cluster.id}"
    files = {path: _yaml(record) for path, record in records(made).items()}
    files |= {f"{home}/data/{part}.jsonl": rows_bytes(made.examples.get(part, ())) for part in PEOPLES}
    folders = [f"{home}/triage", f"{home}/promotions"]
    folders += [f"scenarios/{made.cluster.id}/{name}" for name, found in made.scenarios.items() if not found]
    files |= {f"{folder}/.gitkeep": b"" for folder in folders}
    return files | {
        f"{home}/data/signals.jsonl": rows_bytes(made.traces),
        f"{home}/problem.md": b"---\n" + _yaml(made.problem) + b"---\n" + prose.encode(),
        f"{home}/handoff.md": _HANDOFF.encode(),
    }


def _yaml(record: Record) -> bytes:
    """What has its default is written too: people review numbers that they can see."""
    return dump(record.model_dump(mode="json", exclude_none=True))


def _with_params(params: bytes, cluster: str, knobs: ClusterParams) -> bytes:
    """params.yaml with the cluster's knobs added; what is there, comments too, stays as it is."""
    before: Mapping[str, ClusterParams] = parse(params, Params, path=PARAMS).clusters
    entry = knobs.model_dump(mode="json", exclude_none=True)
    if before:
        block = b"".join(b"  " + line + b"\n" for line in dump({cluster: entry}).splitlines())
        appended = params.rstrip() + b"\n" + block
        try:
            if parse(appended, Params, path=PARAMS).clusters == {**before, cluster: knobs}:
                return appended
        except RecordError:
            pass  # written in another style: said anew below
    every = {name: found.model_dump(mode="json", exclude_none=True) for name, found in before.items()}
    comments = b"".join(line + b"\n" for line in params.splitlines() if line.startswith(b"#"))
    return comments + dump({"clusters": {**every, cluster: entry}})
