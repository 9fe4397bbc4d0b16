"""A cluster: one specialist's model intake, what its gate bears, and how many people its gates ask for."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from runner.records.base import Amount, CommitId, Positive, PositiveAmount, Record, Sha256, Share, Slug, Sparse, Text
from runner.records.diversity import DiversityLimits
from runner.records.domain_rules import DomainRule
from runner.records.evaluation_policy import EvaluationPolicy
from runner.records.fleet import Fleet
from runner.records.gated import BenchmarkLock as BenchmarkLock
from runner.records.gated import Capability as Capability
from runner.records.gated import FrozenSet as FrozenSet
from runner.records.gated import GateLimits as GateLimits
from runner.records.gated import Thresholds as Thresholds
from runner.records.generation import Generation
from runner.records.mixture import MixturePolicy
from runner.records.plateau import PlateauPolicy
from runner.records.serving import Serving as Serving
from runner.records.signal_policy import SignalPolicy
from runner.records.stages import Stages
from runner.records.triage_policy import Triage
from runner.records.triggers import Trigger


class TinyBase(Record):
    """A small causal LM that the `base` stage pre-trains from scratch on `data/base.jsonl`, as params.yaml says."""

    kind: Literal["tiny"]


class PathBase(Record):
    """A local model directory (safetensors, tokenizer, config), pinned by the digest of its files."""

    kind: Literal["path"]
    path: Text
    sha256: Sha256


class HubBase(Record):
    """A hub model at a pinned commit."""

    kind: Literal["hub"]
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]*/[\w.-]+$")]
    revision: CommitId


Base = Annotated[TinyBase | PathBase | HubBase, Field(discriminator="kind")]


class Hardware(Record):
    """The boundary inside which this cluster's data may be worked on. A machine outside it is refused at intake."""

    min_cpus: Positive = 1
    min_memory_gib: PositiveAmount = 1.0
    gpu: Literal["required", "optional", "forbidden"] = "optional"
    machines: tuple[Text, ...] = ()
    """Host names allowed; none listed means any."""


class Validation(Record):
    """What a batch of candidates must hold (phase 8), each limit with its reason in docs/validation.md.

    Distances are 0 (same) to 1 (disjoint). A limit that nothing can break switches its measure off: it is recorded,
    not judged, and a batch for which it cannot be measured does not fail for want of it.
    """

    max_length_distance: Share = 0.5
    max_vocabulary_distance: Share = 0.8
    max_ngram_distance: Share = 0.95
    max_exact_copies: Share = 0.2
    """The share of rows that copy their parents or each other."""
    max_c2st_auc: Share = 0.85
    """How well a classifier may tell the batch from real rows; 0.5 is not at all."""
    max_outliers: Share = 0.1
    """The share of rows that may lie farther from real data than real rows do."""
    max_cleanliness: Share = 0.4
    """The share of the signs of untidiness of which the batch may show less than people do."""
    min_utility: Amount = 0.5
    """What the batch teaches a classifier above guessing, over what equally many real rows teach it."""
    max_membership_auc: Share = 0.7
    """How well distance to the closest record tells gold from the held-back reference; 0.5 is not at all."""
    max_closer_than_gold: Share = 0.25
    """The share of rows that may be closer to a gold row than nine in ten gold rows are to each other."""
    max_verbatim_rows: Share = 0.1
    """The share of rows that may hold eight words in a row that one gold row has and no other real one."""
    min_rows: Positive = 8
    """Rows of a batch, below which nothing is said of it."""
    min_real: Positive = 10
    """Real rows of the capability, below which none are compared with."""
    min_records: Positive = 5
    """Gold rows, reference rows, and tests of each kind, below which privacy and utility say nothing."""


class Cluster(Sparse):
    """`clusters/<cluster>/cluster.yaml`."""

    SPARSE = frozenset(
        {"answer_field", "diversity", "domain_rules", "evaluation", "fleet", "generation", "mixture", "plateau"}
        | {"signals", "triggers"}
    )

    id: Slug
    """The name of its folders."""
    title: Text
    """The task in words."""
    instruction: str = ""
    """The system message the specialist is served with; none where empty."""
    answer_field: str = ""
    """Answers are JSON objects, and this key of theirs names the capability; an answer is a label where empty."""
    base: Base
    """The model that is adapted."""
    serving: Serving
    """What answers, and where."""
    hardware: Hardware = Hardware()
    """The machines that may work on its data."""
    fleet: Fleet | None = None
    """The boundary that it belongs to, and what may leave it; none where it is left out, and nothing leaves."""
    benchmark_version: Positive
    """Rises with every change of a frozen set."""
    capabilities: tuple[Capability, ...] = Field(min_length=1)
    """What the specialist is to do, one by one; scores are told by them."""
    gate: GateLimits
    """What a candidate must reach, and what it may lose."""
    stages: Stages = Stages()
    """By which steps an adapter comes into production."""
    validation: Validation = Validation()
    """What a batch of candidates must hold."""
    human_floor: Share
    """The least share of human examples among the new ones that train the candidate."""
    mixture: MixturePolicy | None = None
    """What else holds of a mixture; the defaults where it is left out."""
    triage: Triage = Triage()
    """How many candidates people decide, and who."""
    rubrics_gate: Literal["next-iteration"] = "next-iteration"
    """Drafts of rubrics count from the next iteration on."""
    heldout_looks: Positive = 20
    """How many candidates may look at this held-out set before it must rotate."""
    plateau: PlateauPolicy | None = None
    """When the loop stops itself because nothing improves; the defaults where it is left out."""
    evaluation: EvaluationPolicy | None = None
    """Where an evaluation stops early, and what it reports; the defaults where it is left out."""
    signals: SignalPolicy | None = None
    """Which production signals may steer the set; the defaults where it is left out."""
    generation: Generation | None = None
    """The servers that may write candidates; none where it is left out."""
    triggers: tuple[Trigger, ...] = ()
    """What starts another iteration though nobody merged anything."""

    @property
    def place(self) -> Fleet:
        return self.fleet or Fleet()

    @property
    def evaluation_policy(self) -> EvaluationPolicy:
        return self.evaluation or EvaluationPolicy()

    @property
    def plateau_policy(self) -> PlateauPolicy:
        return self.plateau or PlateauPolicy()

    @property
    def mixture_policy(self) -> MixturePolicy:
        return self.mixture or MixturePolicy()

    domain_rules: tuple[DomainRule, ...] = ()
    """What every candidate must be, besides being new and rightly labelled."""
    diversity: DiversityLimits | None = None
    """How alike candidates may be, and how varied a batch must be; the defaults where it is left out."""


class ProblemKind(StrEnum):
    ACCURACY = "accuracy"
    COMPOSITE = "composite"


class RealOnlyBaseline(Record):
    """What real data alone reaches, and how that was measured."""

    value: Share
    """By the metric of the problem."""
    how: Text
    """The model, the data and the set, so that somebody can measure it again."""


class Problem(Record):
    """The front matter of `clusters/<cluster>/problem.md`: why this specialist, and why synthetic data at all."""

    gap: Text
    """What the model in production gets wrong, and what that costs."""
    why_not_real_data: Text
    """Why there are too few real examples to train on alone."""
    metric: ProblemKind
    """The figure that decides."""
    threshold: Share
    """What the figure must reach; the cluster's gate holds it."""
    real_only_baseline: RealOnlyBaseline
    """What real data alone reaches."""
