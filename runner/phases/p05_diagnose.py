"""Phase 5, diagnose: what fails, grouped so that each group has one thing to fix.

It reads core's answers and the unique signals. The other sets' answers are another artifact, which it is not handed.
"""

from __future__ import annotations

from runner.ports import Output, Ports
from runner.records.scenario import SetName
from runner.records.score import GradedAnswer
from runner.records.trace import UniqueSignal
from runner.rules.evaluation.scoring import grades_by_set
from runner.rules.loop.diagnosis import diagnose
from runner.workspace import Inputs


def run(inputs: Inputs, ports: Ports) -> Output:
    """Writes `diagnosis`, of the incumbent."""
    space = inputs.workspace
    rows = inputs.artifacts.rows("core-answers", GradedAnswer)
    found = diagnose(
        space.cluster,
        core=space.scenarios[SetName.CORE],
        grades=grades_by_set(rows, "incumbent").get(SetName.CORE, []),
        signals=inputs.artifacts.rows("unique", UniqueSignal),
        rubrics=space.rubrics,
        knobs=space.params.diagnose,
    )
    return Output({"diagnosis": found}, measured={"compute_s": 0.0})
