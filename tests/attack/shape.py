"""Steps 1 to 5: how main moves, what a merge may touch, and that it is what was signed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial

from runner.edges.yaml_dump import dump
from runner.records.change import File
from runner.rules.trust.change import MAX_FILE, MAX_FILES
from tests.attack.case import Case, Finding, passes
from tests.attack.desk import Desk
from tests.attack.forgery import (
    APPROVALS,
    BRANCH,
    EVIDENCE,
    HOME,
    alone,
    blind,
    carried,
    dated,
    forge,
    merged,
    restart,
    rewritten,
    squashed,
    with_entry,
)
from tests.promotion_fixture import CHANGES, CLUSTER

ONE, SEQUENCE, MANIFEST, NET = "1.1 parent", "3.1 number", "4.1 digest", "5 net paths"
CLASS, OPERATIONS, REGULAR, NAMES = "2.1 one class", "2.2 operations", "2.3 regular files", "2.4 safe names"
SIZES, FROZEN = "2.5 size caps", "2.6 frozen sets"
DATE = "1.2 date"
WORKFLOW, GATE = ".github/workflows/ci.yml", "runner/rules/trust/gate.py"
EASIER = {"clusters/desk/cluster.yaml": dump({**CLUSTER, "human_floor": 0.0})}


# 1: how main moves


def tip(desk: Desk) -> str:
    return desk.git.resolve(BRANCH) or ""


def rebased(desk: Desk) -> Finding:
    return desk.gate(tip(desk))


def swapped_parents(desk: Desk) -> Finding:
    return desk.gate(desk.git.commit_files([tip(desk), desk.main], {}, "Swapped\n", base=tip(desk)))


def unrelated(desk: Desk) -> Finding:
    return desk.gate(desk.git.commit_files([], {"README.md": b"# new\n"}, "New history\n", base=desk.main))


def two_steps(desk: Desk) -> Finding:
    first = desk.git.commit_files([desk.main], {"README.md": b"# 1\n"}, "One\n")
    return desk.gate(desk.git.commit_files([first], {"README.md": b"# 2\n"}, "Two\n"))


def rewound(desk: Desk) -> Finding:
    before = desk.git.commit(desk.main).parents[0]
    return desk.push({"refs/heads/main": before})


def forced(desk: Desk) -> Finding:
    """Another first promotion commit in the place of the one that was merged."""
    before = desk.git.commit(desk.main).parents[0]
    return desk.push({"refs/heads/main": desk.git.commit_files([before], {"README.md": b"# mine\n"}, "Mine\n")})


def docs_dated(desk: Desk, **later: float) -> Finding:
    """Docs, which nobody signs, with another date than now."""
    seconds = int(time.time() + timedelta(**later).total_seconds())
    return desk.gate(dated(desk, desk.git.commit_files([desk.main], {"docs/a.md": b"a\n"}, "Docs\n"), str(seconds)))


def octopus(desk: Desk, other: dict[str, bytes | None]) -> Finding:
    """Three parents: main, the promotion, and a commit of which the merge keeps nothing (or its work)."""
    aside = desk.git.commit_files([desk.main], other, "Aside\n")
    kept = desk.merge()
    return desk.gate(desk.git.commit_files([desk.main, tip(desk), aside], {}, "Octopus\n", base=kept))


# 2: what a merge may touch


def odd(desk: Desk, path: str, *, mode: str = "100644", data: bytes = b"x") -> Finding:
    """A docs change, which needs nobody's signature, with one odd entry."""
    return alone(desk, {"docs/a.md": b"a\n", path: File(mode, desk.git.write("blob", data))})


def submodule(desk: Desk) -> Finding:
    return alone(desk, {"docs/sub": File("160000", desk.main)})


def top_entry(desk: Desk, name: bytes, *, mode: str = "100644") -> Finding:
    change = desk.git.commit_files([desk.main], {"README.md": b"# better\n"}, "Docs\n")
    blob = desk.git.write("blob", b"[core]\n\tfsmonitor = ./evil\n")
    return desk.gate(with_entry(desk, change, mode, name, blob))


def git_directory(desk: Desk, name: bytes) -> Finding:
    """A directory that a clone on some file systems would take for its own repository."""
    inner = desk.git.commit_files([], {"config": b"[core]\n\tfsmonitor = ./evil\n"}, "x\n")
    change = desk.git.commit_files([desk.main], {"README.md": b"# better\n"}, "Docs\n")
    return desk.gate(with_entry(desk, change, "40000", name, desk.git.commit(inner).tree))


def too_many(desk: Desk) -> Finding:
    blob = desk.git.write("blob", b"x")
    return alone(desk, {f"docs/{at}.md": File("100644", blob) for at in range(MAX_FILES + 1)})


