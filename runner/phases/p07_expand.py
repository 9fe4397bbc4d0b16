"""Phase 7, expand: candidates for the targets, in batches that each say how they were made.

- `log`: what people answered on failed production signals; human rows, one batch for each target.
- What each generator that `params.yaml` names (`expand.generators`) writes: one batch for each capability, named after
  its most urgent target. Where it names none, the class-conditional base and perturbation do.

Every batch has its funnel: rows that cannot be read, break a domain rule, are no news or are not answered with their
label become no candidates, and are kept beside with their cause. Prompts show gold, log and failed core rows alone.
"""

from __future__ import annotations

from runner.phases.channels.log import logged
from runner.phases.channels.task import task_of
from runner.phases.channels.written import Bench, written
from runner.phases.common import Stopwatch
from runner.ports import Output, Ports
from runner.records.dataset import Example
from runner.records.diversity import DiversityLimits
from runner.records.failure import Diagnosis
from runner.records.generation import DEFAULT
from runner.records.scenario import SetName
from runner.records.trace import UniqueSignal
from runner.rules.data.leakage import FrozenTexts
from runner.rules.data.novelty import Novelty
from runner.rules.loop.diagnosis import answerbook
from runner.workspace import Inputs


def run(inputs: Inputs, ports: Ports) -> Output:
    """Writes `batches`, `candidates` and `rejected`. A target for which nothing was written has no batch."""
    space, watch = inputs.workspace, Stopwatch(ports)
    core = space.scenarios[SetName.CORE]
    diagnosis = inputs.artifacts.record("diagnosis", Diagnosis)
    by_id = {one.id: one for one in diagnosis.failures}
    targets = [by_id[name] for name in diagnosis.targets]
    book = answerbook(space.cluster, core, space.rubrics)
    signals = {one.signal.id: one for one in inputs.artifacts.rows("unique", UniqueSignal)}

    made = logged(inputs, targets, signals, book)
    log = [row for one in made for row in one.rows]
    task = task_of(inputs, ports, watch, targets=targets, log=log, book=book)
    human = [*inputs.artifacts.rows("gold", Example), *(row.example for row in log)]
    limits = space.cluster.diversity or DiversityLimits()
    novelty = Novelty(human, frozen=FrozenTexts(core), threshold=limits.near_duplicate)
    bench = Bench(inputs, ports, watch, task, book, novelty)
    for choice in space.params.expand.generators or DEFAULT:
        made += written(bench, choice)

    candidates = {row.example.id: row for one in made for row in one.rows}
    return Output(
        {
            "batches": [one.batch for one in made if one.any],
            "candidates": list(candidates.values()),
            "rejected": [lost for one in made for lost in one.rejected],
        },
        measured=watch.measured,
    )
