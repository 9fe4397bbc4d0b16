"""Evidence of a plausible promotion, as the files a report reads."""

from __future__ import annotations

import json
from collections.abc import Sequence

from runner.records.base import Record
from runner.records.cluster import Capability, Cluster, GateLimits, Serving, Thresholds, TinyBase
from runner.records.dataset import Batch, Candidate, Channel, Generator, Provenance
from runner.records.diversity import Diversity, Reach, Texture, WordSpread
from runner.records.domain_rules import DomainRule, MustNotContain
from runner.records.evidence import EvidenceFile, Operations, RollbackContract
from runner.records.failure import Diagnosis, FailureCluster
from runner.records.funnel import FunnelReport, FunnelStep
from runner.records.lineage import Lineage, LineageNode
from runner.records.risks import Risk, Risks
from runner.records.scenario import SetName, Severity
from runner.records.score import Comparison, Interval, ModelScores, Regressions, Scorecard, ScoredScenario, SetScore
from runner.records.training import Arm, CurveShape, StrengthPoint, Sweep, Training, TrainingRecord
from runner.records.validation import BatchValidation, Estimate, Fidelity, Leak, Privacy, Utility, ValidationReport
from runner.records.verdict import Outcome, Reason, Verdict
from runner.rules.data.expansion import candidate
from runner.rules.data.funnel import accepted, expanded, report, validated

TITLES = {
    "order-status": "Where an order is",
    "missing-item": "Something is missing from a parcel",
    "damaged-item": "Something arrived damaged",
    "refund-status": "When a refund arrives",
    "change-address": "Change the delivery address",
    "cancel-order": "Cancel an order",
    "invoice": "Ask for an invoice",
    "warranty": "A repair under warranty",
    "promo-code": "A promotion code does not work",
    "account-locked": "Locked out of the account",
    "gift-card": "Gift cards and their balance",
    "delivery-slot": "Choose a delivery slot",
}
WEAK = ("missing-item", "refund-status", "warranty")
LOST = (
    *[(FunnelStep.RULED, "names-no-rival")] * 3,
    *[(FunnelStep.NOVEL, "near-gold")] * 6,
    *[(FunnelStep.CONSISTENT, "inconsistent")] * 51,
)
PROBLEM = """\
---
gap: "Three queues are new."
why_not_real_data: "There are few messages."
metric: accuracy
threshold: 0.8
real_only_baseline:
  value: 0.7
  how: "a linear classifier"
---
Prose.
"""
"""A cluster's problem.md."""
A, B, C = "a" * 64, "b" * 64, "c" * 64


def cluster() -> Cluster:
    return Cluster(
        id="support-desk",
        title="Support desk routing",
        base=TinyBase(kind="tiny"),
        serving=Serving(target="routing on the support gateway"),
        benchmark_version=2,
        capabilities=tuple(Capability(id=name, title=title, definition=title) for name, title in TITLES.items()),
        gate=GateLimits(thresholds=Thresholds(composite=0.85, heldout=0.84)),
        human_floor=0.5,
        domain_rules=(
            DomainRule(
                id="names-no-rival",
                reason="It names another shop.",
                check=MustNotContain(kind="must-not-contain", values=("rival",)),
            ),
        ),
    )


def set_score(weak: float, other: float, scenarios: int) -> SetScore:
    capabilities = {name: weak if name in WEAK else other for name in TITLES}
    composite = round(sum(capabilities.values()) / len(capabilities), 9)
    return SetScore(
        scenarios=scenarios, passed=round(composite * scenarios), composite=composite, capabilities=capabilities
    )


def _model(weak: float, other: float, adapter: str | None) -> ModelScores:
    sizes = {SetName.CORE: 120, SetName.DEV: 120, SetName.HELDOUT: 240, SetName.REPRESENTATIVE: 120}
    sets = {name: set_score(weak, other, size) for name, size in sizes.items()}
    robustness = {"typos": other - 0.11, "casing": other - 0.04, "punctuation": other - 0.02}
    return ModelScores(adapter=adapter, sets=sets, robustness=robustness)


def comparison(against: str, gained: int, lost: int, p_value: float) -> Comparison:
    difference = (gained - lost) / 240
    interval = Interval(low=round(difference - 0.05, 4), high=round(difference + 0.055, 4))
    return Comparison(
        against=against,
        scenarios=240,
        gained=gained,
        lost=lost,
        difference=difference,
        interval=interval,
        p_value=p_value,
    )


def scorecard() -> Scorecard:
    per_capability = {
        name: comparison("incumbent", 38 if name in WEAK else 1, 0 if name in WEAK else 2, 1e-9 if name in WEAK else 1)
        for name in TITLES
    }
    return Scorecard(
        cluster="support-desk",
        iteration="i3f9a27c1",
        benchmark_version=2,
        benchmark_sha256=C,
        models={
            "base": _model(0.28, 0.95, None),
            "incumbent": _model(0.28, 0.95, None),
            "control": _model(0.52, 0.94, B),
            "candidate": _model(0.87, 0.94, A),
        },
        comparisons=(
            comparison("base", 38, 3, 5.1e-9),
            comparison("incumbent", 38, 3, 5.1e-9),
            comparison("control", 25, 4, 0.000102),
        ),
        capability_comparisons=per_capability,
        worse_capabilities=(),
        regressions=Regressions(
            count=4, of=371, scenarios=("heldout-gift-card-07", "core-invoice-02", "lost-1", "r-2")
        ),
    )


