"""`hallmark triage` as it is typed, on a branch that CI opened, by people with keys of their own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Any
from unittest import mock

import click
import pytest

from runner.cli.triage import triage
from runner.edges.git_write import GitRepository
from runner.edges.signing import SshVerifier
from runner.errors import GitError, HallmarkError
from runner.ports_promotion import Keys
from runner.records.statement import PAYLOAD_TYPE, Namespace
from runner.records.triage import Choice, Review
from runner.records.triage_policy import Triage
from runner.rules.triage.keys import KEYS
from runner.wiring.flywheel import dump_record, parse_record
from runner.wiring.gate import now
from tests.governed_desk import GovernedDesk
from tests.printed import commands
from tests.triage_fixture import candidates

CLUSTER, ITERATION = "support-desk", "support-desk-1"
BRANCH = f"triage/{CLUSTER}/{ITERATION}"
LIST = f"clusters/{CLUSTER}/triage/{ITERATION}.yaml"
PAGE = Path(__file__).parents[1] / "docs" / "triage.md"
ASKED = Triage(required="all", signed=True)
TRIAGE = ("hallmark", "triage", CLUSTER)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> GovernedDesk:
    """A governed desk that asks for signed reviews, and the branch that CI opened for five candidates."""
    made = GovernedDesk(tmp_path_factory.mktemp("triage"), CLUSTER).make(triage=ASKED.model_dump(mode="json"))
    file = candidates(5).model_copy(update={"cluster": CLUSTER, "iteration": ITERATION, "policy": ASKED})
    with GitRepository(made.desk) as git:
        main = git.resolve("refs/heads/main")
        commit = git.commit_files([main or ""], {LIST: dump_record(file)}, "Candidates\n")
        git.push("origin", {f"refs/heads/{BRANCH}": commit})
    return made


@pytest.fixture
def desk(world, tmp_path) -> GovernedDesk:
    return world.copy(tmp_path / "home")


def said(desk: GovernedDesk, *options: str, by: str = "rowan", code: int = 0, cwd: Path | None = None) -> Any:
    """What the command prints, run in this process by a person in a home of their own."""
    out = io.StringIO()
    with mock.patch.dict(os.environ, desk.environment(by), clear=True), contextlib.redirect_stdout(out):
        found = triage.main([CLUSTER, "--directory", str(cwd or desk.desk), *options], standalone_mode=False)
    assert found == code
    return json.loads(out.getvalue())


def pushed(desk: GovernedDesk, person: str = "rowan") -> Review:
    """The person's review as origin has it, its signature verified under main's policy."""
    path = f"clusters/{CLUSTER}/triage/{ITERATION}/{person}.yaml"
    with GitRepository(desk.origin) as git:
        tip, main = git.resolve(f"refs/heads/{BRANCH}"), git.resolve("refs/heads/main")
        assert tip is not None
        assert main is not None
        data = git.read(tip, path)
        envelope = git.read(tip, path.replace(".yaml", ".dsse.json"))
        keys = Keys(git.read(main, "policy/allowed_signers"), git.read(main, "policy/revoked"))
    terms = {"payload_type": PAYLOAD_TYPE, "namespace": Namespace.TRIAGE, "person": person, "keys": keys, "at": now()}
    SshVerifier().open(envelope, **terms)
    return parse_record(data, Review, path=path)


def log(desk: GovernedDesk) -> list[str]:
    listed = desk.run("git", "log", "--format=%an <%ae>: %s", f"main..{BRANCH}", cwd=desk.origin)
    return listed.splitlines()


def test_without_a_terminal_what_waits_is_one_document(desk):
    document = json.loads(desk.run(*TRIAGE, code=4))
    assert document["reviewer"] == "rowan", "the person whose key it is"
    assert [one["candidate"] for one in document["undecided"]] == ["cand-0", "cand-4", "cand-1", "cand-2", "cand-3"]
    assert document["undecided"][0]["rivals"] == ["cand-4"]
    assert document["told"] == ""


def test_decisions_by_option_are_kept_signed_and_sent_in_one_commit(desk):
    some = said(desk, "--accept", "cand-0", "--accept", "cand-1", "--reject", "cand-4", "--reason", "odd", code=4)
    assert (some["decided"], len(some["undecided"])) == (3, 2)
    said(desk, "--edit", "cand-2", "--answer", "sizing", "--rank", "cand-0", "1", code=4)
    done = said(desk, "--accept", "cand-3", "--finish")
    assert done["undecided"] == []
    assert done["told"] == f"signed, committed and pushed to {BRANCH}"
    review = pushed(desk)
    assert {one.candidate: (one.decision, one.edited_answer, one.rank, one.reason) for one in review.decisions} == {
        "cand-0": (Choice.ACCEPT, "", 1, ""),
        "cand-1": (Choice.ACCEPT, "", None, ""),
        "cand-2": (Choice.EDIT, "sizing", None, ""),
        "cand-3": (Choice.ACCEPT, "", None, ""),
        "cand-4": (Choice.REJECT, "", None, "odd"),
    }
    assert log(desk)[0] == f"rowan <rowan@example.com>: rowan: triage of {ITERATION}"
    assert len(log(desk)) == 2
    assert desk.run("git", "status", "--porcelain") == "", "the work tree at hand is left alone"
    desk.run("git", "fetch", "--quiet", "origin")
    desk.run("git", "merge", "--quiet", "--no-ff", "--message", "Take over", f"origin/{BRANCH}")
    desk.push()
    nothing = desk.run(*TRIAGE, "--json", code=1)
    assert f"nothing of {CLUSTER} waits for triage" in nothing


def test_two_reviewers_at_once_lose_nothing(desk, tmp_path):
    for person in ("ash", "hazel"):
        desk.run("git", "clone", "--quiet", str(desk.origin), str(desk.home / person), cwd=desk.home, by=person)
    ash, hazel = desk.home / "ash", desk.home / "hazel"
    said(desk, "--accept", "cand-0", by="ash", cwd=ash, code=4)
    said(desk, "--reject", "cand-1", by="hazel", cwd=hazel, code=4)
    said(desk, "--finish", by="ash", cwd=ash, code=4)
    told = said(desk, "--finish", by="hazel", cwd=hazel, code=4)["told"]
    assert told == f"signed, committed and pushed to {BRANCH}"
    assert [one.candidate for one in pushed(desk, "ash").decisions] == ["cand-0"]
    assert [one.candidate for one in pushed(desk, "hazel").decisions] == ["cand-1"]
    left = said(desk, "--json", by="hazel", cwd=hazel, code=4)["undecided"]
    assert [one["candidate"] for one in left] == ["cand-4", "cand-2", "cand-3"], "what ash decided is asked of nobody"


def test_without_origin_it_goes_on_and_says_so(desk):
    said(desk, "--accept", "cand-0", code=4)
    origin = desk.origin.rename(desk.origin.with_name("gone.git"))
    later = said(desk, "--accept", "cand-1", "--background", code=4)
    assert "origin could not be reached" in later["told"]
    assert later["undecided"][0]["nearest_gold"] is None
    with pytest.raises(GitError, match="signed and committed, not pushed"):
        said(desk, "--finish")
    origin.rename(desk.origin)
    assert "pushed" in said(desk, "--finish", code=4)["told"]
    assert len(pushed(desk).decisions) == 2


def test_a_branch_that_is_checked_out_elsewhere_is_decided_there(desk):
    desk.run("git", "fetch", "--quiet", "origin")
    desk.run("git", "worktree", "add", "--quiet", "../mine", BRANCH)
    with pytest.raises(GitError, match="run this there"):
        said(desk, "--json")
    assert len(said(desk, "--json", cwd=desk.home / "mine", code=4)["undecided"]) == 5


def test_a_list_in_the_work_tree_at_hand_needs_no_branch(desk):
    desk.run("git", "fetch", "--quiet", "origin")
    desk.run("git", "switch", "--quiet", BRANCH)
    shutil.rmtree(desk.origin)
    document = said(desk, "--accept", "cand-0", code=4)
    assert (desk.desk / document["review"]).is_file()
    assert not (desk.desk / ".hallmark" / "triage").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--accept", "cand-9"), "cand-9 is no candidate of the list (nearest: cand-"),
        (("--accept", "cand-0", "--reject", "cand-0"), "decided twice"),
        (("--edit", "cand-0"), "nothing was changed"),
        (("--rank", "cand-1", "1"), "nothing to rank"),
        (("--answer", "x"), "belong to --edit"),
        (("--reason", "x"), "belongs to --reject"),
        (("--iteration", "other", "--json"), f"iterations that wait: {ITERATION}"),
        (("--reviewer", "ash", "--json"), "this key is rowan's, not ash's"),
        (("--finish",), "nothing is decided yet"),
    ],
)
def test_what_does_not_hold_is_refused_and_nothing_is_kept(world, options, says):
    with pytest.raises((HallmarkError, click.UsageError), match=re.escape(says)):
        said(world, *options)
    assert not list((world.desk / ".hallmark").rglob("rowan.yaml"))


def test_a_stranger_decides_nothing_where_reviews_are_signed(world):
    assert "nobody's in policy/allowed_signers" in world.run(*TRIAGE, "--json", by="mallory", code=1)


def test_the_clusters_that_there_are_are_named(world):
    assert f"(clusters: {CLUSTER})" in world.run("hallmark", "triage", "other", "--json", code=1)


def test_the_commands_of_the_page(desk):
    """Those of docs/triage.md, in order, with a candidate for each ID."""
    printed = [one.command for one in commands(PAGE, running_text=False) if one.command.startswith("hallmark triage")]
    for command, left in zip(printed, (5, 5, 2, 1, 1), strict=True):
        waiting = iter(said(desk, "--json", code=4)["undecided"])
        known = {"CLUSTER": CLUSTER, "TEXT": "sizing"}
        words = [next(waiting)["candidate"] if word == "ID" else known.get(word, word) for word in shlex.split(command)]
        assert words[:2] == ["hallmark", "triage"]
        assert len(said(desk, *words[3:], code=4)["undecided"]) == left
    assert len(pushed(desk).decisions) == 4


def test_the_documented_keys_are_the_real_ones():
    text = PAGE.read_text()
    cells = re.findall(r"^\| `([^`]+)` \| ([^|]+) \|$", text, re.MULTILINE)
    assert [(sign, help_.strip()) for sign, help_ in cells] == [(key.sign, key.help) for key in KEYS]
