"""Generations of a tiny base that learn from what the one before them wrote: replace against accumulate.

This is no phase of the flywheel. It shows a team on its own data what the human floor and the growing pool prevent:
models that replace their data by their own output forget its tails first (Shumailov et al., Nature 631, 2024), and
those that keep the real data beside it do not (Gerstgrasser et al., 2024, arXiv 2404.01413).

Each generation is pre-trained from scratch with the same recipe, and sees each of its rows as often as the first one
saw the real rows. It writes one text for the label of each real row, drawn as phase 7 draws candidates, and nothing
that it wrote is filtered or looked at by a person: that is what the flywheel adds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.errors import RecordError
from runner.ports import Model, Ports, Tree
from runner.records.cluster import TinyBase
from runner.records.collapse import Collapse, Line, ModelGeneration, Regime, Size
from runner.records.conversation import Message, Role, last_user_text
from runner.records.dataset import Example
from runner.records.params import BaseRecipe
from runner.records.scenario import Origin, SetName
from runner.rules.canonical import digest
from runner.rules.data.collapse import apart, drawn, rare_labels, score, split, summary, written_row
from runner.rules.data.diversity import distinct
from runner.rules.data.tail_coverage import ngrams_kept, rare_ngrams
from runner.rules.naming import slug
from runner.rules.text.conversations import generation_prompt, scenario_example, with_instruction
from runner.rules.text.similarity import words
from runner.workspace import Workspace

DIGITS = 9
LONGEST = 48
"""Tokens of a written text at most."""
ANSWER = 16
"""Tokens of an answer at most."""
REVERSED = 0.5
"""The least share of rows shown as `label -> text`: without any, a model could write nothing for a label."""


@dataclass(frozen=True)
class Study:
    """What both regimes have in common."""

    data: str
    real: Sequence[Example]
    dev: Sequence[Example]
    recipe: BaseRecipe
    instruction: str = ""
    seed: int = 7
    threads: int = 2
    generations: int = 4
    temperature: float = 0.9

    @property
    def steps(self) -> int:
        return max(self.recipe.steps)


def cluster_study(space: Workspace, rows: Sequence[Example], size: Size) -> Study:
    """The cluster's human `rows` (base and gold) against its dev scenarios. Raises `RecordError` for no rows."""
    dev = [scenario_example(scenario) for scenario in space.scenarios[SetName.DEV]]
    human = [row for row in rows if row.origin is Origin.HUMAN]
    return _study(space, f"{space.cluster.id}, base and gold", apart(human, dev), dev, size)


def labelled_study(space: Workspace, data: str, rows: Sequence[tuple[str, str]], size: Size) -> Study:
    """Labelled texts of a team's own, (text, label), a quarter of each label held back to score on. The recipe is that
    of the cluster's base. Raises `RecordError` for no rows."""
    found = [
        Example(
            id=f"row-{number}",
            capability=slug(label) or f"label-{digest(label)[:8]}",
            input=(Message(role=Role.USER, content=text),),
            answer=label,
        )
        for number, (text, label) in enumerate(rows, start=1)
    ]
    real, dev = split(apart(found, ()), seed=_seed(space, size))
    return _study(space, data, real, dev, size)


def _seed(space: Workspace, size: Size) -> int:
    return space.params.seed if size.seed is None else size.seed


def _study(space: Workspace, data: str, real: Sequence[Example], dev: Sequence[Example], size: Size) -> Study:
    if not real:
        raise RecordError("there are no real rows", path=data, hint="give rows that do not stand in the dev set")
    seed = _seed(space, size)
    return Study(
        data=data,
        real=drawn(real, size.rows, seed=seed),
        dev=dev,
        recipe=space.params.base.model_copy(update={"steps": (size.steps,)}),
        instruction=space.cluster.instruction,
        seed=seed,
        threads=space.params.threads,
        generations=size.generations,
        temperature=space.params.expand.temperature,
    )


@dataclass(frozen=True)
class _Made:
    """A generation's figures, and what it wrote."""

    figures: ModelGeneration
    written: tuple[Example, ...]


def simulate(study: Study, ports: Ports) -> Collapse:
    """Both regimes to the last generation. `ports.progress` is told of each; the same study gives the same figures."""
    rare = rare_ngrams(last_user_text(row.input) for row in study.real)
    total = 1 + len(Regime) * study.generations
    ports.progress("generation 0: the real rows", 0.0)
    first = _generation(study, ports, 0, rows=study.real, rare=rare)
    lines, done = [], 1
    for regime in Regime:
        made = [first]
        for number in range(1, study.generations + 1):
            ports.progress(f"{regime}: generation {number} of {study.generations}", done / total)
            before = made[-1].written if regime is Regime.REPLACE else [row for one in made for row in one.written]
            rows = [*before] if regime is Regime.REPLACE else [*study.real, *before]
            if not rows:
                break  # the one before it wrote nothing: there is no next
            made.append(_generation(study, ports, number, rows=rows, rare=rare))
            done += 1
        lines.append(Line(regime=regime, generations=tuple(one.figures for one in made)))
    return Collapse(
        data=study.data,
        seed=study.seed,
        steps=study.steps,
        real=len(study.real),
        dev=len(study.dev),
        rare_ngrams=len(rare),
        rare_labels=rare_labels(study.real),
        lines=tuple(lines),
        words=summary(lines),
    )


def _generation(study: Study, ports: Ports, number: int, *, rows: Sequence[Example], rare: frozenset[str]) -> _Made:
    """Train on `rows`, answer the real dev rows, and write a text for each real row's label."""
    recipe = study.recipe.model_copy(update={"reversed_share": max(REVERSED, study.recipe.reversed_share)})
    trained = ports.models.pretrain(
        rows,
        (),
        instruction=study.instruction,
        recipe=recipe.model_copy(update={"steps": (round(study.steps * len(rows) / len(study.real)) or 1,)}),
        seed=study.seed + number,
        threads=study.threads,
    )
    model = Model(TinyBase(kind="tiny"), Tree(dict(trained.weights.files)))
    asked = [with_instruction(row.input, study.instruction) for row in study.dev]
    answers = ports.models.answer(model, asked, max_new_tokens=ANSWER).texts
    prompts = [generation_prompt(row.answer) for row in study.real]
    texts = ports.models.sample(
        model, prompts, temperature=study.temperature, seed=study.seed + number, max_new_tokens=LONGEST
    )
    written = tuple(
        written_row(row, text, generation=number) for row, text in zip(study.real, texts, strict=True) if words(text)
    )
    said = [last_user_text(row.input) for row in written]
    figures = ModelGeneration(
        number=number,
        rows=len(rows),
        score=score(study.dev, answers) or 0.0,
        rare_score=score(study.dev, answers, among=rare_labels(study.real)),
        written=len(written),
        tails=ngrams_kept(rare, said),
        distinct=round(distinct([words(text) for text in said], 2), DIGITS),
    )
    return _Made(figures, written)
