"""What comes of everybody's decisions on a list: what is settled, what is open and for whom, how far people agree.

A list carries the policy that it was made by, so that an earlier iteration's decisions are settled as they were then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from runner.records.dataset import Example
from runner.records.triage import (
    Agreement,
    BatchError,
    Choice,
    Decision,
    Disagreement,
    Review,
    ReviewDecision,
    TriageFile,
)
from runner.records.triage_policy import Triage
from runner.rules.triage.agreement import cohens_kappa
from runner.rules.triage.decisions import decided
from runner.rules.triage.sampling import wilson

Said = Mapping[str, ReviewDecision]
"""Person to what they decided on one candidate."""
UNTIMED = "1970-01-01T00:00:00Z"
"""Of a decision that stands in the list itself, where no time is said."""
BY_RULE = "the rule: rejected unless both accept"


@dataclass(frozen=True)
class Settled:
    """The state of a list under everybody's decisions. All by the list's order."""

    decisions: Mapping[str, Decision]
    """Every candidate that people have settled, as the list shows it, with the decision that counts."""
    checked: Mapping[str, tuple[str, ...]]
    """Every candidate that somebody decided, and who."""
    open: Mapping[str, str]
    """Every candidate that still waits for people, and for whom."""
    unread: tuple[str, ...] = ()
    """Accepted because the sample of their batch was good enough."""
    agreement: tuple[Agreement, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()
    batches: tuple[BatchError, ...] = ()
    failed: frozenset[str] = field(default_factory=frozenset)
    """Batches whose sample was not good enough: all of them is to be decided."""


def spoken(file: TriageFile, reviews: Iterable[Review]) -> dict[str, dict[str, ReviewDecision]]:
    """Candidate to person to decision: of the reviews, and of whoever decided in the list itself."""
    found: dict[str, dict[str, ReviewDecision]] = {one.candidate: {} for one in file.decisions}
    for one in file.decisions:
        if one.decision is not Choice.UNDECIDED:
            found[one.candidate][file.reviewer] = in_place(one)
    for review in sorted(reviews, key=lambda review: review.reviewer):
        for decision in review.decisions:
            if decision.candidate in found:
                found[decision.candidate][review.reviewer] = decision
    return found


def in_place(shown: Decision) -> ReviewDecision:
    """A decision that stands in the list itself, as a review would say it."""
    fields = shown.model_dump(include={"candidate", "decision", "edited_input", "edited_answer", "reason"})
    return ReviewDecision(**fields, at=UNTIMED)


def settle(file: TriageFile, reviews: Iterable[Review] = ()) -> Settled:
    """What everybody's decisions come to."""
    said = spoken(file, reviews)
    made: dict[str, Decision] = {}
    waits: dict[str, str] = {}
    differ = []
    for shown in file.decisions:
        words = said[shown.candidate]
        if len(words) < shown.people:
            waits[shown.candidate] = f"{shown.people - len(words)} of {shown.people} people"
        elif words:
            found = _one(shown, words, file)
            if isinstance(found, str):
                waits[shown.candidate] = found
            else:
                made[shown.candidate], disagreement = found
                differ += [disagreement] if disagreement else []
    batches, failed, unread = _batches(file, made, waits)
    for shown in file.decisions:
        if shown.batch in failed and shown.candidate not in made:
            waits.setdefault(shown.candidate, f"a person: the sample of {shown.batch} was not good enough")
    return Settled(
        decisions={shown.candidate: made[shown.candidate] for shown in file.decisions if shown.candidate in made},
        checked={name: tuple(words) for name, words in said.items() if words},
        open={shown.candidate: waits[shown.candidate] for shown in file.decisions if shown.candidate in waits},
        unread=unread,
        agreement=_agreement(file, said),
        disagreements=tuple(differ),
        batches=batches,
        failed=failed,
    )


def left(file: TriageFile, reviews: Sequence[Review], person: str) -> tuple[str, ...]:
    """The candidates that wait for this person, in the list's order: those that too few others have decided, and, for
    the adjudicator, what the others see differently."""
    said, state = spoken(file, reviews), settle(file, reviews)

    def waits(shown: Decision) -> bool:
        words = said[shown.candidate]
        asked = max(shown.people, shown.batch in state.failed)
        return person not in words and (len(words) < asked or person == file.policy.adjudicator)

    return tuple(one.candidate for one in file.decisions if one.candidate in state.open and waits(one))


