"""What the demonstration decides and adds up; `make demo` runs the rest for real."""

from __future__ import annotations

from runner.records.conversation import Message, Role
from runner.records.ledger import Entry, EntryKind
from runner.records.scenario import Origin
from runner.records.triage import Choice, Decision, TriageFile
from runner.rules.data.demonstration import choose, compute_seconds, vocabulary


def decision(text: str, origin: Origin) -> Decision:
    said = (Message(role=Role.USER, content=text),)
    return Decision(candidate=text, capability="refund", origin=origin, input=said, answer="refund")


def entry(sequence: int, **measured: float) -> Entry:
    return Entry(
        cluster="desk", sequence=sequence, previous=None, kind=EntryKind.PHASE, iteration="desk-1", measured=measured
    )


def test_the_owner_accepts_customers_and_rejects_what_nobody_would_write():
    human = decision("where is my money back", Origin.HUMAN)
    known = vocabulary(TriageFile(cluster="desk", iteration="desk-1", decisions=(human,)))
    assert choose(human, known)[0] is Choice.ACCEPT
    assert choose(decision("where is my money", Origin.SYNTHETIC), known)[0] is Choice.ACCEPT
    choice, reason = choose(decision("whe mone smasbales my", Origin.SYNTHETIC), known)
    assert choice is Choice.REJECT
    assert reason


def test_one_import_of_the_model_libraries_counts_ascompute_seconds():
    entries = [entry(1, compute_s=10.0, import_s=4.0), entry(2, compute_s=20.0), entry(3, compute_s=30.0, import_s=5.0)]
    assert compute_seconds(entries) == 55.0
