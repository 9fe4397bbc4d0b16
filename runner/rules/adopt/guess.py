"""What a file's name says of what it is, and what people mean by the name of a base."""

from __future__ import annotations

from pydantic import ValidationError

from runner.errors import RecordError
from runner.records.adoption import Format
from runner.records.cluster import Base, HubBase, TinyBase

TINY = "tiny"


def format_of(name: str, *, directory: bool = False) -> Format:
    """The format that a file of this name most likely has."""
    lowered = name.rpartition("/")[2].lower()
    if directory or lowered.startswith("qna."):
        return Format.INSTRUCTLAB
    if lowered.endswith(".csv"):
        return Format.LABELLED
    if lowered.endswith(".json"):
        return Format.ASSAY
    return Format.PROMPTFOO if "promptfoo" in lowered else Format.LM_EVAL


def base_of(model: str) -> Base:
    """`tiny`, or `ORG/NAME@COMMIT`. Raises `RecordError` for anything else."""
    if model == TINY:
        return TinyBase(kind="tiny")
    name, _, revision = model.partition("@")
    try:
        return HubBase(kind="hub", id=name, revision=revision)
    except ValidationError:
        problem = f"{model!r} is neither tiny nor ORG/NAME@COMMIT with a commit of 40 hex digits"
        raise RecordError(problem, field="model", hint="a revision is pinned by its commit") from None
