"""A small workspace in git, and a change to it that does a little of everything a review tells of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from runner.edges.logs.store import Evaluations
from runner.edges.yaml_files import dump, load
from runner.records.evaluation import EvaluatedModel, ModelKind
from runner.records.policy import Trust
from runner.records.scenario import Scenario, SetName
from runner.records.score import GradedAnswer
from runner.rules.canonical import sha256
from runner.rules.evaluation.evaluations import Asked, sample_of, summary
from runner.rules.evaluation.grading import grade
from runner.rules.evaluation.scoring import capability_weights
from runner.rules.repository.benchmark import locked
from runner.wiring import flywheel
from tests import reviewed_fixture
from tests.desk_repository import git
from tests.reviewed_fixture import put, scenario

CLUSTER = "clusters/desk/cluster.yaml"
RUBRIC = "rubrics/desk-exact.yaml"
LOCK = "clusters/desk/benchmark.lock"
SECRET = "the parcel of the lighthouse keeper is late again"
"""Stands in held-out, and may stand in nothing that is printed."""
TEXTS = {
    "core-refunds-2": "Where is the money for the boots that I sent back last week?",
    "core-refunds-3": "I was promised a refund on Monday and nothing has come.",
    "core-late-delivery-2": "My parcel should have been here on Tuesday.",
}


def make(top: Path, *, policy: bool = True) -> Path:
    """The workspace, committed as `main`. Its history begins here."""
    top.mkdir(parents=True, exist_ok=True)
    git(top, "init", "--quiet", "--initial-branch=main")
    reviewed_fixture.write(top)
    for name, text in TEXTS.items():
        put_scenario(top, SetName.CORE, name, text=text)
    if policy:
        write_policy(top, approvers=2)
    put(top, ".gitignore", b".hallmark/\n")
    commit(top, "The first tree")
    return top


def write_policy(top: Path, *, approvers: int) -> None:
    put(top, "policy/allowed_signers", b"")
    put(top, "policy/revoked", b"")
    trust = Trust(
        version=3 - approvers + 1,
        repository="desk",
        expires="2027-06-01T00:00:00Z",
        allowed_signers=sha256(b""),
        revoked=sha256(b""),
        people={"ash": ("benchmark-owner",), "hazel": ("benchmark-owner",), "rowan": ("approver",)},
        ci="ci",
        gate="gate",
        changes={"benchmark": ({"role": "benchmark-owner", "people": approvers},), "docs": ()},
    )
    put(top, "policy/trust.yaml", dump(trust.model_dump(mode="json")))


def put_scenario(top: Path, name: SetName, stem: str, **said: Any) -> str:
    """Write a scenario; its path. `text` is the message; the rest is as the file says it."""
    text = said.pop("text", "")
    capability = said.pop("capability", "refunds" if "refunds" in stem else "late-delivery")
    path = f"scenarios/desk/{name}/{stem}.yaml"
    put(top, path, dump(scenario(stem, capability=capability, text=text) | said))
    return path


def change(top: Path, path: str, **said: Any) -> None:
    """Write some fields of a file anew; a field of a block is `block__field`."""
    value = load((top / path).read_bytes(), path=path).value
    for name, new in said.items():
        *blocks, last = name.split("__")
        inner = value
        for block in blocks:
            inner = inner.setdefault(block, {})
        inner[last] = new
    put(top, path, dump(value))


def lock(top: Path, version: int) -> None:
    found = [
        Scenario.model_validate_json(json.dumps(load(path.read_bytes(), path=str(path)).value))
        for path in sorted((top / "scenarios/desk/heldout").glob("*.yaml"))
    ]
    put(top, LOCK, dump(locked({SetName.HELDOUT: found}, version=version).model_dump(mode="json")))


def commit(top: Path, message: str) -> str:
    git(top, "add", "--all")
    git(top, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(top, "rev-parse", "HEAD")


def answered(top: Path) -> None:
    """An evaluation of the base that this machine remembers: it writes capital letters, and errs on late parcels."""
    space = flywheel.workspace(top, "desk")
    weights = capability_weights(space.cluster)
    rows = []
    for one in space.scenarios[SetName.CORE]:
        text = one.reference.capitalize() if one.id != "core-late-delivery-2" else "Refunds"
        row = GradedAnswer(model="base", set=SetName.CORE, grade=grade(one, space.rubrics[one.rubric], text), tokens=1)
        rows.append(sample_of(row, one, one.input))
    who = EvaluatedModel(kind=ModelKind.BASE, name="base")
    asked = Asked("desk", who, "in memory", 1, None, {}, {})
    Evaluations(top).keep(summary(asked, rows, weights=weights), rows, in_git=False)


def everything(top: Path) -> None:
    """Scenarios added, changed, moved and removed, a criterion dropped, limits both ways, held-out at a new version."""
    put_scenario(
        top, SetName.CORE, "core-refunds-4", text="Nobody has sent me my money back yet.", outcome_type="fn-guard"
    )
    put_scenario(top, SetName.CORE, "core-refunds-5", text=TEXTS["core-refunds-2"].replace("boots", "shoes"))
    change(top, "scenarios/desk/core/core-refunds-3.yaml", severity="high", reference="late-delivery", lens="courier")
    change(
        top,
        "scenarios/desk/core/core-late-delivery-2.yaml",
        input=[{"role": "user", "content": "My parcel was due on Tuesday."}],
    )
    (top / "scenarios/desk/dev/dev-refunds-1.yaml").unlink()
    put_scenario(top, SetName.HELDOUT, "heldout-late-delivery-2", text=SECRET)
    put_scenario(top, SetName.DEV, "dev-late-delivery-2", text=SECRET + " today")
    change(
        top, CLUSTER, benchmark_version=2, gate__thresholds__heldout=0.7, heldout_looks=10, gate__max_regressions=0.02
    )
    lock(top, 2)
    change(top, RUBRIC, normalisation=["strip", "lowercase"])
