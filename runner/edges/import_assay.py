"""Scenarios of an Assay file as files of a cluster. All is read and checked before a byte is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from runner.edges.files import write_file
from runner.edges.yaml_dump import dump
from runner.errors import RecordError
from runner.records.base import Record
from runner.records.scenario import SetName
from runner.rules.adopt.assay import Terms, from_assay
from runner.rules.strict_json import strict_json
from runner.workspace import Workspace

LARGEST = 64 << 20


class Written(NamedTuple):
    """The paths of the scenarios, and of the drafts of rubrics that came with them."""

    scenarios: tuple[str, ...]
    rubrics: tuple[str, ...]


def import_assay(top: Path, space: Workspace, file: Path, *, into: SetName, terms: Terms) -> Written:
    """Write the file's scenarios below `scenarios/`, and drafts of the rubrics that its checkers come to.

    Raises `RecordError` for a file that cannot be read, a capability or rubric that there is not, and a scenario or
    rubric that stands there already and says something else.
    """
    if file.stat().st_size > LARGEST:
        raise RecordError(f"is larger than {LARGEST:,} bytes", path=str(file), hint="split it")
    try:
        value = strict_json(file.read_bytes())
    except ValueError as error:
        raise RecordError(f"is no JSON: {error}", path=str(file)) from error
    found = from_assay(value, terms, path=str(file))
    unknown = {one.capability for one in found.scenarios} - {one.id for one in space.cluster.capabilities}
    if unknown:
        hint = "declare them in cluster.yaml first, or give --capability with one that there is"
        raise RecordError(f"the cluster has no capability {', '.join(sorted(unknown))}", path=str(file), hint=hint)
    if terms.rubric and not (top / "rubrics" / f"{terms.rubric}.yaml").is_file():
        raise RecordError(f"there is no rubric {terms.rubric}", path=f"rubrics/{terms.rubric}.yaml")
    scenarios = {f"scenarios/{space.cluster.id}/{into}/{one.id}.yaml": one for one in found.scenarios}
    rubrics = {f"rubrics/{one.id}.yaml": one for one in found.rubrics}
    if len(scenarios) != len(found.scenarios):
        raise RecordError("two of its scenarios have the same id", path=str(file))
    fresh = _fresh(top, {**rubrics, **scenarios})
    for path, data in fresh.items():
        write_file(top / path, data)
    return Written(tuple(sorted(scenarios)), tuple(sorted(rubrics)))


def _fresh(top: Path, records: Mapping[str, Record]) -> dict[str, bytes]:
    """The files to write: those that are there as they would be written stay."""
    files = {path: dump(record.model_dump(mode="json", exclude_defaults=True)) for path, record in records.items()}
    for path, data in files.items():
        if (top / path).exists() and (top / path).read_bytes() != data:
            raise RecordError("stands there already, and says something else", path=path, hint="rename one of the two")
    return {path: data for path, data in files.items() if not (top / path).exists()}
