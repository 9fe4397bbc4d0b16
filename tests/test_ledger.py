"""The history accepts an entry whole or stays as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.edges.ledger_store import GitLedgerStore
from runner.edges.simulated_repository import MemoryLedger
from runner.errors import PhaseOrderError, VerificationError
from runner.ledger import PHASES, History, count_look, entry_digest
from runner.promotion.verify import verify
from runner.records.ledger import Entry, EntryKind, RunState
from runner.records.verdict import Outcome, Reason, Verdict
from runner.rules.evaluation.looks import candidates
from tests.promotion_fixture import World

WAIT = Verdict(outcome=Outcome.WAIT)
REFUSE = Verdict(outcome=Outcome.REFUSE, reasons=(Reason(step="1", problem="no"),))


def entry(history: History, kind: EntryKind, **fields: Any) -> Entry:
    fields = {"iteration": "it-1", "sequence": history.size + 1, "previous": history.head, **fields}
    return Entry(cluster=history.cluster, kind=kind, **fields)


def queued(name: str = "it-1", history: History | None = None) -> History:
    history = history or History("c")
    return history.append(entry(history, EntryKind.QUEUED, iteration=name))


def through(history: History, last: str, iteration: str = "it-1") -> History:
    for phase in PHASES[: PHASES.index(last) + 1]:
        history = history.append(entry(history, EntryKind.PHASE, iteration=iteration, phase=phase))
    return history


def receipt(history: History, number: int, iteration: str = "it-1") -> History:
    return history.append(entry(history, EntryKind.RECEIPT, iteration=iteration, promotion=number, receipt={}))


def test_states_follow_the_entries() -> None:
    history = queued()
    assert history.state("it-1") is RunState.QUEUED
    history = history.append(entry(history, EntryKind.PHASE, phase="intake"))
    assert history.state("it-1") is RunState.ACTIVE
    assert history.next_phase("it-1") == "ingest"
    history = through(queued(), "train")
    assert history.state("it-1") is RunState.ASSESSING
    history = through(queued(), "bundle")
    assert history.next_phase("it-1") is None
    assert receipt(history, 1).state("it-1") is RunState.PROMOTED


def test_a_wait_may_be_followed_by_a_pass_of_the_same_phase() -> None:
    history = through(queued(), "validate")
    history = history.append(entry(history, EntryKind.PHASE, phase="triage", verdict=WAIT))
    assert history.state("it-1") is RunState.BLOCKED
    history = history.append(entry(history, EntryKind.PHASE, phase="triage"))
    assert history.state("it-1") is RunState.ACTIVE
    assert history.next_phase("it-1") == "sweep"


def test_a_later_receipt_of_an_earlier_iteration_is_a_roll_back() -> None:
    history = receipt(through(queued(), "bundle"), 1)
    history = receipt(through(queued("it-2", history), "bundle", "it-2"), 2, "it-2")
    assert history.state("it-1") is RunState.PROMOTED
    history = receipt(history, 3, "it-1")
    assert history.state("it-2") is RunState.ROLLED_BACK
    assert history.state("it-1") is RunState.PROMOTED


def test_a_superseded_iteration_may_be_queued_again_and_goes_on() -> None:
    history = through(queued(), "ingest")
    history = history.append(entry(history, EntryKind.SUPERSEDED))
    assert history.state("it-1") is RunState.SUPERSEDED
    with pytest.raises(PhaseOrderError, match="superseded"):
        history.append(entry(history, EntryKind.PHASE, phase="deduplicate"))
    history = queued("it-1", history)
    assert history.next_phase("it-1") == "deduplicate"


@pytest.mark.parametrize(
    ("base", "kind", "fields", "message"),
    [
        ("none", EntryKind.PHASE, {"phase": "intake"}, "never queued"),
        ("none", EntryKind.QUEUED, {"iteration": ""}, "names its iteration"),
        ("queued", EntryKind.QUEUED, {"iteration": "it-2"}, "in flight"),
        ("queued", EntryKind.QUEUED, {}, "in flight"),
        ("queued", EntryKind.PHASE, {"phase": "ingest"}, "next phase"),
        ("queued", EntryKind.PHASE, {"phase": ""}, "next phase"),
        ("ingest", EntryKind.PHASE, {"phase": "ingest"}, "next phase"),
        ("ingest", EntryKind.RECEIPT, {"promotion": 1, "receipt": {}}, "no passed bundle"),
        ("bundle", EntryKind.RECEIPT, {"promotion": 2, "receipt": {}}, "promotion 1"),
        ("bundle", EntryKind.RECEIPT, {"promotion": 1}, "carries its receipt"),
        ("bundle", EntryKind.PHASE, {"phase": "bundle"}, "through its bundle"),
        ("bundle", EntryKind.SUPERSEDED, {}, "through its bundle"),
        ("bundle", EntryKind.QUEUED, {}, "queued before"),
    ],
)
def test_a_wrong_order_raises_and_changes_nothing(base: str, kind: EntryKind, fields: Any, message: str) -> None:
    history = History("c") if base == "none" else queued() if base == "queued" else through(queued(), base)
    before = history.entries
    with pytest.raises(PhaseOrderError, match=message):
        history.append(entry(history, kind, **fields))
    assert history.entries == before


def test_every_tampering_breaks_the_chain() -> None:
    entries = list(receipt(through(queued(), "bundle"), 1).entries)
    assert History.from_entries("c", entries).size == len(entries)
    for at in range(len(entries) - 1):
        dropped = entries[:at] + entries[at + 1 :]
        swapped = [*entries[:at], entries[at + 1], entries[at], *entries[at + 2 :]]
        edited = [*entries]
        edited[at] = entries[at].model_copy(update={"inputs": {"x": "0" * 64}})
        for wrong in (dropped, swapped, edited):
            with pytest.raises(VerificationError):
                History.from_entries("c", wrong)


def test_measured_stands_outside_the_digest() -> None:
    first = queued().entries[0]
    assert entry_digest(first) == entry_digest(first.model_copy(update={"measured": {"seconds": 3}}))
    assert entry_digest(first) != entry_digest(first.model_copy(update={"iteration": "it-2"}))
    assert entry_digest(first) != entry_digest(first.model_copy(update={"verdict": REFUSE}))


# looks at held-out

SET, OTHER = "a" * 64, "b" * 64


def look(history: History, adapter: str = "c" * 64, **fields: Any) -> Entry:
    inputs = {"scenarios/heldout": SET, "adapter": adapter}
    return entry(history, EntryKind.LOOK, **{"iteration": "", "inputs": inputs, **fields})


def test_a_look_may_come_at_any_time_and_is_of_no_iteration() -> None:
    history = through(queued(), "triage")
    after = history.append(look(history))
    assert (after.runs, after.current, after.state("it-1")) == (history.runs, "it-1", history.state("it-1"))
    assert through_rest(after).next_phase("it-1") is None
    empty = History("c")
    alone = empty.append(look(empty))
    assert alone.current is None
    assert queued(history=alone).current == "it-1", "a look is not in flight"


def through_rest(history: History) -> History:
    for phase in PHASES[PHASES.index("triage") + 1 :]:
        history = history.append(entry(history, EntryKind.PHASE, phase=phase))
    return history


@pytest.mark.parametrize(
    "wrong",
    [
        {"iteration": "it-1"},
        {"phase": "assess"},
        {"outputs": {"answers": SET}},
        {"inputs": {"scenarios/heldout": SET}},
        {"inputs": {"adapter": SET}},
        {"inputs": {"scenarios/heldout": SET, "adapter": SET, "base": SET}},
    ],
)
def test_a_look_says_what_was_looked_at_and_by_whom_and_nothing_else(wrong: dict[str, Any]) -> None:
    history = queued()
    with pytest.raises(PhaseOrderError, match="a look"):
        history.append(look(history, **wrong))


def test_looks_are_counted_by_set_and_candidate() -> None:
    history = through(queued(), "train")
    seen = {"scenarios/heldout": SET, "adapter": "1" * 64}
    history = history.append(entry(history, EntryKind.PHASE, phase="assess", inputs=seen, verdict=REFUSE))
    history = history.append(entry(history, EntryKind.PHASE, phase="assess", inputs=seen))
    history = history.append(look(history, "2" * 64))
    history = history.append(look(history, "3" * 64, inputs={"scenarios/heldout": OTHER, "adapter": "3" * 64}))
    assert candidates(history.entries, SET) == {"1" * 64, "2" * 64}
    assert candidates(history.entries, OTHER) == {"3" * 64}
    pinned = History("d").append(
        Entry(cluster="d", sequence=1, previous=None, kind=EntryKind.QUEUED, iteration="it-1", inputs=seen)
    )
    assert candidates(pinned.entries, SET) == frozenset(), "what an iteration is pinned to, nobody has looked at"
    old = History("c").append(entry(History("c"), EntryKind.QUEUED))
    old = through(old, "train")
    old = old.append(entry(old, EntryKind.PHASE, phase="assess", inputs={"scenarios/heldout": SET}))
    assert len(candidates(old.entries, SET)) == 1, "an entry that names no adapter counts by itself"


def test_a_registry_with_looks_in_its_ledger_promotes_and_verifies(tmp_path: Path) -> None:
    """A look before the promotion, one between its proposal and its merge, and one after it."""
    world = World(tmp_path / "world")
    world.create()

    def take(adapter: str) -> None:
        store = GitLedgerStore(world.origin, remote=None)
        assert count_look(store, "desk", heldout=SET, adapter=adapter, allowed=3).passed

    take("1" * 64)
    world.propose(world.staged(world.staging()), check=True)
    take("2" * 64)
    world.approve("alice", "bob")
    merged = world.merge()
    assert world.judge(merged).reasons == ()
    world.land(merged)
    world.reconcile()
    take("3" * 64)
    found = verify(world.sources(adapters=False), tip=world.main, root=world.root_sha256)
    assert (found.verdict.reasons, found.promotions) == ((), ["desk/1"])


def test_a_look_is_entered_once_and_refused_past_the_budget() -> None:
    store = MemoryLedger()

    def take(adapter: str, heldout: str = SET) -> Verdict:
        return count_look(store, "c", heldout=heldout, adapter=adapter, allowed=2)

    assert take("1" * 64).passed
    assert take("2" * 64).passed
    refused = take("3" * 64)
    assert refused.outcome is Outcome.REFUSE
    assert refused.reasons[0].problem == "2 candidates have looked at this held-out set, 2 may"
    assert refused.reasons[0].hint == "rotate it: hallmark benchmark rotate c"
    assert take("1" * 64).passed, "looking again tells nothing new"
    assert take("3" * 64, OTHER).passed, "a rotated set is another"
    assert [one.kind for one in store.read("c")] == [EntryKind.LOOK] * 3
