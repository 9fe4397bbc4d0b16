"""What a hand-off and its cards say of evidence that differs where the plausible one is alike on both sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from runner.records.base import Record
from runner.records.promotion import PromotionKind
from runner.records.scenario import SetName
from runner.records.verdict import Reason
from runner.rules.cards import croissant as croissants
from runner.rules.cards import dataset_card, model_card
from runner.rules.cards.bom import bom
from runner.rules.cards.croissant import croissant
from runner.rules.handoff import benchmark, data, standing
from runner.rules.handoff.facts import Made
from runner.rules.handoff.whole import people_part
from tests import evidence_fixture, handoff_fixture
from tests.handoff_fixture import ARTIFACTS


def made(**records: Record) -> Made:
    """The plausible promotion, with these records instead of its own."""
    return handoff_fixture.facts(artifacts=ARTIFACTS)._replace(**records)


def row(text: str, first: str) -> list[str]:
    """The cells of the row of a table that begins with this cell."""
    (line,) = (line for line in text.splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_capability_s_score_before_is_the_incumbent_s() -> None:
    card = evidence_fixture.scorecard()
    heldout = evidence_fixture.set_score(0.44, 0.9, 240)
    incumbent = card.models["incumbent"]
    changed = incumbent.model_copy(update={"sets": {**incumbent.sets, SetName.HELDOUT: heldout}})
    found = made(scorecard=card.model_copy(update={"models": {**card.models, "incumbent": changed}}))
    assert row(benchmark.result(found), "`warranty`") == ["`warranty`", "0.440", "0.870", "38", "0"]


def test_a_repeated_arm_is_shown_by_its_mean() -> None:
    arms = evidence_fixture.sweep().arms
    repeated = arms[1].model_copy(update={"mean": 0.123})
    found = made(sweep=evidence_fixture.sweep().model_copy(update={"arms": (repeated, *arms[2:])}))
    text = data.sweep(found)
    assert row(text, "`s0`")[5] == "0.123"
    assert "s0    0% synthetic  0.123 █████\n" in text


def test_what_a_batch_s_validation_lacks_is_told_beside_why_it_was_refused() -> None:
    report = evidence_fixture.validation()
    lacking = Reason(step="privacy", problem="too few | rows for membership")
    batches = tuple(one.model_copy(update={"lacking": (lacking,)}) for one in report.batches[:1])
    text = data.validation(made(validation=report.model_copy(update={"batches": batches})))
    assert f"- `{batches[0].batch}`: too few \\| rows for membership" in text


def test_the_history_is_in_the_order_of_the_sequences_and_names_what_was_gone_back_to() -> None:
    records = [handoff_fixture.record(number) for number in (3, 1, 4, 2)]
    back = {1: 0, 4: 2}
    told = [
        one.model_copy(update={"kind": PromotionKind.ROLLBACK, "restores": back[one.sequence]})
        if one.sequence in back
        else one
        for one in records
    ]
    assert [(line[0], line[1]) for line in standing.rows_of(told)] == [
        ("1", "rollback to the base"),
        ("2", "promotion"),
        ("3", "promotion"),
        ("4", "rollback to 2"),
    ]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("---\nowner: a\n---\n\n# Ours\n---\nmore\n", "# Ours\n---\nmore"),
        ("# Ours\n\n---\nkept\n---\nmore\n", "# Ours\n\n---\nkept\n---\nmore"),
        ("---\nnever ended\n", "---\nnever ended"),
        ("", ""),
    ],
)
def test_only_a_text_s_own_front_matter_is_left_out(text: str, left: str) -> None:
    assert people_part(text) == left


@pytest.mark.parametrize(
    ("artifacts", "adapter", "mixture"),
    [
        (ARTIFACTS, ["base", "mixture"], ["base-data", "gold", "traces"]),
        ({"gold": "2" * 64}, ["base", "gold"], None),
    ],
)
def test_the_adapter_depends_on_its_mixture_and_that_on_the_sources(
    artifacts: Mapping[str, str], adapter: list[str], mixture: list[str] | None
) -> None:
    said = bom(handoff_fixture.facts(artifacts=artifacts))["dependencies"]
    depends = {one["ref"]: one.get("dependsOn") for one in said}
    assert depends["adapter"] == adapter
    assert depends.get("mixture") == mixture


def test_a_reader_that_writes_into_croissant_s_context_changes_no_other() -> None:
    before = croissant(made())
    before["@context"]["data"]["@type"] = "written over"
    before["@context"]["name"].clear()
    assert croissant(made())["@context"] == croissants.CONTEXT != before["@context"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [(0, "n<1K"), (999, "n<1K"), (1_000, "1K<n<10K"), (9_999, "1K<n<10K"), (10_000_000, "10M<n<100M")],
)
def test_a_dataset_s_size_is_the_hub_s_word_for_it(rows: int, words: str) -> None:
    assert dataset_card.size(rows) == words


def test_the_model_card_counts_generated_rows_and_shares_passed() -> None:
    text = model_card.model_card(made())
    assert "\n- 240 candidate rows were generated;" in text, "six batches of 40 were; what came from logs was not"
    results = model_card.metadata(made())["model-index"][0]["results"]
    heldout: dict[str, Any] = next(one for one in results if one["dataset"]["split"] == "heldout")
    score = evidence_fixture.scorecard().models["candidate"].sets[SetName.HELDOUT]
    assert {one["type"]: one["value"] for one in heldout["metrics"]} == {
        "composite": score.composite,
        "accuracy": score.passed / 240,
    }
