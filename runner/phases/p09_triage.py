"""Phase 9, triage: people accept, reject or edit candidates, as the cluster's policy asks: all, a sample, or none.

Waits while somebody has yet to decide, and refuses what is not about these candidates, not signed as the cluster asks,
or decided by two people who do not mean the same. What people decided comes out as examples and as preferences.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from runner.ports import Output, Ports
from runner.records.base import Record
from runner.records.dataset import Candidate, Example
from runner.records.funnel import FunnelReport
from runner.records.intake import Intake
from runner.records.preference import PreferencePair, UnpairedPreference
from runner.records.triage import Choice, Review, ReviewCount, TriageFile, TriageResult
from runner.records.validation import ValidationReport
from runner.records.verdict import Outcome, Reason, Verdict
from runner.reviews import envelope_path, opened, review_path
from runner.rules.data import funnel as funnels
from runner.rules.triage.decisions import candidates_digest
from runner.rules.triage.lists import disagreeing, list_problems, prefilled, review_problems, waiting
from runner.rules.triage.preferences import pairs, unpaired
from runner.rules.triage.settlement import Settled, accepted, in_place, settle
from runner.rules.trust.facts import SignedReview
from runner.rules.trust.triage import SIGN_AGAIN, signed_review_problems
from runner.workspace import Inputs, Workspace

POLICY = "cluster.yaml asks for no people at triage (`triage.required: none`)"
Made = Mapping[str, Record | Sequence[Record]]


def run(inputs: Inputs, ports: Ports) -> Output:
    """Writes `triage`, `accepted`, `preferences` and `unpaired`; nothing while it waits."""
    valid = inputs.artifacts.rows("valid", Candidate)
    space = inputs.workspace
    if space.cluster.triage.required == "none":
        result = TriageResult(reviewer="", accepted=len(valid), edited=0, rejected=0)
        return _output(_made(result, valid, funnel=_funnel(inputs, valid, valid)), Verdict(by_policy=POLICY))
    iteration = inputs.artifacts.record("intake", Intake).iteration
    expected = prefilled(valid, space.cluster.triage, cluster=space.cluster.id, iteration=iteration)
    file, reviews = space.triage.get(iteration), space.reviews.get(iteration, ())
    path = f"clusters/{space.cluster.id}/triage/{iteration}.yaml"
    if file is None and valid:
        asked = sum(one.people > 0 for one in expected.decisions)
        hint = f"decide with `hallmark triage {space.cluster.id}`, on the list {path}, and merge"
        reason = Reason(step="triage", problem=f"{asked} candidates wait for people", hint=hint)
        return _output({}, Verdict(outcome=Outcome.WAIT, reasons=(reason,)))
    file = file or expected
    signed = [_opened(space, file, review, ports) for review in reviews]
    wrong = (*_problems(space, file, expected, reviews), *_unsigned(space, file, signed))
    state = settle(file, reviews)
    open_ = waiting(state, path=path)
    if open_ and not wrong:
        return _output({}, Verdict(outcome=Outcome.WAIT, reasons=open_))
    wrong += disagreeing(state, file.policy) if not wrong else ()
    result = _result(file, reviews, signed, state)
    if wrong:
        return _output(_made(result, ()), Verdict(outcome=Outcome.REFUSE, reasons=wrong))
    kept = _kept(valid, accepted(file, state))
    made = _made(
        result,
        kept,
        funnel=_funnel(inputs, valid, kept),
        pairs=pairs(file, reviews, state),
        unpaired=unpaired(file, state),
    )
    return _output(made, Verdict(by_policy=_by_policy(state)))


def _output(artifacts: Made, verdict: Verdict) -> Output:
    return Output(artifacts, verdict, {"compute_s": 0.0})


def _made(
    result: TriageResult,
    kept: Sequence[Candidate],
    *,
    funnel: FunnelReport | None = None,
    pairs: Sequence[PreferencePair] = (),
    unpaired: Sequence[UnpairedPreference] = (),
) -> Made:
    triage = result.model_copy(update={"funnel": funnel})
    return {"triage": triage, "accepted": kept, "preferences": pairs, "unpaired": unpaired}


def _funnel(inputs: Inputs, valid: Sequence[Candidate], kept: Sequence[Candidate]) -> FunnelReport | None:
    """The funnel to its last step; None where phase 8 had none."""
    before = inputs.artifacts.record("validation", ValidationReport).funnel
    return funnels.accepted(before, valid=valid, accepted=kept) if before is not None else None


def _kept(valid: Sequence[Candidate], examples: Sequence[Example]) -> Sequence[Candidate]:
    by_id = {example.id: example for example in examples}
    return [one.model_copy(update={"example": by_id[one.example.id]}) for one in valid if one.example.id in by_id]


def _problems(
    space: Workspace, file: TriageFile, expected: TriageFile, reviews: Sequence[Review]
) -> tuple[Reason, ...]:
    found = [*list_problems(file, expected)]
    for review in reviews:
        found += review_problems(file, review)
    if space.cluster.triage.signed and file.decided_in_place:
        hint = "leave the list as CI prefilled it, and decide in a review of your own: `hallmark triage`"
        found.append(Reason(step="triage", problem="somebody decided in the list itself, unsigned", hint=hint))
    return tuple(found)


def _unsigned(space: Workspace, file: TriageFile, signed: Sequence[SignedReview]) -> Iterator[Reason]:
    """Why reviews are not their reviewers' word, by the keys of the tree that the iteration is pinned to.

    Without a policy there is nobody to be: that is a refusal only where the cluster asks for signatures.
    """
    policy, trust = space.cluster.triage, space.trust
    if trust is None:
        if policy.signed and signed:
            hint = "begin one with `hallmark policy init`, or set `triage.signed: false`"
            problem = "there is no policy/trust.yaml that can be read and says who people are"
            yield Reason(step="signature", problem=problem, hint=hint)
        return
    for one in signed:
        for rule, problem in signed_review_problems(one, trust, policy):
            yield Reason(step="signature", problem=f"{one.path}: {rule}: {problem}", hint=SIGN_AGAIN)


def _opened(space: Workspace, file: TriageFile, review: Review, ports: Ports) -> SignedReview:
    """The review with its signature. Time is the gate's to judge, where it was merged."""
    path = review_path(space.cluster.id, file.iteration, review.reviewer)
    return opened(
        path,
        review,
        space.signatures.get(path, b""),
        space.signatures.get(envelope_path(path), b""),
        candidates=candidates_digest(file),
        verifier=ports.verifier,
        keys=space.keys,
        at=ports.clock.now(),
    )


