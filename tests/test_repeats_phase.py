"""Phase 12 asks the incumbent again: what it turns by itself is counted, and too much of it is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from runner.edges.simulated import simulated_ports
from runner.edges.simulated_models import SimulatedModels
from runner.ports import Answers
from runner.records.conversation import Conversation
from runner.records.verdict import Outcome
from runner.rules.evaluation.repeats import repeat_name
from tests.flywheel_fixture import digests, fixture
from tests.test_phases import run_all


class Unsteady(SimulatedModels):
    """Says something else to one in `every` prompts that it is asked afresh; never, for 0."""

    def __init__(self, every: int = 0) -> None:
        super().__init__()
        self.every, self.asked = every, 0
        self.fresh: list[Sequence[Conversation]] = []

    def answer(self, model: Any, prompts: Sequence[Conversation], **how: Any) -> Answers:
        found = super().answer(model, prompts, **how)
        if not how.get("fresh"):
            return found
        self.fresh.append(prompts)
        texts = []
        for text in found.texts:
            self.asked += 1
            texts.append("sizing" if self.every and self.asked % self.every == 0 else text)
        return replace(found, texts=tuple(texts))


def assess(every: int, repeats: int | None = None) -> tuple[Any, Any, Unsteady]:
    """The assessment's verdict and artifacts of the small desk, with a model as unsteady as that."""
    space, values = fixture()
    params = space.params.model_copy(update={"assess": space.params.assess.model_copy(update={"repeats": repeats})})
    space = replace(space, params=params)
    space = replace(space, digests=digests(space))
    models = Unsteady(every)
    outputs = run_all(space, values, replace(simulated_ports(), models=models), upto="assess")
    return outputs["assess"].verdict, values, models


@pytest.fixture(scope="module")
def steady() -> tuple[Any, Any, Unsteady]:
    return assess(0, repeats=2)


def test_a_repeat_asks_everything_again_in_other_batches(steady: tuple[Any, Any, Unsteady]) -> None:
    verdict, values, models = steady
    assert verdict.outcome is Outcome.PASS
    assert (values["scorecard"].repeats.runs, values["scorecard"].repeats.flipped) == (2, 0)
    asked = [sorted(message.content for prompt in part for message in prompt) for part in models.fresh]
    assert len(asked) >= 5, "two calls of the first repeat, three of the second"
    assert sorted(asked[0] + asked[1]) == sorted(asked[2] + asked[3] + asked[4])
    named = {row.model for row in values["answers"]}
    assert {repeat_name(1), repeat_name(2)} <= named
    assert not any(row.model == "incumbent" for row in values["answers"])


def test_an_incumbent_that_differs_from_itself_is_no_baseline() -> None:
    verdict, values, _ = assess(every=5)
    card = values["scorecard"]
    assert card.repeats.runs == 1
    assert card.repeats.share > 0.05
    assert verdict.outcome is Outcome.REFUSE
    assert [reason.step for reason in verdict.reasons] == ["baseline"]
    assert {one.tier for one in card.comparisons if one.against == "incumbent"} == {"unreliable baseline"}
    assert set(card.regressions.scenarios).isdisjoint(card.regressions.flipping)