def accepted(file: TriageFile, state: Settled) -> list[Example]:
    """Every example that a settled list lets in, in the list's order."""
    unread = frozenset(state.unread)
    found = []
    for shown in file.decisions:
        decision = state.decisions.get(shown.candidate)
        if decision is None and shown.candidate in unread:
            decision = shown.model_copy(update={"decision": Choice.ACCEPT})
        example = decided(decision) if decision is not None else None
        found += [example] if example is not None else []
    return found


def gathered(
    files: Mapping[str, TriageFile], reviews: Mapping[str, Sequence[Review]], iterations: Iterable[str]
) -> list[Example]:
    """Everything that was accepted in those iterations, in the order of iteration and list. What two people decided
    who did not mean the same was refused, and stays out."""
    found: list[Example] = []
    for name in sorted(iterations):
        if name in files:
            state = settle(files[name], reviews.get(name, ()))
            found += () if at_odds(state, files[name].policy) else accepted(files[name], state)
    return found


def at_odds(state: Settled, policy: Triage) -> tuple[Agreement, ...]:
    """Each two people whose kappa is below what the cluster asks for."""
    least = policy.min_kappa
    return tuple(one for one in state.agreement if least is not None and one.kappa is not None and one.kappa < least)


def _one(shown: Decision, words: Said, file: TriageFile) -> tuple[Decision, Disagreement | None] | str:
    """The decision that counts, and the disagreement it ended; or whom it waits for."""
    policy = file.policy
    voices = _voices(words, file)
    decision, disagreement = next(iter(voices.values())), None
    if len({(one.decision, one.edited_input, one.edited_answer) for one in voices.values()}) > 1:
        by = BY_RULE
        if policy.adjudicator is None:
            decision = decision.model_copy(update={"decision": Choice.REJECT, "edited_input": "", "edited_answer": ""})
        elif policy.adjudicator in words:
            decision, by = words[policy.adjudicator], policy.adjudicator
        else:
            return f"the adjudicator, {policy.adjudicator}"
        said = {person: one.decision for person, one in voices.items()}
        disagreement = Disagreement(candidate=shown.candidate, said=said, settled=decision.decision, by=by)
    fields = decision.model_dump(include={"decision", "edited_input", "edited_answer", "reason"})
    return shown.model_copy(update=fields), disagreement


def _voices(words: Said, file: TriageFile) -> Said:
    """Those who decide: all, but for the adjudicator where two others have."""
    others = {person: one for person, one in words.items() if person != file.policy.adjudicator}
    return others if len(others) > 1 else words


def _batches(
    file: TriageFile, made: Mapping[str, Decision], waits: Mapping[str, str]
) -> tuple[tuple[BatchError, ...], frozenset[str], tuple[str, ...]]:
    """Each sampled batch's errors, the batches that failed, and what passes unread."""
    limit = file.policy.max_error_rate
    found, failed, unread = [], set[str](), list[str]()
    for batch in file.batches if limit is not None else ():
        members = [one for one in file.decisions if one.batch == batch.batch]
        sampled = [one.candidate for one in members if one.people]
        rest = [one.candidate for one in members if not one.people and one.candidate not in made]
        errors = sum(made[name].decision is not Choice.ACCEPT for name in sampled if name in made)
        upper = wilson(errors, len(sampled))[1]
        complete = all(name in made for name in sampled)
        if limit is not None and upper > limit and len(sampled) < len(members):
            failed.add(batch.batch)
        elif complete:
            unread += rest
        passed = len(rest) if complete and batch.batch not in failed else 0
        found.append(
            BatchError(
                batch=batch.batch,
                candidates=len(members),
                sampled=len(sampled),
                errors=errors,
                upper=upper,
                unread=passed,
            )
        )
    return tuple(found), frozenset(failed), tuple(unread)


def _agreement(file: TriageFile, said: Mapping[str, Said]) -> tuple[Agreement, ...]:
    """Kappa of each two people, on what the list asks two people to decide."""
    together: dict[tuple[str, str], list[tuple[Choice, Choice]]] = {}
    for shown in file.decisions:
        voices = _voices(said[shown.candidate], file) if shown.people > 1 else {}
        for one, other in combinations(sorted(voices), 2):
            together.setdefault((one, other), []).append((voices[one].decision, voices[other].decision))
    found = []
    for people, pairs in sorted(together.items()):
        kappa = cohens_kappa([one for one, _ in pairs], [other for _, other in pairs])
        found.append(
            Agreement(
                reviewers=people,
                candidates=len(pairs),
                agreed=sum(one == other for one, other in pairs),
                kappa=kappa.value if kappa else None,
                low=kappa.low if kappa else None,
                high=kappa.high if kappa else None,
            )
        )
    return tuple(found)
