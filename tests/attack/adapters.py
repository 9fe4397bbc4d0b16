"""Step 9: the adapter's bytes in DVC's storage, which is transport, and what was revoked by its digest."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from runner.promotion.propose import adapter_record
from runner.records.promotion import PromotionRecord
from runner.rules.canonical import sha256
from tests.adapter_fixture import config, pack, tensors
from tests.attack.case import Attack, Case, Expected, Finding
from tests.attack.desk import Desk
from tests.attack.figures import rolled_back
from tests.attack.forgery import HOME, forge, merged, repoliced, reproposed
from tests.promotion_fixture import store_with_dvc

BYTES, REVOKED = "9.1 bytes", "9.2 revoked"
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
COLLIDES = bytes.fromhex(
    "d131dd02c5e6eec4693d9a0698aff95c2fcab58712467eab4004583eb8fb7f8955ad340609f4b30283e488832571415a"
    "085125e8f7cdc99fd91dbdf280373c5bd8823e3156348f5bae6dacd436c919c6dd53e2b487da03fd02396306d248cda0"
    "e99f33420f577ee8ce54b67080a80d1ec69821bcb6a8839396f9652b6ff72a70"
)
"""Wang and others, 2004: 128 bytes whose md5 stays when the top bits of the bytes at `FLIPPED` are turned."""
FLIPPED = (19, 45, 59, 83, 109, 123)


def stored(desk: Desk, name: str) -> Path:
    """The object that DVC keeps one of the adapter's files in."""
    adapter = desk.records["staging"].adapter
    data = (desk.adapters.folder / adapter.sha256 / name).read_bytes()
    md5 = hashlib.md5(data).hexdigest()
    return desk.storage / "files" / "md5" / md5[:2] / md5[2:]


def listing(desk: Desk) -> Path:
    md5 = desk.records["staging"].adapter.dvc.md5
    return desk.storage / "files" / "md5" / md5[:2] / md5[2:]


def served(desk: Desk, edit: Callable[[bytes], bytes]) -> Finding:
    """The stored weights, edited in place: what a man in the middle of the remote can do."""
    place = stored(desk, WEIGHTS)
    place.write_bytes(edit(place.read_bytes()))
    return merged(desk)


