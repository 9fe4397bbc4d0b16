"""Generations that learn from what the one before wrote: replace against accumulate, and what is said of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from runner.cli.simulate import simulate as command
from runner.edges.plots import collapse_png
from runner.edges.simulated import simulated_ports
from runner.edges.simulated_models import SimulatedModels
from runner.errors import RecordError
from runner.phases import collapse
from runner.ports import Model
from runner.records.collapse import Collapse, Line, ModelGeneration, Regime, Size
from runner.records.conversation import Conversation, last_user_text
from runner.records.dataset import Example
from runner.records.scenario import Origin, SetName
from runner.rules.data.collapse import apart, drawn, rare_labels, score, split, summary
from runner.rules.text.similarity import normal_text
from tests.flywheel_fixture import WEAK, fixture, user

SIZE = Size(rows=200, steps=10, generations=4, seed=3)


@pytest.fixture(scope="module")
def found() -> Collapse:
    space, values = fixture()
    rows = [*values["base-data"], *values["gold"]]
    return collapse.simulate(collapse.cluster_study(space, rows, SIZE), simulated_ports())


def test_both_regimes_start_from_the_same_model_and_accumulate_keeps_every_row(found: Collapse) -> None:
    replace, accumulate = found.lines
    assert (replace.regime, accumulate.regime) == (Regime.REPLACE, Regime.ACCUMULATE)
    assert replace.generations[0] == accumulate.generations[0]
    for line in found.lines:
        assert [one.number for one in line.generations] == [0, 1, 2, 3, 4]
    assert [one.rows for one in replace.generations[1:]] == [one.written for one in replace.generations[:-1]]
    grown = [found.real + sum(one.written for one in accumulate.generations[:n]) for n in range(5)]
    assert [one.rows for one in accumulate.generations] == grown


def test_what_replaces_its_data_loses_the_tails_that_accumulating_keeps(found: Collapse) -> None:
    """The simulated model writes splices of what it has seen, so it really cannot write what it no longer sees."""
    replace, accumulate = (line.generations for line in found.lines)
    tails = [one.tails for one in replace]
    assert tails == sorted(tails, reverse=True), "what is gone does not come back"
    assert tails[-1] < accumulate[-1].tails
    assert replace[-1].distinct < accumulate[-1].distinct
    assert "keeps more of the tails" in found.words
    assert set(found.rare_labels) <= set(WEAK)


def test_it_repeats(found: Collapse) -> None:
    space, values = fixture()
    rows = [*values["base-data"], *values["gold"]]
    again = collapse.simulate(collapse.cluster_study(space, rows, SIZE), simulated_ports())
    assert again == found
    assert collapse_png(again) == collapse_png(found)
    assert collapse_png(found).startswith(b"\x89PNG")


def test_a_study_has_no_dev_text_among_its_rows_and_no_synthetic_one() -> None:
    space, values = fixture()
    stolen = space.scenarios[SetName.DEV][0]
    rows = [
        *values["gold"],
        Example(id="stolen", capability=stolen.capability, input=stolen.input, answer=stolen.reference),
        Example(id="made", capability="login", input=user("made up"), answer="login", origin=Origin.SYNTHETIC),
    ]
    study = collapse.cluster_study(space, rows, SIZE)
    assert {row.id for row in study.real} == {row.id for row in values["gold"]}
    assert study.seed == 3
    assert collapse.cluster_study(space, rows, SIZE.model_copy(update={"seed": None})).seed == space.params.seed != 3
    with pytest.raises(RecordError, match="no real rows"):
        collapse.cluster_study(space, rows[-1:], SIZE)


def test_a_team_s_own_labelled_texts_are_split() -> None:
    space, _ = fixture()
    texts = [(f"text {n} of {label}", label) for label in ("One Label", "???") for n in range(8)]
    study = collapse.labelled_study(space, "own.csv", [*texts, texts[0]], SIZE)
    assert (len(study.real), len(study.dev)) == (12, 4)
    assert {row.capability for row in study.real} == {
        "one-label",
        next(r.capability for r in study.real if "label-" in r.capability),
    }
    assert not {last_user_text(row.input) for row in study.real} & {last_user_text(row.input) for row in study.dev}


class Mute(SimulatedModels):
    """Writes nothing."""

    def sample(
        self,
        model: Model,
        prompts: Sequence[Conversation],
        *,
        temperature: float,
        seed: int,
        max_new_tokens: int,
        top_p: float = 0.95,
    ) -> tuple[str, ...]:
        return tuple("" for _ in prompts)


def test_a_model_that_writes_nothing_ends_the_line_that_had_nothing_else() -> None:
    space, values = fixture()
    study = collapse.cluster_study(space, values["gold"], SIZE)
    found = collapse.simulate(study, changed(simulated_ports(), models=Mute()))
    assert [len(line.generations) for line in found.lines] == [1, 5]
    assert found.lines[0].generations[0].written == 0


class Counting(SimulatedModels):
    """Says how many steps each base was trained for."""

    def pretrain(self, examples: Sequence[Example], dev: Sequence[Example], **how: Any) -> Any:
        self.calls.append(f"{len(examples)} rows, {max(how['recipe'].steps)} steps")
        return super().pretrain(examples, dev, **how)


def test_every_generation_sees_each_of_its_rows_as_often() -> None:
    space, values = fixture()
    study = collapse.cluster_study(space, values["gold"], SIZE.model_copy(update={"generations": 2}))
    models = Counting()
    collapse.simulate(study, changed(simulated_ports(), models=models))
    said = [call for call in models.calls if "rows" in call]
    assert said == ["24 rows, 10 steps"] * 3 + ["48 rows, 20 steps", "72 rows, 30 steps"]


def rows(counts: dict[str, int]) -> list[Example]:
    return [
        Example(id=f"{name}-{n}", capability=name, input=user(f"{name} number {n}"), answer=name)
        for name, count in counts.items()
        for n in range(count)
    ]


@given(st.dictionaries(st.sampled_from("abcd"), st.integers(1, 40), min_size=1), st.integers(1, 60), st.integers(0, 5))
def test_fewer_rows_keep_every_label_and_repeat(counts: dict[str, int], wanted: int, seed: int) -> None:
    every = rows(counts)
    kept = drawn(every, wanted, seed=seed)
    assert kept == drawn(every, wanted, seed=seed)
    assert {row.capability for row in kept} == set(counts)
    assert len(kept) <= max(wanted, len(counts)) + len(counts)
    real, dev = split(every, seed=seed)
    assert sorted(row.id for row in [*real, *dev]) == sorted(row.id for row in every)
    assert {row.capability for row in real} == set(counts)


def test_a_text_stands_once_and_not_in_dev() -> None:
    every = [*rows({"a": 3}), *rows({"a": 1})]
    kept = apart(every, rows({"a": 1}))
    assert [row.id for row in kept] == ["a-1", "a-2"]
    assert all(normal_text(last_user_text(row.input)) != "a number 0" for row in kept)


def test_the_score_is_the_mean_over_labels() -> None:
    dev = rows({"a": 3, "b": 1})
    answers = ["A ", "a", "b", "b"]
    assert score(dev, answers) == pytest.approx((2 / 3 + 1) / 2)
    assert score(dev, answers, among=["b"]) == 1.0
    assert score(dev, answers, among=[]) is None
    assert rare_labels(rows({"a": 10, "b": 12, "c": 2})) == ("c",)


def line(regime: Regime, *figures: tuple[float, float]) -> Line:
    made = [
        ModelGeneration(number=n, rows=9, score=s, rare_score=None, written=9, tails=t, distinct=0.5)
        for n, (s, t) in enumerate(figures)
    ]
    return Line(regime=regime, generations=tuple(made))


def test_the_words_say_what_came_out_also_where_it_is_not_what_one_expects() -> None:
    start = (0.8, 0.5)
    usual = summary([line(Regime.REPLACE, start, (0.5, 0.1)), line(Regime.ACCUMULATE, start, (0.7, 0.4))])
    assert "from 0.800 to 0.500" in usual
    assert "answers more rightly, by 0.200" in usual
    odd = summary([line(Regime.REPLACE, start, (0.8, 0.4)), line(Regime.ACCUMULATE, start, (0.7, 0.4))])
    assert "no advantage in score (-0.100)" in odd
    assert "no advantage in tails (+0.000)" in odd


def test_the_command_prints_figures_or_json_and_draws(
    found: Collapse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Size] = []

    def fake(directory: Path, cluster: str, size: Size, **how: object) -> Collapse:
        asked.append(size)
        return found

    monkeypatch.setattr("runner.cli.simulate.flywheel.collapse", fake)
    shown = CliRunner().invoke(command, ["collapse", "desk", "--plot", str(tmp_path / "x.png")])
    assert shown.exit_code == 0, shown.output
    assert "accumulate" in shown.output
    assert found.words.split(".")[0][:40] in shown.output
    assert asked == [Size(generations=4, rows=500, steps=250)]
    machine = CliRunner().invoke(command, ["collapse", "desk", "--json", "--generations", "2"])
    assert Collapse.model_validate(json.loads(machine.stdout)) == found
    assert asked[-1].generations == 2
