"""A reviewer's session over one triage list, as a value: what is shown and in which order, and what each key does.

Nothing here reads a clock, a file or a terminal. A key makes a new session out of the old one; what must be written
is the session's review and its steps, after every key.

- What waits for this reviewer comes first, candidates for one input beside one another; then the rest. It may become
  more on the way: where a batch's sample turns out not to be good enough, all of the batch is to be decided.
- A decision goes on to the next undecided candidate. A digit right after a rejection is its reason, right after
  another decision the rank among the candidates for the same input.
- Undo takes back the last decision with its reason and rank, also of an earlier session.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from itertools import pairwise

from runner.records.conversation import last_user_text
from runner.records.triage import Choice, Decision, Review, ReviewDecision, TriageFile
from runner.records.triage_session import Step
from runner.rules.canonical import digest
from runner.rules.triage.decisions import Listed, decide, withdraw
from runner.rules.triage.settlement import left

RECENT = 20
"""The decisions whose pace tells how long the rest will take."""
PAUSE = 300.0
"""Seconds after which a gap between two decisions counts as a pause, not as reading."""


class Wait(StrEnum):
    """What the next digit means."""

    RANK = "rank"
    REASON = "reason"


@dataclass(frozen=True)
class Session:
    """One reviewer's session over a list; `others` are the other people's reviews, `order` the candidates as shown."""

    listed: Listed
    review: Review
    order: tuple[str, ...]
    others: tuple[Review, ...] = ()
    at: int = 0
    steps: tuple[Step, ...] = ()
    waits: Wait | None = None
    waiting: str = ""
    """The candidate that the next digit is about."""

    @property
    def file(self) -> TriageFile:
        return self.listed.file

    @property
    def current(self) -> Decision:
        return self.listed.shown[self.order[self.at]]

    @cached_property
    def undecided(self) -> tuple[str, ...]:
        """What waits for this reviewer, in the order shown."""
        waits = set(left(self.file, (*self.others, self.review), self.review.reviewer))
        return tuple(name for name in self.order if name in waits)

    def decision(self, candidate: str) -> ReviewDecision | None:
        """What this reviewer decided of a candidate; none where it is undecided."""
        return next((one for one in self.review.decisions if one.candidate == candidate), None)


@dataclass(frozen=True)
class Turn:
    """The session after something was done, and what to tell the reviewer."""

    session: Session
    told: str = ""
    refused: bool = False
    """It could not be done; `told` says why."""


@dataclass(frozen=True)
class Progress:
    """How far the reviewer is: what they decided, and that with what still waits for them."""

    decided: int
    asked: int
    accepted: int
    rejected: int
    edited: int


def opened(
    file: TriageFile, review: Review, *, others: Sequence[Review] = (), steps: Sequence[Step] = (), at: str = ""
) -> Session:
    """The session over a list and a review of it, at candidate `at`, or at the first that is undecided.

    Of `steps`, those are taken over that led to this very review: where it was changed elsewhere since, undo would
    bring back what nobody decided.
    """
    mine = {one.candidate for one in review.decisions}
    first = mine | set(left(file, (*others, review), review.reviewer))
    near = _neighbours(file)
    order = (*(name for name in near if name in first), *(name for name in near if name not in first))
    session = Session(Listed(file), review, order, tuple(others), steps=_leading_to(steps, review))
    if at in order:
        return replace(session, at=order.index(at))
    return replace(session, at=_next(session, start=0))


def _neighbours(file: TriageFile) -> list[str]:
    """The candidates in the list's order, those for one input together."""
    first: dict[object, int] = {}
    for number, one in enumerate(file.decisions):
        first.setdefault(one.input, number)
    return [one.candidate for one in sorted(file.decisions, key=lambda one: first[one.input])]


def _leading_to(steps: Sequence[Step], review: Review) -> tuple[Step, ...]:
    now = digest(review)
    found = [number for number, step in enumerate(steps, start=1) if step.after == now]
    return tuple(steps[: found[-1]]) if found else ()


def progress(session: Session) -> Progress:
    made = [one.decision for one in session.review.decisions]
    return Progress(
        decided=len(made),
        asked=len(made) + len(session.undecided),
        accepted=made.count(Choice.ACCEPT),
        rejected=made.count(Choice.REJECT),
        edited=made.count(Choice.EDIT),
    )


