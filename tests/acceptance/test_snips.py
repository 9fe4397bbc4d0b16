"""SNIPS utterances to JSON objects, by the README's commands: intents cut down in the base data, and mended.

An answer is `{"intent": …, "slots": {…}}`. Two of the four intents keep `BASE` rows of their base data, and have gold
rows and production traces whose right answers people gave. Held-out is the data's own validation set. Slots are scored
by micro F1 (`evaluation.structured`, equal to seqeval's on spans), and answers by the schema that the rubric names.
"""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from runner.edges.artifacts import DirectoryArtifacts
from runner.records.dataset import Batch, Candidate, Channel, Example
from runner.records.params import Params
from runner.records.scenario import SetName
from runner.records.score import GradedAnswer
from runner.rules.evaluation.json_schema import conforms
from runner.rules.evaluation.structured import FieldCounts, counts, fields, still_says
from runner.rules.naming import slug
from runner.rules.text.redaction import redact
from runner.wiring import flywheel
from tests.acceptance.conftest import hallmark

pytestmark = pytest.mark.acceptance
SEED = int(os.environ.get("SNIPS_SEED", "1"))
"""Chooses who gets which utterance."""
THREADS = int(os.environ.get("SNIPS_THREADS", "2"))
INTENTS = ("AddToPlaylist", "BookRestaurant", "GetWeather", "RateBook")
WEAK = ("GetWeather", "RateBook")
BASE, GOLD, TRAFFIC, DEV, CORE = 20, 150, 200, 20, 20
RECIPE = {
    "base": {
        "vocabulary": 512,
        "max_length": 256,
        "steps": (700,),
        "prompt_loss": 0.3,
        "prompt_dropout": 0.0,
        "reversed_share": 0.15,
    },
    "train": {
        "rank": 32,
        "alpha": 64,
        "epochs": 3,
        "learning_rate": 5e-3,
        "replay": 400,
        "new_rows": 1200,
        "max_length": 256,
        "prompt_dropout": 0.0,
        "distill": 0.0,
    },
    "expand": {"per_target": 30, "attempts": 2},
    "sweep": {"synthetic": (0.0, 0.5), "seeds": 1},
    "strength": {"strengths": (1.0,)},
    "assess": {"resamples": 200},
}
Utterance = tuple[str, str, str]
"""Text, intent and the JSON object."""


def read(path: Path, intent: str) -> list[Utterance]:
    """Every utterance; a slot that is said twice has a list."""
    found = []
    for row in json.loads(path.read_bytes())[intent]:
        slots = defaultdict(list)
        for part in row["data"]:
            if "entity" in part:
                slots[part["entity"]].append(" ".join(part["text"].split()))
        said = {name: values[0] if len(values) == 1 else values for name, values in slots.items()}
        text = " ".join("".join(part["text"] for part in row["data"]).split())
        answer = json.dumps({"intent": intent, "slots": said}, ensure_ascii=False, separators=(",", ":"))
        found.append((text, intent, answer))
    return found


def schema(utterances: list[Utterance]) -> str:
    """Every intent with the slots that its utterances have."""
    slots = defaultdict(set)
    for _, intent, answer in utterances:
        slots[intent] |= set(json.loads(answer)["slots"])
    value = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 2}]}
    objects = [
        {
            "type": "object",
            "required": ["intent", "slots"],
            "additionalProperties": False,
            "properties": {
                "intent": {"const": intent},
                "slots": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": dict.fromkeys(sorted(names), value),
                },
            },
        }
        for intent, names in sorted(slots.items())
    ]
    return json.dumps({"oneOf": objects}, indent=1)


def split(data: Path) -> dict[str, list[Utterance]]:
    parts = defaultdict(list)
    rng = random.Random(SEED)
    for intent in INTENTS:
        home = data / "snips" / intent
        rows = list({row[0]: row for row in read(home / f"train_{intent}_full.json", intent)}.values())
        rng.shuffle(rows)
        sizes = {"dev": DEV, "core": CORE}
        sizes |= {"base": BASE, "gold": GOLD, "traffic": TRAFFIC} if intent in WEAK else {"base": len(rows)}
        for part, size in sizes.items():
            parts[part] += rows[:size]
            rows = rows[size:]
        parts["heldout"] += read(home / f"validate_{intent}.json", intent)
    return parts


def desk_of(home: Path, parts: dict[str, list[Utterance]]) -> Path:
    """A committed workspace with the cluster `voice`."""
    hallmark("init", str(home / "desk"), cwd=home)
    desk, named = home / "desk", []
    for part, rows in parts.items():
        path = home / f"{part}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("text", "label", "answer"), *rows])
        named += [f"--{part}", str(path)]
    (home / "schema.json").write_text(schema([row for rows in parts.values() for row in rows]))
    answers = ["--answer-column", "answer", "--answer-field", "intent", "--schema", str(home / "schema.json")]
    floors = ["--real-only", "0.5", "--triage", "none", "--threshold-composite", "0.4", "--threshold-heldout", "0.4"]
    hallmark("import", "labelled", "--cluster", "voice", *named, *answers, *floors, cwd=desk)
    path = desk / "params.yaml"
    params = flywheel.parse_record(path.read_bytes(), Params, path="params.yaml").model_dump()
    params["clusters"]["voice"]["threads"] = THREADS
    for part, knobs in RECIPE.items():
        params["clusters"]["voice"][part].update(knobs)
    path.write_bytes(flywheel.dump_record(Params.model_validate(params), every=True))
    hallmark("check", cwd=desk)
    subprocess.run(["git", "add", "--all"], cwd=desk, check=True)
    who = ["-c", "user.name=owner", "-c", "user.email=owner@example.com"]
    subprocess.run(["git", *who, "commit", "-qm", "voice: first benchmark"], cwd=desk, check=True)
    return desk


