"""What an import says of the cluster that it made."""

from __future__ import annotations

import click

from runner.rules.data.new_cluster import NewCluster
from runner.rules.text.shown import shown

SHOWN = 5


def summary(made: NewCluster) -> dict[str, object]:
    """As one JSON value."""
    return {
        "cluster": made.cluster.id,
        "capabilities": len(made.cluster.capabilities),
        "scenarios": {str(name): len(found) for name, found in made.scenarios.items()},
        "examples": {part: len(rows) for part, rows in made.examples.items()},
        "traces": len(made.traces),
        "rubrics": [rubric.id for rubric in made.rubrics],
        "left_out": [row._asdict() for row in made.left_out],
        "thresholds": made.cluster.gate.thresholds.model_dump(),
        "real_only_baseline": made.problem.real_only_baseline.model_dump(),
        "import": made.record.model_dump(mode="json") if made.record is not None else None,
    }


def tell(made: NewCluster) -> None:
    """In words: what was made, what was left out, and what to review."""
    name = made.cluster.id
    scenarios = ", ".join(f"{len(found):,} {part}" for part, found in made.scenarios.items() if found)
    examples = ", ".join(f"{len(rows):,} {part}" for part, rows in made.examples.items()) or "no examples"
    _say(f"clusters/{name}: {len(made.cluster.capabilities):,} capabilities")
    _say(f"scenarios/{name}: {scenarios}")
    _say(f"clusters/{name}/data: {examples}, {len(made.traces):,} traces")
    _tell_record(made)
    for row in made.left_out[:SHOWN]:
        _say(f"left out of {row.part}: {row.file}:{row.line} (the same text stands in {row.kept_in})")
    if len(made.left_out) > SHOWN:
        _say(f"left out: {len(made.left_out):,} rows in all; --json lists them")
    floors, baseline = made.cluster.gate.thresholds, made.problem.real_only_baseline
    _say(f"to review: composite {floors.composite}, held-out {floors.heldout} in clusters/{name}/cluster.yaml")
    _say(f"to review: real-only baseline {baseline.value} in clusters/{name}/problem.md. {baseline.how}")
    _say("next: hallmark check, commit, hallmark iterate " + name)


def _tell_record(made: NewCluster) -> None:
    record = made.record
    if record is None:
        return
    for one in record.mapped:
        _say(f"mapped: {one.count:,} of {one.what} to {one.to}")
    for left in record.left_out:
        _say(f"left out: {left.count:,} of {left.what}: {left.why} ({', '.join(left.places)})")
    if record.kept_together:
        _say(f"kept together: {record.kept_together:,} texts say nearly what another one says")
    _say(f"the import's record: clusters/{made.cluster.id}/imports/{record.format}.yaml")


def _say(line: str) -> None:
    """Labels, fields and places are other people's text, which the terminal may not take for its own."""
    click.echo(shown(line))
