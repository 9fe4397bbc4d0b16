"""The incumbent asked again, so that what it turns by itself is not laid at the candidate's door."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from runner.phases.common import Stopwatch, Task, base_model, graded, tasks
from runner.ports import Ports, Tree
from runner.records.score import GradedAnswer
from runner.rules.evaluation.assessment import ASSESSED
from runner.rules.evaluation.repeats import repeat_name
from runner.workspace import Inputs


def repeated(inputs: Inputs, ports: Ports, watch: Stopwatch) -> list[GradedAnswer]:
    """The incumbent's answers to every scenario that judges, once a repeat, whatever is remembered of it.

    An engine that decodes greedily differs from itself by how prompts stand together in a batch. So each repeat asks in
    other batches: the n-th in n + 1 calls, of every (n + 1)-th scenario, from the last to the first.
    """
    work = tasks(inputs, ASSESSED, robustness=False)
    adapter = inputs.workspace.incumbent.adapter
    model = base_model(inputs)
    if adapter is not None:
        files = inputs.artifacts.tree("incumbent").files
        model = replace(model, adapter=Tree({path: files[path] for path in files if path != "incumbent.json"}))
    found: list[GradedAnswer] = []
    for number in range(1, (inputs.workspace.params.assess.repeats or 1) + 1):
        for part in _parts(work, number + 1):
            rows, _ = graded(inputs, ports, watch, model=model, name=repeat_name(number), work=part, fresh=True)
            found += rows
    return found


def _parts(work: Sequence[Task], count: int) -> list[Sequence[Task]]:
    backwards = work[::-1]
    return [part for start in range(count) if (part := backwards[start::count])]
