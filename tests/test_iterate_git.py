"""The flywheel on real git and DVC: branches, pushes, kills, other machines. Only models and clock are simulated."""

from __future__ import annotations

import json
import multiprocessing
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from runner.edges import run_branch as run_branches
from runner.edges.artifacts import DirectoryArtifacts
from runner.edges.dvc_lock import locked
from runner.edges.dvc_repository import opened
from runner.edges.ledger_store import entry_bytes
from runner.edges.run_branch import BranchRuns
from runner.edges.yaml_files import parse
from runner.errors import DataError, GitError
from runner.flywheel import iterate
from runner.ledger import PHASES
from runner.pipeline import PHASES as TABLE
from runner.pipeline import perform
from runner.records.artifact import ARTIFACTS, Keeper
from runner.records.dataset import Candidate
from runner.records.ledger import Entry, EntryKind
from runner.records.schemas import schema
from runner.records.step import Step
from runner.records.triage import Choice, TriageFile
from runner.records.verdict import Outcome, Reason, Verdict
from runner.rules.triage.orders import Orders
from runner.wiring import flywheel
from runner.wiring import triage as wiring_triage
from tests.desk_repository import CLUSTER, clone, flow, git, make, said, turn
from tests.flywheel_fixture import cluster

HOME = f"clusters/{CLUSTER}"
STAGES = [stage for phase in TABLE for stage in phase.stages]
CHILD = multiprocessing.get_context("forkserver")
CHILD.set_forkserver_preload(["tests.desk_repository"])


@pytest.fixture(scope="module")
def fresh(tmp_path_factory) -> Path:
    """The world before its first turn."""
    home = tmp_path_factory.mktemp("fresh") / "home"
    home.mkdir()
    make(home)
    return home


@pytest.fixture(scope="module")
def whole(fresh, tmp_path_factory) -> Path:
    """The world after one turn that nothing disturbed."""
    home = copied(fresh, tmp_path_factory.mktemp("whole"))
    standing = iterate(flow(home / "desk"))
    assert (standing.phase, standing.verdict.outcome) == ("bundle", Outcome.PASS)
    return home


@pytest.fixture(scope="module")
def halfway(fresh, tmp_path_factory) -> Path:
    """The world after a machine died with phase 8 committed on its own disk, and neither pushed nor recorded."""
    home = copied(fresh, tmp_path_factory.mktemp("halfway"))
    assert killed(home / "desk", ("after git commit", 8))
    assert [entry.phase for entry in ledger(home / "desk")][1:] == list(PHASES[:7])
    return home


def copied(home: Path, target: Path) -> Path:
    return Path(shutil.copytree(home, target / "home", symlinks=True))


def ledger(desk: Path) -> tuple[Entry, ...]:
    return flywheel.ledger_store(desk).read(CLUSTER)


def essence(desk: Path) -> list[object]:
    return [(e.kind, e.iteration, e.phase, e.inputs, e.outputs, e.verdict) for e in ledger(desk)]


def killed(desk: Path, kill: tuple[str, int] | None = None, *, after: float | None = None) -> bool:
    """A turn in a child process that dies at the call `kill`, or `after` seconds. False if it ended before."""
    child = CHILD.Process(target=turn, args=(desk, kill))
    child.start()
    if after is not None:
        child.join(after)
        if child.is_alive():
            subprocess.run(["kill", "-KILL", "--", f"-{child.pid}"], check=False, capture_output=True)
            child.kill()
    child.join()
    assert child.exitcode in (0, -signal.SIGKILL)
    return child.exitcode != 0


def run_branch(home: Path) -> str:
    (branch,) = git(home / "origin.git", "branch", "--list", "runs/*", "--format=%(refname:short)").splitlines()
    return branch


def subjects(home: Path) -> list[str]:
    branch = run_branch(home)
    return git(home / "origin.git", "log", "--reverse", "--format=%s", f"main..{branch}").splitlines()


