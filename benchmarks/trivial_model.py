"""`hallmark evaluate` with a model that takes no time: what is left is Hallmark.

    python -m benchmarks.trivial_model WORKSPACE CLUSTER

Loads and checks the workspace, asks the model every scenario of core, grades, scores and writes the log, as the
command does; only the model is another. `benchmarks/evaluation.py` runs it as a process.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runner.edges.simulated_models import SimulatedModels
from runner.ports import Answers, Model
from runner.records.conversation import Conversation
from runner.records.evaluation import StageName
from runner.wiring import evaluate


class Trivial(SimulatedModels):
    """Gives everything the same answer."""

    def answer(self, model: Model, prompts: Sequence[Conversation], **how: Any) -> Answers:
        return Answers(("trivial",) * len(prompts), (1,) * len(prompts))


def main(workspace: str, cluster: str) -> None:
    kept = evaluate.evaluate(
        Path(workspace), cluster, model="base", stages=(StageName.CORE,), models=Trivial(), cached=False
    )
    print(kept.run.sets["core"].scenarios)


if __name__ == "__main__":
    main(*sys.argv[1:])
