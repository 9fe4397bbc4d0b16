"""What an import took over, by what rule, and what it left out: `clusters/<cluster>/imports/<format>.yaml`.

It names places and counts, and holds none of the texts: some of them are held out.
"""

from enum import StrEnum

from pydantic import Field

from runner.records.base import Count, Record, Sha256, Share, Text


class Format(StrEnum):
    """What a cluster may be made from."""

    LABELLED = "labelled"
    """CSV files with a text and a label a row."""
    ASSAY = "assay"
    INSTRUCTLAB = "instructlab"
    PROMPTFOO = "promptfoo"
    LM_EVAL = "lm-eval"


class SourceFile(Record):
    """A file that was read, by its name alone: where it lay is the machine's."""

    name: Text
    sha256: Sha256


class Mapped(Record):
    """What a check of another program became here."""

    what: Text
    to: Text
    count: Count


class LeftOut(Record):
    """What was not taken over, and why. None goes without being counted here."""

    what: Text
    why: Text
    count: Count
    places: tuple[Text, ...] = Field(max_length=5)
    """The first of them, as `file:line` or a field's path."""


class ImportRecord(Record):
    """How a cluster's first benchmark came to be."""

    format: Format
    made_by: Text
    """The program that read the files, with its version."""
    files: tuple[SourceFile, ...] = Field(min_length=1)
    authors: tuple[Text, ...] = ()
    """Whom the files name as their authors."""
    rule: Text
    """How texts were divided."""
    seed: int
    shares: dict[str, Share]
    parts: dict[str, Count]
    """Texts by the set, or the file below `data/`, that they went to."""
    kept_together: Count
    """Texts that say nearly what another one says, and so stand where that one does."""
    mapped: tuple[Mapped, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
