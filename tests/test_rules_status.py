from __future__ import annotations

import pytest

from runner.ledger import PHASES, History
from runner.records.cluster import Cluster, HubBase
from runner.records.cluster_status import AdapterStatus, ClusterStatus
from runner.records.evidence import CandidateSummary
from runner.records.ledger import Entry, EntryKind
from runner.records.promotion import ServingStage
from runner.records.scenario import SetName
from runner.records.verdict import Outcome, Reason, Verdict
from runner.rules.loop.status import block, cluster_status, duration, phase_line
from tests.evidence_fixture import cluster

FIGURES = CandidateSummary(
    composite_before=0.78,
    composite_after=0.8941,
    composite_threshold=0.88,
    heldout_before=0.7,
    heldout_after=0.872,
    heldout_threshold=0.86,
    regressions=0,
    regressions_of=248,
    p_value=1e-6,
)
REASON = Reason(step="triage", problem="12 candidates are undecided", hint="decide them")


def history(passed: int, ended: Verdict | None = None, kind: EntryKind = EntryKind.PHASE) -> History:
    """An iteration through `passed` phases of 21 s each, and one more entry with `ended`."""
    found = History("support-desk")

    def add(kind: EntryKind, phase: str = "", verdict: Verdict | None = None) -> None:
        nonlocal found
        entry = Entry(
            cluster="support-desk",
            sequence=found.size + 1,
            previous=found.head,
            kind=kind,
            iteration="i1",
            phase=phase,
            verdict=verdict or Verdict(),
            measured={"seconds": 21},
        )
        found = found.append(entry)

    add(EntryKind.QUEUED)
    for phase in PHASES[:passed]:
        add(EntryKind.PHASE, phase)
    if ended is not None:
        add(kind, PHASES[passed] if kind is EntryKind.PHASE else "", ended)
    return found


def made(
    found: History | None, record: Cluster | None = None, figures: CandidateSummary | None = None
) -> ClusterStatus:
    return cluster_status(
        record or cluster(),
        phases=PHASES,
        scenarios={SetName.CORE: 120, SetName.HELDOUT: 240},
        entries=found.of("i1") if found else (),
        iteration="i1" if found else "",
        state=found.state("i1") if found else None,
        promoted=0,
        figures=figures,
        figures_of="iteration i1",
    )


def test_block_has_the_anchors_figures() -> None:
    rows = dict(block(made(history(12), figures=FIGURES)))
    assert rows["composite"] == "0.894 / 0.880"
    assert rows["held-out"] == "0.872 / 0.860"
    assert rows["regressions"] == "0 / 248"
    assert rows["duration"] == "4 m 12 s"
    assert rows["scenario sets"] == "core 120, heldout 240"
    assert rows["phase"] == "12 of 13 assess, next: bundle"
    assert rows["state"] == "assessing"
    assert rows["model"] == "tiny base, the base alone"
    assert "waits for" not in rows


def test_a_rollback_to_the_base_is_told_from_the_promotion_that_it_ends() -> None:
    one = AdapterStatus(
        adapter="a" * 64,
        stage=ServingStage.PRODUCTION,
        sequence=1,
        since="2026-03-01T12:00:00Z",
        approved_by=("alice", "bob"),
        ended="",
        ended_by=None,
    )
    serves = made(None).model_copy(update={"promoted_sequence": 1, "adapters": (one,)})
    assert dict(block(serves))["model"] == "tiny base, promotion 1"
    ended = one.model_copy(update={"ended": "rolled back", "ended_by": 2})
    back = serves.model_copy(update={"promoted_sequence": 2, "adapters": (ended,)})
    assert dict(block(back))["model"] == "tiny base, the base alone since promotion 2"


def test_nothing_queued() -> None:
    status = made(None)
    rows = dict(block(status))
    assert rows["iteration"] == "none queued"
    assert rows["state"] == "idle"
    assert rows["composite"] == "not measured yet"
    assert status.waiting is None
    assert phase_line(status) == "0 of 13"


def test_queued_names_its_first_phase() -> None:
    assert phase_line(made(history(0))) == "0 of 13, next: intake"


def test_triage_waits_for_domain_owners() -> None:
    status = made(history(8, Verdict(outcome=Outcome.WAIT, reasons=(REASON,))))
    assert status.waiting is not None
    assert status.waiting.who == "domain owners"
    assert "clusters/support-desk/triage/i1.yaml" in status.waiting.what
    assert (status.phase, status.phase_number, status.next_phase) == ("triage", 9, "triage")
    assert ("because", "triage: 12 candidates are undecided (decide them)") in block(status)


def test_bundle_waits_for_approvers() -> None:
    status = made(history(13))
    assert status.waiting is not None
    assert status.waiting.who == "approvers"
    assert phase_line(status) == "13 of 13 bundle, done"


def test_refusal_is_blocked_with_its_reasons() -> None:
    status = made(history(9, Verdict(outcome=Outcome.REFUSE, reasons=(REASON,))))
    assert status.state == "blocked"
    assert status.reasons == ("triage: 12 candidates are undecided (decide them)",)
    assert status.waiting is not None
    assert "sweep refused" in status.waiting.what


def test_a_phase_that_waited_and_then_passed_waits_for_nobody() -> None:
    found = history(8, Verdict(outcome=Outcome.WAIT, reasons=(REASON,)))
    passed = Entry(
        cluster="support-desk",
        sequence=found.size + 1,
        previous=found.head,
        kind=EntryKind.PHASE,
        iteration="i1",
        phase="triage",
    )
    status = made(found.append(passed))
    assert status.waiting is None
    assert status.reasons == ()
    assert status.next_phase == "sweep"


def test_superseded_waits_for_nobody() -> None:
    status = made(history(3, Verdict(outcome=Outcome.REFUSE, reasons=(REASON,)), EntryKind.SUPERSEDED))
    assert status.state == "superseded"
    assert status.waiting is None


def test_hub_base_shows_its_revision() -> None:
    hub = cluster().model_copy(update={"base": HubBase(kind="hub", id="org/model", revision="c" * 40)})
    assert dict(block(made(None, hub)))["model"] == f"org/model@{'c' * 12}, the base alone"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0.0 s"), (9.94, "9.9 s"), (59.7, "1 m 0 s"), (252, "4 m 12 s"), (3661, "1 h 1 m 1 s")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
