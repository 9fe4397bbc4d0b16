"""Phase 2, ingest: traces, redacted at the door, become signals with fingerprints. Nothing disappears.

The traces are gone through twice, to count them and to write them: they may be more than memory holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from runner.ports import Output, Ports, Streamed
from runner.records.intake import IngestReport
from runner.records.scenario import SetName
from runner.records.trace import Signal, Trace
from runner.rules.data.signals import signal
from runner.rules.evaluation.grading import common_normalisation
from runner.workspace import Inputs


def run(inputs: Inputs, ports: Ports) -> Output:
    """Writes `signals`, one per trace and in their order, and `ingest`. Answers are compared as core's rubric does."""
    steps = common_normalisation(inputs.workspace.scenarios[SetName.CORE], inputs.workspace.rubrics)

    def signals() -> Iterator[Signal]:
        return (signal(trace, steps) for trace in inputs.artifacts.stream("traces", Trace))

    read = failed = 0
    redactions: Counter[str] = Counter()
    for one in signals():
        read += 1
        failed += one.failed
        redactions.update(one.trace.redactions)
    report = IngestReport(read=read, signals=read, failed=failed, redactions=dict(sorted(redactions.items())))
    return Output({"signals": Streamed(signals, count=read), "ingest": report}, measured={"compute_s": 0.0})
