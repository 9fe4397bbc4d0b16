"""The stage `base`, before phase 4: pre-train the tiny base, or pin the base that was named."""

from __future__ import annotations

from runner.errors import RecordError
from runner.phases.common import Stopwatch
from runner.ports import Output, Ports, Tree
from runner.records.cluster import HubBase, PathBase, TinyBase
from runner.records.dataset import Example
from runner.records.scenario import SetName
from runner.records.training import BaseTraining
from runner.records.validation import Leak
from runner.rules.canonical import canonical
from runner.rules.text.conversations import scenario_example
from runner.workspace import Inputs

NAMED_FILE = "base.json"


def run(inputs: Inputs, ports: Ports) -> Output:
    """Writes `base` (a tiny base's files; `base.json` alone for a path or hub base) and `base-training`.

    Base rows that intake found in a frozen set are left out. The number of steps is chosen on dev.
    """
    base = inputs.workspace.cluster.base
    return _pretrain(inputs, ports) if isinstance(base, TinyBase) else _named(base)


def _named(base: PathBase | HubBase) -> Output:
    tree = Tree({NAMED_FILE: canonical(base) + b"\n"})
    record = BaseTraining(weights=tree.digest, parameters=0, steps=0, dev_by_steps={}, loss=())
    return Output({"base": tree, "base-training": record}, measured={"compute_s": 0.0})


def _pretrain(inputs: Inputs, ports: Ports) -> Output:
    space, watch = inputs.workspace, Stopwatch(ports)
    examples = inputs.artifacts.rows("base-data", Example)
    if not examples:
        raise RecordError("there are no base rows to train on", path="data/base.jsonl", hint="add labelled examples")
    leaked = {leak.candidate for leak in inputs.artifacts.rows("leaks", Leak)} & {example.id for example in examples}
    made = watch.time(
        lambda: ports.models.pretrain(
            [example for example in examples if example.id not in leaked],
            [scenario_example(scenario) for scenario in space.scenarios[SetName.DEV]],
            instruction=space.cluster.instruction,
            recipe=space.params.base,
            seed=space.params.seed,
            threads=space.params.threads,
            progress=ports.progress,
        )
    )
    record = BaseTraining(
        weights=made.weights.digest,
        leaked=len(leaked),
        parameters=made.parameters,
        steps=made.steps,
        dev_by_steps={str(steps): value for steps, value in sorted(made.dev_by_steps.items())},
        loss=made.loss,
    )
    return Output({"base": made.weights, "base-training": record}, measured=watch.measured)
