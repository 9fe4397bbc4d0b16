"""Every port in memory, so that all thirteen phases run in a second in tests."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from runner.edges.artifacts import record_bytes, rows_bytes
from runner.edges.generators.chosen import generators
from runner.edges.signing import SshVerifier
from runner.edges.simulated_models import NaiveBayes, SimulatedModels
from runner.errors import DataError
from runner.ports import MachineFacts, Ports, Tree
from runner.records.artifact import ARTIFACTS
from runner.records.base import Record
from runner.rules.canonical import sha256
from runner.rules.text.similarity import jaccard, shingles

R = TypeVar("R", bound=Record)
Value = Record | Sequence[Record] | Tree
FACTS = MachineFacts(host="simulated", cpus=2, memory_gib=24.0, gpu=False)


class MemoryArtifacts:
    """`ports.Artifacts` over a mapping of names to values. Records go through their bytes, as files would."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        unknown = sorted(set(values) - set(ARTIFACTS))
        if unknown:
            raise DataError(f"no such artifact: {', '.join(unknown)}")
        self.values = values

    def record(self, name: str, kind: type[R]) -> R:
        value = self._value(name)
        if not isinstance(value, Record):
            raise DataError(f"{name} is no record")
        return kind.model_validate_json(record_bytes(value))

    def rows(self, name: str, kind: type[R]) -> tuple[R, ...]:
        value = self._value(name)
        if isinstance(value, Record | Tree):
            raise DataError(f"{name} has no rows")
        return tuple(row if type(row) is kind else kind.model_validate_json(row.model_dump_json()) for row in value)

    def stream(self, name: str, kind: type[R]) -> Iterator[R]:
        yield from self.rows(name, kind)

    def tree(self, name: str) -> Tree:
        value = self._value(name)
        if not isinstance(value, Tree):
            raise DataError(f"{name} is no tree")
        return value

    def digest(self, name: str) -> str:
        value = self._value(name)
        if isinstance(value, Tree):
            return value.digest
        return sha256(record_bytes(value) if isinstance(value, Record) else rows_bytes(value))

    def _value(self, name: str) -> Value:
        if name not in self.values:
            raise DataError(f"{name} is missing: run the phase that writes it")
        return self.values[name]


class SimulatedClock:
    """Time that passes only when it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def advance(self, seconds: float) -> None:
        self.seconds += seconds

    def now(self) -> str:
        return f"2026-01-01T{int(self.seconds) // 3600 % 24:02d}:{int(self.seconds) // 60 % 60:02d}:00Z"

    def monotonic(self) -> float:
        return self.seconds


class SimulatedMachine:
    def __init__(self, facts: MachineFacts = FACTS) -> None:
        self._facts = facts

    def facts(self) -> MachineFacts:
        return self._facts


class SimulatedClassifier:
    """`ports.TextClassifier` by naive Bayes and shared words."""

    def correct(self, train: Sequence[tuple[str, str]], test: Sequence[tuple[str, str]], *, seed: int) -> list[bool]:
        texts: dict[str, list[tuple[str, float]]] = {}
        for text, label in train:
            texts.setdefault(label, []).append((text, 1.0))
        model = NaiveBayes.of(texts)
        return [model.answer(text) == label for text, label in test]

    def told_apart(
        self, rows: Sequence[str], real: Sequence[str], *, seed: int
    ) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """1 where naive Bayes over the other two thirds of both takes the text for one of `rows`."""
        found: dict[int, float] = {}
        labelled = [*((text, "made") for text in rows), *((text, "real") for text in real)]
        for fold in range(3):
            train = [one for at, one in enumerate(labelled) if at % 3 != fold]
            held = [at for at in range(len(labelled)) if at % 3 == fold]
            as_made = self.correct(train, [(labelled[at][0], "made") for at in held], seed=seed)
            found |= {at: float(made) for at, made in zip(held, as_made, strict=True)}
        scores = tuple(found[at] for at in range(len(labelled)))
        return scores[: len(rows)], scores[len(rows) :]

    def nearest(self, rows: Sequence[str], real: Sequence[str]) -> tuple[tuple[float, ...], tuple[float, ...]]:
        there = [shingles(text, 1) for text in real]
        own = (1 - max(jaccard(one, other) for other in there if other is not one) for one in there)
        return tuple(1 - max(jaccard(shingles(text, 1), one) for one in there) for text in rows), tuple(own)


class EverySuspect:
    """`ports.NearDuplicates` that lets everything be compared: exact, and slow for many texts."""

    def suspects(self, texts: Sequence[str], *, threshold: float, size: int) -> range:
        return range(len(texts))


class MemoryAdapters:
    """`ports.Adapters` over a mapping of sequences to trees."""

    def __init__(self, promoted: Mapping[int, Tree] | None = None) -> None:
        self.promoted = promoted or {}

    def fetch(self, sequence: int) -> Tree:
        try:
            return self.promoted[sequence]
        except KeyError:
            raise DataError(f"sequence {sequence} was never promoted") from None


def dump_json(value: Any) -> bytes:
    """JSON, which is YAML too."""
    return json.dumps(value, indent=1).encode() + b"\n"


def simulated_ports(
    *,
    facts: MachineFacts = FACTS,
    promoted: Mapping[int, Tree] | None = None,
    models: SimulatedModels | None = None,
    journals: Path = Path(os.devnull),
) -> Ports:
    """Every port in memory; the clock advances by what the models would have taken. A server's answers alone need a
    place, `journals`."""
    clock = SimulatedClock()
    models = models or SimulatedModels(clock.advance)
    return Ports(
        models=models,
        generators=generators(models, journals=journals),
        classifier=SimulatedClassifier(),
        near_duplicates=EverySuspect(),
        machine=SimulatedMachine(facts),
        clock=clock,
        adapters=MemoryAdapters(promoted),
        verifier=SshVerifier(),
        dump_yaml=dump_json,
    )
