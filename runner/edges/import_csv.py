"""Labelled text in CSV files as a new cluster of a workspace. All is read and checked before a byte is written."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from runner.edges import dvc_data
from runner.edges.artifacts import rows_bytes
from runner.edges.classifier import LinearTextClassifier
from runner.edges.files import naming, only_one, write_file
from runner.edges.write_points import WritePoint, reach
from runner.edges.yaml_files import dump, parse, parse_front_matter
from runner.errors import RecordError
from runner.records.base import Record
from runner.records.cluster import Problem
from runner.records.params import ClusterParams, Params
from runner.rules.labelled import Labelled, compose, draft_problem, records
from runner.rules.labelled_answers import Request, Row
from runner.rules.layout import PARAMS
from runner.rules.naming import slug

MAX_LINE = 1_000_000
"""Bytes of one line, and of one field."""

PEOPLES = ("base", "gold", "reference")
"""Data of people's making, beside the traces."""

_DRAFT_PROSE = """
# Why this specialist

This text was written by `hallmark import labelled`. Say in your own words who needs the specialist, which labels are
weak and why, and what a wrong answer costs. The block above is what intake reads; review its numbers.
"""
_HANDOFF = """# Hand-off

People's part of the hand-off: who runs this specialist, who is called when it fails, and what it must never decide
alone. The generated part is in each promotion's evidence.
"""


class Columns(NamedTuple):
    """The names of the columns that are read; no `answer` where the label is the right answer."""

    text: str = "text"
    label: str = "label"
    answer: str = ""


def read_labelled(path: Path, columns: Columns) -> list[Row]:
    """The rows of a CSV file with a header. Raises `RecordError` with file and line for what is wrong first."""
    name = str(path)
    csv.field_size_limit(MAX_LINE)
    try:
        with path.open("rb") as file:
            rows = list(_rows(_lines(file, name), name, columns))
    except OSError as error:
        raise RecordError(f"cannot be read: {error.strerror}", path=name) from None
    if not rows:
        raise RecordError("has a header and no rows", path=name, line=1, hint="give at least one labelled text")
    return rows


def _lines(file: BinaryIO, name: str) -> Iterator[str]:
    """Decoded lines of a bounded length."""
    number = 0
    while data := file.readline(MAX_LINE + 1):
        number += 1
        if len(data) > MAX_LINE:
            raise RecordError(f"is longer than {MAX_LINE:,} bytes", path=name, line=number, hint="shorten the text")
        try:
            yield data.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            problem = f"is not UTF-8: byte 0x{data[error.start]:02x} cannot be read"
            raise RecordError(problem, path=name, line=number, hint="save the file as UTF-8") from None


def _rows(lines: Iterator[str], name: str, columns: Columns) -> Iterator[Row]:
    reader = csv.reader(lines, strict=True)
    try:
        found = _header(next(reader, None), name, columns)
        line = reader.line_num + 1
        for row in reader:
            if row:
                yield _row(row, found, columns, name, line)
            line = reader.line_num + 1
    except csv.Error as error:
        hint = "put fields that hold commas, quotes or line ends between double quotes, and double the quotes in them"
        raise RecordError(f"is not CSV: {error}", path=name, line=reader.line_num, hint=hint) from None


def _header(header: Sequence[str] | None, name: str, columns: Columns) -> list[str]:
    """The columns of the file, in which each one that is asked for stands once."""
    if not header:
        hint = f"start with a header line such as {columns.text},{columns.label}"
        raise RecordError("is empty", path=name, line=1, hint=hint)
    found = [column.strip() for column in header]
    for what, column in columns._asdict().items():
        if column and column not in found:
            hint = f"columns: {', '.join(found)[:200]}; name one with --{what}-column"
            raise RecordError(f'has no column "{column}"', path=name, line=1, hint=hint)
    for column in found:
        if found.count(column) > 1:
            raise RecordError(f'has the column "{column}" twice', path=name, line=1, hint="rename one of them")
    return found


def _row(row: Sequence[str], header: Sequence[str], columns: Columns, name: str, line: int) -> Row:
    if len(row) != len(header):
        hint = "put fields that hold commas between double quotes"
        raise RecordError(f"has {len(row)} columns, the header {len(header)}", path=name, line=line, hint=hint)
    said = {what: row[header.index(column)] for what, column in columns._asdict().items() if column}
    for what, value in said.items():
        if not value.strip():
            raise RecordError(f"has an empty {what}", path=name, line=line, hint="fill it in, or remove the row")
    return Row(file=name, line=line, text=said["text"], label=said["label"], structured=said.get("answer", "").strip())


