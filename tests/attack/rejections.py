"""Step 7: rejections that stand on the branch of a change and that its merge leaves behind."""

from __future__ import annotations

from functools import partial

from runner.edges.yaml_dump import dump
from runner.promotion.decide import draft_merge
from runner.records.statement import Choice
from tests.attack.case import Case, Finding, passes
from tests.attack.desk import Desk, clock
from tests.attack.forgery import APPROVALS, BRANCH, blind, carried, move_main, squashed
from tests.promotion_fixture import CLUSTER, MAIN

STEP = "7.6 rejection"
SAYS = "rejects it on its branch"
CHANGE, LIMITS = "refs/heads/change", {"clusters/desk/cluster.yaml": dump({**CLUSTER, "human_floor": 0.4})}
REJECTS = {"decision": Choice.REJECT, "reason": "not good enough"}
FILE = {who: f"{APPROVALS}{who}.dsse.json" for who in ("bob", "carol")}


def earlier(desk: Desk) -> str:
    """The branch as two people approved it, merged; Carol rejects it meanwhile."""
    before = desk.git.resolve(BRANCH) or ""
    desk.approve("carol", choice=Choice.REJECT)
    return draft_merge(desk.git, main=desk.main, tip=before)


def left_behind(desk: Desk) -> Finding:
    return desk.gate(earlier(desk))


def pushed(desk: Desk) -> Finding:
    return desk.push({MAIN: earlier(desk)})


def squashed_away(desk: Desk) -> Finding:
    desk.approve("carol", choice=Choice.REJECT)
    return squashed(desk, {FILE["carol"]: None})


def removed_and_squashed(desk: Desk) -> Finding:
    """A later commit of the branch takes the file away, and the squash shows no commit of the branch."""
    desk.approve("carol", choice=Choice.REJECT)
    desk.put({FILE["carol"]: None})
    return squashed(desk, {})


def approval_put_back(desk: Desk) -> Finding:
    """Bob takes his approval back; his older file is put in its place again."""
    before = desk.git.read(desk.git.resolve(BRANCH) or "", FILE["bob"])
    desk.now = clock(seconds=30)
    desk.approve("bob", choice=Choice.REJECT)
    desk.put({FILE["bob"]: before})
    return squashed(desk, {})


def limits_left_behind(desk: Desk) -> Finding:
    """A change that is no promotion: Alice approves it, Bob rejects it, and what is merged has Alice's word alone."""
    merge = carried(desk, LIMITS, people=("alice",))
    blind(desk, "bob", branch=CHANGE, change=REJECTS)
    return desk.gate(merge)


def approval_left_behind(desk: Desk) -> Finding:
    return squashed(desk, {FILE["bob"]: None})


def lifted(desk: Desk, *, merged: bool) -> Finding:
    """Carol rejects and then approves; the squash carries her newer word, or nothing of hers."""
    desk.approve("carol", choice=Choice.REJECT)
    desk.approve("carol")
    return squashed(desk, {} if merged else {FILE["carol"]: None})


def of_no_weight(desk: Desk, person: str = "", **edits: object) -> Finding:
    before = desk.git.resolve(BRANCH) or ""
    blind(desk, person, change={**REJECTS, **edits})
    return desk.gate(draft_merge(desk.git, main=desk.main, tip=before))


def judged_by_main(desk: Desk) -> Finding:
    """The gate let it through before Carol rejected it on its branch: what is on main stands."""
    move_main(desk, earlier(desk))
    desk.reconcile(now=desk.now)
    return desk.verify()


CASES = (
    passes("rejection-lifted", "Carol rejects, then approves, and both are merged.", partial(lifted, merged=True)),
    passes(
        "rejection-lifted-on-the-branch",
        "Carol lifts her rejection on the branch; neither of her decisions is merged.",
        partial(lifted, merged=False),
    ),
    passes("rejection-by-no-approver", "An engineer, who has no say, rejects.", partial(of_no_weight, person="dave")),
    passes(
        "rejection-of-another-change",
        "Carol's rejection is bound to another sequence.",
        partial(of_no_weight, person="carol", sequence=2),
    ),
    passes("clone-rejected-on-the-branch", "A clone judges what main has.", judged_by_main),
    Case(
        "rejection-left-behind",
        "The branch as it was before Carol rejected it is merged.",
        STEP,
        left_behind,
        says=SAYS,
    ),
    Case("rejection-left-behind-pushed", "The same, pushed past the hook.", STEP, pushed, says=SAYS),
    Case("rejection-squashed-away", "The squash leaves Carol's file out.", STEP, squashed_away, says=SAYS),
    Case(
        "rejection-removed-and-squashed",
        "Carol's file is removed on the branch, which is then squashed.",
        STEP,
        removed_and_squashed,
        says=SAYS,
    ),
    Case(
        "rejection-written-over", "Bob's older approval is put over his rejection.", STEP, approval_put_back, says=SAYS
    ),
    Case(
        "rejection-of-a-limit-left-behind",
        "A change of a limit is merged without an owner's rejection.",
        STEP,
        limits_left_behind,
        says=SAYS,
    ),
    Case("approval-left-behind", "Bob's approval stands on the branch alone.", "7 quorum", approval_left_behind),
)
