"""The branches of a cluster that wait for people, and the words of their pull requests."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

OF_ITERATION = ("drafts", "triage", "escalation")
OF_PROMOTION = ("promote", "rollback")
_TITLES = {
    "drafts": "rubrics and scenarios for failures that none covers",
    "triage": "candidates to accept, reject or edit",
    "escalation": "the loop has stopped itself, because nothing improves",
    "promote": "promotion {name}",
    "rollback": "the way back, as {name}",
}
_BODIES = {
    "drafts": "Failures that no rubric covers, as drafts. Mend what is not right, and merge what is: the next iteration"
    " begins with it. Iteration `{name}` goes on without them.",
    "triage": "Decide on each candidate (`hallmark triage {cluster}`, or here in the file). Merged, iteration `{name}`"
    " goes on.",
    "escalation": "Read the page of this change, and change what people govern: no iteration begins before.",
    "promote": "Read `evidence/report.html` of this change, and sign: `hallmark approve {cluster}/{name} --key KEY`."
    " The check `gate` says who is still asked for; merge when it passes.",
    "rollback": "One person on call signs: `hallmark approve {branch} --key KEY`. Merge when the check `gate` passes.",
}
_OUT_OF_DATE = {
    "drafts": "Iteration `{name}` is over, and `{current}` has drafts of its own, on the branch"
    " `drafts/{cluster}/{current}`. What is better here can still be merged: open this again.",
    "triage": "Iteration `{name}` is over, and nothing reads what is decided here: main has moved on, and `{current}`"
    " has begun with what it has now.",
    "escalation": "Iteration `{name}` is over, and the loop goes on: `{current}` has begun.",
}


class Branch(NamedTuple):
    """A branch that iterations and promotions leave for people."""

    kind: str
    cluster: str
    name: str
    """The iteration, or the promotion's sequence."""

    @property
    def path(self) -> str:
        return f"{self.kind}/{self.cluster}/{self.name}"

    @property
    def title(self) -> str:
        return f"{self.cluster}: {_TITLES[self.kind].format(name=self.name)}"

    @property
    def body(self) -> str:
        return _BODIES[self.kind].format(cluster=self.cluster, name=self.name, branch=self.path) + "\n"


def branch_of(path: str) -> Branch | None:
    """What a branch (without `refs/heads/`) is for; None where it is none of these."""
    parts = path.split("/")
    if len(parts) != 3 or parts[0] not in (*OF_ITERATION, *OF_PROMOTION):
        return None
    return Branch(*parts)


def is_open(branch: Branch, *, current: str | None, promoted: frozenset[str]) -> bool:
    """Whether people are still asked: of an iteration while it is the last one, of a promotion until it is on main."""
    if branch.kind in OF_ITERATION:
        return branch.name == current
    return branch.name not in promoted


def out_of_date(branch: Branch, *, current: str | None, branches: Collection[str]) -> str:
    """Why people need no longer look at a branch of an iteration, for them to read; empty where they may still.

    Drafts stand until the last iteration, `current`, has its own: `branches` are those that there are.
    """
    if branch.kind not in OF_ITERATION or current is None or branch.name == current:
        return ""
    if branch.kind == "drafts" and branch._replace(name=current).path not in branches:
        return ""
    return _OUT_OF_DATE[branch.kind].format(cluster=branch.cluster, name=branch.name, current=current)
