"""A judge on the small workspace on disk, and in the small cluster in memory: its files, and labels by people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runner.edges.yaml_dump import dump
from runner.records.judging import JudgeFile, JudgeLabels
from tests.reviewed_fixture import edit, put, write

JUDGE_AT = "rubrics/judges/tone.yaml"
LABELS_AT = "rubrics/judges/tone/desk.labels.yaml"
CALIBRATION_AT = "rubrics/judges/tone/desk.calibration.yaml"
EVERY_SET = ["core", "dev", "general", "heldout", "representative", "reserve"]
SERVED: dict[str, Any] = {
    "kind": "server",
    "id": "judges",
    "url": "http://127.0.0.1:8000/v1",
    "model": "Some-Org/Judge-7B-Instruct",
    "revision": "2026-01-15",
    "sends": EVERY_SET,
}
POLITE: dict[str, Any] = {
    "id": "polite",
    "description": "It is polite",
    "grader": {"kind": "judge", "judge": "tone", "question": "Is it polite?"},
    "required": False,
}


def judge(**changes: Any) -> JudgeFile:
    value = {"id": "tone", "title": "Tone", "model": SERVED, "prompt": "You judge the tone of answers.", **changes}
    return JudgeFile.model_validate(value)


def said(record: Any) -> bytes:
    """A record as its reviewed file."""
    return dump(record.model_dump(mode="json", exclude_defaults=True))


def labels(scenario: str, *, polite: int = 20, rude: int = 20) -> JudgeLabels:
    """What ash says of so many answers to a scenario: those that say please are polite."""
    rows = [f"{'please' if n < polite else 'no'}, number {n}" for n in range(polite + rude)]
    found = [
        {"scenario": scenario, "criterion": "polite", "answer": row, "met": row.startswith("please"), "by": "ash"}
        for row in rows
    ]
    return JudgeLabels.model_validate({"judge": "tone", "cluster": "desk", "labels": found})


def judged_workspace(top: Path, **changes: Any) -> Path:
    """The small workspace with a judge whose criterion its one rubric has besides; not locked, not calibrated."""
    write(top)
    put(top, JUDGE_AT, said(judge(**changes)))
    more = dump([POLITE]).decode().replace("\n", "\n  ").rstrip()
    text = (top / "rubrics/desk-exact.yaml").read_text().rstrip("\n")
    put(top, "rubrics/desk-exact.yaml", f"{text}\n  {more}\n".encode())
    return top


def lock(top: Path, sha256: str) -> None:
    """Pin the judge in the lock."""
    path = "clusters/desk/benchmark.lock"
    put(top, path, (top / path).read_bytes() + dump({"judges": {"tone": sha256}}))


def require(top: Path) -> None:
    edit(top, "rubrics/desk-exact.yaml", "required: false", "required: true")
