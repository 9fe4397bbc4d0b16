"""A triage list and its reviews as files, and the journal that lets undo outlive a restart."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from runner.edges.artifacts import record_bytes
from runner.edges.files import only_one, write_file
from runner.edges.readers import DirectoryReader
from runner.edges.yaml_dump import dump
from runner.edges.yaml_files import parse
from runner.errors import ChangedError, RecordError
from runner.ports_triage import Kept
from runner.records.triage import Review, TriageFile
from runner.records.triage_session import Journal, Step
from runner.rules.triage.decisions import begin, candidates_digest
from runner.rules.triage.session import Session


class ReviewFiles:
    """`ports_triage.ReviewStore` on the work tree at `top`."""

    def __init__(self, top: Path, cluster: str, iteration: str, reviewer: str) -> None:
        self.top, self.cluster, self.iteration, self.reviewer = top, cluster, iteration, reviewer
        self.list_path = f"clusters/{cluster}/triage/{iteration}.yaml"
        self.folder = f"clusters/{cluster}/triage/{iteration}/"
        self.name = f"{self.folder}{reviewer}.yaml"
        undo = top / ".hallmark" / "undo" / cluster / iteration
        self._journal, self._lock = undo / f"{reviewer}.json", undo / f"{reviewer}.lock"
        self._known: tuple[bytes, bytes | None] | None = None
        """The list and the review as last read whole or kept; none where they could not be read, so that nothing is
        kept over what does not read."""
        self._written = 0

    def read(self) -> Kept:
        self._known = None
        tree = DirectoryReader(self.top)
        listed, mine = self._bytes()
        file = parse(listed, TriageFile, path=self.list_path)
        if mine is None:
            review = begin(file, self.reviewer)
        else:
            review = parse(mine, Review, path=self.name)
            self._is_of(file, review)
        paths = [path for path in tree.paths(self.folder) if path.endswith(".yaml") and path != self.name]
        others = tuple(parse(tree.read(path), Review, path=path) for path in paths)
        steps = self._steps()
        self._known, self._written = (listed, mine), len(steps)
        return Kept(file, review, others, steps)

    def keep(self, session: Session) -> None:
        """The journal goes first where the session went on, and last where it went back: killed in between, it has a
        step too many, which leads to no review that there is, and is left out when it is read."""
        with only_one(self._lock):
            if self.changed():
                hint = "it is read anew, and the last key was not taken"
                raise ChangedError(f"{self.name} or its list was changed by somebody else: {hint}")
            review = dump(session.review.model_dump(mode="json", exclude_defaults=True))
            back = len(session.steps) < self._written
            if not back:
                self._write_journal(session)
            write_file(self.top / self.name, review)
            self._known = (self._known[0] if self._known else b"", review)
            if back:
                self._write_journal(session)

    def changed(self) -> bool:
        return self._bytes() != self._known

    def _bytes(self) -> tuple[bytes, bytes | None]:
        tree = DirectoryReader(self.top)
        for folder in PurePosixPath(self.name).parents:
            if (self.top / folder).is_symlink() and folder.parts:
                raise RecordError("is a symbolic link", path=str(folder), hint="put the folder itself here")
        return tree.read(self.list_path), tree.read(self.name) if (self.top / self.name).exists() else None

    def _is_of(self, file: TriageFile, review: Review) -> None:
        if (review.cluster, review.iteration, review.reviewer) != (self.cluster, self.iteration, self.reviewer):
            problem = f"is {review.reviewer}'s review of {review.cluster}, {review.iteration}"
            raise RecordError(problem, path=self.name, hint="put it where its own fields say")
        if review.candidates != candidates_digest(file):
            hint = f"the list was changed after the review began; remove {self.name} and begin again"
            raise RecordError("is a review of another list", path=self.name, field="candidates", hint=hint)

    def _write_journal(self, session: Session) -> None:
        journal = Journal(cluster=self.cluster, iteration=self.iteration, reviewer=self.reviewer, steps=session.steps)
        write_file(self._journal, record_bytes(journal))
        self._written = len(session.steps)

    def _steps(self) -> tuple[Step, ...]:
        """A journal that cannot be read is none: it only undoes."""
        try:
            return Journal.model_validate_json(self._journal.read_bytes()).steps
        except (OSError, ValidationError):
            return ()
