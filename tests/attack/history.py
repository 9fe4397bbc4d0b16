"""What an auditor's `hallmark verify --root` finds in a clone of a server whose gate was passed by or switched off."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from runner.edges.ledger_store import LEDGER, GitLedgerStore, entry_bytes, entry_path
from runner.edges.yaml_dump import dump
from runner.records.statement import PAYLOAD_TYPE, Namespace, ReceiptStatement
from runner.rules.canonical import canonical
from tests.attack.case import Case, Finding, passes
from tests.attack.desk import FORMAT, Desk, clock
from tests.attack.forgery import EVIDENCE, HOME, blind, carried, dated, move_main, restart
from tests.promotion_fixture import CHANGES, CLUSTER

STEP, ROOT = "receipt", "0 root"
TAG = "refs/tags/promotions/desk/1"


def git(where: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=where, check=True, capture_output=True, text=True).stdout.strip()


# by an administrator, past the gate


def past_the_gate(desk: Desk, files: Mapping[str, bytes | None]) -> Finding:
    """A commit straight on main, and honest work after it: the first that does not hold has to be named."""
    bad = desk.git.commit_files([desk.main], files, "By an administrator\n")
    move_main(desk, desk.git.commit_files([bad], {"docs/after.md": b"after\n"}, "Docs\n"))
    return desk.verify(named=bad)


def hook_off(desk: Desk) -> Finding:
    """With the hook switched off, a promotion with one approval is merged. The gate's key never sees it."""
    restart(desk)
    desk.propose(desk.records["files"])
    blind(desk, "alice")
    bad = desk.merge()
    move_main(desk, bad)
    return desk.verify(named=bad)


def unapproved_with_receipt(desk: Desk) -> Finding:
    """Whoever has the gate's key signs receipt and tag of a merge that lacks an approval: the gate's word is not
    believed, the merge is judged again."""
    old = desk.main
    parents = desk.git.commit(old).parents
    bad = desk.git.commit_files(parents, {f"{HOME}approvals/bob.dsse.json": None}, "Merge\n", base=old)
    receipt_again(desk, commit=bad)
    tag_again(desk, commit=bad)
    move_main(desk, bad)
    return desk.verify(named=bad)


def aged(desk: Desk, *, days: float) -> str:
    """A lower limit that Alice approved so many days ago: the merge, not yet on main."""
    now, desk.now = desk.now, clock(days=-days)
    change = carried(desk, EASIER, people=("alice",))
    desk.now = now
    return change


def at(now: str) -> str:
    """A time as git writes it."""
    return str(int(datetime.strptime(f"{now}+0000", f"{FORMAT}%z").timestamp()))


def merge_dated_back(desk: Desk) -> Finding:
    """An approval that ran out; the merge is dated to when it held. Main's dates fall."""
    bad = dated(desk, aged(desk, days=40), at(clock(days=-39)))
    move_main(desk, desk.git.commit_files([bad], {"docs/after.md": b"after\n"}, "Docs\n"))
    return desk.verify(named=bad)


def dated_before_the_receipt(desk: Desk) -> Finding:
    """A merge whose approval ran out before the last receipt was given, dated as its parent is."""
    restart(desk)
    first, desk.now = desk.now, clock(days=20)
    desk.propose(desk.records["files"])
    desk.approve("alice", "bob")
    desk.land(desk.merge())
    desk.reconcile(now=clock(days=40))
    desk.now = first
    bad = carried(desk, EASIER, people=("alice",))
    move_main(desk, bad)
    return desk.verify(named=bad)


def merge_dated_alike(desk: Desk) -> Finding:
    """Two merges within one second."""
    second = str(desk.git.commit(desk.main).time)
    move_main(desk, dated(desk, desk.git.commit_files([desk.main], {"docs/a.md": b"a\n"}, "Docs\n"), second))
    return desk.verify()


