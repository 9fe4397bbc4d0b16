"""What the gate knows about one step of main: everything gathered, nothing yet judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from runner.records.change import ChangeClass, PathChange
from runner.records.gated import BenchmarkLock, Gated
from runner.records.ledger import Entry
from runner.records.policy import Trust
from runner.records.promotion import Incumbent, PromotionRecord
from runner.records.statement import DecisionStatement, EvidenceStatement, ReviewStatement
from runner.records.terms import OutcomeType, SetName
from runner.records.verdict import Reason
from runner.rules.trust import stages

if TYPE_CHECKING:  # most steps say nothing of triage, nor of real data alone
    from runner.records.triage import Review, TriageFile
    from runner.records.triage_policy import Triage
    from runner.rules.evaluation.assessment import RealOnlyRecord


class Signed(NamedTuple):
    """A decision found in the tree: whose it must be, and what ssh-keygen and the parser said of it."""

    path: str
    person: str
    statement: DecisionStatement | None
    problem: str = ""


class SignedEvidence(NamedTuple):
    statement: EvidenceStatement | None
    problem: str = ""


@dataclass(frozen=True)
class Before:
    """What the base tip says of the promotion's cluster, and what the ledger says."""

    cluster: Gated
    benchmark_sha256: str
    """Of the benchmark's lock."""
    scenarios: Mapping[tuple[SetName, str], str]
    """Every governed scenario and its capability."""
    records: Mapping[int, PromotionRecord]
    """The promotions already merged, by sequence."""
    ledger: tuple[Entry, ...]
    """This cluster's chain, already verified."""
    ledger_digests: tuple[str, ...]
    """The digest of every entry, in order."""
    outcome_types: Mapping[tuple[SetName, str], OutcomeType] = field(default_factory=dict)
    """Of every governed scenario, where the cluster asks something of each type."""
    real_only: RealOnlyRecord | None = None
    """problem.md's, where the cluster refuses what is not above it."""

    @cached_property
    def incumbent(self) -> Incumbent:
        """What serves: the adapter in production."""
        return stages.incumbent(self.records)

    @property
    def last(self) -> int:
        """The last sequence, of whatever stage; 0 where nothing was promoted."""
        return max(self.records, default=0)


class Promotion(NamedTuple):
    """The promotion that the step adds."""

    record: PromotionRecord
    record_sha256: str
    evidence: Mapping[str, bytes]
    attestation: SignedEvidence
    before: Before
    adapter_problem: str
    """What fetching and re-hashing the adapter's bytes found; empty where they are the recorded ones."""
    generated: Callable[[], Iterable[str]] = tuple
    """What is wrong with its hand-off and its cards, which are made again beside the rest of the judgement."""


class NextPolicy(NamedTuple):
    """The policy that the step would put in place, with the decisions read again under its keys."""

    trust: Trust | None
    problems: tuple[Reason, ...]
    proposal: Signed | None = None
    approvals: tuple[Signed, ...] = ()
    standing: tuple[Signed, ...] = ()
    revocation_only: bool = False
    """Nothing changes but lines added to `policy/revoked`, its pin and the version."""


class BenchmarkStep(NamedTuple):
    """A cluster whose benchmark the step touches: its cluster.yaml and lock before and after; None where there is
    none."""

    cluster: str
    touched: frozenset[str]
    """The paths of it that change."""
    before: Gated | None
    after: Gated | None
    lock_before: BenchmarkLock | None
    lock_after: BenchmarkLock | None
    unreadable: tuple[str, ...] = ()
    """Why one of the two cannot be read after the step."""
    left: tuple[str, ...] = ()
    """Where cluster.yaml goes: what stays of the benchmark."""
    promoted: bool = False
    """Where cluster.yaml goes: whether the cluster has promotions."""
    judges: Mapping[str, str] = MappingProxyType({})
    """Judges that change, or whose pin in the lock does: by id, the digest after the step; empty where there is none
    that can be read."""


class SignedReview(NamedTuple):
    """A review as it stands in the tree, and what its envelope was found to say."""

    path: str
    """Of the review; where there is only an envelope, of what it should stand beside."""
    cluster: str
    iteration: str
    person: str
    """Whose it must be, by the file's name."""
    review: Review | None
    """None where there is none, or it cannot be read."""
    sha256: str
    """Of the review's bytes."""
    candidates: str
    """The digest of the list it is about; empty where there is none."""
    statement: ReviewStatement | None = None
    problem: str = ""
    """Why there is no statement; empty where there is no envelope at all."""


class Decided(NamedTuple):
    """A review that is on main already."""

    review: Review
    sha256: str


class TriageStep(NamedTuple):
    """What a step says of triage."""

    policies: Mapping[str, Triage] = MappingProxyType({})
    """What each cluster asks for at the base, of those whose triage the step touches."""
    reviews: tuple[SignedReview, ...] = ()
    lists: Mapping[str, TriageFile] = MappingProxyType({})
    """The lists that the step brings to clusters which ask for signatures, by path."""
    unreadable: tuple[Reason, ...] = ()
    decided: Mapping[str, Decided] = MappingProxyType({})
    """Of a promotion: the reviews of its iteration at the base, by person."""


NO_TRIAGE = TriageStep()


class Facts(NamedTuple):
    old: str
    new: str
    parents: tuple[str, ...]
    changes: tuple[PathChange, ...]
    contents: Mapping[str, bytes]
    touched: Mapping[str, frozenset[str]]
    """Each incoming commit and the paths it changes itself."""
    change: ChangeClass | None
    """None where the step has no one class."""
    manifest: str
    trust: Trust
    policy_problems: tuple[Reason, ...]
    revoked: frozenset[str]
    """Digests that the policy revokes."""
    now: str
    context: str
    times: tuple[int, int] = (0, 0)
    """When `old` and `new` were committed, in seconds since 1970, as whoever made them wrote it."""
    clock: str = ""
    """What time it is, where the step is judged as it comes in."""
    proposal: Signed | None = None
    approvals: tuple[Signed, ...] = ()
    standing: tuple[Signed, ...] = ()
    """Decisions on the change's branch of people who reject on it, oldest first; nothing where no branch was read."""
    promotion: Promotion | None = None
    unreadable: tuple[Reason, ...] = ()
    """Why parts of a promotion could not be read as records."""
    next_policy: NextPolicy | None = None
    benchmarks: tuple[BenchmarkStep, ...] = ()
    twins: Mapping[str, str] = MappingProxyType({})
    """Added paths, and what stands beside each of them under a name that differs only in case."""
    place: tuple[str, int] = ("", 0)
    """Cluster and sequence; empty for what is no promotion."""
    triage: TriageStep = NO_TRIAGE
