"""Phase 1, intake: pin every digest that later phases may use, or refuse to start.

It refuses where the problem statement leaves something open, where this machine is outside the cluster's hardware
boundary, and where the frozen sets are not the ones that were locked. Base and gold rows and production traces that
stand in a frozen set are named, so that the phases that train on them or aim by them need not look at the sets.
"""

from __future__ import annotations

from collections.abc import Iterator

from runner.ports import MachineFacts, Output, Ports, Tree
from runner.records.cluster import Cluster, Problem
from runner.records.dataset import Example
from runner.records.intake import Intake
from runner.records.trace import Trace
from runner.records.validation import Leak
from runner.records.verdict import Outcome, Reason, Verdict
from runner.rules.canonical import canonical, digest
from runner.rules.data.leakage import FrozenTexts
from runner.rules.data.signals import fingerprint_of, signal_id
from runner.rules.judges.intake import reasons
from runner.rules.loop import boundary
from runner.rules.repository.benchmark import benchmark_digest, mismatches
from runner.rules.text.conversations import user_texts
from runner.workspace import Inputs, Workspace

INCUMBENT_FILE = "incumbent.json"


def run(inputs: Inputs, ports: Ports) -> Output:
    """Writes `intake`, `leaks`, and `incumbent` (`incumbent.json`, and the promoted adapter's files, if any).

    Raises `ModelError` where the cluster names tasks of a harness that is not here: phase 12 could not ask them.
    """
    space = inputs.workspace
    facts = ports.machine.facts()
    found = (
        *_problem(space.problem, space.cluster),
        *_machine(space.cluster, facts),
        *boundary.reasons(space.cluster, facts.boundaries),
        *mismatches(space.cluster, space.lock, space.scenarios, judges=space.benchmark_judges),
        *reasons(space.bench),
    )
    tasks = space.cluster.evaluation_policy.general
    if tasks:
        ports.general.ready(tasks)
    intake = pin(space)
    files = {INCUMBENT_FILE: canonical(space.incumbent) + b"\n"}
    if space.incumbent.adapter is not None:
        files.update(ports.adapters.fetch(space.incumbent.sequence).files)
    verdict = Verdict(outcome=Outcome.REFUSE, reasons=found) if found else Verdict()
    return Output({"intake": intake, "leaks": leaks(inputs), "incumbent": Tree(files)}, verdict, {"compute_s": 0.0})


def pin(space: Workspace) -> Intake:
    """The pinned iteration. Triage is people's answer to an iteration, so it is no part of what makes one. The triggers
    that it was queued for are: it may be pinned to the very files that the last one was pinned to."""
    pins = {name: value for name, value in sorted(space.digests.items()) if not name.startswith("triage")}
    begun = {"triggers": [one.model_dump(mode="json") for one in space.triggers]} if space.triggers else {}
    name = digest({"pins": pins, "incumbent": space.incumbent.model_dump(mode="json"), **begun})[:10]
    iteration = f"{space.cluster.id[:53].rstrip('-')}-{name}"
    return Intake(
        cluster=space.cluster.id,
        iteration=iteration,
        benchmark_version=space.cluster.benchmark_version,
        benchmark_sha256=benchmark_digest(space.lock),
        pins=pins,
        incumbent=space.incumbent,
        earlier_triage=tuple(sorted(name for name in space.triage if name != iteration)),
        triggers=space.triggers,
    )


def leaks(inputs: Inputs) -> tuple[Leak, ...]:
    """The base and gold rows and production traces that stand in a frozen set."""
    frozen = FrozenTexts(scenario for found in inputs.workspace.scenarios.values() for scenario in found)
    rows = [row for name in ("base-data", "gold") for row in inputs.artifacts.rows(name, Example)]
    sent: dict[str, Leak] = {}
    for one in inputs.artifacts.stream("traces", Trace):
        leak = frozen.leak(signal_id(fingerprint_of(one)), user_texts(one.input))
        if leak and (leak.candidate not in sent or leak.similarity > sent[leak.candidate].similarity):
            sent[leak.candidate] = leak
    return (*frozen.leaks(sorted(rows, key=lambda row: row.id)), *(sent[name] for name in sorted(sent)))


def _problem(problem: Problem | None, cluster: Cluster) -> Iterator[Reason]:
    step = "problem"
    if problem is None:
        hint = (
            "state the gap, why real data cannot fill it, the deciding metric, its threshold and a real-only baseline"
        )
        yield Reason(step=step, problem="problem.md says nothing", hint=hint)
        return
    said = {
        "gap": problem.gap,
        "why_not_real_data": problem.why_not_real_data,
        "real_only_baseline.how": problem.real_only_baseline.how,
    }
    for field, text in said.items():
        if not text.strip():
            yield Reason(step=step, problem=f"{field} is blank in problem.md", hint="say it in words")
    if problem.threshold <= 0:
        yield Reason(step=step, problem="a threshold of 0 decides nothing", hint="name what the specialist must reach")
    if cluster.gate.thresholds.composite < problem.threshold:
        floor = cluster.gate.thresholds.composite
        problem_text = f"the gate asks for a composite of {floor:g}, less than the {problem.threshold:g} of problem.md"
        yield Reason(step=step, problem=problem_text, hint="make the gate ask for at least as much")


def _machine(cluster: Cluster, facts: MachineFacts) -> Iterator[Reason]:
    step, hint, wanted = "hardware", "run on a machine inside the cluster's boundary", cluster.hardware
    if facts.cpus < wanted.min_cpus:
        yield Reason(step=step, problem=f"{facts.cpus} CPUs, the cluster asks for {wanted.min_cpus}", hint=hint)
    if facts.memory_gib < wanted.min_memory_gib:
        problem = f"{facts.memory_gib:.1f} GiB of memory, the cluster asks for {wanted.min_memory_gib:g}"
        yield Reason(step=step, problem=problem, hint=hint)
    if wanted.gpu == "required" and not facts.gpu:
        yield Reason(step=step, problem="no GPU, and the cluster requires one", hint=hint)
    if wanted.gpu == "forbidden" and facts.gpu:
        yield Reason(step=step, problem="a GPU, and the cluster forbids one", hint=hint)
    if wanted.machines and facts.host not in wanted.machines:
        problem = f"this machine is not one of {', '.join(wanted.machines)}"
        yield Reason(step=step, problem=problem, hint=hint)
