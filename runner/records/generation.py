"""What may write candidates: the generators that a cluster chooses, and the servers that its data may go to."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from runner.records.base import Count, Positive, PositiveShare, Record, Slug
from runner.records.endpoint import Asking, Endpoint


class Shown(StrEnum):
    """Whose text a generator's prompt may show. Text of the other sets never stands in one."""

    GOLD = "gold"
    LOG = "log"
    CORE = "core"
    """Core scenarios that the incumbent failed."""


class Server(Endpoint):
    """An OpenAI-compatible server that this cluster's data may be sent to (`cluster.yaml`)."""

    sends: tuple[Shown, ...]
    """Whose text may leave for it, redacted once more; definitions, criteria and rules always do."""


class Generation(Record):
    """The boundary of generation: where text of this cluster may go."""

    servers: tuple[Server, ...] = ()


class Output(StrEnum):
    """What a prompted model is asked for."""

    JSON = "json"
    """One JSON object, checked against a schema."""
    TEXT = "text"
    """The message alone, after examples as turns of a chat: for a base that follows no instructions."""


class Prompting(Record):
    """How a model is shown what to write."""

    examples: Count = 6
    """Human rows shown in a prompt at most, drawn anew for each."""
    failures: Count = 2
    """Failed core scenarios shown in a prompt at most."""
    output: Output = Output.JSON
    max_new_tokens: Positive = 256
    top_p: PositiveShare = 0.95


class ClassConditional(Record):
    """The cluster's base, asked in the class-conditioned direction: what a tiny base is pre-trained for."""

    kind: Literal["class-conditional"]


class Perturbation(Record):
    """Seeded rewrites of human rows."""

    kind: Literal["perturbation"]


class FewShot(Prompting):
    """The cluster's base, prompted with the capability's definition, criteria, rules and examples."""

    kind: Literal["few-shot"]


class Served(Prompting, Asking):
    """A server of `cluster.yaml`, prompted in the same way."""

    kind: Literal["server"]
    server: Slug


GeneratorChoice = Annotated[ClassConditional | Perturbation | FewShot | Served, Field(discriminator="kind")]
DEFAULT: tuple[ClassConditional | Perturbation, ...] = (
    ClassConditional(kind="class-conditional"),
    Perturbation(kind="perturbation"),
)


def suffix(choice: ClassConditional | Perturbation | FewShot | Served) -> str:
    """What the ids of this generator's batches end in."""
    match choice:
        case ClassConditional():
            return "llm"
        case Served():
            return f"llm-{choice.server}"
        case FewShot():
            return "llm-few-shot"
        case Perturbation():
            return "perturbation"
