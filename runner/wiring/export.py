"""Settings to what leaves a boundary: evidence made anew, scanned, and put in its place only where it passed."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from runner.edges.adapter_store import deliver
from runner.edges.dvc_objects import DvcObjects
from runner.edges.files import write_file
from runner.edges.forbidden_texts import ForbiddenTexts
from runner.edges.logs.archive import opened
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

READABLE = (stat.S_IFREG | 0o644) << 16
"""What a file in an archive may be used for, in the place where unzip looks: by nobody, where nothing is said."""
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
        texts, parcels = self._texts(), _parcels(paths)
        exports = [files for files in parcels if SUMS in files]
        documents = [one for files in parcels if SUMS not in files for one in files.items()]
        found: list[Finding] = []
        if exports:
            corpus = Corpus(chain(self._prompts(texts), texts.beside()), allowed=self._known())
            found += chain.from_iterable(scan_export(files, corpus, known=self._known()) for files in exports)
        if documents:
            corpus = Corpus(self._prompts(texts), allowed=self._said(texts), names=False)
            known = self._digests(texts)
            found += chain.from_iterable(scan_document(name, data, corpus, known=known) for name, data in documents)
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
    with zipfile.ZipFile(held, "w") as file:
        for name, data in sorted(files.items()):
            member = zipfile.ZipInfo(name, EPOCH)
            member.external_attr = READABLE
            file.writestr(member, data)
    return held.getvalue()


def _missing(texts: ForbiddenTexts, partial: bool) -> tuple[str, ...]:
    """Raises `DataError` where there are some and that was not accepted."""
    if texts.missing and not partial:
        names = ", ".join(texts.missing)
        raise DataError(f"not at hand, so nothing can be held against it: {names}; `dvc pull`, fetch, or --partial")
    return tuple(texts.missing)


def _parcels(paths: Sequence[Path]) -> list[dict[str, bytes]]:
    """The files of each directory and each zip archive, by their names in it, and those that are named themselves.

    Raises `RecordError` for a symbolic link: whoever copies them may take what it leads to, or leave it.
    """
    found: list[dict[str, bytes]] = []
    own: dict[str, bytes] = {}
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            below = sorted(one for one in path.rglob("*") if not one.is_dir() or one.is_symlink())
            found.append({str(one.relative_to(path)): _bytes(one) for one in below})
        elif path.suffix == ".zip":
            with opened(path) as packed:
                found.append({name: packed.read(name) for name in packed.names()})
        else:
            own[str(path)] = _bytes(path)
    plain = {Path(name).name: data for name, data in own.items()}
    return [*found, plain if SUMS in plain and len(plain) == len(own) else own]


def _bytes(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():
        kind = "a symbolic link" if path.is_symlink() else "no file"
        raise RecordError(f"is {kind}", path=str(path), hint="name what it leads to, or take it out")
    return path.read_bytes()


def _hex(text: str) -> bool:
    return len(text) in (32, 40, 64) and set(text) <= set("0123456789abcdef")
