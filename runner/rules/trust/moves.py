"""The steps of an adapter through its stages: which may follow which (step 3), and what each has to bring (6 and 8).

A step with a new adapter enters at the stage that the cluster's `stages.enter` names, with a whole assessment. A step
that `follows` an earlier one moves the same adapter to the next stage, with results on traffic, or deprecates it, with
a reason. A rollback puts back what was in production before.
"""

from __future__ import annotations

from collections.abc import Iterator

from runner.errors import RecordError
from runner.records.evidence import Deprecation, EvidenceFile, RollbackDrill
from runner.records.promotion import PromotionKind, PromotionRecord, ServingStage
from runner.records.stages import TrafficLimits
from runner.records.verdict import Reason
from runner.rules.trust.facts import Promotion
from runner.rules.trust.figures import parse
from runner.rules.trust.receipts import entered
from runner.rules.trust.stages import PREVIOUS, deprecated, holder, standings

ORDER, EVIDENCE, LIMITS = "3 sequence", "6 evidence", "8 limits"
KEPT = ("adapter", "run", "base", "benchmark", "human_share")
"""What a later step of an adapter takes over from the one it follows."""


def order_problems(promotion: Promotion) -> list[Reason]:
    """Step 3: whether this adapter may be put into this stage now."""
    record = promotion.record
    if record.kind is PromotionKind.ROLLBACK:
        found = _rollback(promotion)
    elif record.follows is None:
        found = _entry(promotion)
    else:
        found = _follows(promotion, record.follows)
    return [Reason(step=ORDER, problem=f"3.2 stage: {problem}", hint=hint) for problem, hint in found]


def _entry(promotion: Promotion) -> Iterator[tuple[str, str]]:
    record, before = promotion.record, promotion.before
    enter = before.cluster.stages.enter
    if record.stage != enter:
        yield f"a new adapter enters {record.stage}, and cluster.yaml says {enter}", f"propose it for {enter}"
    digest = record.adapter.sha256 if record.adapter else ""
    for one in standings(before.records):
        if one.adapter == digest:
            problem = f"this adapter is known since sequence {one.sequence}: {one.ended or one.stage}"
            yield problem, "move it on with `hallmark propose CLUSTER --stage`, or go back to it with a rollback"


def _follows(promotion: Promotion, sequence: int) -> Iterator[tuple[str, str]]:
    record, before = promotion.record, promotion.before
    earlier = before.records.get(sequence)
    if earlier is None:
        yield f"it follows sequence {sequence}, which was never promoted", "propose again"
        return
    for name in KEPT:
        if getattr(record, name) != getattr(earlier, name):
            yield f"its {name.replace('_', ' ')} is not that of sequence {sequence}", "propose again"
    if record.restores is not None:
        yield "only a rollback restores", "propose again"
    if record.stage is ServingStage.DEPRECATED:
        yield from _deprecates(promotion, earlier)
    else:
        yield from _advances(promotion, earlier)


def _advances(promotion: Promotion, earlier: PromotionRecord) -> Iterator[tuple[str, str]]:
    """From the stage that it holds to the next, past the incumbent and on the benchmark that it was assessed with."""
    record, before = promotion.record, promotion.before
    if PREVIOUS.get(record.stage) is not earlier.stage:
        yield f"{record.stage} does not follow {earlier.stage}", "shadow, canary, production, one step at a time"
    held = holder(before.records, earlier.stage)
    if held is None or held.sequence != earlier.sequence:
        other = f"sequence {held.sequence} does" if held else "it was taken out"
        yield f"sequence {earlier.sequence} does not hold {earlier.stage}: {other}", "start again from an iteration"
    if earlier.incumbent != before.incumbent:
        said = f"sequence {earlier.incumbent.sequence}, and {before.incumbent.sequence} is in production now"
        yield f"it was assessed against {said}", "run an iteration against what serves now"
    if record.benchmark.sha256 != before.benchmark_sha256:
        yield "the benchmark has changed since it was assessed", "run an iteration on the benchmark as it is"


def _deprecates(promotion: Promotion, earlier: PromotionRecord) -> Iterator[tuple[str, str]]:
    before, digest = promotion.before, earlier.adapter.sha256 if earlier.adapter else ""
    if before.incumbent.adapter == digest:
        yield "this adapter is in production", "promote another or roll back first, so that what serves is signed for"
    found = next((one for one in standings(before.records) if one.adapter == digest), None)
    if found is None or found.sequence != earlier.sequence:
        yield f"sequence {earlier.sequence} is not this adapter's last step", "propose again"
    elif found.ended == "deprecated":
        yield f"it was deprecated by sequence {found.sequence}", "nothing is left to do"


