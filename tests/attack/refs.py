"""What the hook of a bare server says of every other ref: ledger, tags, replacements, promotion branches."""

from __future__ import annotations

from functools import partial

from runner.edges.ledger_store import LEDGER, GitLedgerStore, entry_bytes, entry_path
from runner.ledger import History
from runner.records.ledger import Entry, EntryKind
from tests.attack.case import Case, Finding, passes
from tests.attack.desk import Desk
from tests.attack.forgery import BRANCH
from tests.promotion_fixture import MAIN

STEP = "refs"
TAG = "refs/tags/promotions/desk/1"
ENTRY = "desk/00000005.json"


def deleted(desk: Desk, ref: str) -> Finding:
    return desk.push({ref: ""})


def ledger(desk: Desk) -> str:
    return desk.git.resolve(LEDGER) or ""


def appended(desk: Desk, **fields: object) -> Finding:
    """One more entry, made as the ledger store would."""
    store = GitLedgerStore(desk.origin, remote=None)
    history = History.from_entries("desk", store.read("desk"))
    entry = Entry.model_validate(
        {"cluster": "desk", "sequence": history.size + 1, "previous": history.head, "kind": EntryKind.QUEUED, **fields}
    )
    files = {entry_path(entry): entry_bytes(entry)}
    return desk.push({LEDGER: desk.git.commit_files([ledger(desk)], files, "Append\n")})


def rewritten_entry(desk: Desk) -> Finding:
    data = desk.git.read(ledger(desk), ENTRY).replace(b'"pass"', b'"wait"', 1)
    return desk.push({LEDGER: desk.git.commit_files([ledger(desk)], {ENTRY: data}, "Edit\n")})


def dropped_entry(desk: Desk) -> Finding:
    last = max(desk.git.files(ledger(desk), "desk"))
    return desk.push({LEDGER: desk.git.commit_files([ledger(desk)], {last: None}, "Forget\n")})


def ledger_rewound(desk: Desk) -> Finding:
    return desk.push({LEDGER: desk.git.commit(ledger(desk)).parents[0]})


def ledger_anew(desk: Desk) -> Finding:
    """A ledger of the same entries without its history: what a rewrite would begin with."""
    return desk.push({LEDGER: desk.git.commit_files([], {}, "Anew\n", base=ledger(desk))})


def stray_file(desk: Desk) -> Finding:
    return desk.push({LEDGER: desk.git.commit_files([ledger(desk)], {"desk/notes.txt": b"x"}, "Notes\n")})


def tagged(desk: Desk, ref: str) -> Finding:
    return desk.push({ref: desk.main})


def tag_moved(desk: Desk) -> Finding:
    return desk.push({TAG: desk.git.commit(desk.main).parents[0]})


def replaced(desk: Desk) -> Finding:
    other = desk.git.commit_files([desk.main], {}, "Another\n")
    return desk.push({f"refs/replace/{desk.main}": other})


def branch_rewound(desk: Desk) -> Finding:
    return desk.push({BRANCH: desk.git.commit(desk.git.resolve(BRANCH) or "").parents[0]})


def with_tag(desk: Desk) -> Finding:
    """An honest merge and a forged tag in one push: all or none."""
    return desk.push({MAIN: desk.merge(), "refs/tags/promotions/desk/2": desk.main})


def first_push(desk: Desk, root: str) -> Finding:
    """An empty server is given its first commit."""
    first = desk.main
    desk.git.run("update-ref", "-d", MAIN)
    return desk.push({MAIN: first}, root=root)


def unsigned_push(desk: Desk) -> Finding:
    return desk.push({MAIN: desk.git.commit_files([desk.main], {"params.yaml": b"x: 1\n"}, "Sneak\n")})


RECEIPT = {"kind": EntryKind.RECEIPT, "iteration": "it-1", "promotion": 1, "receipt": {"payload": "", "signatures": []}}
CASES = (
    passes("push-merge", "The honest merge, pushed.", lambda d: d.push({MAIN: d.merge()})),
    passes("push-ledger-entry", "A new iteration is queued.", partial(appended, iteration="it-2")),
    passes("push-branch", "A branch of no consequence.", lambda d: d.push({"refs/heads/idea": d.main})),
    Case("push-unsigned", "A change of code, pushed to main by itself.", "7 quorum", unsigned_push),
    Case("main-deleted", "Main is deleted.", STEP, partial(deleted, ref=MAIN)),
    Case(
        "root-of-another",
        "The first push is not the pinned root of trust.",
        "0 root",
        partial(first_push, root="0" * 64),
        "root",
    ),
    Case("ledger-deleted", "The ledger is deleted.", STEP, partial(deleted, ref=LEDGER)),
    Case("ledger-rewound", "The ledger is pushed back.", STEP, ledger_rewound, "promoted"),
    Case("ledger-begun-anew", "A ledger without its history.", STEP, ledger_anew),
    Case("ledger-entry-edited", "An entry's verdict is edited.", STEP, rewritten_entry),
    Case("ledger-entry-dropped", "The last entry goes.", STEP, dropped_entry),
    Case(
        "ledger-entry-out-of-order",
        "A phase that is not the next one.",
        STEP,
        partial(appended, kind=EntryKind.PHASE, iteration="it-9", phase="bundle"),
    ),
    Case(
        "ledger-entry-off-the-chain",
        "An entry that names another one before it.",
        STEP,
        partial(appended, iteration="it-2", previous="0" * 64),
    ),
    Case("ledger-receipt-forged", "A receipt that the gate did not write.", STEP, partial(appended, **RECEIPT)),
    Case("ledger-stray-file", "A file in the ledger that is no entry.", STEP, stray_file),
    Case("tag-forged", "A promotion's tag, pushed by hand.", STEP, partial(tagged, ref="refs/tags/promotions/desk/9")),
    Case("tag-moved", "A promotion's tag is moved.", STEP, tag_moved, "promoted"),
    Case("tag-deleted", "A promotion's tag is deleted.", STEP, partial(deleted, ref=TAG), "promoted"),
    Case("tag-beside-a-merge", "An honest merge and a forged tag in one push.", STEP, with_tag),
    Case("replace-pushed", "A replace ref, which changes what git shows.", STEP, replaced),
    Case("promotion-branch-rewound", "The branch is pushed back, past its approvals.", STEP, branch_rewound),
    Case("promotion-branch-deleted", "The branch is deleted, with its decisions.", STEP, partial(deleted, ref=BRANCH)),
)
