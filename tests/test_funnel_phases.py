"""The funnel through phases 7, 8, 9 and 13: what the artifacts hold is what it counts."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from runner.edges.simulated import MemoryArtifacts, simulated_ports
from runner.pipeline import perform, stage
from runner.records.dataset import Channel
from runner.records.evidence import EvidenceFile
from runner.records.funnel import ORDER, FunnelReport, FunnelStep
from runner.records.scenario import Origin, SetName
from runner.records.verdict import Outcome
from runner.rules.data.diversity import STEP
from tests.flywheel_fixture import fixture, user
from tests.test_phases import run_all

RULES = [
    {
        "id": "no-please",
        "reason": "It begs.",
        "check": {"kind": "must-not-contain", "values": ["please"]},
    },
    {
        "id": "brief",
        "reason": "It says too much for a login question.",
        "capabilities": ["login"],
        "check": {"kind": "words", "most": 8},
    },
]


@pytest.fixture(scope="module")
def ruled() -> dict[str, Any]:
    space, values = fixture(domain_rules=RULES)
    run_all(space, values)
    return values


def test_the_evidence_has_the_funnel_of_every_batch_and_over_all(ruled: dict[str, Any]) -> None:
    found = FunnelReport.model_validate(json.loads(ruled["bundle"].files[EvidenceFile.FUNNEL]))
    assert found == ruled["triage"].funnel
    assert [one.step for one in found.total.steps] == list(ORDER)
    kept = {step.step: step.kept for step in found.total.steps}
    assert kept[FunnelStep.CONSISTENT] == len(ruled["candidates"])
    assert kept[FunnelStep.VALIDATED] == len(ruled["valid"])
    assert kept[FunnelStep.ACCEPTED] == len(ruled["accepted"])
    assert kept[FunnelStep.GENERATED] == len(ruled["candidates"]) + len(ruled["rejected"])
    causes = Counter(row.cause for row in ruled["rejected"])
    assert {name: count for name, count in found.total.rejected.items() if name in causes} == causes
    for batch in ruled["batches"]:
        own = found.of(batch.id)
        assert own is not None
        assert own.steps[: len(batch.funnel.steps)] == batch.funnel.steps


def test_why_says_of_a_batch_how_many_rows_it_kept(ruled: dict[str, Any]) -> None:
    nodes = json.loads(ruled["bundle"].files[EvidenceFile.LINEAGE])["nodes"]
    labels = {node["id"]: node["label"] for node in nodes if node["kind"] == "batch"}
    assert labels
    for batch in ruled["batches"]:
        if batch.id in labels:
            assert labels[batch.id].endswith(f"; {batch.provenance.count} of {batch.funnel.generated} rows kept")


def test_a_domain_rule_binds_what_is_generated_and_what_people_wrote(ruled: dict[str, Any]) -> None:
    broken = [row for row in ruled["rejected"] if row.step is FunnelStep.RULED]
    assert {row.cause for row in broken} == {"no-please", "brief"}
    assert {row.detail for row in broken if row.cause == "no-please"} == {"It begs."}
    assert {row.capability for row in broken if row.cause == "brief"} == {"login"}
    assert any(row.batch.endswith(f"-{Channel.LOG}") for row in broken)
    texts = [row.example.input[-1].content for row in ruled["candidates"]]
    assert not [text for text in texts if "please" in text.split()]


def test_leaked_rows_and_refused_batches_are_told_apart() -> None:
    space, values = fixture()
    run_all(space, values, upto="expand")
    candidates = list(values["candidates"])
    log = next(place for place, one in enumerate(candidates) if one.example.origin is Origin.HUMAN)
    llm = [place for place, one in enumerate(candidates) if one.batch.endswith("-llm")][:2]
    for place, scenario in zip((log, *llm), space.scenarios[SetName.HELDOUT], strict=False):
        text = scenario.input[-1].content.upper() + "!"
        example = candidates[place].example.model_copy(update={"input": user(text)})
        candidates[place] = candidates[place].model_copy(update={"example": example})
    values["candidates"] = candidates
    output = perform(stage("validate"), space, MemoryArtifacts(values), simulated_ports())
    report: Any = output.artifacts["validation"]
    steps = {one.batch: one.funnel.steps[-1] for one in report.funnel.batches}
    assert steps[candidates[log].batch].rejected == {"near-frozen": 1}
    whole = sum(one.batch == candidates[llm[0]].batch for one in candidates)
    assert steps[candidates[llm[0]].batch].rejected == {"near-frozen": 2, "batch-refused": whole - 2}
    assert steps[candidates[llm[0]].batch].kept == 0


def test_a_batch_that_misses_a_limit_on_diversity_is_refused_and_a_human_one_is_not() -> None:
    space, values = fixture(diversity={"min_distinct_1": 1.0}, validation={"max_membership_auc": 1.0})
    run_all(space, values, upto="validate")
    report: Any = values["validation"]
    channels = {batch.id: batch.provenance.channel for batch in values["batches"]}
    for one in report.batches:
        missed = [reason.problem for reason in one.verdict.reasons if reason.step == STEP]
        assert bool(missed) is (channels[one.batch] is not Channel.LOG)
        assert one.diversity is not None
        assert (one.diversity.reach.members is None) is (channels[one.batch] is Channel.LOG)
        if missed:
            assert (one.verdict.outcome, one.batch in report.failed) == (Outcome.REFUSE, True)
            assert missed[0].startswith("distinct-1 0.")
            assert missed[0].endswith("is below 1.000")


def test_batches_from_before_there_were_funnels_go_on_without_one() -> None:
    space, values = fixture()
    run_all(space, values, upto="expand")
    values["batches"] = [batch.model_copy(update={"funnel": None}) for batch in values["batches"]]
    outputs: dict[str, Any] = {}
    for name in ("validate", "triage"):
        outputs[name] = perform(stage(name), space, MemoryArtifacts(values), simulated_ports()).artifacts
        values.update(outputs[name])
    assert outputs["validate"]["validation"].funnel is None
    assert "funnel" not in outputs["triage"]["triage"].model_dump(mode="json")
