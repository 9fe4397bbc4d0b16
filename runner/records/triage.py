"""People's decisions on candidates, and what a cluster asks of them.

An iteration's triage is a list and a file for each person, so that git merges what several people decide at once:

- `clusters/<cluster>/triage/<iteration>.yaml`, a `TriageFile`: every candidate that passed validation, prefilled by CI,
  with how many people each is to be decided by, and why. It is not edited. (Where `triage.signed` is not asked for,
  one person may decide in it, as its `reviewer`.)
- `clusters/<cluster>/triage/<iteration>/<reviewer>.yaml`, a `Review`: what that person decided.
- `clusters/<cluster>/triage/<iteration>/<reviewer>.dsse.json`: that person's signature over the review's bytes and the
  digest of the candidates (`statement.ReviewStatement`).

The pure functions over them: `rules.triage.decisions` (`begin`, `decide`, `withdraw`, `Listed`, `candidates_digest`:
what one person does) and `rules.triage.settlement` (`settle`, `left`: what comes of everybody's decisions, and what is
left to whom).
"""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from runner.records.base import Count, Record, Sha256, Share, Slug, Sparse, Text
from runner.records.conversation import Conversation
from runner.records.funnel import FunnelReport
from runner.records.policy import Timestamp
from runner.records.scenario import Origin
from runner.records.triage_policy import Triage

LARGE = 4_000_000
"""Bytes that a list or a review may have: some 10,000 candidates of a line or two, and less than the gate takes."""


class Choice(StrEnum):
    UNDECIDED = "undecided"
    ACCEPT = "accept"
    REJECT = "reject"
    EDIT = "edit"


class Decision(Record):
    """One candidate of the list, as reviewers see it; and the decision, where it was made in the list itself."""

    candidate: Text
    capability: Slug
    origin: Origin
    input: Conversation
    answer: Text
    batch: str = ""
    parents: tuple[Text, ...] = ()
    """Ids of the examples and signals that it was made from."""
    people: Annotated[int, Field(ge=0, le=2)] = 1
    """How many people are to decide it: none where it is outside the sample, two where it is in both shares."""
    decision: Choice = Choice.UNDECIDED
    edited_input: str = ""
    """With `edit`: the last user message as it should read; empty to leave it."""
    edited_answer: str = ""
    """With `edit`: the answer as it should be; empty to leave it."""
    reason: str = ""


class SampledBatch(Record):
    """How many of a batch's candidates people decide, and why so many."""

    batch: str
    candidates: Count
    sampled: Count
    double: Count = 0
    why: Text


class TriageFile(Record):
    """The list: prefilled by CI with every candidate undecided."""

    MAX_BYTES: ClassVar[int] = LARGE

    cluster: Slug
    iteration: Slug
    reviewer: str = ""
    """Who decided in the list itself; empty where reviewers have files of their own."""
    policy: Triage = Triage()
    """What cluster.yaml asked for when the list was made; decisions are settled by it."""
    batches: tuple[SampledBatch, ...] = ()
    decisions: tuple[Decision, ...]

    @property
    def decided_in_place(self) -> bool:
        """Whether somebody decided in the list itself."""
        return any(one.decision is not Choice.UNDECIDED for one in self.decisions)


class ReviewDecision(Record):
    """What one person decided on one candidate."""

    candidate: Text
    decision: Choice
    edited_input: str = ""
    edited_answer: str = ""
    rank: Annotated[int, Field(ge=1)] | None = None
    """Among the candidates for one input: 1 is the best, and equal ranks are a tie."""
    reason: str = ""
    at: Timestamp


class Review(Record):
    """One person's decisions, in the list's order; a candidate that is not in it is undecided by them."""

    MAX_BYTES: ClassVar[int] = LARGE

    cluster: Slug
    iteration: Slug
    reviewer: Slug
    """The person, by their name in policy/trust.yaml; the file's name too."""
    candidates: Sha256
    """`rules.triage.decisions.candidates_digest` of the list that was decided on."""
    decisions: tuple[ReviewDecision, ...] = ()


class ReviewCount(Record):
    """What one person decided, and which file says so."""

    reviewer: str
    review: Sha256 | None
    """sha256 of the review's bytes; none where the decisions stand in the list itself."""
    signed: bool
    accepted: Count
    edited: Count
    rejected: Count


class Agreement(Record):
    """How far two reviewers agree on what both decided: Cohen's kappa over accept, edit and reject."""

    reviewers: tuple[str, str]
    candidates: Count
    agreed: Count
    kappa: float | None
    """None where chance alone explains everything: both used one and the same decision throughout."""
    low: float | None = None
    high: float | None = None
    """The 95 % interval."""


class Disagreement(Record):
    """What reviewers see differently, and how that was settled."""

    candidate: Text
    said: dict[str, Choice]
    settled: Choice
    by: Text
    """The adjudicator, or the rule."""


class BatchError(Record):
    """A sampled batch: how many were wrong, and how many of the rest could be at most."""

    batch: str
    candidates: Count
    sampled: Count
    errors: Count
    """Rejected or edited."""
    upper: Share
    """The upper end of the 95 % Wilson interval of errors over sampled."""
    unread: Count
    """Accepted by the bound, decided by nobody."""


class TriageResult(Sparse):
    """What phase 9 passed on, and by whose decision."""

    SPARSE = frozenset({"reviews", "agreement", "disagreements", "batches", "unread", "checked", "funnel"})

    reviewer: str
    """Everyone who decided, with commas between."""
    accepted: int
    """Those that nobody read among them."""
    edited: int
    rejected: int
    reviews: tuple[ReviewCount, ...] = ()
    agreement: tuple[Agreement, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()
    batches: tuple[BatchError, ...] = ()
    unread: Count = 0
    """Accepted because the sample of their batch was good enough."""
    checked: dict[str, tuple[str, ...]] = {}
    """Every candidate that people decided, and who did."""
    funnel: FunnelReport | None = None
    """Every batch's rows from generated to accepted; None where the batches are older than funnels, or were refused."""
