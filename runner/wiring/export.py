"""Settings to what leaves a boundary: evidence made anew, scanned, and put in its place only where it passed."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from runner.edges.adapter_store import deliver
from runner.edges.dvc_objects import DvcObjects
from runner.edges.files import write_file
from runner.edges.forbidden_texts import ForbiddenTexts
from runner.errors import DataError, RecordError
from runner.promotion.export import Chosen, chosen
from runner.promotion.updates import MAIN
from runner.records.evidence import CandidateSummary, EvidenceFile
from runner.records.fleet import Export
from runner.records.scorecard import Scorecard
from runner.records.verdict import Outcome, Reason, Verdict
from runner.rules.evaluation.limits import summary
from runner.rules.export.corpus import Corpus
from runner.rules.export.redacted import SUMS, exported
from runner.rules.export.scan import Finding, scan_document, scan_export
from runner.rules.repository.evidence_files import record
from runner.wiring import gate
from runner.wiring.boundary import admitted

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every file in an archive: the same evidence gives the same bytes."""


class Exported(NamedTuple):
    """What became of an export."""

    name: str
    verdict: Verdict
    files: Mapping[str, bytes]
    """Empty where it was refused."""
    missing: tuple[str, ...]
    """What it could not be held against; empty unless that was accepted."""


class Boundary:
    """One cluster's boundary: what may leave it, and what must not."""

    def __init__(self, path: Path, cluster: str, sequence: int | None = None) -> None:
        """Raises `RecordError` where main has no such promotion."""
        room = gate.room(path, with_bytes=False)
        tip = room.tip(MAIN)
        if tip is None:
            raise RecordError("this clone has no main", path=str(path))
        self._room, self._sources, self._tip = room, room.offline(), tip
        self.chosen: Chosen = chosen(self._sources, tip=tip, cluster=cluster, sequence=sequence)

    def export(self, *, partial: bool = False) -> Exported:
        """The files that may leave; why they may not, otherwise. Raises `DataError` where texts that it has to be held
        against are not at hand, unless `partial` accepts that, and `RecordError` on a machine outside."""
        picked = self.chosen
        name = f"{picked.promoted.record.cluster}/{picked.promoted.record.sequence}"
        if not picked.verdict.passed:
            return Exported(name, picked.verdict, {}, ())
        files = exported(picked.promoted, picked.cluster.place.exports, self._figures())
        texts = self._texts()
        corpus = Corpus(chain(self._prompts(texts), texts.beside()), allowed=self._known())
        missing = _missing(texts, partial)
        found = scan_export(files, corpus, known=self._known())
        return Exported(name, verdict_of(found), {} if found else files, missing)

    def scan(self, paths: Sequence[Path], *, partial: bool = False) -> tuple[Verdict, tuple[str, ...]]:
        """Whether files that are to leave hold something that must not: an export made here, or documents."""
        texts = self._texts()
        files = dict(_files(paths))
        if SUMS in files:
            corpus = Corpus(chain(self._prompts(texts), texts.beside()), allowed=self._known())
            found = scan_export(files, corpus, known=self._known())
        else:
            corpus = Corpus(self._prompts(texts), allowed=self._said(texts), names=False)
            known = self._digests(texts)
            found = [one for name, data in files.items() for one in scan_document(name, data, corpus, known=known)]
        return verdict_of(found), _missing(texts, partial)

    def _texts(self) -> ForbiddenTexts:
        admitted(self.chosen.cluster.place, self.chosen.cluster.id)
        objects = DvcObjects.of_work_tree(self._room.path)
        cluster = self.chosen.cluster.id
        return ForbiddenTexts(self._room.repository, objects, commit=self._tip, cluster=cluster)

    def _prompts(self, texts: ForbiddenTexts) -> Sequence[str]:
        iteration = self.chosen.promoted.record.run.iteration
        return [*texts.reviewed(), *texts.data(), *texts.answers(iteration)]

    def _figures(self) -> CandidateSummary | None:
        card = record(self.chosen.promoted.evidence, EvidenceFile.SCORECARD, Scorecard)
        return summary(card, self.chosen.cluster) if card is not None else None

    def _known(self) -> frozenset[str]:
        """The ids, digests and times that this export may have, of the promotion itself."""
        promoted, cluster = self.chosen.promoted, self.chosen.cluster
        one = promoted.record
        adapters = {one.adapter.sha256} if one.adapter else set()
        card = record(promoted.evidence, EvidenceFile.SCORECARD, Scorecard)
        if card is not None:
            adapters |= {model.adapter for model in card.models.values() if model.adapter}
        count = len(cluster.capabilities)
        names = {f"capability-{number:03}" for number in range(1, count + 1)}
        if Export.CAPABILITIES in cluster.place.exports:
            names = {capability.id for capability in cluster.capabilities}
        digests = {promoted.record_sha256, one.base.sha256, one.benchmark.sha256, *one.evidence.values(), *adapters}
        words = {one.cluster, promoted.commit, promoted.verified_at, cluster.serving.currency}
        return frozenset(digests | words | names)

    def _digests(self, texts: ForbiddenTexts) -> frozenset[str]:
        """Every digest that main's files of the cluster or its ledger name: a document names some of them."""
        entries = self._sources.chain(self.chosen.cluster.id).history.entries
        named = {digest for entry in entries for digest in (*entry.inputs.values(), *entry.outputs.values())}
        return frozenset({one for one in texts.beside() if _hex(one)} | named | self._known())

    def _said(self, texts: ForbiddenTexts) -> frozenset[str]:
        """What a document may call things: the cluster's own words of itself, its iterations and scenarios' ids."""
        cluster = self.chosen.cluster
        names = {capability.id for capability in cluster.capabilities} | {one.title for one in cluster.capabilities}
        iterations = {entry.iteration for entry in self._sources.chain(cluster.id).history.entries}
        return frozenset({cluster.title, *names, *iterations, *texts.ids()} | self._known())


