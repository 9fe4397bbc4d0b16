"""Triage without a screen: decisions given all at once, and what is undecided as one JSON document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from runner.errors import RecordError
from runner.records.conversation import last_user_text
from runner.rules.triage import session as triage_session
from runner.rules.triage.background import Background, Near
from runner.rules.triage.session import Session, Turn, progress
from runner.rules.triage.view import similarity


@dataclass(frozen=True)
class Orders:
    """What a call without a screen decides, by candidate."""

    accept: tuple[str, ...] = ()
    reject: tuple[str, ...] = ()
    reason: str = ""
    """Of every rejection."""
    edit: str = ""
    input: str | None = None
    """With `edit`: the last user message as it should read; none to leave it."""
    answer: str | None = None
    ranks: Mapping[str, int] = field(default_factory=dict)

    @property
    def named(self) -> tuple[str, ...]:
        """The candidates that it decides, each as often as it is decided."""
        return (*self.accept, *self.reject, *([self.edit] if self.edit else ()))


def carried_out(session: Session, orders: Orders, *, now: str) -> Session:
    """The session after all of it. Raises `RecordError` for an unknown candidate, for one that is decided twice, and
    where a decision would not hold; then nothing of it counts."""
    known = frozenset(session.order)
    for name in (*orders.named, *orders.ranks):
        if name not in known:
            near = get_close_matches(name, session.order, n=3)
            raise RecordError(f"{name} is no candidate of the list", hint=f"nearest: {', '.join(near) or 'none'}")
    twice = sorted({name for name in orders.named if orders.named.count(name) > 1})
    if twice:
        raise RecordError(f"{', '.join(twice)}: decided twice in one call", hint="decide each candidate once")
    for name in orders.accept:
        session = _done(triage_session.accept(_at(session, name), now=now))
    for name in orders.reject:
        session = _done(triage_session.reject(_at(session, name), now=now, reason=orders.reason))
    if orders.edit:
        one = session.listed.shown[orders.edit]
        text = last_user_text(one.input) if orders.input is None else orders.input
        answer = one.answer if orders.answer is None else orders.answer
        session = _done(triage_session.edit(_at(session, orders.edit), text=text, answer=answer, now=now))
    for name, place in orders.ranks.items():
        session = _done(triage_session.rank(_at(session, name), place, now=now))
    return session


def _at(session: Session, name: str) -> Session:
    return replace(session, at=session.order.index(name), waits=None, waiting="")


def _done(turn: Turn) -> Session:
    if turn.refused:
        raise RecordError(turn.told)
    return turn.session


def document(session: Session, background: Background | None, *, path: str, told: str) -> dict[str, Any]:
    """What a call without a screen prints: how far the reviewer is, and every candidate that waits for them."""
    done = progress(session)
    return {
        "cluster": session.file.cluster,
        "iteration": session.file.iteration,
        "reviewer": session.review.reviewer,
        "review": path,
        "decided": done.decided,
        "accepted": done.accepted,
        "rejected": done.rejected,
        "edited": done.edited,
        "undecided": [_candidate(session, name, background) for name in session.undecided],
        "told": told,
    }


def _candidate(session: Session, name: str, background: Background | None) -> dict[str, Any]:
    one = session.listed.shown[name]
    said: dict[str, Any] = {
        "candidate": name,
        "capability": one.capability,
        "origin": one.origin.value,
        "input": [message.model_dump(mode="json") for message in one.input],
        "answer": one.answer,
        "batch": one.batch,
        "parents": list(one.parents),
        "rivals": list(session.listed.rivals(name)),
    }
    if background is not None:
        said["nearest_gold"] = _near(background.nearest_gold(one), background)
        said["nearest_parent"] = _near(background.nearest_parent(one), background)
        said["rubrics"] = [found.id for found in background.rubrics_of(one.capability)]
    return said


def _near(near: Near | None, background: Background) -> dict[str, str] | None:
    if near is None:
        return None
    return {"id": near.id, "similarity": similarity(near), "text": background.text(near.id)}