def twins_over_time(desk: Desk) -> Finding:
    """One name is there already; the merge adds its twin."""
    desk.land(desk.git.commit_files([desk.main], {"docs/Guide.md": b"x"}, "Docs\n"))
    return alone(desk, {"docs/guide.md": b"y"})


def evil_merge(desk: Desk, extra: dict[str, bytes | None]) -> Finding:
    return merged(desk, extra)


def smuggled(desk: Desk, extra: dict[str, bytes]) -> Finding:
    """The promotion's own commit brings it along, so that its review shows it among fifteen evidence files."""
    files = {**desk.records["files"], **extra}
    restart(desk)
    desk.put(files)
    return merged(desk)


def weakened(desk: Desk) -> Finding:
    weak = {**CHANGES, "promotion": [{"role": "approver", "people": 1}]}
    return evil_merge(desk, dict(desk.policy(version=2, changes=weak)))


def held_out(desk: Desk, change: dict[str, bytes | None]) -> Finding:
    """The owner signs it, and the benchmark version stays."""
    return desk.gate(carried(desk, change, people=("alice",)))


def signed(
    desk: Desk, change: dict[str, bytes | None], *, people: tuple[str, ...] = ("alice",), by: str = "dave"
) -> Finding:
    return desk.gate(carried(desk, change, by=by, people=people))


def second_edit(desk: Desk, first: dict[str, bytes], then: dict[str, bytes | None]) -> Finding:
    desk.land(desk.git.commit_files([desk.main], first, "First\n"))
    return alone(desk, then)


# 3: sequence


def other_sequence(desk: Desk, sequence: int) -> Finding:
    files = desk.staged(replace(desk.records["staging"], sequence=sequence))
    desk.propose(files, sequence=sequence)
    blind(desk, "alice", "bob", branch=f"refs/heads/promote/desk/{sequence}")
    return desk.gate(desk.merge(sequence=sequence))


def record_of_another(desk: Desk, words: Mapping[bytes, bytes]) -> Finding:
    files, path = dict(desk.records["files"]), f"{HOME}record.yaml"
    for old, new in words.items():
        files[path] = files[path].replace(old, new, 1)
    return forge(desk, files)


def approved_afterwards(desk: Desk) -> Finding:
    """A third approval is put beside a promotion that was merged with two."""
    envelope = desk.git.read(desk.main, f"{APPROVALS}alice.dsse.json")
    return alone(desk, {f"{APPROVALS}carol.dsse.json": envelope})


# 4 and 5: what was signed, and what the branch did on the way


def altered_record(desk: Desk) -> Finding:
    data = desk.records["files"][f"{HOME}record.yaml"]
    return squashed(desk, {f"{HOME}record.yaml": data.replace(b"human_share: 0.75", b"human_share: 0.85")})


def mode_changed(desk: Desk) -> Finding:
    blob = desk.git.write("blob", desk.records["files"][f"{EVIDENCE}lineage.json"])
    return squashed(desk, {f"{EVIDENCE}lineage.json": File("100755", blob)})


def approval_elsewhere(desk: Desk) -> Finding:
    """An approval that belongs to another manifest comes along with a signed change."""
    other = f"policy/approvals/{'0' * 64}/alice.dsse.json"
    return desk.gate(carried(desk, {"params.yaml": b"x: 1\n", other: b"{}"}, people=("carol",), by="dave"))


def cancelled_commits(desk: Desk) -> Finding:
    desk.put({GATE: b"evil"})
    desk.put({GATE: None})
    return merged(desk)


def cancelled_merges(desk: Desk) -> Finding:
    """Two evil merges inside the branch: one brings a file, the other takes it away. No commit's own diff shows it."""
    before = tip(desk)
    evil = desk.git.commit_files([before, desk.main], {GATE: b"evil"}, "Merge main\n", base=before)
    good = desk.git.commit_files([evil, desk.main], {GATE: None}, "Merge main\n", base=evil)
    desk.git.move({BRANCH: (good, before)})
    return merged(desk)


def merged_main(desk: Desk) -> Finding:
    """The branch merges main, as forges' buttons do; nothing is hidden in that."""
    desk.land(desk.git.commit_files([desk.main], {"README.md": b"# better\n"}, "Docs\n"))
    before = tip(desk)
    both = desk.git.commit_files([before, desk.main], {"README.md": b"# better\n"}, "Merge main\n", base=before)
    desk.git.move({BRANCH: (both, before)})
    return merged(desk)


def no_tree_change(desk: Desk) -> Finding:
    return desk.gate(rewritten(desk, desk.git.commit_files([desk.main], {}, "Nothing\n"), lambda data: data))