def receipt_late(desk: Desk) -> Finding:
    """The gate's receipt comes after the next merge was made: killed in between, say."""
    desk.land(desk.merge())
    move_main(desk, desk.git.commit_files([desk.main], {"docs/a.md": b"a\n"}, "Docs\n"))
    desk.reconcile(now=clock(hours=1))
    return desk.verify()


def policy_swapped(desk: Desk) -> Finding:
    weak = {**CHANGES, "promotion": [{"role": "engineer", "people": 2}]}
    return past_the_gate(desk, desk.policy(version=2, changes=weak))


def main_rewound(desk: Desk) -> Finding:
    """The promotion is taken out of main; its receipt and tag stay."""
    move_main(desk, desk.git.commit(desk.main).parents[0])
    return desk.verify()


def main_begun_anew(desk: Desk) -> Finding:
    move_main(desk, desk.git.commit_files([], {}, "Anew\n", base=desk.main))
    return desk.verify()


def root_of_another(desk: Desk) -> Finding:
    return desk.verify(root="0" * 64)


# ledger, receipts and tags, by whoever can write refs


def last_entry(desk: Desk) -> Any:
    return GitLedgerStore(desk.origin, remote=None).read("desk")[-1]


def write_ledger(desk: Desk, files: Mapping[str, bytes | None]) -> None:
    tip = desk.git.resolve(LEDGER) or ""
    desk.git.run("update-ref", LEDGER, desk.git.commit_files([tip], files, "Ledger\n"))


def receipt_again(desk: Desk, *, key: str = "gate", namespace: str = Namespace.RECEIPT, **edit: Any) -> None:
    """The receipt in the ledger, signed again and said of something else."""
    entry = last_entry(desk)
    statement = ReceiptStatement.model_validate_json(desk.verifier.peek(canonical(entry.receipt) + b"\n"))
    told = statement.model_copy(update={"predicate": statement.predicate.model_copy(update=edit)})
    envelope = desk.key(key).sign(canonical(told), payload_type=PAYLOAD_TYPE, namespace=namespace)
    again = entry.model_copy(update={"receipt": json.loads(envelope)})
    write_ledger(desk, {entry_path(again): entry_bytes(again)})


def receipted(desk: Desk, **edit: Any) -> Finding:
    receipt_again(desk, **edit)
    return desk.verify(named=desk.main)


def receipt_entry(desk: Desk, **edit: Any) -> Finding:
    """The receipt is the gate's; the entry around it says something else."""
    entry = last_entry(desk).model_copy(update=edit)
    write_ledger(desk, {entry_path(entry): entry_bytes(entry)})
    return desk.verify(named=desk.main)


def receipt_missing(desk: Desk) -> Finding:
    write_ledger(desk, {entry_path(last_entry(desk)): None})
    return desk.verify(named=desk.main)


def ledger_missing(desk: Desk) -> Finding:
    desk.git.run("update-ref", "-d", LEDGER)
    return desk.verify(named=desk.main)


def ledger_rewritten(desk: Desk) -> Finding:
    """An entry of long ago says something else; the chain after it no longer holds."""
    path = "desk/00000012.json"
    data = desk.git.read(desk.git.resolve(LEDGER) or "", path)
    digest = desk.records["staging"].adapter.sha256.encode()
    write_ledger(desk, {path: data.replace(digest, b"0" * 64)})
    return desk.verify(named=desk.main)


def tag_again(
    desk: Desk, *, key: str = "gate", commit: str = "", name: str = "promotions/desk/1", ref: str = TAG
) -> None:
    """The promotion's tag, made and signed again."""
    body = (
        f"object {commit or desk.main}\ntype commit\ntag {name}\ntagger x <x@localhost> 0 +0000\n\nPromoted\n".encode()
    )
    signature = desk.key(key).signature(body, namespace=Namespace.TAG)
    desk.git.run("update-ref", ref, desk.git.write("tag", body + signature))


def tagged(desk: Desk, **how: Any) -> Finding:
    tag_again(desk, **how)
    return desk.verify(named=desk.main)


