"""A DVC pointer: which bytes a data file is. DVC's md5 is transport; `meta.sha256` decides."""

from typing import Annotated, Literal

from pydantic import Field

from runner.records.base import Count, Record, Sha256, Text


class PointerOut(Record):
    md5: Annotated[str, Field(pattern=r"^[0-9a-f]{32}(\.dir)?$")]
    size: Count
    nfiles: Count | None = None
    hash: Literal["md5"] = "md5"
    path: Text


class PointerMeta(Record):
    sha256: Sha256
    """Of the file's bytes; of a directory, `rules.canonical.tree_digest`."""


class DataPointer(Record):
    """`clusters/<cluster>/data/<name>.jsonl.dvc`."""

    outs: tuple[PointerOut, ...] = Field(min_length=1, max_length=1)
    meta: PointerMeta
