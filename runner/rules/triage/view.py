"""What the triage screen says, as lines of text: a list of candidates and their background in words, no terminal.

Every text of a candidate, a trace or a rubric goes through `shown`: it comes from strangers and from models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from runner.records.base import Record
from runner.records.conversation import Conversation, Role, last_user_text
from runner.records.rubric import Criterion
from runner.records.triage import Choice, ReviewDecision
from runner.rules.text.shown import shown
from runner.rules.triage.background import Background, Near
from runner.rules.triage.keys import KEYS, quick_reasons
from runner.rules.triage.session import Session, Wait, progress


class Look(StrEnum):
    """How a line is set off; without colours it is still told in words."""

    PLAIN = "plain"
    STRONG = "strong"
    FAINT = "faint"
    GOOD = "good"
    BAD = "bad"
    CHANGED = "changed"


@dataclass(frozen=True)
class Line:
    text: str
    look: Look = Look.PLAIN


@dataclass(frozen=True)
class Pane:
    """One of the screen's parts: what stands in its border, and its lines."""

    title: str
    lines: tuple[Line, ...]


DONE = {
    Choice.ACCEPT: ("accepted", Look.GOOD),
    Choice.REJECT: ("rejected", Look.BAD),
    Choice.EDIT: ("edited", Look.CHANGED),
}
PARENTS = 12
"""Parents named one by one; the rest are counted."""


def head(session: Session, *, minutes: int | None) -> str:
    """The line at the top: how far the reviewer is."""
    done = progress(session)
    left = {None: "", 0: "  done"}.get(minutes, f"  about {minutes} min left")
    counts = f"accepted {done.accepted}  rejected {done.rejected}  edited {done.edited}"
    return f"{done.decided}/{done.asked}  {counts}{left}"


def foot() -> str:
    """The keys that matter, in a line of at most 80 columns."""
    return "  ".join(f"{key.sign.split()[0]} {key.word}" for key in KEYS if key.word)


def asks(session: Session) -> str:
    """What the next digit would mean; empty where nothing is asked."""
    return f"Why? {quick_reasons()}  w in words" if session.waits is Wait.REASON else ""


def keys() -> Pane:
    lines = [Line(f"{key.sign:<8}{key.help}") for key in KEYS]
    digits = f"{'1-9':<8}After a rejection its reason: {quick_reasons()}. Else the rank."
    panes = f"{'Tab':<8}The next part of the screen; Page Up and Page Down scroll it."
    return Pane("keys (any key closes)", (*lines, Line(digits), Line(panes)))


def candidate(session: Session, background: Background) -> Pane:
    """The candidate as it would train, what was decided of it, and its rivals."""
    one, made = session.current, session.decision(session.current.candidate)
    word, look = DONE[made.decision] if made else ("undecided", Look.STRONG)
    if made is None and one.candidate not in session.undecided:
        word = "undecided, and nobody asks you"
    capability = background.capabilities.get(one.capability)
    name = f"{one.capability} ({shown(capability.title)})" if capability else one.capability
    lines = [
        Line(f"{word.upper()}{f', rank {made.rank}' if made and made.rank else ''}", look),
        *_conversation(one.input),
        Line("answer", Look.FAINT),
        Line(shown(one.answer), Look.STRONG),
        *_edited(made),
        *([Line(f"reason: {shown(made.reason)}", Look.BAD)] if made and made.reason else ()),
        *_rivals(session),
        Line(f"{name}, {one.origin}, {one.candidate}", Look.FAINT),
    ]
    return Pane(f"candidate {session.at + 1} of {len(session.order)}", tuple(lines))


def _edited(made: ReviewDecision | None) -> Iterator[Line]:
    if made is not None and made.decision is Choice.EDIT:
        for title, text in (("edited input", made.edited_input), ("edited answer", made.edited_answer)):
            if text:
                yield Line(title, Look.FAINT)
                yield Line(shown(text), Look.CHANGED)


def _rivals(session: Session) -> Iterator[Line]:
    others = session.listed.rivals(session.current.candidate)
    if others:
        yield Line(f"{len(others)} more for this input (r ranks)", Look.FAINT)
    for name in others:
        made = session.decision(name)
        word = DONE[made.decision][0] if made else "undecided"
        place = f", rank {made.rank}" if made and made.rank else ""
        yield Line(f"  {name} {word}{place}: {shown(session.listed.shown[name].answer)}", Look.FAINT)


def _conversation(conversation: Conversation) -> Iterator[Line]:
    for message in conversation:
        yield Line(message.role.value, Look.FAINT)
        if message.content:
            yield Line(shown(message.content), Look.STRONG if message.role is Role.USER else Look.PLAIN)
        for call in message.tool_calls:
            yield Line(shown(f"calls {call.name}({call.arguments})"))


def parent(session: Session, background: Background) -> Pane:
    """The parent trace or example that is most like the candidate, and what became of it in production."""
    one = session.current
    if not one.parents:
        return Pane("parent", (Line("the list names no parents", Look.FAINT),))
    near = background.nearest_parent(one)
    if near is None:
        named = ", ".join(one.parents[:PARENTS])
        return Pane("parent", (*_missing(background), Line(f"{len(one.parents)} parents: {named}", Look.FAINT)))
    count = len(one.parents)
    title = f"parent: {similarity(near)}" if count == 1 else f"nearest of {count} parents: {similarity(near)}"
    return Pane(title, tuple(_source(near.id, background)))


