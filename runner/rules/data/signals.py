"""Traces become signals, and signals become unique ones. Nothing disappears: every member is named and counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from itertools import takewhile

from runner.records.conversation import Conversation, Role, last_user_text
from runner.records.rubric import Normalisation
from runner.records.trace import Rating, Signal, Trace, UniqueSignal
from runner.rules.canonical import digest
from runner.rules.data.sources import submitter
from runner.rules.text.near_duplicates import leaders
from runner.rules.text.normalisation import normalise
from runner.rules.text.similarity import normal_text

DIGITS = 16
"""Hex digits of the fingerprint that a signal's id carries."""


def signal(trace: Trace, normalisation: Sequence[Normalisation]) -> Signal:
    """The trace with its fingerprint, and whether it failed.

    It failed where it was rated bad, has no answer and asks for no tool, or a person gave another answer (compared as
    the rubric compares).
    """
    fingerprint = fingerprint_of(trace)
    right = trace.feedback.correct_answer
    corrected = bool(right) and normalise(right, normalisation) != normalise(trace.response, normalisation)
    answered = bool(trace.response.strip() or trace.tool_calls)
    return Signal(
        id=signal_id(fingerprint),
        fingerprint=fingerprint,
        trace=trace,
        failed=trace.feedback.rating is Rating.BAD or corrected or not answered,
    )


def fingerprint_of(trace: Trace) -> str:
    """sha256 of the normalised last user text, what tools have said since, the response and the tools it asks for."""
    calls = [[[call.name, call.arguments] for call in trace.tool_calls]] if trace.tool_calls else []
    results = [{"tools": found}] if (found := _results(trace.input)) else []
    return digest([normal_text(last_user_text(trace.input)), trace.response.strip(), *calls, *results])


def _results(conversation: Conversation) -> list[str]:
    """What tools said after the last message of the user."""
    after = takewhile(lambda message: message.role is not Role.USER, reversed(conversation))
    return [message.content for message in after if message.role is Role.TOOL]


def signal_id(fingerprint: str) -> str:
    return f"signal-{fingerprint[:DIGITS]}"


def unique_signals(
    signals: Sequence[Signal], *, threshold: float, suspects: Callable[[Sequence[str]], Collection[int]]
) -> tuple[tuple[UniqueSignal, ...], int]:
    """The unique signals, sorted by id, and how many signals were exact duplicates of one another.

    Exact duplicates share a fingerprint; the one that says most stands for them (failed, with a person's answer,
    seen first). Near-duplicates share the response, the tools it asks for, what tools said and the person's answer, and
    their texts are at least `threshold` similar (Jaccard of word 3-shingles): the same words with another answer are
    another signal. Only the texts that `suspects` names by their positions are compared.
    """
    exact: dict[str, list[Signal]] = defaultdict(list)
    for one in signals:
        exact[one.fingerprint].append(one)
    heads = sorted((min(group, key=_says_most) for group in exact.values()), key=_seen)
    suspected = {heads[position].id for position in suspects([last_user_text(one.trace.input) for one in heads])}
    kinds: dict[tuple[object, ...], list[Signal]] = defaultdict(list)
    for one in heads:
        trace = one.trace
        right = normal_text(trace.feedback.correct_answer)
        kinds[one.failed, normal_text(trace.response), trace.tool_calls, tuple(_results(trace.input)), right].append(
            one
        )
    groups: dict[str, list[Signal]] = defaultdict(list)
    for kind in kinds.values():
        texts = [last_user_text(one.trace.input) for one in kind]
        compared = [position for position, one in enumerate(kind) if one.id in suspected]
        for one, leader in zip(kind, leaders(texts, threshold=threshold, suspects=compared), strict=True):
            groups[kind[leader].id].append(one)
    by_id = {one.id: one for one in heads}
    found = [_unique(by_id[name], members, exact) for name, members in sorted(groups.items())]
    return tuple(found), len(signals) - len(heads)


def _says_most(one: Signal) -> tuple[bool, bool, str, str]:
    return (not one.failed, not one.trace.feedback.correct_answer, one.trace.timestamp, digest(one))


def _seen(one: Signal) -> tuple[str, str]:
    return (one.trace.timestamp, one.id)


def _unique(head: Signal, members: Sequence[Signal], exact: dict[str, list[Signal]]) -> UniqueSignal:
    every = [one for member in members for one in exact[member.fingerprint]]
    times = sorted(one.trace.timestamp for one in every)
    return UniqueSignal(
        signal=head,
        count=len(every),
        members=tuple(sorted({one.id for one in every})),
        first_seen=times[0],
        last_seen=times[-1],
        sources=dict(sorted(Counter(submitter(one.trace.source) for one in every).items())),
    )
