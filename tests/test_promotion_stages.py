"""Promotion by stages on real git with real keys: the whole way, and every step that may not be taken."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.errors import RecordError, VerificationError
from runner.promotion.approve import consider, summary
from runner.promotion.export import chosen
from runner.promotion.later import move_on
from runner.promotion.propose import Staging
from runner.promotion.rollback import rollback_to
from runner.promotion.verify import verify
from runner.records.evidence import EvidenceFile
from runner.records.intake import Incumbent
from runner.records.ledger import RunState
from runner.records.promotion import PromotionKind, RunSource, ServingStage
from runner.records.statement import Choice
from runner.rules.trust.stages import holder, standings
from tests.promotion_fixture import LATER
from tests.staged_fixture import RESULTS, Line, StagedWorld, jsonl, later, lines, with_evidence, without

SHADOW, CANARY, PRODUCTION = ServingStage.SHADOW, ServingStage.CANARY, ServingStage.PRODUCTION
DAY_2 = later(LATER, hours=24)
DAY_3 = later(DAY_2, hours=24)
Forge = Callable[[StagedWorld, Staging], Staging]


@pytest.fixture(scope="module")
def shadowed(tmp_path_factory: pytest.TempPathFactory) -> StagedWorld:
    """The first adapter is in shadow since LATER; it is a day later."""
    world = StagedWorld(tmp_path_factory.mktemp("stages") / "world")
    world.create()
    world.take(world.staging(), "alice", "bob", at=LATER)
    world.now = DAY_2
    return world


@pytest.fixture(scope="module")
def canary(shadowed: StagedWorld) -> Staging:
    """Its step into canary, with results that hold."""
    return shadowed.moved(CANARY, jsonl(good(shadowed)))


@pytest.fixture(scope="module")
def in_production(shadowed: StagedWorld, canary: Staging, tmp_path_factory: pytest.TempPathFactory) -> StagedWorld:
    """Shadow, canary, production: sequences 1 to 3."""
    world = shadowed.copy(tmp_path_factory.mktemp("production") / "world")
    world.take(canary, "alice", "bob", at=DAY_2)
    world.now = DAY_3
    world.take(world.moved(PRODUCTION, jsonl(good(world, start=DAY_2))), "bob", "carol", at=DAY_3)
    return world


def good(world: StagedWorld, *, start: str = LATER, sequence: int = 1) -> list[Line]:
    return lines(world.adapter(sequence), world.incumbent().adapter, start=start)


def test_each_stage_is_a_signed_step_and_the_whole_way_verifies(in_production: StagedWorld) -> None:
    records = in_production.before().records
    assert [(r.stage, r.follows, len(r.evidence)) for r in records.values()][1:] == [(CANARY, 1, 6), (PRODUCTION, 2, 6)]
    assert in_production.incumbent() == Incumbent(sequence=3, adapter=in_production.adapter(1))
    found = verify(in_production.sources(), tip=in_production.main, root=in_production.root_sha256)
    assert found.verdict.reasons == ()
    assert found.promotions == ["desk/1", "desk/2", "desk/3"]


def test_what_leaves_is_the_evidence_of_the_step_that_brought_in_what_serves(in_production: StagedWorld) -> None:
    """The later steps bring traffic: what was assessed stands in the first."""
    sources, tip = in_production.sources(), in_production.main
    found = chosen(sources, tip=tip, cluster="desk").promoted
    assert (found.record.sequence, "scorecard.json" in found.evidence) == (1, True)
    last = chosen(sources, tip=tip, cluster="desk", sequence=3).promoted
    assert (last.record.sequence, "scorecard.json" in last.evidence) == (3, False)


def test_what_is_in_shadow_or_canary_does_not_serve(shadowed: StagedWorld) -> None:
    assert shadowed.incumbent() == Incumbent(sequence=0)
    assert holder(shadowed.before().records, SHADOW) == shadowed.before().records[1]


def test_the_evidence_of_traffic_holds_no_prompt_and_no_answer(canary: Staging) -> None:
    grades = canary.evidence[EvidenceFile.TRAFFIC_GRADES]
    assert b"nswer" not in grades
    assert b"request-" not in grades
    figures = json.loads(canary.evidence[EvidenceFile.TRAFFIC])
    assert (figures["requests"], figures["models"]["candidate"]["agreement"]) == (60, 1.0)
    assert figures["models"]["incumbent"]["agreement"] == 0.5
    assert (figures["comparison"]["gained"], figures["comparison"]["lost"]) == (30, 0)


def test_deprecating_needs_people_and_leaves_nothing_to_serve(in_production: StagedWorld, tmp_path: Path) -> None:
    world = in_production.copy(tmp_path / "world")
    world.take(world.staging("it-2"), "alice", "bob", at=later(DAY_3, hours=1))
    gone = world.deprecated(4)
    world.propose(world.staged(gone), sequence=5, check=True)
    assert [reason.step for reason in world.judge(world.merge(sequence=5), now=world.now).reasons] == ["7 quorum"]
    world.approve("alice", "bob", sequence=5)
    world.land(world.merge(sequence=5))
    world.reconcile(now=later(DAY_3, hours=2))
    records = world.before().records
    assert holder(records, SHADOW) is None
    assert [(one.sequence, one.ended) for one in standings(records)] == [(3, ""), (5, "deprecated")]
    with pytest.raises(RecordError, match="no adapter in shadow"):
        world.moved(CANARY, jsonl(good(world)))
    with pytest.raises(RecordError, match="deprecated since sequence 5"):
        world.deprecated(4)
    found = verify(world.sources(), tip=world.main, root=world.root_sha256)
    assert found.verdict.reasons == ()


def test_a_stage_follows_only_the_one_before_it(shadowed: StagedWorld) -> None:
    with pytest.raises(RecordError, match="no adapter in canary"):
        shadowed.moved(PRODUCTION, jsonl(good(shadowed)))
    with pytest.raises(RecordError, match="no stage comes before shadow"):
        shadowed.moved(SHADOW, jsonl(good(shadowed)))


def traffic(change: Callable[[list[Line]], object], *, start: str = LATER) -> Forge:
    """The step made by the program itself, of other results."""

    def forge(world: StagedWorld, staging: Staging) -> Staging:
        rows = good(world, start=start)
        change(rows)
        made = move_on(world.sources(), world.main, "desk", CANARY, results=jsonl(rows), path=RESULTS)
        return replace(made, evidence={**made.evidence, EvidenceFile.DRILL: staging.evidence[EvidenceFile.DRILL]})

    return forge


def every(rows: list[Line], **fields: Any) -> None:
    for row in rows:
        row.update(fields)


def only_the_candidate_errs(rows: list[Line]) -> None:
    """The incumbent is right everywhere, and the candidate wrong on twelve."""
    for row in rows:
        row["results"][1]["answer"] = row["reference"]
    of_candidate(rows[:12], answer="no")


def of_candidate(rows: list[Line], **fields: Any) -> None:
    for row in rows:
        row["results"][0].update(fields)


def figure(**fields: Any) -> Forge:
    return lambda world, staging: with_evidence(staging, EvidenceFile.TRAFFIC, lambda old: {**old, **fields})


def drill(**fields: Any) -> Forge:
    return lambda world, staging: with_evidence(staging, EvidenceFile.DRILL, lambda old: {**old, **fields})


def grades(change: Callable[[list[Line]], object]) -> Forge:
    """Other grades than the figures follow from."""

    def forge(world: StagedWorld, staging: Staging) -> Staging:
        rows = [json.loads(line) for line in staging.evidence[EvidenceFile.TRAFFIC_GRADES].splitlines()]
        change(rows)
        return replace(staging, evidence={**staging.evidence, EvidenceFile.TRAFFIC_GRADES: jsonl(rows)})

    return forge


def step(**fields: Any) -> Forge:
    return lambda world, staging: replace(staging, **fields)


SLOW = {"propose": 1.0, "approve": 1.0, "merge": 60.0, "total": 62.0}
REFUSED: dict[str, tuple[str, Forge]] = {
    "production straight from shadow": ("production does not follow shadow", step(stage=PRODUCTION)),
    "shadow again": ("shadow does not follow shadow", step(stage=SHADOW)),
    "it follows nothing": ("never promoted", step(follows=9)),
    "no assessment under canary's name": ("6.1 files: evidence/grades.jsonl is missing", step(follows=None)),
    "a new adapter enters canary": ("cluster.yaml says shadow", step(follows=None)),
    "a known adapter as a new one": ("known since sequence 1", step(follows=None, stage=SHADOW)),
    "another run": (
        "its run is not that of sequence 1",
        step(run=RunSource(branch="runs/desk/other", iteration="other")),
    ),
    "another human share": ("its human share is not that", step(human_share=0.9)),
    "a rollback of canary": ("about production alone", step(kind=PromotionKind.ROLLBACK, restores=1)),
    "a rollback to what was in shadow only": (
        "never in production",
        step(kind=PromotionKind.ROLLBACK, restores=1, follows=None, stage=PRODUCTION),
    ),
    "it restores": ("only a rollback restores", step(restores=1)),
    "no traffic": ("evidence/traffic.json is missing", lambda w, s: without(s, EvidenceFile.TRAFFIC)),
    "no grades": ("grades nothing", lambda w, s: without(s, EvidenceFile.TRAFFIC_GRADES)),
    "a figure that is not so": ("states another requests", figure(requests=600)),
    "another adapter's figures": ("states another adapter", figure(adapter="a" * 64)),
    "against another incumbent": ("states another incumbent", figure(incumbent="a" * 64)),
    "of another stage": ("states another stage", figure(stage="canary")),
    "a grade turned round": ("states another models", grades(lambda rows: rows[1]["passed"].update(incumbent=True))),
    "a grade twice": ("grades a request twice", grades(lambda rows: rows.append(rows[0]))),
    "a grade of a third model": ("other models", grades(lambda rows: rows[0]["passed"].update(control=True))),
    "an error that passes": ("an error passes", grades(lambda rows: rows[0].update(errors=["candidate"]))),
    "a line that is no grade": ("line 1: ", grades(lambda rows: rows[0].pop("capability"))),
    "a capability of nobody's": ("no capability", grades(lambda rows: rows[0].update(capability="warranty"))),
    "too few": ("8.10 traffic: 39 requests", traffic(lambda rows: rows.__delitem__(slice(39, None)))),
    "too short": ("0.0 hours of traffic", traffic(lambda rows: every(rows, at=LATER))),
    "stale": ("more than 14 days ago", traffic(lambda rows: None, start=later(LATER, days=-20))),
    "of tomorrow": ("and it is", traffic(lambda rows: None, start=DAY_2)),
    "too often wrong": ("agreement 0.0000", traffic(lambda rows: of_candidate(rows, answer="no"))),
    "too many errors": ("ended in an error", traffic(lambda rows: of_candidate(rows[:4], error="timeout"))),
    "too slow": ("above 50.0 ms", traffic(lambda rows: of_candidate(rows, latency_ms=51.0))),
    "worse than the incumbent": (
        "worse than the incumbent, over 0.1",
        traffic(only_the_candidate_errs),
    ),
    "one capability worse": (
        "order-status is significantly worse",
        traffic(lambda rows: of_candidate(rows[:30:2], answer="no")),
    ),
    "no drill": ("evidence/drill.json is missing", lambda w, s: without(s, EvidenceFile.DRILL)),
    "a drill of another adapter": ("rehearsed with other adapters", drill(from_adapter="a" * 64)),
    "a drill to elsewhere": ("rehearsed with other adapters", drill(to_sequence=1)),
    "a drill without bytes": ("hashed 7 files", drill(files=7)),
    "a drill that failed": ("the hook said no", drill(problems=["the hook said no"])),
    "a slow drill": ("it took 62.0 s", drill(measured=SLOW)),
    "a deprecation without a reason": (
        "evidence/deprecation.json is missing",
        lambda w, s: without(w.deprecated(1), EvidenceFile.DEPRECATION),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, shadowed: StagedWorld, canary: Staging, tmp_path: Path) -> None:
    expected, forge = REFUSED[name]
    world = shadowed.copy(tmp_path / "world")
    forged = forge(world, canary)
    with pytest.raises(VerificationError, match=expected):
        world.propose(world.staged(forged), sequence=2, check=True)


def test_the_step_that_is_forged_above_holds_as_it_is(shadowed: StagedWorld, canary: Staging, tmp_path: Path) -> None:
    world = shadowed.copy(tmp_path / "world")
    world.propose(world.staged(canary), sequence=2, check=True)


LIVE: dict[str, tuple[str, Callable[[list[Line]], object], str]] = {
    "replayed": ("1 requests were replayed", lambda rows: rows[0].update(source="replayed"), DAY_2),
    "from before canary": ("before the adapter was in canary", lambda rows: None, LATER),
}


@pytest.mark.parametrize("name", LIVE)
def test_production_asks_for_live_traffic_of_canary(
    name: str, shadowed: StagedWorld, canary: Staging, tmp_path: Path
) -> None:
    expected, change, start = LIVE[name]
    world = shadowed.copy(tmp_path / "world")
    world.take(canary, "alice", "bob", at=DAY_2)
    world.now = DAY_3
    rows = good(world, start=start)
    change(rows)
    staging = world.moved(PRODUCTION, jsonl(rows))
    with pytest.raises(VerificationError, match=expected):
        world.propose(world.staged(staging), sequence=3, check=True)


def test_who_was_replaced_in_shadow_does_not_move_on(shadowed: StagedWorld, canary: Staging, tmp_path: Path) -> None:
    world = shadowed.copy(tmp_path / "world")
    world.take(world.staging("it-2"), "alice", "bob", at=DAY_2)
    with pytest.raises(VerificationError, match="sequence 1 does not hold shadow: sequence 2 does"):
        world.propose(world.staged(replace(canary, sequence=3)), sequence=3, check=True)


def test_an_adapter_assessed_against_what_served_then_does_not_move_on(
    in_production: StagedWorld, shadowed: StagedWorld, tmp_path: Path
) -> None:
    """Sequence 4 is assessed against 3; 3 is rolled back to the base; 4 is to be assessed again."""
    world = in_production.copy(tmp_path / "world")
    world.take(world.staging("it-2"), "alice", "bob", at=later(DAY_3, hours=1))
    back = rollback_to(world.sources(), world.main, "desk", why="refunds misrouted")
    assert (back.restores, back.adapter, back.branch) == (0, None, "refs/heads/rollback/desk/5")
    world.take(back, "carol", at=later(DAY_3, hours=2))
    assert world.incumbent() == Incumbent(sequence=5, adapter=None)
    world.now = later(DAY_3, hours=20)
    staging = world.moved(CANARY, jsonl(good(world, start=later(DAY_3, hours=3), sequence=4)))
    with pytest.raises(VerificationError, match="assessed against sequence 3, and 5 is in production now"):
        world.propose(world.staged(staging), sequence=6, check=True)


def test_what_serves_is_not_deprecated_and_what_is_deprecated_does_not_come_back(
    in_production: StagedWorld, tmp_path: Path
) -> None:
    world = in_production.copy(tmp_path / "world")
    with pytest.raises(VerificationError, match="this adapter is in production"):
        world.propose(world.staged(world.deprecated(3)), sequence=4, check=True)
    forged = rollback_to(world.sources(), world.main, "desk", 0, why="refunds misrouted")
    world.take(forged, "carol", at=later(DAY_3, hours=1))
    back = rollback_to(world.sources(), world.main, "desk", 3, why="it was not the adapter")
    world.take(world.deprecated(2), "alice", "bob", at=later(DAY_3, hours=2))
    with pytest.raises(RecordError, match="desk/3 cannot be rolled back to"):
        rollback_to(world.sources(), world.main, "desk", 3, why="it was not the adapter")
    with pytest.raises(VerificationError, match="it brings back is deprecated"):
        world.propose(world.staged(replace(back, sequence=6)), sequence=6, check=True)


def test_an_approver_sees_the_traffic_the_drill_and_the_way_so_far(
    shadowed: StagedWorld, canary: Staging, tmp_path: Path
) -> None:
    world = shadowed.copy(tmp_path / "world")
    world.propose(world.staged(canary), sequence=2, check=True)
    seen = consider(world.sources(), world.git, "desk/2", now=world.now, remote=None)
    told = summary(seen.facts, choice=Choice.APPROVE, person="alice")
    assert told["so_far"] == [f"shadow by promotion 1, since {LATER}"]
    assert told["traffic"]["models"]["candidate"]["agreement"] == 1.0
    assert told["drill"]["measured"]["total"] > 0
    assert (told["stage"], told["rollback"]["to_sequence"]) == ("canary", 0)
    assert "operations" not in told


def test_a_step_of_another_adapter_between_is_no_rollback(in_production: StagedWorld, tmp_path: Path) -> None:
    world = in_production.copy(tmp_path / "world")
    world.take(world.staging("it-2"), "alice", "bob", at=later(DAY_3, hours=1))
    history = world.sources().chain("desk").history
    assert [history.state(name) for name in ("it-1", "it-2")] == [RunState.PROMOTED, RunState.PROMOTED]
    world.take(rollback_to(world.sources(), world.main, "desk", 0, why="misrouted"), "carol", at=later(DAY_3, hours=2))
    history = world.sources().chain("desk").history
    assert [history.state(name) for name in ("it-1", "it-2")] == [RunState.ROLLED_BACK, RunState.PROMOTED]
