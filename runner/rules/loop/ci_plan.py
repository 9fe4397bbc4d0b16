"""Which clusters CI iterates after main moved from one commit to another, and why.

A cluster is iterated where intake would pin something else than before, where people decided on its candidates, where
the program changed, and where the ledger says that an earlier job did not get so far: its iteration was left in the
middle, or is pinned to what main no longer has. How a file is laid out pins nothing. What is promoted starts nothing: a
merged promotion is the end of an iteration.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from runner.records.cluster import Cluster
from runner.rules.repository.layout import PARAMS

SELF_HOSTED, GPU = ("self-hosted", "linux"), "gpu"
_OWN = re.compile(r"(?:scenarios|clusters)/(?P<cluster>[^/]+)/(?P<rest>.+)\Z")
_OUTPUT = re.compile(r"(?:promotions|run|evaluations|escalations)/|handoff\.md\Z")
"""Below a cluster's directory: what iterations and promotions leave there, and what people write about them."""
_DECIDED = re.compile(r"clusters/(?P<cluster>[^/]+)/triage/(?P<iteration>[^/]+?)(?:\.yaml\Z|/)")
_SHARED = re.compile(rf"rubrics/|policy/(?!approvals/)|{re.escape(PARAMS)}\Z")
_PROGRAM = re.compile(r"runner/|pyproject\.toml\Z|constraints[^/]*\.txt\Z|dvc\.yaml\Z")
ENDS = frozenset({"promoted"})
"""What promotions leave: it is pinned, and starts nothing."""
_WORDS = {
    "cluster": "cluster.yaml",
    "problem": "problem.md",
    "lock": "benchmark.lock",
    "params": f"its part of {PARAMS}",
    "policy": "the policy",
    "rubrics": "rubrics",
    "judges": "judges",
}


@dataclass(frozen=True)
class Inputs:
    """A cluster at one commit: the digest of each of its inputs by name, or why they cannot be read."""

    digests: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    pins: Mapping[str, str] = field(default_factory=dict)
    """What intake would pin: fewer names, over several inputs each."""


def concerned(paths: Iterable[str], clusters: Sequence[str]) -> frozenset[str]:
    """The clusters whose inputs may differ where these paths do: all of them, where what they share changes."""
    changed = list(paths)
    if any(_SHARED.match(path) for path in changed):
        return frozenset(clusters)
    own = (match for path in changed if (match := _OWN.match(path)))
    return frozenset(match["cluster"] for match in own if not _OUTPUT.match(match["rest"])) & frozenset(clusters)


def reasons(
    cluster: str, *, paths: Sequence[str], before: Inputs | None, after: Inputs | None, left: str = ""
) -> tuple[str, ...]:
    """Why the cluster is iterated; nothing where it is not.

    `before` and `after` are None where `concerned` does not name it, and `before` also where there was no such cluster;
    `left` is what the ledger says that an earlier job left undone; it is said where there is no other reason.
    """
    found = list(_changed(before, after)) if after is not None else []
    found += [f"people decided on the candidates of {name}" for name in decided(paths, cluster)]
    found += [f"the program changed: {', '.join(program(paths))}"] if program(paths) else []
    return tuple(found or ([left] if left else []))


def overtaken(iteration: str, pinned: Mapping[str, str], now: Inputs) -> str:
    """That the cluster's last iteration is pinned to what main no longer has, and to what; empty where it is not."""
    if now.problem:
        return ""
    names = sorted({*pinned, *now.pins} - ENDS)
    differ = [_words(name) for name in names if pinned.get(name) != now.pins.get(name)]
    return f"no iteration has begun with these yet, after {iteration}: {', '.join(differ)}" if differ else ""


def decided(paths: Iterable[str], cluster: str) -> tuple[str, ...]:
    """The iterations of the cluster of whose triage files came, sorted."""
    found = (match for path in paths if (match := _DECIDED.match(path)))
    return tuple(sorted({match["iteration"] for match in found if match["cluster"] == cluster}))


def program(paths: Iterable[str]) -> tuple[str, ...]:
    """What of the program changed: its files' top folders, its pins, its pipeline; sorted."""
    return tuple(sorted({path.partition("/")[0] for path in paths if _PROGRAM.match(path)}))


def runner_labels(cluster: Cluster | None) -> tuple[str, ...]:
    """The labels that a runner for the cluster must have: what it declares (`fleet.runner`), else those of our machines
    with a GPU, or without where it forbids one. None stands for a cluster that cannot be read."""
    if cluster is not None and cluster.place.runner:
        return cluster.place.runner
    if cluster is not None and cluster.hardware.gpu == "forbidden":
        return SELF_HOSTED
    return (*SELF_HOSTED, GPU)


def _changed(before: Inputs | None, after: Inputs) -> Iterator[str]:
    if after.problem:
        yield f"its files cannot be read: {after.problem}"
    elif before is None:
        yield "it is new"
    elif before.problem:
        yield "its files could not be read before"
    else:
        for name in sorted({*before.digests, *after.digests}):
            old, new = before.digests.get(name), after.digests.get(name)
            if old != new:
                what = "added" if old is None else "removed" if new is None else "changed"
                yield f"{_words(name)} {what}"


def _words(name: str) -> str:
    kind, _, rest = name.partition("/")
    return f"{kind} {rest}" if rest else _WORDS.get(name, name)
