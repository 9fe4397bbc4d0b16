"""Which promotion a hand-off is about, as promotions come and go; and rule 6.9 where the program is newer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from runner.errors import RecordError, VerificationError
from runner.promotion.handoff import HandedOver, background, handed_over
from runner.promotion.verify import verify
from runner.records.evidence import GENERATED, EvidenceFile
from runner.records.promotion import PromotionRecord
from runner.rules.handoff import document
from runner.rules.handoff.facts import Background
from runner.rules.trust import generated
from runner.rules.trust.generated import generated_problems
from tests.attack.desk import STARTS, Desk, make_starts
from tests.attack.forgery import blind

HOME = "clusters/desk/promotions/1/evidence/"


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Desk]:
    return make_starts(tmp_path_factory.mktemp("starts"), {name: STARTS[name] for name in ("root", "twice")})


@pytest.fixture
def twice(begun: dict[str, Desk], tmp_path: Path) -> Desk:
    return begun["twice"].copy(tmp_path / "desk")


def shown(desk: Desk, sequence: int | None = None) -> HandedOver:
    return handed_over(desk.sources(), desk.main, "desk", sequence)


def since(found: HandedOver) -> str:
    return found.document.split("\n## Since then\n")[1]


def roll_back(desk: Desk, to: int) -> None:
    desk.rollback(to)
    branch = "refs/heads/promote/desk/3"
    blind(desk, "carol", branch=branch)
    desk.land(desk.merge(branch=branch))


def test_it_is_about_what_serves(twice: Desk) -> None:
    found = shown(twice)
    assert (found.record.sequence, found.signed, tuple(found.files)) == (2, True, GENERATED)
    assert since(found).strip() == "Nothing: it is the last promotion."
    assert "The desk owns `capability:refund`." in found.document
    assert "- **Licence of the adapters:** Apache-2.0\n" in found.document
    assert "- **Languages:** *not stated*\n" in found.document
    first = shown(twice, 1)
    assert first.record.sequence == 1
    assert since(first).count("\n| 2 | promotion | production |") == 1
    assert "| 1 | promotion | production |" in found.document.split("### Promotion history")[1]


def test_a_rollback_leads_to_the_promotion_that_brought_the_adapter(twice: Desk) -> None:
    roll_back(twice, 1)
    found = shown(twice)
    assert found.record.sequence == 1
    assert shown(twice, 3).document == found.document
    assert "| 3 | rollback to 1 | production |" in since(found)


def test_the_bare_base_has_no_hand_off(twice: Desk) -> None:
    roll_back(twice, 0)
    for sequence in (None, 3):
        with pytest.raises(RecordError, match="desk/3 went back to the bare base"):
            shown(twice, sequence)
    assert shown(twice, 2).record.sequence == 2


def test_a_cluster_without_promotions_says_so(begun: dict[str, Desk], tmp_path: Path) -> None:
    desk = begun["root"].copy(tmp_path / "desk")
    with pytest.raises(RecordError, match=r"desk has no promotion \(promotions: none yet\)"):
        shown(desk)


def test_of_older_evidence_it_is_made_now(begun: dict[str, Desk], tmp_path: Path) -> None:
    desk = begun["root"].copy(tmp_path / "desk")
    staging = desk.records["staging"]
    kept = {name: data for name, data in staging.evidence.items() if name not in GENERATED}
    desk.propose(desk.staged(replace(staging, evidence=kept)), check=True)
    desk.approve("alice", "bob")
    desk.promote()
    found = shown(desk)
    assert not found.signed
    assert "nobody signed these words" in found.document
    assert {name: found.files[name] for name in GENERATED} == {name: staging.evidence[name] for name in GENERATED}


def test_evidence_that_an_administrator_changed_is_not_shown(twice: Desk) -> None:
    path = f"{HOME}{EvidenceFile.HANDOFF}"
    twice.land(twice.git.commit_files([twice.main], {path: b"<!-- hallmark-handoff 1 -->\nAll is well.\n"}, "Mend\n"))
    with pytest.raises(VerificationError, match=r"desk/1: evidence is not what record\.yaml names: handoff\.md"):
        shown(twice, 1)
    twice.land(twice.git.commit_files([twice.main], {f"{HOME}notes.md": b"All is well.\n"}, "Add\n"))
    with pytest.raises(VerificationError, match=r"record\.yaml names: handoff\.md, notes\.md$"):
        shown(twice, 1)


def test_what_was_merged_under_other_words_stays_valid(twice: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that words the hand-off otherwise counts its version on, and history holds."""
    newer = document.VERSION + 1
    for module in (document, generated):
        monkeypatch.setattr(module, "VERSION", newer)
    found = verify(twice.sources(adapters=False), tip=twice.main, root=twice.root_sha256)
    assert found.verdict.passed, found.verdict.reasons


