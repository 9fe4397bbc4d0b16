"""What two versions of a record say differently, field by field, and which way that is looser."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from runner.records.base import Record
from runner.records.change_review import Direction, SettingChange
from runner.records.cluster import Cluster
from runner.records.diversity import DiversityLimits
from runner.records.fleet import Fleet
from runner.records.signal_policy import SignalPolicy
from runner.records.significance import SignificancePolicy
from runner.records.triggers import trigger_name
from runner.rules.evaluation.assessment import perturbed
from runner.rules.review.directions import Looser, Rule, rule_for
from runner.rules.review.side import Side
from runner.rules.text.shown import shorten, shown

KEYS = ("id", "role", "task", "example")
"""What names an item of a list."""
LONGEST = 120
ABSENT = "nothing"
Flat = dict[str, Any]
"""Field path to a plain value; a list of plain values is one."""


def effective(cluster: Cluster) -> dict[str, Any]:
    """cluster.yaml with what it leaves to defaults: a default that is written out is no change."""
    said = cluster.model_dump(mode="json")
    said["gate"]["perturbations"] = [str(kind) for kind in perturbed(cluster.gate)]
    said["gate"]["significance"] = (cluster.gate.significance or SignificancePolicy()).model_dump(mode="json")
    blocks: dict[str, Record] = {
        "mixture": cluster.mixture_policy,
        "plateau": cluster.plateau_policy,
        "evaluation": cluster.evaluation_policy,
        "signals": cluster.signals or SignalPolicy(),
        "diversity": cluster.diversity or DiversityLimits(),
    }
    said["triggers"] = [
        {"id": trigger_name(one), **one.model_dump(mode="json", exclude={"kind", "of"})} for one in cluster.triggers
    ]
    said["fleet"] = _fleet(cluster.place)
    return said | {name: block.model_dump(mode="json") for name, block in blocks.items()}


def _fleet(place: Fleet) -> dict[str, Any]:
    """Every field, said or not; the boundary as a list of one or none: another in its place is one that is gone."""
    said: dict[str, Any] = {"runner": [], "hosts": [], "serves_in": [], "capacity": "", "exports": []}
    return said | place.model_dump(mode="json") | {"boundary": [place.boundary] if place.boundary else []}


def flat(value: Any, path: str = "") -> Flat:
    """Every field of a JSON value. Items of a list are named by their id, a block with a `kind` by that, so that one
    kind's fields are not compared with another's; each item also stands there itself, to be seen come and go."""
    if isinstance(value, Mapping):
        found: Flat = {}
        named = f"{path}<{value['kind']}>" if "kind" in value and path else path
        for key, item in value.items():
            at = f"{path}.kind" if key == "kind" and path else f"{named}.{key}" if named else str(key)
            found |= flat(item, at)
        return found
    if isinstance(value, list) and value and all(_key(item) for item in value):
        found = {}
        for item in value:
            name = f"{path}[{item[_key(item)]}]"
            found |= {name: str(item[_key(item)])} | flat({k: v for k, v in item.items() if k != _key(item)}, name)
        return found
    return {path: value}


def _key(item: Any) -> str:
    return next((key for key in KEYS if isinstance(item, Mapping) and key in item), "")


def setting_changes(
    before: Any,
    after: Any,
    table: Mapping[str, Rule],
    *,
    path: str,
    sides: tuple[Side, Side],
) -> Iterator[SettingChange]:
    """Each field that says something else, in its order; of an item that comes or goes, the item alone."""
    old, new = flat(before), flat(after)
    gone: list[str] = []
    for field in dict.fromkeys([*old, *new]):
        there = (field in old, field in new)
        same = all(there) and old[field] == new[field]
        if same or any(field.startswith((f"{one}.", f"{one}<")) for one in gone):
            continue
        if field.endswith(".kind"):
            gone.append(field.removesuffix(".kind"))
        if not all(there):
            if not field.endswith("]") and _empty(old.get(field, new.get(field))):
                continue  # what a block or a list, which is told of by what it holds, is where there is none
            gone.append(field)
        rule = rule_for(field, table)
        at = sides[1] if there[1] or path in sides[1].records else sides[0]
        yield SettingChange(
            at=at.at(path, _lookup(field)),
            field=field,
            direction=direction(rule, old.get(field), new.get(field), came=there == (False, True), went=not there[1]),
            before=told(old[field]) if there[0] else ABSENT,
            after=told(new[field]) if there[1] else ABSENT,
            meaning=rule.meaning if rule else "",
        )


def _empty(value: Any) -> bool:
    return value is None or value == [] or value == ""


def _lookup(field: str) -> str:
    """The field as the line map knows it, as far as it can: names of items are no places."""
    return field.split("[")[0].split("<")[0]


def told(value: Any) -> str:
    """A value in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return shorten(shown(", ".join(map(told, value))), longest=LONGEST) or "none"
    if isinstance(value, Mapping):
        return shorten(shown(json.dumps(value, ensure_ascii=False)), longest=LONGEST)
    return ABSENT if value is None or value == "" else shorten(shown(str(value)), longest=LONGEST)


def direction(rule: Rule | None, before: Any, after: Any, *, came: bool = False, went: bool = False) -> Direction:
    """Whether `after` lets more pass than `before`. `came` and `went`: only one of the two has it."""
    if rule is None:
        return Direction.CHANGED
    if rule.looser in (Looser.FEWER, Looser.MORE):
        return _of_lists(rule, before, after, came=came, went=went)
    worth = _worth(rule, before), _worth(rule, after)
    if worth[0] is None or worth[1] is None or worth[0] == worth[1]:
        return Direction.CHANGED
    return Direction.LOOSENED if worth[1] > worth[0] else Direction.TIGHTENED


def _of_lists(rule: Rule, before: Any, after: Any, *, came: bool, went: bool) -> Direction:
    old = set(map(str, before)) if isinstance(before, list) else {"it"} if not came else set()
    new = set(map(str, after)) if isinstance(after, list) else {"it"} if not went else set()
    added, removed = new - old, old - new
    looser, stricter = (added, removed) if rule.looser is Looser.MORE else (removed, added)
    if bool(looser) == bool(stricter):
        return Direction.LOOSENED if looser else Direction.CHANGED
    return Direction.LOOSENED if looser else Direction.TIGHTENED


def _worth(rule: Rule, value: Any) -> float | None:
    """How loose a value is, to be compared with another."""
    if rule.order:
        return float(rule.order.index(value)) if value in rule.order else None
    if rule.looser in (Looser.ON, Looser.OFF):
        return float(bool(value) is (rule.looser is Looser.ON))
    if isinstance(value, str):  # a time: later texts are later times
        value = "".join(filter(str.isdigit, value)) or None
    number = rule.unset if value is None else float(value)
    if number is None:
        return None
    return number if rule.looser is Looser.HIGHER else -number
