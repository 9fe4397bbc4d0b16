"""The list that CI prefills for triage, and whether what people decided is about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from runner.records.dataset import Candidate
from runner.records.triage import Agreement, Choice, Decision, Review, TriageFile
from runner.records.triage_policy import Triage
from runner.records.verdict import Reason
from runner.rules.triage.decisions import Listed, candidates_digest, choice_problem, decision_problem
from runner.rules.triage.sampling import draw
from runner.rules.triage.settlement import Settled, at_odds, in_place

STEP = "triage"
NAMED = 5
"""Candidates that a reason names before it counts the rest."""


def prefilled(candidates: Sequence[Candidate], policy: Triage, *, cluster: str, iteration: str) -> TriageFile:
    """Every candidate undecided, with how many people the policy asks for, and why."""
    drawn = draw(candidates, policy, iteration=iteration)
    decisions = tuple(
        Decision(
            candidate=one.example.id,
            capability=one.example.capability,
            origin=one.example.origin,
            input=one.example.input,
            answer=one.example.answer,
            batch=one.batch,
            parents=one.parents,
            people=drawn.people[one.example.id],
        )
        for one in candidates
    )
    return TriageFile(cluster=cluster, iteration=iteration, policy=policy, batches=drawn.batches, decisions=decisions)


def list_problems(file: TriageFile, expected: TriageFile) -> Iterator[Reason]:
    """Why a list is not the one that CI prefilled: another iteration's, or what was shown, asked or drawn differs.

    A list of before there were batches and a policy holds where its cluster asks for nothing of them.
    """
    if (file.cluster, file.iteration) != (expected.cluster, expected.iteration):
        problem = f"the file is about {file.cluster}, iteration {file.iteration}"
        yield Reason(step=STEP, problem=problem, hint=f"it should say {expected.cluster}, {expected.iteration}")
    if file.policy != expected.policy or (file.policy.sample is not None and file.batches != expected.batches):
        hint = "take the list from the branch that CI opened"
        yield Reason(step=STEP, problem="the list was drawn by another policy than cluster.yaml's", hint=hint)
    known = {one.candidate: one for one in expected.decisions}
    seen: set[str] = set()
    for shown in file.decisions:
        problem = _shown_problem(shown, known.get(shown.candidate), repeated=shown.candidate in seen)
        seen.add(shown.candidate)
        if problem:
            hint = "change `decision`, `edited_input`, `edited_answer` and `reason` only"
            yield Reason(step=STEP, problem=f"{shown.candidate} {problem}", hint=hint)
    missing = [name for name in known if name not in seen]
    if missing:
        problem = f"{len(missing)} candidates are not in the list, first {missing[0]}"
        yield Reason(step=STEP, problem=problem, hint="take the list from the branch that CI opened")
    if not file.reviewer.strip() and file.decided_in_place:
        yield Reason(step=STEP, problem="`reviewer` is blank", hint="say who decided")


def review_problems(file: TriageFile, review: Review) -> Iterator[Reason]:
    """Why a review is not one of this list: made on another, or a decision of it does not hold."""
    who = f"{review.reviewer}'s review"
    if (review.cluster, review.iteration) != (file.cluster, file.iteration):
        hint = f"it should say {file.cluster}, {file.iteration}"
        yield Reason(step=STEP, problem=f"{who} is about {review.cluster}, iteration {review.iteration}", hint=hint)
    elif review.candidates != candidates_digest(file):
        problem = f"{who} was made on another list"
        yield Reason(step=STEP, problem=problem, hint="decide again on the list as it is, with `hallmark triage`")
    seen, listed = set[str](), Listed(file)
    for decision in review.decisions:
        wrong = decision_problem(listed, decision)
        if decision.candidate in seen:
            wrong = "candidate", "is decided twice", "keep one decision"
        seen.add(decision.candidate)
        if wrong:
            yield Reason(step=STEP, problem=f"{who}: {decision.candidate}: {wrong[1]}", hint=wrong[2])


def waiting(state: Settled, *, path: str) -> tuple[Reason, ...]:
    """What people have yet to decide, by whom it waits for. Empty where nothing is open."""
    hint = f"decide with `hallmark triage`, on the list {path}, and merge"
    by_whom: dict[str, list[str]] = {}
    for candidate, whom in state.open.items():
        by_whom.setdefault(whom, []).append(candidate)
    reasons = [
        Reason(
            step=STEP, problem=f"{len(names)} candidates are undecided, first {names[0]}: wait for {whom}", hint=hint
        )
        for whom, names in by_whom.items()
    ]
    for one in state.batches:
        if one.batch in state.failed and reasons:
            problem = f"{one.errors} of the {one.sampled} sampled of {one.batch} were rejected or edited: up to"
            more = f"{problem} {one.upper:.1%} of the rest may be wrong, so all {one.candidates} are to be decided"
            reasons.append(Reason(step=STEP, problem=more, hint=hint))
    return tuple(reasons)


def disagreeing(state: Settled, policy: Triage) -> tuple[Reason, ...]:
    """Each two people whose kappa is below what the cluster asks for."""
    hint = (
        "talk over what they see differently, say it in the rubric, and merge that: the next iteration is decided by it"
    )
    return tuple(
        Reason(
            step="kappa",
            problem=f"{' and '.join(one.reviewers)} agree on {one.agreed} of {one.candidates}: kappa {one.kappa:.2f} "
            f"[{one.low:.2f}, {one.high:.2f}] is below {policy.min_kappa:g}; "
            f"seen differently: {_differing(state, one)}",
            hint=hint,
        )
        for one in at_odds(state, policy)
    )


def _differing(state: Settled, one: Agreement) -> str:
    """The candidates that these two see differently, the first few by name."""
    names = [found.candidate for found in state.disagreements if set(one.reviewers) <= set(found.said)]
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def _shown_problem(shown: Decision, expected: Decision | None, *, repeated: bool) -> str:
    if expected is None:
        return "is no candidate of this iteration"
    if repeated:
        return "is decided twice"
    fields: Iterable[str] = ("capability", "origin", "input", "answer")
    if any(getattr(shown, name) != getattr(expected, name) for name in fields):
        return "does not read as the candidate does"
    if shown.people != expected.people or shown.batch not in ("", expected.batch):
        return f"asks for {shown.people} people, and {expected.people} were drawn"
    if shown.decision is not Choice.UNDECIDED:
        wrong = choice_problem(in_place(shown), shown)
        return wrong[1] if wrong else ""
    return ""