HELD = "scenarios/desk/heldout/heldout-00.yaml"
TRIAGE = "clusters/desk/triage/it-1.yaml"
CASES = (
    passes("branch-merged-main", "The branch merges main before it is merged.", merged_main),
    passes(
        "docs-alone", "A change of docs, which the policy asks nobody for.", partial(alone, files={"docs/a.md": b"x"})
    ),
    passes("octopus-that-hides-nothing", "Three parents, each wholly in the merge.", partial(octopus, other={})),
    passes(
        "code-signed",
        "A change of the program, approved by an engineer.",
        partial(signed, change={"params.yaml": b"x: 1\n"}, by="ci", people=("dave",)),
    ),
    passes(
        "data-added",
        "New training data, for which the policy asks nobody.",
        partial(alone, files={"clusters/desk/data/gold.dvc": b"outs: []\n"}),
    ),
    Case("rebase", "Several commits put on main, one after another.", ONE, rebased),
    Case("two-steps", "Two commits of docs pushed at once.", ONE, two_steps),
    Case("parents-swapped", "Main is the second parent of the merge.", ONE, swapped_parents),
    passes("date-a-little-ahead", "A merge from a machine a minute fast.", partial(docs_dated, minutes=1)),
    Case("date-before-main", "A commit dated before main's tip.", DATE, partial(docs_dated, days=-1)),
    Case("date-to-come", "A date in ten years, after which nobody could merge.", DATE, partial(docs_dated, days=3650)),
    Case("history-unrelated", "A root commit in main's place.", ONE, unrelated),
    Case("main-rewound", "Main is pushed back by force.", ONE, rewound, "promoted"),
    Case("main-forced", "Another commit is pushed in the place of the last one.", ONE, forced, "promoted"),
    Case(
        "octopus-evil",
        "A third parent with a commit that the merge hides.",
        NET,
        partial(octopus, other={GATE: b"evil"}),
    ),
    Case("symlink", "A symbolic link.", REGULAR, partial(odd, path="docs/link.md", mode="120000", data=b"/etc/passwd")),
    Case("submodule", "Another repository's commit.", REGULAR, submodule),
    Case(
        "name-leading-dash",
        "A file name that a program would take for an option.",
        NAMES,
        partial(odd, path="docs/-rf.md"),
    ),
    Case("name-control-character", "A newline in a file name.", NAMES, partial(odd, path="docs/a\nb.md")),
    Case(
        "name-homoglyph",
        "A Cyrillic letter in a cluster's name.",
        NAMES,
        partial(odd, path="clusters/d\u0435sk/problem.md"),
    ),
    Case("name-not-utf8", "A file name that is no text.", NAMES, partial(top_entry, name=b"a\xff.md")),
    Case("name-dot-dot", "A file named `..`.", NAMES, partial(top_entry, name=b".."), says="no name"),
    Case("name-dot-git", "A directory named `.GIT`.", NAMES, partial(git_directory, name=b".GIT")),
    Case("name-too-long", "A path of more than 200 characters.", NAMES, partial(odd, path=f"docs/{'a' * 200}.md")),
    Case(
        "name-twice",
        "A tree that names README.md twice.",
        NAMES,
        partial(top_entry, name=b"README.md"),
        says="twice",
    ),
    Case(
        "case-twins",
        "Two names that differ only in case.",
        NAMES,
        partial(alone, files={"docs/a.md": b"x", "docs/A.md": b"y"}),
    ),
    Case("case-twin-of-what-is-there", "A name that differs only in case from one on main.", NAMES, twins_over_time),
    Case("class-none", "A file that belongs to no class.", CLASS, partial(odd, path="evil.sh")),
    Case("change-empty", "A commit that changes nothing.", CLASS, no_tree_change),
    Case(
        "file-too-large",
        "A file over the limit.",
        SIZES,
        partial(odd, path="docs/large.md", data=b"x" * (MAX_FILE + 1)),
    ),
    Case("files-too-many", "More files than a merge may change.", SIZES, too_many),
    Case(
        "classes-two",
        "Docs and the pipeline in one push.",
        CLASS,
        partial(alone, files={"README.md": b"x", "params.yaml": b"x: 1\n"}),
    ),
    Case(
        "promotions-two",
        "Two promotions in one push.",
        CLASS,
        partial(squashed, change={"clusters/desk/promotions/2/record.yaml": b"x: 1\n"}),
    ),
    Case("policy-with-promotion", "The merge also asks for one approver from now on.", CLASS, weakened),
    Case(
        "threshold-with-promotion",
        "The merge lowers the floor that it is judged by.",
        CLASS,
        partial(evil_merge, extra=EASIER),
    ),
    Case(
        "workflow-with-promotion",
        "The branch brings a workflow among its evidence.",
        CLASS,
        partial(smuggled, extra={WORKFLOW: b"on: push\n"}),
    ),
    Case(
        "gate-with-promotion",
        "The evil merge edits the gate itself.",
        CLASS,
        partial(evil_merge, extra={GATE: b"evil"}),
    ),
    Case(
        "scenario-with-promotion",
        "The merge drops a scenario that the candidate fails.",
        CLASS,
        partial(evil_merge, extra={HELD: None}),
    ),
    Case(
        "promotion-strange-file",
        "A script among a promotion's files.",
        CLASS,
        partial(smuggled, extra={f"{HOME}run.sh": b"x"}),
    ),
    Case(
        "promotion-nested-file",
        "Evidence in a directory of its own.",
        CLASS,
        partial(smuggled, extra={f"{EVIDENCE}a/b.json": b"{}"}),
    ),
    Case(
        "promotion-rewritten",
        "Evidence of a merged promotion is edited.",
        OPERATIONS,
        partial(alone, files={f"{EVIDENCE}lineage.json": b"{}"}),
        "promoted",
    ),
    Case(
        "promotion-deleted",
        "The record of a merged promotion is deleted.",
        OPERATIONS,
        partial(alone, files={f"{HOME}record.yaml": None}),
        "promoted",
    ),
    Case(
        "approval-rewritten",
        "An approval of a merged promotion is edited.",
        OPERATIONS,
        partial(alone, files={f"{APPROVALS}bob.dsse.json": b"{}"}),
        "promoted",
    ),
    Case(
        "heldout-dropped",
        "A frozen scenario goes, with the owner's signature.",
        FROZEN,
        partial(held_out, change={HELD: None}),
    ),
    Case(
        "heldout-eased",
        "A frozen scenario is edited, with the owner's signature.",
        FROZEN,
        partial(held_out, change={HELD: b"id: easier\n"}),
    ),
    Case(
        "heldout-padded",
        "An easy scenario joins the frozen set.",
        FROZEN,
        partial(held_out, change={"scenarios/desk/heldout/easy.yaml": b"id: easy\n"}),
    ),
    Case(
        "data-deleted",
        "Training data that was used is deleted.",
        OPERATIONS,
        partial(second_edit, first={"clusters/desk/data/gold.dvc": b"x"}, then={"clusters/desk/data/gold.dvc": None}),
    ),
    Case(
        "triage-rewritten",
        "People's decisions are edited afterwards.",
        OPERATIONS,
        partial(second_edit, first={TRIAGE: b"a: 1\n"}, then={TRIAGE: b"a: 2\n"}),
    ),
    Case(
        "policy-file-deleted",
        "The revocation file is deleted.",
        OPERATIONS,
        partial(alone, files={"policy/revoked": None}),
    ),
    Case("sequence-gap", "Promotion 3 follows none.", SEQUENCE, partial(other_sequence, sequence=3), "root"),
    Case(
        "sequence-of-record",
        "The record is of another sequence than its place.",
        SEQUENCE,
        partial(record_of_another, words={b"sequence: 1": b"sequence: 2"}),
    ),
    Case(
        "record-of-another-cluster",
        "The record is of another cluster than its place.",
        SEQUENCE,
        partial(record_of_another, words={b"cluster: desk": b"cluster: other", b"runs/desk/": b"runs/other/"}),
    ),
    Case(
        "approval-afterwards",
        "An approval is added to a promotion that was merged.",
        "6.1 files",
        approved_afterwards,
        "promoted",
    ),
    Case(
        "evidence-byte-altered",
        "One byte of evidence, after signing.",
        MANIFEST,
        partial(squashed, change={f"{EVIDENCE}lineage.json": b'{"nodes":[] }'}),
    ),
    Case("record-altered", "A figure in the record, after signing.", MANIFEST, altered_record),
    Case("mode-altered", "Evidence made executable, after signing.", MANIFEST, mode_changed),
    Case(
        "file-added-after-signing",
        "The evil merge adds a file of evidence.",
        MANIFEST,
        partial(evil_merge, extra={f"{EVIDENCE}extra.json": b"{}"}),
    ),
    Case(
        "file-removed-after-signing",
        "The merge leaves the risks out.",
        MANIFEST,
        partial(evil_merge, extra={f"{EVIDENCE}risks.json": None}),
    ),
    Case(
        "approval-of-another-change", "An approval of something else comes along.", "4.2 approvals", approval_elsewhere
    ),
    Case("commits-that-cancel", "A commit edits the gate, the next one undoes it.", NET, cancelled_commits),
    Case("evil-merges-that-cancel", "An evil merge edits the gate, another one undoes it.", NET, cancelled_merges),
    Case(
        "code-unsigned",
        "A change of the program that nobody signed.",
        "7 quorum",
        partial(alone, files={GATE: b"evil"}),
    ),
    Case("benchmark-unsigned", "A change of a limit that nobody signed.", "7 quorum", partial(alone, files=EASIER)),
    Case(
        "benchmark-signed-by-engineer",
        "Only somebody without the owner's role signed.",
        "7 quorum",
        partial(signed, change=EASIER, by="ci", people=("dave",)),
    ),
)
