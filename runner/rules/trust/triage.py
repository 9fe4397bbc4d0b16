"""Step 10: what people decided at triage is theirs.

A review stands in a file of its reviewer's name, and beside it an envelope: the reviewer's signature over the file's
bytes and the digest of the candidates that were decided on. Keys, roles and whether signatures are asked for come from
the base, so that no pull request can bring its own. Time is judged where a review is merged; phase 9, which may run
later, judges everything else again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runner.records.evidence import EvidenceFile
from runner.records.lineage import Lineage
from runner.records.policy import Trust
from runner.records.statement import ReviewStatement
from runner.records.triage import Choice, ReviewCount, TriageResult
from runner.records.triage_policy import Triage
from runner.records.verdict import Reason
from runner.rules.trust.approvals import latest
from runner.rules.trust.facts import Decided, Facts, Promotion, SignedReview
from runner.rules.trust.figures import parse

STEP = "10 triage"
SIGNATURE, BINDING, IN_TIME, SUBJECTS, ELIGIBLE, EVIDENCE = (
    "10.1 signature",
    "10.2 binding",
    "10.3 time",
    "10.4 subjects",
    "10.5 reviewer",
    "10.6 evidence",
)
SIGN_AGAIN = "let the reviewer sign it: `hallmark triage CLUSTER --finish`"


def signed_review_problems(
    signed: SignedReview, trust: Trust, policy: Triage, *, now: str = ""
) -> Iterator[tuple[str, str]]:
    """Why a review is not its reviewer's word, each with its rule; nothing where it is. Without `now` its time is not
    judged. Where a cluster asks for neither signatures nor a role, an unsigned review may be anybody's."""
    if signed.review is None:
        yield SUBJECTS, "there is no review here that can be read"
        return
    said = (signed.review.cluster, signed.review.iteration, signed.review.reviewer)
    if said != (signed.cluster, signed.iteration, signed.person):
        yield BINDING, f"says it is {' / '.join(said)}'s"
    named = policy.signed or policy.role is not None or signed.statement is not None
    if named and signed.person not in trust.people:
        yield ELIGIBLE, f"{signed.person} is no person of policy/trust.yaml"
    elif policy.role is not None and policy.role not in trust.people.get(signed.person, ()):
        yield ELIGIBLE, f"{signed.person} does not hold the role {policy.role}, which cluster.yaml asks for"
    if signed.review.candidates != signed.candidates:
        yield SUBJECTS, "was made on another list of candidates" if signed.candidates else "there is no list for it"
    if signed.statement is not None:
        yield from _statement_problems(signed, signed.statement, trust, now)
    elif signed.problem or policy.signed:
        yield SIGNATURE, signed.problem or "is not signed"


def _statement_problems(
    signed: SignedReview, statement: ReviewStatement, trust: Trust, now: str
) -> Iterator[tuple[str, str]]:
    word = statement.predicate
    ours = {
        "repository": trust.repository,
        "cluster": signed.cluster,
        "iteration": signed.iteration,
        "person": signed.person,
    }
    for name, expected in ours.items():
        if getattr(word, name) != expected:
            yield BINDING, f"was signed for {name} {getattr(word, name)!r}, not {expected!r}"
    if statement.digests() != {"review": signed.sha256, "candidates": signed.candidates}:
        yield SUBJECTS, "other decisions, or other candidates, were signed"
    if now and not word.not_before <= now <= word.expires:
        yield IN_TIME, f"may be merged from {word.not_before} to {word.expires}, and it is {now}"
    if word.expires > latest(word.not_before, trust.approval_days):
        yield IN_TIME, f"may be merged for longer than the {trust.approval_days} days of the policy"


def triage_problems(facts: Facts) -> Iterator[Reason]:
    """What is wrong with the reviews and lists that a step of main brings, and with what a promotion says of them."""
    found, trust = facts.triage, facts.trust
    yield from found.unreadable
    for signed in found.reviews:
        for rule, problem in signed_review_problems(signed, trust, found.policies[signed.cluster], now=facts.now):
            yield Reason(step=STEP, problem=f"{rule}: {signed.path}: {problem}", hint=SIGN_AGAIN)
    for path, file in found.lists.items():
        if file.reviewer or file.decided_in_place:
            hint = "leave the list as CI prefilled it, and decide in a review of your own"
            yield Reason(step=STEP, problem=f"{SIGNATURE}: {path}: somebody decided in the list itself", hint=hint)
        if file.policy != found.policies[path.split("/")[1]]:
            hint = "take the list from the branch that CI opened"
            said = f"{SUBJECTS}: {path}: it was drawn by another policy than cluster.yaml's"
            yield Reason(step=STEP, problem=said, hint=hint)
    if facts.promotion is not None:
        hint = "this evidence cannot be promoted: run the iteration again"
        for problem in _told(facts.promotion, found.decided):
            yield Reason(step=STEP, problem=f"{EVIDENCE}: {problem}", hint=hint)


def _told(promotion: Promotion, decided: Mapping[str, Decided]) -> Iterator[str]:
    """Where the evidence's `triage.json` says of people what their reviews on main do not say."""
    policy = promotion.before.cluster.triage
    if EvidenceFile.TRIAGE not in promotion.evidence:
        if policy.signed and policy.required != "none" and promotion.record.assessed:
            yield "the cluster asks for signed triage, and the evidence does not say who decided"
        return
    told = parse(promotion.evidence, EvidenceFile.TRIAGE, TriageResult)
    if isinstance(told, str):
        yield told
        return
    for one in told.reviews:
        yield from _count_problems(one, decided.get(one.reviewer), policy)
    said = {
        person: {one.candidate: one.decision for one in known.review.decisions} for person, known in decided.items()
    }
    for candidate, people in told.checked.items():
        for person in people:
            if candidate not in said.get(person, {}) and (person in said or policy.signed):
                yield f"{person} did not decide {candidate}"
    if policy.signed and promotion.record.assessed:
        yield from _unchecked(promotion, told, said)


def _unchecked(promotion: Promotion, told: TriageResult, said: Mapping[str, Mapping[str, Choice]]) -> Iterator[str]:
    """Examples of this iteration's batches that nobody let in, but for as many as pass unread."""
    lineage = parse(promotion.evidence, EvidenceFile.LINEAGE, Lineage)
    if isinstance(lineage, str):
        yield lineage
        return
    batches = {node.id for node in lineage.nodes if node.kind == "batch"}
    ours = [node.id for node in lineage.nodes if node.kind == "example" and batches.intersection(node.parents)]
    unread = [name for name in ours if name not in told.checked]
    if len(unread) > told.unread:
        yield f"nobody decided {len(unread)} of the examples, first {unread[0]}, and {told.unread} may pass unread"
    for name in ours:
        voices = [said[person].get(name) for person in told.checked.get(name, ()) if person in said]
        if voices and all(voice is Choice.REJECT for voice in voices):
            yield f"everybody who decided {name} rejected it"


def _count_problems(told: ReviewCount, known: Decided | None, policy: Triage) -> Iterator[str]:
    if policy.signed and not told.signed:
        yield f"{told.reviewer}'s decisions are not signed"
    if told.review is None:
        return
    if known is None or known.sha256 != told.review:
        yield f"{told.reviewer}'s review is not on main as the evidence names it"
        return
    chosen = [decision.decision for decision in known.review.decisions]
    counts = (chosen.count(Choice.ACCEPT), chosen.count(Choice.EDIT), chosen.count(Choice.REJECT))
    if counts != (told.accepted, told.edited, told.rejected):
        yield f"{told.reviewer}'s decisions are counted otherwise than their review has them"