def verdict_of(found: Sequence[Finding]) -> Verdict:
    """Every finding as a reason, with file and field and without the thing."""
    hint = "nothing was written: mend what makes it, and never the copy"
    reasons = tuple(Reason(step="scan", problem=": ".join(part for part in one if part), hint=hint) for one in found)
    return Verdict(outcome=Outcome.REFUSE, reasons=reasons) if reasons else Verdict()


def deliver_export(target: Path, files: Mapping[str, bytes]) -> None:
    """Put an export in its place, a directory or (`.zip`) a file, whole or not at all. Raises `RecordError` where
    something else is there."""
    if target.suffix != ".zip":
        deliver(target, files)
        return
    if target.exists() or target.is_symlink():
        raise RecordError("is there already", path=str(target), hint="name a new file")
    write_file(target, archive(files))


def archive(files: Mapping[str, bytes]) -> bytes:
    """A zip file, the same for the same files."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in sorted(files.items()):
            file.writestr(zipfile.ZipInfo(name, EPOCH), data)
    return held.getvalue()


def _missing(texts: ForbiddenTexts, partial: bool) -> tuple[str, ...]:
    """Raises `DataError` where there are some and that was not accepted."""
    if texts.missing and not partial:
        names = ", ".join(texts.missing)
        raise DataError(f"not at hand, so nothing can be held against it: {names}; `dvc pull`, fetch, or --partial")
    return tuple(texts.missing)


def _files(paths: Sequence[Path]) -> list[tuple[str, bytes]]:
    """The files that are named, and those in the directories that are, by name. Links are not followed."""
    found = []
    for path in paths:
        if path.is_symlink():
            raise RecordError("is a symbolic link", path=str(path), hint="name what it leads to")
        below = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
        found += [(str(one.relative_to(path)) if path.is_dir() else one.name, one.read_bytes()) for one in below]
    return found


def _hex(text: str) -> bool:
    return len(text) in (32, 40, 64) and set(text) <= set("0123456789abcdef")
