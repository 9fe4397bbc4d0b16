"""A CycloneDX 1.6 ML-BOM: the adapter with its model card, the base that it needs, and the data that it was made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from runner.records.artifact import ARTIFACTS
from runner.records.scorecard import ModelScores
from runner.records.significance import Interval
from runner.rules.cards.croissant import FILES
from runner.rules.cards.licenses import in_bom
from runner.rules.cards.model_card import name
from runner.rules.handoff.facts import Made

ADAPTER, BASE = "adapter", "base"
SOURCES = ("base-data", "gold", "traces")


def bom(made: Made) -> dict[str, Any]:
    """The document. Its serial number follows from the promotion, so that it is made the same again."""
    record = made.record
    digest = record.adapter.sha256 if record.adapter else ""
    data = [_data(made, one) for one in FILES if one in made.background.artifacts]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, f'hallmark:{made.target}:{digest}')}",
        "version": 1,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "hallmark"}]},
            "component": _adapter(made),
        },
        "components": [_base(made), *data],
        "dependencies": list(_dependencies(made)),
    }


def _adapter(made: Made) -> dict[str, Any]:
    record, told = made.record, made.background.stated
    files = record.adapter.files if record.adapter else {}
    return {
        "type": "machine-learning-model",
        "bom-ref": ADAPTER,
        "name": name(made),
        "version": str(record.sequence),
        "description": made.background.cluster.title,
        **({"licenses": in_bom(told.license)} if told.license else {}),
        **({"supplier": {"name": told.owner}} if told.owner else {}),
        "components": [
            {"type": "file", "bom-ref": f"{ADAPTER}/{path}", "name": path, "hashes": _hashes(one.sha256)}
            for path, one in sorted(files.items())
        ],
        "externalReferences": list(_evidence(made)),
        "modelCard": _model_card(made),
        "properties": _properties(
            {
                "tree-sha256": record.adapter.sha256 if record.adapter else "",
                "iteration": record.run.iteration,
                "benchmark": f"{record.benchmark.id} version {record.benchmark.version}",
                "benchmark-sha256": record.benchmark.sha256,
                "human-share": f"{record.human_share:g}",
            }
        ),
    }


def _evidence(made: Made) -> Iterator[dict[str, Any]]:
    """The evidence that everything here is made from, by sha256."""
    home = f"clusters/{made.record.cluster}/promotions/{made.record.sequence}/evidence/"
    for path, digest in made.digests.items():
        yield {"type": "evidence", "url": f"{home}{path}", "hashes": _hashes(digest)}


def _model_card(made: Made) -> dict[str, Any]:
    told, cluster = made.background.stated, made.background.cluster
    risks = made.risks.risks if made.risks else ()
    limits = [*(f"{one.title}: {one.detail}" for one in risks), *told.limitations]
    considerations = {
        "users": [cluster.serving.target],
        "useCases": [told.intended_use] if told.intended_use else [],
        "technicalLimitations": [*limits, *([f"Out of scope: {told.out_of_scope}"] if told.out_of_scope else [])],
    }
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": "text-generation",
            "architectureFamily": "transformer, LoRA adapter",
            "datasets": [{"ref": one} for one in FILES if one in made.background.artifacts],
            "inputs": [{"format": "text"}],
            "outputs": [{"format": "text"}],
        },
        "quantitativeAnalysis": {"performanceMetrics": list(_metrics(made.scorecard.models["candidate"]))},
        "considerations": {key: value for key, value in considerations.items() if value},
    }


def _metrics(model: ModelScores) -> Iterator[dict[str, Any]]:
    """Composites by set, then by capability of each, then under each perturbation."""
    for set_name, found in model.sets.items():
        yield _metric("composite", str(set_name), found.composite, found.interval)
        for one, value in sorted(found.capabilities.items()):
            yield _metric("score", f"{set_name}, {one}", value, found.capability_intervals.get(one))
    for kind, value in sorted(model.robustness.items()):
        yield _metric("composite", f"core, {kind}", value, model.robustness_intervals.get(kind))


def _metric(kind: str, part: str, value: float, interval: Interval | None) -> dict[str, Any]:
    ends = {"lowerBound": f"{interval.low:.6g}", "upperBound": f"{interval.high:.6g}"} if interval else None
    said = {"type": kind, "slice": part, "value": f"{value:.6g}"}
    return {**said, "confidenceInterval": ends} if ends else said


def _base(made: Made) -> dict[str, Any]:
    base, record = made.background.cluster.base, made.record
    found: dict[str, Any] = {"type": "machine-learning-model", "bom-ref": BASE}
    found["name"] = f"{record.cluster} base" if base.kind == "tiny" else "local base"
    if base.kind == "hub":
        found |= {
            "name": base.id,
            "version": base.revision,
            "purl": f"pkg:huggingface/{base.id}@{base.revision}",
            "externalReferences": [
                {"type": "distribution", "url": f"https://huggingface.co/{base.id}/tree/{base.revision}"}
            ],
        }
    return {**found, "properties": _properties({"kind": base.kind, "sha256": record.base.sha256})}


def _data(made: Made, name: str) -> dict[str, Any]:
    """A file of rows, by the digest that the ledger has of it."""
    told, owner = made.background.stated, made.background.stated.owner
    return {
        "type": "data",
        "bom-ref": name,
        "name": name,
        **({"licenses": in_bom(told.data_license)} if told.data_license else {}),
        "hashes": _hashes(made.background.artifacts[name]),
        "data": [
            {
                "type": "dataset",
                "name": name,
                "description": FILES[name],
                "contents": {"url": f"clusters/{made.record.cluster}/{ARTIFACTS[name].path}"},
                **({"sensitiveData": [told.personal_data]} if told.personal_data else {}),
                **({"governance": {"owners": [{"organization": {"name": owner}}]}} if owner else {}),
            }
        ],
    }


def _dependencies(made: Made) -> Iterator[dict[str, Any]]:
    there = made.background.artifacts
    sources = [one for one in SOURCES if one in there]
    yield {"ref": ADAPTER, "dependsOn": [BASE, *(["mixture"] if "mixture" in there else sources)]}
    tiny = made.background.cluster.base.kind == "tiny"
    yield {"ref": BASE, **({"dependsOn": ["base-data"]} if tiny and "base-data" in there else {})}
    if "mixture" in there:
        yield {"ref": "mixture", "dependsOn": sources}
    yield from ({"ref": one} for one in sources)


def _hashes(sha256: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": sha256}]


def _properties(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": f"hallmark:{key}", "value": value} for key, value in values.items() if value]
