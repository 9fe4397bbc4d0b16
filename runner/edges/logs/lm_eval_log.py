"""lm-evaluation-harness's results and samples: `results_<when>.json`, and `samples_<task>_<when>.jsonl` beside it.

The shapes are those that `lm_eval.loggers.EvaluationTracker` writes (lm_eval 0.4): a line of samples names its
document, target, arguments, responses and metrics, and each metric stands in it under its own name.
"""

from __future__ import annotations

import ast
import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.edges.files import write_file
from runner.edges.logs.foreign_json import finite, json_object, listed, mapping
from runner.errors import RecordError
from runner.records.conversation import Message, Role
from runner.records.evaluation import EvaluationRun, Sample
from runner.rules.evaluation.evaluations import sample_id
from runner.rules.evaluation.foreign_logs import ForeignLog, ForeignSample
from runner.rules.evaluation.scoring import AS_WRITTEN

MAX_LINE = 64 << 20
_RESULTS = re.compile(r"results_(?P<when>.+)\.json\Z")


def read_lm_eval(path: Path) -> list[ForeignLog]:
    """A log for each task of the results at `path`: their file, or the directory of the last ones. Raises `RecordError`
    for files that are not lm-eval's, and where the samples were not logged (`--log_samples`)."""
    if path.is_dir():
        found = sorted(one for one in path.rglob("results_*.json") if _RESULTS.match(one.name))
        if not found:
            raise RecordError("has no results_*.json", path=str(path), hint="name lm-eval's output directory")
        path = found[-1]
    match = _RESULTS.match(path.name)
    if match is None:
        raise RecordError("is not called results_*.json, as lm-eval's results are", path=str(path))
    said = json_object(path.read_bytes(), path)
    tasks = said.get("results")
    if not isinstance(tasks, dict):
        raise RecordError("is no file of lm-eval's results", path=str(path), field="results")
    there = {one.name: one for one in path.parent.iterdir()}
    files = {name: there.get(f"samples_{name}_{match['when']}.jsonl") for name in tasks}
    logs = [_log(name, said, file) for name, file in sorted(files.items()) if file is not None]
    if not logs:
        hint = "run lm-eval with --log_samples: the means alone cannot be computed again"
        raise RecordError("has no samples beside it", path=str(path), hint=hint)
    return logs


def _log(task: str, said: Mapping[str, Any], file: Path) -> ForeignLog:
    config = mapping(mapping(said.get("configs")).get(task))
    options = {str(one.get("metric")): one for one in map(mapping, listed(config.get("metric_list")))}
    rows = list(_rows(file))
    kept = rows[0].get("filter", "none") if rows else "none"
    samples = [_sample(task, row) for row in rows if row.get("filter", "none") == kept]
    means = mapping(mapping(said.get("results")).get(task))
    names = list(dict.fromkeys(name for one in samples for name in one.recorded))
    stated = {name: means.get(f"{name},{kept}") for name in names}
    return ForeignLog(
        task=task,
        model=str(said.get("model_name") or mapping(said.get("config")).get("model") or "a model that is not named"),
        engine=f"lm-eval {said.get('lm_eval_version') or 'of an unknown version'}",
        scorers={name: options.get(name, {}) for name in names},
        samples=samples,
        stated={name: number for name, value in stated.items() if (number := finite(value)) is not None},
    )


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    with file.open("rb") as lines:
        number = 0
        while line := lines.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise RecordError(f"is longer than {MAX_LINE:,} bytes", path=str(file), line=number)
            if line.strip():
                yield json_object(line, file, line=number)


def _sample(task: str, row: Mapping[str, Any]) -> ForeignSample:
    doc, responses = mapping(row.get("doc")), listed(row.get("filtered_resps"))
    choices = tuple(float(one[0]) for one in responses if isinstance(one, list) and _number(one[0] if one else ""))
    prompt = next(iter(mapping(next(iter(mapping(row.get("arguments")).values()), {})).values()), "")
    own = doc.get("id") if isinstance(doc.get("id"), str) else None
    metrics = {str(name): row.get(str(name)) for name in listed(row.get("metrics"))}
    return ForeignSample(
        id=own or f"{task} {row.get('doc_id')}",
        targets=_targets(row.get("target", "")),
        answer=responses[0] if responses and isinstance(responses[0], str) else "",
        recorded={name: number for name, value in metrics.items() if (number := finite(value)) is not None},
        input=(Message(role=Role.USER, content=prompt),) if isinstance(prompt, str) and prompt else (),
        metadata=doc,
        choices=choices if len(choices) == len(responses) and len(choices) > 1 else (),
    )


