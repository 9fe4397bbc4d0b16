"""What a receipt in the ledger says, read and not verified: the gate's signature is checked by `hallmark verify`."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

from runner.records.ledger import Entry, EntryKind
from runner.records.promotion import ServingStage
from runner.rules.times import moment


def receipt_time(entry: Entry) -> str | None:
    """When the gate verified; none where the entry does not say."""
    said = _said(entry).get("time_verified")
    try:
        moment(str(said))
    except ValueError:
        return None
    return str(said)


def receipt_stage(entry: Entry) -> ServingStage:
    """The stage that the step put its adapter into; production where the entry does not say."""
    try:
        return ServingStage(_said(entry).get("stage", ServingStage.PRODUCTION))
    except ValueError:
        return ServingStage.PRODUCTION


def entered(ledger: Iterable[Entry], sequence: int) -> str | None:
    """When a promotion took effect, by its receipt; none where it has none."""
    found = (one for one in ledger if one.kind is EntryKind.RECEIPT and one.promotion == sequence)
    return next((receipt_time(one) for one in found), None)


def _said(entry: Entry) -> dict[str, Any]:
    """The predicate in the entry's envelope; empty where there is none to read."""
    try:
        statement = json.loads(base64.b64decode((entry.receipt or {})["payload"], validate=True))
        predicate = statement["predicate"]
    except (KeyError, TypeError, ValueError):
        return {}
    return predicate if isinstance(predicate, dict) else {}
