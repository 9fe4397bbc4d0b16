"""The later steps of an adapter that is promoted already: on to the next stage with results on traffic, or out."""

from __future__ import annotations

from runner.errors import RecordError
from runner.promotion.gather import read_before
from runner.promotion.propose import Staging
from runner.promotion.rollback import on_call
from runner.promotion.sources import Sources
from runner.records.evidence import Deprecation, EvidenceFile, RollbackContract
from runner.records.promotion import PromotionRecord, ServingStage
from runner.rules.canonical import canonical
from runner.rules.trust.facts import Before
from runner.rules.trust.stages import PREVIOUS, holder, standings
from runner.rules.trust.traffic import traffic
from runner.rules.trust.traffic_results import grade_traffic, read_results

WHEN = "results on traffic or a later evaluation fall under a threshold, or a person on call says so"


def move_on(sources: Sources, main: str, cluster: str, stage: ServingStage, *, results: bytes, path: str) -> Staging:
    """The staging that takes the adapter of the stage before into `stage`, on `results`, a file of `TrafficResult`s.

    Raises `RecordError` where nothing holds the stage before, or a line of `path` cannot be used.
    """
    before = read_before(sources, main, cluster)
    if stage not in PREVIOUS:
        raise RecordError(f"no stage comes before {stage}", hint="propose a finished iteration: leave --traffic out")
    earlier = holder(before.records, PREVIOUS[stage])
    if earlier is None or earlier.adapter is None:
        problem = f"{cluster} has no adapter in {PREVIOUS[stage]}"
        raise RecordError(problem, hint=f"`hallmark status {cluster}` shows what stands where")
    adapter, incumbent = earlier.adapter.sha256, before.incumbent.adapter
    rows = grade_traffic(read_results(results, path=path), adapter=adapter, incumbent=incumbent, path=path)
    found = traffic(rows, before.cluster, stage=earlier.stage, adapter=adapter, incumbent=incumbent)
    evidence = {
        EvidenceFile.TRAFFIC: canonical(found) + b"\n",
        EvidenceFile.TRAFFIC_GRADES: b"".join(canonical(row) + b"\n" for row in rows),
    }
    return _staging(before, earlier, stage, evidence, when=WHEN, who=on_call(sources.policy(main).trust))


def deprecate(sources: Sources, main: str, cluster: str, sequence: int, *, why: str) -> Staging:
    """The staging that takes the adapter of `sequence` out of service for good.

    Raises `RecordError` where there is no such adapter, or it is deprecated already.
    """
    before = read_before(sources, main, cluster)
    named = before.records.get(sequence)
    digest = named.adapter.sha256 if named and named.adapter else None
    found = next((one for one in standings(before.records) if one.adapter == digest), None)
    if found is None:
        known = ", ".join(map(str, sorted(before.records))) or "none"
        raise RecordError(f"{cluster}/{sequence} has no adapter to deprecate", hint=f"promotions: {known}")
    if found.ended == "deprecated":
        raise RecordError(f"{cluster}/{sequence} is deprecated since sequence {found.sequence}")
    evidence = {EvidenceFile.DEPRECATION: canonical(Deprecation(reason=why)) + b"\n"}
    earlier = before.records[found.sequence]
    return _staging(before, earlier, ServingStage.DEPRECATED, evidence, when="never: it serves nothing", who="nobody")


def _staging(
    before: Before,
    earlier: PromotionRecord,
    stage: ServingStage,
    evidence: dict[EvidenceFile, bytes],
    *,
    when: str,
    who: str,
) -> Staging:
    """The next sequence, about the adapter of `earlier`."""
    now = before.incumbent
    contract = RollbackContract(to_sequence=now.sequence, to_adapter=now.adapter, when=when, who=who)
    files = {**evidence, EvidenceFile.ROLLBACK: canonical(contract) + b"\n"}
    return Staging(
        cluster=earlier.cluster,
        sequence=before.last + 1,
        iteration=earlier.run.iteration,
        benchmark=earlier.benchmark,
        base=earlier.base,
        adapter=earlier.adapter,
        incumbent=now,
        run=earlier.run,
        human_share=earlier.human_share,
        evidence={name.value: data for name, data in files.items()},
        stage=stage,
        follows=earlier.sequence,
    )
