"""After the merge: the gate's receipt in the ledger and the signed tag, both or neither, killed anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from runner.errors import LedgerRace, RefMovedError, VerificationError
from runner.ports_promotion import Keys, Repository, Signer
from runner.promotion.gather import Step
from runner.promotion.history import Link, first_parents
from runner.promotion.judge import judge
from runner.promotion.sources import LEDGER, Policy, Sources
from runner.promotion.tags import tag_name, write_tag
from runner.records.ledger import Entry, EntryKind
from runner.records.promotion import PromotionRecord
from runner.records.statement import (
    PAYLOAD_TYPE,
    LedgerPoint,
    Namespace,
    Receipt,
    ReceiptStatement,
    subjects,
)
from runner.rules.canonical import canonical
from runner.rules.trust.statements import statement


@dataclass(frozen=True)
class Reconciled:
    """One promotion that had no receipt or no tag, and now has both."""

    cluster: str
    sequence: int
    commit: str
    wrote: tuple[str, ...]


@dataclass(frozen=True)
class Registry:
    """Where receipts and tags are written: the ledger's entry maker, and the refs of one repository."""

    repository: Repository
    entry_commit: Callable[[Entry, str | None], str]
    """The commit that adds an entry to the ledger at a tip; no ref moves."""
    remote: str | None = None

    def tip(self, ref: str) -> str | None:
        return self.repository.remote_ref(self.remote, ref) if self.remote else self.repository.resolve(ref)

    def publish(self, updates: dict[str, tuple[str, str | None]]) -> None:
        """All refs or none. In a clone the tags are there too afterwards, where `verify` looks for them."""
        if self.remote:
            self.repository.push(self.remote, {ref: new for ref, (new, _) in updates.items()}, atomic=True)
            tags = (ref for ref in updates if ref.startswith("refs/tags/"))
            self.repository.move({ref: (updates[ref][0], self.repository.resolve(ref)) for ref in tags})
        else:
            self.repository.move(updates)


def reconcile(
    fresh: Callable[[], Sources],
    registry: Registry,
    gate: Signer,
    *,
    main: str,
    now: Callable[[], str],
    attempts: int = 20,
) -> tuple[Reconciled, ...]:
    """Give every merged promotion on the first-parent history of `main` its receipt and tag, oldest first.

    Raises `VerificationError` at the first one that the gate does not pass: it gets none.
    """
    done = []
    sources = fresh()
    for link in first_parents(sources.objects, main):
        place = link.place(registry.repository) if link.parent else None
        if place is None or _complete(sources, registry, place):
            continue
        for attempt in range(attempts):
            try:
                made = _one(fresh(), registry, gate, link, now())
                break
            except (LedgerRace, RefMovedError):
                if attempt == attempts - 1:
                    raise
        if made is not None:
            done.append(made)
    return tuple(done)


def _complete(sources: Sources, registry: Registry, place: tuple[str, int]) -> bool:
    """Whether a promotion has its receipt and its tag."""
    receipts = sources.chain(place[0]).history.promotions()
    return len(receipts) >= place[1] and registry.tip(f"refs/tags/{tag_name(*place)}") is not None


def _one(sources: Sources, registry: Registry, gate: Signer, link: Link, now: str) -> Reconciled | None:
    place = link.place(registry.repository)
    if place is None or link.parent is None:
        return None
    cluster, sequence = place
    tag_ref, ledger_tip = f"refs/tags/{tag_name(cluster, sequence)}", registry.tip(LEDGER)
    chain = sources.chain(cluster)
    there = any(entry.promotion == sequence for entry in chain.history.promotions())
    updates: dict[str, tuple[str, str | None]] = {}
    if not there:
        entry = _receipt_entry(sources, gate, link, place, now)
        chain.history.append(entry)
        updates[LEDGER] = (registry.entry_commit(entry, ledger_tip), ledger_tip)
    if registry.tip(tag_ref) is None:
        updates[tag_ref] = (write_tag(registry.repository, gate, link.commit, tag_name(cluster, sequence), now), None)
    if not updates:
        return None
    registry.publish(updates)
    return Reconciled(cluster, sequence, link.commit, tuple(updates))