def test_other_words_under_the_same_version_are_found(twice: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the test above rests on: without a new version, the gate holds history against the words."""
    monkeypatch.setattr(document, "SECTIONS", document.SECTIONS[:-1])
    found = verify(twice.sources(adapters=False), tip=twice.main, root=twice.root_sha256)
    (reason,) = found.verdict.reasons
    assert reason.problem.startswith("6.9 hand-off: evidence/handoff.md is not what the evidence, ")
    assert re.search(r" make of it: line \d+, which says '## [^']+', must not be there$", reason.problem), (
        reason.problem
    )


def brought(desk: Desk, sequence: int) -> tuple[PromotionRecord, dict[str, bytes], Background]:
    """A promotion with its evidence, and what else its hand-off was made of."""
    sources, home = desk.sources(), f"clusters/desk/promotions/{sequence}/evidence"
    record = sources.promotions(desk.main, "desk")[sequence]
    files = sources.objects.files(desk.main, home)
    evidence = {path.removeprefix(f"{home}/"): sources.objects.blob(file.blob) for path, file in files.items()}
    found = background(sources, desk.main, "desk", record.run.iteration)
    return record, evidence, found._replace(records={n: one for n, one in found.records.items() if n < sequence})


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda data: data.replace(b"\n## Pro", b"\r\n## Pro", 1), r"line \d+ says '\\r' and must say ''$"),
        (lambda data: data + b"\x1b[2J\xff\n", r"line \d+ says '\\x1b\[2J\\\\xff' and must say ''$"),
        (lambda data: data[: data.index(b"\n") + 1], r"line 3 is missing, and must say '# Hand-off of desk/2'$"),
        (
            lambda data: data.replace(b"## Known", b"## No", 1),
            r" '## No limitations' and must say '## Known limitations'$",
        ),
    ],
    ids=["a line's end", "what nobody sees", "cut off", "a word"],
)
def test_the_first_line_that_differs_is_told(twice: Desk, edit: Callable[[bytes], bytes], said: str) -> None:
    record, evidence, made_from = brought(twice, 2)
    name = EvidenceFile.HANDOFF
    assert list(generated_problems(record, evidence, made_from, incoming=True)) == []
    (told,) = generated_problems(record, {**evidence, name: edit(evidence[name])}, made_from, incoming=True)
    assert told.startswith(
        "evidence/handoff.md is not what the evidence, and people's files on main, make of it: line "
    )
    assert re.search(said, told), told
    assert told.isprintable()


def test_of_a_long_line_the_part_that_differs_is_told(twice: Desk) -> None:
    record, evidence, made_from = brought(twice, 2)
    name = EvidenceFile.HANDOFF
    line = max(evidence[name].splitlines(), key=len)
    assert len(line) > 200
    altered = evidence[name].replace(line, line[:-9] + b"x" * 5000, 1)
    (told,) = generated_problems(record, {**evidence, name: altered}, made_from, incoming=True)
    says, must = re.search(r"line \d+ says (['\"].*) and must say (.*)$", told).groups()
    assert says.strip("'\"").startswith("…")
    assert says.strip("'\"").endswith("x…")
    assert must.strip("'\"").endswith(line.decode()[-9:])
    assert len(told) < 300
