"""A history made in bulk is one that the gate would have let through, and two walks find what one finds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace

import pytest

from runner.edges.aside import Aside
from runner.promotion import verify as walks
from runner.promotion.gather import Step
from runner.promotion.history import Link, first_parents
from runner.promotion.judge import judge
from runner.promotion.receipt import open_receipt
from runner.promotion.verify import Verified, verify
from runner.records.change import Operation, PathChange
from runner.records.promotion import ServingStage
from runner.records.statement import LedgerPoint, Receipt, subjects
from runner.records.verdict import Outcome, Reason, Verdict
from runner.wiring import gate
from tests.promotion_fixture import NOW
from tests.promotion_history import LongWorld, sizes

PROMOTIONS = 9
MIDDLE = (1 + PROMOTIONS) // 2
"""The first step that the second walk takes: the root is the step 0, promotion N the step N."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LongWorld]:
    world = LongWorld(tmp_path_factory.mktemp("history") / "world")
    with sizes({"core": 10, "heldout": 20, "representative": 6}):
        world.create()
        world.promote(PROMOTIONS)
        yield world


def verified(world: LongWorld, *, root: str = "") -> Verified:
    """As `hallmark verify` does it: in two processes."""
    with closing(gate.room(world.origin, with_bytes=False)) as room:
        return verify(room.offline(), tip=world.main, root=root or world.root_sha256)


@pytest.fixture
def alone(world: LongWorld, monkeypatch: pytest.MonkeyPatch) -> object:
    """What one walk finds, in one process."""

    def walk(**settings: str) -> Verified:
        with monkeypatch.context() as patch:
            patch.setattr(walks, "TOGETHER", 1000)
            patch.setattr(os, "fork", lambda: pytest.fail("a second process"))
            sources = world.sources()
            return verify(sources, tip=world.main, root=settings.get("root", world.root_sha256))

    return walk


def test_promotions_made_in_bulk_verify(world: LongWorld, alone) -> None:
    found = verified(world)
    assert found.verdict.reasons == ()
    assert found.promotions == [f"desk/{number}" for number in range(1, PROMOTIONS + 1)]
    assert found.commits == 1 + PROMOTIONS
    assert found.receipted
    assert found == alone()


@pytest.mark.parametrize("number", [1, MIDDLE - 1, MIDDLE, PROMOTIONS])
def test_each_walk_names_the_first_step_that_does_not_hold(world: LongWorld, alone, number: int) -> None:
    refs = [f"refs/tags/promotions/desk/{one}" for one in sorted({number, PROMOTIONS})]
    were = {ref: world.git.refs(ref)[ref] for ref in refs}
    try:
        for ref in refs:
            world.git.run("update-ref", "-d", ref)
        found = verified(world)
        assert found.commits == number
        assert found.commit
        assert "tag" in found.verdict.reasons[0].problem
        expected = alone()
        assert (found.commit, found.verdict, found.commits) == (expected.commit, expected.verdict, expected.commits)
    finally:
        for ref, oid in were.items():
            world.git.run("update-ref", ref, oid)


def test_a_root_that_is_another_is_said_whatever_the_later_half_is(world: LongWorld, alone) -> None:
    found, expected = verified(world, root="0" * 64), alone(root="0" * 64)
    assert (found.commits, found.verdict) == (0, expected.verdict)
    assert not found.verdict.passed


def test_a_tag_of_no_promotion_is_found_by_two_walks(world: LongWorld, alone) -> None:
    world.git.run("update-ref", "refs/tags/promotions/desk/77", world.main)
    try:
        found = verified(world)
        assert [one.problem for one in found.verdict.reasons] == [
            "tag refs/tags/promotions/desk/77 is of no promotion on main"
        ]
        assert found.verdict == alone().verdict
    finally:
        world.git.run("update-ref", "-d", "refs/tags/promotions/desk/77")


def test_a_receipt_of_what_main_does_not_have_is_found(world: LongWorld) -> None:
    """Main was pushed back: all that is left of it holds."""
    before = first_parents(world.git, world.main)[-1].parent or ""
    found = verify(world.sources(), tip=before, root=world.root_sha256)
    assert (found.commits, found.commit) == (PROMOTIONS, before)
    assert [one.problem for one in found.verdict.reasons] == [
        f"the ledger has a receipt for desk/{PROMOTIONS}, which is not on main",
        f"tag refs/tags/promotions/desk/{PROMOTIONS} is of no promotion on main",
    ]


def test_a_step_brings_what_its_branch_has_and_not_itself(world: LongWorld) -> None:
    root, *steps = first_parents(world.git, world.main)
    assert (root.parent, root.incoming) == (None, ())
    assert [one.parent for one in steps] == [root.commit, *(one.commit for one in steps[:-1])]
    for one in steps:
        assert set(one.incoming) == set(world.git.incoming(one.parent or "", one.commit)) - {one.commit}
        assert len(one.incoming) == 3, "the proposal and two approvals"


