"""Tamper with a real ledger: two promotions with signed receipts, the last one its end.

What judges is what `hallmark verify` uses: a file is its entry (`parse_entry`), the chain holds (`Sources.chain`), and
where it holds, the receipts and everything else (`verify`). `measured` stands outside every digest, so nothing of it is
tampered with. Entries after the last receipt are bound by the chain alone, until the next receipt signs its head: the
last of them, and whether there are more, no clone can know.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from runner.edges.ledger_store import LEDGER, GitLedgerStore, entry_bytes, entry_path, parse_entry
from runner.errors import HallmarkError
from runner.ledger import entry_digest
from runner.promotion.sources import Sources
from runner.promotion.verify import verify
from runner.records.ledger import Entry, EntryKind
from tests.promotion_fixture import World

Files = dict[str, bytes]


class Row(NamedTuple):
    case: str
    expected: str
    got: str
    step: str
    """What found it: `bytes`, `chain` or `receipt`; empty where nothing did."""


@dataclass
class Victim:
    """A verified world, and the judgement of other files in the place of its ledger."""

    world: World
    sources: Sources
    files: Files

    @classmethod
    def make(cls, home: Path) -> Victim:
        world = World(home / "world")
        world.create()
        for sequence in (1, 2):
            world.propose(world.staged(world.staging(f"it-{sequence}")), sequence=sequence, check=True)
            world.approve("alice", "bob", sequence=sequence)
            world.land(world.merge(sequence=sequence))
            world.reconcile()
        sources = world.sources(adapters=False)
        store = GitLedgerStore(world.origin, remote=None)
        files = {entry_path(entry): entry_bytes(entry) for entry in store.read("desk")}
        victim = cls(world, sources, files)
        problem = victim.judge(files)
        if problem is not None:
            raise AssertionError(f"the ledger does not hold before anything was done to it: {problem}")
        return victim

    def judge(self, files: Mapping[str, bytes]) -> tuple[str, str] | None:
        """(step, problem) where the ledger is found to be wrong."""
        try:
            entries = tuple(parse_entry(data, path=path) for path, data in sorted(files.items()))
        except HallmarkError as error:
            return "bytes", str(error)
        return self._judged(replace(self.sources, ledger=lambda cluster: entries, _chains={}))

    def judge_branch(self, files: Mapping[str, bytes]) -> tuple[str, str] | None:
        """The same of a commit on the real branch, as a clone would have it, read by the real store."""
        git = self.world.git
        made = git.commit_files([], files, "Tampered\n")
        store = GitLedgerStore(self.world.origin, remote=None)
        tip = git.resolve(LEDGER)
        git.move({LEDGER: (made, tip)})
        try:
            return self._judged(replace(self.sources, ledger=store.read, _chains={}))
        finally:
            git.move({LEDGER: (tip or "", made)})

    def _judged(self, sources: Sources) -> tuple[str, str] | None:
        try:
            sources.chain("desk")
        except HallmarkError as error:
            return "chain", str(error)
        found = verify(sources, tip=self.world.main, root=self.world.root_sha256)
        if found.verdict.passed:
            return None
        return found.verdict.reasons[0].step, found.verdict.reasons[0].problem


def edit_field(rng: random.Random, files: Files) -> str:
    """One field of one entry says something else, in the form that the store writes."""
    path = rng.choice(sorted(files))
    document = json.loads(files[path])
    field = rng.choice([name for name in sorted(document) if name != "measured"])
    document[field] = _other(rng, document[field])
    files[path] = said(document)
    return f"{path}: {field}"


def edit_deep(rng: random.Random, files: Files) -> str:
    """One value somewhere inside a verdict, an envelope or a list of digests."""
    path = rng.choice(sorted(files))
    document = json.loads(files[path])
    places = [place for place in _places(document) if place[0] != "measured"]
    place = rng.choice(places)
    holder = document
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = _other(rng, holder[place[-1]])
    files[path] = said(document)
    return f"{path}: {'.'.join(map(str, place))}"


def flip_bit(rng: random.Random, files: Files) -> str:
    path = rng.choice(sorted(files))
    data = bytearray(files[path])
    start, end = _measured(files[path])
    at = rng.choice([at for at in range(len(data)) if not start <= at < end])
    data[at] ^= 1 << rng.randrange(8)
    files[path] = bytes(data)
    return f"{path}: byte {at}"


def cut_file(rng: random.Random, files: Files) -> str:
    path = rng.choice(sorted(files))
    length = rng.randrange(len(files[path]))
    files[path] = files[path][:length]
    return f"{path}: {length} bytes of it"


def drop(rng: random.Random, files: Files) -> str:
    path = rng.choice(sorted(files))
    del files[path]
    return path


def drop_and_close(rng: random.Random, files: Files) -> str:
    """An entry is gone, and all after it are numbered and chained anew."""
    entries = opened(files)
    at = rng.randrange(len(entries))
    rechain(files, entries[:at] + entries[at + 1 :])
    return f"entry {at + 1}"


def swap(rng: random.Random, files: Files) -> str:
    """Two files change places; or two entries do, and everything after is chained anew."""
    one, other = rng.sample(sorted(files), 2)
    if rng.random() < 0.5:
        files[one], files[other] = files[other], files[one]
        return f"{one} and {other}"
    entries = opened(files)
    at, to = sorted(files).index(one), sorted(files).index(other)
    entries[at], entries[to] = entries[to], entries[at]
    rechain(files, entries)
    return f"entries {at + 1} and {to + 1}, chained anew"


def truncate(rng: random.Random, files: Files) -> str:
    """The end of the chain is gone. What is left is a chain that holds."""
    left = rng.randrange(len(files))
    for path in sorted(files)[left:]:
        del files[path]
    return f"{left} entries left"


def repeat(rng: random.Random, files: Files) -> str:
    """An entry stands twice, everything after chained anew."""
    entries = opened(files)
    at = rng.randrange(len(entries))
    rechain(files, [*entries[: at + 1], *entries[at:]])
    return f"entry {at + 1}"


def rewrite(rng: random.Random, files: Files) -> str:
    """Another story: something an entry says is changed, and every entry from there on is chained anew."""
    entries = opened(files)
    at = rng.randrange(len(entries))
    lie = f"{rng.getrandbits(256):064x}"
    change = rng.choice(({"inputs": {"gold": lie}}, {"outputs": {"adapter": lie}}, {"iteration": "it-9"}))
    entries[at] = entries[at].model_copy(update=change)
    rechain(files, entries)
    return f"entry {at + 1}: {next(iter(change))}"


def forge_receipt(rng: random.Random, files: Files) -> str:
    """A receipt's statement is changed under its signature, or another receipt is put in its place."""
    entries = opened(files)
    receipts = [at for at, entry in enumerate(entries) if entry.kind is EntryKind.RECEIPT]
    at = rng.choice(receipts)
    envelope = json.loads(json.dumps(entries[at].receipt))
    kind = rng.choice(("statement", "signature", "another's", "none"))
    if kind == "statement":
        envelope["payload"] = _other(rng, envelope["payload"])
    elif kind == "signature":
        signature = envelope["signatures"][0]
        signature["sig"] = _other(rng, signature["sig"])
    elif kind == "another's":
        envelope = entries[receipts[receipts.index(at) - 1]].receipt
    else:
        envelope = {}
    entries[at] = entries[at].model_copy(update={"receipt": envelope})
    rechain(files, entries)
    return f"entry {at + 1}: {kind}"


