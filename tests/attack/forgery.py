"""Hands to forge with: people who sign without looking, edited statements, commits and trees made by hand."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from runner.promotion import decide
from runner.promotion.decide import consider
from runner.promotion.envelopes import PROPOSAL
from runner.promotion.propose import propose
from runner.records.change import File
from runner.records.statement import DecisionStatement, EvidenceStatement
from runner.rules.canonical import canonical
from tests.attack.case import Finding
from tests.attack.desk import Desk
from tests.promotion_fixture import MAIN

HOME = "clusters/desk/promotions/1/"
EVIDENCE = f"{HOME}evidence/"
APPROVALS = f"{HOME}approvals/"
BRANCH = decide.branch_of("desk/1")
Files = Mapping[str, bytes | File | None]


class Editing:
    """A signer that changes what a statement says before it signs."""

    def __init__(
        self,
        desk: Desk,
        key: str,
        change: Mapping[str, Any] | None = None,
        *,
        namespace: str = "",
        subjects: Any = None,
    ) -> None:
        self.signer, self.change, self.namespace, self.subjects = desk.key(key), change or {}, namespace, subjects
        self.public_key = self.signer.public_key

    def signature(self, message: bytes, *, namespace: str) -> bytes:
        return self.signer.signature(message, namespace=namespace)

    def sign(self, payload: bytes, *, payload_type: str, namespace: str) -> bytes:
        kind = EvidenceStatement if b"urn:hallmark:evidence:v1" in payload else DecisionStatement
        statement = kind.model_validate_json(payload)
        update = {"predicate": statement.predicate.model_copy(update=dict(self.change))}
        if self.subjects:
            update["subject"] = self.subjects(statement.subject)
        payload = canonical(statement.model_copy(update=update))
        return self.signer.sign(payload, payload_type=payload_type, namespace=self.namespace or namespace)


def restart(desk: Desk, branch: str = BRANCH) -> None:
    """Drop the good proposal, so that a forged one takes its place."""
    desk.git.run("update-ref", "-d", branch)


def blind(desk: Desk, *people: str, branch: str = BRANCH, key: str = "", **edits: Any) -> None:
    """Sign what is there without asking the gate first. `edits` are `Editing`'s."""
    for person in people:
        signer = Editing(desk, key or person, **edits)
        _sign(desk, signer, decide.Choice.APPROVE, person=person, branch=branch)


def _sign(desk: Desk, signer: Editing, choice: decide.Choice, *, person: str, branch: str) -> None:
    tip = desk.git.resolve(branch) or ""
    found = consider(desk.sources(), desk.git, main=desk.main, branch=branch, tip=tip, now=desk.now)
    envelope = decide.decide(desk.sources(), found.facts, signer, choice=choice, person=person, now=desk.now)
    name = PROPOSAL if choice is decide.Choice.PROPOSE else f"{person}.dsse.json"
    desk.put({f"{found.approvals_at}{name}": envelope}, branch=branch)


def forge(
    desk: Desk,
    files: Mapping[str, bytes],
    *,
    by: str = "dave",
    people: tuple[str, ...] = ("alice", "bob"),
    **edits: Any,
) -> Finding:
    """Propose `files` (the proposal perhaps edited) and have them approved by people who do not look."""
    restart(desk)
    signer = Editing(desk, by, **edits)
    propose(desk.sources(), desk.git, files, branch=BRANCH, signer=signer, now=desk.now, remote=None, check=False)
    blind(desk, *people)
    return desk.gate(desk.merge())


def carried(
    desk: Desk,
    files: Files,
    *,
    by: str = "dave",
    people: tuple[str, ...] = (),
    branch: str = "refs/heads/change",
    **edits: Any,
) -> str:
    """A change that is no promotion: proposed and approved on its branch, and merged. No ref of main moves."""
    desk.put(files, branch=branch)
    if by:
        _sign(desk, Editing(desk, by, **edits), decide.Choice.PROPOSE, person=by, branch=branch)
    blind(desk, *people, branch=branch)
    return desk.merge(branch=branch)


def merged(desk: Desk, extra: Files | None = None) -> Finding:
    """The honest branch, merged; with `extra` the merge is evil."""
    return desk.gate(desk.merge(extra=extra))


