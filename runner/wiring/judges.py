"""Settings to the edges of calibration: which judges are asked, and where labels and calibrations stand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from runner.edges.files import write_file
from runner.edges.readers import DirectoryReader
from runner.edges.yaml_files import parse
from runner.errors import RecordError, RecordErrors
from runner.phases.calibration import calibrate as calibrated
from runner.ports import Progress, silent
from runner.ports_models import Judges
from runner.records.judging import Calibration, JudgeLabels, Label
from runner.rules.judges.calibration import calibration_reasons, with_labels
from runner.rules.repository.problems import explain
from runner.rules.strict_json import strict_json
from runner.wiring import flywheel
from runner.workspace import Workspace

HOME = "rubrics/judges"


class Calibrated(NamedTuple):
    """A judge after calibration: the record, where it stands, and by criterion why it may not count; empty where it
    may."""

    record: Calibration
    path: str
    why_shown: dict[str, str]


def calibrate(
    path: Path,
    cluster: str,
    *,
    judge: str = "",
    labels: Path | None = None,
    judges: Judges | None = None,
    progress: Progress = silent,
) -> list[Calibrated]:
    """Ask a judge of the cluster (each one that has labels) about the answers that people labelled, and write its
    calibration. The labels of the JSON Lines file `labels` are taken into the judge's first. `judges` answers instead
    of the judge's own model where it is given.

    Raises `RecordError` for a judge or labels that there are not, or that name nothing.
    """
    top = flywheel.root(path)
    space = flywheel.workspace(top, cluster)
    found = _labels(top, space, judge=judge, more=labels)
    ports = flywheel.ports(top, space, progress=progress)
    if judges is not None:
        ports = replace(ports, judges=judges)
    made = []
    for name, said in found.items():
        record = calibrated(space, space.judges[name], said, ports, before=space.calibrations.get(name))
        target = f"{HOME}/{name}/{cluster}.calibration.yaml"
        write_file(top / _labels_at(name, cluster), flywheel.dump_record(said))
        write_file(top / target, flywheel.dump_record(record))
        made.append(Calibrated(record, target, calibration_reasons(space.judges[name], record, space.rubrics.values())))
    return made


def _labels(top: Path, space: Workspace, *, judge: str, more: Path | None) -> dict[str, JudgeLabels]:
    """By judge: those of the reviewed files, and `more`."""
    cluster = space.cluster.id
    if judge and judge not in space.judges:
        known = ", ".join(space.judges) or "none: name one in a rubric, with the grader judge"
        raise RecordError(f"no rubric of {cluster} names a judge {judge}", hint=f"judges: {known}")
    names = [judge] if judge else list(space.judges)
    if more is not None and len(names) != 1:
        raise RecordError("labels are of one judge", hint=f"say which with --judge: {', '.join(names) or 'none yet'}")
    reader = DirectoryReader(top)
    found = {}
    for name in names:
        at = _labels_at(name, cluster)
        there = parse(reader.read(at), JudgeLabels, path=at).labels if (top / at).is_file() else ()
        said = with_labels(name, cluster, there, _read(more) if more is not None else ())
        if said is not None:
            found[name] = said
    if not found:
        hint = f"label answers in {_labels_at(names[0] if names else 'JUDGE', cluster)}, or give a file of labels"
        raise RecordError(f"nobody has labelled answers for a judge of {cluster}", hint=hint)
    return found


def _labels_at(judge: str, cluster: str) -> str:
    return f"{HOME}/{judge}/{cluster}.labels.yaml"


def _read(path: Path) -> list[Label]:
    """The labels of a JSON Lines file. Raises `RecordErrors` with every line that is none."""
    found, errors = [], list[RecordError]()
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            found.append(Label.model_validate(strict_json(line)))
        except ValidationError as error:
            errors += [
                RecordError(one.problem, path=str(path), line=number, field=one.field, hint=one.hint)
                for one in explain(error, Label)
            ]
        except ValueError as error:
            errors.append(RecordError(f"not JSON: {error}", path=str(path), line=number, hint="one label a line"))
    if errors:
        raise RecordErrors(errors)
    return found
