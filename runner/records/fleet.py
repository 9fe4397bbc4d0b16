"""A cluster's place in the fleet: inside which boundary it is worked on and served, and what may leave it."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from runner.records.base import Slug, Sparse

Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$", max_length=64)]
"""A label that the forge knows runners by."""
Host = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.:-]*[a-z0-9])?$", max_length=253)]
"""The host of a server's address, in lower case and without a port."""


class Export(StrEnum):
    """What may leave the boundary. The promotion's identity and digests go with either."""

    SUMMARIES = "summaries"
    """The status block's figures against their thresholds, operational figures, counts of rows and of approvals."""
    SCORECARDS = "scorecards"
    """Scores, intervals and comparisons by set and by capability; capabilities have numbers."""
    CAPABILITIES = "capabilities"
    """The capabilities' ids in the place of their numbers."""


class Fleet(Sparse):
    """The block `fleet` of `cluster.yaml`. What is left out binds nothing, but for `exports`: nothing leaves."""

    SPARSE = frozenset({"boundary", "runner", "hosts", "serves_in", "capacity", "exports"})

    boundary: Slug | None = None
    """The hardware boundary: a machine must declare itself inside it before it brings this cluster's data, trains or
    serves it; models are asked only on that machine and on `hosts`."""
    runner: tuple[Label, ...] = ()
    """The labels of the runners that iterate this cluster."""
    hosts: tuple[Host, ...] = ()
    """Servers inside the boundary, beside the machine itself: of the serving endpoint, generators and judges."""
    serves_in: tuple[Slug, ...] = ()
    """Other boundaries into which an adapter may be fetched for serving."""
    capacity: str = ""
    """What the serving machine bears, in words, for the people who plan it."""
    exports: tuple[Export, ...] = ()
