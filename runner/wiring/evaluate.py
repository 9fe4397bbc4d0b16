"""Settings to the edges of evaluation: which model is asked, where its base comes from, where the log goes, and whose
scenarios are taken over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from runner.edges import import_assay as assay_files
from runner.edges.base_store import LocalBases
from runner.edges.bases import base_digest
from runner.edges.dvc_objects import DvcObjects
from runner.edges.git import GitObjects
from runner.edges.git_command import git
from runner.edges.import_assay import Written
from runner.edges.logs.store import Evaluations, Kept
from runner.edges.run_outputs import RunOutputs
from runner.edges.simulated import MemoryArtifacts
from runner.edges.yaml_files import parse
from runner.errors import DataError, ModelError, RecordError
from runner.ledger import count_look as enter_look
from runner.ports import LanguageModels, Model, Ports, Progress, Tree, silent
from runner.records.cluster import TinyBase
from runner.records.evaluation import EvaluatedModel, ModelKind, StageName
from runner.records.promotion import PromotionRecord
from runner.records.serving import Serving
from runner.records.terms import SetName
from runner.rules.adopt.assay import Terms
from runner.rules.canonical import digest
from runner.rules.evaluation.looks import HELDOUT
from runner.rules.repository.problems import explain
from runner.wiring import flywheel
from runner.workspace import Inputs, Workspace

CONFIG = "adapter_config.json"
LARGEST_ADAPTER = 1 << 32
RECENT = 8
"""Run branches that are looked through for a base, the newest first."""


class Chosen(NamedTuple):
    """The model to ask, and what its log calls it."""

    model: Model
    who: EvaluatedModel


def evaluate(
    path: Path,
    cluster: str,
    *,
    model: str = ModelKind.INCUMBENT,
    stages: Sequence[StageName] = (),
    until: StageName | None = None,
    early_stop: bool = False,
    count_look: bool = False,
    engine: str = "",
    cached: bool = True,
    keep: bool = False,
    models: LanguageModels | None = None,
    progress: Progress = silent,
) -> Kept:
    """Ask a model the cluster's scenarios as they stand in the work tree, and write its log.

    `model` is `base`, `incumbent`, a promotion's sequence, or a directory with an adapter. `engine` answers instead of
    the one that the cluster serves with, and `models`, where they are given, instead of any. With `count_look` a
    candidate's look at held-out is entered in the ledger. Raises `RecordError` for a model or engine that there is not,
    for a look that would not be counted or is one too many, and what the models raise.
    """
    from runner.phases.logged import BY_DEFAULT, IN_ORDER, evaluated

    top = flywheel.root(path)
    space = _with_engine(flywheel.workspace(top, cluster), engine)
    ports = flywheel.ports(top, space, cached=cached, progress=progress)
    ports = replace(ports, models=models) if models is not None else ports
    wanted = tuple(stages) or (IN_ORDER[: IN_ORDER.index(until) + 1] if until else BY_DEFAULT)
    chosen = choose(top, space, ports, model)
    if StageName.HELDOUT in wanted and chosen.who.adapter is not None and chosen.who.sequence is None:
        _look(top, space, chosen.who.adapter, name=model, counted=count_look)
    started = ports.clock.now()
    logged = evaluated(
        Inputs(space, MemoryArtifacts({"base": chosen.model.weights})),
        ports,
        model=chosen.model,
        who=chosen.who,
        stages=wanted,
        early_stop=early_stop,
        measured={"started": started, "machine": ports.machine.facts().host},
    )
    store = Evaluations(top)
    kept = store.keep(logged.run, logged.samples, in_git=keep)
    if keep:
        store.publish(kept)
    return kept


def _look(top: Path, space: Workspace, adapter: str, *, name: str, counted: bool) -> None:
    """Enter a candidate's look at held-out in the ledger, before it is taken. Raises `RecordError` where it is not to
    be counted, or none is left."""
    if not counted:
        hint = "leave held-out out, or enter the look in the ledger: --count-look"
        raise RecordError("is no promoted adapter, and may not look at held-out uncounted", path=name, hint=hint)
    verdict = enter_look(
        flywheel.ledger_store(top),
        space.cluster.id,
        heldout=space.digests[HELDOUT],
        adapter=adapter,
        allowed=space.cluster.heldout_looks,
    )
    for reason in verdict.reasons:
        raise RecordError(reason.problem, path=name, hint=reason.hint)


def import_assay(path: Path, cluster: str, file: Path, *, into: SetName, terms: Terms) -> Written:
    """Take the scenarios of an Assay file over into a set of the cluster. Raises `RecordError`."""
    top = flywheel.root(path)
    return assay_files.import_assay(top, flywheel.workspace(top, cluster), file, into=into, terms=terms)


def _with_engine(space: Workspace, engine: str) -> Workspace:
    """The workspace with another engine, which is set up as `cluster.yaml` says or by its defaults."""
    serving = space.cluster.serving
    if engine in ("", serving.engine):
        return space
    said = serving.model_dump(exclude={"vllm", "endpoint"}) | {"engine": engine}
    try:
        other = Serving.model_validate(said)
    except ValidationError as error:
        problem = explain(error, Serving)[0].problem
        raise RecordError(problem, path=f"clusters/{space.cluster.id}/cluster.yaml", field="serving") from error
    return replace(space, cluster=space.cluster.model_copy(update={"serving": other}))


def choose(top: Path, space: Workspace, ports: Ports, name: str) -> Chosen:
    """The model that `name` means. Raises `RecordError` where it means none."""
    if name == ModelKind.BASE:
        return _chosen(ModelKind.BASE, "base", _base(top, space, ports))
    if name == ModelKind.INCUMBENT:
        sequence = space.incumbent.sequence
        if not sequence:
            return _chosen(ModelKind.INCUMBENT, "base: nothing is promoted", _base(top, space, ports), sequence=0)
        return _promoted(top, space, sequence, kind=ModelKind.INCUMBENT)
    if name.isdecimal():
        return _promoted(top, space, int(name), kind=ModelKind.ADAPTER)
    return _chosen(ModelKind.ADAPTER, name, replace(_base(top, space, ports), adapter=read_adapter(Path(name))))


def _chosen(kind: ModelKind, name: str, model: Model, *, sequence: int | None = None) -> Chosen:
    adapter = model.adapter.digest if model.adapter is not None else None
    who = EvaluatedModel(kind=kind, name=name, base=base_digest(model), adapter=adapter, sequence=sequence)
    if model.adapter is not None:
        _fits(model.adapter, base_digest(model), name=name)
    return Chosen(model, who)


def _promoted(top: Path, space: Workspace, sequence: int, *, kind: ModelKind) -> Chosen:
    """A promotion's adapter on the base that its record names."""
    path = f"clusters/{space.cluster.id}/promotions/{sequence}/record.yaml"
    if not (top / path).is_file():
        raise RecordError(f"there is no promotion {sequence}", path=path, hint="`hallmark status` shows the last one")
    record = parse((top / path).read_bytes(), PromotionRecord, path=path)
    store = flywheel.adapter_store(top)
    base, adapter = store.base(record), store.fetch(record)
    if base is None and isinstance(space.cluster.base, TinyBase):
        raise DataError(f"{path}: the record does not say where its base is")
    model = Model(space.cluster.base, Tree(dict(base or {})), Tree(dict(adapter)))
    return _chosen(kind, f"{space.cluster.id}/{sequence}", model, sequence=sequence)


