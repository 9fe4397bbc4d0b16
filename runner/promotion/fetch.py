"""Choose a promotion to serve, and say why it may not be: what `hallmark fetch` does before it writes anything.

1. The promotion stands on main: by its sequence, by the stage that it holds, or what is in production.
2. Its step is judged again as the gate judged it, its receipt and tag with it; with a root of trust, all of main.
3. By the policy of main's tip, which has not expired, neither the record, its evidence nor the adapter is revoked, and
   no key that it needs was revoked from before its receipt.
4. The adapter is not deprecated.
5. The machine that asks is inside the cluster's boundary, or one that its adapters may be served in (docs/fleet.md).
6. Every byte is the recorded one and may be served (`rules.adapter`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from runner.errors import RecordError
from runner.ports_promotion import AdapterStore
from runner.promotion.adapters import bring
from runner.promotion.gather import read_before
from runner.promotion.history import Link, first_parents
from runner.promotion.sources import Sources
from runner.promotion.verify import verify, verify_promotion
from runner.promotion.withdrawn import withdrawn
from runner.records.base import SLUG
from runner.records.fleet import Fleet
from runner.records.fleet_status import FleetCluster
from runner.records.promotion import PromotionRecord, ServingStage
from runner.records.verdict import Outcome, Reason, Verdict
from runner.rules.loop.boundary import unservable
from runner.rules.trust.policy import revoked_digests
from runner.rules.trust.stages import deprecated, holder

_TARGET = re.compile(rf"(?P<cluster>{SLUG})(?:@(?P<which>[a-z0-9]{{1,12}}))?\Z")
STAGES = (ServingStage.SHADOW, ServingStage.CANARY, ServingStage.PRODUCTION)


@dataclass(frozen=True)
class Target:
    """`CLUSTER`, `CLUSTER@SEQ` or `CLUSTER@stage`."""

    cluster: str
    sequence: int | None = None
    stage: ServingStage = ServingStage.PRODUCTION

    @classmethod
    def parse(cls, text: str) -> Target:
        """Raises `RecordError` for anything else."""
        match = _TARGET.match(text)
        which = match["which"] if match else None
        if match is None or (which and not which.isdigit() and which not in STAGES):
            known = ", ".join(f"@{stage}" for stage in STAGES)
            raise RecordError(f"{text!r} names no promotion", hint=f"say CLUSTER, CLUSTER@SEQ, or one of {known}")
        if which is None or not which.isdigit():
            return cls(match["cluster"], stage=ServingStage(which or ServingStage.PRODUCTION))
        return cls(match["cluster"], sequence=int(which))


@dataclass(frozen=True)
class Fetched:
    """A promotion that may be served, with its adapter's files; or why it may not."""

    record: PromotionRecord
    commit: str
    """The step of main that promoted it."""
    verdict: Verdict
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Empty where it may not be served."""


def fetch(
    sources: Sources,
    store: AdapterStore,
    target: Target,
    *,
    tip: str,
    root: str,
    now: str,
    inside: Collection[str] = (),
) -> Fetched:
    """The adapter of `target` on the main at `tip`, with its bytes out of `store`, for a machine that declares itself
    `inside` of some boundaries.

    `sources` leave the bytes out. With `root`, the sha256 of the first trust.yaml, the whole of main is verified;
    without it the policy in this clone is believed, and the one promotion is verified under it. Raises `RecordError`
    where there is no such promotion, and `DataError` where its bytes cannot be had.
    """
    records = read_before(sources, tip, target.cluster).records
    record = choose(records, target)
    link = step_of(sources, tip, record)
    reasons = [*_verified(sources, link, tip=tip, root=root), *_current(sources, tip, record, now=now)]
    if not reasons:
        name = f"{record.cluster}/{record.sequence}"
        reasons += withdrawn(sources, tip=tip, cluster=record.cluster).get(name, ())
    if record.adapter is None:
        reasons.append(Reason(step="standing", problem="it goes back to the bare base", hint="serve the base alone"))
    elif record.adapter.sha256 in deprecated(records):
        problem = f"the adapter of {target.cluster}/{record.sequence} is deprecated"
        reasons.append(Reason(step="standing", problem=problem, hint=f"fetch {target.cluster}@production"))
    reasons += unservable(_place(sources, tip, target.cluster), inside)
    if reasons:
        return Fetched(record, link.commit, Verdict(outcome=Outcome.REFUSE, reasons=tuple(reasons)))
    files, problems = bring(store, record)
    if problems:
        reasons = [Reason(step="adapter", problem=problem, hint="it must not be served") for problem in problems]
        return Fetched(record, link.commit, Verdict(outcome=Outcome.REFUSE, reasons=tuple(reasons)))
    return Fetched(record, link.commit, Verdict(), files)


def choose(records: Mapping[int, PromotionRecord], target: Target) -> PromotionRecord:
    """The record on main that a target names. Raises `RecordError` where none does."""
    if target.sequence is None:
        found = holder(records, target.stage)
        problem, hint = (
            f"no adapter of {target.cluster} is in {target.stage}",
            "`hallmark status` shows who stands where",
        )
    else:
        found = records.get(target.sequence)
        merged = ", ".join(str(sequence) for sequence in sorted(records)) or "none"
        problem = f"{target.cluster}/{target.sequence} is not on main: it was not proposed, not merged, or rejected"
        hint = f"on main: {merged}"
    if found is None:
        raise RecordError(problem, hint=hint)
    return found


def step_of(sources: Sources, tip: str, record: PromotionRecord) -> Link:
    """The step of main that added the record. Raises `RecordError` where a shallow clone does not have it."""
    place = (record.cluster, record.sequence)
    for link in reversed(first_parents(sources.objects, tip)):
        if link.parent and link.place(sources.objects) == place:
            return link
    raise RecordError(f"no step of main adds {record.cluster}/{record.sequence}", hint="fetch main's whole history")


def _place(sources: Sources, tip: str, cluster: str) -> Fleet:
    """The boundary as main's tip declares it."""
    return sources.record(tip, f"clusters/{cluster}/cluster.yaml", FleetCluster).fleet or Fleet()


def _verified(sources: Sources, link: Link, *, tip: str, root: str) -> tuple[Reason, ...]:
    if root:
        return verify(sources, tip=tip, root=root).verdict.reasons
    return verify_promotion(sources, link)


def _current(sources: Sources, tip: str, record: PromotionRecord, *, now: str) -> list[Reason]:
    """What the policy says today: an old clone, or one that a frozen mirror feeds, serves no longer than that."""
    policy = sources.policy(tip)
    home = f"clusters/{record.cluster}/promotions/{record.sequence}/record.yaml"
    adapter = record.adapter.sha256 if record.adapter else ""
    named = {"its record": sources.sha256(sources.objects.files(tip, home)[home].blob), "its adapter": adapter}
    named |= {f"its evidence {name}": digest for name, digest in record.evidence.items()}
    revoked = revoked_digests(policy.keys.revoked)
    reasons = [
        Reason(step="revoked", problem=f"{what} is revoked: {digest}", hint="go back to an earlier promotion")
        for what, digest in named.items()
        if digest in revoked
    ]
    if now > policy.trust.expires:
        problem = f"the policy of this main expired at {policy.trust.expires}"
        reasons.append(Reason(step="0 policy", problem=problem, hint="fetch a newer main, or renew the policy"))
    return reasons
