"""What one person does at triage: begin a review of a list, decide, rank, take back. Nothing here writes a file.

The screen, the command line and a person with an editor make the same `Review`; the functions refuse what `hallmark
check` would refuse of a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from runner.errors import RecordError
from runner.records.conversation import Conversation, last_user_text
from runner.records.dataset import Example
from runner.records.scenario import Origin
from runner.records.triage import Choice, Decision, Review, ReviewDecision, TriageFile
from runner.rules.canonical import canonical, digest
from runner.rules.text.conversations import with_last_user_text


def candidates_digest(file: TriageFile) -> str:
    """sha256 over the policy that decisions are settled by, what the list shows of each candidate, in its order, and
    how many people it asks for: what a signature binds. What somebody decided in the list itself is no part of it."""
    head = [file.cluster, file.iteration, canonical(file.policy).decode()]
    return digest([head, *(_shown(one) for one in file.decisions)])


def _shown(one: Decision) -> list[str]:
    """A candidate as a row of text: five fields, and four of each message. Text alone, so that a list of thousands is
    digested at every key."""
    messages = [
        text
        for message in one.input
        for text in (
            message.role.value,
            message.content,
            json.dumps([[call.name, call.arguments, call.id] for call in message.tool_calls]),
            message.tool_call_id,
        )
    ]
    return [one.candidate, one.capability, one.origin.value, one.answer, str(one.people), *messages]


def begin(file: TriageFile, reviewer: str) -> Review:
    """An empty review of the list."""
    return Review(cluster=file.cluster, iteration=file.iteration, reviewer=reviewer, candidates=candidates_digest(file))


def decide(
    file: TriageFile,
    review: Review,
    candidate: str,
    choice: Choice,
    *,
    at: str,
    edited_input: str = "",
    edited_answer: str = "",
    rank: int | None = None,
    reason: str = "",
) -> Review:
    """The review with this decision, in place of an earlier one of the same candidate. `at` is the time (ISO 8601, UTC,
    to the second).

    Raises `RecordError` for a review of another list, an unknown candidate, `undecided` (see `withdraw`), an edit that
    changes nothing, edited text beside another choice, or a rank where the input has no other candidate.
    """
    if review.candidates != candidates_digest(file):
        raise RecordError("the review is of another list", field="candidates", hint="begin it again on this one")
    decision = ReviewDecision(
        candidate=candidate,
        decision=choice,
        edited_input=edited_input.strip(),
        edited_answer=edited_answer.strip(),
        rank=rank,
        reason=reason.strip(),
        at=at,
    )
    problem = decision_problem(Listed(file), decision)
    if problem:
        raise RecordError(f"{candidate}: {problem[1]}", field=problem[0], hint=problem[2])
    made = {one.candidate: one for one in review.decisions} | {candidate: decision}
    ordered = tuple(made[one.candidate] for one in file.decisions if one.candidate in made)
    return review.model_copy(update={"decisions": ordered})


def withdraw(review: Review, candidate: str) -> Review:
    """The review without a decision on this candidate."""
    kept = tuple(one for one in review.decisions if one.candidate != candidate)
    return review.model_copy(update={"decisions": kept})


@dataclass(frozen=True)
class Listed:
    """A list to look candidates up in: by id, and by what they have in common. Made once where many are looked up."""

    file: TriageFile

    @cached_property
    def shown(self) -> Mapping[str, Decision]:
        return {one.candidate: one for one in reversed(self.file.decisions)}

    @cached_property
    def _for_input(self) -> Mapping[Conversation, tuple[str, ...]]:
        found: dict[Conversation, list[str]] = {}
        for one in self.file.decisions:
            found.setdefault(one.input, []).append(one.candidate)
        return {asked: tuple(names) for asked, names in found.items()}

    def rivals(self, candidate: str) -> tuple[str, ...]:
        """The other candidates for the same input, in the list's order: what a rank is among."""
        one = self.shown.get(candidate)
        return tuple(name for name in self._for_input[one.input] if name != candidate) if one is not None else ()


def decision_problem(listed: Listed, decision: ReviewDecision) -> tuple[str, str, str] | None:
    """The field that is wrong, what is wrong, and what to do; none where the decision holds for this list."""
    shown = listed.shown.get(decision.candidate)
    if shown is None:
        return "candidate", "is no candidate of the list", "take the id from the list"
    if decision.rank is not None and not listed.rivals(decision.candidate):
        return "rank", "no other candidate has the same input", "leave `rank` out"
    return choice_problem(decision, shown)


def choice_problem(decision: ReviewDecision, shown: Decision | None = None) -> tuple[str, str, str] | None:
    """The same of the choice and its edits; against the candidate as it was shown, where the list is at hand."""
    edits = decision.edited_input.strip(), decision.edited_answer.strip()
    if decision.decision is Choice.UNDECIDED:
        return "decision", "is undecided", "write accept, reject or edit, or leave the candidate out"
    if decision.decision is not Choice.EDIT:
        said = f"an edit stands beside `{decision.decision}`"
        return ("decision", said, "write `decision: edit`, or remove the edited text") if any(edits) else None
    unchanged = shown is not None and (edits[0] or last_user_text(shown.input), edits[1] or shown.answer) == (
        last_user_text(shown.input),
        shown.answer,
    )
    if unchanged or not any(edits):
        return "decision", "an edit that changes nothing", "fill edited_input or edited_answer, or accept"
    return None


def decided(decision: Decision) -> Example | None:
    """The example that a decision lets in; none where it was rejected or is undecided.

    An edit of a synthetic row makes a corrected one; an edit of a human row leaves it human.
    """
    if decision.decision not in (Choice.ACCEPT, Choice.EDIT):
        return None
    edited = decision.decision is Choice.EDIT
    text = decision.edited_input.strip() if edited else ""
    answer = decision.edited_answer.strip() if edited else ""
    changed = (text and text != last_user_text(decision.input)) or (answer and answer != decision.answer)
    return Example(
        id=decision.candidate,
        capability=decision.capability,
        input=with_last_user_text(decision.input, text) if text else decision.input,
        answer=answer or decision.answer,
        origin=Origin.CORRECTED if changed and decision.origin is Origin.SYNTHETIC else decision.origin,
    )
