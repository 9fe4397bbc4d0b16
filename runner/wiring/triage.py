"""Settings to the edges of triage: which list, whose review, and how it is signed and sent."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from runner import workspace
from runner.edges.readers import DirectoryReader
from runner.edges.signing import SshSigner
from runner.edges.triage import branch as triage_branch
from runner.edges.triage import material as triage_material
from runner.edges.triage.branch import Place
from runner.edges.triage.store import ReviewFiles
from runner.edges.yaml_files import parse
from runner.errors import DataError, HallmarkError, RecordError, VerificationError
from runner.promotion.decide import person_of
from runner.promotion.sources import Policy
from runner.promotion.updates import MAIN
from runner.records.triage import Review
from runner.records.triage_policy import Triage
from runner.reviews import envelope_path, review_path, sign
from runner.rules.naming import slug
from runner.rules.triage import session as triage_session
from runner.rules.triage.background import Background
from runner.rules.triage.orders import Orders, carried_out
from runner.rules.triage.session import Session
from runner.wiring import flywheel, gate
from runner.wiring.boundary import admit

TRUNK = ("refs/remotes/origin/main", "refs/heads/main")


@dataclass(frozen=True)
class Reviewer:
    """Who decides: a person of the policy where their key says so, else a name of their own."""

    name: str
    key: Path | None
    policy: Policy | None
    """Main's; none where there is none, and then nothing can be signed."""


@dataclass(frozen=True)
class Desk:
    """`ports_triage.Room` for one list and one reviewer, and the store of their review."""

    place: Place
    reviewer: Reviewer
    store: ReviewFiles

    @property
    def title(self) -> str:
        return f"{self.place.cluster}, {self.place.iteration}, {self.reviewer.name}"

    @property
    def told(self) -> str:
        return self.place.told

    def now(self) -> str:
        return gate.now()

    def background(self) -> Background:
        place = self.place
        return triage_material.background(
            place.main, place.top, place.cluster, place.iteration, admit=lambda: admit(place.top, place.cluster)
        )

    def session(self) -> Session:
        kept = self.store.read()
        return triage_session.opened(kept.file, kept.review, others=kept.others, steps=kept.steps)

    def carry_out(self, orders: Orders) -> Session:
        """Decide without a screen: all of it or nothing."""
        before = self.session()
        after = carried_out(before, orders, now=self.now())
        if after.review != before.review:
            self.store.keep(after)
        return after

    def finish(self) -> str:
        """Sign the review as it stands, commit it with its envelope, and push. Raises `HallmarkError`."""
        place, who = self.place, self.reviewer
        path = review_path(place.cluster, place.iteration, who.name)
        if not (place.top / path).is_file():
            raise RecordError("nothing is decided yet", path=path)
        data = (place.top / path).read_bytes()
        review = parse(data, Review, path=path)
        files = {path: data}
        if who.policy is not None and who.key is not None:
            trust = who.policy.trust
            envelope = sign(review, data, SshSigner(who.key), trust, now=self.now(), nonce=secrets.token_hex(16))
            files[envelope_path(path)] = envelope
        said = triage_branch.send(place, files, f"{who.name}: triage of {place.iteration}\n")
        return said if len(files) > 1 else said.replace("signed", "not signed (no key of policy/)", 1)


def desk(path: Path, cluster: str, *, iteration: str = "", reviewer: str = "", key: Path | None = None) -> Desk:
    """The list that waits for this reviewer: in the work tree at hand, else on the branch that CI opened, fetched.

    Raises `RecordError` where nothing waits or several do, `VerificationError` where the key is another person's.
    """
    top = flywheel.root(path)
    reader = DirectoryReader(top)
    if cluster not in workspace.clusters(reader):
        raise workspace.unknown(reader, cluster)
    who = _reviewer(top, name=reviewer, key=key, signed=_asks(top, cluster).signed)
    place = _place(top, cluster, iteration, who.name)
    return Desk(place, who, ReviewFiles(place.top, cluster, place.iteration, who.name))


def _asks(top: Path, cluster: str) -> Triage:
    return flywheel.workspace(top, cluster).cluster.triage


def _place(top: Path, cluster: str, iteration: str, who: str) -> Place:
    here = [name for name in triage_branch.here(top, cluster) if iteration in ("", name)]
    open_here = [name for name in here if _waits(top, cluster, name, who)]
    if open_here:
        return triage_branch.at_hand(top, cluster, triage_branch.checked(cluster, open_here, iteration))
    names, told = triage_branch.waiting(top, cluster)
    open_ = [name for name in names if iteration or not triage_branch.is_merged(top, cluster, name, TRUNK)]
    return triage_branch.open_branch(top, cluster, triage_branch.checked(cluster, open_, iteration), told)


def _waits(top: Path, cluster: str, iteration: str, who: str) -> bool:
    """Whether the list at hand waits for the reviewer, or is the one that is checked out to be decided."""
    if triage_branch.at_hand(top, cluster, iteration).branch:
        return True
    kept = ReviewFiles(top, cluster, iteration, who).read()
    return bool(triage_session.opened(kept.file, kept.review, others=kept.others).undecided)


def _reviewer(top: Path, *, name: str, key: Path | None, signed: bool) -> Reviewer:
    """By the key, where main's policy knows it; else by `name`, or by the address that git commits with."""
    found = key or triage_branch.signing_key(top)
    policy = _policy(top)
    if found is not None and policy is not None:
        try:
            person = person_of(SshSigner(found), policy.keys.allowed_signers)
        except VerificationError:
            if key is not None or signed:
                raise
        else:
            if name not in ("", person):
                raise VerificationError(f"this key is {person}'s, not {name}'s")
            return Reviewer(person, found, policy)
    if signed:
        hint = "a key and a policy are needed" if policy is None else "give --key, or set git's user.signingkey"
        raise VerificationError(f"the cluster asks for signed reviews: {hint}")
    said = name or slug(triage_branch.author(top)["GIT_AUTHOR_EMAIL"].partition("@")[0])
    if not said or said != slug(said):
        raise RecordError(f"{said!r} is no reviewer's name", hint="small letters, digits and hyphens: --reviewer")
    return Reviewer(said, None, policy)


def _policy(top: Path) -> Policy | None:
    """Main's policy, as this clone has it."""
    room = gate.room(top, with_bytes=False)
    tip = room.tip(MAIN)
    try:
        return room.offline().policy(tip) if tip else None
    except HallmarkError:
        return None


def show(desk: Desk) -> tuple[Session, str]:
    """The screen, until the reviewer leaves it: the session as it was left, and what finishing said.

    Raises `DataError` where Textual is not installed.
    """
    try:
        from runner.edges.screens.triage import run  # brings Textual
    except ModuleNotFoundError as error:
        raise DataError("the screen needs Textual: pip install 'hallmark-flywheel[triage]', or give --json") from error
    return run(desk.store, desk)
