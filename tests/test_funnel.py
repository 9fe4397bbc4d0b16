"""The funnel's invariants: a record that does not add up cannot be made, and no step loses or gains a row unsaid."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from runner.records.dataset import Batch, Candidate, Channel, Generator, Provenance
from runner.records.funnel import ORDER, BatchFunnel, Funnel, FunnelReport, FunnelStep, summed
from runner.rules.data.expansion import candidate
from runner.rules.data.funnel import BATCH_REFUSED, EXPANDED, REJECTED, accepted, expanded, report, sentence, validated
from runner.rules.data.novelty import COPY, DUPLICATE, NEAR_CANDIDATE, NEAR_FROZEN, NEAR_GOLD

CAUSES = st.sampled_from(["no-label", "too-short", "near-gold", "copy", "inconsistent"])
DROPPED = st.lists(st.tuples(st.sampled_from(EXPANDED[1:]), CAUSES), max_size=40)


def batch(name: str, funnel: Funnel | None) -> Batch:
    count = funnel.kept if funnel else 0
    made = Provenance(
        channel=Channel.LLM,
        generator=Generator(name="base", version="1", sha256="0" * 64),
        parameters={},
        seed=1,
        target="failure-1",
        parents=("gold-1",),
        count=count,
    )
    return Batch(id=name, provenance=made, rejected=funnel.rejected if funnel else {}, funnel=funnel)


def rows(name: str, count: int) -> list[Candidate]:
    made = {"channel": Channel.LLM, "capability": "login", "answer": "login", "batch": name, "parents": ("gold-1",)}
    return [candidate(f"{name} text {number}", **made) for number in range(count)]


def steps(*counts: tuple[int, dict[str, int]]) -> dict[str, Any]:
    return {
        "steps": [
            {"step": step, "kept": kept, "rejected": rejected}
            for step, (kept, rejected) in zip(ORDER, counts, strict=False)
        ]
    }


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (steps((9, {}), (9, {}), (7, {"a": 1})), "9 parsed less 1 rejected are not 7 ruled"),
        (steps((9, {}), (10, {})), "9 generated less 0 rejected are not 10 parsed"),
        (steps((9, {"a": 1})), "nothing is rejected before it is generated"),
        (steps((9, {}), (9, {"a": 0})), "greater than 0"),
        (steps((9, {}), (9, {"No slug": 1})), "match pattern"),
        (steps((-1, {})), "greater than or equal to 0"),
        ({"steps": []}, "at least 1"),
        ({"steps": [{"step": "parsed", "kept": 1}]}, "from the first on"),
        ({"steps": [{"step": "generated", "kept": 1}, {"step": "ruled", "kept": 1}]}, "in this order"),
    ],
)
def test_what_does_not_add_up_cannot_be_made(value: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Funnel.model_validate(value)


@given(st.integers(0, 50), DROPPED)
def test_every_row_is_kept_or_has_its_cause(kept: int, dropped: list[tuple[FunnelStep, str]]) -> None:
    found = expanded(kept, dropped)
    assert found.generated == kept + len(dropped)
    assert found.kept == kept
    assert sum(found.rejected.values()) == len(dropped)
    counts = [one.kept for one in found.steps]
    assert counts == sorted(counts, reverse=True)
    assert Funnel.model_validate_json(found.model_dump_json()) == found
    assert sentence(found).startswith(f"{found.generated:,} generated")


@given(st.lists(st.tuples(st.integers(0, 9), DROPPED), max_size=5), st.randoms())
def test_the_whole_way_adds_up(batches: list[tuple[int, list[tuple[FunnelStep, str]]]], chance: Any) -> None:
    made = [batch(f"b-{number}", expanded(kept, dropped)) for number, (kept, dropped) in enumerate(batches)]
    first = report(made)
    assert first is not None
    candidates = [row for one in made for row in rows(one.id, one.provenance.count)]
    valid = [row for row in candidates if chance.random() < 0.7]
    leaked = {row.example.id for row in candidates if row not in valid and chance.random() < 0.5}
    second = validated(first, candidates=candidates, valid=valid, leaked=leaked)
    taken = [row for row in valid if chance.random() < 0.5]
    edited = [row.model_copy(update={"example": row.example.model_copy(update={"id": "edited"})}) for row in taken]
    last = accepted(second, valid=valid, accepted=edited)
    assert [one.kept for one in last.total.steps][-3:] == [len(candidates), len(valid), len(taken)]
    assert last.total.steps[-2].rejected.get("near-frozen", 0) == len(leaked)
    assert last.total.steps[-1].rejected.get("rejected", 0) == len(valid) - len(taken)
    assert last.total == summed((one.funnel for one in last.batches), steps=len(ORDER))
    assert sum(last.total.rejected.values()) == last.total.generated - last.total.kept
    for one in made:
        own = last.of(one.id)
        assert own is not None
        assert own.kept == sum(row.batch == one.id for row in taken)


def test_a_report_is_the_sum_of_its_batches_and_of_nothing_else() -> None:
    one = BatchFunnel(batch="b-1", funnel=expanded(3, [(FunnelStep.NOVEL, "copy")]))
    other = BatchFunnel(batch="b-2", funnel=expanded(2, []))
    total = summed((one.funnel, other.funnel), steps=len(EXPANDED))
    assert FunnelReport(batches=(one, other), total=total).total.rejected == {"copy": 1}
    for wrong, said in (
        ({"batches": (one,), "total": total}, "not the sum"),
        ({"batches": (one, one), "total": total}, "has one funnel"),
        ({"batches": (one,), "total": Funnel.model_validate(steps((4, {})))}, "end at the same step"),
    ):
        with pytest.raises(ValidationError, match=said):
            FunnelReport.model_validate(wrong)


def test_rows_that_appear_or_vanish_between_phases_are_an_error() -> None:
    first = report([batch("b-1", expanded(3, []))])
    assert first is not None
    candidates = rows("b-1", 3)
    with pytest.raises(ValidationError, match="3 consistent less 1 rejected are not 1 validated"):
        validated(first, candidates=candidates[:2], valid=candidates[:1], leaked=())
    second = validated(first, candidates=candidates, valid=candidates, leaked=())
    with pytest.raises(ValidationError):
        accepted(second, valid=candidates, accepted=[*candidates, *candidates])


def test_a_batch_says_what_its_funnel_says() -> None:
    funnel = expanded(2, [(FunnelStep.RULED, "too-short")])
    made = batch("b-1", funnel)
    for change in ({"rejected": {}}, {"provenance": made.provenance.model_copy(update={"count": 3})}):
        with pytest.raises(ValidationError, match="as many rows as it has"):
            Batch.model_validate({**made.model_dump(), **change})


def test_a_batch_from_before_funnels_has_the_bytes_it_had() -> None:
    old = batch("b-1", None)
    assert "funnel" not in old.model_dump(mode="json")
    assert report([old]) is None
    assert report([old, batch("b-2", expanded(1, []))]) is None
    assert report([]) == FunnelReport(batches=(), total=expanded(0, []))


def test_the_sentence_names_the_steps_that_took_rows() -> None:
    found = expanded(1200, [(FunnelStep.NOVEL, "copy")] * 34)
    assert sentence(found) == "1,234 generated, 1,200 novel, 1,200 consistent"
    assert sentence(expanded(4, [])) == "4 generated, 4 consistent"


def test_the_documented_steps_are_the_real_ones() -> None:
    text = (Path(__file__).parent.parent / "docs" / "funnel.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\d) \| [^|]* \|(.*)\|$", text, re.MULTILINE)
    assert [step for step, _, _ in rows] == list(ORDER)
    assert [phase for _, phase, _ in rows] == ["7"] * len(EXPANDED) + ["8", "9"]
    causes = {step: set(re.findall(r"`([a-z-]+)`", said)) for step, _, said in rows}
    assert causes["novel"] == {COPY, DUPLICATE, NEAR_GOLD, NEAR_CANDIDATE, NEAR_FROZEN}
    assert causes["validated"] == {BATCH_REFUSED, NEAR_FROZEN}
    assert causes["accepted"] == {REJECTED}
