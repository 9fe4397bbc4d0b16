"""Settings to what `hallmark why` looks through: the lineages of promotions, or of one run branch."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.errors import RecordError
from runner.ports import Reader
from runner.records.base import SLUG
from runner.records.evidence import EvidenceFile
from runner.records.lineage import Lineage
from runner.rules.loop.lineage import find
from runner.wiring import flywheel
from runner.wiring.evidence import promoted, read_record, run_branch, sequences

PROMOTION = re.compile(rf"(?P<cluster>{SLUG})/0*(?P<sequence>[0-9]+)\Z")


@dataclass(frozen=True)
class Evidence:
    """A lineage, and where it stands."""

    source: str
    cluster: str
    sequence: int | None
    adapter: str
    lineage: Lineage


def locate(artifact: str, *, cluster: str, iteration: str, directory: Path) -> tuple[Evidence, str]:
    """The evidence that has the artifact, and the artifact's id in it. Raises `RecordError` with the nearest ids."""
    match = PROMOTION.match(artifact)
    sources = lineages(directory, cluster=match["cluster"] if match else cluster, iteration=iteration)
    if not sources:
        hint = "name a run with --iteration" if not iteration else "is its run branch fetched?"
        raise RecordError("there is no lineage to look through", path=str(directory), hint=hint)
    if match:
        return _of_promotion(sources, int(match["sequence"]), artifact)
    for one in sources:
        try:
            return one, find(one.lineage, artifact).id
        except RecordError:
            continue
    everything = Lineage(nodes=tuple({node.id: node for one in sources for node in one.lineage.nodes}.values()))
    return sources[0], find(everything, artifact).id


def _of_promotion(sources: Sequence[Evidence], sequence: int, artifact: str) -> tuple[Evidence, str]:
    for one in sources:
        if one.sequence == sequence and one.adapter:
            return one, one.adapter
    known = ", ".join(f"{one.cluster}/{one.sequence}" for one in sources if one.sequence)
    raise RecordError(f"no lineage for promotion {artifact}", hint=f"promotions that have one: {known or 'none'}")


def lineages(directory: Path, *, cluster: str = "", iteration: str = "") -> list[Evidence]:
    """Every lineage to look through, newest promotion first; with `iteration`, that of its run branch alone."""
    reader = flywheel.reader(directory)
    names = (cluster,) if cluster else flywheel.cluster_names(directory)
    found = []
    for name in names:
        sources: list[tuple[Reader, str, int | None]] = []
        if iteration:
            run = run_branch(directory, name, iteration)
            sources += [(run, f"clusters/{name}/run/bundle/", None)] if run else []
        else:
            sources += [(*promoted(reader, name, number), number) for number in reversed(sequences(reader, name))]
        found += [_lineage(where, home, name, number) for where, home, number in sources if _has_lineage(where, home)]
    return found


def _has_lineage(reader: Reader, home: str) -> bool:
    return home + EvidenceFile.LINEAGE in reader.paths(home)


def _lineage(reader: Reader, home: str, cluster: str, sequence: int | None) -> Evidence:
    lineage = read_record(reader, home + EvidenceFile.LINEAGE, Lineage)
    adapters = [node.id for node in lineage.nodes if node.kind == "adapter"]
    adapter = adapters[0] if adapters else ""
    if len(adapters) > 1 and home + EvidenceFile.SCORECARD in reader.paths(home):
        card = json.loads(reader.read(home + EvidenceFile.SCORECARD))
        adapter = card.get("models", {}).get("candidate", {}).get("adapter") or adapter
    source = f"promotion {cluster}/{sequence}" if sequence else f"iteration on {reader.name}"
    return Evidence(source, cluster, sequence, adapter, lineage)
