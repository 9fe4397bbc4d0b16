"""A promotion: `clusters/<cluster>/promotions/<seq>/record.yaml`, append-only."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from runner.records.base import Count, Record, Sha256, Share, Slug, Text
from runner.records.pointer import PointerOut

Sequence = Annotated[int, Field(ge=1, le=999_999)]


class PromotionKind(StrEnum):
    PROMOTION = "promotion"
    ROLLBACK = "rollback"


class ServingStage(StrEnum):
    SHADOW = "shadow"
    CANARY = "canary"
    PRODUCTION = "production"
    DEPRECATED = "deprecated"


class FileDigest(Record):
    sha256: Sha256
    size: Count


class AdapterRecord(Record):
    """The adapter's bytes: the digest of its tree, of every file, and the pointer DVC moves them by."""

    sha256: Sha256
    files: dict[Text, FileDigest] = Field(min_length=1)
    dvc: PointerOut | None = None


class BenchmarkId(Record):
    id: Slug
    version: Annotated[int, Field(ge=1)]
    sha256: Sha256


class BaseId(Record):
    kind: Literal["tiny", "path", "hub"]
    sha256: Sha256
    """Of the base's files; of a hub base, of its id and revision."""
    dvc: PointerOut | None = None
    """Where a tiny base's files are, so that an adapter's tensors can be held against them."""


class RunSource(Record):
    """Where the iteration stands."""

    branch: str
    """`runs/<cluster>/<iteration>`, which people switch to."""
    iteration: Slug


class Incumbent(Record):
    """The adapter now promoted; sequence 0 is the base alone."""

    sequence: int = Field(ge=0)
    adapter: Sha256 | None = None


class PromotionRecord(Record):
    """`clusters/<cluster>/promotions/<seq>/record.yaml`: what is promoted, on what evidence, in whose place."""

    version: Literal[1] = 1
    kind: PromotionKind = PromotionKind.PROMOTION
    cluster: Slug
    sequence: Sequence
    stage: ServingStage = ServingStage.PRODUCTION
    follows: Sequence | None = None
    """The earlier step of this same adapter that this one moves on, or ends; none where the adapter is new."""
    restores: Annotated[int, Field(ge=0)] | None = None
    """With `rollback`: the earlier sequence whose adapter comes back; 0 is the bare base."""
    benchmark: BenchmarkId
    base: BaseId
    adapter: AdapterRecord | None
    """None only where a rollback goes back to the bare base."""
    incumbent: Incumbent
    evidence: dict[Text, Sha256]
    """Every file under `evidence/`, the attestation among them."""
    run: RunSource
    human_share: Share

    @model_validator(mode="after")
    def _names_its_own_run(self) -> Self:
        expected = f"runs/{self.cluster}/{self.run.iteration}"
        if self.run.branch != expected:
            raise ValueError(f"run.branch is not {expected}, the branch of its iteration")
        return self

    @property
    def assessed(self) -> bool:
        """Whether the step brings a new adapter, whose evidence is an iteration's whole assessment."""
        return self.kind is PromotionKind.PROMOTION and self.follows is None


class ListedRun(Record):
    """One ledger entry of the iteration."""

    sequence: int
    kind: Slug
    phase: str
    outcome: Slug
    sha256: Sha256


class RunList(Record):
    """The evidence's `runs.json`: every entry of the iteration before its bundle, failed attempts among them."""

    cluster: Slug
    iteration: Slug
    runs: tuple[ListedRun, ...]