def _receipt_entry(sources: Sources, gate: Signer, link: Link, place: tuple[str, int], now: str) -> Entry:
    """Judge the merge again and sign what was found. Raises `VerificationError` where it does not hold."""
    cluster, sequence = place
    step = Step(link.parent or "", link.commit, now, incoming=link.incoming)
    judgement = judge(sources, step)
    promotion = judgement.facts.promotion
    if not judgement.verdict.passed or promotion is None:
        said = "\n".join(f"  {reason.step}: {reason.problem}" for reason in judgement.verdict.reasons)
        raise VerificationError(f"{tag_name(cluster, sequence)} at {link.commit[:12]} gets no receipt:\n{said}")
    policy, chain = sources.policy(link.parent or ""), sources.chain(cluster)
    word = Receipt(
        verifier=policy.trust.gate,
        time_verified=now,
        resource_uri=resource_uri(policy.trust.repository, policy.trust.ref),
        policy_sha256=policy.sha256,
        policy_version=policy.trust.version,
        cluster=cluster,
        sequence=sequence,
        stage=promotion.record.stage,
        commit=link.commit,
        ledger=LedgerPoint(size=chain.history.size, head=chain.history.head),
    )
    named = receipt_subjects(promotion.record, promotion.record_sha256)
    statement = ReceiptStatement(subject=subjects(named), predicate=word)
    envelope = gate.sign(canonical(statement), payload_type=PAYLOAD_TYPE, namespace=Namespace.RECEIPT)
    return Entry(
        cluster=cluster,
        sequence=chain.history.size + 1,
        previous=chain.history.head,
        kind=EntryKind.RECEIPT,
        iteration=promotion.record.run.iteration,
        promotion=sequence,
        outputs=named,
        receipt=json.loads(envelope),
        measured={"commit": link.commit},
    )


def open_receipt(sources: Sources, policy: Policy, entry: Entry) -> ReceiptStatement:
    """The receipt in a ledger entry. Raises `VerificationError` unless the policy's gate signed it.

    The key must have been valid at the time that the receipt itself states, so the statement is read twice: once to
    learn that time, and once, verified, to believe it.
    """
    envelope, at = _claimed(sources, entry)
    payload = sources.verifier.open(envelope, **_by_the_gate(policy, at))
    return statement(ReceiptStatement, payload)


def begin_receipt(sources: Sources, policy: Policy, entry: Entry) -> str:
    """Begin on the receipt's signature, and say the time that it claims. Raises `VerificationError`."""
    envelope, at = _claimed(sources, entry)
    sources.verifier.begin(envelope, **_by_the_gate(policy, at))
    return at


def claimed_time(sources: Sources, entry: Entry) -> str:
    """When a receipt says that it was written. Unverified."""
    return _claimed(sources, entry)[1]


def _claimed(sources: Sources, entry: Entry) -> tuple[bytes, str]:
    envelope = canonical(entry.receipt) + b"\n"
    return envelope, statement(ReceiptStatement, sources.verifier.peek(envelope)).predicate.time_verified


class _Signing(TypedDict):
    payload_type: str
    namespace: str
    person: str
    keys: Keys
    at: str


def _by_the_gate(policy: Policy, at: str) -> _Signing:
    return _Signing(
        payload_type=PAYLOAD_TYPE, namespace=Namespace.RECEIPT, person=policy.trust.gate, keys=policy.keys, at=at
    )


def receipt_subjects(record: PromotionRecord, record_sha256: str) -> dict[str, str]:
    return {"record": record_sha256, **({"adapter": record.adapter.sha256} if record.adapter else {})}


def resource_uri(repository: str, ref: str) -> str:
    return f"{repository}@{ref}"
