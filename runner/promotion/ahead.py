"""Signatures of the promotions to come, given to ssh-keygen while the present one is judged.

Nothing is decided here: the verifier keeps each answer, and the judgement asks the same questions again.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor

from runner.errors import HallmarkError
from runner.promotion.gather import attestation, decision
from runner.promotion.history import Link
from runner.promotion.sources import Policy, Sources
from runner.records.ledger import Entry
from runner.records.statement import ReceiptStatement
from runner.rules.canonical import canonical
from runner.rules.trust.statements import statement

OpenReceipt = Callable[[Sources, Policy, Entry], ReceiptStatement]


def ask_ahead(sources: Sources, link: Link, pool: Executor, open_receipt: OpenReceipt) -> None:
    """Begin on every signature of the promotion that `link` adds. What is wrong with it the judgement will say."""
    try:
        place = link.place(sources.objects) if link.parent else None
        if place is None or link.parent is None:
            return
        receipts = sources.chain(place[0]).history.promotions()
        entry = next((one for one in receipts if one.promotion == place[1]), None)
        if entry is None:
            return
        policy = sources.policy(link.parent)
        claimed = statement(ReceiptStatement, sources.verifier.peek(canonical(entry.receipt) + b"\n"))
        changes = [
            c for c in sources.objects.diff(link.parent, link.commit) if c.path.endswith(".dsse.json") and c.blob
        ]
        read = sources.objects.blobs([change.blob for change in changes])
    except HallmarkError:
        return
    now = claimed.predicate.time_verified
    pool.submit(open_receipt, sources, policy, entry)
    for change in changes:
        name = change.path.rpartition("/")[2]
        if name == "attestation.dsse.json":
            pool.submit(attestation, sources, {name: read[change.blob]}, policy, now)
        else:
            pool.submit(decision, sources, change.path, read[change.blob], policy.keys, now)
