"""What has become of a cluster's last iteration: not finished, due to be proposed, proposed, or promoted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from runner.errors import RecordError, VerificationError
from runner.promotion.decide import branch_of
from runner.promotion.gather import read_before
from runner.promotion.sources import Sources
from runner.records.promotion import PromotionRecord


class CandidacyState(StrEnum):
    UNFINISHED = "unfinished"
    DUE = "due"
    PROPOSED = "proposed"
    PROMOTED = "promoted"


@dataclass(frozen=True)
class Candidacy:
    """The iteration that was queued last, and the promotion it is, or would be."""

    cluster: str
    state: CandidacyState
    iteration: str = ""
    sequence: int = 0

    @property
    def target(self) -> str:
        return f"{self.cluster}/{self.sequence}"

    @property
    def branch(self) -> str:
        """Where it is proposed, without `refs/heads/`."""
        return branch_of(self.target).removeprefix("refs/heads/")


def candidacy(sources: Sources, cluster: str, *, main: str, tip: Callable[[str], str | None]) -> Candidacy:
    """How the cluster's last iteration stands, by the ledger, by main, and by its branch: `tip` says where a branch
    stands.

    An iteration that was promoted once is not proposed again, though a rollback has taken it back since.
    Raises `VerificationError` where the branch that it would have holds the proposal of another iteration.
    """
    history = sources.chain(cluster).history
    iteration = history.current or ""
    if "bundle" not in history.passed(iteration):
        return Candidacy(cluster, CandidacyState.UNFINISHED, iteration)
    before = read_before(sources, main, cluster)
    for sequence, record in before.records.items():
        if record.run.iteration == iteration:
            return Candidacy(cluster, CandidacyState.PROMOTED, iteration, sequence)
    due = Candidacy(cluster, CandidacyState.DUE, iteration, before.last + 1)
    at = tip(branch_of(due.target))
    if at is None:
        return due
    path = f"clusters/{cluster}/promotions/{due.sequence}/record.yaml"
    proposed = sources.record(at, path, PromotionRecord).run.iteration
    if proposed != iteration:
        raise VerificationError(
            f"branch {due.branch} holds the proposal of iteration {proposed}: "
            f"merge it or delete the branch, then {iteration} can be proposed"
        )
    return Candidacy(cluster, CandidacyState.PROPOSED, iteration, due.sequence)


def clusters_on(sources: Sources, main: str, *, only: str | None = None) -> tuple[str, ...]:
    """The clusters that main governs, by name; `only` this one, where it is named. Raises `RecordError` where main has
    no such cluster."""
    names = sources.objects.names(main, "clusters")
    found = tuple(sorted(name for name in names if sources.exists(main, f"clusters/{name}/cluster.yaml")))
    if only is not None and only not in found:
        raise RecordError(f"main has no cluster {only}", hint=f"clusters: {', '.join(found) or 'none yet'}")
    return found if only is None else (only,)