def test_a_step_of_two_promotions_is_of_none() -> None:
    def place(*sequences: int) -> tuple[str, int] | None:
        paths = [f"clusters/desk/promotions/{number}/record.yaml" for number in sequences]
        changes = tuple(PathChange(Operation.ADD, path, "100644", "", "") for path in ("README.md", *paths))
        return Link("new", "old", ()).place(SimpleNamespace(diff=lambda old, new: changes))

    assert [place(), place(1), place(1, 2)] == [None, ("desk", 1), None]


def test_the_later_walk_begins_with_the_time_that_the_earlier_ends_with(
    world: LongWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    times, walk = [], walks._walk

    def watched(sources, links, root, tags, found) -> None:
        before = found.receipted
        walk(sources, links, root, tags, found)
        times.append((before, found.receipted))

    monkeypatch.setattr(walks, "_walk", watched)
    assert verify(world.sources(), tip=world.main, root=world.root_sha256).verdict.passed
    (start, middle), (later, end) = times
    assert start == ""
    assert start < middle == later <= end


def test_what_the_later_walk_found_is_taken_over_whole() -> None:
    verdict = Verdict(outcome=Outcome.REFUSE, reasons=(Reason(step="receipt", problem="it is of another sequence"),))
    later = Verified(verdict, "c" * 40, 3, ["desk/2"], "2026-11-21T13:00:00Z", ["desk/it-2 alice 5"])
    found = Verified(commits=2, promotions=["desk/1"], receipted=NOW, reviews=["desk/it-1 bob 4"])
    found.go_on(later.written())
    reviews = ["desk/it-1 bob 4", "desk/it-2 alice 5"]
    assert found == Verified(verdict, "c" * 40, 5, ["desk/1", "desk/2"], "2026-11-21T13:00:00Z", reviews)


def test_no_step_is_judged_before_the_latest_receipt_whatever_its_date(
    world: LongWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    times, judge = [], walks.judge

    def watched(sources, step):
        times.append(step.now)
        return judge(sources, step)

    monkeypatch.setattr(walks, "judge", watched)
    monkeypatch.setattr(walks, "written", lambda seconds: "2026-11-20T00:00:00Z")
    docs = world.git.commit_files([world.main], {"README.md": b"# better\n"}, "Docs\n")
    found = verify(world.sources(), tip=docs, root=world.root_sha256)
    assert (found.verdict.reasons, found.commits) == ((), 2 + PROMOTIONS)
    assert set(times) == {NOW}


def test_of_receipts_that_came_out_of_order_the_latest_counts(
    world: LongWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = first_parents(world.git, world.main)[:4]
    claims = iter(["2026-11-21T12:00:00Z", "2026-11-21T14:00:00Z", "2026-11-21T13:00:00Z"])
    monkeypatch.setattr(walks, "claimed_time", lambda sources, entry: next(claims))
    assert walks._claimed(world.sources(), links) == "2026-11-21T14:00:00Z"


OTHER: dict[str, object] = {
    "verifier": "ci",
    "resource_uri": "example/other@refs/heads/main",
    "policy_sha256": "0" * 64,
    "policy_version": 2,
    "cluster": "other",
    "sequence": 4,
    "stage": ServingStage.SHADOW,
    "commit": "0" * 40,
    "ledger": LedgerPoint(size=0, head=None),
}
REFUSED = Verdict(outcome=Outcome.REFUSE, reasons=(Reason(step="receipt", problem="no"),))


def test_a_receipt_says_of_its_promotion_what_is_so_and_nothing_else(world: LongWorld) -> None:
    sources, link = world.sources(), first_parents(world.git, world.main)[3]
    policy = sources.policy(link.parent or "")
    entry = walks._receipt(sources, "desk", 3)
    assert entry is not None
    signed = open_receipt(sources, policy, entry)
    promotion = judge(sources, Step(link.parent or "", link.commit, NOW, incoming=link.incoming)).facts.promotion

    def problems(entry=entry, signed=signed) -> list[str]:
        return walks._receipt_problems(policy, entry, signed, link, promotion)

    assert problems() == []
    assert {*OTHER, "time_verified", "verification_result"} == {*Receipt.model_fields}, "every field is here"
    for name, value in OTHER.items():
        word = signed.predicate.model_copy(update={name: value})
        assert problems(signed=signed.model_copy(update={"predicate": word})) == [f"the receipt is of another {name}"]
    for name, value in {"phase": "bundle", "inputs": {"x": "0" * 64}, "version": 2, "verdict": REFUSED}.items():
        said = problems(entry.model_copy(update={name: value}))
        assert said == ["the receipt's entry says what no receipt says"], name
    named = {**entry.outputs, "adapter": "0" * 64}
    for said in (
        problems(entry.model_copy(update={"outputs": named})),
        problems(signed=signed.model_copy(update={"subject": subjects(named)})),
    ):
        assert said == ["the receipt names another record or adapter"]
    assert problems(entry.model_copy(update={"iteration": "it-9"})) == ["the receipt's entry is of another iteration"]


def test_where_the_second_process_dies_the_first_walks_on(
    world: LongWorld, alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def dead(self: Aside) -> bytes:
        asked.append(result(self))
        return b""

    result = Aside.result
    monkeypatch.setattr(Aside, "result", dead)
    found = verified(world)
    assert len(asked) == 1
    assert asked[0], "the second process had an answer, which was lost"
    assert found == alone()
