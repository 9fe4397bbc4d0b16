"""When what serves falls under a threshold, the program proposes the way back by itself. People still sign it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pydantic import ValidationError

from runner.errors import RecordError
from runner.ports_promotion import Repository
from runner.promotion.gather import read_before
from runner.promotion.propose import Staging
from runner.promotion.rollback import rollback_to
from runner.promotion.sources import Sources
from runner.records.base import Record
from runner.records.evidence import RollbackTrigger
from runner.records.gated import Gated
from runner.records.scenario import SetName
from runner.records.score import Baseline, ModelScores, Scorecard
from runner.records.traffic import TrafficResult
from runner.rules.canonical import sha256
from runner.rules.trust.facts import Before
from runner.rules.trust.traffic_results import agreement_below, read_results

KINDS: tuple[type[Baseline | Scorecard], ...] = (Baseline, Scorecard)


@dataclass(frozen=True)
class Watched:
    """What the results say of the adapter that serves, and what to do about it."""

    below: tuple[str, ...] = ()
    """Every threshold that it is under; none where it holds them."""
    staging: Staging | None = None
    """The rollback to propose; none where there is nothing to do."""
    branch: str = ""
    """Where this rollback is proposed already."""


def rollback_if_below(
    sources: Sources, repository: Repository, main: str, cluster: str, *, results: bytes, path: str, remote: str | None
) -> Watched:
    """Judge the adapter that serves by `results`, and stage the way back if it is under a threshold.

    `results` is a later iteration's `baseline.json` or a scorecard, of which the incumbent is judged on core and
    held-out, or a file of results on traffic. Raises `RecordError` where it says nothing of the adapter that serves.
    """
    before = read_before(sources, main, cluster)
    serving = before.incumbent.adapter
    if serving is None:
        raise RecordError(f"{cluster} serves no adapter", hint="there is nothing to roll back")
    below = fallen(before, results, path=path)
    if not below:
        return Watched()
    name = path.rpartition("/")[2] or "results"
    trigger = RollbackTrigger(adapter=serving, file=name, sha256=sha256(results), below=below)
    why = f"{name} (sha256 {trigger.sha256[:16]}…): {'; '.join(below)}"
    staging = rollback_to(sources, main, cluster, why=why, trigger=trigger)
    there = repository.remote_ref(remote, staging.branch) if remote else repository.resolve(staging.branch)
    return Watched(below, branch=staging.branch) if there else Watched(below, staging)


def fallen(before: Before, results: bytes, *, path: str) -> tuple[str, ...]:
    """Every threshold of the cluster under which the serving adapter is in `results`."""
    serving = before.incumbent.adapter or ""
    scores = _assessed(results, path=path)
    if scores is None:
        return _on_traffic(before.cluster, read_results(results, path=path), serving, path=path)
    mine = next((one for one in scores.models.values() if one.adapter == serving), None)
    if mine is None:
        problem = f"it has no scores of the serving adapter {serving[:12]}…"
        raise RecordError(problem, path=path, hint="evaluate what serves now")
    return _on_benchmark(before.cluster, mine)


def _assessed(results: bytes, *, path: str) -> Baseline | Scorecard | None:
    """The baseline or scorecard in a JSON document; None where it is not one document with `models`."""
    try:
        document = json.loads(results)
    except ValueError:
        return None
    if not isinstance(document, dict) or "models" not in document:
        return None
    kind: type[Record] = Scorecard if "comparisons" in document else Baseline
    try:
        found = kind.model_validate(document)
    except ValidationError as error:
        raise RecordError(error.errors()[0]["msg"], path=path) from error
    return found if isinstance(found, KINDS) else None


def _on_benchmark(cluster: Gated, mine: ModelScores) -> tuple[str, ...]:
    floors = cluster.gate.thresholds
    return tuple(
        f"composite {score.composite:.4f} on {name} is below {floor:.4f}"
        for name, floor in ((SetName.CORE, floors.composite), (SetName.HELDOUT, floors.heldout))
        if (score := mine.sets.get(name)) is not None and score.composite < floor
    )


def _on_traffic(cluster: Gated, results: tuple[TrafficResult, ...], serving: str, *, path: str) -> tuple[str, ...]:
    limits = cluster.stages.production
    return tuple(agreement_below(results, cluster.gate, limits, adapter=serving, path=path))
