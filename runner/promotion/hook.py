"""What a bare server's hooks ask: may these refs move? And what they do when main has moved."""

from __future__ import annotations

import json

from runner.errors import HallmarkError
from runner.promotion.gather import Step
from runner.promotion.judge import judge, judge_root
from runner.promotion.sources import LEDGER, Sources
from runner.promotion.updates import MAIN, Update
from runner.records.verdict import Outcome, Reason, Verdict

DECIDED = ("refs/heads/promote/", "refs/heads/rollback/")
"""Branches that hold signed decisions."""
HEADS, TAGS = "refs/heads/", "refs/tags/promotions/"
STEP = "refs"


def refuse_or_pass(sources: Sources, update: Update, *, root: str, now: str, clock: str = "") -> Verdict:
    """May this ref move? Main by the gate, ledger and promotion branches forward only, promotion tags by nobody.

    With `clock`, what time it is, main is not dated ahead of it either.
    """
    if update.ref == MAIN:
        return _main(sources, update, root, now, clock)
    if update.ref == LEDGER:
        return _ledger(sources, update)
    if update.ref.startswith(TAGS):
        return _refuse(f"{update.ref} is written by the gate, after a merge", "push main; the tag follows")
    if update.ref.startswith("refs/replace/"):
        return _refuse("replace refs change what git shows", "push the objects themselves")
    if update.ref.startswith(DECIDED) and not update.creates and not _forward(sources, update):
        return _refuse(f"{update.ref} only moves forward, so that no decision on it is lost", "add a commit")
    return Verdict()


def _main(sources: Sources, update: Update, root: str, now: str, clock: str) -> Verdict:
    if update.deletes:
        return _refuse("main is never deleted", "push a merge")
    if update.creates:
        return judge_root(sources, update.new, root, now=now)
    return judge(sources, Step(update.old, update.new, now, clock=clock, heads=HEADS)).verdict


def _forward(sources: Sources, update: Update) -> bool:
    """Whether the old tip is an ancestor of the new."""
    return not update.deletes and update.old in sources.objects.graph(update.new)


def _ledger(sources: Sources, update: Update) -> Verdict:
    """The ledger only grows: no file of it changes or goes, and every cluster's chain holds."""
    if update.deletes or not (update.creates or _forward(sources, update)):
        return _refuse("the ledger only moves forward", "read it again and append again")
    changes = sources.objects.diff(None if update.creates else update.old, update.new)
    gone = [change.path for change in changes if change.operation != "A"]
    if gone:
        return _refuse(f"{gone[0]} is in the ledger already", "append a new entry")
    odd = [change.path for change in changes if change.mode != "100644"]
    if odd:
        return _refuse(f"{odd[0]!r} is no regular file", "append an entry: one file, <cluster>/<number>.json")
    try:
        for cluster in sorted({change.path.split("/")[0] for change in changes}):
            sources.chain(cluster)
    except HallmarkError as error:
        return _refuse(str(error), "append what the history allows")
    if any(json.loads(sources.objects.blob(change.blob)).get("kind") == "receipt" for change in changes):
        return _refuse("receipts are written by the gate, after a merge", "push main; the receipt follows")
    return Verdict()


def _refuse(problem: str, hint: str) -> Verdict:
    return Verdict(outcome=Outcome.REFUSE, reasons=(Reason(step=STEP, problem=problem, hint=hint),))
