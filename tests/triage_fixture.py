"""A triage list in memory and in a folder: synthetic candidates of one batch, two of them for one input."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.edges.yaml_files import dump
from runner.records.conversation import Conversation, Message, Role
from runner.records.scenario import Origin
from runner.records.triage import Decision, TriageFile

CLUSTER, ITERATION, REVIEWER = "desk", "desk-1", "rowan"
NOW = "2026-01-01T10:00:00Z"


def asked(text: str) -> Conversation:
    return (Message(role=Role.USER, content=text),)


def candidate(name: str, text: str = "", answer: str = "refund", people: int = 1) -> Decision:
    return Decision(
        candidate=name,
        capability="refund",
        origin=Origin.SYNTHETIC,
        input=asked(text or f"where is my money for {name}"),
        answer=answer,
        batch="refund-llm",
        parents=("gold-1", "signal-1"),
        people=people,
    )


def candidates(count: int) -> TriageFile:
    """`cand-0` and so on, of which 0 and the last answer the same input."""
    shared = "one input, two answers"
    made = [candidate(f"cand-{n}", shared if n in (0, count - 1) else "") for n in range(count)]
    return listed(made)


def listed(decisions: Sequence[Decision]) -> TriageFile:
    return TriageFile(cluster=CLUSTER, iteration=ITERATION, decisions=tuple(decisions))


def put(top: Path, file: TriageFile) -> Path:
    """The list where `hallmark` looks for it below `top`."""
    path = top / "clusters" / file.cluster / "triage" / f"{file.iteration}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(dump(file.model_dump(mode="json", exclude_defaults=True)))
    return path
