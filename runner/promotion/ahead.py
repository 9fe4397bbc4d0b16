"""Signatures of the promotions to come, given to ssh-keygen while the present one is judged.

Nothing is decided here: the verifier keeps each answer, and the judgement asks the same questions again.
"""

from __future__ import annotations

from collections.abc import Mapping

from runner.errors import HallmarkError
from runner.promotion.envelopes import ATTESTATION, begin
from runner.promotion.history import Link
from runner.promotion.receipt import begin_receipt
from runner.promotion.sources import Sources
from runner.promotion.tags import TAGS, begin_tag


def ask_ahead(sources: Sources, link: Link, tags: Mapping[str, str]) -> None:
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
        now = begin_receipt(sources, policy, entry)
        changes = [
            c for c in sources.objects.diff(link.parent, link.commit) if c.path.endswith(".dsse.json") and c.blob
        ]
        read = sources.objects.blobs([change.blob for change in changes])
        begin_tag(sources, policy, tags.get(f"{TAGS}{place[0]}/{place[1]}", ""), at=now)
    except HallmarkError:
        return
    files = {change.path: read[change.blob] for change in changes}
    words = [path for path in files if path.endswith(f"/{ATTESTATION}")]
    attested = files.pop(words[0]) if words else None
    begin(sources.verifier, files, attested, ci=policy.trust.ci, keys=policy.keys, at=now)