def read_adapter(directory: Path) -> Tree:
    """The adapter's files. Raises `RecordError` for what is no directory with a LoRA adapter in safetensors."""
    if not (directory / CONFIG).is_file():
        hint = "name base, incumbent, a promotion's sequence, or a directory with an adapter"
        raise RecordError(f"is no model: it has no {CONFIG}", path=str(directory), hint=hint)
    files = sorted(path for path in directory.iterdir() if path.is_file() and not path.name.startswith("."))
    if sum(path.stat().st_size for path in files) > LARGEST_ADAPTER:
        raise RecordError("is larger than an adapter may be", path=str(directory), hint="name the adapter alone")
    return Tree({path.name: path.read_bytes() for path in files})


def _fits(adapter: Tree, base: str, *, name: str) -> None:
    """An adapter that names its base by digest names this one."""
    try:
        said = str(json.loads(adapter.files[CONFIG])["base_model_name_or_path"])
    except (ValueError, KeyError, TypeError) as error:
        raise RecordError(f"has no {CONFIG} that names a base", path=name) from error
    if said.startswith("sha256:") and said != f"sha256:{base}":
        raise ModelError(f"{name} was trained on the base {said[7:19]}…, and this one is {base[:12]}…")


def _base(top: Path, space: Workspace, ports: Ports) -> Model:
    """The cluster's base. A tiny one is that of an iteration, or of an earlier evaluation; else it is made."""
    base = space.cluster.base
    if not isinstance(base, TinyBase):
        return Model(base, Tree({}))
    return Model(base, _of_a_run(top, space) or _made(top, space, ports))


def _of_a_run(top: Path, space: Workspace) -> Tree | None:
    """The base that a recent iteration made of what these files say of it; None where none did."""
    cluster, wanted = space.cluster.id, _made_from(space)
    prefixes = (f"refs/heads/runs/{cluster}/", f"refs/remotes/origin/runs/{cluster}/")
    refs = git(top, "for-each-ref", "--sort=-committerdate", f"--count={RECENT}", "--format=%(refname)", *prefixes)
    with GitObjects(top) as objects:
        for iteration in dict.fromkeys(ref.rpartition("/")[2] for ref in refs.splitlines()):
            try:
                outputs = RunOutputs(objects, cluster, iteration)
                recorded = outputs.step("baseline").outputs.get("base")
                same = _made_from(flywheel.workspace(top, cluster, outputs.tip)) == wanted
            except RecordError:
                continue
            if same and recorded is not None:
                return outputs.tree_of("base", DvcObjects.of_work_tree(top), recorded)
    return None


def _made_from(space: Workspace) -> str:
    """The digest of what a tiny base is made from; its rows that stand in a frozen set are left out."""
    read = {name: sha256 for name, sha256 in space.digests.items() if name.startswith(("scenarios/", "data/base"))}
    recipe = [space.params.base.model_dump(mode="json"), space.params.seed, space.params.threads]
    return digest([read, recipe, space.cluster.instruction])


def _made(top: Path, space: Workspace, ports: Ports) -> Tree:
    """The base that the stage `base` makes of these files, made once on this machine."""
    from runner.phases import base as stage
    from runner.phases.p01_intake import leaks
    from runner.records.dataset import Example
    from runner.records.training import BaseTraining

    cluster = space.cluster
    key = digest([_made_from(space), ports.models.version])
    kept = LocalBases(flywheel.own_folder(top) / "bases" / cluster.id)
    if (found := kept.find(key)) is not None:
        return found
    flywheel.bring_data(top, cluster.id)
    data = flywheel.data_of(top, cluster.id)
    rows = data.rows("base-data", Example)
    output = stage.run(Inputs(space, MemoryArtifacts({"base-data": rows, "leaks": leaks(Inputs(space, data))})), ports)
    weights, record = output.artifacts["base"], output.artifacts["base-training"]
    if not isinstance(weights, Tree) or not isinstance(record, BaseTraining):
        raise DataError("the stage `base` made no base")
    kept.keep(key, weights, record)
    return weights
