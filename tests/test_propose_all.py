"""`hallmark propose --all`: how CI ends a run, in real repositories with real keys and the gate on the origin."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.edges.git_write import GitRepository
from runner.edges.signing import SshVerifier
from runner.errors import ExitCode
from runner.promotion.updates import MAIN
from tests.governed_desk import GovernedDesk

BRANCH = "refs/heads/promote/support-desk/1"
HOME = "clusters/support-desk"
Edit = Callable[[bytes], bytes]


@pytest.fixture
def desk(finished: GovernedDesk, tmp_path: Path) -> GovernedDesk:
    return finished.copy(tmp_path / "home")


def propose(desk: GovernedDesk, *options: str, key: str = "ci", code: int = 0) -> str:
    return desk.run("hallmark", "propose", "--all", *options, code=code, by="ci", HALLMARK_CI_KEY=str(desk.key(key)))


def branches(desk: GovernedDesk) -> dict[str, str]:
    return dict(GitRepository(desk.origin).refs("refs/heads/promote/"))


def edit(desk: GovernedDesk, ref: str, path: str, change: Edit) -> None:
    """One more commit on a branch of the origin, as an administrator could make it past the hook."""
    git = GitRepository(desk.origin)
    tip = git.resolve(ref)
    assert tip is not None
    git.move({ref: (git.commit_files([tip], {path: change(git.read(tip, path))}, "By hand\n"), tip)})


def proposed(desk: GovernedDesk) -> dict[str, Any]:
    """What the proposal's statement on the branch says, as the verifier reads it."""
    data = GitRepository(desk.origin).read(branches(desk)[BRANCH], f"{HOME}/promotions/1/approvals/proposal.dsse.json")
    payload: dict[str, Any] = json.loads(SshVerifier().peek(data))["predicate"]
    return payload


def test_nothing_is_proposed_before_an_iteration_is_through(governed: GovernedDesk) -> None:
    assert propose(governed) == "support-desk: no finished iteration to propose\n"
    key = {"by": "ci", "HALLMARK_CI_KEY": str(governed.key("ci"))}
    one = governed.run("hallmark", "propose", "support-desk", "--unattended", **key)
    assert one == "support-desk: no finished iteration to propose\n"
    said = governed.run("hallmark", "propose", "tills", "--unattended", code=ExitCode.REFUSED, **key)
    assert "main has no cluster tills (clusters: support-desk)" in said
    assert branches(governed) == {}


def test_a_finished_iteration_is_proposed_once_and_signed_by_ci(desk: GovernedDesk) -> None:
    left = r"support-desk  on .*\n  support-desk-\w+ is at its bundle and not proposed\n1 to iterate, 0 untouched\n"
    assert re.fullmatch(left, desk.run("hallmark", "ci", "plan", "HEAD")), "as after a machine that died before"
    said = propose(desk)
    assert said.startswith("proposed support-desk/1 on branch promote/support-desk/1\n  7 quorum: ")
    desk.run("git", "fetch", "--quiet", "origin")
    assert desk.run("hallmark", "ci", "plan", "HEAD") == "0 to iterate, 1 untouched\n"
    assert proposed(desk)["person"] == "ci"
    first = branches(desk)
    assert list(first) == [BRANCH]
    assert re.fullmatch(
        r"support-desk: support-desk-\w+ is already proposed on branch promote/support-desk/1\n", propose(desk)
    )
    (told,) = json.loads(propose(desk, "--json"))
    assert (told["state"], told["now"], told["target"]) == ("proposed", False, "support-desk/1")
    assert branches(desk) == first


def test_a_fresh_machine_proposes_from_what_the_iteration_pushed(desk: GovernedDesk) -> None:
    """The run was killed between its bundle and its proposal; the next one has a new checkout."""
    desk.run("git", "clone", "--quiet", str(desk.origin), str(desk.home / "another"), cwd=desk.home)
    (told,) = json.loads(propose(desk, "--json", "--directory", str(desk.home / "another")))
    assert (told["state"], told["now"], told["branch"]) == ("proposed", True, "promote/support-desk/1")


def test_a_promoted_iteration_is_not_proposed_again(desk: GovernedDesk) -> None:
    propose(desk)
    desk.approve("ash", "hazel")
    desk.merge()
    assert re.fullmatch(r"support-desk: support-desk-\w+ is already promoted as support-desk/1\n", propose(desk))
    assert list(branches(desk)) == [BRANCH]


def test_a_person_may_sign_the_proposal_of_cis_evidence(desk: GovernedDesk) -> None:
    propose(desk, "--key", str(desk.key("rowan")))
    assert proposed(desk)["person"] == "rowan"


def test_without_a_key_nothing_is_done_and_the_hint_says_what_to_set(desk: GovernedDesk) -> None:
    said = desk.run("hallmark", "propose", "--all", code=ExitCode.USAGE)
    assert "let HALLMARK_CI_KEY name the file of CI's key (docs/ci.md)" in said
    said = desk.run("hallmark", "propose", "--all", code=ExitCode.USAGE, HALLMARK_CI_KEY=str(desk.home / "gone"))
    assert "env var: 'HALLMARK_CI_KEY'" in said
    assert branches(desk) == {}


def test_a_key_that_is_not_cis_is_refused(desk: GovernedDesk) -> None:
    assert "6 evidence" in propose(desk, key="ash", code=ExitCode.REFUSED)
    assert branches(desk) == {}


def test_a_candidate_that_the_gate_would_refuse_is_not_proposed_and_every_reason_is_said(desk: GovernedDesk) -> None:
    """The owner has raised what the candidate must reach since; another cluster's turn comes all the same."""

    def stricter(data: bytes) -> bytes:
        raised = data.replace(b"composite: 0.8", b"composite: 0.99").replace(b"heldout: 0.8", b"heldout: 0.98")
        assert raised != data
        return raised

    edit(desk, MAIN, f"{HOME}/cluster.yaml", stricter)
    git = GitRepository(desk.origin)
    main = git.resolve(MAIN)
    assert main is not None
    other = git.read(main, f"{HOME}/cluster.yaml").replace(b"id: support-desk", b"id: zebra")
    git.move({MAIN: (git.commit_files([main], {"clusters/zebra/cluster.yaml": other}, "Another\n"), main)})
    said = propose(desk, code=ExitCode.REFUSED)
    assert "hallmark: support-desk: " in said
    assert re.search(r"composite .*0\.99", said)
    assert re.search(r"heldout .*0\.98", said)
    assert "zebra: no finished iteration to propose" in said
    assert branches(desk) == {}


def test_the_open_proposal_of_an_older_iteration_stands_in_the_way(desk: GovernedDesk) -> None:
    propose(desk)
    path = f"{HOME}/promotions/1/record.yaml"
    edit(desk, BRANCH, path, lambda data: re.sub(rb"support-desk-[0-9a-f]{10}", b"support-desk-0123456789", data))
    before = branches(desk)
    said = propose(desk, code=ExitCode.REFUSED)
    assert "promote/support-desk/1 holds the proposal of iteration support-desk-0123456789" in said
    assert branches(desk) == before


@pytest.mark.parametrize(
    "words", [(), ("support-desk", "--all"), ("--all", "--iteration", "x"), ("--all", "--branch", "b")]
)
def test_what_is_proposed_is_said_in_one_way(governed: GovernedDesk, words: tuple[str, ...]) -> None:
    said = governed.run("hallmark", "propose", *words, by="ci", code=ExitCode.USAGE)
    assert "name a cluster, or give --branch or --all" in said
