"""Mixtures: what each arm of the sweep trains on. Arms differ in content alone: the same number of new rows after
repetition, the same capabilities in the same shares, the same replay.

New rows are shared equally among the aimed capabilities. Within one, a share of synthetic rows is taken where there
are so many (each at most `MAX_REPEATS` times); human rows fill the rest, repeated as evenly as they go. Where a cap
on a slice leaves no room, other rows of the capability are shown more often.
The control arm takes its human rows from the base data alone: rebalanced, nothing new.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from runner.records.dataset import Example
from runner.records.mixture import MixturePolicy, SliceCaps
from runner.records.scenario import Origin
from runner.records.training import TrainingRecord, TrainingRow, Use
from runner.rules.canonical import digest
from runner.rules.data.accumulation import content_key
from runner.rules.data.slices import NO_CAPS, Room, RowOrigin

CONTROL = "control"
MAX_REPEATS = 3
"""How often a synthetic row may be shown beside others of its capability."""
HUMAN = frozenset({Origin.HUMAN})
"""What counts as human where the cluster says nothing else."""


def counted_as_human(policy: MixturePolicy) -> frozenset[Origin]:
    """The origins that the human floor counts: what people wrote and, if the policy says so, what they mended."""
    return HUMAN | {Origin.CORRECTED} if policy.corrected_is_human else HUMAN


@dataclass(frozen=True)
class Pool:
    """Everything that may train, by capability: base data, human data gathered since, synthetic data accepted."""

    aimed: tuple[str, ...]
    """The capabilities that new rows are for, most urgent first."""
    base: Mapping[str, Sequence[Example]]
    human: Mapping[str, Sequence[Example]]
    synthetic: Mapping[str, Sequence[Example]]
    origins: Mapping[str, RowOrigin] = field(default_factory=dict)
    """Where rows of this iteration are from, by example."""
    caps: SliceCaps = NO_CAPS

    @property
    def real(self) -> tuple[Example, ...]:
        """The human rows of the aimed capabilities: what new rows are measured against."""
        return tuple(row for name in self.aimed for found in (self.human, self.base) for row in found.get(name, ()))


def pool(
    aimed: Sequence[str],
    *,
    base: Iterable[Example],
    gathered: Iterable[Example],
    leaked: Iterable[str] = (),
    human_origins: frozenset[Origin] = HUMAN,
    origins: Mapping[str, RowOrigin] | None = None,
    caps: SliceCaps = NO_CAPS,
) -> Pool:
    """The pool over the capabilities among `aimed` for which something was gathered. Rows in `leaked` are left out.

    A corrected example counts as synthetic unless `human_origins` has it: the floor is about what people wrote.
    """
    barred = set(leaked)
    human: dict[str, list[Example]] = defaultdict(list)
    synthetic: dict[str, list[Example]] = defaultdict(list)
    seen: set[str] = set()
    for example in gathered:
        key = content_key(example)
        if example.id not in barred and key not in seen:
            seen.add(key)
            (human if example.origin in human_origins else synthetic)[example.capability].append(example)
    return Pool(
        aimed=tuple(dict.fromkeys(name for name in aimed if name in human or name in synthetic)),
        base=by_capability(example for example in base if example.id not in barred),
        human=human,
        synthetic=synthetic,
        origins=origins or {},
        caps=caps,
    )


def by_capability(examples: Iterable[Example]) -> dict[str, list[Example]]:
    found: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        found[example.capability].append(example)
    return dict(found)


def arm_rows(
    source: Pool, *, arm: str, synthetic: float, new_rows: int, replay: Sequence[TrainingRow], seed: int
) -> tuple[TrainingRow, ...]:
    """The rows of one arm: new ones capability by capability, then the replay. Same arguments, same rows."""
    rows: list[TrainingRow] = []
    for position, capability in enumerate(source.aimed):
        quota = new_rows // len(source.aimed) + (position < new_rows % len(source.aimed))
        random_ = random.Random(f"{seed}/{capability}")
        base = list(source.base.get(capability, ()))
        gathered = [] if arm == CONTROL else list(source.human.get(capability, ()))
        made = [] if arm == CONTROL else list(source.synthetic.get(capability, ()))
        humans = _shuffled(gathered, random_) + _shuffled(base, random_)
        wanted = min(round(synthetic * quota) if humans else quota, MAX_REPEATS * len(made))
        room = Room(source.caps, source.origins, quota=quota)
        shown = _repeated(_shuffled(made, random_), wanted, room)
        rows += _repeated(humans, quota - sum(row.repeat for row in shown), room)
        rows += shown
    return (*rows, *replay)


def replay_rows(source: Pool, *, wanted: int, seed: int) -> tuple[TrainingRow, ...]:
    """At most `wanted` base rows of the capabilities that are not aimed at, as evenly over them as there are rows."""
    random_ = random.Random(f"{seed}/replay")
    queues = {
        name: _shuffled(examples, random_) for name, examples in sorted(source.base.items()) if name not in source.aimed
    }
    chosen: list[Example] = []
    while queues and len(chosen) < wanted:
        for name in list(queues):
            if len(chosen) == wanted:
                break
            chosen.append(queues[name].pop())
            if not queues[name]:
                del queues[name]
    return tuple(TrainingRow(example=example, use=Use.REPLAY) for example in sorted(chosen, key=lambda one: one.id))


def mixture_digest(rows: Sequence[TrainingRow]) -> str:
    """sha256 over the rows in order."""
    return digest([row.model_dump(mode="json") for row in rows])


class TrainingKey(NamedTuple):
    """Everything an adapter depends on: the same key, the same bytes, on one type of CPU."""

    mixture: str
    base: str
    recipe: str
    seed: int
    threads: int
    setting: str

    @classmethod
    def of(cls, record: TrainingRecord) -> TrainingKey:
        return cls(record.mixture, record.base, record.recipe, record.seed, record.threads, record.setting or "")


@dataclass(frozen=True)
class Makeup:
    """How many rows of each kind a mixture shows, repetition counted; corrected ones are among one of the first two."""

    human: int
    synthetic: int
    replay: int
    corrected: int = 0

    @property
    def synthetic_share(self) -> float:
        new = self.human + self.synthetic
        return round(self.synthetic / new, 9) if new else 0.0


def makeup(rows: Iterable[TrainingRow], *, human_origins: frozenset[Origin] = HUMAN) -> Makeup:
    """What the rows are, by use and by the origins that count as human."""
    human = synthetic = replay = corrected = 0
    for row in rows:
        if row.use is Use.REPLAY:
            replay += row.repeat
            continue
        corrected += row.repeat * (row.example.origin is Origin.CORRECTED)
        if row.example.origin in human_origins:
            human += row.repeat
        else:
            synthetic += row.repeat
    return Makeup(human=human, synthetic=synthetic, replay=replay, corrected=corrected)


def _shuffled(examples: Sequence[Example], random_: random.Random) -> list[Example]:
    ordered = sorted(examples, key=lambda one: one.id)
    random_.shuffle(ordered)
    return ordered


def _repeated(examples: Sequence[Example], quota: int, room: Room) -> list[TrainingRow]:
    """`quota` showings of `examples`, in rounds, so that the first ones are shown once more where it does not divide.

    Fewer where `room` is for fewer. Shape: one row for each example that is shown.
    """
    shown, left = [0] * len(examples), quota
    while left > 0:
        before = left
        for position, example in enumerate(examples):
            if left > 0 and room.take(example.id):
                shown[position] += 1
                left -= 1
        if left == before:
            break
    return [
        TrainingRow(example=example, use=Use.NEW, repeat=repeat)
        for example, repeat in zip(examples, shown, strict=True)
        if repeat
    ]
