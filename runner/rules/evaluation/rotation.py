"""The rotation of held-out: which scenarios retire, where to, and which fresh ones take their place.

A used held-out set becomes an open one, so that its texts stay known to the leak check and out of training. What takes
its place is real (`origin: human`), stands in no other set, and resembles nothing that any model was or may be trained
on. It is as many of each capability as retire, or as many as the cluster's policy says: a set that was smaller would
tell less.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from runner.records.conversation import Conversation, last_user_text
from runner.records.dataset import Example
from runner.records.evaluation_policy import Rotation, Source
from runner.records.scenario import Origin, Scenario, SetName
from runner.records.verdict import Reason
from runner.rules.data.leakage import NEAR, FrozenTexts
from runner.rules.text.conversations import user_texts
from runner.rules.text.near_duplicates import leaders

STEP = "rotation"
LONGEST = 57
"""Letters of an id before its number."""


class Fresh(NamedTuple):
    """A scenario that may be held out, and where it was found."""

    source: Source
    scenario: Scenario


class Text(NamedTuple):
    """Something that a model was trained on, may be, or was asked: a name, and what it says."""

    name: str
    input: Conversation


class Unfit(NamedTuple):
    """A scenario that may not be held out, and why."""

    source: Source
    scenario: str
    capability: str
    why: str


class Plan(NamedTuple):
    """What the rotation would do. It may be proposed where `lacking` is empty."""

    version: int
    retired: tuple[Scenario, ...]
    retire_to: SetName
    fresh: tuple[Fresh, ...]
    left: int
    """Fit scenarios that are not needed this time."""
    unfit: tuple[Unfit, ...]
    lacking: tuple[Reason, ...]

    def told(self) -> dict[str, object]:
        """The plan as JSON has it: ids and counts, and no text of a set that is held out."""
        fresh = {source.value: Counter[str]() for source in Source}
        for one in self.fresh:
            fresh[one.source][one.scenario.capability] += 1
        return {
            "version": self.version,
            "retired": dict(sorted(Counter(one.capability for one in self.retired).items())),
            "retire_to": self.retire_to.value,
            "fresh": {name: dict(sorted(count.items())) for name, count in fresh.items()},
            "left": self.left,
            "unfit": [one._asdict() for one in self.unfit],
            "lacking": [one.model_dump(mode="json") for one in self.lacking],
        }

    def sets(self, before: Mapping[SetName, Sequence[Scenario]]) -> dict[SetName, tuple[Scenario, ...]]:
        """Every set after the rotation, sorted by id."""
        taken = {one.scenario.id for one in self.fresh}
        after = {
            **before,
            SetName.HELDOUT: [one.scenario for one in self.fresh],
            SetName.RESERVE: [one for one in before.get(SetName.RESERVE, ()) if one.id not in taken],
            self.retire_to: [*before[self.retire_to], *self.retired],
        }
        return {name: tuple(sorted(found, key=lambda one: one.id)) for name, found in after.items()}


def plan(
    cluster: str,
    scenarios: Mapping[SetName, Sequence[Scenario]],
    *,
    version: int,
    policy: Rotation,
    reference: Sequence[Example],
    known: Iterable[Text],
    seed: int,
) -> Plan:
    """The rotation to `version`. `known` is everything that trains or may: rows, traces and accepted candidates."""
    retired = tuple(scenarios[SetName.HELDOUT])
    others = [Text(f"{name}/{one.id}", one.input) for name in SetName for one in _open(scenarios, name)]
    found = {
        Source.RESERVE: [Fresh(Source.RESERVE, one) for one in scenarios.get(SetName.RESERVE, ())],
        Source.REFERENCE: [*_from_reference(reference, retired, version=version)],
    }
    offered = [one for source in policy.sources for one in found[source]]
    fit, unfit = _fit(offered, [*known, *others])
    needed = _needed(retired, policy)
    chosen = _chosen(fit, needed, policy.sources, seed=f"{seed}/rotation/{version}")
    return Plan(
        version=version,
        retired=retired,
        retire_to=policy.retire_to,
        fresh=tuple(sorted(chosen, key=lambda one: one.scenario.id)),
        left=len(fit) - len(chosen),
        unfit=tuple(unfit),
        lacking=tuple(_lacking(cluster, needed, chosen)),
    )


def _open(scenarios: Mapping[SetName, Sequence[Scenario]], name: SetName) -> Sequence[Scenario]:
    """The scenarios of a set that fresh ones must not resemble: of every set but the reserve itself."""
    return () if name is SetName.RESERVE else scenarios.get(name, ())


def _needed(retired: Sequence[Scenario], policy: Rotation) -> dict[str, int]:
    counts = Counter(one.capability for one in retired)
    return {name: policy.per_capability or count for name, count in sorted(counts.items())}


def _from_reference(reference: Sequence[Example], retired: Sequence[Scenario], *, version: int) -> Iterator[Fresh]:
    """People's reference examples as scenarios, made after a retired one of the same capability, if there is one: its
    rubric, severity and lens and, where the right answer is the same, what it says of passing."""
    models: dict[str, list[Scenario]] = defaultdict(list)
    for one in retired:
        models[one.capability].append(one)
    numbers: Counter[str] = Counter()
    for row in sorted(reference, key=lambda row: row.id):
        alike = models.get(row.capability)
        if not alike:
            continue
        model = next((one for one in alike if one.reference == row.answer), None)
        numbers[row.capability] += 1
        stem = f"{SetName.HELDOUT}-v{version}-{row.capability}"[:LONGEST].rstrip("-")
        said = {"id": f"{stem}-{numbers[row.capability]:03d}", "origin": row.origin, "input": row.input}
        if model is None:
            said |= {
                "reference": row.answer,
                "objective": "Give the right answer to this text.",
                "pass_criteria": ("The answer is the reference.",),
                "fail_criteria": ("The answer is another one.",),
            }
        yield Fresh(Source.REFERENCE, (model or alike[0]).model_copy(update=said))


def _fit(offered: Sequence[Fresh], known: Iterable[Text]) -> tuple[list[Fresh], list[Unfit]]:
    """Those that may be held out, and why the others may not."""
    fit: list[Fresh] = []
    unfit: list[Unfit] = []
    for one in offered:
        if one.scenario.origin is Origin.HUMAN:
            fit.append(one)
        else:
            unfit.append(_unfit(one, f"it is {one.scenario.origin}, and held-out is what people wrote"))
    rows = list(known)
    while True:
        shown = {one.scenario.id: why for one, why in _resembling(fit, rows)}
        if not shown:
            break
        unfit += [_unfit(one, shown[one.scenario.id]) for one in fit if one.scenario.id in shown]
        fit = [one for one in fit if one.scenario.id not in shown]
    heads = leaders([last_user_text(one.scenario.input) for one in fit], threshold=NEAR)
    for one, head in zip(fit, heads, strict=True):
        if fit[head] is not one:
            unfit.append(_unfit(one, f"it resembles {fit[head].scenario.id}, which is offered too"))
    return [one for at, one in enumerate(fit) if heads[at] == at], sorted(unfit)


def _resembling(fit: Sequence[Fresh], rows: Sequence[Text]) -> Iterator[tuple[Fresh, str]]:
    """Each row tells of the scenario that it resembles most; the caller asks again without those."""
    if not fit:
        return
    frozen, by_id = FrozenTexts([one.scenario for one in fit]), {one.scenario.id: one for one in fit}
    for row in rows:
        leak = frozen.leak(row.name, user_texts(row.input))
        if leak is not None:
            yield by_id[leak.scenario], f"{row.name} resembles it ({leak.how}, {leak.similarity:.2f})"


def _unfit(one: Fresh, why: str) -> Unfit:
    return Unfit(one.source, one.scenario.id, one.scenario.capability, why)


def _chosen(fit: Sequence[Fresh], needed: Mapping[str, int], sources: Sequence[Source], *, seed: str) -> list[Fresh]:
    """As many of each capability as are needed, from the first source as far as it goes; of more, a sample."""
    chosen: list[Fresh] = []
    for name, count in needed.items():
        drawn, wanted = random.Random(f"{seed}/{name}"), count
        for source in sources:
            some = [one for one in fit if (one.source, one.scenario.capability) == (source, name)]
            taken = drawn.sample(some, k=min(wanted, len(some)))
            wanted -= len(taken)
            chosen += taken
    return chosen


def _lacking(cluster: str, needed: Mapping[str, int], chosen: Sequence[Fresh]) -> Iterator[Reason]:
    there = Counter(one.scenario.capability for one in chosen)
    if not needed:
        yield Reason(step=STEP, problem="there is no held-out scenario to retire")
    for name, count in needed.items():
        if there[name] < count:
            problem = f"{name}: {count} fresh scenarios are needed, {there[name]} are there"
            more = count - there[name]
            hint = f"write {more} more that people asked, in scenarios/{cluster}/{SetName.RESERVE}/"
            yield Reason(step=STEP, problem=problem, hint=hint)