def heldout(run: DirectoryArtifacts, parts: dict[str, list[Utterance]]) -> dict[str, dict[str, tuple[str, str, str]]]:
    """Model to scenario to (intent, answer, reference), on held-out as written."""
    references = defaultdict(list)
    for _, intent, answer in parts["heldout"]:
        references[slug(intent)].append(answer)
    found: dict[str, dict[str, tuple[str, str, str]]] = defaultdict(dict)
    for name in ("baseline-answers", "answers"):
        for row in run.rows(name, GradedAnswer):
            if row.set is SetName.HELDOUT and row.perturbation == "none":
                number = int(row.grade.scenario.rpartition("-")[2]) - 1
                intent = row.grade.capability
                found[row.model][row.grade.scenario] = (intent, row.grade.answer, references[intent][number])
    return found


def figures(answers: list[tuple[str, str, str]], rules: str) -> dict[str, float]:
    total = FieldCounts()
    for _, answer, reference in answers:
        total = total.plus(counts(answer, reference, below="slots"))
    share = 1 / len(answers)
    return {
        "valid": sum(conforms(answer, rules) for _, answer, _ in answers) * share,
        "exact": sum(fields(answer) == fields(reference) for _, answer, reference in answers) * share,
        "slot_f1": total.f1,
    }


def gain(before: list[tuple[str, str, str]], after: list[tuple[str, str, str]]) -> tuple[float, float]:
    """A paired bootstrap interval (95 %) of the difference of micro slot F1."""
    both = np.array([[*counts(a, r, below="slots"), *counts(b, r, below="slots")]
                     for (_, a, r), (_, b, _) in zip(before, after, strict=True)])  # fmt: skip
    drawn = np.random.default_rng(SEED).multinomial(len(both), np.full(len(both), 1 / len(both)), size=2000) @ both
    f1 = [2 * drawn[:, at] / (drawn[:, at + 1] + drawn[:, at + 2]) for at in (0, 3)]
    low, high = np.quantile(f1[1] - f1[0], [0.025, 0.975])
    return float(low), float(high)


def check_candidates(run: DirectoryArtifacts, parts: dict[str, list[Utterance]]) -> dict[str, int]:
    """Every candidate's answer is one that a person gave; a rewrite still says the values that its row said."""
    given = {redact(answer).text for part in ("gold", "traffic") for _, _, answer in parts[part]}
    given |= {answer for part in ("gold", "core") for _, _, answer in parts[part]}
    channels = {batch.id: batch.provenance.channel for batch in run.rows("batches", Batch)}
    texts = {row.id: row for row in run.rows("gold", Example)}
    candidates = run.rows("candidates", Candidate)
    texts |= {row.example.id: row.example for row in candidates}
    found: dict[str, int] = defaultdict(int)
    for one in candidates:
        assert one.example.answer in given
        channel = channels[one.batch]
        found[str(channel)] += 1
        if channel is Channel.PERTURBATION:
            before = texts[one.parents[0]].input[-1].content
            assert still_says(one.example.input[-1].content, before, one.example.answer)
    assert len({one.example.answer for one in candidates}) > 100
    return dict(found)


def test_snips(data, build, tmp_path):
    started = time.monotonic()
    parts = split(data)
    desk = desk_of(tmp_path, parts)
    rules = (tmp_path / "schema.json").read_text()
    assert all(conforms(answer, rules) for rows in parts.values() for _, _, answer in rows)
    turned = hallmark("iterate", "voice", "--json", cwd=desk, timeout=3000, check=False)
    standing = json.loads(turned.stdout)[0]
    home = desk / ".hallmark" / "runs" / "voice" / standing["iteration"] / "clusters" / "voice"
    run = DirectoryArtifacts(home)
    found = heldout(run, parts)
    result: dict[str, object] = {"seconds": round(time.monotonic() - started, 1), "verdict": standing["verdict"]}
    result["candidates"] = check_candidates(run, parts)
    weak = {slug(intent) for intent in WEAK}
    for side, inside in (("weak", True), ("others", False)):
        chosen = sorted(name for name, (intent, _, _) in found["base"].items() if (intent in weak) == inside)
        rows = {model: [found[model][name] for name in chosen] for model in ("base", "control", "candidate")}
        result[side] = {model: figures(answers, rules) for model, answers in rows.items()} | {
            "scenarios": len(chosen),
            "f1_gain_over_base": gain(rows["base"], rows["candidate"]),
            "f1_gain_over_control": gain(rows["control"], rows["candidate"]),
        }
    (build / "snips.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    mended, kept = result["weak"], result["others"]
    assert mended["scenarios"] == kept["scenarios"] == 200
    assert mended["f1_gain_over_base"][0] > 0.1
    assert mended["f1_gain_over_control"][0] > 0.1
    assert mended["candidate"]["valid"] > max(0.8, mended["base"]["valid"])
    assert kept["candidate"]["slot_f1"] >= kept["base"]["slot_f1"] - 0.1