def _source(name: str, background: Background) -> Iterator[Line]:
    """A production trace with what became of it, or an example with its answer."""
    unique, example = background.trace(name), background.example(name)
    if unique is not None:
        trace = unique.signal.trace
        yield from _conversation(trace.input)
        yield Line("production answered", Look.FAINT)
        yield Line(shown(trace.response) or "(nothing)", Look.BAD if unique.signal.failed else Look.PLAIN)
        if trace.feedback.correct_answer:
            yield Line("a person's answer", Look.FAINT)
            yield Line(shown(trace.feedback.correct_answer), Look.GOOD)
        if trace.flags:
            yield Line(f"flagged: {', '.join(trace.flags)}", Look.BAD)
        yield Line(f"{unique.signal.id}, seen {_times(unique.count)}", Look.FAINT)
    elif example is not None:
        yield from _conversation(example.input)
        yield Line("answer", Look.FAINT)
        yield Line(shown(example.answer), Look.GOOD)
        yield Line(f"{example.origin} example {name}, {example.capability}", Look.FAINT)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def rubric(session: Session, background: Background) -> Pane:
    """What the answer is judged by."""
    one = session.current
    capability = background.capabilities.get(one.capability)
    lines = [Line(shown(capability.definition))] if capability else []
    found = background.rubrics_of(one.capability)
    for each in found:
        lines.append(Line(f"{shown(each.title)} ({each.status})", Look.STRONG))
        lines += [Line(_criterion(criterion)) for criterion in each.criteria]
    if not found:
        lines += _missing(background) or [Line("no rubric covers this capability", Look.FAINT)]
    return Pane(f"rubric: {one.capability}", tuple(lines))


def _criterion(criterion: Criterion) -> str:
    required = "" if criterion.required else ", not required"
    weight = f", weight {criterion.weight:g}" if criterion.weight != 1 else ""
    return f"- {shown(criterion.description)} [{criterion.grader.kind}{weight}{required}]"


def gold(session: Session, background: Background) -> Pane:
    """The nearest gold example, by true Jaccard similarity."""
    near = background.nearest_gold(session.current)
    if near is None:
        return Pane("nearest gold", _missing(background) or (Line("there is no gold", Look.FAINT),))
    return Pane(f"nearest gold: {similarity(near)}", tuple(_source(near.id, background)))


def similarity(near: Near) -> str:
    return f"{near.similarity:.2f} of words" if near.size == 1 else f"{near.similarity:.2f} of word {near.size}-grams"


def why(session: Session, background: Background) -> Pane:
    """The candidate's lineage: batch, generator, validation figures, failure cluster, parents."""
    one, batch = session.current, background.batch(session.current)
    lines = [Line(f"{one.candidate}: {one.origin}, {one.capability}", Look.STRONG), *_missing(background)]
    lines.append(Line(f"batch {one.batch}" if one.batch else "the list names no batch", Look.STRONG))
    if batch is not None:
        made = batch.provenance
        lines += [
            Line(f"  {made.channel} by {shown(made.generator.name)} {shown(made.generator.version)}, seed {made.seed}"),
            Line(f"  generator {made.generator.sha256[:12]}; {shown(_flat(made.parameters))}", Look.FAINT),
            Line(f"  {made.count} rows; dropped before validation: {_flat(batch.rejected) or 'none'}", Look.FAINT),
        ]
    figures = background.validations.get(one.batch)
    lines += [Line("validation of the batch", Look.STRONG), *map(Line, _figures(figures))] if figures else []
    failure = background.failure(one)
    if failure is not None:
        lines += [
            Line(f"aims at {failure.id}, severity {failure.severity}, seen {_times(failure.frequency)}", Look.STRONG),
            Line(f"  {shown(failure.pattern)}"),
            Line(f"  {shown(failure.explanation)}", Look.FAINT),
        ]
    lines.append(Line(f"{len(one.parents)} parents", Look.STRONG))
    lines += [Line(f"  {name}  {shown(background.text(name))}", Look.FAINT) for name in one.parents[:PARENTS]]
    if len(one.parents) > PARENTS:
        lines.append(Line(f"  and {len(one.parents) - PARENTS} more", Look.FAINT))
    return Pane("why this candidate (any key closes)", tuple(lines))


def _figures(record: Record) -> list[str]:
    """Every figure of a validation, a group a line; a list is counted, since it may name what people must not read."""
    said = record.model_dump(mode="json", exclude={"batch"})
    return [f"  {name.replace('_', ' ')}: {_flat(value)}" for name, value in said.items() if value not in (None, [])]


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        known = {str(key).replace("_", " "): part for key, part in value.items() if part not in (None, "", [])}
        return ", ".join(f"{key} {_flat(part)}" for key, part in known.items())
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(len(value)) if isinstance(value, list) else str(value)


def _missing(background: Background) -> tuple[Line, ...]:
    return tuple(Line(shown(text), Look.FAINT) for text in background.missing)


def editable(text: str) -> str:
    """`text` as it can be edited: without the characters that `shown` would write out as codes. What an edit saves is
    what the reviewer saw."""
    return "".join(part for part in text.expandtabs(4) if shown(part) == part)


def to_edit(session: Session) -> tuple[str, str]:
    """The last user text and the answer that an edit starts from: an earlier edit, or the candidate's own."""
    one, made = session.current, session.decision(session.current.candidate)
    text = (made.edited_input if made else "") or last_user_text(one.input)
    return editable(text), editable((made.edited_answer if made else "") or one.answer)
