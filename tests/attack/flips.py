"""Turn single bits in everything that is signed or recorded, and ask the real judges.

`runner.promotion.verify.verify`, which is `hallmark verify`, judges all that git keeps, through a reader that hands out
the turned bytes in the place of one object's. The adapter's bytes are no part of a clone: for them the judge is
`runner.promotion.judge.judge`, which is the gate, with the real store over turned bytes in DVC's storage.

A flip is found where the verdict refuses or a `HallmarkError` says that nothing could be judged. Any other exception is
a bug, and wrong. What lies in a ledger entry's `measured` block no digest covers, and so is left alone.
"""

from __future__ import annotations

import hashlib
import random
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.edges.git import GitObjects
from runner.edges.ledger_store import LEDGER, parse_entry
from runner.edges.yaml_files import parse
from runner.errors import HallmarkError
from runner.ledger import entry_digest
from runner.promotion.gather import Step
from runner.promotion.judge import judge
from runner.promotion.sources import Sources
from runner.promotion.verify import verify
from runner.records.ledger import Entry
from runner.wiring.promotion import room
from tests.attack.case import Row
from tests.attack.desk import Desk

POLICY = ("policy/trust.yaml", "policy/allowed_signers", "policy/revoked")
GOVERNED = ("clusters/desk/cluster.yaml", "clusters/desk/benchmark.lock", "rubrics/label.yaml")
TAG = "refs/tags/promotions/desk/1"


class Turned(GitObjects):
    """A repository that says something else for one blob or tag. What it has read stays read."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.oid, self.data = "", b""
        self._kept: dict[str, tuple[str, bytes]] = {}
        self._once_asked: dict[tuple[str, str], Any] = {}

    def object(self, oid: str) -> tuple[str, bytes]:
        if oid not in self._kept:
            self._kept[oid] = super().object(oid)
        return (self._kept[oid][0], self.data) if oid == self.oid else self._kept[oid]

    def blobs(self, oids: Sequence[str]) -> dict[str, bytes]:
        return {oid: self.blob(oid) for oid in oids}

    def graph(self, tip: str) -> dict[str, tuple[str, ...]]:
        return dict(self._once("graph", tip, super().graph))

    def refs(self, prefix: str) -> dict[str, str]:
        return dict(self._once("refs", prefix, super().refs))

    def _once(self, what: str, about: str, ask: Callable[[str], Any]) -> Any:
        if (what, about) not in self._once_asked:
            self._once_asked[what, about] = ask(about)
        return self._once_asked[what, about]


@dataclass(frozen=True)
class Member:
    """Something that is signed or recorded: of what kind, its bytes, and who judges others in their place."""

    kind: str
    name: str
    data: bytes
    found: Callable[[bytes], str]
    """What found the turned bytes; empty where nothing did."""


class Clone:
    """A promoted desk, and its judges."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.tip, self.root = desk, desk.main, desk.root_sha256
        self.ledger_tip = desk.git.resolve(LEDGER) or ""
        self.objects = Turned(desk.origin)

    def verified(self, oid: str = "", data: bytes = b"") -> str:
        """The step that `verify` refuses at with these bytes for one object; empty where it passes."""
        objects = self.objects
        objects.oid, objects.data = oid, data

        def ledger(cluster: str) -> tuple[Entry, ...]:
            files = sorted(objects.files(self.ledger_tip, cluster).items())
            return tuple(parse_entry(objects.blob(file.blob), path=path) for path, file in files)

        try:
            found = verify(Sources(objects, parse, self.desk.verifier, ledger), tip=self.tip, root=self.root)
        except HallmarkError as error:
            return type(error).__name__
        return found.verdict.reasons[0].step if found.verdict.reasons else ""

    def gated(self, place: Path, data: bytes) -> str:
        """The same of the gate, with these bytes in DVC's storage."""
        kept = place.read_bytes()
        place.write_bytes(data)
        seat = room(self.desk.origin, store=self.desk.storage)
        try:
            verdict = judge(
                seat.sources(), Step(self.desk.git.commit(self.tip).parents[0], self.tip, self.desk.now)
            ).verdict
        except HallmarkError as error:
            return type(error).__name__
        finally:
            seat.repository.close()
            place.write_bytes(kept)
        return verdict.reasons[0].step if verdict.reasons else ""

    def members(self) -> Iterator[Member]:
        """Everything that is signed or recorded of the first promotion."""
        git = self.desk.git
        files = {path: file.blob for path, file in git.files(self.tip).items()}
        home = "clusters/desk/promotions/1/"
        for path, oid in files.items():
            kind = _kind(path.removeprefix(home)) if path.startswith(home) else ""
            kind = path if path in (*POLICY, *GOVERNED) else "scenario" if path.startswith("scenarios/") else kind
            if kind:
                yield self._in_git(kind, path, oid)
        for path, file in git.files(self.ledger_tip).items():
            receipt = b'"kind": "receipt"' in git.blob(file.blob)
            yield self._in_git("receipt" if receipt else "ledger entry", path, file.blob)
        yield self._in_git("tag", TAG, git.resolve(TAG) or "")
        adapter = self.desk.records["staging"].adapter
        for name in adapter.files:
            data = (self.desk.adapters.folder / adapter.sha256 / name).read_bytes()
            md5 = hashlib.md5(data).hexdigest()
            place = self.desk.storage / "files" / "md5" / md5[:2] / md5[2:]
            yield Member("adapter bytes", name, data, lambda turned, place=place: self.gated(place, turned))

    def _in_git(self, kind: str, name: str, oid: str) -> Member:
        return Member(kind, name, self.desk.git.object(oid)[1], lambda turned: self.verified(oid, turned))


def _kind(rest: str) -> str:
    if rest.endswith(".dsse.json"):
        return "envelope"
    return "record" if rest == "record.yaml" else rest


def turned(member: Member, rng: random.Random) -> bytes:
    """The member's bytes with one bit turned, in what counts."""
    while True:
        data = bytearray(member.data)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        if not (member.kind in ("ledger entry", "receipt") and _only_measured(member, bytes(data))):
            return bytes(data)


def _only_measured(member: Member, data: bytes) -> bool:
    """Whether the entry is still one, and says the same in all that its digest covers."""
    try:
        return entry_digest(parse_entry(data, path=member.name)) == entry_digest(
            parse_entry(member.data, path=member.name)
        )
    except HallmarkError:
        return False


def flips(desk: Desk, *, count: int, seed: int) -> list[Row]:
    """`count` flips over every kind of member in turn. `desk` has its first promotion merged."""
    clone, rng = Clone(desk), random.Random(seed)
    if clone.verified():
        raise AssertionError("the history does not hold before a bit is turned")
    kinds: dict[str, list[Member]] = {}
    for member in clone.members():
        kinds.setdefault(member.kind, []).append(member)
    rows = []
    for number in range(count):
        member = rng.choice(list(kinds.values())[number % len(kinds)])
        rows.append(_row(member, turned(member, rng)))
    clone.objects.close()
    return rows


def _row(member: Member, data: bytes) -> Row:
    name = f"{member.kind}: {member.name}"
    try:
        step = member.found(data)
    except Exception as error:
        return Row(name, "found", type(error).__name__, "", traceback.format_exc())
    return Row(name, "found", "found" if step else "not found", step)
