"""The flywheel: what turns the thirteen phases of `pipeline.PHASES`, and the rules it keeps.

- Phases propose, the ledger disposes: an entry is appended after the outputs are checked, pushed and committed,
  and a phase that the ledger has passed is never run again.
- A step that was committed but not recorded (killed in between) is recorded as it was committed, not made again.
- A gate that waits or refuses ends the turn; the next turn takes up at the same phase.
- Another iteration of the cluster that has not reached its bundle is superseded by a new one, which takes on what
  triggers that one was queued for.
- Where as many iterations as the cluster's policy allows brought nothing, none begins before people change something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from runner.begin import begin, next_entry, taking_up
from runner.errors import PhaseOrderError
from runner.ledger import History, extend
from runner.phases.escalate import stopped
from runner.pipeline import INTAKE, PHASES, Phase, perform
from runner.ports import Artifacts, LedgerStore, Ports, PullRequests, Reader, Run, Runs
from runner.records.base import Record
from runner.records.dataset import Candidate
from runner.records.failure import RubricDrafts
from runner.records.fired import Begun
from runner.records.intake import Intake
from runner.records.ledger import Entry, EntryKind, RunState
from runner.records.step import Step
from runner.records.verdict import Outcome, Verdict
from runner.rules.evaluation.looks import HELDOUT, exhausted
from runner.rules.triage.lists import prefilled
from runner.workspace import BEGUN, Workspace


class Standing(Record):
    """Where a turn of the flywheel ended."""

    cluster: str
    iteration: str
    state: RunState
    phase: str
    verdict: Verdict
    opened: tuple[str, ...] = ()
    """Branches that wait for people."""


@dataclass(frozen=True)
class Flow:
    """Everything a turn of the flywheel needs of one cluster."""

    reader: Reader
    """The tree that is read: main, as reviewed."""
    workspace: Workspace
    """That tree's files of the cluster, loaded."""
    load: Callable[[Reader], Workspace]
    source: Artifacts
    """The data of the tree that is read, for intake."""
    ledger: LedgerStore
    runs: Runs
    pulls: PullRequests
    ports: Ports
    dump_yaml: Callable[[Record], bytes]
    tell: Callable[[Phase, Step], None] = lambda phase, step: None

    @property
    def cluster(self) -> str:
        return self.workspace.cluster.id

    def history(self) -> History:
        return History.from_entries(self.cluster, self.ledger.read(self.cluster))


def iterate(flow: Flow) -> Standing:
    """Turn to the next human gate, or to the bundle. Everything before a kill is taken up, nothing is done twice."""
    flow = replace(flow, workspace=taking_up(flow.history(), flow.workspace))
    intake = perform(INTAKE, flow.workspace, flow.source, flow.ports).artifacts["intake"]
    if not isinstance(intake, Intake):
        raise PhaseOrderError("intake did not write an intake")
    iteration = intake.iteration
    stopped = _stopped(flow, intake)
    if stopped is not None:
        return stopped
    begin(flow.ledger, intake, at=flow.ports.clock.now())
    run = flow.runs.open(flow.cluster, iteration)
    opened: tuple[str, ...] = ()
    for phase in PHASES:
        step = advance(flow, run, phase, iteration)
        flow.tell(phase, step)
        opened += _open_pull_requests(flow, run, phase, step)
        if not step.verdict.passed:
            break
    history = flow.history()
    return Standing(
        cluster=flow.cluster,
        iteration=iteration,
        state=history.state(iteration),
        phase=step.phase,
        verdict=step.verdict,
        opened=opened,
    )


def advance(flow: Flow, run: Run, phase: Phase, iteration: str) -> Step:
    """Bring one phase about: from the ledger, from the branch, or by running it."""
    history = flow.history()
    recorded = history.passed(iteration)
    if phase.name in recorded:
        return _step_of(recorded[phase.name])
    step = committed = run.steps().get(phase.name)
    if step is not None and step.verdict.passed:
        run.restore(step.outputs)
    else:
        step = _run_phase(flow, run, phase, iteration, recorded)
        if step.verdict.outcome is not Outcome.WAIT and not _same(committed, step):
            run.commit(step, [stage.name for stage in phase.stages])
    _record(flow, step)
    return step


def _stopped(flow: Flow, intake: Intake) -> Standing | None:
    """Where the loop stands still because nothing improves; None where this iteration goes on, or may begin."""
    history = flow.history()
    known = history.runs.get(intake.iteration)
    if known is not None and not known.superseded:
        return None
    cluster, pins = flow.workspace.cluster, intake.pins
    found = stopped(cluster, pins=pins, entries=history.entries, runs=flow.runs, pulls=flow.pulls)
    if found is None:
        return None
    branch, verdict = found
    waits = {"state": RunState.BLOCKED, "phase": INTAKE.name, "verdict": verdict, "opened": (branch,)}
    return Standing.model_validate({"cluster": cluster.id, "iteration": intake.iteration, **waits})


