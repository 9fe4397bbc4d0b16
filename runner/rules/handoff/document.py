"""The generated part of a hand-off: what somebody must know who takes a specialist over and was not there.

Sections in the order of the questions: why it exists, against what it was held, what it scored, what it learnt from,
what came before it, what may go wrong, how to make it again. What was measured comes last, so that the text before it
is the same wherever the iteration is repeated.
"""

from __future__ import annotations

from collections.abc import Callable

from runner.rules.handoff.benchmark import benchmark, result
from runner.rules.handoff.data import provenance, sweep, validation
from runner.rules.handoff.facts import Made
from runner.rules.handoff.standing import history, limitations, measured, problem, reproduce, rollback, triggers
from runner.rules.handoff.words import code, sentence

VERSION = 2
"""Of what is generated: the same version gives the same bytes. Whoever changes a word of it counts on."""
MARKER = "<!-- hallmark-handoff {version} -->"
SECTIONS: tuple[tuple[str, Callable[[Made], str]], ...] = (
    ("Problem", problem),
    ("Benchmark", benchmark),
    ("Result", result),
    ("Provenance", provenance),
    ("Validation of each batch", validation),
    ("Sweep and choice", sweep),
    ("Promotion history", history),
    ("Known limitations", limitations),
    ("When to run again", triggers),
    ("The way back", rollback),
    ("How to make it again", reproduce),
    ("Measured", measured),
)


def document(made: Made) -> str:
    """The generated part, as Markdown."""
    record = made.record
    parts = [
        MARKER.format(version=VERSION),
        f"# Hand-off of {made.target}",
        f"{sentence(made.background.cluster.title)} Cluster {code(record.cluster)}, promotion {record.sequence}, "
        f"iteration {code(record.run.iteration)}, adapter {code(record.adapter.sha256 if record.adapter else 'none')}. "
        "Made of the promotion's evidence; the gate makes it again and refuses other words.",
    ]
    for name, section in SECTIONS:
        parts += [f"## {name}", section(made)]
    return "\n\n".join(parts) + "\n"