def _targets(target: Any) -> tuple[str, ...]:
    """One right answer or several; lm-eval writes several as Python writes a list."""
    if isinstance(target, str) and target.startswith("["):
        try:
            target = ast.literal_eval(target)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return (str(target),)
    return tuple(map(str, target)) if isinstance(target, list) else (str(target),)


def write_lm_eval(directory: Path, run: EvaluationRun, samples: Sequence[Sample]) -> list[Path]:
    """Write the results, and the samples of each set and perturbation as a task. The files, the results first."""
    tasks: dict[str, list[Sample]] = {}
    for one in samples:
        under = "" if one.perturbation == AS_WRITTEN else f"_{one.perturbation}"
        tasks.setdefault(f"{run.cluster}_{one.set}{under}", []).append(one)
    results = directory / f"results_{run.id}.json"
    write_file(results, json.dumps(_results(run, tasks), indent=2, ensure_ascii=False).encode() + b"\n")
    files = [results]
    for task, found in tasks.items():
        files.append(directory / f"samples_{task}_{run.id}.jsonl")
        rows = (json.dumps(_row(place, one), ensure_ascii=False) for place, one in enumerate(found))
        write_file(files[-1], "".join(f"{row}\n" for row in rows).encode())
    return files


def _results(run: EvaluationRun, tasks: Mapping[str, Sequence[Sample]]) -> dict[str, Any]:
    figures: dict[str, dict[str, Any]] = {}
    for task, found in tasks.items():
        figures[task] = {"alias": task}
        for name, values in (
            ("score", [one.grade.score for one in found]),
            ("passed", [float(one.grade.passed) for one in found]),
        ):
            mean = math.fsum(values) / len(values)
            spread = math.fsum((value - mean) ** 2 for value in values)
            error = math.sqrt(spread / (len(values) - 1) / len(values)) if len(values) > 1 else "N/A"
            figures[task].update({f"{name},none": mean, f"{name}_stderr,none": error})
    metrics = [{"metric": name, "aggregation": "mean", "higher_is_better": True} for name in ("score", "passed")]
    return {
        "results": figures,
        "configs": {task: {"task": task, "output_type": "generate_until", "metric_list": metrics} for task in tasks},
        "versions": dict.fromkeys(tasks, run.benchmark_version),
        "n-shot": dict.fromkeys(tasks, 0),
        "higher_is_better": {task: {"score": True, "passed": True} for task in tasks},
        "n-samples": {task: {"original": len(found), "effective": len(found)} for task, found in tasks.items()},
        "config": {"model": run.engine, "model_args": {"base": run.model.base, "adapter": run.model.adapter}},
        "model_name": run.model.name,
        "task_hashes": {task: _hash("".join(map(_hashes, found))) for task, found in tasks.items()},
    }


def _row(place: int, one: Sample) -> dict[str, Any]:
    prompt = "\n\n".join(message.content for message in one.input)
    target = one.reference[0] if len(one.reference) == 1 else list(one.reference)
    grade = one.grade
    doc = {"id": sample_id(one), "set": one.set, "capability": grade.capability, "outcome_type": grade.outcome_type}
    return {
        "doc_id": place,
        "doc": doc,
        "target": target if one.reference else "",
        "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": {}}},
        "resps": [[grade.answer]],
        "filtered_resps": [grade.answer],
        "filter": "none",
        "metrics": ["score", "passed"],
        "doc_hash": _hash(json.dumps(doc, indent=2, ensure_ascii=False)),
        "prompt_hash": _hash(prompt),
        "target_hash": _hash(str(target)),
        "score": grade.score,
        "passed": float(grade.passed),
    }


def _hashes(one: Sample) -> str:
    row = _row(0, one)
    return str(row["doc_hash"]) + str(row["prompt_hash"]) + str(row["target_hash"])


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _number(value: Any) -> bool:
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError):
        return False
