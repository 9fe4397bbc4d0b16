"""Whether a cluster's triggers can ever say anything, by what the cluster has."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from runner.records.cluster import Cluster
from runner.records.triggers import AgeTrigger, RealData, RealDataTrigger, ScoreDropTrigger, Trigger, trigger_name
from runner.rules.repository.fault import Fault

BRING = {
    RealData.GOLD: "import human rows: hallmark import labelled --help",
    RealData.SIGNALS: "bring production traces in: hallmark ingest {}",
}


def trigger_faults(cluster: Cluster, path: str, *, lacks: Callable[[str], bool]) -> Iterator[Fault]:
    """The faults of `triggers:` in the cluster.yaml at `path`. `lacks` says whether there is no file at a path."""
    seen: set[str] = set()
    ages = [one.days for one in cluster.triggers if isinstance(one, AgeTrigger)]
    for number, one in enumerate(cluster.triggers):
        name, field = trigger_name(one), f"triggers[{number}]"
        if name in seen:
            yield Fault(path, f"{field}.kind", f"the trigger {name} stands here twice", "keep one of the two")
        seen.add(name)
        data = _counts(one)
        if data is not None and lacks(f"clusters/{cluster.id}/data/{data}.jsonl.dvc"):
            problem = f"{name} counts data/{data}, and the cluster has none"
            yield Fault(path, f"{field}.kind", problem, BRING[data].format(cluster.id) + ", or remove the trigger")
        if isinstance(one, ScoreDropTrigger) and ages and min(ages) <= one.days:
            problem = f"it looks at {one.days} days without a new iteration, and age begins one every {min(ages)}"
            yield Fault(path, f"{field}.days", problem, f"look at fewer than {min(ages)} days, or let age wait longer")


def _counts(trigger: Trigger) -> RealData | None:
    """The data without which the trigger has nothing to judge."""
    if isinstance(trigger, RealDataTrigger):
        return trigger.of
    return RealData.SIGNALS if isinstance(trigger, ScoreDropTrigger) else None