def _training_record(adapter: str) -> TrainingRecord:
    return TrainingRecord(
        mixture=B,
        base=C,
        recipe=A,
        seed=7,
        threads=2,
        examples=2000,
        tokens=61240,
        steps=189,
        loss=(1.92, 0.61, 0.2, 0.104),
        adapter=adapter,
    )


def sweep() -> Sweep:
    points = [("control", 0.0, 0.52), ("s0", 0.0, 0.86), ("s25", 0.25, 0.87), ("s50", 0.5, 0.84), ("s75", 0.71, 0.78)]
    arms = tuple(
        Arm(
            name=name,
            synthetic_wanted={"s75": 0.75}.get(name, share),
            synthetic_share=share,
            human_rows=0 if name == "control" else 156,
            synthetic_rows=round(156 * share),
            replay_rows=1000,
            dev=set_score(weak, 0.94, 120),
            training=_training_record(A),
        )
        for name, share, weak in points
    )
    return Sweep(
        arms=arms,
        shape=CurveShape.PLATEAU,
        chosen="s25",
        human_share=0.75,
        explanation="Dev composite stays within .01 from 0 to 25 % synthetic and falls beyond it.",
        verdict=Verdict(),
    )


def diagnosis() -> Diagnosis:
    def failure(capability: str, confused: str, *, covered: bool = True, frequency: int = 31) -> FailureCluster:
        return FailureCluster(
            id=f"{capability}-as-{confused}",
            capability=capability,
            pattern=f"answers {confused} where {capability} is right",
            confused_with=confused,
            missed=("routing-label",),
            lenses=("customer",),
            severity=Severity.HIGH if covered else Severity.MEDIUM,
            scenarios=tuple(f"core-{capability}-{n:02}" for n in range(7)),
            signals=tuple(f"signal-{capability}-{n}" for n in range(19)),
            frequency=frequency,
            headroom=0.7,
            covered=covered,
            explanation=f"Three base examples are too few to tell {capability} from {confused}.",
            next_target=f"Collect 40 human messages for {capability}, half of them mentioning {confused}.",
        )

    failures = (
        failure("missing-item", "order-status"),
        failure("refund-status", "cancel-order", frequency=44),
        failure("warranty", "damaged-item"),
        failure("gift-card", "promo-code", covered=False, frequency=5),
    )
    return Diagnosis(
        failures=failures, targets=tuple(f.id for f in failures[:3]), uncovered=("gift-card-as-promo-code",)
    )


def batches() -> tuple[Batch, ...]:
    found = []
    for failure in diagnosis().failures[:3]:
        for channel, name in (
            (Channel.LOG, "corrected traces"),
            (Channel.LLM, "class-conditioned base"),
            (Channel.PERTURBATION, "seeded typos"),
        ):
            provenance = Provenance(
                channel=channel,
                generator=Generator(name=name, version="1", sha256=B),
                parameters={"temperature": 0.9},
                seed=7,
                target=failure.id,
                parents=failure.signals,
                count=40,
            )
            rejected = {"inconsistent label": 51, "duplicate": 6} if channel is Channel.LLM else {}
            found.append(Batch(id=f"{failure.capability}-{channel.value}", provenance=provenance, rejected=rejected))
    return tuple(found)


TEXTURE = Texture(
    texts=40,
    distinct_1=0.31,
    distinct_2=0.64,
    distinct_3=0.83,
    self_bleu=0.22,
    words=WordSpread(p10=5, p50=11, p90=19),
)
DIVERSITY = Diversity(
    batch=TEXTURE,
    real=TEXTURE.model_copy(update={"distinct_2": 0.71, "self_bleu": 0.17}),
    reach=Reach(members=0.86, vocabulary=0.52, modes=None),
)


def validation() -> ValidationReport:
    judged = []
    for batch in batches():
        bad, human = batch.id == "warranty-llm", batch.provenance.channel is Channel.LOG
        reasons = (Reason(step="fidelity", problem="38 % of the rows copy their parents, 20 % may"),) if bad else ()
        judged.append(
            BatchValidation(
                batch=batch.id,
                rows=40,
                fidelity=Fidelity(
                    length_distance=0.08,
                    vocabulary_distance=0.31,
                    ngram_distance=0.62,
                    exact_copies=0.38 * bad,
                    c2st_auc=None if human else Estimate(value=0.61, low=0.52, high=0.7),
                    outliers=None if human else Estimate(value=0.03, low=0.01, high=0.13),
                ),
                utility=Utility(synthetic_accuracy=0.71, real_accuracy=0.8, ratio=0.89),
                privacy=Privacy(median_distance_gold=0.61, median_distance_reference=0.64, membership_auc=0.54),
                leaks=(Leak(candidate="x", scenario="core-warranty-01", similarity=0.93),) if bad else (),
                verdict=Verdict(outcome=Outcome.REFUSE if bad else Outcome.PASS, reasons=reasons),
                diversity=DIVERSITY,
            )
        )
    passed = tuple(one.batch for one in judged if one.verdict.passed)
    return ValidationReport(batches=tuple(judged), passed=passed, failed=("warranty-llm",))


