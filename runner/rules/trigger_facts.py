"""What triggers compare of a cluster's reviewed files: its base, its task, what writes its candidates, its data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from runner.records.cluster import Base, Cluster, HubBase, PathBase
from runner.records.dataset import Batch
from runner.records.generation import DEFAULT, ClassConditional, FewShot, GeneratorChoice, Served, suffix
from runner.records.params import ClusterParams
from runner.records.triggers import RealData
from runner.rules import perturbation
from runner.rules.canonical import digest
from runner.rules.prompts import template_digest


class Unknown(NamedTuple):
    """Something that is not to be had, and why."""

    why: str


class Said(NamedTuple):
    """A value in words, and what tells it from another."""

    words: str
    sha256: str


@dataclass(frozen=True)
class Facts:
    """Of reviewed files, what triggers compare."""

    base: Said
    task: Mapping[str, str]
    """Each part of the task's definition to its digest."""
    generators: Mapping[str, str | Unknown]
    """Each generator to its version."""
    data: Mapping[RealData, str]
    """Digests; no row where there is no such data."""


def facts(cluster: Cluster, params: ClusterParams, digests: Mapping[str, str], *, library: str | Unknown) -> Facts:
    """Of a cluster's files and their digests. `library` is the version of what runs the base."""
    task = {
        "problem.md": digests["problem"],
        "instruction": digest([cluster.instruction, cluster.answer_field]),
        "capabilities": digest([one.model_dump(mode="json") for one in cluster.capabilities]),
        "domain rules": digest([one.model_dump(mode="json") for one in cluster.domain_rules]),
        "rubrics": digests["rubrics"],
        "judges": digests.get("judges", digest(None)),
    }
    named = {RealData.GOLD: "data/gold", RealData.SIGNALS: "data/signals"}
    return Facts(
        base=_base(cluster.base, params, digests.get("data/base", "")),
        task=task,
        generators=dict(_generators(cluster, params.expand.generators or DEFAULT, library)),
        data={kind: digests[name] for kind, name in named.items() if name in digests},
    )


def made_with(batches: Sequence[Batch], found: Facts) -> Facts:
    """The facts of an iteration with the versions that its batches name: what was used, and not what was asked for."""
    names = {"runner.rules.perturbation": "perturbation", "base-few-shot": "llm-few-shot"}
    names |= dict.fromkeys(("base", "base-with-target-adapter"), "llm")
    used: dict[str, str | Unknown] = {}
    for batch in batches:
        made = batch.provenance.generator
        name = names.get(made.name, made.name.replace("server-", "llm-", 1))
        if name in found.generators:
            used[name] = _version(made.version, str(batch.provenance.parameters.get("template", "")))
    return Facts(found.base, found.task, {**found.generators, **used}, found.data)


def _base(base: Base, params: ClusterParams, data: str) -> Said:
    if isinstance(base, HubBase):
        return Said(f"{base.id}@{base.revision[:12]}", digest(base))
    if isinstance(base, PathBase):
        return Said(f"{base.path}, {base.sha256[:12]}", digest(base))
    made = digest([base.model_dump(mode="json"), params.base.model_dump(mode="json"), params.seed, data])
    return Said(f"tiny base {made[:12]} (of data/base, seed and params.yaml's `base`)", made)


def _generators(
    cluster: Cluster, choices: Sequence[GeneratorChoice], library: str | Unknown
) -> Iterator[tuple[str, str | Unknown]]:
    models = {server.id: server.model for server in cluster.generation.servers} if cluster.generation else {}
    for choice in choices:
        match choice:
            case Served():
                yield suffix(choice), _version(models.get(choice.server, "no such server"), template_digest())
            case FewShot():
                prompted = library if isinstance(library, Unknown) else _version(library, template_digest())
                yield suffix(choice), prompted
            case ClassConditional():
                yield suffix(choice), library
            case _:
                yield suffix(choice), perturbation.VERSION


def _version(model: str, template: str) -> str:
    return f"{model}, prompts {template[:12]}" if template else model
