"""What people answered on failed production signals: human rows, one batch for each target."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from runner.records.conversation import last_user_text
from runner.records.dataset import Candidate, Channel, Example, Generator
from runner.records.failure import FailureCluster
from runner.records.funnel import FunnelStep
from runner.records.scenario import Origin
from runner.records.trace import UniqueSignal
from runner.rules.data.domain_rules import binding, breach
from runner.rules.data.expansion import Dropped, Made, batch, batch_id
from runner.rules.data.novelty import DUPLICATE
from runner.rules.loop.diagnosis import Answerbook
from runner.rules.naming import content_id
from runner.rules.text.conversations import said, without_system
from runner.workspace import Inputs


def logged(
    inputs: Inputs, targets: Sequence[FailureCluster], signals: Mapping[str, UniqueSignal], book: Answerbook
) -> list[Made]:
    """The targets' answered signals, each message and answer once over all targets."""
    seen: set[str] = set()
    made = []
    for target in targets:
        found = _batch(inputs, target, [signals[name] for name in target.signals], book, seen)
        seen |= {row.example.id for row in found.rows}
        made.append(found)
    return made


def _batch(
    inputs: Inputs, target: FailureCluster, signals: Sequence[UniqueSignal], book: Answerbook, seen: Collection[str]
) -> Made:
    name = batch_id(target.id, Channel.LOG)
    rules = binding(inputs.workspace.cluster.domain_rules, target.capability)
    rows: dict[str, Candidate] = {}
    dropped: list[Dropped] = []
    for one in signals:
        trace = one.signal.trace
        answer, found = trace.feedback.correct_answer, without_system(trace.input)
        text = last_user_text(found)
        if not answer or not found:
            dropped.append(Dropped(text, "unanswered"))
            continue
        right = book.canonical(answer)
        key = content_id("cand", [Channel.LOG, said(found), right])
        if broken := breach(rules, text=text, answer=right):
            dropped.append(Dropped(text, broken.rule, broken.reason, FunnelStep.RULED))
        elif key in seen or key in rows:
            dropped.append(Dropped(text, DUPLICATE, "people answered the same before", FunnelStep.NOVEL))
        else:
            example = Example(id=key, capability=target.capability, input=found, answer=right, origin=Origin.HUMAN)
            rows[key] = Candidate(example=example, batch=name, parents=(one.signal.id,))
    return batch(
        name,
        target=target.id,
        capability=target.capability,
        channel=Channel.LOG,
        generator=Generator(name="production-traces", version="1", sha256=inputs.artifacts.digest("unique")),
        parameters={"failed": True, "answered": True},
        seed=inputs.workspace.params.seed,
        parents=[row.parents[0] for row in rows.values()],
        rows=list(rows.values()),
        dropped=dropped,
    )