def listed(desk: Desk, edit: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Finding:
    """The stored directory object, edited in place."""
    place = listing(desk)
    place.write_text(json.dumps(edit(json.loads(place.read_bytes()))))
    return merged(desk)


def gone(desk: Desk) -> Finding:
    stored(desk, WEIGHTS).unlink()
    return merged(desk)


def collided(desk: Desk) -> Finding:
    """Other bytes of the same length and the same md5: DVC cannot tell them apart, whatever it is told to verify."""
    twin = bytes(byte ^ 0x80 if at in FLIPPED else byte for at, byte in enumerate(COLLIDES))
    if hashlib.md5(twin).digest() != hashlib.md5(COLLIDES).digest() or twin == COLLIDES:
        raise AssertionError("the two do not collide")
    files = staged_with(desk, {WEIGHTS: COLLIDES})
    store_with_dvc(desk.storage, {WEIGHTS: twin})
    return forge(desk, files)


def staged_with(desk: Desk, change: dict[str, bytes]) -> dict[str, bytes]:
    """The promotion with other files in its adapter; the record, CI and everybody else agree on them."""
    staging = desk.records["staging"]
    files = {**desk.adapters.fetch(PromotionRecord.model_construct(adapter=staging.adapter)), **change}
    desk.adapters.put(files)
    return desk.staged(replace(staging, adapter=adapter_record(files, dvc=store_with_dvc(desk.storage, files))))


def served_with(desk: Desk, change: dict[str, bytes]) -> Finding:
    return forge(desk, staged_with(desk, change))


def record_says(desk: Desk) -> Finding:
    """The record's own digest of the weights is not that of the tree it names."""
    adapter = desk.records["staging"].adapter
    other = adapter.files[WEIGHTS].model_copy(update={"sha256": "0" * 64})
    wrong = adapter.model_copy(update={"files": {**adapter.files, WEIGHTS: other}})
    return forge(desk, desk.staged(replace(desk.records["staging"], adapter=wrong)))


def no_adapter(desk: Desk) -> Finding:
    return forge(desk, desk.staged(replace(desk.records["staging"], adapter=None)))


def revoked(desk: Desk, digest: Callable[[Desk], str]) -> Finding:
    """A digest stands in the policy's revocation file, and everybody signs all the same."""
    repoliced(desk, revoked=f"# sha256:{digest(desk)}\n".encode())
    return reproposed(desk)


def revoked_rolled_back(desk: Desk) -> Finding:
    """A rollback to an adapter that was revoked after it was promoted."""
    repoliced(desk, revoked=f"# sha256:{adapter_digest(desk)}\n".encode())
    return rolled_back(desk)


def adapter_digest(desk: Desk) -> str:
    return str(desk.records["staging"].adapter.sha256)


def record_digest(desk: Desk) -> str:
    return sha256(desk.records["files"][f"{HOME}record.yaml"])


def scorecard_digest(desk: Desk) -> str:
    return sha256(desk.records["files"][f"{HOME}evidence/scorecard.json"])


HEADER = partial(pack, tensors())
NAME = next(iter(tensors()))
NAN = ("F32", (2, 4), struct.pack("<8f", *[math.nan] * 8))
CODE = {"auto_map": {"AutoModel": "evil.Evil"}}
HARMFUL: tuple[tuple[str, str, dict[str, bytes]], ...] = (
    ("pickle", "a pickle, which runs what it says", {"adapter_model.bin": b"\x80\x04."}),
    ("chat-template", "a chat template of its own", {"chat_template.jinja": b"{{ evil }}"}),
    ("tokenizer", "a tokenizer of its own", {"tokenizer.json": b"{}"}),
    ("auto-map", "a configuration that names code", {CONFIG: json.dumps(config(**CODE)).encode()}),
    ("nan", "weights that are no numbers", {WEIGHTS: pack({**tensors(), NAME: NAN})}),
    ("repeated-key", "a header that names a tensor twice", {WEIGHTS: HEADER(header=lambda t: t[:-1] + "," + t[1:])}),
    ("bytes-behind", "bytes behind its tensors", {WEIGHTS: HEADER(behind=b"evil")}),
    ("another-base", "a configuration for another base", {CONFIG: json.dumps(config("e" * 64)).encode()}),
)


def one_more(listing: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [*listing, {**listing[0], "relpath": "tokenizer.json"}]


def one_less(listing: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return listing[1:]


def traversing(listing: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**listing[0], "relpath": "../evil"}, *listing[1:]]


def exchanged(listing: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = [one["relpath"] for one in reversed(listing)]
    return [{**one, "relpath": name} for one, name in zip(listing, names, strict=True)]


def backwards(data: bytes) -> bytes:
    return bytes(data[::-1])


TRANSPORT: tuple[tuple[str, str, Attack, str], ...] = (
    ("bytes-swapped", "Other weights of the same length at the remote.", partial(served, edit=backwards), "md5"),
    ("bytes-truncated", "Weights cut short at the remote.", partial(served, edit=lambda data: data[:-1]), "md5"),
    ("bytes-appended", "Bytes after the weights' end.", partial(served, edit=lambda data: data + b"x"), "md5"),
    ("bytes-md5-collision", "Other weights with the same md5.", collided, "sha256"),
    ("bytes-missing", "The weights are not at the remote.", gone, "not in the cache"),
    ("directory-with-one-more", "The directory lists a tokenizer too.", partial(listed, edit=one_more), "md5"),
    ("directory-with-one-less", "The directory lacks a file.", partial(listed, edit=one_less), "md5"),
    ("directory-traversal", "The directory lists `../evil`.", partial(listed, edit=traversing), "md5"),
    ("directory-files-exchanged", "Its names point at each other's bytes.", partial(listed, edit=exchanged), "md5"),
    ("record-of-other-bytes", "The record names another sha256 for the weights.", record_says, "sha256"),
)
"""Transport that brings other bytes is no judgement of the promotion: nothing merges, and exit 5 says why."""
CASES = (
    *(Case(name, does, "", attack, says=says, expected=Expected.COULD_NOT) for name, does, attack, says in TRANSPORT),
    Case("adapter-absent", "A promotion without an adapter.", BYTES, no_adapter),
    *(
        Case(f"adapter-with-{name}", f"An adapter with {what}.", BYTES, partial(served_with, change=change))
        for name, what, change in HARMFUL
    ),
    Case("adapter-revoked", "The adapter was revoked by its digest.", REVOKED, partial(revoked, digest=adapter_digest)),
    Case("record-revoked", "The record was revoked by its digest.", REVOKED, partial(revoked, digest=record_digest)),
    Case("evidence-revoked", "The scorecard was revoked.", REVOKED, partial(revoked, digest=scorecard_digest)),
    Case("rollback-to-revoked", "A rollback to an adapter that was revoked.", REVOKED, revoked_rolled_back, "twice"),
)
