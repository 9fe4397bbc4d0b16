"""Inspect's logs (https://inspect.aisi.org.uk/eval-logs.html), read: `.eval` archives and JSON files.

An archive has `header.json` and a file a sample below `samples/`; a JSON file has everything in one document.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.edges.logs.archive import opened
from runner.edges.logs.foreign_json import finite, json_object, listed, mapping
from runner.errors import RecordError
from runner.records.conversation import Message, Role
from runner.rules.evaluation.foreign_logs import ForeignLog, ForeignSample

MAX_JSON = 1 << 30
MOST_TOKENS = 1e9
_VALUES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0, "yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
_REFERENCES = ("attachment://", "tc://")


def read_inspect(path: Path) -> ForeignLog:
    """The log at `path`. Raises `RecordError` for a file that is no Inspect log."""
    if path.suffix == ".json":
        if path.stat().st_size > MAX_JSON:
            raise RecordError(f"is larger than {MAX_JSON:,} bytes", path=str(path), hint="convert it to .eval")
        header = json_object(path.read_bytes(), path, what="the log")
        return _log(header, listed(header.get("samples")), path)
    with opened(path) as archive:
        header = json_object(archive.read("header.json"), path, what="header.json")
        names = [name for name in archive.names() if name.startswith("samples/") and name.endswith(".json")]
        return _log(header, (json_object(archive.read(name), path, what=name) for name in names), path)


def _log(header: Mapping[str, Any], samples: Iterable[Any], path: Path) -> ForeignLog:
    spec = header.get("eval")
    if not isinstance(spec, dict) or not isinstance(spec.get("task"), str) or not isinstance(spec.get("model"), str):
        raise RecordError("is no Inspect log: it names no task and model", path=str(path), field="eval")
    named = [one for one in map(mapping, listed(spec.get("scorers"))) if isinstance(one.get("name"), str)]
    scorers = {one["name"]: mapping(one.get("options")) for one in named}
    found = sorted((_sample(one, path) for one in samples), key=_order)
    for sample in found:
        scorers.update({name: {} for name in sample.recorded if name not in scorers})
    version = mapping(spec.get("packages")).get("inspect_ai", "of an unknown version")
    return ForeignLog(
        task=spec["task"],
        model=spec["model"] or "a model that is not named",
        engine=f"Inspect {version}",
        scorers=scorers,
        samples=found,
        stated=dict(_stated(header.get("results"))),
    )


def _stated(results: Any) -> Iterator[tuple[str, float]]:
    """The accuracy or mean of each scorer; of several epochs Inspect's reducers make something else of it."""
    for score in map(mapping, listed(mapping(results).get("scores"))):
        metrics = mapping(score.get("metrics"))
        value = _value(mapping(metrics.get("accuracy") or metrics.get("mean")).get("value"))
        name = score.get("name")
        own = isinstance(name, str) and name == score.get("scorer") and score.get("reducer") in (None, "mean")
        if value is not None and own:
            yield str(name), value


def _sample(said: Any, path: Path) -> ForeignSample:
    if not isinstance(said, dict) or "id" not in said:
        raise RecordError("has a sample without an id", path=str(path), field="samples")
    attached, output, metadata = (mapping(said.get(name)) for name in ("attachments", "output", "metadata"))
    epoch, targets = said.get("epoch", 1), said.get("target", "")
    return ForeignSample(
        id=str(said["id"]) if epoch == 1 else f"{said['id']} epoch {epoch}",
        targets=tuple(map(str, targets)) if isinstance(targets, list) else (str(targets),),
        answer=_completion(output, attached),
        recorded={name: value for name, score in _scores(said) if (value := _value(score)) is not None},
        input=tuple(_messages(said, attached)),
        tokens=int(max(0.0, min(finite(mapping(output.get("usage")).get("output_tokens")) or 0.0, MOST_TOKENS))),
        metadata=metadata,
    )


def _scores(said: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, score in mapping(said.get("scores")).items():
        yield name, mapping(score).get("value")


def _value(value: Any) -> float | None:
    """As Inspect's `value_to_float` reads it; None for a list, an object or what is no finite number."""
    if isinstance(value, str):
        if value in _VALUES or value.lower() in _VALUES:
            return _VALUES.get(value, _VALUES.get(value.lower()))
        try:
            value = float(value)
        except ValueError:
            return None
    return finite(value)


def _messages(said: Mapping[str, Any], attached: Mapping[str, Any]) -> Iterator[Message]:
    """What the model saw before it answered: the messages but for those after the last that is not its own."""
    messages = [one for one in listed(said.get("messages")) if isinstance(one, dict)]
    while messages and messages[-1].get("role") == Role.ASSISTANT:
        messages.pop()
    given = said.get("input")
    asked = [{"role": Role.USER, "content": given}] if isinstance(given, str) else listed(given)
    for one in messages or filter(mapping, asked):
        text = _text(one.get("content"), attached)
        if one.get("role") in tuple(Role) and text:
            yield Message(role=Role(one["role"]), content=text)


def _completion(output: Mapping[str, Any], attached: Mapping[str, Any]) -> str:
    choices = listed(output.get("choices"))
    message = choices[0].get("message") if choices and isinstance(choices[0], dict) else None
    return _text(message.get("content"), attached) if isinstance(message, dict) else ""


def _text(content: Any, attached: Mapping[str, Any]) -> str:
    """A message's text: what stands in it, and what it refers to in the sample's attachments."""
    if isinstance(content, list):
        texts = [one.get("text") for one in map(mapping, content) if one.get("type") == "text"]
        return "\n".join(_text(text, attached) for text in texts if isinstance(text, str))
    text = content if isinstance(content, str) else ""
    for mark in _REFERENCES:
        if text.startswith(mark):
            return str(attached.get(text.removeprefix(mark), text))
    return text


def _order(sample: ForeignSample) -> tuple[int, str]:
    """Numbers in their order, then names."""
    return (int(sample.id), "") if sample.id.isdecimal() and len(sample.id) < 19 else (1 << 63, sample.id)
