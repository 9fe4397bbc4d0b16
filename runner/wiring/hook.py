"""What the hook begins with, before it imports the gate: a second process asks git and ssh-keygen and reads scenarios
meanwhile."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from runner.edges.aside import Aside
from runner.edges.clock import now as now
from runner.edges.git import GitObjects
from runner.edges.git_calls import Said, asked_for_commits, asked_for_refs
from runner.errors import HallmarkError, RecordError
from runner.promotion.governed import Ahead, Governed, governed

if TYPE_CHECKING:  # the second process imports what it needs, and this one later
    from runner.edges.signing import SshVerifier
    from runner.records.change import PathChange

PROMOTIONS = ("clusters", "promotions")
HEADS, LEDGER = "refs/heads/", "refs/heads/ledger"
CI = re.compile(rb"^ci: ([a-z0-9-]+)$", re.MULTILINE)
"""In trust.yaml, as it is mostly written."""


class ReadAhead(NamedTuple):
    """What a second process reads and asks. Each waits for it; what it left out, the gate reads and asks itself."""

    scenarios: Ahead = dict
    git: Callable[[], Said] = dict
    signatures: Callable[[], Mapping[str, str]] = dict


NOTHING = ReadAhead()


def read_ahead(path: Path, *, old: str, new: str, at: str) -> ReadAhead:
    """Begin to read what the gate asks of the step from `old` to `new`, judged at `at`: what it brings, where the
    branches stand, whose signatures it has and, at `old`, the governed scenarios of the clusters that it promotes in.
    """
    reading = Aside(lambda: json.dumps(_read(path, old, new, at)).encode())

    @cache
    def answer() -> Mapping[str, Any]:
        return json.loads(reading.result() or b"{}") or {"git": [], "scenarios": {}, "signatures": {}}

    def scenarios() -> Mapping[str, tuple[Governed, ...]]:
        found = answer()["scenarios"].items()
        return {tree: tuple(map(Governed._make, zip(*columns, strict=True))) for tree, columns in found}

    @cache
    def git() -> Said:
        return {tuple(asked): said.encode(errors="surrogateescape") for asked, said in answer()["git"]}

    def signatures() -> Mapping[str, str]:
        return dict(answer()["signatures"])

    return ReadAhead(scenarios, git, signatures)


def _read(path: Path, old: str, new: str, at: str) -> dict[str, Any]:
    from runner.edges.signing import SshVerifier

    try:
        with GitObjects(path) as objects, closing(SshVerifier()) as verifier:
            changes = objects.diff(old, new)
            _begin(objects, verifier, changes, old, at)
            asked = (asked_for_commits(old, new), asked_for_refs(HEADS), asked_for_refs(LEDGER))
            said = [(one, objects.run(*one).decode(errors="surrogateescape")) for one in asked]
            parts = [change.path.split("/") for change in changes]
            clusters = sorted({one[1] for one in parts if (one[0], *one[2:3]) == PROMOTIONS})
            read = {
                objects.tree_at(old, f"scenarios/{cluster}"): governed(objects, old, cluster, known={}, parse=_not_here)
                for cluster in clusters
            }
            answers = verifier.answers()
    except HallmarkError:
        return {}  # the gate says what is wrong
    scenarios = {tree: list(zip(*files, strict=True)) for tree, files in read.items()}
    return {"git": said, "scenarios": scenarios, "signatures": answers}


def _begin(objects: GitObjects, verifier: SshVerifier, changes: Sequence[PathChange], old: str, at: str) -> None:
    """Begin on the signatures of a promotion, under the policy at `old`."""
    from runner.ports_promotion import Keys
    from runner.promotion.envelopes import ATTESTATION, begin

    signed = {c.path: c.blob for c in changes if c.path.startswith("clusters/") and c.path.endswith(".dsse.json")}
    read = objects.blobs(list(dict.fromkeys(blob for blob in signed.values() if blob)))
    files = {path: read[blob] for path, blob in signed.items() if blob}
    words = [path for path in files if path.endswith(f"/{ATTESTATION}")]
    attested = files.pop(words[0]) if words else None
    keys = Keys(objects.read(old, "policy/allowed_signers"), objects.read(old, "policy/revoked"))
    ci = CI.search(objects.read(old, "policy/trust.yaml"))
    begin(verifier, files, attested, ci=ci[1].decode() if ci else "", keys=keys, at=at)


def _not_here(data: bytes, path: str) -> tuple[str, str]:
    raise RecordError("it has to be parsed", path=path)
