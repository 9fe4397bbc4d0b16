"""The decisions that stand on the branch of a change, whatever of that branch is merged.

A merge of the branch as it was before a rejection, or a squash without the rejection's file, leaves it behind. The
gate therefore reads the branch itself, at the server or as a clone last fetched it: of a promotion `promote/` or
`rollback/<cluster>/<seq>`, of other changes every branch that carries their approvals. All of its commits past main
count, so that a later one which takes the file away changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runner.errors import VerificationError
from runner.promotion.sources import Sources

KINDS = ("promote", "rollback")
"""The branches that a promotion's decisions stand on."""
REJECTS = b'"decision":"reject"'
"""In a statement's canonical bytes."""


def standing(
    sources: Sources, heads: str, *, old: str, place: tuple[str, int], home: str
) -> tuple[tuple[str, bytes], ...]:
    """Path and bytes of each decision below `home` of the people who, by an envelope there, reject, as they came.

    `heads` is where the branches stand: `refs/heads/`, or a clone's `refs/remotes/<remote>/`. Nobody is believed yet.
    """
    found: dict[tuple[str, str], bytes] = {}
    for tip in _tips(sources, heads, place, home):
        for commit in (*reversed(sources.objects.incoming(old, tip)), tip):
            for path, blob in _files(sources, commit, home).items():
                data = found.pop((path, blob), None)
                found[path, blob] = sources.objects.blob(blob) if data is None else data
    rejecting = {path for (path, _), data in found.items() if _rejects(sources, data)}
    return tuple((path, data) for (path, _), data in found.items() if path in rejecting)


def _tips(sources: Sources, heads: str, place: tuple[str, int], home: str) -> Iterator[str]:
    """The tips of the change's branches; none where they are gone."""
    refs = sources.objects.refs(heads)
    if place[0]:
        named = [f"{heads}{kind}/{place[0]}/{place[1]}" for kind in KINDS]
        yield from (refs[name] for name in named if name in refs)
        return
    yield from (tip for tip in dict.fromkeys(refs.values()) if _files(sources, tip, home))


def _files(sources: Sources, commit: str, home: str) -> Mapping[str, str]:
    """The people's envelopes below `home`. What is malformed holds none: anybody may push such a branch, and main
    goes on."""
    try:
        found = sources.objects.files(commit, home.rstrip("/"))
    except VerificationError:
        return {}
    return {
        path: file.blob
        for path, file in found.items()
        if path.endswith(".dsse.json") and not path.endswith("/proposal.dsse.json") and file.mode == "100644"
    }


def _rejects(sources: Sources, data: bytes) -> bool:
    try:
        return REJECTS in sources.verifier.peek(data)
    except VerificationError:
        return False