def minutes_left(moments: Sequence[float], waiting: int) -> int | None:
    """Minutes that `waiting` decisions will take at the recent pace; none before there is one.

    `moments` are when decisions were made in this session, in seconds of any clock, oldest first.
    """
    recent = moments[-RECENT - 1 :]
    gaps = sorted(min(after - before, PAUSE) for before, after in pairwise(recent))
    if len(gaps) < 3:
        return None
    return max(1, round(gaps[len(gaps) // 2] * waiting / 60)) if waiting else 0


def accept(session: Session, *, now: str) -> Turn:
    return _decided(session, ReviewDecision(candidate=session.current.candidate, decision=Choice.ACCEPT, at=now))


def reject(session: Session, *, now: str, reason: str = "") -> Turn:
    name = session.current.candidate
    return _decided(session, ReviewDecision(candidate=name, decision=Choice.REJECT, reason=reason, at=now))


def edit(session: Session, *, text: str, answer: str, now: str) -> Turn:
    """The candidate as it should read. An edit that changes nothing is none, and neither is one that empties it."""
    current = session.current
    if not text.strip() or not answer.strip():
        return Turn(
            session, "not saved: an input or an answer without words is no example; reject it instead", refused=True
        )
    changed_text = "" if text.strip() == last_user_text(current.input).strip() else text.strip()
    changed_answer = "" if answer.strip() == current.answer.strip() else answer.strip()
    if not changed_text and not changed_answer:
        return Turn(session, "not saved: nothing was changed; accept it as it is with the right arrow", refused=True)
    made = ReviewDecision(
        candidate=current.candidate,
        decision=Choice.EDIT,
        edited_input=changed_text,
        edited_answer=changed_answer,
        at=now,
    )
    return _decided(session, made)


def give_reason(session: Session, reason: str, *, now: str) -> Turn:
    """Why the candidate that waits for it, or else the current one, was rejected."""
    name = session.waiting if session.waits is Wait.REASON else session.current.candidate
    before = session.decision(name)
    if before is None or before.decision is not Choice.REJECT:
        return Turn(session, "a reason belongs to a rejection: reject it first", refused=True)
    made = before.model_copy(update={"reason": reason.strip(), "at": now})
    return Turn(_kept(session, made, joined=True), f"{name} rejected: {reason.strip() or 'no reason'}")


def rank(session: Session, place: int, *, now: str) -> Turn:
    """Give the candidate that waits for it, or else the current one, its place among those for the same input."""
    name = session.waiting if session.waits is Wait.RANK else session.current.candidate
    before, several = session.decision(name), len(session.listed.rivals(name)) + 1
    if several < 2:
        return Turn(_calm(session), "nothing to rank: this is the only candidate for its input", refused=True)
    if before is None:
        return Turn(
            _calm(session), "decide first; a digit then ranks it among the candidates for its input", refused=True
        )
    if not 1 <= place <= several:
        return Turn(session, f"there are {several} candidates for this input: rank 1 to {several}", refused=True)
    made = before.model_copy(update={"rank": place, "at": now})
    return Turn(_kept(session, made, joined=True), f"{name} is number {place} of {several} for its input")


def await_rank(session: Session) -> Turn:
    """Let the next digit rank the current candidate."""
    name, several = session.current.candidate, len(session.listed.rivals(session.current.candidate)) + 1
    if several < 2:
        return Turn(_calm(session), "nothing to rank: this is the only candidate for its input", refused=True)
    asks = f"rank {name} among the {several} candidates for its input: 1 (the best) to {several}"
    return Turn(replace(session, waits=Wait.RANK, waiting=name), asks)


def undo(session: Session) -> Turn:
    """Take back the last decision, its reason and rank with it, and go there."""
    steps = list(session.steps)
    if not steps:
        return Turn(_calm(session), "nothing to undo", refused=True)
    review, last = session.review, steps[-1]
    while steps:
        last = steps.pop()
        review = _with(session.file, review, last.candidate, last.before)
        if not last.joined:
            break
    at = session.order.index(last.candidate) if last.candidate in session.order else session.at
    back = replace(_calm(session), review=review, steps=tuple(steps), at=at)
    was = last.before.decision.value if last.before else Choice.UNDECIDED.value
    return Turn(back, f"undone: {last.candidate} is {was} again")


def move(session: Session, by: int) -> Turn:
    """Go on or back without deciding; it stops at both ends."""
    return Turn(replace(_calm(session), at=min(max(session.at + by, 0), len(session.order) - 1)))


def skip(session: Session) -> Turn:
    """Go to the next undecided candidate."""
    return Turn(replace(_calm(session), at=_next(session, start=session.at + 1)))


def _decided(session: Session, made: ReviewDecision) -> Turn:
    after = _kept(session, made, joined=False)
    after = replace(after, at=_next(after, start=after.at + 1))
    words = {Choice.ACCEPT: "accepted", Choice.EDIT: "edited", Choice.REJECT: "rejected"}[made.decision]
    if made.decision is Choice.REJECT and not made.reason:
        return Turn(replace(after, waits=Wait.REASON, waiting=made.candidate), f"{words}: {made.candidate}")
    others = len(after.listed.rivals(made.candidate))
    if made.decision is not Choice.REJECT and others:
        told = f"{words}. A digit ranks it among the {others + 1} candidates for its input, 1 is the best"
        return Turn(replace(after, waits=Wait.RANK, waiting=made.candidate), told)
    return Turn(after, f"{words}: {made.candidate}" + ("" if after.undecided else ". All decided: s signs and sends"))


def _kept(session: Session, made: ReviewDecision, *, joined: bool) -> Session:
    before = session.decision(made.candidate)
    if before is not None and before.model_copy(update={"at": made.at}) == made:
        return _calm(session)  # the same again
    review = _with(session.file, session.review, made.candidate, made)
    last = session.steps[-1] if session.steps else None
    joins = joined and last is not None and last.candidate == made.candidate
    step = Step(candidate=made.candidate, before=before, after=digest(review), joined=joins)
    return replace(_calm(session), review=review, steps=(*session.steps, step))


def _with(file: TriageFile, review: Review, candidate: str, made: ReviewDecision | None) -> Review:
    if made is None:
        return withdraw(review, candidate)
    return decide(
        file,
        review,
        candidate,
        made.decision,
        at=made.at,
        edited_input=made.edited_input,
        edited_answer=made.edited_answer,
        rank=made.rank,
        reason=made.reason,
    )


def _calm(session: Session) -> Session:
    return replace(session, waits=None, waiting="")


def _next(session: Session, *, start: int) -> int:
    """The next that waits for the reviewer from place `start` on, around the end; where none does, the one before."""
    waits = frozenset(session.undecided)
    places = (*range(start, len(session.order)), *range(min(start, len(session.order))))
    return next((place for place in places if session.order[place] in waits), max(start - 1, 0))
