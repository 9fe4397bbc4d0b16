"""The rotation of a cluster's held-out set as a change of reviewed files, ready to be proposed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from runner.errors import RecordError
from runner.ports import Reader
from runner.records.base import Record
from runner.records.dataset import Example
from runner.records.evaluation_policy import Source
from runner.records.scenario import SetName
from runner.records.trace import Trace
from runner.rules.evaluation.rotation import Plan, Text, plan
from runner.rules.repository.benchmark import relocked
from runner.rules.triage.settlement import gathered
from runner.workspace import Inputs, Workspace

_VERSION = re.compile(r"(?m)^(benchmark_version:[ \t]*)(\d+)")
Files = dict[str, bytes | None]
"""Path to what it says afterwards; None where it goes."""


def planned(inputs: Inputs, *, has: Callable[[str], bool]) -> Plan:
    """What a rotation would do, by the reviewed files and the data at hand (`has` says which there are)."""
    space, artifacts = inputs.workspace, inputs.artifacts
    return plan(
        space.cluster.id,
        space.scenarios,
        version=space.cluster.benchmark_version + 1,
        policy=space.cluster.evaluation_policy.rotation,
        reference=artifacts.rows("reference", Example) if has("reference") else (),
        known=_known(inputs, has),
        seed=space.params.seed,
    )


def _known(inputs: Inputs, has: Callable[[str], bool]) -> Iterator[Text]:
    """Everything that trained a model of this cluster, or may: base and gold rows, production traces, and what people
    accepted in every iteration."""
    space, artifacts = inputs.workspace, inputs.artifacts
    for name in ("base-data", "gold"):
        if has(name):
            yield from (Text(row.id, row.input) for row in artifacts.rows(name, Example))
    if has("traces"):
        for number, trace in enumerate(artifacts.stream("traces", Trace), 1):
            yield Text(f"signal {number}", trace.input)
    yield from (Text(row.id, row.input) for row in gathered(space.triage, space.reviews, space.triage))


def files(space: Workspace, found: Plan, reader: Reader, *, dump: Callable[[Record], bytes]) -> Files:
    """The change: scenario files move as they stand, fresh ones are written, the version rises and the sets are locked
    again. Raises `RecordError` where cluster.yaml does not say its version in a line of its own."""
    name, home = space.cluster.id, f"scenarios/{space.cluster.id}"
    changed: Files = {}
    for one in found.retired:
        old = f"{home}/{SetName.HELDOUT}/{one.id}.yaml"
        changed[f"{home}/{found.retire_to}/{one.id}.yaml"] = reader.read(old)
        changed[old] = None
    for source, fresh in found.fresh:
        new = f"{home}/{SetName.HELDOUT}/{fresh.id}.yaml"
        if source is Source.RESERVE:
            old = f"{home}/{SetName.RESERVE}/{fresh.id}.yaml"
            changed[new], changed[old] = reader.read(old), None
        else:
            changed[new] = dump(fresh)
    yaml, lock = f"clusters/{name}/cluster.yaml", f"clusters/{name}/benchmark.lock"
    changed[yaml] = _raised(reader.read(yaml), found.version, path=yaml)
    after = replace(
        space,
        cluster=space.cluster.model_copy(update={"benchmark_version": found.version}),
        scenarios=found.sets(space.scenarios),
    )
    changed[lock] = dump(relocked(after.cluster, space.lock, after.scenarios, judges=after.benchmark_judges))
    return changed


def _raised(data: bytes, version: int, *, path: str) -> bytes:
    """cluster.yaml with the new version, and nothing else changed."""
    text, count = _VERSION.subn(rf"\g<1>{version}", data.decode())
    if count != 1:
        hint = "write it as `benchmark_version: N`, in a line of its own"
        raise RecordError(
            "says its version in no line that can be raised", path=path, field="benchmark_version", hint=hint
        )
    return text.encode()


def body(found: Plan, *, looks: int, allowed: int) -> str:
    """What reviewers are told."""
    by = {source: sum(one.source is source for one in found.fresh) for source in Source}
    sources = " and ".join(f"{count} from {source}" for source, count in by.items() if count)
    return (
        f"{looks} candidates have looked at the held-out set, {allowed} may. Its {len(found.retired)} scenarios "
        f"go to {found.retire_to}: everybody may read them there, and the leak check keeps them out of training. "
        f"{len(found.fresh)} fresh ones take their place: {sources}. They are what people wrote, and resemble nothing "
        f"that trains or is in another set; {found.left} more are left for the next time. Scores on version "
        f"{found.version} are not to be compared with those before it."
    )
