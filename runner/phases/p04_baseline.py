"""Phase 4, baseline: what the base and the incumbent answer now, on every set and on core under perturbation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runner.phases.common import Stopwatch, base_model, graded, model_scores, tasks
from runner.ports import Output, Ports, Tree
from runner.records.base import Record
from runner.records.scenario import SetName
from runner.records.score import Baseline
from runner.records.terms import ASKED
from runner.workspace import Inputs

Made = dict[str, Record | Sequence[Record] | Tree]
BASE, INCUMBENT = "base", "incumbent"


def run(inputs: Inputs, ports: Ports) -> Output:
    """Writes `core-answers` (as written and perturbed), `dev-answers`, `baseline-answers` (the other sets) and
    `baseline`. Diagnosis is handed the first file, training the second, and neither of them the third.

    The incumbent is the base where nothing was promoted; its answers are then the base's, and asked for once.
    """
    watch = Stopwatch(ports)
    work = tasks(inputs, ASKED, robustness=True)
    base = base_model(inputs)
    rows, _ = graded(inputs, ports, watch, model=base, name=BASE, work=work)
    adapter = inputs.workspace.incumbent.adapter
    if adapter is not None:
        files = {
            path: data for path, data in inputs.artifacts.tree("incumbent").files.items() if path != "incumbent.json"
        }
        model = replace(base, adapter=Tree(files))
        more, _ = graded(inputs, ports, watch, model=model, name=INCUMBENT, work=work)
    else:
        more = [row.model_copy(update={"model": INCUMBENT}) for row in rows]
    everything = [*rows, *more]
    baseline = Baseline(
        models={
            BASE: model_scores(inputs, rows, BASE, adapter=None),
            INCUMBENT: model_scores(inputs, more, INCUMBENT, adapter=adapter),
        }
    )
    core, dev, others = (
        [row for row in everything if row.set in wanted]
        for wanted in ((SetName.CORE,), (SetName.DEV,), (SetName.HELDOUT, SetName.REPRESENTATIVE, SetName.GENERAL))
    )
    artifacts: Made = {"core-answers": core, "dev-answers": dev, "baseline-answers": others, "baseline": baseline}
    return Output(artifacts, measured=watch.measured)
