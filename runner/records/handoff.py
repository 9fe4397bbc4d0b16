"""What people state in the front matter of `clusters/<cluster>/handoff.md`: what nobody can compute of a model."""

from typing import Annotated

from pydantic import Field

from runner.records.base import Record, Text

License = Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9.+-]{0,63})?$")]
"""An SPDX identifier (`Apache-2.0`), or `LicenseRef-<name>` for terms of one's own; empty where none is stated."""
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
"""An IETF language tag (BCP 47)."""


class Handoff(Record):
    """The terms and uses of a cluster's adapters and of the data that train them. What is empty is not stated."""

    license: License = ""
    """Of the adapters."""
    data_license: License = ""
    """Of the rows that train them."""
    language: tuple[Language, ...] = ()
    owner: str = ""
    """The team or role that answers for it; no person's name need stand here."""
    intended_use: str = ""
    out_of_scope: str = ""
    """What it may not be used for."""
    personal_data: str = ""
    """What personal data the rows may hold, and how it was kept out."""
    limitations: tuple[Text, ...] = ()
    """What people know of it that no figure says."""
