"""A judge as reviewed files: the model that is asked and how, people's labels beside it, and how well they agree.

`rubrics/judges/<judge>.yaml`, and below `rubrics/judges/<judge>/`, for each cluster, `<cluster>.labels.yaml` and
`<cluster>.calibration.yaml`.
"""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from runner.records.base import Count, Positive, Record, Sha256, Share, Slug, Text
from runner.records.cluster import HubBase, PathBase
from runner.records.endpoint import Asking, Endpoint
from runner.records.judge import Votes
from runner.records.terms import SetName


class Form(StrEnum):
    """What a judge is asked of an answer."""

    POINTWISE = "pointwise"
    """Whether it meets the question, beside the reference."""
    PAIRWISE = "pairwise"
    """Which of the answer and the reference meets it better; the answer meets it where it is no worse."""


class ServedModel(Endpoint):
    """A model behind an OpenAI-compatible server."""

    kind: Literal["server"]
    revision: Text
    """What the server runs under that name (a commit, a dated version). Its weights cannot be seen: people say it."""
    sends: tuple[SetName, ...] = Field(min_length=1)
    """The sets whose scenarios, with their references and answers, may leave for it."""


JudgeModel = Annotated[ServedModel | PathBase | HubBase, Field(discriminator="kind")]


class Floor(Record):
    """What a judge must hold, on people's labels, before a criterion of its counts."""

    min_kappa: Annotated[float, Field(ge=-1, le=1)] = 0.4
    """Cohen's kappa with people, the lower end of its 95 % interval: more than fair agreement (Landis, Koch 1977)."""
    min_labels: Positive = 30
    """Labelled answers of the criterion, below which nothing is said."""
    min_each: Positive = 5
    """Of these, those that people say meet it, and those that do not. Where nearly all are of one kind, agreement says
    nothing of the other, and kappa's interval does not show it: it has no width where nobody disagrees."""
    max_flip_rate: Share = 0.1
    """The share of swaps of the order that turn the verdict, on labels and in every run."""
    max_abstentions: Share = 0.05
    """The share of answers that it gives no verdict on, on labels and in every run."""


class JudgeFile(Record):
    """`rubrics/judges/<judge>.yaml`; the file's name is its id."""

    id: Slug
    title: Text
    model: JudgeModel
    aliases: tuple[Text, ...] = ()
    """Other names of the same model (a hub id, a digest), by which it is known again where it would judge itself."""
    form: Form = Form.POINTWISE
    prompt: Text
    """What the judge is told to be and to look at. The question is the criterion's; the form of a verdict is fixed."""
    max_new_tokens: Positive = 16
    repeats: Annotated[int, Field(ge=1, le=8)] = 1
    """How often each of the two orders is asked, with a seed of its own; always at temperature 0."""
    seed: Annotated[int, Field(ge=0)] = 7
    floor: Floor = Floor()
    asking: Asking = Asking()
    """How hard a server is asked: no part of what the judge is, so no digest covers it."""


class Label(Record):
    """What a person says of one answer by one criterion of the scenario's rubric."""

    scenario: Slug
    """In core or dev: nobody labels what is held out."""
    criterion: Slug
    answer: str
    met: bool
    by: Slug


class JudgeLabels(Record):
    """`rubrics/judges/<judge>/<cluster>.labels.yaml`."""

    MAX_BYTES: ClassVar[int] = 4_000_000

    judge: Slug
    cluster: Slug
    labels: tuple[Label, ...] = Field(min_length=1)


class Confusion(Record):
    """Answers by what people and the judge say of them."""

    both_met: Count = 0
    judge_alone: Count = 0
    """Met by the judge alone."""
    people_alone: Count = 0
    both_unmet: Count = 0
    abstained: Count = 0
    """The judge gave no verdict."""


class Bounded(Record):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


class Agreement(Record):
    """People and the judge on one criterion."""

    question: Text
    """As it was asked."""
    answers: Count
    disputed: Count = 0
    """Answers on which as many people say one thing as the other; they are left out."""
    confusion: Confusion
    accuracy: Bounded
    """Wilson; an abstention is no agreement."""
    kappa: Bounded | None
    """Cohen's, with the interval of Fleiss, Cohen and Everitt; none where all say the same."""
    flip_rate: Share


class Calibration(Record):
    """`rubrics/judges/<judge>/<cluster>.calibration.yaml`: what the judge said of the labelled answers.

    The figures follow from the labels and the votes, so `check` makes them again.
    """

    MAX_BYTES: ClassVar[int] = 4_000_000

    judge: Slug
    cluster: Slug
    sha256: Sha256
    """Of the judge that was asked."""
    wording: Sha256
    """Of the frame that its prompt was put in."""
    labels: Sha256
    scenarios: Sha256
    """Of those that are labelled: what was asked about."""
    votes: dict[Sha256, Votes]
    """By the digest of scenario, criterion, question and answer."""
    criteria: dict[Slug, Agreement]
    """By `<rubric>-<criterion>`."""


class JudgeUse(Record):
    """One judge on one model's answers to one set: how steady it was."""

    set: SetName
    model: Slug
    verdicts: Count
    unanimous: Count
    """Verdicts whose every vote is the same."""
    swaps: Count
    """Pairs of votes with the order as it stands and swapped, both cast."""
    flipped: Count
    abstained: Count
    """Verdicts without a majority of votes cast."""


class JudgeReport(Record):
    """One judge in an iteration."""

    judge: Slug
    sha256: Sha256
    model: Text
    criteria: dict[Slug, Agreement]
    """Calibration by criterion; none where it was not calibrated as it is now."""
    shown: dict[Slug, Text]
    """Criteria that count for nothing, and why."""
    uses: tuple[JudgeUse, ...]
    flip_rate: Share
    agreement: Share
    """The share of verdicts that are unanimous."""
    abstentions: Share


class JudgesReport(Record):
    """`judges.json`, in the evidence of clusters that have judges."""

    judges: tuple[JudgeReport, ...]