def import_labelled(top: Path, files: Mapping[str, Path], request: Request, *, push: bool = False) -> Labelled:
    """Make the cluster in the workspace at `top`. `files` maps base, gold, traffic, reference and the sets to CSVs;
    `push` its data to DVC's default remote, where there is one.

    Raises `RecordError` where anything is wrong, and then nothing was written. What a killed import left is undone.
    """
    _check_name(top, request.cluster)
    with only_one(top / ".hallmark" / "import.lock"):
        _undo(top, request.cluster)
        _check_free(top, request.cluster)
        columns = Columns(request.text_column, request.label_column, request.answer_column)
        parts = {part: read_labelled(path, columns) for part, path in files.items()}
        prose = _DRAFT_PROSE
        if request.problem_file:
            data = Path(request.problem_file).read_bytes()
            problem, prose = parse_front_matter(data, Problem, path=request.problem_file)
        else:
            given = (request.real_only, "Stated at import (--real-only).")
            value, how = _measured(parts) if request.real_only is None else given
            problem = draft_problem(real_only=value or 0.0, how=how, threshold=request.threshold_composite)
        made = compose(parts, request, problem)
        _write(top, made, prose, push=push)
    return made


def _check_name(top: Path, cluster: str) -> None:
    if slug(cluster) != cluster:
        hint = f"use lower-case letters, digits and single hyphens, such as {slug(cluster) or 'support-desk'}"
        raise RecordError(f'"{cluster}" cannot be a cluster\'s name', field="--cluster", hint=hint)
    if not (top / PARAMS).is_file():
        raise RecordError("is no workspace", path=str(top), hint="make one: hallmark init DIR")


def _check_free(top: Path, cluster: str) -> None:
    for path in reversed(_places(cluster)):
        if (top / path).exists():
            raise RecordError("is there already", path=path, hint="choose another --cluster, or remove it first")
    if cluster in parse((top / PARAMS).read_bytes(), Params, path=PARAMS).clusters:
        raise RecordError("is there already", path=PARAMS, field=f"clusters.{cluster}", hint="remove it first")


def _measured(parts: Mapping[str, Sequence[Row]]) -> tuple[float, str]:
    """What real data alone reaches: a linear classifier on base and gold, tested on dev."""
    if any(row.structured for row in parts["dev"]):
        return 0.0, "Not measured: a classifier gives no objects. Say with --real-only what was reached, and how here."
    train = [(row.text, row.label) for part in ("base", "gold") for row in parts[part]]
    if len({label for _, label in train}) < 2:
        return 0.0, "Not measured: there is one label only."
    value = LinearTextClassifier().accuracy(train, [(row.text, row.label) for row in parts["dev"]], seed=7)
    how = f"Accuracy on dev ({len(parts['dev'])} texts) of a linear classifier trained on base and gold, at import."
    return value, how


def _write(top: Path, made: Labelled, prose: str, *, push: bool) -> None:
    """Write into a folder beside, then move. The folder goes last: where it is found, an import was cut short."""
    cluster = made.cluster.id
    beside, data = _beside(top, cluster), top / "clusters" / cluster / "data"
    params = (top / PARAMS).read_bytes()
    try:
        for path, content in _files(made, prose).items():
            write_file(beside / path, content)
        write_file(beside / PARAMS, params)
        reach(WritePoint.IMPORT_STAGED, beside)
        for path in _places(cluster):
            with naming(top / path):
                (top / path).parent.mkdir(parents=True, exist_ok=True)
                (beside / path).rename(top / path)
            reach(WritePoint.IMPORT_MOVED, top / path)
        write_file(top / PARAMS, _with_params(params, cluster))
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


def _places(cluster: str) -> tuple[str, ...]:
    """What an import moves into place, in order."""
    return f"scenarios/{cluster}", f"rubrics/{cluster}-exact.yaml", f"clusters/{cluster}"


def _undo(top: Path, cluster: str) -> None:
    """Take back an import of the cluster that was cut short, by an error or a kill; what it has not moved stays."""
    beside = _beside(top, cluster)
    kept = beside / PARAMS  # written before anything is moved
    if kept.is_file():
        for path in _places(cluster):
            if not (beside / path).exists():
                target = top / path
                shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
        before = kept.read_bytes()
        if (top / PARAMS).read_bytes() == _with_params(before, cluster):
            write_file(top / PARAMS, before)
    shutil.rmtree(beside, ignore_errors=True)


def _files(made: Labelled, prose: str) -> dict[str, bytes]:
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


def _with_params(params: bytes, cluster: str) -> bytes:
    """params.yaml with the cluster's defaults added; what is there, comments too, stays as it is."""
    before = parse(params, Params, path=PARAMS).clusters
    entry = ClusterParams().model_dump(mode="json", exclude_none=True)
    if before:
        block = b"".join(b"  " + line + b"\n" for line in dump({cluster: entry}).splitlines())
        appended = params.rstrip() + b"\n" + block
        try:
            if parse(appended, Params, path=PARAMS).clusters == {**before, cluster: ClusterParams()}:
                return appended
        except RecordError:
            pass  # written in another style: said anew below
    every = {name: found.model_dump(mode="json", exclude_none=True) for name, found in before.items()}
    comments = b"".join(line + b"\n" for line in params.splitlines() if line.startswith(b"#"))
    return comments + dump({"clusters": {**every, cluster: entry}})