def alone(desk: Desk, files: Files, *, says: str = "By hand") -> Finding:
    """One commit on main, and nobody signed anything."""
    return desk.gate(desk.git.commit_files([desk.main], files, f"{says}\n"))


def branch_files(desk: Desk) -> dict[str, bytes | File | None]:
    """What the promotion's branch adds to main."""
    tip = desk.git.resolve(BRANCH) or ""
    return {change.path: File(change.mode, change.blob) for change in desk.git.diff(desk.main, tip)}


def squashed(desk: Desk, change: Files) -> Finding:
    """One commit on main: what was proposed, with `change` over it."""
    files = {**branch_files(desk), **change}
    return alone(desk, {path: data for path, data in files.items() if data is not None})


def signed_file(desk: Desk, person: str) -> bytes:
    return desk.git.read(desk.git.resolve(BRANCH) or "", f"{APPROVALS}{person}.dsse.json")


def reencoded(desk: Desk, edit: Callable[[dict[str, Any]], object]) -> Finding:
    """Bob's envelope with its document edited, in canonical form again."""
    document = json.loads(signed_file(desk, "bob"))
    edit(document)
    return squashed(desk, {f"{APPROVALS}bob.dsse.json": canonical(document) + b"\n"})


def resigned(document: dict[str, Any], edit: Callable[[bytes], bytes]) -> None:
    """The one signature of an envelope, its bytes edited."""
    blob = edit(base64.b64decode(document["signatures"][0]["sig"]))
    document["signatures"][0]["sig"] = base64.b64encode(blob).decode()


def repoliced(desk: Desk, **policy: Any) -> None:
    """Main moves to another policy, as if by a merge of long ago."""
    desk.land(desk.git.commit_files([desk.main], desk.policy(version=2, **policy), "Policy\n"))


def reproposed(desk: Desk, *people: str, by: str = "dave", **edits: Any) -> Finding:
    """The honest promotion, proposed and approved again on main as it now is, and merged."""
    return forge(desk, desk.records["files"], by=by, people=people or ("alice", "bob"), **edits)


def altered(desk: Desk, name: str, edit: Callable[[bytes], bytes]) -> dict[str, bytes]:
    """The promotion with one evidence file altered, and staged again by CI."""
    staging = desk.records["staging"]
    return desk.staged(replace(staging, evidence={**staging.evidence, name: edit(staging.evidence[name])}))


def altered_json(desk: Desk, name: str, edit: Callable[[Any], object]) -> dict[str, bytes]:
    def rewrite(data: bytes) -> bytes:
        document = json.loads(data)
        edit(document)
        return json.dumps(document).encode()

    return altered(desk, name, rewrite)


def again(desk: Desk, **change: Any) -> dict[str, bytes]:
    """Another iteration whose bundle, ledger and attestation are all consistent, and say something worse."""
    return desk.staged(desk.staging("it-2", **change))


def rewritten(desk: Desk, commit: str, edit: Callable[[bytes], bytes]) -> str:
    """A commit with its own object's text edited."""
    return desk.git.write("commit", edit(desk.git.object(commit)[1]))


def dated(desk: Desk, commit: str, time: str) -> str:
    """The same commit with another author's and committer's date (seconds since 1970)."""

    def edit(data: bytes) -> bytes:
        head, _, body = data.partition(b"\n\n")
        lines = [
            b" ".join([*line.split()[:-2], time.encode(), b"+0000"])
            if line.startswith((b"author", b"committer"))
            else line
            for line in head.split(b"\n")
        ]
        return b"\n".join(lines) + b"\n\n" + body

    return rewritten(desk, commit, edit)


def with_entry(desk: Desk, commit: str, mode: str, name: bytes, blob: str) -> str:
    """A commit like `commit` with one more entry in its top tree, written as git's own tools would refuse to."""
    tree = desk.git.commit(commit).tree
    content = desk.git.object(tree)[1] + f"{mode} ".encode() + name + b"\0" + bytes.fromhex(blob)
    made = desk.git.run("hash-object", "-t", "tree", "-w", "--stdin", "--literally", data=content).decode().strip()
    return rewritten(desk, commit, lambda data: data.replace(tree.encode(), made.encode(), 1))


def move_main(desk: Desk, commit: str) -> None:
    """What an administrator can do, whatever the gate says."""
    desk.git.run("update-ref", MAIN, commit)
