"""Phase 2, ingest: traces, redacted at the door, become signals with fingerprints. Nothing disappears."""

from __future__ import annotations

from collections import Counter

from runner.ports import Output, Ports
from runner.records.intake import IngestReport
from runner.records.scenario import SetName
from runner.records.trace import Trace
from runner.rules.grading import common_normalisation
from runner.rules.signals import signal
from runner.workspace import Inputs


def run(inputs: Inputs, ports: Ports) -> Output:
    """Writes `signals`, one per trace and in their order, and `ingest`. Answers are compared as core's rubric does."""
    traces = inputs.artifacts.rows("traces", Trace)
    steps = common_normalisation(inputs.workspace.scenarios[SetName.CORE], inputs.workspace.rubrics)
    signals = tuple(signal(trace, steps) for trace in traces)
    redactions: Counter[str] = Counter()
    for trace in traces:
        redactions.update(trace.redactions)
    report = IngestReport(
        read=len(traces),
        signals=len(signals),
        failed=sum(one.failed for one in signals),
        redactions=dict(sorted(redactions.items())),
    )
    return Output({"signals": signals, "ingest": report}, measured={"compute_s": 0.0})
