"""What signatures are made for: DSSE's payload type, and the namespace of each purpose."""

from enum import StrEnum

PAYLOAD_TYPE = "application/vnd.in-toto+json"


class Namespace(StrEnum):
    """One for each purpose: a signature made for one verifies for no other."""

    PROPOSAL = "hallmark-proposal@v1"
    APPROVAL = "hallmark-approval@v1"
    TRIAGE = "hallmark-triage@v1"
    EVIDENCE = "hallmark-evidence@v1"
    LEDGER = "hallmark-ledger@v1"
    RECEIPT = "hallmark-receipt@v1"
    TAG = "git"
