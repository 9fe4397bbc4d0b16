"""What the played domain owner of the demonstration decides, and what its summary adds up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from runner.records.demo import BeforeAfter
from runner.records.evidence import CandidateSummary
from runner.records.ledger import Entry
from runner.records.scenario import Origin
from runner.records.triage import Choice, Decision, TriageFile

READS_LIKE_ENGLISH = 0.8
"""The share of a synthetic message's words that some person must have used for the demo's domain owner to accept it."""
WORD = re.compile(r"[a-z']+")


def measured(entry: Entry, name: str) -> float:
    return float(entry.measured.get(name, 0.0))


def compute_seconds(steps: Sequence[Entry]) -> float:
    """Seconds inside the model ports; of several imports of the model libraries only the first counts."""
    imports = [seconds for entry in steps if (seconds := measured(entry, "import_s"))]
    return sum(measured(entry, "compute_s") for entry in steps) - sum(imports[1:])


def before_after(figures: CandidateSummary, name: str) -> BeforeAfter:
    said: dict[str, Any] = figures.model_dump()
    return BeforeAfter(before=said[f"{name}_before"], after=said[f"{name}_after"], threshold=said[f"{name}_threshold"])


def vocabulary(file: TriageFile) -> set[str]:
    """Every word that a customer used in the candidates."""
    human = (one for one in file.decisions if one.origin is Origin.HUMAN)
    return {word for one in human for message in one.input for word in WORD.findall(message.content.lower())}


def choose(decision: Decision, known: set[str]) -> tuple[Choice, str]:
    """The choice and its reason."""
    words = [word for message in decision.input for word in WORD.findall(message.content.lower())]
    share = sum(word in known for word in words) / len(words) if words else 0.0
    if decision.origin is Origin.HUMAN or share >= READS_LIKE_ENGLISH:
        return Choice.ACCEPT, ""
    return Choice.REJECT, "does not read like a customer's message"
