"""Promotions that rest on a signature which no longer counts: its key was revoked from a ledger size on.

They were merged in order and their receipts stand, so main holds; they are not deployable. A promotion is withdrawn
where, without the signatures of the keys that `policy/revoked` at main's tip takes back from before its receipt,

1. nobody signed its proposal, or too few people approved it;
2. nobody signed its evidence;
3. nobody signed its receipt.

Other people's approvals go on counting: one that falls away beside a full quorum takes nothing with it.
"""

from __future__ import annotations

from runner.errors import VerificationError
from runner.promotion.gather import Step
from runner.promotion.history import Link, first_parents
from runner.promotion.judge import judge
from runner.promotion.receipt import open_receipt
from runner.promotion.sources import Sources
from runner.records.ledger import Entry
from runner.records.verdict import Reason
from runner.rules.trust.approvals import QUORUM
from runner.rules.trust.approvals import STEP as APPROVALS
from runner.rules.trust.evidence import STEP as EVIDENCE
from runner.rules.trust.signers import REVOKED, Revoked, read_revoked

HINT = "go back to an earlier promotion, or have this adapter approved again by a rollback to it"
FALLEN = "withdrawn"


def withdrawn(sources: Sources, *, tip: str, cluster: str = "") -> dict[str, tuple[Reason, ...]]:
    """Why promotions on main are not deployable any more, by `<cluster>/<seq>`, oldest first; of one cluster, or all.

    What no revocation with a ledger size reaches is not looked at. Judges signatures alone, as `verify` does the rest.
    """
    if not sources.exists(tip, REVOKED):
        return {}
    revoked = read_revoked(sources.policy(tip).keys.revoked)[0]
    reached = {name for since in revoked.since.values() for name in since}
    reached &= {cluster} if cluster else reached
    found: dict[str, tuple[Reason, ...]] = {}
    for link in first_parents(sources.objects, tip) if reached else ():
        place = link.place(sources.objects) if link.parent else None
        if place is not None and place[0] in reached:
            reasons = _reasons(sources, link, place, revoked)
            if reasons:
                found[f"{place[0]}/{place[1]}"] = reasons
    return found


def _reasons(sources: Sources, link: Link, place: tuple[str, int], revoked: Revoked) -> tuple[Reason, ...]:
    cluster, sequence = place
    receipts = sources.chain(cluster).history.promotions()
    entry = next((one for one in receipts if one.promotion == sequence), None)
    if entry is None or link.parent is None:
        return ()
    keys = revoked.withdrawn(cluster, entry.sequence - 1)
    return tuple(_fallen(sources, link.parent, link, entry, keys)) if keys else ()


def _fallen(sources: Sources, parent: str, link: Link, entry: Entry, keys: bytes) -> list[Reason]:
    """What the step lacks without these keys."""
    before = sources.policy(parent)
    time = open_receipt(sources, before, entry).predicate.time_verified
    found = []
    try:
        open_receipt(sources, before.without(keys), entry)
    except VerificationError as error:
        found.append(f"its receipt {error}")
    plain = judge(sources, Step(parent, link.commit, time, incoming=link.incoming))
    known = {(reason.step, reason.problem) for reason in plain.verdict.reasons}
    again = judge(sources, Step(parent, link.commit, time, incoming=link.incoming, withdrawn=keys))
    fresh = [one for one in again.verdict.reasons if (one.step, one.problem) not in known]
    lost = [
        one
        for one in fresh
        if one.step in (QUORUM, EVIDENCE) or (one.step == APPROVALS and "/proposal." in one.problem)
    ]
    if lost:
        # of the approvals that fell away, only those that are missed are told
        lost = [one for one in fresh if one in lost or one.step == APPROVALS]
    found += [one.problem for one in lost]
    return [Reason(step=FALLEN, problem=problem, hint=HINT) for problem in dict.fromkeys(found)]
