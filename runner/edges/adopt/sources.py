"""Files of other programs as a new cluster of a workspace. All is read and checked before a byte is written."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from runner.edges.adopt.folder import Folder
from runner.edges.adopt.foreign_yaml import ForeignDocument
from runner.edges.new_cluster import ALIKE, DRAFT_PROSE, made_by, place, placing
from runner.edges.yaml_files import parse
from runner.errors import RecordError
from runner.ports import Progress, silent
from runner.records.adoption import Format, SourceFile
from runner.records.judging import JudgeFile
from runner.rules.adopt.assay_items import from_assay_file
from runner.rules.adopt.compose import Source, Wanted, compose
from runner.rules.adopt.instructlab import from_instructlab
from runner.rules.adopt.items import Adopted
from runner.rules.adopt.lm_eval_task import from_lm_eval
from runner.rules.adopt.promptfoo import from_promptfoo
from runner.rules.data.new_cluster import NewCluster
from runner.rules.judges.identity import judge_digest
from runner.rules.repository.benchmark import NO_JUDGES

QNA = "qna.yaml"
MOST_FILES = 2_000


def import_files(
    top: Path, source: Source, wanted: Wanted, *, push: bool = False, progress: Progress = silent
) -> NewCluster:
    """Make the cluster in the workspace at `top`; `push` its data to DVC's default remote, where there is one.

    Raises `RecordError` where anything is wrong, and then nothing was written. What a killed import left is undone.
    """
    with placing(top, wanted.cluster):
        judges = _judges(top, source.judge)
        progress("reading", 0.0)
        adopted, files = read(source, wanted.format)
        tell = partial(progress, ALIKE)
        made = compose(adopted, wanted._replace(made_by=made_by()), files=files, judges=judges, tell=tell)
        place(top, made, DRAFT_PROSE, push=push, progress=progress)
    return made


def read(source: Source, kind: Format) -> tuple[Adopted, tuple[SourceFile, ...]]:
    """The files as items, and every file that was read. Raises `RecordError`."""
    if kind is Format.INSTRUCTLAB:
        return _taxonomy(source)
    if len(source.paths) != 1:
        raise RecordError(f"{len(source.paths)} files are named", hint="one at a time: a cluster comes from one")
    path = Path(source.paths[0])
    folder = Folder(path.parent)
    document = folder.document(path.name)
    match kind:
        case Format.PROMPTFOO:
            adopted = from_promptfoo(document, folder, judge=source.judge, capability=source.capability)
        case Format.LM_EVAL:
            adopted = from_lm_eval(document, folder, data=source.data, capability=source.capability)
        case _:
            adopted = from_assay_file(document, capability=source.capability)
    return adopted, folder.files


def _taxonomy(source: Source) -> tuple[Adopted, tuple[SourceFile, ...]]:
    """Each file is a capability, called after its folder; a directory stands for every `qna.yaml` below it."""
    found: list[Path] = []
    for path in map(Path, source.paths):
        found += sorted(path.rglob(QNA)) if path.is_dir() else [path]
    if not 1 <= len(found) <= MOST_FILES:
        name = ", ".join(path.name for path in source.paths)
        raise RecordError(f"{len(found)} files named {QNA} lie there", path=name, hint=f"1 to {MOST_FILES} are read")
    documents: list[tuple[str, ForeignDocument]] = []
    files: list[SourceFile] = []
    for path in found:
        home = path.parent.resolve()
        folder = Folder(home.parent)  # all are called alike: their folder tells one from another
        documents.append((home.name, folder.document(f"{home.name}/{path.name}")))
        files += folder.files
    return from_instructlab(documents, judge=source.judge, capability=source.capability), tuple(files)


def _judges(top: Path, judge: str) -> dict[str, str]:
    """The digest of the judge that checks name. Raises `RecordError` where there is none."""
    if not judge:
        return dict(NO_JUDGES)
    path = f"rubrics/judges/{judge}.yaml"
    if not (top / path).is_file():
        raise RecordError("there is no such judge", path=path, hint="write it first (docs/judges.md), or leave it out")
    return {judge: judge_digest(parse((top / path).read_bytes(), JudgeFile, path=path))}
