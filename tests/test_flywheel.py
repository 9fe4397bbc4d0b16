"""Turning the flywheel in memory: gates, what a kill at any call leaves, one iteration overtaking another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runner import flywheel
from runner.edges.simulated import MemoryArtifacts, dump_json, simulated_ports
from runner.edges.simulated_repository import MemoryLedger, MemoryPullRequests, MemoryReader, MemoryRuns
from runner.flywheel import Flow, iterate
from runner.ledger import PHASES, History, entry_digest
from runner.records.gated import Thresholds
from runner.records.ledger import EntryKind, RunState
from runner.records.triage import Choice, TriageFile
from runner.records.verdict import Outcome
from tests.flywheel_fixture import digests, fixture


class Killed(BaseException):
    """SIGKILL, as far as one process can play it."""


class Fuse:
    """Counts calls of what it wraps, and kills at the one it is set to, before or after the call is carried out."""

    def __init__(self, at: int | None = None) -> None:
        self.at, self.calls = at, 0

    def wrap(self, target):
        fuse = self

        class Wrapped:
            def __getattr__(self, name):
                value = getattr(target, name)
                return fuse.call(value) if callable(value) else value

        return Wrapped()

    def call(self, function):
        def called(*arguments, **named):
            self.tick()
            result = function(*arguments, **named)
            self.tick()
            return self.wrap(result) if hasattr(result, "commit") else result

        return called

    def tick(self):
        self.calls += 1
        if self.calls == self.at:
            raise Killed


class World:
    """What outlives a kill: the ledger, the branches, the pull requests."""

    def __init__(self, **changes):
        self.workspace, self.values = fixture(**changes)
        self.ledger, self.pulls = MemoryLedger(), MemoryPullRequests()
        self.runs = MemoryRuns({}, self.values)

    def flow(self, fuse: Fuse | None = None) -> Flow:
        fuse = fuse or Fuse()
        return Flow(
            reader=MemoryReader({f"clusters/desk/triage/{name}.yaml": b"" for name in self.workspace.triage}),
            workspace=self.workspace,
            load=lambda reader: self.workspace,
            source=MemoryArtifacts(self.values),
            ledger=fuse.wrap(self.ledger),
            runs=fuse.wrap(self.runs),
            pulls=fuse.wrap(self.pulls),
            ports=simulated_ports(),
            dump_yaml=lambda record: dump_json(record.model_dump(mode="json")),
        )

    def entries(self):
        return self.ledger.read("desk")


def essence(world: World):
    return [(e.kind, e.phase, e.inputs, e.outputs, e.verdict) for e in world.entries()]


@pytest.fixture(scope="module")
def whole() -> World:
    world = World()
    assert iterate(world.flow()).verdict.passed
    return world


def test_one_turn_reaches_the_bundle(whole):
    phases = [entry.phase for entry in whole.entries() if entry.kind is EntryKind.PHASE]
    assert phases == list(PHASES)
    history = History.from_entries("desk", whole.entries())
    assert history.state(history.current) is RunState.ASSESSING


def test_a_second_turn_does_nothing(whole):
    before = whole.entries()
    assert iterate(whole.flow()).phase == "bundle"
    assert whole.entries() == before


def test_every_phase_names_the_digests_it_read_as_they_were_written(whole):
    written = {}
    for entry in whole.entries():
        for name, digest in entry.inputs.items():
            assert written.get(name, digest) == digest, (entry.phase, name)
        written |= entry.outputs


def calls_of_a_whole_turn() -> int:
    fuse = Fuse()
    iterate(World().flow(fuse))
    return fuse.calls


def remembering(perform):
    """`perform`, which gives again what it gave for the same reviewed files and inputs. Stages speak with neither the
    ledger nor the branches, so no kill falls into one; that they repeat is the next test's to hold."""
    kept = {}

    def performed(stage, workspace, artifacts, ports):
        read = tuple(artifacts.digest(name) for name in stage.reads)
        key = (stage.name, tuple(sorted(workspace.digests.items())), read)
        if key not in kept:
            kept[key] = perform(stage, workspace, artifacts, ports)
        return kept[key]

    return performed


