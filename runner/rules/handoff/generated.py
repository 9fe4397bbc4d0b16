"""Every file that is made of a promotion's evidence: the hand-off and the cards."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from runner.records.evidence import EvidenceFile
from runner.records.promotion import PromotionRecord
from runner.rules.cards.bom import bom
from runner.rules.cards.croissant import croissant
from runner.rules.cards.dataset_card import dataset_card
from runner.rules.cards.model_card import model_card
from runner.rules.handoff.document import MARKER, document
from runner.rules.handoff.facts import Background, made

_MARKED = re.compile(re.escape(MARKER).replace(r"\{version\}", r"([1-9][0-9]{0,5})").encode() + rb"\n")


def generated(
    promotion: PromotionRecord, evidence: Mapping[str, bytes], background: Background
) -> dict[EvidenceFile, bytes]:
    """The files of `GENERATED`; the same input gives the same bytes. Raises `RecordError` for evidence that cannot be
    read, and names the file."""
    found = made(promotion, evidence, background)
    return {
        EvidenceFile.HANDOFF: document(found).encode(),
        EvidenceFile.MODEL_CARD: model_card(found).encode(),
        EvidenceFile.DATASET_CARD: dataset_card(found).encode(),
        EvidenceFile.CROISSANT: _json(croissant(found)),
        EvidenceFile.BOM: _json(bom(found)),
    }


def version_of(handoff: bytes) -> int:
    """By which version of these rules a hand-off says that it was made; 0 where it says nothing."""
    match = _MARKED.match(handoff)
    return int(match[1]) if match else 0


def _json(value: dict[str, Any]) -> bytes:
    """Laid out for people, who review it."""
    return json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"
