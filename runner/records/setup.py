"""What `hallmark init` asks, as a file: every question that a terminal is asked, and those that it is not."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from runner.records.adoption import Format
from runner.records.base import Positive, Record, Share, Slug, Text
from runner.records.patterns import unusable
from runner.records.terms import Origin, Severity

Owner = Annotated[str, Field(pattern=r"^(@[A-Za-z0-9][\w.-]*(/[\w.-]+)*|[^@\s#][^@\s]*@[^@\s]+)$")]
"""As CODEOWNERS names one: `@person`, `@organisation/team`, or an e-mail address."""


class KeyFile(Record):
    """Somebody who signs, by an ssh public key."""

    name: Slug
    key: Text
    """The `.pub` file, from the folder of the answers."""


class Person(KeyFile):
    roles: tuple[Slug, ...] = ()
    """`approver` and `maintainer` where none is said."""


class PolicyAnswers(Record):
    """A first policy: what `hallmark policy init` asks."""

    repository: Text
    """The name that every statement binds to, such as `acme/desk`."""
    people: tuple[Person, ...] = Field(min_length=1)
    ci: KeyFile
    """Who signs evidence."""
    gate: KeyFile
    """Who signs receipts and tags."""
    approvers: Positive = 2
    days: Positive = 365


class Owners(Record):
    """Who is asked to review what. What is left out keeps the template's name, to be replaced by hand."""

    domain_owners: Owner | None = None
    approvers: Owner | None = None
    platform: Owner | None = None


class FirstCluster(Record):
    """A first cluster, from what people have."""

    id: Slug
    source: Format
    files: tuple[Text, ...] = Field(min_length=1)
    """From the folder of the answers; several for InstructLab alone."""
    origin: Origin | None = None
    """Who wrote the texts. A labelled file is people's."""
    text_column: Text = "text"
    label_column: Text = "label"
    capability: str = ""
    """One for all of them, of other formats than `labelled`; as the files say where empty."""
    data: str = ""
    """Of an lm-eval task: a dataset beside it, in the place of the one that it names."""
    model: Text = "tiny"
    """The base: `tiny`, or `ORG/NAME@COMMIT` of a hub."""
    severity: Severity = Severity.MEDIUM
    seed: int = 7
    threshold_composite: Share = 0.7
    threshold_heldout: Share = 0.7
    triage: Literal["all", "none"] = "all"

    @model_validator(mode="after")
    def _answers_what_its_source_asks(self) -> Self:
        if self.source is Format.LABELLED and self.origin not in (None, Origin.HUMAN):
            raise unusable("a labelled file is what people wrote", "leave `origin` out, or import in another format")
        columns = {"text_column", "label_column"}
        unasked = {
            Format.LABELLED: {"capability", "data", "severity"},
            Format.LM_EVAL: columns,
        }.get(self.source, columns | {"data"})
        fields = type(self).model_fields
        given = sorted(name for name in unasked if getattr(self, name) != fields[name].default)
        if given:
            raise unusable(f"{self.source} files have no use for {', '.join(given)}", "leave it out")
        return self

    @model_validator(mode="after")
    def _says_who_wrote_them(self) -> Self:
        if self.source is not Format.LABELLED and self.origin is None:
            raise unusable("does not say who wrote the texts", "write `origin: human`, synthetic or corrected")
        if self.source is Format.LABELLED and self.model != "tiny":
            raise unusable("a labelled file trains the tiny base", "leave `model` out, and change cluster.yaml later")
        if self.source is not Format.INSTRUCTLAB and len(self.files) > 1:
            raise unusable("names several files", "name one")
        return self


class Answers(Record):
    """Everything has a default: an empty workspace, with a store beside it and no policy."""

    remote: str = ""
    """DVC's default remote: a path (from the workspace), `ssh://…` or `s3://…`, without secrets. A folder beside the
    workspace where empty."""
    forge: Slug = "github"
    """Whose workflows are written; `none` for no forge."""
    owners: Owners = Owners()
    policy: PolicyAnswers | None = None
    cluster: FirstCluster | None = None
    commit: bool = False
    """Whether what was written is committed, by the identity that git knows."""