def _result(
    file: TriageFile, reviews: Sequence[Review], signed: Sequence[SignedReview], state: Settled
) -> TriageResult:
    """Who decided what, how far they agree, and what passes unread."""
    made = [(one.reviewer, [decision.decision for decision in one.decisions]) for one in reviews]
    digests = {one.person: one for one in signed}
    if file.decided_in_place:
        made.append((file.reviewer, [in_place(one).decision for one in file.decisions]))
    counted = [
        ReviewCount(
            reviewer=person,
            review=digests[person].sha256 if person in digests else None,
            signed=person in digests and digests[person].statement is not None,
            accepted=chosen.count(Choice.ACCEPT),
            edited=chosen.count(Choice.EDIT),
            rejected=chosen.count(Choice.REJECT),
        )
        for person, chosen in sorted(made)
    ]
    chosen = [one.decision for one in state.decisions.values()]
    return TriageResult(
        reviewer=", ".join(one.reviewer for one in counted),
        accepted=chosen.count(Choice.ACCEPT) + len(state.unread),
        edited=chosen.count(Choice.EDIT),
        rejected=chosen.count(Choice.REJECT),
        reviews=tuple(counted),
        agreement=state.agreement,
        disagreements=state.disagreements,
        batches=state.batches,
        unread=len(state.unread),
        checked=dict(state.checked),
    )


def _by_policy(state: Settled) -> str:
    """What passed by the cluster's policy and not by a person, in words."""
    if not state.unread:
        return ""
    passed = [one for one in state.batches if one.unread]
    worst = max(one.upper for one in passed)
    return (
        f"cluster.yaml asks for a sample at triage: {len(state.unread)} candidates of {len(passed)} batches pass "
        f"unread; by what people found in the samples, at most {worst:.1%} of them are wrong (95 % Wilson bound)"
    )
