"""Settings to the edges that the promotion room reads and writes through: those of `gate`, and what proposing needs."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from runner.edges import adapter_store, hook_files
from runner.edges.files import write_file
from runner.edges.run_outputs import REMAKE, RunOutputs
from runner.edges.scratch import new_signer, scratch_repository
from runner.edges.signing import SshSigner
from runner.edges.yaml_dump import dump as dump
from runner.edges.yaml_files import line_of as line_of
from runner.edges.yaml_files import parse as parse
from runner.errors import RecordError
from runner.ports_promotion import Signer
from runner.promotion.drill import Scratch, with_drill
from runner.promotion.gather import read_before
from runner.promotion.handoff import with_generated
from runner.promotion.later import WHEN
from runner.promotion.propose import Staging, adapter_record, bundle_point
from runner.promotion.receipt import Registry
from runner.promotion.rollback import on_call
from runner.records.cluster import Cluster, HubBase
from runner.records.evidence import EvidenceFile, Operations, RollbackContract
from runner.records.failure import Diagnosis
from runner.records.intake import Intake
from runner.records.ledger import Entry, EntryKind
from runner.records.promotion import BaseId, BenchmarkId, RunSource, ServingStage
from runner.records.training import BaseTraining, Sweep, Training
from runner.rules.canonical import canonical, digest
from runner.rules.trust.change import POLICY_FILES
from runner.wiring.gate import Room as Room
from runner.wiring.gate import now as now
from runner.wiring.gate import room as room


def signer(key: Path) -> Signer:
    return SshSigner(key)


def registry(room: Room) -> Registry:
    return Registry(room.repository, room.ledger.commit, room.remote)


def install_hooks(
    path: Path, *, python: str, root: str, key: Path | None, store: Path | None, resident: bool = True
) -> Mapping[str, Path]:
    return hook_files.install(path, python=python, root=root, key=key, store=store, resident=resident)


def read_policy(top: Path) -> dict[str, bytes]:
    """The policy's files in a work tree; what is missing is left out."""
    return {path: (top / path).read_bytes() for path in POLICY_FILES if (top / path).is_file()}


def write_files(top: Path, files: Mapping[str, bytes]) -> None:
    for path, data in files.items():
        write_file(top / path, data)


def deliver(directory: Path, files: Mapping[str, bytes]) -> bool:
    return adapter_store.deliver(directory, files)


def staging(room: Room, cluster: str, iteration: str = "") -> Staging:
    """A promotion as the cluster's last finished iteration (or a named one) leaves it. Raises `RecordError`."""
    from runner.edges.plots import sweep_svg
    from runner.edges.report import render

    sources, main = room.sources(), room.main()
    chain = sources.chain(cluster)
    iteration = iteration or _last_bundled(chain.history.entries, cluster)
    bundle_point(chain, iteration)
    outputs = RunOutputs(room.repository, cluster, iteration)
    before, whole = (
        read_before(sources, main, cluster),
        sources.record(main, f"clusters/{cluster}/cluster.yaml", Cluster),
    )
    intake = outputs.record("intake", Intake)
    training = outputs.record("training", Training)
    sweep = outputs.record("sweep", Sweep)
    diagnosis = outputs.record("diagnosis", Diagnosis)
    if room.store is None:
        raise RecordError("the adapter's bytes are needed to propose it")
    files = outputs.adapter(room.store.objects, training.adapter)
    targeted = {failure.capability for failure in diagnosis.failures if failure.id in diagnosis.targets}
    incumbent = before.incumbent
    contract = RollbackContract(
        to_sequence=incumbent.sequence,
        to_adapter=incumbent.adapter,
        when=WHEN,
        who=on_call(sources.policy(main).trust),
    )
    evidence = {
        **outputs.tree("bundle"),
        EvidenceFile.SWEEP_PLOT.value: sweep_svg(sweep, targeted=targeted),
        EvidenceFile.OPERATIONS.value: canonical(_operations(outputs, sweep.chosen)) + b"\n",
        EvidenceFile.ROLLBACK.value: canonical(contract) + b"\n",
    }
    staging = Staging(
        cluster=cluster,
        sequence=before.last + 1,
        iteration=iteration,
        benchmark=BenchmarkId(id=cluster, version=intake.benchmark_version, sha256=intake.benchmark_sha256),
        base=_base(whole, outputs),
        adapter=adapter_record(files, dvc=outputs.pointer("adapter")),
        incumbent=incumbent,
        run=RunSource(branch=outputs.branch, iteration=iteration),
        human_share=sweep.human_share,
        evidence=evidence,
        stage=ServingStage(before.cluster.stages.enter),
    )
    staging = with_generated(sources, staging, main=main)
    report = render(staging.evidence, cluster=whole, sequence=staging.sequence)
    return replace(staging, evidence={**staging.evidence, EvidenceFile.REPORT.value: report})


def drilled(room: Room, staging: Staging) -> Staging:
    """The staging with its rollback drill. Raises `DataError` where the adapter to go back to cannot be had."""
    with scratch_repository(room.repository.path) as (repository, keys):
        scratch = Scratch(repository, lambda name: new_signer(keys, name), time.monotonic, dump)
        return with_drill(room.sources(), scratch, staging, main=room.main(), now=now())


def last_baseline(room: Room, cluster: str) -> tuple[str, bytes]:
    """The last baseline that was taken of the adapter that serves now, and a name for it; both empty for none.

    Raises `RecordError` where its run branch is not here.
    """
    sources = room.sources()
    serving = read_before(sources, room.main(), cluster).incumbent
    history = sources.chain(cluster).history
    taken = [iteration for iteration in history.runs if "baseline" in history.passed(iteration)]
    if serving.adapter is None or not taken:
        return "", b""
    outputs = RunOutputs(room.repository, cluster, taken[-1])
    if outputs.record("intake", Intake).incumbent != serving:
        return "", b""
    return f"{outputs.branch}/baseline.json", outputs.file("baseline")


def _last_bundled(entries: tuple[Entry, ...], cluster: str) -> str:
    for entry in reversed(entries):
        if entry.kind is EntryKind.PHASE and entry.phase == "bundle" and entry.verdict.passed:
            return entry.iteration
    raise RecordError(f"{cluster} has no finished iteration", hint=f"run `hallmark iterate {cluster}` first")


def _operations(outputs: RunOutputs, chosen: str) -> Operations:
    """What phase 12 measured, with the seconds the candidate trained for: in phase 11, or as an arm of the sweep."""
    assessed, swept, trained = (outputs.measured(phase) for phase in ("assess", "sweep", "train"))
    try:
        found = assessed["operations"]
        values = found if isinstance(found, dict) else json.loads(found)
        arms = swept.get("training_s", {})
        seconds = float(trained.get("training_s", 0.0)) or float(arms.get(chosen, 0.0))
        return Operations.model_validate({**values, "training_seconds": seconds})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        problem = f"the operational figures that phase 12 measured cannot be read: {error}"
        path, field = f"{outputs.branch}: run/steps/assess.json", "measured.operations"
        raise RecordError(problem, path=path, field=field, hint=REMAKE) from error


def _base(cluster: Cluster, outputs: RunOutputs) -> BaseId:
    base = cluster.base
    if base.kind == "tiny":
        weights = outputs.record("base-training", BaseTraining).weights
        return BaseId(kind="tiny", sha256=weights, dvc=outputs.pointer("base"))
    return BaseId(kind=base.kind, sha256=digest(base) if isinstance(base, HubBase) else base.sha256)
