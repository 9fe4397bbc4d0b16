"""Settings to what CI does on a forge: a review's comment, pull requests for what waits, a preview of a change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from runner.edges.files import write_file
from runner.edges.forge import github
from runner.edges.forge_files import PACKAGE, SOURCES, forge_files, owners_of
from runner.edges.git import GitObjects
from runner.edges.git_command import git
from runner.edges.ledger_store import LEDGER
from runner.errors import EdgeError, ForgeForbidden, ForgeUnavailable, HallmarkError, RecordError
from runner.ledger import History
from runner.ports import LanguageModels, Progress, silent
from runner.ports_forge import Forge, Opened, PullRequest, PullState, Written
from runner.records.change_review import ChangeReview
from runner.rules.loop.ci_pulls import Branch, branch_of, is_open, out_of_date
from runner.rules.repository.code_owners import PLACES, CodeOwners, unapproved
from runner.wiring import flywheel, gate, review

EXTRA = "needs the extra `forge`: pip install 'hallmark-flywheel[forge]'"
BASE = "main"
SHOWN_PATHS = 5


def forge() -> Forge:
    """The forge that this job runs for, by its environment. Raises `ForgeError` for what is missing there, and
    `EdgeError` without the extra."""
    try:
        return github.of_environment()
    except ImportError as error:
        raise EdgeError(EXTRA) from error


def comment(number: int, text: str, *, at: Forge | None = None) -> str:
    """Write the comment of a pull request, and say what became of it. A token that may not write one (a fork's) is no
    failure: the summary and the annotations say the same."""
    try:
        written = (at or forge()).comment(number, text)
    except ForgeForbidden as error:
        return f"no comment: {error}"
    return f"the comment of the pull request {number}: {written}"


@dataclass
class Opening:
    """What became of the branches that wait for people, and of those that nobody reads any more."""

    opened: list[Opened] = field(default_factory=list)
    failed: dict[str, HallmarkError] = field(default_factory=dict)
    """Why nothing came of a branch."""
    unreached: list[str] = field(default_factory=list)
    """The branches left when the forge stopped answering."""

    @property
    def stopped(self) -> bool:
        """Whether the forge answers nothing for now."""
        return any(isinstance(error, ForgeUnavailable) for error in self.failed.values())

    def attempt(self, branch: str, act: Callable[[], Opened]) -> None:
        """Open or close the pull request of a branch, unless an earlier one was told that it is of no use."""
        if self.stopped:
            self.unreached.append(branch)
            return
        try:
            self.opened.append(act())
        except HallmarkError as error:
            self.failed[branch] = error


def open_pulls(path: Path, clusters: Sequence[str], *, at: Forge | None = None) -> Opening:
    """A pull request for each branch of the clusters that waits for people; and those that we opened and that nobody
    reads any more are closed. What fails of one branch stops no other, unless the forge answers nothing for now.
    Raises `RecordError` for a cluster that main does not have."""
    room = gate.room(path, with_bytes=False)
    room.refresh()
    main = room.main()
    known = set(room.repository.names(main, "clusters"))
    missing = sorted(set(clusters) - known)
    if missing:
        hint = f"clusters: {', '.join(sorted(known)) or 'none yet'}"
        raise RecordError(f"main has no cluster {missing[0]}", path="clusters/", hint=hint)
    done = Opening()
    waiting: list[tuple[Branch, str]] = []
    over: dict[tuple[str, str], str] = {}
    for name in clusters:
        found = _Branches.of(room, main, name)
        for branch, tip in found.tips.items():
            try:
                if found.waits(branch, tip):
                    waiting.append((branch, tip))
                elif why := found.out_of_date(branch, tip):
                    over[branch.path, tip] = why
            except HallmarkError as error:
                done.failed[branch.path] = error
    if not waiting and not over:
        return done
    chosen = at or forge()
    for one, tip in waiting:
        done.attempt(one.path, partial(chosen.open, one.path, head=tip, title=one.title, body=one.body, base=BASE))
    for pull, why in _to_close(chosen, over, done):
        done.attempt(pull.branch, partial(chosen.close, pull.number, why=why))
    return done


def _to_close(chosen: Forge, over: Mapping[tuple[str, str], str], done: Opening) -> Iterator[tuple[PullRequest, str]]:
    """Our open pull requests of the branches `over`, by path and tip, each with why it is over."""
    if over and done.stopped:
        done.unreached += [branch for branch, _ in over]
    elif over:
        try:
            mine = chosen.ours(base=BASE)
        except HallmarkError as error:
            done.failed |= {branch: error for branch, _ in over}
            return
        left = ((one, over.get((one.branch, one.head), "")) for one in mine if not one.fork)
        yield from ((one, why) for one, why in left if why)


@dataclass(frozen=True)
class _Branches:
    """The branches that iterations and promotions of one cluster left for people, where each stands, and what main and
    the ledger say of them."""

    room: gate.Room
    main: str
    tips: Mapping[Branch, str]
    current: str | None
    promoted: frozenset[str]

    @classmethod
    def of(cls, room: gate.Room, main: str, cluster: str) -> _Branches:
        refs = sorted(room.repository.refs(room.heads).items())
        named = ((branch_of(ref.removeprefix(room.heads)), tip) for ref, tip in refs)
        tips = {branch: tip for branch, tip in named if branch is not None and branch.cluster == cluster}
        current = History.from_entries(cluster, room.ledger.read_at(room.tip(LEDGER), cluster)).current
        promoted = frozenset(room.repository.names(main, f"clusters/{cluster}/promotions"))
        return cls(room, main, tips, current, promoted)

    def waits(self, branch: Branch, tip: str) -> bool:
        """Whether people are still asked about it. Raises `GitError` for a branch that was not cut from main."""
        asked = is_open(branch, current=self.current, promoted=self.promoted)
        return asked and self.room.repository.merge_base(self.main, tip) != tip

    def out_of_date(self, branch: Branch, tip: str) -> str:
        """Why nobody reads it any more, of an earlier iteration; empty for drafts that people have worked on, and
        where it is read. Raises `GitError`."""
        paths = {one.path for one in self.tips}
        why = out_of_date(branch, current=self.current, branches=paths)
        return "" if branch.kind == "drafts" and why and self._worked_on(tip) else why

    def _worked_on(self, tip: str) -> bool:
        """Whether a branch has more than the one commit that an iteration leaves."""
        parents = self.room.repository.commit(tip).parents
        return len(parents) != 1 or self.room.repository.merge_base(self.main, tip) != parents[0]


def lay_files(path: Path, name: str, *, sources: bool, write: bool = True) -> dict[str, Written]:
    """Write the files of the forge `name` into the repository, as this version of Hallmark has them; what became of
    each. CODEOWNERS that is there has people's own names, and stays, in whichever place the forge looks for it: another
    one could go before it. `sources` is a repository that holds the program itself. Raises `RecordError` for a forge
    that is not known."""
    top, became = flywheel.root(path), {}
    owned = owners_of(top)
    for file, data in forge_files(name, install=SOURCES if sources else PACKAGE).items():
        if file in PLACES and owned is not None:
            became[owned] = Written.UNCHANGED
            continue
        place = top / file
        was = place.read_bytes() if place.is_file() else None
        became[file] = Written.UNCHANGED if was == data else Written.NEW if was is None else Written.CHANGED
        if write and was != data:
            write_file(place, data)
    return became


class Asked(NamedTuple):
    """A pull request whose preview is asked for."""

    pull: PullRequest
    base: str
    """The tip of main, whose program and settings are used."""
    why_not: tuple[str, ...]
    """Why nothing of it may run on a machine of ours; nothing where it may."""


def asked(path: Path, number: int, *, at: Forge) -> Asked:
    """Whether a preview may run: an open pull request onto main, of this repository, every changed file of which an
    owner has approved as it stands. Owners are those of main's CODEOWNERS; one's own approval counts for nothing.

    Raises `GitError` where the change cannot be fetched, and `ForgeError`.
    """
    top, pull = flywheel.root(path), at.pull(number)
    base = flywheel.commit(top)
    found = list(_refused(pull))
    if not found:
        git(top, "fetch", "--quiet", "--no-tags", "origin", f"+refs/pull/{number}/head:{_ref(number)}")
        if flywheel.commit(top, _ref(number)) != pull.head:
            found.append("it has moved since it was asked about: ask again")
    if not found:
        found += _unapproved(top, base, pull, at)
    return Asked(pull, base, tuple(found))


def previewed(
    path: Path, found: Asked, *, models: LanguageModels | None = None, progress: Progress = silent
) -> ChangeReview:
    """The review of the change, with what the model that serves on main answers to it."""
    return review.reviewed(path, found.base, found.pull.head, preview=True, models=models, progress=progress)


def _ref(number: int) -> str:
    return f"refs/hallmark/pull/{number}"


def _refused(pull: PullRequest) -> Iterator[str]:
    if pull.fork:
        yield "its branch is in another repository, and nothing of a fork runs here"
    if pull.state is not PullState.OPEN:
        yield f"it is {pull.state}"
    if pull.base != BASE:
        yield f"it asks to merge into {pull.base}, and not into {BASE}"


def _unapproved(top: Path, base: str, pull: PullRequest, at: Forge) -> Iterator[str]:
    with GitObjects(top) as objects:
        fork = git(top, "merge-base", base, pull.head)
        paths = [one.path for one in objects.diff(fork, pull.head)]
        text = next((objects.read(base, name) for name in PLACES if objects.files(base, name)), None)
    if text is None:
        yield f"main names no owners: there is no {PLACES[0]}"
        return
    try:
        read = CodeOwners(text.decode())
    except UnicodeDecodeError as error:
        yield f"main's CODEOWNERS cannot be read: {error}"
        return
    approvers = [one.login for one in at.approvers(pull.number, head=pull.head) if not one.author]
    if not approvers:
        yield "nobody has approved it as it stands"
        return
    unseen: set[str] = set()

    def in_team(team: str, login: str) -> bool:
        try:
            return at.in_team(team, login)
        except ForgeForbidden:
            unseen.add(team)
            return False

    owners = {path: read.owners(path) for path in paths}
    left = unapproved(owners, approvers, in_team=in_team)
    for name in left[:SHOWN_PATHS]:
        yield f"{name}: none of its owners approved ({', '.join(approvers)} did)"
    if left[SHOWN_PATHS:]:
        yield f"and {len(left) - SHOWN_PATHS} files more"
    if left and unseen:
        yield f"who is in {', '.join(sorted(unseen))} this token may not ask: name people in {PLACES[0]} (docs/ci.md)"