def digests(home: Path) -> dict[str, str]:
    artifacts = DirectoryArtifacts(home)
    return {name: artifacts.digest(name) for stage in STAGES for name in stage.writes}


def locks(home: Path) -> list[str]:
    """What a killed git or DVC leaves behind that would stop the next one."""
    found = [path for path in home.rglob("*.lock") if ".git/" in f"{path}" or "origin.git/" in f"{path}"]
    held = [path for path in home.rglob(".dvc/tmp/rwlock") if any(json.loads(path.read_text() or "{}").values())]
    return [str(path) for path in [*found, *held]]


def test_a_turn_is_on_the_run_branch_and_in_the_ledger_and_nowhere_else(whole):
    origin, branch = whole / "origin.git", run_branch(whole)
    assert subjects(whole) == [f"{phase}: pass" for phase in PHASES]
    assert git(origin, "merge-base", "main", branch) == git(origin, "rev-parse", "main")
    on_run = git(origin, "ls-tree", "-r", "--name-only", branch).splitlines()
    assert "dvc.lock" in on_run
    assert {f"{HOME}/run/steps/{phase}.json" for phase in PHASES} <= set(on_run)
    kept = {name: f"{HOME}/{ARTIFACTS[name].path}" for stage in STAGES for name in stage.writes}
    for name, path in kept.items():
        in_git = any(one == path or one.startswith(f"{path}/") for one in on_run)
        assert in_git == (ARTIFACTS[name].keeper is Keeper.GIT), name
    on_main = git(origin, "ls-tree", "-r", "--name-only", "main").splitlines()
    assert not [path for path in on_main if path == "dvc.lock" or "/run/" in path]
    entries = git(origin, "ls-tree", "-r", "--name-only", "ledger").splitlines()
    assert entries == [f"{CLUSTER}/{number:08d}.json" for number in range(1, len(PHASES) + 2)]


def test_the_users_own_checkout_is_untouched(whole):
    desk = whole / "desk"
    assert git(desk, "status", "--porcelain") == ""
    assert git(desk, "branch", "--show-current") == "main"
    assert git(desk, "rev-parse", "HEAD") == git(whole / "origin.git", "rev-parse", "main")
    assert not (desk / HOME / "run").exists()


def test_every_step_on_the_branch_is_its_ledger_entry(whole):
    branch = run_branch(whole)
    for entry in ledger(whole / "desk")[1:]:
        text = git(whole / "origin.git", "show", f"{branch}:{HOME}/run/steps/{entry.phase}.json")
        step = Step.model_validate_json(text)
        assert (step.inputs, step.outputs, step.verdict) == (entry.inputs, entry.outputs, entry.verdict)


