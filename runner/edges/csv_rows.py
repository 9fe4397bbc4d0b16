"""CSV with a header, strictly: each column stands once in it, and every row has all of them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence

from runner.errors import RecordError

MAX_FIELD = 1_000_000
"""Characters of one field."""
QUOTES = "put fields that hold commas, quotes or line ends between double quotes, and double the quotes in them"


def csv_rows(lines: Iterable[str], name: str, *, example: str) -> Iterator[tuple[int, Sequence[str]]]:
    """(line, fields) of the header, stripped, and of every row that is not empty; a row over several lines has its
    first. `example` is a header that would do.

    Raises `RecordError` with file and line for what is wrong first.
    """
    csv.field_size_limit(MAX_FIELD)  # of the whole process: said before each file
    reader = csv.reader(lines, strict=True)
    try:
        header = [column.strip() for column in next(reader, ())]
        if not any(header):
            raise RecordError("is empty", path=name, line=1, hint=f"start with a header line such as {example}")
        for column in header:
            if header.count(column) > 1:
                raise RecordError(f'has the column "{column}" twice', path=name, line=1, hint="rename one of them")
        yield 1, header
        line = reader.line_num + 1
        for row in reader:
            if row and len(row) != len(header):
                problem = f"has {len(row)} columns, the header {len(header)}"
                raise RecordError(problem, path=name, line=line, hint=QUOTES)
            if row:
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        hint = "close its quotes, or shorten it" if "field limit" in str(error) else QUOTES
        raise RecordError(f"is not CSV: {error}", path=name, line=reader.line_num, hint=hint) from None
