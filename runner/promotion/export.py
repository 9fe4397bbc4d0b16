"""Choose a promotion to show outside, and read of it what an export is made of: from main alone, judged again.

1. The promotion stands on main: by its sequence, or as the one that brought in what serves.
2. Its step is judged again as the gate judged it, with its receipt and tag.
3. What may leave is what main's tip declares: a work tree, or a branch, cannot loosen it for itself.
"""

from __future__ import annotations

from typing import NamedTuple

from runner.promotion.fetch import Target, choose, step_of
from runner.promotion.history import Link
from runner.promotion.sources import Sources
from runner.promotion.verify import verify_promotion
from runner.records.cluster import Cluster
from runner.records.promotion import PromotionRecord
from runner.records.verdict import Outcome, Reason, Verdict
from runner.rules.canonical import sha256
from runner.rules.export.redacted import Promoted
from runner.rules.trust.receipts import entered

END = ".dsse.json"


class Chosen(NamedTuple):
    """A promotion, its cluster as main's tip declares it, and whether it may be shown."""

    promoted: Promoted
    cluster: Cluster
    verdict: Verdict


def chosen(sources: Sources, *, tip: str, cluster: str, sequence: int | None = None) -> Chosen:
    """The promotion of `cluster`. Raises `RecordError` where there is none."""
    records = sources.promotions(tip, cluster)
    record = choose(records, Target(cluster, sequence))
    if sequence is None and record.adapter is not None:
        brought = record.adapter.sha256
        record = next(one for _, one in sorted(records.items()) if one.adapter and one.adapter.sha256 == brought)
    link = step_of(sources, tip, record)
    reasons = list(verify_promotion(sources, link))
    declared = sources.record(tip, f"clusters/{cluster}/cluster.yaml", Cluster)
    if not declared.place.exports:
        problem = f"clusters/{cluster}/cluster.yaml on main declares nothing that may leave"
        hint = "have those who answer for the boundary declare it under fleet.exports, in a change that is reviewed"
        reasons.append(Reason(step="boundary", problem=problem, hint=hint))
    verdict = Verdict(outcome=Outcome.REFUSE, reasons=tuple(reasons)) if reasons else Verdict()
    return Chosen(_read(sources, link, record), declared, verdict)


def _read(sources: Sources, link: Link, record: PromotionRecord) -> Promoted:
    """As the step brought it: what the gate judged."""
    home = f"clusters/{record.cluster}/promotions/{record.sequence}/"
    files = sources.objects.files(link.commit, home.rstrip("/"))
    contents = sources.objects.blobs(list(dict.fromkeys(file.blob for file in files.values())))
    evidence = f"{home}evidence/"
    return Promoted(
        record=record,
        record_sha256=sha256(contents[files[f"{home}record.yaml"].blob]),
        commit=link.commit,
        verified_at=entered(sources.chain(record.cluster).history.entries, record.sequence) or "",
        approvals=sum(
            path.startswith(f"{home}approvals/") and path.endswith(END) and not path.endswith(f"/proposal{END}")
            for path in files
        ),
        evidence={
            path.removeprefix(evidence): contents[file.blob]
            for path, file in files.items()
            if path.startswith(evidence)
        },
    )