def test_a_clone_of_the_run_branch_has_nothing_to_repeat_and_repeats_it_to_the_byte(whole):
    machine = clone(whole, "auditor")
    git(machine, "switch", "--quiet", run_branch(whole))
    dvc = str(Path(sys.executable).parent / "dvc")

    def ask(*arguments: str) -> str:
        done = subprocess.run([dvc, *arguments], cwd=machine, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    ask("pull", "--quiet")
    before = digests(machine / HOME)
    assert before == {name: digest for e in ledger(machine) for name, digest in e.outputs.items()}
    assert json.loads(ask("status", "--json")) == {}
    dry = ask("repro", "--dry")
    for stage in STAGES:
        assert f"Stage '{stage.name}@{CLUSTER}' didn't change, skipping" in dry
    assert "Running" not in dry

    for stage in STAGES:
        for name in stage.writes:
            path = machine / HOME / ARTIFACTS[name].path
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    bench = flow(machine)
    artifacts = DirectoryArtifacts(machine / HOME)
    space = flywheel.workspace(machine, CLUSTER)
    for stage in STAGES:
        for name, value in perform(stage, space, artifacts, bench.ports).artifacts.items():
            artifacts.write(name, value)
    assert digests(machine / HOME) == before
    assert json.loads(ask("status", "--json")) == {}


CALLS = (
    ("after git worktree", 1),
    ("after share cache", 1),
    ("after write", 1),
    ("before dvc push", 1),
    ("after dvc push", 1),
    ("after dvc commit and push", 1),
    ("after git add", 1),
    ("after git commit", 1),
    ("after git push", 2),
    ("before ledger push", 1),
    ("after ledger push", 1),
    ("before git commit", 2),
    ("after ledger commit", 2),
)


def test_killed_at_calls_and_at_random_it_ends_as_if_undisturbed(whole, fresh, tmp_path):
    """Each kill hits a process that took up what the one before left; 13 between two edges, 6 at random moments."""
    home = copied(fresh, tmp_path)
    desk, rng, kills = home / "desk", random.Random(11), 0
    for kill, after in [(call, None) for call in CALLS] + [(None, rng.uniform(0.2, 1.8)) for _ in range(6)]:
        before = [entry_bytes(entry) for entry in ledger(desk)]
        struck = killed(desk, kill, after=after)
        assert struck or kill is None, f"the turn never came to {kill}"
        kills += struck
        now = [entry_bytes(entry) for entry in ledger(desk)]
        assert now[: len(before)] == before, f"entries from before the kill {kill or after} changed"
    assert not killed(desk)
    assert kills >= 16
    assert essence(desk) == essence(whole / "desk")
    passed = [entry.phase for entry in ledger(desk) if entry.kind is EntryKind.PHASE and entry.verdict.passed]
    assert passed == list(PHASES)
    assert subjects(home) == [f"{phase}: pass" for phase in PHASES], "a phase was committed twice"
    assert git(desk, "status", "--porcelain") == ""
    assert locks(home) == []


def test_another_machine_takes_up_what_was_pushed(whole, halfway, tmp_path):
    home = copied(halfway, tmp_path)
    second = clone(home, "second")
    lost = git(home / "desk", "rev-parse", run_branch(home))
    assert iterate(flow(second)).phase == "bundle"
    assert essence(second) == essence(whole / "desk")
    assert subjects(home) == [f"{phase}: pass" for phase in PHASES]

    before = ledger(home / "desk")
    assert iterate(flow(home / "desk")).phase == "bundle", "the first machine comes back, its own last commit lost"
    assert ledger(home / "desk") == before
    tip = git(home / "origin.git", "rev-parse", run_branch(home))
    assert git(home / "desk", "rev-parse", run_branch(home)) == tip != lost


@pytest.mark.parametrize("where", ["cache", "store"])
def test_wrong_bytes_of_the_same_length_are_refused_by_sha256(halfway, tmp_path, where):
    home = copied(halfway, tmp_path)
    second = clone(home, "second")
    bytes_of = (home / "desk" / ".hallmark").glob(f"runs/*/*/{HOME}/run/candidates.jsonl")
    right = next(bytes_of).read_bytes()
    shutil.copytree(home / "desk" / ".dvc" / "cache", second / ".dvc" / "cache")
    folder = second / ".dvc" / "cache" if where == "cache" else home / "store"
    if where == "store":
        shutil.rmtree(second / ".dvc" / "cache")
    (stored,) = [path for path in folder.rglob("*") if path.is_file() and path.read_bytes() == right]
    stored.chmod(0o644)
    stored.write_bytes(right[:-3] + b"x" + right[-2:])
    stored.chmod(0o444)
    before = ledger(second)
    with pytest.raises(DataError, match="candidates"):
        iterate(flow(second))
    assert ledger(second) == before


def test_a_phase_by_hand_refuses_what_dvc_pulls_without_a_word(halfway, tmp_path):
    """What a stage of `dvc repro` reads on a run branch that somebody cloned and pulled."""
    home = copied(halfway, tmp_path)
    second = clone(home, "second")
    git(second, "checkout", "--quiet", run_branch(home))
    path = second / HOME / "run" / "candidates.jsonl"
    right = next((home / "desk" / ".hallmark").glob(f"runs/*/*/{HOME}/run/candidates.jsonl")).read_bytes()
    (stored,) = [one for one in (home / "store").rglob("*") if one.is_file() and one.read_bytes() == right]
    stored.chmod(0o644)
    stored.write_bytes(right[:-3] + b"x" + right[-2:])
    stored.chmod(0o444)  # DVC believes an object that is read-only
    with opened(second) as repo:
        repo.pull(targets=[str(path)])
    assert path.read_bytes() != right, "DVC takes other bytes of the same length"
    with pytest.raises(DataError, match=r"candidates.jsonl has sha256 .* is recorded: `hallmark iterate` brings"):
        flywheel.workbench(second, CLUSTER).artifacts.rows("candidates", Candidate)
    path.write_bytes(right)
    assert flywheel.workbench(second, CLUSTER).artifacts.rows("candidates", Candidate)


def test_what_a_stage_has_made_again_is_its_own(halfway, tmp_path):
    root = next((copied(halfway, tmp_path) / "desk" / ".hallmark" / "runs" / CLUSTER).glob("*/.git")).parent
    recorded = run_branches.recorded(root, CLUSTER)
    assert {"candidates", "core-answers"} <= set(recorded)
    lock = root / "dvc.lock"
    md5 = locked(lock.read_bytes())[f"{HOME}/run/candidates.jsonl"].md5
    lock.write_text(lock.read_text().replace(md5, "f" * 32))
    again = run_branches.recorded(root, CLUSTER)
    assert "candidates" not in again
    assert again["core-answers"] == recorded["core-answers"]


def test_people_decide_on_a_branch_and_the_same_iteration_goes_on(fresh, tmp_path):
    home = copied(fresh, tmp_path)
    desk = home / "desk"
    (desk / HOME / "cluster.yaml").write_bytes(said(cluster(triage={"required": "all"})))
    git(desk, "commit", "--quiet", "--all", "--message", "People decide on every candidate")
    git(desk, "push", "--quiet", "origin", "main")
    waiting = iterate(flow(desk))
    assert (waiting.phase, waiting.verdict.outcome) == ("triage", Outcome.WAIT)
    branch, path = f"triage/{CLUSTER}/{waiting.iteration}", f"{HOME}/triage/{waiting.iteration}.yaml"
    assert branch in waiting.opened

    owner = clone(home, "owner")
    assert git(owner, "diff", "--name-only", f"main...origin/{branch}") == path
    git(owner, "switch", "--quiet", branch)
    file = parse((owner / path).read_bytes(), TriageFile, path=path)
    assert file.decisions
    assert {one.decision for one in file.decisions} == {Choice.UNDECIDED}
    accepted = tuple(one.model_copy(update={"decision": Choice.ACCEPT}) for one in file.decisions)
    (owner / path).write_bytes(flywheel.dump_record(file.model_copy(update={"decisions": accepted, "reviewer": "o"})))
    git(owner, "commit", "--quiet", "--all", "--message", "Accept")
    git(owner, "switch", "--quiet", "main")
    git(owner, "merge", "--quiet", "--no-ff", "--message", "Decide", branch)
    git(owner, "push", "--quiet", "origin", "main")

    git(desk, "pull", "--quiet", "--ff-only", "origin", "main")
    after = iterate(flow(desk))
    assert (after.iteration, after.phase, after.verdict.outcome) == (waiting.iteration, "bundle", Outcome.PASS)
    on_run = git(home / "origin.git", "ls-tree", "-r", "--name-only", run_branch(home)).splitlines()
    assert path in on_run, "what people decided is on the run branch, so that `dvc repro` sees it"


PEOPLE = {"rowan": "benchmark-owner", "ash": "approver,maintainer", "hazel": "approver,on-call,maintainer"}


def governed(home: Path, **triage: Any) -> None:
    """The desk with a policy, and a cluster that asks for signed triage, on origin's main."""
    desk, keys = home / "desk", home / "keys"
    keys.mkdir()
    for name in (*PEOPLE, "ci", "gate"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(keys / name)]
        subprocess.run(command, check=True)
    said_of = [part for name, roles in PEOPLE.items() for part in ("--person", f"{name}={keys / name}.pub:{roles}")]
    machines = ["--ci", f"ci={keys / 'ci'}.pub", "--gate", f"gate={keys / 'gate'}.pub"]
    command = [
        sys.executable,
        "-m",
        "runner.cli",
        "policy",
        "init",
        "--repository",
        "example/desk",
        *said_of,
        *machines,
    ]
    subprocess.run(command, cwd=desk, check=True, capture_output=True)
    (desk / HOME / "cluster.yaml").write_bytes(said(cluster(triage={"required": "all", "signed": True, **triage})))
    git(desk, "add", "policy")
    git(desk, "commit", "--quiet", "--all", "--message", "People sign what they decide")
    git(desk, "push", "--quiet", "origin", "main")


def decided_by(home: Path, person: str) -> None:
    """A person decides on every candidate that waits for them, and signs and pushes what they decided."""
    found = wiring_triage.desk(clone(home, person), CLUSTER, key=home / "keys" / person)
    waiting = found.session().undecided
    found.carry_out(Orders(accept=tuple(waiting)))
    assert found.finish().startswith("signed, committed and pushed")


def test_two_people_sign_what_they_decided_and_the_iteration_says_so(fresh, tmp_path):
    home = copied(fresh, tmp_path)
    governed(home, double=1.0, min_kappa=0.5)
    desk = home / "desk"
    waiting = iterate(flow(desk))
    branch, listed = f"triage/{CLUSTER}/{waiting.iteration}", f"{HOME}/triage/{waiting.iteration}"
    decided_by(home, "rowan")
    decided_by(home, "ash")
    merger = clone(home, "merger")
    files = git(merger, "diff", "--name-only", f"main...origin/{branch}").splitlines()
    assert files == [f"{listed}.yaml", *(f"{listed}/{name}{end}" for name in ("ash", "rowan")
                                         for end in (".dsse.json", ".yaml"))]  # fmt: skip
    git(merger, "merge", "--quiet", "--no-ff", "--message", "Decide", f"origin/{branch}")
    git(merger, "push", "--quiet", "origin", "main")

    git(desk, "pull", "--quiet", "--ff-only", "origin", "main")
    after = iterate(flow(desk))
    assert (after.iteration, after.phase, after.verdict.outcome) == (waiting.iteration, "bundle", Outcome.PASS)
    told = json.loads(git(home / "origin.git", "show", f"{run_branch(home)}:{HOME}/run/bundle/triage.json"))
    assert [(one["reviewer"], one["signed"]) for one in told["reviews"]] == [("ash", True), ("rowan", True)]
    assert {tuple(people) for people in told["checked"].values()} == {("ash", "rowan")}
    assert told["agreement"][0]["agreed"] == told["agreement"][0]["candidates"] == len(told["checked"])

    export = [sys.executable, "-m", "runner.cli", "export", "preferences", CLUSTER, "rows"]
    said_of = subprocess.run(export, cwd=merger, check=True, capture_output=True, text=True).stdout
    rows = [json.loads(line) for line in (merger / "rows" / "sft.jsonl").read_text().splitlines()]
    assert f"{len(rows)} rows  rows/sft.jsonl" in said_of.splitlines()
    assert {row["candidate"] for row in rows} == set(told["checked"])
    assert all(row["reviewers"] == ["ash", "rowan"] for row in rows)
    counted = json.loads(subprocess.run([*export, "--json"], cwd=merger, check=True, capture_output=True).stdout)
    assert counted["rows/sft.jsonl"] == len(rows)
    for row in rows:
        Draft202012Validator(schema("supervised-row")).validate(row)


def test_a_run_opens_over_what_a_kill_left(fresh, tmp_path):
    """A work tree whose making was killed, and every lock that git and DVC know."""
    home = copied(fresh, tmp_path)
    desk = home / "desk"
    runs = BranchRuns(desk, flywheel.commit(desk))
    root = runs.open(CLUSTER, "it-1").root
    admin = Path(git(root, "rev-parse", "--absolute-git-dir"))
    (admin / "HEAD").write_text("0" * 40 + "\n")
    (admin / "locked").write_text("initializing\n")
    leftovers = [admin / "index.lock", desk / ".git" / "refs" / "heads" / "runs" / CLUSTER / "it-1.lock"]
    for path in leftovers:
        path.touch()
    (root / ".dvc" / "tmp").mkdir()
    (root / ".dvc" / "tmp" / "rwlock").write_text("{")
    (root / ".dvc" / "config.local").write_text("[cache")
    run = runs.open(CLUSTER, "it-1")
    assert git(run.root, "status", "--porcelain", "--", HOME) == f"?? {HOME}/run/"
    assert locks(home) == []
    refused = Verdict(outcome=Outcome.REFUSE, reasons=(Reason(step="looks", problem="spent"),))
    run.commit(Step(iteration="it-1", phase="assess", inputs={}, outputs={}, verdict=refused), ["assess"])
    assert subjects(home) == ["assess: refuse"], "a phase that was refused before it ran has no outs for DVC"


def test_a_copied_repository_makes_run_trees_of_its_own(fresh, tmp_path):
    """A copied work tree still points at the repository that it was copied from."""
    home = copied(fresh, tmp_path / "one")
    desk = home / "desk"
    first = BranchRuns(desk, flywheel.commit(desk)).open(CLUSTER, "it-1")
    other = copied(home, tmp_path / "two") / "desk"
    second = BranchRuns(other, flywheel.commit(other)).open(CLUSTER, "it-1")
    refused = Verdict(outcome=Outcome.REFUSE, reasons=(Reason(step="looks", problem="spent"),))
    second.commit(Step(iteration="it-1", phase="assess", inputs={}, outputs={}, verdict=refused), ["assess"])
    assert len(second.steps()) == 1
    assert len(first.steps()) == 0


def _hold(desk: Path, ready: object, done: object) -> None:
    run = BranchRuns(desk, flywheel.commit(desk)).open(CLUSTER, "it-1")
    ready.set()
    done.wait(30)
    del run


def test_two_processes_do_not_work_on_one_run(fresh, tmp_path):
    desk = copied(fresh, tmp_path) / "desk"
    ready, done = CHILD.Event(), CHILD.Event()
    child = CHILD.Process(target=_hold, args=(desk, ready, done))
    child.start()
    assert ready.wait(30)
    runs = BranchRuns(desk, flywheel.commit(desk))
    with pytest.raises(GitError, match="another process"):
        runs.open(CLUSTER, "it-1")
    done.set()
    child.join()
    runs.open(CLUSTER, "it-1")


@pytest.mark.parametrize("relative", [True, False])
def test_a_workspaces_relative_store_counts_from_the_workspace(tmp_path, monkeypatch, relative):
    folder = tmp_path / "deep" / "down"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder if relative else "/")
    flywheel.initialise(Path("desk") if relative else folder / "desk", remote="../store")
    assert "url = ../../store\n" in (folder / "desk" / ".dvc" / "config").read_text(), "DVC counts from `.dvc`"


def test_the_same_refusal_is_committed_once(tmp_path):
    desk = make(tmp_path, hardware={"min_cpus": 64})
    for _ in range(2):
        assert iterate(flow(desk)).verdict.outcome is Outcome.REFUSE
    assert subjects(tmp_path) == ["intake: refuse"]
    assert len(ledger(desk)) == 2
