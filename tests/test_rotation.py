"""The rotation of a held-out set: what may take its place, and the way from the proposal through the gate."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.cli.rotation import lines
from runner.edges.simulated import MemoryArtifacts
from runner.errors import RecordError
from runner.flywheel import iterate
from runner.phases.rotation import files, planned
from runner.ports import Reader
from runner.records.evaluation_policy import EvaluationPolicy, Source
from runner.records.scenario import Origin, Scenario, SetName
from runner.records.triage import Choice, Decision, TriageFile
from runner.rules.evaluation.looks import candidates
from runner.rules.evaluation.rotation import Plan
from runner.rules.repository.benchmark import locked
from runner.wiring import benchmark, check, flywheel
from runner.workspace import Inputs, Workspace
from tests import desk_repository
from tests.flywheel_fixture import VOCABULARY, WORDS, digests, fixture, scenario, user
from tests.governed_desk import GovernedDesk
from tests.test_flywheel import World

HELD = 20
"""Held-out scenarios of each capability in the small desk."""


def reserve(count: int, *, seed: int = 77) -> tuple[Scenario, ...]:
    """So many of each capability, which nobody has seen: longer texts than all others, of words that theirs have."""
    drawn = random.Random(seed)
    return tuple(
        scenario(SetName.HELDOUT, name, at, " ".join(drawn.sample(VOCABULARY[name], 6))).model_copy(
            update={"id": f"fresh-{name}-{at:02d}"}
        )
        for name in WORDS
        for at in range(count)
    )


def desk(
    *, fresh: tuple[Scenario, ...] = (), evaluation: dict[str, Any] | None = None
) -> tuple[Workspace, dict[str, Any]]:
    space, values = fixture()
    policy = EvaluationPolicy.model_validate(evaluation or {})
    space = replace(space, cluster=space.cluster.model_copy(update={"evaluation": policy}))
    return replace(space, scenarios={**space.scenarios, SetName.RESERVE: fresh}), values


def plan_of(space: Workspace, values: dict[str, Any]) -> Plan:
    return planned(Inputs(space, MemoryArtifacts(values)), has=values.__contains__)


# what may be held out


def test_as_many_of_each_capability_come_as_go_and_the_reserve_comes_first() -> None:
    found = plan_of(*desk(fresh=reserve(16)))
    assert found.lacking == ()
    assert found.version == 2
    by = Counter((one.source, one.scenario.capability) for one in found.fresh)
    assert by == {
        **{(Source.RESERVE, name): 16 for name in WORDS},
        **{(Source.REFERENCE, name): 4 for name in WORDS},
    }
    assert found.left == 5 * (16 + 8 - 20)
    assert found == plan_of(*desk(fresh=reserve(16)))


def test_a_reference_row_becomes_a_scenario_after_a_retired_one_with_the_same_answer() -> None:
    space, values = desk(fresh=reserve(16))
    found = plan_of(space, values)
    rows = {row.input: row for row in values["reference"]}
    for one in (one.scenario for one in found.fresh if one.source is Source.REFERENCE):
        assert one.id.startswith(f"heldout-v2-{one.capability}-")
        row = rows[one.input]
        assert (one.capability, one.reference, one.origin) == (row.capability, row.answer, Origin.HUMAN)
        assert one.rubric == "queue"


def test_too_few_are_refused_with_what_is_needed() -> None:
    found = plan_of(*desk(fresh=reserve(3)))
    assert [reason.problem for reason in found.lacking] == [
        f"{name}: 20 fresh scenarios are needed, 11 are there" for name in sorted(WORDS)
    ]
    assert found.lacking[0].hint == "write 9 more that people asked, in scenarios/desk/reserve/"


def test_the_policy_says_how_many_from_where_and_where_the_used_ones_go() -> None:
    evaluation = {"rotation": {"per_capability": 6, "sources": ["reserve"], "retire_to": "representative"}}
    space, values = desk(fresh=reserve(7), evaluation=evaluation)
    found = plan_of(space, values)
    assert Counter(one.scenario.capability for one in found.fresh) == dict.fromkeys(WORDS, 6)
    assert {one.source for one in found.fresh} == {Source.RESERVE}
    after = found.sets(space.scenarios)
    assert len(after[SetName.REPRESENTATIVE]) == len(space.scenarios[SetName.REPRESENTATIVE]) + 5 * HELD
    assert len(after[SetName.RESERVE]) == 5
    assert after[SetName.CORE] == space.scenarios[SetName.CORE]
    assert not {one.id for one in after[SetName.HELDOUT]} & {one.id for one in space.scenarios[SetName.HELDOUT]}


def accepted(space: Workspace, text: str) -> Workspace:
    one = Decision(
        candidate="row-1",
        capability="refund",
        origin=Origin.SYNTHETIC,
        input=user(text),
        answer="refund",
        decision=Choice.ACCEPT,
    )
    file = TriageFile(cluster="desk", iteration="desk-0", reviewer="ada", decisions=(one,))
    return replace(space, triage={"desk-0": file})


@pytest.mark.parametrize(
    "where", ["base-data", "gold", "traces", "accepted", "core", "dev", "representative", "general"]
)
def test_what_resembles_anything_that_trains_or_is_in_another_set_stays_out(where: str) -> None:
    fresh = reserve(24)
    stolen = fresh[30]
    text = f"{stolen.input[-1].content} please"
    space, values = desk(fresh=fresh)
    if where == "accepted":
        space = accepted(space, text)
    elif where == "traces":
        values["traces"] = (*values["traces"], values["traces"][0].model_copy(update={"input": user(text)}))
    elif where in values:
        row = values[where][0].model_copy(update={"id": "thief", "input": user(text)})
        values[where] = (*values[where], row)
    else:
        name = SetName(where)
        copy = scenario(SetName.CORE, "refund", 99, text).model_copy(update={"id": "thief"})
        space = replace(space, scenarios={**space.scenarios, name: (*space.scenarios.get(name, ()), copy)})
    found = plan_of(space, values)
    (unfit,) = [one for one in found.unfit if one.scenario == stolen.id]
    assert "resembles it" in unfit.why
    assert stolen.id not in {one.scenario.id for one in found.fresh}


def test_what_people_did_not_write_and_what_is_there_twice_stays_out() -> None:
    fresh = list(reserve(24))
    fresh[0] = fresh[0].model_copy(update={"origin": Origin.SYNTHETIC})
    fresh[1] = fresh[1].model_copy(update={"origin": Origin.CORRECTED})
    fresh[3] = fresh[3].model_copy(update={"input": user(fresh[2].input[-1].content + "!")})
    found = plan_of(*desk(fresh=tuple(fresh)))
    assert {one.scenario: one.why for one in found.unfit} == {
        fresh[0].id: "it is synthetic, and held-out is what people wrote",
        fresh[1].id: "it is corrected, and held-out is what people wrote",
        fresh[3].id: f"it resembles {fresh[2].id}, which is offered too",
    }


class Files:
    """A reader of what a test says there is."""

    name = "memory"

    def __init__(self, there: dict[str, bytes]) -> None:
        self.there = there

    def paths(self, prefix: str = "") -> list[str]:
        return sorted(path for path in self.there if path.startswith(prefix))

    def read(self, path: str) -> bytes:
        return self.there[path]


@pytest.mark.parametrize(
    "yaml", [b"id: desk\n", b"{benchmark_version: 1}\n", b"benchmark_version: 1\nbenchmark_version: 1\n"]
)
def test_a_version_that_stands_in_no_line_of_its_own_is_refused(yaml: bytes) -> None:
    space, values = desk(fresh=reserve(24))
    found = plan_of(space, values)
    paths = {f"scenarios/desk/{name}/{one.id}.yaml": b"" for name in SetName for one in space.scenarios.get(name, ())}
    reader: Reader = Files({**paths, "clusters/desk/cluster.yaml": yaml})
    with pytest.raises(RecordError, match="in no line that can be raised"):
        files(space, found, reader, dump=lambda record: b"")


def test_the_next_iteration_runs_on_the_fresh_set_and_its_looks_are_counted_anew() -> None:
    world = World(heldout_looks=1)
    assert iterate(world.flow()).verdict.passed
    used = world.workspace.digests["scenarios/heldout"]
    space = replace(world.workspace, scenarios={**world.workspace.scenarios, SetName.RESERVE: reserve(14)})
    sets = plan_of(space, world.values).sets(space.scenarios)
    version = {"benchmark_version": 2}
    space = replace(space, scenarios=sets, cluster=space.cluster.model_copy(update=version))
    world.workspace = replace(space, lock=locked(sets, version=2), digests=digests(space))
    assert iterate(world.flow()).phase == "bundle"
    fresh = world.workspace.digests["scenarios/heldout"]
    assert used != fresh
    assert [len(candidates(world.entries(), one)) for one in (used, fresh)] == [1, 1]


# the whole way, in a real repository with the gate on its origin


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> GovernedDesk:
    """The governed desk with a reserve of 14 scenarios of each capability."""
    whole = desk_repository.fixture

    def with_reserve(**changes: Any) -> Any:
        space, values = whole(**changes)
        return replace(space, scenarios={**space.scenarios, SetName.RESERVE: reserve(14)}), values

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(desk_repository, "fixture", with_reserve)
        return GovernedDesk(tmp_path_factory.mktemp("stocked"), "support-desk").make(heldout_looks=3)


BRANCH = "benchmark/support-desk/v2"


def merge(world: GovernedDesk) -> None:
    world.run("git", "merge", "--quiet", "--no-ff", "--message", "Rotate", f"origin/{BRANCH}")


def push_refused(world: GovernedDesk, easier: Path | None = None) -> str:
    """What the gate says to the merge, with a right answer changed in it or as it is; and main is what it was."""
    merge(world)
    if easier is not None:
        easier.write_text(easier.read_text().replace("reference: refund", "reference: sizing"))
        world.run("git", "commit", "--quiet", "--all", "--amend", "--no-edit")
    said = world.run("git", "push", "origin", "main", code=1)
    world.run("git", "reset", "--quiet", "--hard", "origin/main")
    return said


def test_a_rotation_is_proposed_approved_and_merged_through_the_gate(stocked: GovernedDesk, tmp_path: Path) -> None:
    world = stocked.copy(tmp_path / "home")
    before = flywheel.workspace(world.desk, "support-desk")
    told = json.loads(world.run("hallmark", "benchmark", "rotate", "support-desk", "--json", by="ci"))
    assert (told["branch"], told["version"], told["looks"], told["looks_allowed"]) == (BRANCH, 2, 0, 3)
    assert told["fresh"] == {"reserve": dict.fromkeys(sorted(WORDS), 14), "reference": dict.fromkeys(sorted(WORDS), 6)}
    again = benchmark.rotate(world.desk, "support-desk")
    assert (again.branch, again.was_open) == (BRANCH, True)
    assert f"version 2 is open already on branch {BRANCH}: the retired go to core" in lines(again)

    world.run("git", "fetch", "--quiet", "origin")
    assert "hallmark refuses refs/heads/main" in push_refused(world), "nobody has signed it"

    key = str(world.key("ci"))
    world.run("hallmark", "propose", "--branch", BRANCH, "--ci-key", key, "--key", key, by="ci")
    world.run("git", "fetch", "--quiet", "origin")
    assert "7 quorum" in push_refused(world), "the owner has not approved it"

    world.run("hallmark", "approve", BRANCH, "--key", str(world.key("rowan")), "--yes", by="rowan")
    world.run("git", "fetch", "--quiet", "origin")
    easier = world.desk / "scenarios/support-desk/heldout/fresh-refund-00.yaml"
    assert "4 manifest" in push_refused(world, easier), "somebody slipped an easier scenario in"

    merge(world)
    world.push()
    assert check.survey(world.desk).problems == ()

    after = flywheel.workspace(world.desk, "support-desk")
    assert after.cluster == before.cluster.model_copy(update={"benchmark_version": 2})
    assert after.lock is not None
    assert (after.lock.version, after.lock.sets["heldout"].scenarios) == (2, 100)
    used = {one.id for one in before.scenarios[SetName.HELDOUT]}
    assert used <= {one.id for one in after.scenarios[SetName.CORE]}
    assert not used & {one.id for one in after.scenarios[SetName.HELDOUT]}
    assert after.scenarios[SetName.RESERVE] == ()
    assert all(one.origin is Origin.HUMAN for one in after.scenarios[SetName.HELDOUT])
