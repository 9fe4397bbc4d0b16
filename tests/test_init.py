"""`hallmark init`: a workspace that a team can keep, from answers, options or questions; run again it goes on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from dvc.config import Config
from pydantic import ValidationError

from runner.cli import terminal
from runner.cli.main import group
from runner.edges import dvc_data, new_workspace
from runner.edges.dvc_data import pointer_path
from runner.edges.forge_files import forge_files, forges
from runner.edges.write_points import WritePoint, watchers
from runner.errors import GitError, RecordError, RecordErrors
from runner.records.adoption import Format
from runner.records.setup import Answers, FirstCluster
from runner.rules.adopt.guess import format_of
from runner.rules.trust.change import class_of
from runner.wiring import adopt
from runner.wiring.check import survey

PEOPLE = ("rowan", "ash", "hazel", "ci", "gate")
ASSETS = Path(__file__).parent / "assets" / "imports"
WHO = {f"GIT_{role}_{field}": "owner@example.com" for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL")}
ANSWERS = """\
remote: ../store
owners:
  domain_owners: "@acme/experts"
  approvers: "@acme/approvers"
policy:
  repository: acme/desk
  people:
    - name: rowan
      key: keys/rowan.pub
      roles: [maintainer, benchmark-owner]
    - name: ash
      key: keys/ash.pub
    - name: hazel
      key: keys/hazel.pub
  ci:
    name: ci
    key: keys/ci.pub
  gate:
    name: gate
    key: keys/gate.pub
cluster:
  id: bicycles
  source: instructlab
  files: [taxonomy]
  origin: human
commit: true
"""


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    for name in PEOPLE:
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)]
        subprocess.run(command, check=True)
    return folder


@pytest.fixture
def home(tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with keys, files and answers; who commits is known."""
    shutil.copytree(keys, tmp_path / "keys")
    shutil.copytree(ASSETS / "taxonomy", tmp_path / "taxonomy")
    (tmp_path / "answers.yaml").write_text(ANSWERS)
    for name, value in WHO.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def hallmark(*words: str, say: str = "") -> Result:
    return CliRunner().invoke(group, list(words), input=say, catch_exceptions=False)


def git(top: Path, *words: str) -> str:
    return subprocess.check_output(["git", "-C", str(top), *words], text=True).strip()


def tree(top: Path) -> dict[str, bytes]:
    files = (path for path in top.rglob("*") if path.is_file() and not {".git", ".hallmark", "tmp"} & {*path.parts})
    return {path.relative_to(top).as_posix(): path.read_bytes() for path in files}


def test_answers_make_a_workspace_that_a_team_can_keep(home: Path) -> None:
    done = hallmark("init", "desk", "--answers", "answers.yaml")
    assert done.exit_code == 0, done.output
    top = home / "desk"
    assert survey(top).problems == ()
    assert hallmark("policy", "lint", "-C", "desk").output.startswith("policy: pass")
    assert git(top, "status", "--porcelain") == ""
    assert git(top, "log", "--format=%an %s") == "owner@example.com A Hallmark workspace"
    assert "@acme/experts" in (top / ".github/CODEOWNERS").read_text()
    assert "to do: put your own teams in the place of @hallmark/…" in done.output, "the platform's is not named"
    pins = (top / "constraints.txt").read_text()
    assert "\nhallmark-flywheel==" in pins
    assert "\ndvc==" in pins
    assert (top / ".pre-commit-config.yaml").is_file()
    tracked = git(top, "ls-files").splitlines()
    assert not any(path.endswith((".jsonl", ".pub")) for path in tracked), "data and keys are not in git"
    assert git(top, "ls-files", "--error-unmatch", "clusters/bicycles/data/gold.jsonl.dvc")


def test_the_data_comes_back_from_the_remote(home: Path) -> None:
    """Real DVC: what a colleague's clone brings is what was imported."""
    hallmark("init", "desk", "--answers", "answers.yaml")
    gold = Path("clusters/bicycles/data/gold.jsonl")
    before = (home / "desk" / gold).read_bytes()
    subprocess.run(["git", "clone", "--quiet", "desk", "clone"], check=True)
    assert not (home / "clone" / gold).exists()
    dvc_data.fetch(home / "clone", home / "clone" / gold)
    assert (home / "clone" / gold).read_bytes() == before
    assert pointer_path(home / "clone" / gold).is_file()


