"""People's decisions as preferences: pairs, and single answers with a label.

They are about answers. A rejection says that a candidate is bad and not which half of it, so a pair is made only where
two answers to one input, as it was shown, can be compared; a candidate whose input was edited has no such other answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from runner.records.base import Record
from runner.records.conversation import Conversation, Message, Role, last_user_text
from runner.records.preference import Ground, PreferencePair, SupervisedRow, UnpairedPreference
from runner.records.triage import Choice, Decision, Review, TriageFile
from runner.rules.canonical import canonical
from runner.rules.text.conversations import with_instruction, with_last_user_text
from runner.rules.triage.decisions import Listed
from runner.rules.triage.settlement import Settled, accepted, settle


def pairs(file: TriageFile, reviews: Sequence[Review], state: Settled) -> tuple[PreferencePair, ...]:
    """Every preference between two answers to one input, each once: the edit over the original, what was accepted over
    what was rejected, and what a person ranked higher over what they ranked lower. In that order, and the list's."""
    decisions = [state.decisions[one.candidate] for one in file.decisions if one.candidate in state.decisions]
    found: dict[tuple[object, ...], PreferencePair] = {}
    for pair in (*_edits(decisions, state), *_accepted(decisions, state), *_ranked(file, reviews, state)):
        key = (pair.prompt, pair.chosen, pair.rejected)
        if pair.chosen != pair.rejected and (pair.prompt, pair.rejected, pair.chosen) not in found:
            found.setdefault(key, pair)
    return tuple(found.values())


def unpaired(file: TriageFile, state: Settled) -> tuple[UnpairedPreference, ...]:
    """Every answer that people settled: let in (as it was, or as edited) or not (rejected, or edited away)."""
    found = []
    for shown in file.decisions:
        decision = state.decisions.get(shown.candidate)
        if decision is None:
            continue
        people, kept = state.checked[shown.candidate], _kept(decision)
        if kept is None or (not _input_edited(decision) and kept != decision.answer.strip()):
            found.append(_labelled(decision, decision.input, decision.answer, people, label=False))
        if kept is not None:
            found.append(_labelled(decision, _final_input(decision), kept, people, label=True))
    return tuple(found)


def supervised(file: TriageFile, state: Settled) -> tuple[SupervisedRow, ...]:
    """Everything that was let in, as it then reads."""
    return tuple(
        SupervisedRow(
            messages=(*one.input, Message(role=Role.ASSISTANT, content=one.answer)),
            capability=one.capability,
            candidate=one.id,
            origin=one.origin,
            reviewers=state.checked.get(one.id, ()),
        )
        for one in accepted(file, state)
    )


def compiled(
    files: Mapping[str, TriageFile], reviews: Mapping[str, Sequence[Review]], *, instruction: str
) -> dict[str, bytes]:
    """JSON lines by file name, of every iteration's settled decisions: `sft.jsonl`, `preferences.jsonl` and
    `unpaired.jsonl`, each row below the system message that the specialist is served with."""
    rows: dict[str, list[Record]] = {"sft.jsonl": [], "preferences.jsonl": [], "unpaired.jsonl": []}
    for name in sorted(files):
        file, said = files[name], reviews.get(name, ())
        state = settle(file, said)
        rows["sft.jsonl"] += [_under(row, "messages", instruction) for row in supervised(file, state)]
        rows["preferences.jsonl"] += [_under(row, "prompt", instruction) for row in pairs(file, said, state)]
        rows["unpaired.jsonl"] += [_under(row, "prompt", instruction) for row in unpaired(file, state)]
    return {name: b"".join(canonical(row) + b"\n" for row in found) for name, found in rows.items()}


def _under(row: Record, field: str, instruction: str) -> Record:
    return row.model_copy(update={field: with_instruction(getattr(row, field), instruction)})


def _edits(decisions: Iterable[Decision], state: Settled) -> Iterator[PreferencePair]:
    for one in decisions:
        kept = _kept(one)
        if one.decision is Choice.EDIT and kept is not None and not _input_edited(one):
            yield _pair(one, kept, one, one.answer, Ground.EDITED, state.checked[one.candidate])


def _accepted(decisions: Sequence[Decision], state: Settled) -> Iterator[PreferencePair]:
    rejected: dict[Conversation, list[Decision]] = {}
    for one in decisions:
        if one.decision is Choice.REJECT:
            rejected.setdefault(one.input, []).append(one)
    for better in decisions:
        kept = _kept(better)
        if kept is not None and not _input_edited(better):
            for worse in rejected.get(better.input, ()):
                people = dict.fromkeys((*state.checked[better.candidate], *state.checked[worse.candidate]))
                yield _pair(better, kept, worse, worse.answer, Ground.ACCEPTED, tuple(people))


def _ranked(file: TriageFile, reviews: Iterable[Review], state: Settled) -> Iterator[PreferencePair]:
    """By each person's ranks, of answers as that list let them in; what was rejected in the end is nobody's choice."""
    listed = Listed(file)
    for review in sorted(reviews, key=lambda review: review.reviewer):
        ranks = {one.candidate: one.rank for one in review.decisions if one.rank is not None}
        for name, rank in ranks.items():
            better = state.decisions.get(name)
            kept = _kept(better) if better is not None else None
            if better is None or kept is None or _input_edited(better):
                continue
            for other in listed.rivals(name):
                if ranks.get(other, rank) > rank:
                    worse = listed.shown[other]
                    yield _pair(better, kept, worse, worse.answer, Ground.RANKED, (review.reviewer,))


def _kept(decision: Decision) -> str | None:
    """The answer that was let in; none where none was."""
    if decision.decision is Choice.ACCEPT:
        return decision.answer.strip()
    if decision.decision is Choice.EDIT:
        return decision.edited_answer.strip() or decision.answer.strip()
    return None


def _input_edited(decision: Decision) -> bool:
    text = decision.edited_input.strip()
    return decision.decision is Choice.EDIT and bool(text) and text != last_user_text(decision.input)


def _final_input(decision: Decision) -> Conversation:
    edited = _input_edited(decision)
    return with_last_user_text(decision.input, decision.edited_input.strip()) if edited else decision.input


def _pair(
    better: Decision, chosen: str, worse: Decision, rejected: str, ground: Ground, people: tuple[str, ...]
) -> PreferencePair:
    return PreferencePair(
        prompt=better.input,
        chosen=_said(chosen),
        rejected=_said(rejected),
        capability=better.capability,
        candidate=better.candidate,
        over=worse.candidate,
        ground=ground,
        reviewers=people,
    )


def _labelled(
    decision: Decision, prompt: Conversation, answer: str, people: tuple[str, ...], *, label: bool
) -> UnpairedPreference:
    return UnpairedPreference(
        prompt=prompt,
        completion=_said(answer),
        label=label,
        capability=decision.capability,
        candidate=decision.candidate,
        reviewers=people,
    )


def _said(answer: str) -> Conversation:
    return (Message(role=Role.ASSISTANT, content=answer.strip() or answer),)