def tag_points(desk: Desk, back: int = 0) -> Finding:
    """A bare ref in the signed tag's place: to the right commit, or to another one."""
    target = desk.git.commit(desk.main).parents[0] if back else desk.main
    desk.git.run("update-ref", TAG, target)
    return desk.verify(named=desk.main)


def tag_missing(desk: Desk) -> Finding:
    desk.git.run("update-ref", "-d", TAG)
    return desk.verify(named=desk.main)


def tag_of_nothing(desk: Desk) -> Finding:
    tag_again(desk, name="promotions/desk/2", ref="refs/tags/promotions/desk/2")
    return desk.verify()


def tag_older(desk: Desk) -> Finding:
    """Promotion 2's tag in the place of promotion 1's."""
    desk.git.run("update-ref", TAG, desk.git.resolve("refs/tags/promotions/desk/2") or "")
    return desk.verify()


# in the clone


def replace(clone: Path, *, old: str, new: str) -> None:
    git(clone, "update-ref", f"refs/replace/{old}", new)


def replaced(desk: Desk) -> Finding:
    """A replace ref shows an innocent commit where the evil one is; verify does not look through it."""
    innocent = desk.main
    bad = desk.git.commit_files([innocent], {"params.yaml": b"evil: 1\n"}, "Evil\n")
    good = desk.git.commit_files([innocent], {"docs/a.md": b"a\n"}, "Docs\n")
    desk.git.run("update-ref", "refs/heads/kept", good)
    move_main(desk, bad)
    return desk.verify(named=bad, prepare=partial(replace, old=bad, new=good))


def replaced_the_other_way(desk: Desk) -> Finding:
    """A replace ref in the auditor's clone changes nothing of an honest history."""
    bad = desk.git.commit_files([desk.main], {"params.yaml": b"evil: 1\n"}, "Evil\n")
    desk.git.run("update-ref", "refs/heads/kept", bad)
    return desk.verify(prepare=partial(replace, old=desk.main, new=bad))


def grafted(desk: Desk) -> Finding:
    """A graft cuts the evil commit out of the history that git would show."""
    before = desk.main
    bad = desk.git.commit_files([before], {"params.yaml": b"evil: 1\n"}, "Evil\n")
    after = desk.git.commit_files([bad], {"params.yaml": None}, "Clean\n")
    move_main(desk, after)

    def graft(clone: Path) -> None:
        (clone / ".git" / "info" / "grafts").write_text(f"{after} {before}\n")

    return desk.verify(named=bad, prepare=graft)


def shallow(desk: Desk) -> Finding:
    """A shallow file makes a later commit look like the first."""

    def cut(clone: Path) -> None:
        (clone / ".git" / "shallow").write_text(git(clone, "rev-parse", "HEAD") + "\n")

    return desk.verify(named=desk.main, prepare=cut)


def hostile_configuration(clone: Path) -> None:
    """Whatever a local configuration may run or hide."""
    trap = clone / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {clone / 'sprung'}\n")
    trap.chmod(0o755)
    for name in ("core.fsmonitor", "core.sshCommand", "gpg.ssh.program", "core.pager", "diff.external", "core.editor"):
        git(clone, "config", name, str(trap))
    git(clone, "config", "core.hooksPath", str(clone))
    git(clone, "config", "gpg.ssh.allowedSignersFile", "/dev/null")
    git(clone, "config", "core.useReplaceRefs", "true")
    git(clone, "config", "alias.cat-file", f"!{trap}")
    (clone / ".gitattributes").write_text("* filter=evil diff=evil merge=ours\n")
    git(clone, "config", "filter.evil.smudge", str(trap))


def hostile_clone(desk: Desk) -> Finding:
    """The clone's own configuration and attributes are hostile; nothing of it runs, and nothing of it decides."""
    found = desk.verify(prepare=hostile_configuration)
    if (desk.path / "clone" / "sprung").exists():
        raise AssertionError("verify ran a program that the clone's configuration names")
    return found