def test_run_again_it_changes_nothing(home: Path) -> None:
    hallmark("init", "desk", "--answers", "answers.yaml")
    before, head = tree(home / "desk"), git(home / "desk", "rev-parse", "HEAD")
    again = hallmark("init", "desk", "--answers", "answers.yaml")
    assert again.exit_code == 0, again.output
    assert "nothing was missing" in again.output
    assert tree(home / "desk") == before
    assert git(home / "desk", "rev-parse", "HEAD") == head


def test_what_a_person_wrote_is_never_written_over(home: Path) -> None:
    own = {
        "README.md": b"ours\n",
        ".github/CODEOWNERS": b"* @us\n",
        ".gitignore": b"ours/\n",
        "params.yaml": b"clusters: {}\n",
        "dvc.yaml": b"stages: {}\n",
        "constraints.txt": b"dvc==1\n",
    }
    for name, data in own.items():
        (home / "desk" / name).parent.mkdir(parents=True, exist_ok=True)
        (home / "desk" / name).write_bytes(data)
    done = hallmark("init", "desk")
    assert {name: (home / "desk" / name).read_bytes() for name in own} == own
    for name in own.keys() - {"params.yaml"}:
        assert f"kept: {name} is there and says something else" in done.output


@pytest.mark.parametrize("place", [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"])
def test_owners_that_a_repository_has_stay_in_force(home: Path, place: str) -> None:
    """GitHub reads the first of three places: ours in `.github/` would put theirs out of force."""
    file = home / "desk" / place
    file.parent.mkdir(parents=True)
    theirs = "* @ash\nclusters/ @ash\n/policy/** @birch # they sign\n"
    file.write_text(theirs)
    answers = ANSWERS.partition("policy:")[0].replace("approvers:", 'platform: "@acme/ops"\n  approvers:')
    (home / "few.yaml").write_text(answers)
    done = hallmark("init", "desk", "--answers", "few.yaml")
    assert [path.relative_to(home / "desk").as_posix() for path in (home / "desk").rglob("CODEOWNERS")] == [place]
    assert file.read_text() == theirs
    assert f"kept: {place} is there" in done.output
    lines = [
        "/scenarios/ @acme/experts",
        "/rubrics/ @acme/experts",
        *(f"/clusters/*/{name} @acme/experts @acme/approvers" for name in ("cluster.yaml", "problem.md")),
        "/clusters/*/benchmark.lock @acme/experts @acme/approvers",
        "/clusters/*/promotions/ @acme/approvers",
        f"/{place} @acme/ops @acme/approvers",
    ]
    said = [f"add at the end of {place}, which is yours and the one that the forge reads:", *lines]
    assert "to do: " + "\n  ".join(said) + "\nto do: make a policy" in done.output
    again = json.loads(hallmark("init", "desk", "--answers", "few.yaml", "--json").output)
    assert again["owners"] == {"path": place, "lacks": lines}
    file.write_text(theirs + "\n".join(lines))
    once_more = hallmark("init", "desk", "--answers", "few.yaml").output
    assert "to do: add" not in once_more
    assert "@hallmark/" not in once_more


def test_a_link_that_leads_nowhere_is_kept(home: Path) -> None:
    (home / "desk").mkdir()
    (home / "desk/README.md").symlink_to("away.md")
    assert "kept: README.md is there" in hallmark("init", "desk").output
    assert (home / "desk/README.md").is_symlink()


def test_a_default_remote_that_is_there_stays(home: Path) -> None:
    (home / "desk").mkdir()
    subprocess.run(["git", "init", "--quiet", "desk"], check=True)
    dvc_data.initialise(home / "desk", "../theirs")
    hallmark("init", "desk", "--remote", "../ours")
    config = Config(str(home / "desk" / ".dvc"))
    assert config["remote"]["store"]["url"].endswith("theirs")


@pytest.mark.parametrize("remote", ["../store", "ssh://store.example.com/desk", "s3://desk/data"])
def test_a_remote_of_each_kind_stands_in_the_configuration(home: Path, remote: str) -> None:
    hallmark("init", "desk", "--remote", remote)
    said = (home / "desk/.dvc/config").read_text()
    assert f"url = {remote}".replace("= ../", "= ../../") in said, "DVC counts a path from .dvc"
    assert "analytics = False" in said


def test_a_remote_with_a_password_is_refused_before_anything_is_written(home: Path) -> None:
    with pytest.raises(RecordError, match=r"remote: the remote says a password, and .dvc/config is committed"):
        hallmark("init", "desk", "--remote", "ssh://me:secret@store.example.com/desk")
    assert not (home / "desk").exists()


@pytest.mark.parametrize("forge", [*forges(), "none"])
def test_a_forge_s_files_are_those_of_its_templates(home: Path, forge: str) -> None:
    hallmark("init", "desk", "--forge", forge)
    files = forge_files(forge) if forge != "none" else {}
    for name, data in files.items():
        assert (home / "desk" / name).read_bytes() == data, name
        assert class_of(name) is not None, f"{name}: the gate knows no class for it, and would refuse its next change"
    assert (home / "desk/.github").exists() == any(name.startswith(".github") for name in files)


def test_every_file_of_a_workspace_can_be_changed_through_the_gate(home: Path) -> None:
    layout = new_workspace.layout("github", new_workspace.NO_OWNERS)
    unknown = {name for name in layout if class_of(name) is None}
    assert unknown == {"clusters/.gitkeep", "policy/.gitkeep"}


def test_a_forge_that_is_not_known_is_refused(home: Path) -> None:
    with pytest.raises(RecordError, match="there are no files for the forge sourcehut"):
        hallmark("init", "desk", "--forge", "sourcehut")


def test_people_can_be_named_by_options(home: Path) -> None:
    people = [word for name in PEOPLE[:3] for word in ("--person", f"{name}=keys/{name}.pub")]
    words = [*people, "--ci", "ci=keys/ci.pub", "--gate", "gate=keys/gate.pub", "--repository", "acme/desk"]
    done = hallmark("init", "desk", *words)
    assert "policy: its root of trust is" in done.output
    assert hallmark("policy", "lint", "-C", "desk").exit_code == 0
    missing = hallmark("init", "other", *people)
    assert (missing.exit_code, "--repository" in missing.output) == (2, True)


def test_a_key_that_may_not_sign_is_refused_before_anything_is_written(home: Path) -> None:
    shutil.copy(home / "keys/ash", home / "keys/ash.pub")
    with pytest.raises(RecordError, match="is a private key"):
        hallmark("init", "desk", "--answers", "answers.yaml")
    assert not (home / "desk").exists()


def test_questions_have_defaults(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.cli.init.may_ask", lambda: True)
    done = hallmark("init", "desk", say="\n\n\n")
    assert done.exit_code == 0, done.output
    assert (home / "desk/.github/workflows/check.yaml").is_file()
    assert "url = ../../desk-store" in (home / "desk/.dvc/config").read_text()
    assert "?" not in hallmark("init", "other", "--yes").output


def test_a_few_questions_make_a_first_cluster(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.cli.init.may_ask", lambda: True)
    done = hallmark("init", "desk", say="none\n\ntaxonomy\n\nbicycles\nhuman\n")
    assert done.exit_code == 0, done.output
    assert "scenarios/bicycles:" in done.output
    assert not (home / "desk/.github").exists()
    assert survey(home / "desk").problems == ()


@pytest.mark.parametrize("name", ["wörk $(shelf)", "日本"])
def test_a_directory_of_any_name_has_its_store_beside_it(home: Path, name: str) -> None:
    """DVC reads a configuration in UTF-8 that it cannot write."""
    done = hallmark("init", name)
    assert done.exit_code == 0, done.output
    assert Config(str(home / name / ".dvc"))["remote"]["store"]["url"] == f"{home / name}-store"
    assert not (home / name / name).exists()


@pytest.mark.parametrize("stream", ["stdin", "stdout"])
def test_a_stream_that_was_closed_is_no_terminal(stream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"sys.{stream}", None)
    assert not terminal.may_ask()


def test_nobody_is_asked_where_there_is_no_terminal() -> None:
    assert not terminal.may_ask()


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.csv", "labelled"), ("qna.yaml", "instructlab"), ("promptfooconfig.yaml", "promptfoo"), ("t.yaml", "lm-eval"),
     ("set.json", "assay")],
)  # fmt: skip
def test_a_file_s_name_says_what_it_is(name: str, kind: str) -> None:
    assert format_of(name) is Format(kind)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (("forge", "remote: ../store\nremot: x\n"), "answers.yaml:2: remot: "),
        (("keys", "    key: keys/nobody.pub"), r"answers.yaml:17: policy.ci.key: there is no such file"),
        (
            ("forge", "remote: ssh://me:secret@store.example.com/x\n"),
            "answers.yaml:1: remote: the remote says a password",
        ),
        (("forge", "forge: sourcehut\n"), "answers.yaml:1: forge: there are no files for the forge sourcehut"),
        (("origin", "  origin: human\n  model: gpt\n"), "cluster.model: 'gpt' is neither tiny nor ORG/NAME@COMMIT"),
        (("origin", ""), "answers.yaml:.*cluster: does not say who wrote the texts"),
        (("origin", "  origin: human\n  label_column: intent\n"), "instructlab files have no use for label_column"),
        (("owner", "'#ash@example.com'"), "answers.yaml:4: owners.approvers: "),
    ],
)
def test_a_wrong_answer_is_told_by_file_line_and_field(home: Path, wrong: tuple[str, str], says: str) -> None:
    where, text = wrong
    changes = {"forge": ("remote: ../store\n", text), "keys": ("    key: keys/ci.pub", text),
               "origin": ("  origin: human\n", text), "owner": ('"@acme/approvers"', text)}  # fmt: skip
    (home / "answers.yaml").write_text(ANSWERS.replace(*changes[where]))
    with pytest.raises(RecordErrors, match=says):
        hallmark("init", "desk", "--answers", "answers.yaml")
    assert not (home / "desk").exists()


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ({"source": "labelled", "capability": "refund"}, "labelled files have no use for capability"),
        ({"source": "labelled", "origin": "synthetic"}, "a labelled file is what people wrote"),
        ({"source": "promptfoo", "origin": "human", "data": "rows.jsonl"}, "promptfoo files have no use for data"),
        ({"source": "lm-eval", "origin": "human", "text_column": "q"}, "lm-eval files have no use for text_column"),
    ],
)
def test_an_answer_that_nothing_reads_is_refused(answers: dict[str, str], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        FirstCluster.model_validate({"id": "desk", "files": ["a"], **answers})
    kept = {"lm-eval": {"data": "rows.jsonl"}, "labelled": {"text_column": "q"}}.get(answers["source"], {})
    FirstCluster.model_validate({"id": "desk", "files": ["a"], "source": answers["source"], "origin": "human", **kept})


def test_an_unknown_committer_is_told_and_nothing_is_lost(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in WHO:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    with pytest.raises(GitError, match=r"git does not know who commits: git config user\.name"):
        hallmark("init", "desk", "--commit")
    for name, value in WHO.items():
        monkeypatch.setenv(name, value)
    assert hallmark("init", "desk", "--commit").exit_code == 0
    assert git(home / "desk", "status", "--porcelain") == ""


def test_only_what_it_wrote_is_committed(home: Path) -> None:
    (home / "desk").mkdir()
    (home / "desk/customers.csv").write_text("text,label\nmy name is …,x\n")
    hallmark("init", "desk", "--commit")
    assert git(home / "desk", "status", "--porcelain") == "?? customers.csv"


def test_a_failure_in_the_first_cluster_leaves_a_workspace_to_go_on_with(home: Path) -> None:
    def fail(point: WritePoint, writing: str) -> None:
        if point is WritePoint.IMPORT_MOVED:
            raise OSError(28, "No space left on device", writing)

    watchers.append(fail)
    try:
        with pytest.raises(OSError, match="No space left"):
            hallmark("init", "desk", "--answers", "answers.yaml")
    finally:
        watchers.remove(fail)
    assert not (home / "desk/clusters/bicycles").exists()
    assert hallmark("init", "desk", "--answers", "answers.yaml").exit_code == 0
    assert adopt.import_done(home / "desk", "bicycles")


def test_every_question_can_be_answered_in_a_file() -> None:
    """What a terminal asks, and what options say, has a field."""
    assert {"remote", "forge", "owners", "policy", "cluster", "commit"} == set(Answers.model_fields)
