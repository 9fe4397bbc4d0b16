"""Labelled text in CSV files as a new cluster of a workspace. All is read and checked before a byte is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

from runner.edges.classifier import LinearTextClassifier
from runner.edges.csv_rows import csv_rows
from runner.edges.new_cluster import ALIKE, DRAFT_PROSE, made_by, place, placing
from runner.edges.yaml_files import parse_front_matter
from runner.errors import RecordError
from runner.ports import Progress, silent
from runner.records.adoption import SourceFile
from runner.records.cluster import Problem
from runner.records.params import ClusterParams
from runner.rules.canonical import digest, sha256
from runner.rules.data.labelled import compose
from runner.rules.data.labelled_answers import Request, Row
from runner.rules.data.labelled_split import TRAFFIC, record_of, split
from runner.rules.data.new_cluster import NewCluster, aimed_at, draft_problem
from runner.rules.data.splits import SEED

MAX_LINE = 1_000_000
"""Bytes of one line."""

MOST_LEARNT = 10_000
"""Texts that the classifier learns from which measures what real data alone reaches: a third of a minute, and 1 GB."""

WHOLE = "whole"
"""A file of which every part is made."""


class Columns(NamedTuple):
    """The names of the columns that are read; no `answer` where the label is the right answer."""

    text: str = "text"
    label: str = "label"
    answer: str = ""


def read_labelled(path: Path, columns: Columns) -> list[Row]:
    """The rows of a CSV file with a header. Raises `RecordError` with file and line for what is wrong first."""
    name = str(path)
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
    rows = csv_rows(lines, name, example=f"{columns.text},{columns.label}")
    _, header = next(rows)
    for what, column in columns._asdict().items():
        if column and column not in header:
            hint = f"columns: {', '.join(header)[:200]}; name one with --{what}-column"
            raise RecordError(f'has no column "{column}"', path=name, line=1, hint=hint)
    for line, row in rows:
        yield _row(row, header, columns, name, line)


def _row(row: Sequence[str], header: Sequence[str], columns: Columns, name: str, line: int) -> Row:
    said = {what: row[header.index(column)] for what, column in columns._asdict().items() if column}
    for what, value in said.items():
        if not value.strip():
            raise RecordError(f"has an empty {what}", path=name, line=line, hint="fill it in, or remove the row")
    return Row(file=name, line=line, text=said["text"], label=said["label"], structured=said.get("answer", "").strip())


def import_labelled(
    top: Path,
    files: Mapping[str, Path],
    request: Request,
    *,
    push: bool = False,
    seed: int = SEED,
    progress: Progress = silent,
) -> NewCluster:
    """Make the cluster in the workspace at `top`. `files` maps base, gold, traffic, reference and the sets to CSVs, or
    `WHOLE` to one that is divided by `seed`; then `traffic` may stand beside it. `push` its data to DVC's default
    remote, where there is one.

    Raises `RecordError` where anything is wrong, and then nothing was written. What a killed import left is undone.
    """
    with placing(top, request.cluster):
        columns = Columns(request.text_column, request.label_column, request.answer_column)
        parts: dict[str, Sequence[Row]] = {part: read_labelled(path, columns) for part, path in files.items()}
        sources = [SourceFile(name=path.name, sha256=sha256(path.read_bytes())) for path in files.values()]
        found = None
        if whole := parts.pop(WHOLE, None):
            found = split(whole, seed=seed, tell=partial(progress, ALIKE))
            parts = {**found.parts, TRAFFIC: [*found.parts.get(TRAFFIC, ()), *parts.get(TRAFFIC, ())]}
        prose = DRAFT_PROSE
        if request.problem_file:
            data = Path(request.problem_file).read_bytes()
            problem, prose = parse_front_matter(data, Problem, path=request.problem_file)
        else:
            given = (request.real_only, "Stated at import (--real-only).")
            if request.real_only is None:
                progress("measuring what real data alone reaches", 0.0)
            value, how = _measured(parts) if request.real_only is None else given
            problem = draft_problem(real_only=value or 0.0, how=how, threshold=request.threshold_composite)
        counts = {str(part): len(rows) for part, rows in parts.items()}
        record = record_of(sources, made_by(), seed=seed, parts=counts, found=found)
        params = aimed_at(request.threshold_composite) if found is not None else ClusterParams()
        made = compose(parts, request, problem, record=record, params=params)
        place(top, made, prose, push=push, progress=progress)
    return made


def _measured(parts: Mapping[str, Sequence[Row]]) -> tuple[float, str]:
    """What real data alone reaches: a linear classifier on base and gold, tested on dev."""
    if any(row.structured for row in parts["dev"]):
        return 0.0, "Not measured: a classifier gives no objects. Say with --real-only what was reached, and how here."
    train = [(row.text, row.label) for part in ("base", "gold") for row in parts[part]]
    if len({label for _, label in train}) < 2:
        return 0.0, "Not measured: there is one label only."
    taken = _sample(train)
    value = LinearTextClassifier().accuracy(taken, [(row.text, row.label) for row in parts["dev"]], seed=7)
    of = f"{len(taken):,} of the {len(train):,} texts of " if len(taken) < len(train) else ""
    how = f"Accuracy on dev ({len(parts['dev'])} texts) of a linear classifier trained on {of}base and gold, at import."
    return value, how


def _sample(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """At most `MOST_LEARNT` of (text, label), and one of each label at least: in the order of their digests, so that
    the order of a file decides nothing."""
    if len(rows) <= MOST_LEARNT:
        return rows
    first: dict[str, tuple[str, str]] = {}
    ordered = sorted(rows, key=digest)
    for row in ordered:
        first.setdefault(row[1], row)
    others = Counter(ordered) - Counter(first.values())
    return [*first.values(), *islice(others.elements(), max(0, MOST_LEARNT - len(first)))]
