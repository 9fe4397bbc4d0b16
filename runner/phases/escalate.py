"""What the flywheel does in place of one more iteration that would bring nothing: a page for people, and a wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from runner.ports import PullRequests, Runs
from runner.records.base import Record
from runner.records.cluster import Cluster
from runner.records.failure import Diagnosis
from runner.records.ledger import Entry
from runner.records.score import Scorecard
from runner.records.training import Sweep
from runner.records.verdict import Outcome, Reason, Verdict
from runner.rules.loop.escalation import Told, escalation
from runner.rules.loop.escalation_page import escalation_branch, escalation_path, page
from runner.rules.loop.plateau import plateau

R = TypeVar("R", bound=Record)


def stopped(
    cluster: Cluster, *, pins: Mapping[str, str], entries: Sequence[Entry], runs: Runs, pulls: PullRequests
) -> tuple[str, Verdict] | None:
    """The branch with the page, and what is waited for; None where an iteration pinned to `pins` may begin.

    `entries` are the cluster's ledger. Opening the branch again changes nothing.
    """
    found = plateau(entries, cluster.plateau_policy, pins=pins)
    if found is None:
        return None
    told = [_told(cluster.id, name, entries, runs) for name in found.iterations]
    path, branch = escalation_path(cluster.id, found.after), escalation_branch(cluster.id, found.after)
    text = page(escalation(cluster, found, told))
    title = f"{cluster.id}: no improvement in {len(found.iterations)} iterations"
    opened = pulls.open(branch, {path: text.encode()}, title=title, body=f"The last was {found.after}.")
    problem = (
        f"{len(found.iterations)} iterations in a row brought no improvement on held-out, {found.patience} may:"
        f" {', '.join(found.iterations)}"
    )
    hint = f"read {path} on the branch {branch}, and change what people govern"
    return opened, Verdict(outcome=Outcome.WAIT, reasons=(Reason(step="plateau", problem=problem, hint=hint),))


def _told(cluster: str, iteration: str, entries: Sequence[Entry], runs: Runs) -> Told:
    def recorded(name: str, kind: type[R]) -> R | None:
        return runs.recorded(cluster, iteration, name, kind)

    return Told(
        iteration,
        [entry for entry in entries if entry.iteration == iteration],
        recorded("diagnosis", Diagnosis),
        recorded("sweep", Sweep),
        recorded("scorecard", Scorecard),
    )
