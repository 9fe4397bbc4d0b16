"""The model card of a promoted adapter: a Hugging Face README, whose `model-index` has every composite and interval."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runner.records.dataset import Channel
from runner.records.scorecard import SetScore
from runner.records.significance import Interval
from runner.records.terms import SetName
from runner.rules.cards.front_matter import front_matter
from runner.rules.cards.licenses import on_hub
from runner.rules.handoff.benchmark import models, result
from runner.rules.handoff.facts import Made
from runner.rules.handoff.standing import limitations
from runner.rules.handoff.words import bullets, code, percent, sentence, stated


def model_card(made: Made) -> str:
    """The whole README."""
    return front_matter(metadata(made)) + "\n" + "\n\n".join(_body(made)) + "\n"


def metadata(made: Made) -> dict[str, Any]:
    """The card's YAML (huggingface.co/docs/hub/model-cards). What nobody states is left out."""
    told, base = made.background.stated, made.background.cluster.base
    return {
        **({"language": list(told.language)} if told.language else {}),
        **on_hub(told.license),
        **({"base_model": base.id, "base_model_relation": "adapter"} if base.kind == "hub" else {}),
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "tags": ["hallmark", "lora", made.record.cluster],
        "model-index": [{"name": name(made), "results": list(_results(made))}],
    }


def name(made: Made) -> str:
    return f"{made.record.cluster}-{made.record.sequence}"


def _results(made: Made) -> Iterator[dict[str, Any]]:
    """Of the candidate, a result a set that it was asked."""
    for set_name, found in made.scorecard.models["candidate"].sets.items():
        yield {
            "task": {"type": "text-generation", "name": "Text generation"},
            "dataset": {
                "name": f"{made.record.cluster}, {set_name}",
                "type": f"hallmark/{made.record.cluster}",
                "config": f"version-{made.record.benchmark.version}",
                "split": str(set_name),
                "revision": made.record.benchmark.sha256,
            },
            "metrics": list(_metrics(found)),
        }


def _metrics(found: SetScore) -> Iterator[dict[str, Any]]:
    passed = found.passed / found.scenarios if found.scenarios else 0.0
    yield _metric("composite", "Composite (weighted mean of the capabilities)", found.composite, found.interval)
    yield _metric("accuracy", "Share of the scenarios passed", passed, found.pass_interval)


def _metric(kind: str, title: str, value: float, interval: Interval | None) -> dict[str, Any]:
    ends = {"args": {"interval": [interval.low, interval.high], "level": interval.level}} if interval else {}
    return {"type": kind, "value": float(value), "name": title, **ends}


def _body(made: Made) -> Iterator[str]:
    told, cluster = made.background.stated, made.background.cluster
    adapter = made.record.adapter
    yield f"# {name(made)}"
    yield (
        f"{sentence(cluster.title)} A LoRA adapter, trained, assessed and promoted by Hallmark as {made.target}. Every "
        "figure here is made again from signed evidence by the gate that let it through."
    )
    yield "## Use"
    yield bullets(
        [
            f"**Serves:** {stated(cluster.serving.target)}",
            f"**Intended use:** {stated(told.intended_use)}",
            f"**Out of scope:** {stated(told.out_of_scope)}",
            f"**Who answers for it:** {stated(told.owner)}",
            f"**Licence:** {stated(told.license)}",
        ]
    )
    yield "## Evaluation"
    yield (
        f"On version {made.record.benchmark.version} of the benchmark (digest {code(made.record.benchmark.sha256)}); "
        f"models asked: {', '.join(models(made))}."
    )
    yield result(made)
    yield "## Training"
    yield bullets(_training(made))
    yield "## Limitations"
    yield limitations(made)
    yield "## Files"
    if adapter:
        files = sorted(adapter.files.items())
        listed = [f"{code(path)}: {one.size:,} bytes, sha256 {code(one.sha256)}" for path, one in files]
        yield bullets([f"the adapter as a tree: {code(adapter.sha256)}", *listed])
    yield f"`hallmark fetch {made.target}` brings them, verified to the last byte."


def _training(made: Made) -> Iterator[str]:
    base = made.background.cluster.base
    yield (
        f"base: {code(base.id)} at {code(base.revision)}"
        if base.kind == "hub"
        else (f"base: {base.kind}, digest {code(made.record.base.sha256)}")
    )
    yield f"{percent(made.record.human_share)} of the new rows are human"
    written = sum(one.provenance.count for one in made.batches if one.provenance.channel is not Channel.LOG)
    if written:
        yield f"{written:,} candidate rows were generated; triage decided which of them may train"
    if made.training:
        run = made.training.record
        yield f"{run.examples:,} examples, {run.steps:,} steps, seed {run.seed}, recipe {code(run.recipe)}"
        yield f"scaled by {made.training.strength:g}, chosen on {SetName.DEV}"
    yield "held-out sets are frozen, and no text of them reaches a generator, a prompt or training"
