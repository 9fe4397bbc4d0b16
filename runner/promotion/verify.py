"""Verify a clone, offline, from nothing but the sha256 of the first trust.yaml.

Every step of main's first-parent history is judged again by the function the gate uses, under the policy of its parent.
A promotion is judged at its receipt's time, which the gate signed; any other change at its commit's time, which may
not fall, and never earlier than the last receipt before it, whatever the commit says. Where that receipt came late
(`reconcile`), what was merged meanwhile is so judged a little later than it was made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from runner.errors import HallmarkError
from runner.promotion.ahead import ask_ahead
from runner.promotion.gather import Step
from runner.promotion.history import Link, first_parents
from runner.promotion.judge import judge, judge_root
from runner.promotion.receipt import claimed_time, open_receipt, receipt_subjects, resource_uri
from runner.promotion.sources import Policy, Sources
from runner.promotion.tags import TAGS, begin_tag, tag_name, tag_problems
from runner.promotion.withdrawn import withdrawn
from runner.records.ledger import Entry
from runner.records.statement import LedgerPoint, Receipt, ReceiptStatement
from runner.records.verdict import Outcome, Reason, Verdict
from runner.rules.trust.dates import written
from runner.rules.trust.facts import Promotion, TriageStep

AHEAD = 4
"""How many steps before theirs is judged the signatures of a promotion are begun on."""
TOGETHER = 8
"""Steps from which a second walk is worth its start."""


@dataclass
class Verified:
    """What was verified. `commit` names the first step that does not hold; empty where all hold."""

    verdict: Verdict = field(default_factory=Verdict)
    commit: str = ""
    commits: int = 0
    promotions: list[str] = field(default_factory=list)
    """`<cluster>/<seq>`, oldest first."""
    receipted: str = ""
    """The time of the last receipt so far."""
    reviews: list[str] = field(default_factory=list)
    """`<cluster>/<iteration> <person> <decisions>` of each triage review whose signature holds, oldest first."""
    withdrawn: dict[str, tuple[Reason, ...]] = field(default_factory=dict)
    """Those that hold, and are not deployable: a key that they need was revoked from before their receipt."""

    def written(self) -> str:
        """As JSON, for another process; without what is withdrawn, which only the whole history shows."""
        return json.dumps({**asdict(self), "verdict": self.verdict.model_dump(mode="json"), "withdrawn": {}})

    def go_on(self, written: str) -> None:
        """Go on with what was found of the steps after these."""
        rest = json.loads(written)
        self.verdict, self.commit = Verdict.model_validate_json(json.dumps(rest["verdict"])), rest["commit"]
        self.commits += rest["commits"]
        self.promotions += rest["promotions"]
        self.reviews += rest["reviews"]
        self.receipted = rest["receipted"]


def verify(sources: Sources, *, tip: str, root: str) -> Verified:
    """Walk from the root to `tip`, and stop at the first commit that does not hold.

    The later half is walked beside the earlier one. It believes the times that the earlier receipts claim: where one
    of them lies, the earlier half does not hold, and what the later one found is not asked.
    """
    found, tags = Verified(), dict(sources.objects.refs(TAGS))
    links = first_parents(sources.objects, tip)
    middle = len(links) // 2 if len(links) >= TOGETHER else len(links)

    def later(own: Sources) -> list[str]:
        rest = Verified(receipted=_claimed(own, links[:middle]))
        _walk(own, links[middle:], root, tags, rest)
        return [rest.written()]

    begun = sources.beside(sources, later)
    _walk(sources, links[:middle], root, tags, found)
    if not found.commit:
        found.go_on(begun()[0])
    if found.commit:
        return found
    left = sorted(tags.keys() - {f"{TAGS}{name}" for name in found.promotions})
    leftover = [*_orphans(sources, found), *(f"tag {name} is of no promotion on main" for name in left)]
    if leftover:
        found.commit = tip
        reasons = tuple(Reason(step="receipt", problem=problem) for problem in leftover)
        found.verdict = Verdict(outcome=Outcome.REFUSE, reasons=reasons)
    else:
        found.withdrawn = withdrawn(sources, tip=tip)
    return found


def _walk(sources: Sources, links: Sequence[Link], root: str, tags: Mapping[str, str], found: Verified) -> None:
    """Judge each step again, into `found`, and stop at the first that does not hold."""
    for at, link in enumerate(links):
        for coming in links[at + AHEAD : at + AHEAD + 1] if at else links[: AHEAD + 1]:
            ask_ahead(sources, coming, tags)
        try:
            reasons = _link(sources, link, root, tags, found)
        except HallmarkError as error:
            reasons = (Reason(step="verify", problem=str(error)),)
        if reasons:
            found.commit = link.commit
            found.verdict = Verdict(outcome=Outcome.REFUSE, reasons=reasons)
            return
        found.commits += 1


def _claimed(sources: Sources, links: Sequence[Link]) -> str:
    """The time of the last receipt of these steps, unverified; empty where they have none."""
    times = [""]
    for link in links:
        try:
            place = link.place(sources.objects) if link.parent else None
            entry = _receipt(sources, *place) if place else None
            times += [claimed_time(sources, entry)] if entry else []
        except HallmarkError:
            continue  # the earlier half says what is wrong with it
    return max(times)


def _receipt(sources: Sources, cluster: str, sequence: int) -> Entry | None:
    """The ledger's receipt for a promotion."""
    return next((e for e in sources.chain(cluster).history.promotions() if e.promotion == sequence), None)