def _run_phase(flow: Flow, run: Run, phase: Phase, iteration: str, recorded: Mapping[str, Entry]) -> Step:
    known = {name: digest for entry in recorded.values() for name, digest in entry.outputs.items()}
    refusal = _looks_exhausted(flow, phase, recorded)
    reads = [name for stage in phase.stages for name in stage.reads]
    run.restore({name: known[name] for name in reads if name in known})
    if phase is PHASES[0] and flow.workspace.triggers:
        run.bring(BEGUN.format(flow.cluster), flow.dump_yaml(Begun(triggers=flow.workspace.triggers)))
    if phase.name == "triage":
        for path in _decisions(flow, iteration):
            run.bring(path, flow.reader.read(path))
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    measured: dict[str, object] = {}
    started, verdict = flow.ports.clock.monotonic(), Verdict()
    imported = flow.ports.models.import_seconds
    workspace = flow.load(run.reader)
    if refusal is not None:
        return Step(iteration=iteration, phase=phase.name, inputs={}, outputs={}, verdict=refusal)
    for stage in phase.stages:
        output = perform(stage, workspace, run.artifacts, flow.ports)
        run.write(output.artifacts)
        inputs |= {name: run.artifacts.digest(name) for name in stage.reads if name not in outputs}
        sets = [f"scenarios/{name}" for name in stage.sets if name in output.seen]
        inputs |= {name: workspace.digests[name] for name in sets if name in workspace.digests}
        outputs |= {name: run.artifacts.digest(name) for name in output.artifacts}
        compute = float(str(measured.get("compute_s", 0.0))) + float(output.measured.get("compute_s", 0.0))
        measured |= {**output.measured, "compute_s": round(compute, 3)}
        verdict = output.verdict
    measured["seconds"] = round(flow.ports.clock.monotonic() - started, 3)
    measured["import_s"] = round(flow.ports.models.import_seconds - imported, 3)
    measured["at"] = flow.ports.clock.now()
    return Step(
        iteration=iteration, phase=phase.name, inputs=inputs, outputs=outputs, verdict=verdict, measured=measured
    )


def _decisions(flow: Flow, iteration: str) -> Iterator[str]:
    """The files on main in which people decided on the iteration's candidates: the list, reviews and signatures."""
    home = f"clusters/{flow.cluster}/triage/{iteration}"
    if iteration in flow.workspace.triage:
        yield f"{home}.yaml"
    yield from flow.reader.paths(f"{home}/")


def _looks_exhausted(flow: Flow, phase: Phase, recorded: Mapping[str, Entry]) -> Verdict | None:
    """Held-out is looked at once per candidate, against the cluster's budget: where that is spent, no further candidate
    is made, and none looks."""
    if phase.name not in ("expand", "assess"):
        return None
    adapter = recorded["train"].outputs.get("adapter") if "train" in recorded else None
    return exhausted(
        flow.ledger.read(flow.cluster),
        cluster=flow.cluster,
        heldout=flow.workspace.digests[HELDOUT],
        allowed=flow.workspace.cluster.heldout_looks,
        adapter=adapter,
    )


def _record(flow: Flow, step: Step) -> None:
    """Append the step, unless the ledger's last word on the iteration is the same."""

    def draft(history: History) -> Entry | None:
        last = history.last(step.iteration)
        if last is not None and last.kind is EntryKind.PHASE and _same(_step_of(last), step):
            return None
        return next_entry(
            history,
            EntryKind.PHASE,
            step.iteration,
            phase=step.phase,
            inputs=step.inputs,
            outputs=step.outputs,
            verdict=step.verdict,
            measured=step.measured,
        )

    extend(flow.ledger, flow.cluster, draft)


def _same(one: Step | None, other: Step) -> bool:
    """Whether two steps differ in what was measured at most."""
    return one is not None and one.model_copy(update={"measured": other.measured}) == other


def _step_of(entry: Entry) -> Step:
    return Step(
        iteration=entry.iteration,
        phase=entry.phase,
        inputs=entry.inputs,
        outputs=entry.outputs,
        verdict=entry.verdict,
        measured=entry.measured,
    )


def _open_pull_requests(flow: Flow, run: Run, phase: Phase, step: Step) -> tuple[str, ...]:
    """What a phase leaves to people, as branches. Opening one again changes nothing."""
    if phase.name == "rubrics" and step.verdict.passed:
        drafts = run.artifacts.record("drafts", RubricDrafts)
        files = {path: text.encode() for path, text in drafts.files.items()}
        return (_open(flow, "drafts", step, files, "Rubrics and scenarios for failures that none covers"),) * bool(
            files
        )
    if phase.name == "triage" and step.verdict.outcome is Outcome.WAIT:
        path = f"clusters/{flow.cluster}/triage/{step.iteration}.yaml"
        valid = run.artifacts.rows("valid", Candidate)
        file = prefilled(valid, flow.workspace.cluster.triage, cluster=flow.cluster, iteration=step.iteration)
        return (_open(flow, "triage", step, {path: flow.dump_yaml(file)}, "Candidates to accept, reject or edit"),)
    return ()


def _open(flow: Flow, kind: str, step: Step, files: Mapping[str, bytes], title: str) -> str:
    branch = f"{kind}/{flow.cluster}/{step.iteration}"
    return flow.pulls.open(branch, files, title=f"{flow.cluster}: {title}", body=f"Iteration {step.iteration}.")
