"""What every record is: a frozen pydantic model that refuses unknown keys, and the names and digests it may hold."""

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

SLUG_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*$"
SLUG_LENGTH = 64
Slug = Annotated[str, Field(pattern=SLUG_PATTERN, max_length=SLUG_LENGTH)]
"""A name that is safe as a git ref, a file name and a YAML scalar."""
SLUG = SLUG_PATTERN.strip("^$").replace("(", "(?:")
"""The same as a part of a longer pattern, where it counts no group; of any length."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A sha256 in lower-case hex."""

Text = Annotated[str, Field(min_length=1)]
"""Text that says something."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]
"""A share of a whole, from 0 to 1."""

PositiveShare = Annotated[float, Field(gt=0, le=1)]
"""A share that is more than nothing, as a threshold or a level of significance is."""

Count = Annotated[int, Field(ge=0)]
"""How many there are: a whole number from 0."""

Positive = Annotated[int, Field(gt=0)]
"""A whole number from 1."""

Amount = Annotated[float, Field(ge=0)]
"""How much there is of what is measured, in the unit that its field names; 0 or more."""

PositiveAmount = Annotated[float, Field(gt=0)]
"""An amount that is more than nothing."""

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
"""As ISO 4217 writes one, such as EUR."""

CommitId = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
"""A commit in full, named by SHA-1."""


class Record(BaseModel):
    """A noun of Hallmark, as a file says it."""

    MAX_BYTES: ClassVar[int] = 1_000_000
    """How large a reviewed file of this kind may be."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, ser_json_inf_nan="strings", defer_build=True
    )
    """Built when first used: the gate needs a third of the records, and starts that much sooner."""


class Sparse(Record):
    """A record that is written without those of its fields that say nothing, as named in `SPARSE`.

    What has no use for such a field has the bytes and digests it had before there was one.
    """

    SPARSE: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_what_says_nothing(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in write(self).items() if value or name not in self.SPARSE}
