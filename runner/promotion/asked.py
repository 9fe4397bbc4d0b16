"""What a cluster's `gate.significance` makes the gate read beside the usual: few clusters ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.promotion.sources import SETS, Sources
from runner.records.cluster import Problem
from runner.records.gated import GateLimits
from runner.records.scenario import Scenario
from runner.records.terms import OutcomeType, SetName
from runner.rules.evaluation.assessment import RealOnlyRecord


def asked(sources: Sources, commit: str, cluster: str, gate: GateLimits) -> dict[str, Any]:
    """The fields of `facts.Before` that the cluster's policy asks for. Raises `RecordError` for a file that cannot be
    read."""
    policy = gate.significance
    found: dict[str, Any] = {}
    if policy is not None and policy.min_outcome_share:
        found["outcome_types"] = _outcome_types(sources, commit, cluster)
    if policy is not None and policy.real_only == "refuse":
        found["real_only"] = _real_only(sources, commit, cluster)
    return found


def _outcome_types(sources: Sources, commit: str, cluster: str) -> Mapping[tuple[SetName, str], OutcomeType]:
    files = {path: file.blob for path, file in sources.objects.files(commit, f"scenarios/{cluster}").items()}
    read = sources.objects.blobs(list(dict.fromkeys(files.values())))
    found = {}
    for path, blob in files.items():
        _, _, name, *rest = path.split("/")
        if name in SETS and path.endswith(".yaml"):
            said = sources.parse(read[blob], Scenario, path=path)
            found[SETS[name], "/".join(rest).removesuffix(".yaml")] = said.outcome_type
    return found


def _real_only(sources: Sources, commit: str, cluster: str) -> RealOnlyRecord:
    problem = sources.record(commit, f"clusters/{cluster}/problem.md", Problem)
    return RealOnlyRecord(problem.metric.value, problem.real_only_baseline.value)
