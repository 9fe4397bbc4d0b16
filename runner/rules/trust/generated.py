"""Step 6.9: the hand-off and the cards are what the evidence makes of them, to the byte."""

from __future__ import annotations

from collections.abc import Iterator

from runner.errors import RecordError
from runner.records.evidence import GENERATED, EvidenceFile
from runner.rules.trust.facts import Promotion


def generated_problems(promotion: Promotion, *, incoming: bool) -> Iterator[str]:
    """What is wrong with the files of `GENERATED`; nothing where there are none, as in evidence that is older.

    Words change with the rules that make them. What comes in (`incoming`) must be of these very rules. What was merged
    under others was held to those by the gate that wrote its receipt, and is bound by its digests since.
    """
    evidence = promotion.evidence
    there = [name for name in GENERATED if name in evidence]
    if not there:
        return
    yield from (f"evidence/{name} is missing beside {there[0]}" for name in GENERATED if name not in evidence)
    from runner.rules.handoff.document import VERSION  # most pushes carry none
    from runner.rules.handoff.generated import generated, version_of

    version = version_of(evidence.get(EvidenceFile.HANDOFF, b""))
    if version != VERSION:
        if incoming or not version:
            said = f"by version {version} of their rules" if version else "by rules that name no version"
            yield f"the hand-off and the cards were made {said}, and the gate's are version {VERSION}"
        return
    if promotion.background is None or isinstance(promotion.background, str):
        yield f"what the hand-off and the cards are made from cannot be read: {promotion.background}"
        return
    try:
        made = generated(promotion.record, evidence, promotion.background)
    except (RecordError, ValueError) as error:
        yield f"the evidence makes no hand-off: {error}"
        return
    for name in there:
        if evidence[name] != made[name]:
            yield f"evidence/{name} is not what the evidence, and people's files on main, make of it"