def hostile_clone_of_evil(desk: Desk) -> Finding:
    bad = desk.git.commit_files([desk.main], {"params.yaml": b"evil: 1\n"}, "Evil\n")
    move_main(desk, bad)
    return desk.verify(named=bad, prepare=hostile_configuration)


# honest


def honest(desk: Desk) -> Finding:
    return desk.verify()


def dirty_tree(desk: Desk) -> Finding:
    """What lies in the work tree is not what was merged, and is not looked at."""

    def scribble(clone: Path) -> None:
        (clone / "policy" / "trust.yaml").write_text("version: 99\n")

    return desk.verify(prepare=scribble)


def revoked_later(desk: Desk) -> Finding:
    """Bob's key is revoked after the merge; the receipt that was given before stands."""
    move_main(desk, carried(desk, _revocation(desk), people=("carol",)))
    return desk.verify()


def _revocation(desk: Desk) -> dict[str, bytes]:
    files = desk.policy(version=2, revoked=desk.key("bob").public_key.encode() + b"\n")
    return {path: files[path] for path in ("policy/revoked", "policy/trust.yaml")}


def reconciled(desk: Desk) -> Finding:
    """A tag that was lost is written again from the receipt."""
    desk.git.run("update-ref", "-d", TAG)
    desk.reconcile(now=clock())
    return desk.verify()


