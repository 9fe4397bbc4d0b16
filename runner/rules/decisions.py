"""People's decisions on candidates, applied: what is accepted, as it then reads, and with which origin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from runner.records.conversation import last_user_text
from runner.records.dataset import Candidate, Example
from runner.records.scenario import Origin
from runner.records.triage import Choice, Decision, TriageFile
from runner.records.verdict import Reason
from runner.rules.conversations import with_last_user_text


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


def gathered(files: Mapping[str, TriageFile], iterations: Iterable[str]) -> list[Example]:
    """Everything that people accepted in those iterations, in the order of iteration and file."""
    return [
        example
        for name in sorted(iterations)
        if name in files
        for decision in files[name].decisions
        if (example := decided(decision))
    ]


def unanswered(candidates: Sequence[Candidate], file: TriageFile | None, *, path: str) -> tuple[Reason, ...]:
    """Why people have not decided yet. Empty where every candidate has a decision."""
    hint = f"decide on every candidate in {path} and merge it"
    if file is None:
        return (Reason(step="triage", problem=f"{len(candidates)} candidates wait for people", hint=hint),)
    choices = {decision.candidate: decision.decision for decision in file.decisions}
    open_ = [one.example.id for one in candidates if choices.get(one.example.id, Choice.UNDECIDED) is Choice.UNDECIDED]
    if not open_:
        return ()
    return (Reason(step="triage", problem=f"{len(open_)} candidates are undecided, first {open_[0]}", hint=hint),)


def inconsistencies(
    candidates: Sequence[Candidate], file: TriageFile, *, cluster: str, iteration: str
) -> tuple[Reason, ...]:
    """Why the file is not a decision on these candidates: another iteration's, unknown or changed ones, repeats."""
    step, reasons = "triage", []
    if (file.cluster, file.iteration) != (cluster, iteration):
        problem = f"the file is about {file.cluster}, iteration {file.iteration}"
        reasons.append(Reason(step=step, problem=problem, hint=f"it should say {cluster}, {iteration}"))
    known = {one.example.id: one.example for one in candidates}
    seen: set[str] = set()
    for decision in file.decisions:
        example = known.get(decision.candidate)
        problem = _inconsistency(decision, example, repeated=decision.candidate in seen)
        seen.add(decision.candidate)
        if problem:
            hint = "change `decision`, `edited_input`, `edited_answer` and `reason` only"
            reasons.append(Reason(step=step, problem=f"{decision.candidate} {problem}", hint=hint))
    if not file.reviewer.strip():
        reasons.append(Reason(step=step, problem="`reviewer` is blank", hint="say who decided"))
    return tuple(reasons)


def _inconsistency(decision: Decision, example: Example | None, *, repeated: bool) -> str:
    if example is None:
        return "is no candidate of this iteration"
    if repeated:
        return "is decided twice"
    shown = (decision.capability, decision.origin, decision.input, decision.answer)
    if shown != (example.capability, example.origin, example.input, example.answer):
        return "does not read as the candidate does"
    if decision.decision is Choice.EDIT and not (decision.edited_input.strip() or decision.edited_answer.strip()):
        return "is edited without an edit"
    return ""
