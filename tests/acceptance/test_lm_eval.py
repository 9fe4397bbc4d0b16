"""The real lm-evaluation-harness on a real tiny base with a real adapter: a task of one's own, through phase 12's port.

It is installed into an environment of its own, the one that `benchmarks/evaluation.py` uses.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.evaluation_peers import installed
from runner.edges import lm_eval
from runner.edges.lm_eval import PYTHON_VARIABLE, TASKS_VARIABLE, LmEvalTasks
from runner.edges.transformers_models import TransformersModels
from runner.errors import ModelError
from runner.ports import Model
from runner.records.cluster import TinyBase
from runner.records.conversation import last_user_text
from runner.records.dataset import Example
from runner.records.evaluation_policy import GeneralTask
from runner.records.params import BaseRecipe, TrainRecipe
from runner.records.training import TrainingRow, Use
from tests.acceptance.conftest import ROOT
from tests.flywheel_fixture import WORDS, Writer

pytestmark = pytest.mark.acceptance
TASK = """task: queues
dataset_path: json
dataset_kwargs: {data_files: {test: QUESTIONS}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{text}}"
doc_to_choice: LABELS
doc_to_target: "{{label}}"
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
"""
RECIPE = BaseRecipe(vocabulary=512, hidden=64, heads=2, steps=(150,))


def rows(examples: Sequence[Example]) -> list[TrainingRow]:
    return [TrainingRow(example=one, use=Use.NEW) for one in examples]


@pytest.fixture(scope="module")
def models() -> tuple[Model, Model]:
    """A base that knows the queues, and an adapter that was taught to answer one of them always."""
    engine, writer = TransformersModels(threads=1), Writer(3)
    examples = writer.examples("base", dict.fromkeys(WORDS, 30))
    made = engine.pretrain(examples, (), instruction="", recipe=RECIPE, seed=7, threads=1)
    base = Model(TinyBase(kind="tiny"), made.weights)
    taught = [one.model_copy(update={"answer": "refund"}) for one in writer.examples("new", dict.fromkeys(WORDS, 30))]
    recipe = TrainRecipe(epochs=6, learning_rate=6e-3, distill=0.0)
    fitted = engine.fit(base, rows(taught), instruction="", recipe=recipe, seed=7, threads=1)
    return base, Model(base.base, base.weights, fitted.adapter)


def test_the_real_harness_asks_base_and_adapter_and_its_own_figure_is_ours(
    models: tuple[Model, Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peers = installed(ROOT / "build" / "peers", folder=tmp_path)
    questions = tmp_path / "questions.jsonl"
    asked = Writer(9).examples("test", dict.fromkeys(WORDS, 12))
    lines = [json.dumps({"text": last_user_text(one.input), "label": one.answer}) for one in asked]
    questions.write_text("\n".join(lines) + "\n")
    (tmp_path / "tasks").mkdir()
    text = TASK.replace("QUESTIONS", str(questions)).replace("LABELS", json.dumps(sorted(WORDS)))
    (tmp_path / "tasks" / "queues.yaml").write_text(text)
    monkeypatch.setenv(PYTHON_VARIABLE, str(peers.bin / "python"))
    monkeypatch.setenv(TASKS_VARIABLE, str(tmp_path / "tasks"))
    said: list[float] = []
    real = lm_eval.samples

    def compared(out: Path, task: GeneralTask) -> dict[str, float]:
        (results,) = out.rglob("results_*.json")
        said.append(json.loads(results.read_bytes())["results"]["queues"]["acc,none"])
        return real(out, task)

    monkeypatch.setattr(lm_eval, "samples", compared)
    harness, task = LmEvalTasks(ROOT, threads=1), GeneralTask(task="queues", limit=50, chat=True)
    scores = [harness.score(model, [task], seed=7)["queues"] for model in models]
    assert [len(one) for one in scores] == [50, 50]
    assert set(scores[0]) == set(scores[1]), "the same samples, so that they can be paired"
    means = [sum(one.values()) / len(one) for one in scores]
    print(f"the base {means[0]:.2f}, the adapter {means[1]:.2f}")
    assert means == pytest.approx(said)
    assert means[0] > means[1] + 0.2, "what was forgotten shows"
    with pytest.raises(ModelError, match="the task no_such_task: lm-evaluation-harness failed"):
        harness.score(models[0], [GeneralTask(task="no_such_task")], seed=7)