def begun() -> FunnelReport:
    """Every batch's funnel as far as consistent: 40 rows in each."""
    found = report(
        batch.model_copy(update={"rejected": one.rejected, "funnel": one})
        for batch in batches()
        for one in [expanded(40, LOST if batch.provenance.channel is Channel.LLM else ())]
    )
    assert found is not None
    return found


def funnel() -> FunnelReport:
    """Every batch to accepted: 38 of 40 a batch, none of the refused one."""
    rows = {batch.id: [_row(batch.id, number) for number in range(40)] for batch in batches()}
    every = [row for found in rows.values() for row in found]
    valid = [row for row in every if row.batch != "warranty-llm"]
    second = validated(begun(), candidates=every, valid=valid, leaked={rows["warranty-llm"][0].example.id})
    taken = [row for name, found in rows.items() if name != "warranty-llm" for row in found[:38]]
    return accepted(second, valid=valid, accepted=taken)


def _row(batch: str, number: int) -> Candidate:
    text = f"{batch} message {number}"
    return candidate(text, channel=Channel.LLM, capability="warranty", answer="warranty", batch=batch, parents=("g",))


def lineage() -> Lineage:
    """57 signals, 3 failures, 9 batches, 360 examples, one mixture, one adapter."""
    nodes = []
    for failure in diagnosis().failures[:3]:
        nodes += [LineageNode(id=name, kind="signal", parents=(), label="failed trace") for name in failure.signals]
        nodes.append(LineageNode(id=failure.id, kind="failure", parents=failure.signals, label=failure.pattern))
    examples = []
    for batch in batches():
        nodes.append(LineageNode(id=batch.id, kind="batch", parents=(batch.provenance.target,)))
        examples += [LineageNode(id=f"{batch.id}-{n:03}", kind="example", parents=(batch.id,)) for n in range(40)]
    nodes += examples
    nodes.append(LineageNode(id=B, kind="mixture", parents=tuple(node.id for node in examples)))
    nodes.append(LineageNode(id=A, kind="adapter", parents=(B,), label="candidate"))
    return Lineage(nodes=tuple(nodes))


def training() -> Training:
    strengths = tuple(
        StrengthPoint(strength=strength, dev=set_score(weak, 0.94, 120), lost=lost)
        for strength, weak, lost in ((0.6, 0.71, 1), (0.8, 0.87, 1), (1.0, 0.88, 3))
    )
    return Training(record=_training_record(B), arm="s25", strengths=strengths, strength=0.8, adapter=A)


def operations() -> Operations:
    return Operations(
        machine="2 CPUs, 24 GiB, no GPU",
        latency_p50_ms=3.4,
        latency_p95_ms=5.2,
        tokens_per_second=9120,
        peak_memory_mib=1210,
        seconds_per_decision=0.0034,
        cost_per_decision=1.9e-7,
        currency="EUR",
        training_seconds=74.2,
    )


def _lines(rows: Sequence[Record]) -> bytes:
    return b"".join(row.model_dump_json().encode() + b"\n" for row in rows)


def evidence() -> dict[str, bytes]:
    grades = [
        ScoredScenario(set=where, scenario=name, capability=capability, scores={"candidate": 0}, passed={})
        for where, name, capability in (
            (SetName.HELDOUT, "heldout-gift-card-07", "gift-card"),
            (SetName.CORE, "core-invoice-02", "invoice"),
        )
    ]
    risks = Risks(
        risks=(
            Risk(title="Gift cards stay weak", detail="No rubric covers them; a draft waits for the domain owners."),
            Risk(
                title="The benchmark is in English only", detail="What it does with other languages was not measured."
            ),
        )
    )
    rollback = RollbackContract(
        to_sequence=0, to_adapter=None, when="any confirmed misroute of a payment case", who="one on-call person"
    )
    records: dict[str, Record] = {
        EvidenceFile.SCORECARD: scorecard(),
        EvidenceFile.SWEEP: sweep(),
        EvidenceFile.DIAGNOSIS: diagnosis(),
        EvidenceFile.VALIDATION: validation(),
        EvidenceFile.LINEAGE: lineage(),
        EvidenceFile.FUNNEL: funnel(),
        EvidenceFile.TRAINING: training(),
        EvidenceFile.OPERATIONS: operations(),
        EvidenceFile.RISKS: risks,
        EvidenceFile.ROLLBACK: rollback,
    }
    files = {str(name): record.model_dump_json().encode() for name, record in records.items()}
    files[EvidenceFile.GRADES] = _lines(grades)
    files[EvidenceFile.PROVENANCE] = json.dumps([batch.model_dump(mode="json") for batch in batches()]).encode()
    return files
