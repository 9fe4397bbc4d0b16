"""The hand-off and the cards of a promotion: made of what stands at one commit, put into its evidence, and shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from runner.errors import RecordError, VerificationError
from runner.promotion.propose import Staging
from runner.promotion.sources import Sources
from runner.records.cluster import BenchmarkLock, Cluster, Problem
from runner.records.evidence import GENERATED, EvidenceFile
from runner.records.handoff import Handoff
from runner.records.ledger import EntryKind
from runner.records.promotion import PromotionRecord
from runner.rules.canonical import sha256
from runner.rules.handoff.facts import Background
from runner.rules.handoff.generated import generated
from runner.rules.handoff.whole import made_now, people_part, told_source, whole
from runner.rules.trust.stages import incumbent


def background(sources: Sources, commit: str, cluster: str, iteration: str) -> Background:
    """What people have written of the cluster at `commit`, and what the ledger has of the iteration's artifacts.

    Raises `RecordError` for a file that cannot be read.
    """
    home = f"clusters/{cluster}/"
    lock, handoff = home + "benchmark.lock", home + "handoff.md"
    artifacts: dict[str, str] = {}
    for entry in sources.chain(cluster).history.entries:
        if entry.iteration == iteration and entry.kind is EntryKind.PHASE and entry.verdict.passed:
            artifacts |= {**entry.inputs, **entry.outputs}
    return Background(
        cluster=sources.record(commit, home + "cluster.yaml", Cluster),
        problem=sources.record(commit, home + "problem.md", Problem),
        stated=sources.record(commit, handoff, Handoff) if sources.exists(commit, handoff) else Handoff(),
        lock=sources.record(commit, lock, BenchmarkLock) if sources.exists(commit, lock) else None,
        records=sources.promotions(commit, cluster),
        artifacts=artifacts,
    )


def with_generated(sources: Sources, staging: Staging, *, main: str) -> Staging:
    """The staging with its hand-off and cards. Raises `RecordError` for what they cannot be made from."""
    found = background(sources, main, staging.cluster, staging.iteration)
    made = generated(staging.record({}), staging.evidence, found)
    return replace(staging, evidence={**staging.evidence, **{name.value: data for name, data in made.items()}})


class HandedOver(NamedTuple):
    """A promotion's hand-off: the document, and the files that it and the cards are."""

    record: PromotionRecord
    document: str
    files: Mapping[str, bytes]
    """Those of `GENERATED`, by name."""
    signed: bool
    """Whether they stand in the evidence; else they were made now."""


def handed_over(sources: Sources, main: str, cluster: str, sequence: int | None = None) -> HandedOver:
    """The hand-off of the promotion that brought in what `sequence` put into service, by default of what serves.

    Raises `RecordError` where there is no such promotion, `VerificationError` where its evidence is not what its record
    names.
    """
    if not sources.exists(main, f"clusters/{cluster}/cluster.yaml"):
        raise RecordError(f"there is no cluster {cluster} on main", hint="`hallmark status` names those that there are")
    records = sources.promotions(main, cluster)
    record = _assessed(records, cluster, sequence)
    home = f"clusters/{cluster}/promotions/{record.sequence}/evidence/"
    there = {path.removeprefix(home): file.blob for path, file in sources.objects.files(main, home[:-1]).items()}
    blobs = sources.objects.blobs(sorted(set(there.values())))
    evidence = {name: blobs[blob] for name, blob in there.items()}
    _hold(evidence, record)
    found = background(sources, main, cluster, record.run.iteration)
    signed = all(name in evidence for name in GENERATED)
    earlier = found._replace(records={number: one for number, one in records.items() if number < record.sequence})
    files = evidence if signed else {name.value: data for name, data in generated(record, evidence, earlier).items()}
    path = home + EvidenceFile.HANDOFF
    document = whole(
        files[EvidenceFile.HANDOFF].decode(),
        title=found.cluster.title,
        told=found.stated,
        people=_people(sources, main, cluster),
        source=told_source(sha256(evidence[EvidenceFile.HANDOFF]), path) if signed else made_now(record.sequence),
        since=[one for number, one in records.items() if number > record.sequence],
    )
    return HandedOver(record, document, {name.value: files[name] for name in GENERATED}, signed)


def _assessed(records: Mapping[int, PromotionRecord], cluster: str, sequence: int | None) -> PromotionRecord:
    """The promotion that brought an adapter in, with its whole assessment."""
    known = ", ".join(map(str, records)) or "none yet"
    if sequence is None:
        sequence = incumbent(records).sequence or max((n for n, one in records.items() if one.assessed), default=0)
    if sequence not in records:
        raise RecordError(f"{cluster} has no promotion {sequence or ''}".rstrip(), hint=f"promotions: {known}")
    adapter = records[sequence].adapter
    if adapter is None:
        raise RecordError(f"{cluster}/{sequence} went back to the bare base", hint=f"name another; promotions: {known}")
    return next(one for one in records.values() if one.assessed and one.adapter == adapter)


def _hold(evidence: Mapping[str, bytes], record: PromotionRecord) -> None:
    """The evidence is the recorded one."""
    there = {name: sha256(data) for name, data in evidence.items()}
    wrong = sorted(name for name, _ in there.items() ^ record.evidence.items())
    if wrong:
        problem = f"{record.cluster}/{record.sequence}: evidence is not what record.yaml names"
        raise VerificationError(f"{problem}: {', '.join(dict.fromkeys(wrong))}")


def _people(sources: Sources, main: str, cluster: str) -> str:
    path = f"clusters/{cluster}/handoff.md"
    return people_part(sources.objects.read(main, path).decode()) if sources.exists(main, path) else ""
