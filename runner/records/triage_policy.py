"""What a cluster asks for at triage. Apart from triage's files: every gate reads clusters, and few read reviews."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from runner.records.base import Count, Share, Slug, Sparse


class Triage(Sparse):
    """`triage` in cluster.yaml: which candidates people decide, how many people, and who counts."""

    SPARSE = frozenset(
        {"sample", "max_error_rate", "seed", "signed", "role", "double", "min_kappa", "disagreements", "adjudicator"}
    )

    required: Literal["all", "sample", "none"] = "all"
    sample: Share | None = None
    """With `required: sample`: the share of each batch that people decide; more where the bound needs more."""
    max_error_rate: Annotated[float, Field(gt=0, lt=1)] | None = None
    """With `required: sample`: the rest of a batch passes undecided if the upper end of the 95 % Wilson interval of the
    sampled share that people rejected or edited is at most this; else all of the batch is to be decided."""
    seed: Count = 0
    """Of the draw."""
    signed: bool = False
    """Each review must be signed by its reviewer's ssh key, and nobody decides in the list itself."""
    role: Slug | None = None
    """The role of policy/trust.yaml that a reviewer must hold; any person of the policy where none is named."""
    double: Share | None = None
    """The share of what people decide that two people decide, each for themselves: Cohen's kappa is of these."""
    min_kappa: Annotated[float, Field(ge=-1, le=1)] | None = None
    """Two reviewers whose kappa is below this do not mean the same by the rubric: triage refuses."""
    disagreements: Literal["", "reject", "adjudicate"] = ""
    """What two people see differently is rejected (also where this is empty), or decided by the `adjudicator`."""
    adjudicator: Slug | None = None

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if len({self.required == "sample", self.sample is not None, self.max_error_rate is not None}) > 1:
            raise ValueError("`required: sample` goes with `sample` and `max_error_rate`, and they with it")
        if (self.disagreements == "adjudicate") != (self.adjudicator is not None):
            raise ValueError("`disagreements: adjudicate` goes with `adjudicator`, and it with that")
        if self.min_kappa is not None and not self.double:
            raise ValueError("`min_kappa` needs `double`: kappa is of what two people decide")
        return self