def extra(rng: random.Random, files: Files) -> str:
    """A receipt for a promotion that main does not have, or a file that is no entry."""
    if rng.random() < 0.5:
        path = rng.choice(("desk/notes.txt", "desk/00000000.json", "desk/0.json", f"desk/{rng.getrandbits(20)}.json"))
        files[path] = rng.choice(sorted(files.items()))[1]
        return path
    entries = opened(files)
    last = entries[-1]
    rechain(files, [*entries, last.model_copy(update={"promotion": (last.promotion or 0) + 1})])
    return "a third receipt"


KINDS: tuple[Callable[[random.Random, Files], str], ...] = (
    edit_field, edit_deep, flip_bit, cut_file, drop, drop_and_close, swap, truncate, repeat, rewrite, forge_receipt,
    extra,
)  # fmt: skip


def tamperings(seed: int, count: int, *, on_branch: int = 24) -> list[Row]:
    """`count` tamperings, every kind in turn, each with a ledger as it was; the last `on_branch` on the git branch."""
    with tempfile.TemporaryDirectory(prefix="hallmark-attack-") as home:
        victim, rng = Victim.make(Path(home)), random.Random(seed)
        rows = []
        for number in range(count):
            kind = KINDS[number % len(KINDS)]
            files = dict(victim.files)
            told = kind(rng, files)
            while files == victim.files:
                told = kind(rng, files)
            judged = victim.judge_branch if number >= count - on_branch else victim.judge
            found = judged(files)
            name = f"{kind.__name__.replace('_', ' ')}: {told}"
            rows.append(Row(name, "found", "found" if found else "not found", found[0] if found else ""))
        return rows


def said(document: Any) -> bytes:
    """A document in the form that the store writes entries in."""
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False)
    return text.encode() + b"\n"


def opened(files: Files) -> list[Entry]:
    return [parse_entry(data, path=path) for path, data in sorted(files.items())]


def rechain(files: Files, entries: list[Entry]) -> None:
    """Put these entries in the place of all, numbered and chained without a fault."""
    files.clear()
    previous = None
    for number, entry in enumerate(entries, start=1):
        chained = entry.model_copy(update={"sequence": number, "previous": previous})
        files[entry_path(chained)] = entry_bytes(chained)
        previous = entry_digest(chained)


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the leaves of a document are; an empty container is a leaf."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [place for name, child in inside for place in _places(child, (*at, name))]
    return found or [at]


def _other(rng: random.Random, value: Any) -> Any:
    """Another value of the same type where there is one."""
    if isinstance(value, bool) or value is None:
        return rng.choice((1, "x", "0" * 64))
    if isinstance(value, int):
        return value + rng.choice((-1, 1, 7))
    if isinstance(value, str) and value:
        at = rng.randrange(len(value))
        return value[:at] + rng.choice([c for c in "0123456789abcdef" if c != value[at]]) + value[at + 1 :]
    if isinstance(value, dict) and value:
        return {name: _other(rng, child) if at == 0 else child for at, (name, child) in enumerate(value.items())}
    return {"x": "0" * 64} if isinstance(value, dict) else "x" if isinstance(value, str) else [1]


def _measured(data: bytes) -> tuple[int, int]:
    """Where the value of `measured` stands in an entry's bytes."""
    start = data.index(b'\n "measured": ') + len(b'\n "measured": ')
    return start, data.index(b'\n "', start)
