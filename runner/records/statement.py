"""What is signed: in-toto statements (v1) about decisions, evidence and receipts."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from runner.records.base import CommitId, Count, Record, Sha256, Slug, Text
from runner.records.change import ChangeClass
from runner.records.namespaces import PAYLOAD_TYPE as PAYLOAD_TYPE
from runner.records.namespaces import Namespace as Namespace
from runner.records.policy import Timestamp
from runner.records.promotion import BenchmarkId, Incumbent, ServingStage

Nonce = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
"""128 random bits in lower-case hex: no two statements are the same."""


class Choice(StrEnum):
    PROPOSE = "propose"
    APPROVE = "approve"
    REJECT = "reject"


class SubjectDigest(Record):
    sha256: Sha256


class Subject(Record):
    name: Text
    digest: SubjectDigest


class LedgerPoint(Record):
    """A prefix of a cluster's ledger: how many entries, and the digest of the last."""

    size: Count
    head: Sha256 | None


class Decision(Record):
    """A person's (or CI's, for a proposal) word on one change."""

    repository: Text
    ref: Text
    change: ChangeClass
    cluster: str = ""
    sequence: Annotated[int, Field(ge=0)] = 0
    stage: ServingStage | None = None
    decision: Choice
    person: Slug
    role: str = ""
    policy_version: int
    context: Sha256
    benchmark: BenchmarkId | None = None
    incumbent: Incumbent | None = None
    ledger: LedgerPoint | None = None
    rollback: Sha256 | None = None
    reason: str = ""
    not_before: Timestamp
    expires: Timestamp
    nonce: Nonce


class ReviewClaim(Record):
    """A reviewer's word that the decisions of one review are theirs. Subjects: `review` (the file's bytes) and
    `candidates` (the list that was decided on)."""

    repository: Text
    cluster: Slug
    iteration: Slug
    person: Slug
    not_before: Timestamp
    expires: Timestamp
    """Until when it may be merged; once merged, it stands."""
    nonce: Nonce


class Attestation(Record):
    """CI's word that these evidence files are what the iteration made."""

    repository: Text
    cluster: Slug
    sequence: int
    iteration: str
    adapter: Sha256 | None
    ledger: LedgerPoint
    """The ledger before the bundle's own entry."""


class Receipt(Record):
    """The gate's word that a merge was verified (the shape of a SLSA verification summary)."""

    verifier: Slug
    time_verified: Timestamp
    resource_uri: Text
    policy_sha256: Sha256
    policy_version: int
    verification_result: Literal["PASSED"] = "PASSED"
    cluster: Slug
    sequence: int
    stage: ServingStage
    commit: CommitId
    ledger: LedgerPoint
    """The ledger before the receipt's own entry: its signed checkpoint."""


class _Statement(Record):
    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True, validate_by_alias=True)

    type: Literal["https://in-toto.io/Statement/v1"] = Field("https://in-toto.io/Statement/v1", alias="_type")
    subject: tuple[Subject, ...] = Field(min_length=1)

    def digests(self) -> dict[str, str]:
        """Subject to sha256; empty where a name stands twice."""
        found = {subject.name: subject.digest.sha256 for subject in self.subject}
        return found if len(found) == len(self.subject) else {}


class DecisionStatement(_Statement):
    predicate_type: Literal["urn:hallmark:decision:v1"] = Field("urn:hallmark:decision:v1", alias="predicateType")
    predicate: Decision


class ReviewStatement(_Statement):
    predicate_type: Literal["urn:hallmark:review:v1"] = Field("urn:hallmark:review:v1", alias="predicateType")
    predicate: ReviewClaim


class EvidenceStatement(_Statement):
    predicate_type: Literal["urn:hallmark:evidence:v1"] = Field("urn:hallmark:evidence:v1", alias="predicateType")
    predicate: Attestation


class ReceiptStatement(_Statement):
    predicate_type: Literal["urn:hallmark:receipt:v1"] = Field("urn:hallmark:receipt:v1", alias="predicateType")
    predicate: Receipt


def subjects(digests: dict[str, str]) -> tuple[Subject, ...]:
    """Sorted by name."""
    return tuple(Subject(name=name, digest=SubjectDigest(sha256=digests[name])) for name in sorted(digests))
