"""An evaluation as an Inspect log, which `inspect view` and `read_eval_log` open: an `.eval` archive or a JSON file.

What Inspect calls epochs, events and stores an evaluation here does not have; they are left empty, not invented. The
same evaluation gives the same bytes.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.edges.files import write_file
from runner.records.evaluation import EvaluationRun, Sample
from runner.rules.evaluation.evaluations import sample_id

UNKNOWN = "1970-01-01T00:00:00+00:00"
SCORE, PASSED = "score", "passed"
_WHEN = (1980, 1, 1, 0, 0, 0)


def write_inspect(path: Path, run: EvaluationRun, samples: Sequence[Sample]) -> None:
    """Write the log; a path that ends in `.json` gets one document. Raises `DataError` where it cannot be written."""
    values = {SCORE: [one.grade.score for one in samples], PASSED: [float(one.grade.passed) for one in samples]}
    header, made = _header(run, samples, values), [_sample(one, run.model.name) for one in samples]
    if path.suffix == ".json":
        write_file(path, _json({**header, "samples": made, "reductions": _reductions(samples, values)}))
        return
    members = {
        "_journal/start.json": {name: header[name] for name in ("version", "eval", "plan")},
        **{f"samples/{one['id']}_epoch_1.json": one for one in made},
        "summaries.json": [_summary(one) for one in made],
        "reductions.json": _reductions(samples, values),
        "header.json": header,
    }
    write_file(path, _archive(members))


def _archive(members: Mapping[str, Any]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in members.items():
            archive.writestr(zipfile.ZipInfo(name, _WHEN), _json(value), zipfile.ZIP_DEFLATED)
    return made.getvalue()


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True).encode()


def _header(run: EvaluationRun, samples: Sequence[Sample], values: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    started = str(run.measured.get("started", UNKNOWN)).replace("Z", "+00:00")
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "eval_id": run.id,
            "run_id": run.id,
            "created": started,
            "task": run.cluster,
            "task_id": run.id,
            "task_version": run.benchmark_version,
            "dataset": {
                "name": run.cluster,
                "samples": len(samples),
                "sample_ids": [sample_id(one) for one in samples],
                "shuffled": False,
            },
            "model": run.model.name,
            "config": {"epochs": 1},
            "packages": {},
            "metadata": {
                "engine": run.engine,
                "base": run.model.base,
                "adapter": run.model.adapter,
                "benchmark_sha256": run.benchmark_sha256,
            },
            "scorers": [{"name": name, "options": {}, "metrics": _defined()} for name in values],
        },
        "plan": {"name": "plan", "steps": [{"solver": "generate", "params": {}}], "config": {}},
        "results": {
            "total_samples": len(samples),
            "completed_samples": len(samples),
            "scores": [
                {"name": name, "scorer": name, "params": {}, "metrics": _metrics(found)}
                for name, found in values.items()
            ],
        },
        "stats": {"started_at": started, "completed_at": started, "model_usage": {}},
    }


def _defined() -> list[dict[str, Any]]:
    return [{"name": f"inspect_ai/{name}", "options": {}} for name in ("mean", "stderr")]


def _metrics(values: Sequence[float]) -> dict[str, Any]:
    """The mean, and its standard error as Inspect has it: of the sample, with Bessel's correction."""
    mean = math.fsum(values) / len(values) if values else 0.0
    spread = math.fsum((value - mean) ** 2 for value in values)
    error = math.sqrt(spread / (len(values) - 1) / len(values)) if len(values) > 1 else 0.0
    return {name: {"name": name, "value": value, "params": {}} for name, value in (("mean", mean), ("stderr", error))}


def _sample(one: Sample, model: str) -> dict[str, Any]:
    grade = one.grade
    asked = [{"role": message.role, "content": message.content} for message in one.input]
    said = {"role": "assistant", "content": grade.answer, "source": "generate"}
    why = {"answer": grade.answer, "explanation": grade.explanation, "metadata": {"missed": list(grade.missed)}}
    return {
        "id": sample_id(one),
        "epoch": 1,
        "input": asked or "",
        "target": one.reference[0] if len(one.reference) == 1 else list(one.reference),
        "messages": [*asked, said],
        "output": {
            "model": model,
            "choices": [{"message": said, "stop_reason": "stop"}],
            "usage": {"input_tokens": 0, "output_tokens": one.tokens, "total_tokens": one.tokens},
        },
        "scores": {SCORE: {"value": grade.score, **why}, PASSED: {"value": "C" if grade.passed else "I", **why}},
        "metadata": {
            "set": one.set,
            "perturbation": one.perturbation,
            "capability": grade.capability,
            "outcome_type": grade.outcome_type,
            "withheld": one.withheld,
        },
        "store": {},
        "events": [],
        "model_usage": {},
        "attachments": {},
    }


def _summary(sample: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("id", "epoch", "input", "target", "metadata", "scores", "model_usage")
    return {**{name: sample[name] for name in kept}, "completed": True}


def _reductions(samples: Iterable[Sample], values: Mapping[str, Sequence[float]]) -> list[dict[str, Any]]:
    ids = [sample_id(one) for one in samples]
    return [
        {"scorer": name, "samples": [{"value": value, "sample_id": one} for one, value in zip(ids, found, strict=True)]}
        for name, found in values.items()
    ]
