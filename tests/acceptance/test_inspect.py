"""Our logs in the real Inspect, which is installed into an environment of its own, and its scorers beside ours."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
import zipfile
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from runner.edges.logs.inspect_file import write_inspect
from runner.edges.logs.kept import Log, write_log
from runner.records.conversation import Message, Role
from runner.records.evaluation import EvaluatedModel, ModelKind, Sample, StageName
from runner.records.score import Grade
from runner.records.terms import OutcomeType
from runner.rules.evaluation.evaluations import Asked, sample_id, summary
from runner.rules.evaluation.foreign_logs import ForeignSample, rescored
from runner.wiring import logs
from tests.acceptance.conftest import BUILD, ROOT
from tests.desk_repository import make
from tests.test_evaluate import evaluate

pytestmark = pytest.mark.acceptance

INSPECT = BUILD.parent / "inspect"
VERSION = "0.3.285"
READS = ROOT / "tests" / "acceptance" / "inspect_reads.py"


@pytest.fixture(scope="session")
def inspect() -> Path:
    """The directory of the programs of an environment that has Inspect and nothing of ours."""
    programs = INSPECT / "bin"
    stamp = INSPECT / f".inspect-{VERSION}"
    if not stamp.is_file():
        subprocess.run([sys.executable, "-m", "venv", str(INSPECT)], check=True)
        command = [str(programs / "python"), "-m", "pip", "install", "--quiet", f"inspect-ai=={VERSION}"]
        subprocess.run(command, check=True)
        stamp.touch()
    return programs


def asked(inspect: Path, what: str, value: Any) -> Any:
    command = [str(inspect / "python"), str(READS), what]
    done = subprocess.run(command, input=json.dumps(value), capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_an_exported_log_opens_in_inspect(inspect: Path, tmp_path: Path) -> None:
    desk = make(tmp_path)
    kept = evaluate(desk, stages=[StageName.CORE, StageName.HELDOUT, StageName.ROBUSTNESS])
    folder = tmp_path / "logs"
    files = [folder / "desk.eval", folder / "desk.json"]
    for file in files:
        logs.export(desk, kept.run.id, file, format="inspect")
    ours = {sample_id(one): one for one in Log.open(kept.log).samples()}
    passed = [one.grade.passed for one in ours.values()]
    for found in asked(inspect, "logs", [str(file) for file in files]):
        assert (found["status"], found["task"], found["model"]) == ("success", "desk", "base")
        assert found["total"] == found["summaries"] == len(found["samples"]) == len(ours) == kept.run.counts.asked
        assert found["means"]["passed"] == pytest.approx(sum(passed) / len(passed))
        assert found["samples"].keys() == ours.keys()
        for name, one in ours.items():
            theirs = found["samples"][name]
            assert theirs["score"] == one.grade.score
            assert theirs["passed"] == ("C" if one.grade.passed else "I")
            assert (theirs["answer"], theirs["explanation"]) == (one.grade.answer, one.grade.explanation)
            assert theirs["target"] == (one.reference[0] if one.reference else [])
            assert theirs["messages"] == [*(message.content for message in one.input), one.grade.answer]
    listed = subprocess.run(
        [str(inspect / "inspect"), "log", "list", "--json", "--log-dir", str(folder)],
        capture_output=True, text=True, check=True, cwd=folder,
    )  # fmt: skip
    assert {one["task"] for one in json.loads(listed.stdout)} == {"desk"}
    dumped = subprocess.run(
        [str(inspect / "inspect"), "log", "dump", str(files[0])], capture_output=True, text=True, check=True
    )
    assert len(json.loads(dumped.stdout)["samples"]) == len(ours)


def test_what_inspect_writes_comes_back(inspect: Path, tmp_path: Path) -> None:
    """Inspect's own archive of our log, packed as it packs them."""
    desk = make(tmp_path)
    kept = evaluate(desk, stages=[StageName.CORE, StageName.ROBUSTNESS])
    ours, theirs = tmp_path / "ours.eval", tmp_path / "theirs.eval"
    logs.export(desk, kept.run.id, ours, format="inspect")
    asked(inspect, "rewritten", [str(ours), str(theirs)])
    with zipfile.ZipFile(theirs) as archive:
        print("packed by methods", {member.compress_type for member in archive.infolist()})
    back, found = logs.import_log(desk, "desk", theirs, format="inspect")
    assert [one.differing for one in found] == [()]
    assert Log.open(back.log).marks().by_key == Log.open(kept.log).marks().by_key


def test_inspects_scorers_and_ours_agree(inspect: Path) -> None:
    """Every scorer with every option, over texts made to be hard: case, punctuation, articles, numbers, white space."""
    draw = random.Random(7)
    words = [
        "Yes",
        "no",
        "the",
        "a",
        "3",
        "3.0",
        "03",
        "late-parcel",
        "(refund)",
        "It's",
        "ÜBER",
        "straße",
        ".",
        "\n",
        "1,000",
        "-2",
        "1e3",
    ]
    answers = [
        " ".join(draw.choices(words, k=draw.randint(0, 4))) + draw.choice(["", ".", "!", " "]) for _ in range(60)
    ]
    options: list[tuple[str, dict[str, Any]]] = [("exact", {})]
    options += [("includes", {"ignore_case": case}) for case in (True, False)]
    options += [
        ("match", {"location": where, "ignore_case": case})
        for where, case in product(("begin", "end", "any", "exact"), (True, False))
    ]
    cases = [
        {"scorer": name, "options": how, "answer": answer, "targets": draw.choices(answers, k=draw.randint(1, 2))}
        for (name, how), answer in product(options, answers * 4)
    ]
    theirs = asked(inspect, "scored", cases)
    ours = [
        rescored(case["scorer"], ForeignSample("1", tuple(case["targets"]), case["answer"], {}), case["options"])
        for case in cases
    ]
    differing = [(case, one, other) for case, one, other in zip(cases, theirs, ours, strict=True) if one != other]
    assert differing == []
    assert 0.05 < sum(theirs) / len(theirs) < 0.95, "both right and wrong ones were tried"
    print(f"{len(cases):,} scores agree")


def test_five_thousand_samples_beside_inspect(inspect: Path, tmp_path: Path) -> None:
    samples = [
        Sample(
            set="core",
            grade=Grade(
                scenario=f"scenario-{place:05d}",
                capability=f"capability-{place % 12}",
                outcome_type=OutcomeType.TP,
                score=float(place % 3 > 0),
                passed=place % 3 > 0,
                answer="late-parcel",
                explanation=f"answered 'late-parcel' where 'queue {place}' is right",
            ),
            tokens=4,
            input=(Message(role=Role.USER, content=f"parcel {place} " + "is late and I want it " * 8),),
            reference=(f"queue {place}",),
        )
        for place in range(5000)
    ]
    question = Asked("desk", EvaluatedModel(kind=ModelKind.BASE, name="base"), "none", 1, None, {}, {})
    run = summary(question, samples, weights={f"capability-{number}": 1.0 for number in range(12)})
    write_log(tmp_path / "log.jsonl.zst", run, samples)
    write_inspect(tmp_path / "log.eval", run, samples)
    started = time.perf_counter()
    log = Log.open(tmp_path / "log.jsonl.zst")
    assert log.run == run
    assert len(log.index.passed) == 5000
    own = time.perf_counter() - started
    (theirs,) = asked(inspect, "logs", [str(tmp_path / "log.eval")])
    print(f"summary and outcomes of 5,000 samples: {own:.4f} s, Inspect {theirs['seconds']:.3f} s")
    assert own <= 0.05
