"""The steps of an adapter through its stages: what traffic has to show, and what takes it out again."""

from __future__ import annotations

from functools import partial
from typing import Any

from runner.promotion.propose import Staging
from runner.records.evidence import EvidenceFile
from runner.records.promotion import ServingStage
from tests.attack.case import Case, Finding, passes
from tests.attack.desk import Desk, clock
from tests.attack.forgery import blind
from tests.staged_fixture import StagedWorld, jsonl, lines, with_evidence, without

BRANCH = "refs/heads/promote/desk/2"
CANARY = ServingStage.CANARY


class StagedDesk(Desk, StagedWorld):
    """A desk whose adapters enter in shadow."""


def in_shadow(desk: Desk) -> None:
    """The first adapter is in shadow since two days."""
    desk.now = clock(days=-2)
    desk.create()
    desk.propose(desk.staged(desk.staging()), check=True)
    desk.approve("alice", "bob")
    desk.promote()
    desk.now = clock()


def signed(desk: Desk, staging: Staging) -> Finding:
    desk.propose(desk.staged(staging), sequence=2)
    blind(desk, "alice", "bob", branch=BRANCH)
    return desk.gate(desk.merge(sequence=2))


def to_canary(desk: StagedDesk, **traffic: Any) -> Staging:
    requests = lines(desk.adapter(1), None, start=clock(days=-1.5), **traffic)
    return desk.moved(CANARY, jsonl(requests))


def moved(desk: StagedDesk, **traffic: Any) -> Finding:
    return signed(desk, to_canary(desk, **traffic))


def embellished(desk: StagedDesk) -> Finding:
    """The traffic's file says more than its graded requests."""

    def edit(told: dict[str, Any]) -> dict[str, Any]:
        return {**told, "requests": told["requests"] + 1000}

    return signed(desk, with_evidence(to_canary(desk), EvidenceFile.TRAFFIC, edit))


def without_traffic(desk: StagedDesk) -> Finding:
    return signed(desk, without(to_canary(desk), EvidenceFile.TRAFFIC_GRADES))


def deprecated(desk: StagedDesk) -> Finding:
    return signed(desk, desk.deprecated(1))


def deprecated_without_reason(desk: StagedDesk) -> Finding:
    return signed(
        desk, with_evidence(desk.deprecated(1), EvidenceFile.DEPRECATION, lambda told: {**told, "reason": ""})
    )


CASES = (
    passes("stage-moved-on", "From shadow to canary, with traffic that holds.", moved, start="shadow"),
    passes("adapter-deprecated", "An adapter is taken out, with a reason.", deprecated, start="shadow"),
    Case("traffic-embellished", "More requests are stated than were graded.", "6.7 traffic", embellished, "shadow"),
    Case("traffic-missing", "Canary without a graded request.", "6.7 traffic", without_traffic, "shadow"),
    Case("traffic-too-thin", "Too few requests.", "8.10 traffic", partial(moved, count=10), "shadow"),
    Case("deprecation-without-reason", "Nobody says why.", "6.8 deprecation", deprecated_without_reason, "shadow"),
)
