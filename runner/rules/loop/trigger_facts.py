"""What triggers compare of a cluster's reviewed files: its base, its task, what writes its candidates, its data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, assert_never

from runner.records.cluster import Base, Cluster, HubBase, PathBase
from runner.records.dataset import Batch
from runner.records.generation import DEFAULT, ClassConditional, FewShot, GeneratorChoice, Perturbation, Served, suffix
from runner.records.params import ClusterParams
from runner.records.triggers import RealData
from runner.rules.canonical import digest
from runner.rules.data.prompts import template_digest
from runner.rules.text import perturbation

THE_BASE = "the base"


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
    generators: Mapping[str, str]
    """Each generator to its version."""
    data: Mapping[RealData, str]
    """Digests; no row where there is no such data."""


def facts(cluster: Cluster, params: ClusterParams, digests: Mapping[str, str]) -> Facts:
    """Of a cluster's files and their digests."""
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
        generators=dict(_generators(cluster, params.expand.generators or DEFAULT)),
        data={kind: digests[name] for kind, name in named.items() if name in digests},
    )


def made_with(batches: Sequence[Batch], found: Facts) -> Facts:
    """The facts of an iteration with the versions that its batches name: what was used, and not what was asked for."""
    used = {}
    for batch in batches:
        made, template = batch.provenance.generator, str(batch.provenance.parameters.get("template", ""))
        match made.name:
            case "runner.rules.perturbation":
                used["perturbation"] = made.version
            case "base-few-shot":
                used["llm-few-shot"] = _prompted(THE_BASE, template)
            case name if name.startswith("server-"):
                used[name.replace("server-", "llm-", 1)] = _prompted(made.version, template)
    return replace(found, generators={name: used.get(name, version) for name, version in found.generators.items()})


def _base(base: Base, params: ClusterParams, data: str) -> Said:
    if isinstance(base, HubBase):
        return Said(f"{base.id}@{base.revision[:12]}", digest(base))
    if isinstance(base, PathBase):
        return Said(f"{base.path}, {base.sha256[:12]}", digest(base))
    made = digest([base.model_dump(mode="json"), params.base.model_dump(mode="json"), params.seed, data])
    return Said(f"tiny base {made[:12]} (of data/base, seed and params.yaml's `base`)", made)


def _generators(cluster: Cluster, choices: Sequence[GeneratorChoice]) -> Iterator[tuple[str, str]]:
    """Each generator to its version. The class-conditional one is the base itself, and has none of its own."""
    models = {server.id: server.model for server in cluster.generation.servers} if cluster.generation else {}
    for choice in choices:
        match choice:
            case Served():
                yield suffix(choice), _prompted(models.get(choice.server, "no such server"), template_digest())
            case FewShot():
                yield suffix(choice), _prompted(THE_BASE, template_digest())
            case ClassConditional():
                yield suffix(choice), THE_BASE
            case Perturbation():
                yield suffix(choice), perturbation.VERSION
            case _:
                assert_never(choice)


def _prompted(model: str, template: str) -> str:
    return f"{model}, prompts {template[:12]}"