def _orphans(sources: Sources, found: Verified) -> list[str]:
    """Receipts in the ledger for what main does not have."""
    clusters = sorted({name.split("/")[0] for name in found.promotions})
    merged = set(found.promotions)
    return [
        f"the ledger has a receipt for {cluster}/{entry.promotion}, which is not on main"
        for cluster in clusters
        for entry in sources.chain(cluster).history.promotions()
        if f"{cluster}/{entry.promotion}" not in merged
    ]


def _link(sources: Sources, link: Link, root: str, tags: Mapping[str, str], found: Verified) -> tuple[Reason, ...]:
    at = max(written(sources.objects.commit(link.commit).time), found.receipted)
    if link.parent is None:
        return judge_root(sources, link.commit, root, now=at).reasons
    place = link.place(sources.objects)
    if place is None:
        judgement = judge(sources, Step(link.parent, link.commit, at, incoming=link.incoming))
        found.reviews += _signed_reviews(judgement.facts.triage)
        return judgement.verdict.reasons
    cluster, sequence = place
    policy = sources.policy(link.parent)
    entry = _receipt(sources, cluster, sequence)
    if entry is None:
        hint = "run `hallmark reconcile` where the gate's key is; until then it is not deployable"
        return (Reason(step="receipt", problem=f"{cluster}/{sequence} has no receipt in the ledger", hint=hint),)
    receipt = open_receipt(sources, policy, entry)
    step = Step(link.parent, link.commit, receipt.predicate.time_verified, incoming=link.incoming)
    tag, at = tags.get(f"{TAGS}{cluster}/{sequence}", ""), receipt.predicate.time_verified
    begin_tag(sources, policy, tag, at=at)
    judgement = judge(sources, step)
    problems = _receipt_problems(policy, entry, receipt, link, judgement.facts.promotion)
    problems += tag_problems(sources, policy, tag, commit=link.commit, name=tag_name(cluster, sequence), at=at)
    found.promotions.append(f"{cluster}/{sequence}")
    found.receipted = max(found.receipted, receipt.predicate.time_verified)
    reasons = tuple(Reason(step="receipt", problem=problem) for problem in problems)
    return (*judgement.verdict.reasons, *reasons)


def _signed_reviews(triage: TriageStep) -> list[str]:
    """Who decided how many candidates of which iteration, of the reviews that a step brings and that are signed."""
    return [
        f"{one.cluster}/{one.iteration} {one.person} {len(one.review.decisions)}"
        for one in triage.reviews
        if one.statement is not None and one.review is not None
    ]


def verify_promotion(sources: Sources, link: Link) -> tuple[Reason, ...]:
    """Why one step of main, which adds a promotion, does not hold: judged again, with its receipt and its tag.

    The policy of its parent is believed; `verify` follows it back to a root of trust.
    """
    return _link(sources, link, "", dict(sources.objects.refs(TAGS)), Verified())


def _receipt_problems(
    policy: Policy, entry: Entry, receipt: ReceiptStatement, link: Link, promotion: Promotion | None
) -> list[str]:
    word = receipt.predicate
    expected = Receipt(
        verifier=policy.trust.gate,
        time_verified=word.time_verified,
        resource_uri=resource_uri(policy.trust.repository, policy.trust.ref),
        policy_sha256=policy.sha256,
        policy_version=policy.trust.version,
        cluster=entry.cluster,
        sequence=entry.promotion or 0,
        stage=promotion.record.stage if promotion else word.stage,
        commit=link.commit,
        ledger=LedgerPoint(size=entry.sequence - 1, head=entry.previous),
    )
    wrong = [name for name in Receipt.model_fields if getattr(word, name) != getattr(expected, name)]
    problems = [f"the receipt is of another {name}" for name in wrong]
    if entry.phase or entry.inputs or (entry.version, entry.verdict) != (1, Verdict()):
        problems.append("the receipt's entry says what no receipt says")
    if promotion is not None:
        subjects = receipt_subjects(promotion.record, promotion.record_sha256)
        if receipt.digests() != subjects or entry.outputs != subjects:
            problems.append("the receipt names another record or adapter")
        if entry.iteration != promotion.record.run.iteration:
            problems.append("the receipt's entry is of another iteration")
    return problems
