"""Whether a machine or a server is inside a cluster's boundary (`fleet` in cluster.yaml, docs/fleet.md).

A cluster that declares no boundary is bound to none. A machine is inside those that it declares; one that declares
nothing is inside of none, so that a forgotten declaration refuses instead of letting through.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from urllib.parse import urlsplit

from runner.records.cluster import Cluster
from runner.records.endpoint import Endpoint
from runner.records.fleet import Fleet
from runner.records.verdict import Reason
from runner.rules.repository.fault import Fault

STEP = "boundary"
LOOPBACK = re.compile(r"localhost|::1|127(?:\.\d{1,3}){3}")


def outside(place: Fleet, declared: Collection[str]) -> tuple[Reason, ...]:
    """Why a machine that declares itself inside `declared` may not work on the cluster; empty where it may."""
    return _unless(place, declared, (place.boundary,), "work on this cluster")


def unservable(place: Fleet, declared: Collection[str]) -> tuple[Reason, ...]:
    """Why an adapter of the cluster may not be fetched to such a machine for serving; empty where it may."""
    return _unless(place, declared, (place.boundary, *place.serves_in), "serve this cluster's adapters")


def _unless(place: Fleet, declared: Collection[str], wanted: Iterable[str | None], purpose: str) -> tuple[Reason, ...]:
    allowed = [name for name in wanted if name]
    if place.boundary is None or set(allowed) & set(declared):
        return ()
    said = f"is declared inside {', '.join(sorted(declared))}" if declared else "declares no boundary"
    problem = f"this machine {said}, and only one inside {' or '.join(allowed)} may {purpose}"
    hint = "go to such a machine; whoever runs this one declares it in HALLMARK_BOUNDARY or /etc/hallmark/boundary"
    return (Reason(step=STEP, problem=problem, hint=hint),)


def strangers(cluster: Cluster) -> Iterator[Fault]:
    """The servers that cluster.yaml names outside of its own boundary."""
    path = f"clusters/{cluster.id}/cluster.yaml"
    if cluster.serving.endpoint is not None:
        yield from stranger(cluster, cluster.serving.endpoint, path=path, field="serving.endpoint.url")
    for number, server in enumerate(cluster.generation.servers if cluster.generation else ()):
        yield from stranger(cluster, server, path=path, field=f"generation.servers[{number}].url")


def stranger(cluster: Cluster, server: Endpoint, *, path: str, field: str) -> Iterator[Fault]:
    """One server, of a cluster with a boundary, that is neither on the machine itself nor on one of `fleet.hosts`."""
    place, host = cluster.place, host_of(server.url)
    if place.boundary is None or host in place.hosts or LOOPBACK.fullmatch(host):
        return
    problem = f"the server {server.id} on {host} is outside the boundary {place.boundary} of {cluster.id}"
    hint = "take a server inside, or have those who answer for the boundary add its host to fleet.hosts in cluster.yaml"
    yield Fault(path, field, problem, hint)


def reasons(cluster: Cluster, declared: Collection[str]) -> Iterator[Reason]:
    """Why no iteration may begin on a machine that declares itself inside `declared`."""
    yield from outside(cluster.place, declared)
    for fault in strangers(cluster):
        yield Reason(step=STEP, problem=f"{fault.path}: {fault.field}: {fault.problem}", hint=fault.hint)


def host_of(url: str) -> str:
    """In lower case, without port and brackets."""
    return urlsplit(url).hostname or ""
