"""The keys of the triage screen, in one table: what each does, as a function of the session before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from runner.rules.triage import session as triage_session
from runner.rules.triage.session import Session, Turn, Wait

REASONS = (
    "the answer is wrong",
    "the input is unclear",
    "out of scope",
    "copies another",
    "nobody writes so",
    "personal data",
    "unsafe",
    "wrong form of answer",
)
"""The quick reasons of a rejection, by digit from 1."""


class Ask(StrEnum):
    """What a key asks of the screen: something that the session alone cannot do."""

    EDIT = "edit"
    REASON = "reason"
    WHY = "why"
    KEYS = "keys"
    FINISH = "finish"
    QUIT = "quit"


class Key(NamedTuple):
    """A row of the table. `does` takes the session and the time; where it is an `Ask`, the screen does it."""

    names: tuple[str, ...]
    """As a terminal library calls them."""
    sign: str
    """As it is printed."""
    word: str
    """In the bar at the foot; empty where it does not stand there."""
    help: str
    does: Callable[[Session, str], Turn] | Ask


def _to(place: int) -> Callable[[Session, str], Turn]:
    return lambda session, now: triage_session.move(session, place)


FAR = 1_000_000
KEYS = (
    Key(
        ("left",),
        "←",
        "reject",
        "Reject. A digit right after it says why.",
        lambda s, now: triage_session.reject(s, now=now),
    ),
    Key(("right",), "→", "accept", "Accept as it is.", lambda s, now: triage_session.accept(s, now=now)),
    Key(("e",), "e", "edit", "Edit the last user message and the answer; Ctrl+S saves, Escape leaves.", Ask.EDIT),
    Key(
        ("u",),
        "u",
        "undo",
        "Take back the last decision, also one of an earlier session.",
        lambda s, _: triage_session.undo(s),
    ),
    Key(
        ("question_mark",),
        "?",
        "why",
        "Why this candidate exists: batch, generator, parents, validation, failure.",
        Ask.WHY,
    ),
    Key(
        ("r",),
        "r",
        "rank",
        "Rank among the candidates for the same input: then a digit, 1 is the best.",
        lambda s, _: triage_session.await_rank(s),
    ),
    Key(("w",), "w", "", "Write the reason of a rejection in words.", Ask.REASON),
    Key(("up", "p"), "↑ p", "", "The candidate before, without deciding.", _to(-1)),
    Key(("down", "n"), "↓ n", "", "The next candidate, without deciding.", _to(1)),
    Key(("space",), "Space", "", "The next undecided candidate.", lambda s, _: triage_session.skip(s)),
    Key(("home", "g"), "Home g", "", "The first candidate.", _to(-FAR)),
    Key(("end", "G"), "End G", "", "The last candidate.", _to(FAR)),
    Key(("s",), "s", "sign", "Sign the review with your ssh key, commit it and push the branch.", Ask.FINISH),
    Key(("h", "f1"), "h F1", "keys", "These keys.", Ask.KEYS),
    Key(("q", "ctrl+c"), "q", "quit", "Leave; every key is saved already.", Ask.QUIT),
)
BY_NAME = {name: key for key in KEYS for name in key.names}


@dataclass(frozen=True)
class Pressed:
    """What a key did, and what it asks of the screen."""

    turn: Turn
    ask: Ask | None = None


def press(session: Session, name: str, *, now: str) -> Pressed:
    """What the key called `name` does at `now` (ISO 8601, UTC, to the second). An unknown key does nothing."""
    if len(name) == 1 and name in "123456789":
        return Pressed(_digit(session, int(name), now=now))
    key = BY_NAME.get(name)
    if key is None:
        return Pressed(Turn(session, "" if len(name) != 1 else f"{name} does nothing; h shows the keys"))
    if isinstance(key.does, Ask):
        return Pressed(Turn(session), key.does)
    return Pressed(key.does(session, now))


def quick_reasons() -> str:
    """The reasons with their digits, in a line."""
    return "  ".join(f"{number} {reason}" for number, reason in enumerate(REASONS, start=1))


def _digit(session: Session, digit: int, *, now: str) -> Turn:
    if session.waits is not Wait.REASON:
        return triage_session.rank(session, digit, now=now)
    if digit > len(REASONS):
        return Turn(session, f"there are {len(REASONS)} quick reasons; w writes one in words")
    return triage_session.give_reason(session, REASONS[digit - 1], now=now)
