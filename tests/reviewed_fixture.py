"""A small workspace of reviewed files on disk, sound until a test breaks it."""

from __future__ import annotations

from pathlib import Path

from runner.edges.yaml_files import dump
from runner.records.scenario import Scenario, SetName
from runner.rules.repository.benchmark import locked

CAPABILITIES = ("refunds", "late-delivery")


def scenario(name: str, *, capability: str = "refunds", text: str = "") -> dict[str, object]:
    return {
        "id": name,
        "capability": capability,
        "outcome_type": "tp",
        "lens": "customer",
        "severity": "medium",
        "origin": "human",
        "objective": f"Tell {capability} from the rest.",
        "input": [{"role": "user", "content": text or f"The text of {name}."}],
        "reference": capability,
        "rubric": "desk-exact",
        "pass_criteria": ["It is the label."],
        "fail_criteria": ["It is not."],
    }


def write(top: Path) -> Path:
    """The workspace below `top`: cluster `desk`, two capabilities, three sets, held-out frozen."""
    values: dict[str, object] = {
        "params.yaml": {"clusters": {"desk": {"seed": 3}}},
        "rubrics/desk-exact.yaml": {
            "id": "desk-exact",
            "title": "The right label",
            "status": "approved",
            "criteria": [{"id": "label", "description": "It is the label", "grader": {"kind": "exact"}}],
        },
        "clusters/desk/cluster.yaml": {
            "id": "desk",
            "title": "The desk",
            "base": {"kind": "tiny"},
            "serving": {"target": "cpu"},
            "benchmark_version": 1,
            "capabilities": [{"id": c, "title": c, "definition": f"What belongs to {c}"} for c in CAPABILITIES],
            "gate": {"thresholds": {"composite": 0.8, "heldout": 0.8}},
            "human_floor": 0.25,
        },
    }
    for name in (SetName.CORE, SetName.DEV, SetName.HELDOUT):
        for capability in CAPABILITIES:
            stem = f"{name}-{capability}-1"
            values[f"scenarios/desk/{name}/{stem}.yaml"] = scenario(stem, capability=capability)
    heldout = [Scenario.model_validate(v) for p, v in values.items() if p.startswith("scenarios/desk/heldout")]
    lock = locked({SetName.HELDOUT: heldout}, version=1)
    values["clusters/desk/benchmark.lock"] = lock.model_dump(mode="json")
    for path, value in values.items():
        put(top, path, dump(value))
    problem = {
        "gap": "g",
        "why_not_real_data": "w",
        "metric": "composite",
        "threshold": 0.8,
        "real_only_baseline": {"value": 0.5, "how": "measured"},
    }
    put(top, "clusters/desk/problem.md", b"---\n" + dump(problem) + b"---\nProse.\n")
    return top


def put(top: Path, path: str, data: bytes) -> None:
    (top / path).parent.mkdir(parents=True, exist_ok=True)
    (top / path).write_bytes(data)


def edit(top: Path, path: str, old: str, new: str) -> None:
    """Replace `old` in a file; it must be there."""
    text = (top / path).read_text()
    assert old in text
    (top / path).write_text(text.replace(old, new, 1))
