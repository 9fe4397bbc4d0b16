"""What people should know of a trace's text before they read it or use it. Nothing is changed: the text is data."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from runner.records.trace import Flag

_TO_A_MODEL = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b[^.\n]{0,30}\b(?:previous|prior|above|earlier|preceding|system|your|"
    r"all)\b[^.\n]{0,20}\b(?:instructions?|prompts?|rules|guidelines|guardrails|directions)\b"
    r"|\b(?:reveal|print|show|repeat|output|leak)\b[^.\n]{0,30}\b(?:system|hidden|initial|developer)\s+(?:prompt|message|"
    r"instructions?)\b"
    r"|\byou are now (?:an?|in|no longer|the)\b|\b(?:developer|dan|jailbreak) mode\b|\bdo anything now\b"
    r"|\b(?:grader|judge|evaluator|reviewer)s?\b[^.\n]{0,40}\b(?:must|should|shall)\b[^.\n]{0,30}\b(?:pass|score|accept|"
    r"approve|rate)\b"
    r"|[\"']verdict[\"']\s*:|[\"']score[\"']\s*:\s*\d|\bfinal (?:verdict|score)\s*:"
    r"|<\|[\w ]{2,30}\|>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|</?s>|^\s*#{2,}\s*(?:system|assistant)\b\s*:?",
    re.IGNORECASE | re.MULTILINE,
)
_JOINERS = frozenset("\u200c\u200d\ufeff")


def flags(texts: Iterable[str]) -> tuple[Flag, ...]:
    """The flags of what a user and tools said, each once, in the order of `Flag`."""
    found = {flag for text in texts for flag in _of(text)}
    return tuple(flag for flag in Flag if flag in found)


def _of(text: str) -> Iterable[Flag]:
    if _TO_A_MODEL.search(text):
        yield Flag.INSTRUCTION
    if not text.isascii() and any(unicodedata.category(c) == "Cf" and c not in _JOINERS for c in text):
        yield Flag.HIDDEN