def _rollback(promotion: Promotion) -> Iterator[tuple[str, str]]:
    record, before = promotion.record, promotion.before
    if record.stage is not ServingStage.PRODUCTION or record.follows is not None:
        yield "a rollback is about production alone", "take an adapter out of another stage by deprecating it"
    earlier = before.records.get(record.restores or 0)
    if earlier is not None and earlier.stage is not ServingStage.PRODUCTION:
        yield f"sequence {earlier.sequence} was in {earlier.stage}, never in production", "roll back to another"
    if record.adapter is not None and record.adapter.sha256 in deprecated(before.records):
        yield "the adapter that it brings back is deprecated", "roll back to another"


def brought_problems(promotion: Promotion, *, now: str) -> list[Reason]:
    """Steps 6.7, 6.8, 8.10 and 8.11: results on traffic, the reason of a deprecation, and the rollback drill."""
    record = promotion.record
    found: list[tuple[str, str]] = []
    if record.stage is ServingStage.DEPRECATED:
        found += [("6.8 deprecation", problem) for problem in _reason_given(promotion)]
    elif record.kind is PromotionKind.PROMOTION:
        found += [("8.11 rollback drill", problem) for problem in _drill(promotion)]
        if record.follows is not None:
            found += _traffic(promotion, now)
    hint = "this step cannot be taken"
    steps = {"6": EVIDENCE, "8": LIMITS}
    return [Reason(step=steps[rule[0]], problem=f"{rule}: {problem}", hint=hint) for rule, problem in found]


def _reason_given(promotion: Promotion) -> Iterator[str]:
    found = parse(promotion.evidence, EvidenceFile.DEPRECATION, Deprecation)
    if isinstance(found, str):
        yield found


def _drill(promotion: Promotion) -> Iterator[str]:
    """The drill went from this adapter to what serves now, with every file of it, in the time allowed."""
    drill = parse(promotion.evidence, EvidenceFile.DRILL, RollbackDrill)
    if isinstance(drill, str):
        yield drill
        return
    record, before = promotion.record, promotion.before
    now, limit = before.incumbent, before.cluster.stages.max_rollback_seconds
    serving = before.records.get(now.sequence)
    files = serving.adapter.files if serving and serving.adapter else {}
    if (drill.from_adapter, drill.to_sequence, drill.to_adapter) != (
        record.adapter.sha256 if record.adapter else "",
        now.sequence,
        now.adapter,
    ):
        yield "it was rehearsed with other adapters than this one and the one in production"
    if (drill.files, drill.bytes) != (len(files), sum(file.size for file in files.values())):
        yield f"it hashed {drill.files} files of {drill.bytes} bytes, not those recorded of sequence {now.sequence}"
    yield from drill.problems
    if drill.measured.total > limit:
        yield f"it took {drill.measured.total:.1f} s, and {limit:g} s are borne"


def _traffic(promotion: Promotion, now: str) -> Iterator[tuple[str, str]]:
    """The figures follow from the grades, are about this step, and hold its limits."""
    from runner.records.traffic import Traffic  # most steps bring none
    from runner.rules.trust.traffic import below, differences, grades_of, thin, traffic

    stated = parse(promotion.evidence, EvidenceFile.TRAFFIC, Traffic)
    rows, wrong = grades_of(promotion.evidence.get(EvidenceFile.TRAFFIC_GRADES, b""))
    yield from (("6.7 traffic", problem) for problem in wrong)
    if isinstance(stated, str):
        yield "6.7 traffic", stated
    record, before = promotion.record, promotion.before
    earlier = before.records.get(record.follows or 0)
    if isinstance(stated, str) or wrong or earlier is None or record.adapter is None:
        return
    mine, theirs = record.adapter.sha256, before.incumbent.adapter
    try:
        found = traffic(rows, before.cluster, stage=earlier.stage, adapter=mine, incumbent=theirs)
    except RecordError as error:
        yield "6.7 traffic", str(error)
        return
    yield from (("6.7 traffic", problem) for problem in differences(stated, found))
    limits = limits_of(promotion)
    since = entered(before.ledger, earlier.sequence)
    problems = [*thin(found, limits, since=since, now=now), *below(found, before.cluster.gate, limits)]
    yield from (("8.10 traffic", problem) for problem in problems)


def limits_of(promotion: Promotion) -> TrafficLimits:
    """What the cluster asks of traffic before the record's stage is entered."""
    stages = promotion.before.cluster.stages
    return stages.production if promotion.record.stage is ServingStage.PRODUCTION else stages.canary
