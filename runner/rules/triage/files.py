"""What `hallmark check` finds in triage's files: the field, what is wrong with it, and what to do."""

from __future__ import annotations

from collections.abc import Iterator

from runner.records.policy import Trust
from runner.records.triage import Choice, Review, TriageFile
from runner.records.triage_policy import Triage
from runner.rules.repository.layout import Found
from runner.rules.triage.decisions import Listed, candidates_digest, choice_problem, decision_problem

Finding = tuple[str, str, str]


def list_findings(file: TriageFile, where: Found) -> Iterator[Finding]:
    """A list stands where it says, decides each candidate once, and an edit in it changes something."""
    if file.cluster != where.cluster:
        yield "cluster", f"{file.cluster} is not the folder's name", f"write `cluster: {where.cluster}`"
    if file.iteration != where.stem:
        yield "iteration", f"{file.iteration} is not the file's name", f"write `iteration: {where.stem}`"
    seen: set[str] = set()
    for number, decision in enumerate(file.decisions):
        field = f"decisions[{number}]"
        if decision.candidate in seen:
            yield f"{field}.candidate", f"{decision.candidate} is decided twice", "keep one decision"
        seen.add(decision.candidate)
        if decision.decision is Choice.EDIT and not (decision.edited_input or decision.edited_answer):
            yield (
                f"{field}.decision",
                "an edit that changes nothing",
                "fill edited_input or edited_answer, or accept",
            )
        if decision.decision is Choice.UNDECIDED and file.reviewer:
            yield f"{field}.decision", f"{file.reviewer} left it undecided", "write accept, reject or edit"


def review_findings(review: Review, where: Found) -> Iterator[Finding]:
    """A review stands where it says, and decides each candidate once and wholly."""
    places = {"cluster": where.cluster, "iteration": where.iteration, "reviewer": where.stem}
    for field, name in places.items():
        said = getattr(review, field)
        if said != name:
            yield field, f"{said} is not what the path says", f"write `{field}: {name}`"
    seen: set[str] = set()
    for number, decision in enumerate(review.decisions):
        field = f"decisions[{number}]"
        if decision.candidate in seen:
            yield f"{field}.candidate", f"{decision.candidate} is decided twice", "keep one decision"
        seen.add(decision.candidate)
        wrong = choice_problem(decision)
        if wrong:
            yield f"{field}.{wrong[0]}", f"{decision.candidate}: {wrong[1]}", wrong[2]


def beside_findings(review: Review, file: TriageFile | None) -> Iterator[Finding]:
    """A review is about the list beside it, whose candidates it names."""
    if file is None:
        hint = "bring the list that CI prefilled: it is on the branch that CI opened"
        yield "iteration", f"there is no list triage/{review.iteration}.yaml", hint
        return
    if review.candidates != candidates_digest(file):
        yield "candidates", "the review was made on another list", "decide again, with `hallmark triage`"
    listed = Listed(file)
    for number, decision in enumerate(review.decisions):
        wrong = decision_problem(listed, decision)
        if wrong and not choice_problem(decision):
            yield f"decisions[{number}].{wrong[0]}", f"{decision.candidate} {wrong[1]}", wrong[2]


def policy_findings(policy: Triage, trust: Trust | None) -> Iterator[Finding]:
    """Somebody can do what the cluster asks for at triage, where there is a policy that says who people are."""
    if trust is None:
        return
    held = [person for person, roles in trust.people.items() if policy.role is None or policy.role in roles]
    if not held:
        known = ", ".join(sorted({role for roles in trust.people.values() for role in roles}))
        yield "triage.role", f"nobody in policy/trust.yaml has the role {policy.role}", f"roles there: {known}"
    elif policy.double and len(held) < 2:
        yield "triage.double", f"only {held[0]} may decide, and two people are asked for", "name another person"
    if policy.adjudicator is not None and policy.adjudicator not in held:
        hint = f"who may decide: {', '.join(sorted(held)) or 'nobody'}"
        yield "triage.adjudicator", f"{policy.adjudicator} may not decide at triage", hint