def test_killed_at_any_call_it_ends_the_same(whole, monkeypatch):
    monkeypatch.setattr(flywheel, "perform", remembering(flywheel.perform))
    calls = calls_of_a_whole_turn()
    assert calls > 100
    wanted = essence(whole)
    for at in range(1, calls + 1, max(1, calls // 60)):
        world = World()
        with pytest.raises(Killed):
            iterate(world.flow(Fuse(at)))
        before = world.entries()
        iterate(world.flow())
        assert world.entries()[: len(before)] == before, f"call {at}: an entry from before the kill changed"
        assert essence(world) == wanted, f"call {at}"


def test_killed_again_and_again_it_still_ends(whole):
    world = World()
    for at in (3, 40, 25, 60, 31, 90):
        with pytest.raises(Killed):
            iterate(world.flow(Fuse(at)))
    iterate(world.flow())
    assert essence(world) == essence(whole)


def test_triage_waits_for_people_and_a_merge_goes_on():
    world = World(triage={"required": "all"})
    standing = iterate(world.flow())
    assert (standing.phase, standing.verdict.outcome) == ("triage", Outcome.WAIT)
    branch = f"triage/desk/{standing.iteration}"
    assert branch in standing.opened
    (text,) = world.pulls.branches[branch].values()
    file = TriageFile.model_validate_json(text)
    assert file.decisions
    assert all(decision.decision is Choice.UNDECIDED for decision in file.decisions)
    waiting = world.entries()
    assert iterate(world.flow()).verdict.outcome is Outcome.WAIT
    assert world.entries() == waiting, "waiting again is not worth an entry"

    accepted = tuple(one.model_copy(update={"decision": Choice.ACCEPT}) for one in file.decisions)
    decided = file.model_copy(update={"decisions": accepted, "reviewer": "owner"})
    world.workspace = replace(world.workspace, triage={standing.iteration: decided})
    after = iterate(world.flow())
    assert after.iteration == standing.iteration
    assert (after.phase, after.verdict.outcome) == ("bundle", Outcome.PASS)


def test_a_newer_tree_supersedes_the_iteration_in_flight():
    world = World(triage={"required": "all"})
    first = iterate(world.flow()).iteration
    limits = world.workspace.cluster.gate.model_copy(update={"max_regressions": 0.09})
    moved = replace(world.workspace, cluster=world.workspace.cluster.model_copy(update={"gate": limits}))
    world.workspace = replace(moved, digests=digests(moved))
    second = iterate(world.flow()).iteration
    history = History.from_entries("desk", world.entries())
    assert first != second
    assert history.state(first) is RunState.SUPERSEDED
    assert history.current == second


def test_a_refusal_is_written_down_once_and_nothing_after_it_runs():
    world = World(hardware={"min_cpus": 64})
    standing = iterate(world.flow())
    assert (standing.phase, standing.verdict.outcome) == ("intake", Outcome.REFUSE)
    assert "64" in standing.verdict.reasons[0].problem
    before = world.entries()
    iterate(world.flow())
    assert world.entries() == before


def test_heldout_looks_are_counted():
    world = World(heldout_looks=1, gate={"thresholds": {"composite": 0.8, "heldout": 1.0}, "max_p_value": 1.0})
    first = iterate(world.flow())
    assert (first.phase, first.verdict.outcome) == ("assess", Outcome.REFUSE)
    looser = world.workspace.cluster.gate.model_copy(update={"max_regressions": 0.2})
    moved = replace(world.workspace, cluster=world.workspace.cluster.model_copy(update={"gate": looser}))
    world.workspace = replace(moved, digests=digests(moved))
    second = iterate(world.flow())
    assert second.phase == "expand", "no further candidate is made"
    assert "1 candidates have looked" in second.verdict.reasons[0].problem
    assert second.verdict.reasons[0].hint == "rotate it: hallmark benchmark rotate desk"


def test_a_candidate_that_was_stopped_on_core_takes_no_look():
    world = World(heldout_looks=1, gate={"thresholds": {"composite": 1.0, "heldout": 0.8}, "max_p_value": 1.0})
    first = iterate(world.flow())
    assert (first.phase, [reason.step for reason in first.verdict.reasons]) == ("assess", ["stages"])
    assert "scenarios/heldout" not in world.entries()[-1].inputs
    assert "scenarios/core" in world.entries()[-1].inputs
    thresholds = Thresholds(composite=0.8, heldout=0.8)
    looser = world.workspace.cluster.gate.model_copy(update={"thresholds": thresholds})
    moved = replace(world.workspace, cluster=world.workspace.cluster.model_copy(update={"gate": looser}))
    world.workspace = replace(moved, digests=digests(moved))
    assert iterate(world.flow()).phase == "bundle"
    assert "scenarios/heldout" in next(e for e in reversed(world.entries()) if e.phase == "assess").inputs


def test_the_last_candidate_may_look_again_and_no_other_may():
    """An assessment that was refused is tried again with the same adapter: that is the look that it has had."""
    world = World(heldout_looks=1, gate={"thresholds": {"composite": 0.8, "heldout": 1.0}, "max_p_value": 1.0})
    first = iterate(world.flow())
    before = world.entries()
    again = iterate(world.flow())
    assert (again.phase, again.verdict) == ("assess", first.verdict)
    assert world.entries() == before


def test_entries_name_the_one_before(whole):
    previous = None
    for entry in whole.entries():
        assert entry.previous == previous
        previous = entry_digest(entry)