EASIER = {"clusters/desk/cluster.yaml": dump({**CLUSTER, "human_floor": 0.0})}
OTHERS = {
    "commit": "0" * 40,
    "sequence": 2,
    "cluster": "other",
    "policy_version": 7,
    "policy_sha256": "0" * 64,
    "resource_uri": "example/other@refs/heads/main",
    "verifier": "other",
}
CASES = (
    passes("clone-honest", "A fresh clone of an honest history.", honest, start="twice"),
    passes("clone-dirty", "A clone whose work tree was scribbled in.", dirty_tree, start="promoted"),
    passes(
        "clone-replaced", "A replace ref in the clone of an honest history.", replaced_the_other_way, start="promoted"
    ),
    passes(
        "clone-configuration",
        "A hostile configuration in the clone of an honest history.",
        hostile_clone,
        start="promoted",
    ),
    passes("key-revoked-later", "A key is revoked; what was merged before stands.", revoked_later, start="promoted"),
    passes("tag-reconciled", "A lost tag is written again.", reconciled, start="promoted"),
    passes("merges-of-one-second", "Two merges have one date.", merge_dated_alike, start="promoted"),
    passes("receipt-after-the-next-merge", "A receipt comes later than the merge after it was made.", receipt_late),
    Case(
        "admin-dates-a-merge-back",
        "An approval that ran out, and a merge dated to when it held.",
        "1.2 date",
        merge_dated_back,
        "promoted",
    ),
    Case(
        "admin-merges-under-an-old-receipt",
        "An approval that ran out before the last receipt, and a merge dated to when it held.",
        "7.3 time",
        dated_before_the_receipt,
        says="holds from",
    ),
    Case("admin-switches-the-hook-off", "A promotion with one approval is merged without the gate.", STEP, hook_off),
    Case(
        "admin-writes-a-promotion",
        "A record straight on main.",
        STEP,
        partial(past_the_gate, files={"clusters/desk/promotions/2/record.yaml": b"x: 1\n"}),
        "promoted",
    ),
    Case(
        "admin-edits-evidence",
        "Evidence of a merged promotion is edited on main.",
        "2.2 operations",
        partial(past_the_gate, files={f"{EVIDENCE}lineage.json": b"{}"}),
        "promoted",
    ),
    Case(
        "admin-edits-code",
        "Code straight on main.",
        "7 quorum",
        partial(past_the_gate, files={"runner/rules/trust/gate.py": b"evil"}),
        "promoted",
    ),
    Case(
        "admin-lowers-a-threshold",
        "A limit straight on main.",
        "7 quorum",
        partial(past_the_gate, files=EASIER),
        "promoted",
    ),
    Case("admin-swaps-the-policy", "A weaker policy straight on main.", "7 quorum", policy_swapped, "promoted"),
    Case(
        "gate-key-signs-what-it-should-not",
        "A receipt and a tag by the gate's key for an unapproved merge.",
        "7 quorum",
        unapproved_with_receipt,
        "promoted",
    ),
    Case("admin-rewinds-main", "A promotion is taken out of main.", STEP, main_rewound, "promoted"),
    Case("admin-begins-anew", "Main's history is thrown away, its files kept.", ROOT, main_begun_anew, "promoted"),
    Case("root-unpinned", "Another root of trust than the auditor was told.", ROOT, root_of_another, "promoted"),
    Case("receipt-missing", "The receipt is taken out of the ledger.", STEP, receipt_missing, "promoted"),
    Case("ledger-missing", "The ledger is deleted at the server.", STEP, ledger_missing, "promoted"),
    Case("ledger-rewritten", "An old entry names another adapter.", "verify", ledger_rewritten, "promoted"),
    Case(
        "receipt-by-another-key",
        "A stranger signs the receipt.",
        "verify",
        partial(receipted, key="mallory"),
        "promoted",
    ),
    Case("receipt-by-an-approver", "Alice signs the receipt.", "verify", partial(receipted, key="alice"), "promoted"),
    Case(
        "receipt-for-another-purpose",
        "The gate's signature was made for the ledger.",
        "verify",
        partial(receipted, namespace=Namespace.LEDGER),
        "promoted",
    ),
    *(
        Case(
            f"receipt-of-another-{what.replace('_', '-')}",
            f"The receipt is of another {what.replace('_', ' ')}.",
            STEP,
            partial(receipted, **{what: value}),
            "promoted",
        )
        for what, value in OTHERS.items()
    ),
    Case(
        "receipt-of-another-time",
        "The receipt says that it was given when nobody had signed yet.",
        "7.3 time",
        partial(receipted, time_verified="2020-01-01T00:00:00Z"),
        "promoted",
    ),
    Case(
        "receipt-entry-of-another-adapter",
        "The entry around the receipt names another adapter.",
        STEP,
        partial(receipt_entry, outputs={"adapter": "0" * 64}),
        "promoted",
    ),
    Case("receipt-emptied", "The entry's receipt is empty.", "verify", partial(receipt_entry, receipt={}), "promoted"),
    Case("tag-missing", "The tag is deleted at the server.", STEP, tag_missing, "promoted"),
    Case("tag-unsigned", "A bare ref in the signed tag's place.", STEP, tag_points, "promoted"),
    Case("tag-to-another-commit", "The tag names another commit.", STEP, partial(tag_points, back=1), "promoted"),
    Case("tag-by-another-key", "A stranger signs the tag.", STEP, partial(tagged, key="mallory"), "promoted"),
    Case(
        "tag-of-another-name",
        "The tag object says another name.",
        STEP,
        partial(tagged, name="promotions/desk/7"),
        "promoted",
    ),
    Case("tag-of-another-promotion", "One promotion's tag in another one's place.", STEP, tag_older, "twice"),
    Case("tag-of-nothing", "A signed tag of a promotion that main does not have.", STEP, tag_of_nothing, "promoted"),
    Case("clone-replaced-evil", "A replace ref hides an evil commit.", "7 quorum", replaced, "promoted"),
    Case("clone-grafted", "A graft cuts an evil commit out of the history.", "7 quorum", grafted, "promoted"),
    Case("clone-shallow", "A shallow file makes the last commit the first.", ROOT, shallow, "promoted"),
    Case(
        "clone-configuration-evil",
        "A hostile configuration in the clone of an evil history.",
        "7 quorum",
        hostile_clone_of_evil,
        "promoted",
    ),
)
