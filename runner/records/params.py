"""`params.yaml`: the pipeline's knobs, per cluster. What the gate bears stands in `cluster.yaml`, not here."""

from enum import StrEnum

from runner.records.base import Amount, Count, Positive, PositiveAmount, PositiveShare, Record, Share, Slug, Sparse
from runner.records.generation import GeneratorChoice


class BaseRecipe(Record):
    """The tiny base: shape, and how it is pre-trained."""

    vocabulary: Positive = 2048
    hidden: Positive = 128
    layers: Positive = 2
    heads: Positive = 4
    max_length: Positive = 128
    steps: tuple[Positive, ...] = (250,)
    """Step counts to try in one run; the best on dev is kept."""
    batch: Positive = 32
    learning_rate: PositiveAmount = 4e-3
    prompt_loss: Share = 0.3
    prompt_dropout: Share = 0.1
    """Share of prompt tokens left out each time a row is shown."""
    average: Share = 0.98
    """How much of the running average of the weights is kept at each step of the second half; 0 for no average."""
    reversed_share: Share = 0.25
    """Share of rows also shown as `label -> message`, so that the model can generate messages for a label."""


class DeduplicateKnobs(Sparse):
    SPARSE = frozenset({"embedding_model", "embedding_threshold"})

    threshold: Share = 0.8
    """Jaccard of word 3-shingles at and above which two texts are near-duplicates."""
    embedding_model: str = ""
    """A directory with a sentence-embedding model, from the repository's top: texts that it takes for the same are
    marked. None where empty."""
    embedding_threshold: PositiveShare | None = None
    """Cosine from which it does; .9 where nothing is said."""


class DiagnoseKnobs(Record):
    target_below: Share = 0.5
    """A capability that scores below this on core is aimed at."""
    target_failures: Positive = 15
    """So is one with this many failures in production, whatever its score."""


class ExpandKnobs(Sparse):
    SPARSE = frozenset({"generators"})

    per_target: Positive = 60
    """Candidates wanted per target and synthetic channel."""
    temperature: PositiveAmount = 0.9
    attempts: Positive = 4
    """Samples drawn at most per candidate wanted."""
    generators: tuple[GeneratorChoice, ...] = ()
    """What writes candidates, in this order; none named means the class-conditional base and perturbation."""


class TrainRecipe(Record):
    """One LoRA run: the same for every arm of the sweep and for the candidate."""

    rank: Positive = 16
    alpha: Positive = 32
    epochs: Positive = 3
    batch: Positive = 32
    learning_rate: PositiveAmount = 2e-3
    replay: Count = 1000
    """Replay rows beside the new ones."""
    new_rows: Count = 1000
    """New rows after repetition; the same for every arm, so that arms differ in content alone."""
    max_length: Positive = 128
    """Tokens of a row at most; what is over is cut off the prompt's start."""
    prompt_dropout: Share = 0.1
    distill: Amount = 1.0
    """Weight of the KL term to the base on replay rows."""


class Race(StrEnum):
    """Which arms are made with further seeds."""

    ALL = "all"
    CONTENDERS = "contenders"
    """The arm with the least synthetic data and the best other one, if the first seed leaves it within reach."""


class SweepKnobs(Record):
    synthetic: tuple[Share, ...] = (0.0, 0.25, 0.5, 0.75)
    margin: Share = 0.01
    """Dev composites closer than this count as equal."""
    equivalent: Share = 0.03
    """A difference of dev composites that would not matter: a plateau is one that the intervals keep below it."""
    seeds: Positive = 2
    race: Race = Race.CONTENDERS


class StrengthKnobs(Record):
    strengths: tuple[PositiveAmount, ...] = (0.6, 0.8, 1.0)
    margin: Share = 0.01
    """By how much dev must clear the cluster's thresholds: dev is a sample, and the candidate was chosen on it."""


class AssessKnobs(Sparse):
    SPARSE = frozenset({"repeats"})

    resamples: Positive = 2000
    repeats: Positive | None = None
    """How often the incumbent is asked again, to see how far it differs from itself; once where nothing is said."""


class ClusterParams(Record):
    seed: int = 7
    threads: Positive = 2
    base: BaseRecipe = BaseRecipe()
    deduplicate: DeduplicateKnobs = DeduplicateKnobs()
    diagnose: DiagnoseKnobs = DiagnoseKnobs()
    expand: ExpandKnobs = ExpandKnobs()
    train: TrainRecipe = TrainRecipe()
    sweep: SweepKnobs = SweepKnobs()
    strength: StrengthKnobs = StrengthKnobs()
    assess: AssessKnobs = AssessKnobs()


class Params(Record):
    """`params.yaml`: the knobs of each cluster's pipeline, which DVC reads too."""

    clusters: dict[Slug, ClusterParams]
