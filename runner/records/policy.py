"""`policy/trust.yaml`: who may approve what, pinned together with the two OpenSSH files beside it."""

from typing import Annotated

from pydantic import Field

from runner.records.base import Record, Sha256, Slug, Text
from runner.records.change import ChangeClass

_DATE, _TIME = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])", r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
Timestamp = Annotated[str, Field(pattern=rf"^{_DATE}T{_TIME}Z$")]
"""ISO 8601 in UTC to the second, so that comparing texts compares times."""


REVOKED = (
    "sha256 of policy/revoked: a public key a line, with from=<cluster>:<ledger size> right after it where what it "
    "signed for later receipts of that cluster counts no longer; digests as # sha256:<hex>"
)


class Requirement(Record):
    """How many distinct people of a role must sign."""

    role: Slug
    people: Annotated[int, Field(ge=0, le=20)]


class Trust(Record):
    """`policy/trust.yaml`: who may approve what, and which keys the machines have. The one before judges it."""

    version: Annotated[int, Field(ge=1)]
    """One more with each change."""
    repository: Text
    """The name that every statement binds to, so that an approval cannot be carried to another repository."""
    ref: Text = "refs/heads/main"
    """The branch that is guarded."""
    expires: Timestamp
    """After this nothing is judged by it any more: renew it before."""
    allowed_signers: Sha256
    """sha256 of `policy/allowed_signers`."""
    revoked: Annotated[Sha256, Field(description=REVOKED)]
    people: dict[Slug, tuple[Slug, ...]]
    """Person to roles."""
    ci: Slug
    """Who signs evidence. Never counts as a person."""
    gate: Slug
    """Who signs receipts and tags. Never counts as a person."""
    changes: dict[ChangeClass, tuple[Requirement, ...]]
    """Who must sign what kind of change."""
    approval_days: Annotated[int, Field(ge=1, le=366)] = 30
    """How long a signed decision holds."""
