"""Every command that the README prints, and that a block of docs/ prints, is run as it is printed.

RUNS says for each command in which world it is run, by whom, and what it must say; placeholders are filled from
PLACEHOLDERS and nothing else is changed. What takes real models and minutes is run by `tests/acceptance/test_readme.py`
from the same text. A printed command without a row fails a test, and so does a row that nothing prints.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from runner.errors import ExitCode
from tests import (
    test_adopt_page,
    test_attack,
    test_cli_stages,
    test_evaluate_page,
    test_export_evidence,
    test_judges_served,
    test_s3_remote,
    test_triage_command,
)
from tests.acceptance import test_collapse
from tests.acceptance import test_handoff as acceptance_handoff
from tests.acceptance import test_readme as acceptance
from tests.governed_desk import BIN, GovernedDesk
from tests.printed import DIGEST, ROOT, Printed, block_with, blocks, commands, of_block

README = ROOT / "README.md"
DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))
PRINTED = [*commands(README), *(one for path in DOCUMENTS for one in commands(path, running_text=False))]
MINUTES = "trains real models, for minutes"


@dataclass(frozen=True)
class Run:
    """A command that runs here: in a copy of a world, by a person in a home of their own."""

    world: str
    says: str
    """A regular expression that what it says must match."""
    by: str = "rowan"
    code: int = ExitCode.DONE
    answer: str = ""
    """What the person types where the command asks."""


@dataclass(frozen=True)
class Elsewhere:
    """A command that a test of its own runs from the same text, or that the name of a make target stands for."""

    test: str
    why: str


ADOPT = Elsewhere("test_the_hour_as_printed", "one after the other, with an origin")
ONE_FILE = Elsewhere("test_the_five_commands_on_one_file", "the five run as one script")
IMPORT = Elsewhere("test_every_import_as_printed", "one after the other, beside the files that they name")
FIVE = Elsewhere("test_the_five_commands_make_a_cluster_of_a_users_own_files", "the five run as one script")
STAGES = Elsewhere("test_from_shadow_to_production_and_back", "the same steps over days of traffic, other sequences")
AUDIT = Elsewhere("test_an_auditor_needs_nothing_but_the_page", "the page's block is run as one script")
TRIAGE = Elsewhere("test_the_commands_of_the_page", "one after the other, with a candidate for each ID")
EVALUATE = Elsewhere("test_the_commands_of_the_page_on_evaluation", "one after the other, with models in memory")
REMADE = Elsewhere("test_the_three_commands_of_a_hand_off", MINUTES)
REMOTE = Elsewhere("test_the_page_s_remote_is_made_as_printed", "with the address of a server that the test starts")
EXPORT = Elsewhere("test_the_commands_of_the_page_on_fleets", "on a promotion whose boundary lets something leave")
RUNS: dict[str, Run | Elsewhere] = {
    # what is typed in this repository
    "make demo": Elsewhere("test_make_demo_as_printed", MINUTES),
    "make test": Elsewhere("test_make_has_the_target", "runs this test; .ci/run calls it"),
    "make install": Elsewhere("test_make_has_the_target", "installs 2.4 GB; every other target begins with it"),
    "make acceptance": Elsewhere("test_make_has_the_target", "runs the tests that are too long for this one"),
    "make attack": Elsewhere("test_make_has_the_target", "runs the whole corpus; tests/test_attack.py a part of it"),
    "make rehearsal": Elsewhere("test_make_has_the_target", "trains for minutes; tests/test_rehearsal.py plays a part"),
    "make docs": Elsewhere("test_make_has_the_target", "tests/test_site.py builds the site"),
    "make vllm-env": Elsewhere("test_make_has_the_target", "installs 3.4 GB; tests/acceptance/test_vllm.py runs on it"),
    "hallmark --help": Run("project", r"Usage: hallmark"),
    "hallmark check": Run("project", r"\d+ files, 0 problems"),
    "hallmark status": Run("project", r"(?m)^support-desk "),
    # the demonstration's end
    "mallory$ git push origin main": Run("forged", r"hallmark refuses refs/heads/main", by="mallory", code=1),
    "ash$ git merge --quiet --no-ff --message 'Promote support-desk/1' origin/promote/support-desk/1": Run(
        "approved", r"\A\Z", by="ash"
    ),
    "ash$ git push origin main": Run("merged", r"promotions/support-desk/1 at \w+: wrote refs/heads/ledger", by="ash"),
    "auditor$ hallmark verify --root SHA256": Run("promoted", r"1 promotions verified: pass"),
    "auditor$ hallmark status support-desk": Run("promoted", r"(?m)^state +promoted$"),
    # the flywheel
    "hallmark ingest CLUSTER FILE": Run("governed", r"read [1-9]\d+ = kept [1-9]\d+ \+ quarantined 0 "),
    "hallmark iterate CLUSTER": Elsewhere("test_iterate_to_the_human_gate_as_printed", MINUTES),
    "hallmark iterate support-desk": Elsewhere("test_iterate_to_the_human_gate_as_printed", MINUTES),
    "dvc repro": Run("run branch", r"Data and pipelines are up to date"),
    # docs/evaluate.md
    "hallmark evaluate support-desk --model base": EVALUATE,
    "hallmark evaluate support-desk": EVALUATE,
    "hallmark evaluate list": EVALUATE,
    "hallmark evaluate show incumbent --failed --capability warranty-repair --limit 1": EVALUATE,
    "hallmark evaluate diff base incumbent": EVALUATE,
    "hallmark evaluate diff ITERATION/incumbent ITERATION/candidate": EVALUATE,
    "hallmark evaluate export incumbent incumbent.eval --format inspect": EVALUATE,
    "hallmark evaluate export incumbent lm --format lm-eval": EVALUATE,
    "hallmark evaluate import support-desk incumbent.eval --format inspect": EVALUATE,
    "hallmark import assay scenarios.json --cluster support-desk --set reserve --origin human "
    "--capability refund-status": EVALUATE,
    # docs/review.md
    "hallmark review HEAD^1 HEAD": Run("promoted", r"A change of promotion \(\d+ files\) must be signed by"),
    "hallmark review HEAD^1 HEAD --format markdown": Run("promoted", r"\A<!-- hallmark-review -->\n"),
    # docs/ci.md
    "hallmark ci files gitlab": Run("governed", r"(?m)^\.gitlab-ci\.yml: new$"),
    "hallmark ci files forgejo": Run("governed", r"(?m)^\.forgejo/workflows/iterate\.yaml: new$"),
    "hallmark ci files github": Run("governed", r"(?m)^\.github/workflows/iterate\.yaml: new$"),
    "hallmark ci plan HEAD^1 HEAD": Run("promoted", r"(?m)^\d to iterate, \d untouched$"),
    "hallmark ci review HEAD^1 HEAD": Run("promoted", r"\A(::.*\n?)*\Z"),
    "hallmark gate HEAD^1 HEAD --offline": Run("promoted", r": pass$"),
    "hallmark fmt": Run("governed", r"(?m)^0 of \d+ files laid out anew$"),
    "hallmark fmt --check": Run("governed", r"(?m)^0 of \d+ files would be laid out anew$"),
    # docs/handoff.md
    "hallmark handoff support-desk": Run("promoted", r"\A# Hand-off: "),
    "hallmark handoff CLUSTER": Run("promoted", r"\A# Hand-off: "),
    "hallmark handoff support-desk/1 --output build/handoff.md": Run("promoted", r"build/handoff.md: the hand-off of"),
    "hallmark handoff support-desk --validate": Run(
        "promoted", r"(?m)^support-desk/1 bom.cdx.json \(evidence\): valid$"
    ),
    "git switch runs/support-desk/i3f9a27c2": REMADE,
    "dvc pull": REMADE,
    "dvc repro --force --no-run-cache": REMADE,
    # docs/doctor.md
    "hallmark doctor": Run("governed", r"(?m)^ok +hook +the gate guards "),
    # docs/triggers.md
    "hallmark triggers support-desk": Run("finished", r"\Asupport-desk: no triggers in cluster.yaml"),
    "hallmark triggers --all --queue": Run("finished", r"\Asupport-desk: no triggers in cluster.yaml"),
    # docs/remotes.md
    "dvc remote add --default cloud s3://desk-data/store": REMOTE,
    "dvc remote modify cloud endpointurl https://s3.example.com": REMOTE,
    # docs/triage.md
    "hallmark triage CLUSTER": TRIAGE,
    "hallmark triage CLUSTER --json": TRIAGE,
    'hallmark triage CLUSTER --accept ID --accept ID --reject ID --reason "nobody writes so"': TRIAGE,
    "hallmark triage CLUSTER --edit ID --answer TEXT": TRIAGE,
    "hallmark triage CLUSTER --finish": TRIAGE,
    # docs/workbench.md
    "hallmark benchmark report CLUSTER": Run("finished", r"models asked: 3; insufficient data"),
    "hallmark benchmark report CLUSTER --html build/benchmark.html": Run("finished", r"build/benchmark.html: the page"),
    "hallmark benchmark report CLUSTER --json": Run("finished", r'"told_apart":'),
    "hallmark simulate collapse support-desk": Elsewhere(
        "test_two_generations_on_the_cluster_s_data_and_on_a_file", MINUTES
    ),
    # promotion
    "hallmark propose CLUSTER": Run("finished", r"proposed support-desk/1 on branch promote/support-desk/1", by="ci"),
    "hallmark propose --all": Run("finished", r"proposed support-desk/1 on branch promote/support-desk/1", by="ci"),
    "hallmark approve support-desk/1 --key ~/.ssh/id_ed25519": Run(
        "proposed", r"signed: ash approves support-desk/1", by="ash", answer="y\n"
    ),
    "hallmark approve CLUSTER/SEQ --key FILE": Run(
        "proposed", r"signed: hazel approves support-desk/1", by="hazel", answer="y\n"
    ),
    'hallmark reject support-desk/1 --key ~/.ssh/id_ed25519 --reason "two of the regressions are refunds"': Run(
        "proposed", r"signed: hazel rejects support-desk/1", by="hazel", answer="y\n"
    ),
    "hallmark gate OLD NEW": Run("promoted", r": pass$"),
    "hallmark verify --root SHA256": Run("promoted", r"1 promotions verified: pass"),
    "hallmark fetch CLUSTER@shadow --to served": Run("promoted", r"support-desk/1 .*, written to served: pass$"),
    "hallmark why ID": Run("promoted", r"support-desk"),
    # docs/fleet.md
    "hallmark status --waiting": Run(
        "proposed", r"(?m)^support-desk .* 2 approvers \(promotion\) .*\n1 cluster: 1 waiting"
    ),
    "hallmark export evidence desk --output evidence": EXPORT,
    "hallmark export scan desk card.md": EXPORT,
    # docs/stages-of-evaluation.md: the small desk has no reserve
    "hallmark benchmark rotate support-desk": Run(
        "governed", r"broken: 20 fresh scenarios are needed", by="ci", code=1
    ),
    # one's own specialist
    "hallmark init desk": FIVE,
    "cd desk": FIVE,
    'git add --all && git commit --message "The first benchmark"': FIVE,
    # docs/adopt.md and docs/imports.md
    "hallmark import labelled ../messages.csv --cluster routing": ONE_FILE,
    "hallmark init desk --answers answers.yaml": ADOPT,
    "git remote add origin ../origin.git": ADOPT,
    "git push --quiet origin main": ADOPT,
    "hallmark policy lint": ADOPT,
    "hallmark import instructlab taxonomy --cluster handbook --origin human": IMPORT,
    "hallmark import promptfoo promptfooconfig.yaml --cluster answers --origin human": IMPORT,
    "hallmark import lm-eval spokes.yaml --cluster trivia --origin human": IMPORT,
    "hallmark iterate routing": Elsewhere("test_the_five_commands_as_printed", MINUTES),
    # docs/staging.md: later steps need days of traffic between them
    "hallmark propose support-desk --stage canary --traffic results.jsonl --ci-key ~/.ssh/ci": STAGES,
    "hallmark propose support-desk --stage production --traffic results.jsonl --ci-key ~/.ssh/ci": STAGES,
    'hallmark propose support-desk/4 --stage deprecated --why "a better one serves" --ci-key ~/.ssh/ci': STAGES,
    'hallmark rollback support-desk/3 --why "refunds misrouted" --ci-key ~/.ssh/ci': STAGES,
    "hallmark approve rollback/support-desk/5 --key ~/.ssh/id_ed25519": STAGES,
    "hallmark calibrate CLUSTER --judge tone labels.jsonl": Elsewhere(
        "test_the_page_s_judge_is_calibrated_as_printed", "needs a judge's server, which the test is"
    ),
    # docs/trust.md: the auditor's page is run as one script
    'git clone --quiet "$REPOSITORY" audit': AUDIT,
    "cd audit": AUDIT,
    'hallmark verify --root "$ROOT"': AUDIT,
    'git checkout --quiet "$merge"': AUDIT,
    'git show "$merge^1:policy/allowed_signers" > ../signers': AUDIT,
    'git show "$merge^1:policy/revoked" > ../revoked': AUDIT,
    "git -c gpg.format=ssh -c gpg.ssh.allowedSignersFile=../signers -c gpg.ssh.revocationFile=../revoked verify-tag "
    '"promotions/$CLUSTER/$SEQ"': AUDIT,
    'git show "$entry" > ../entry.json': AUDIT,
}


def placeholders(command: str, desk: GovernedDesk) -> dict[str, str]:
    """What a reader puts in by hand; FILE is a key to `approve`, and traces to `ingest`."""
    traces = ROOT / "examples" / "support-desk" / "traces.jsonl"
    return {
        "CLUSTER": desk.cluster,
        "SEQ": "1",
        "ID": f"{desk.cluster}/1",
        "OLD": "HEAD^1",
        "NEW": "HEAD",
        "SHA256": desk.root,
        "FILE": "~/.ssh/id_ed25519" if "--key FILE" in command else str(traces),
    }


def filled(command: str, desk: GovernedDesk) -> str:
    command = DIGEST.sub("SHA256", command)
    for name, value in placeholders(command, desk).items():
        command = re.sub(rf"(?<![\w-]){name}(?![\w-])", lambda found, value=value: value, command)
    return command


class Worlds:
    """How far the promotion has come, each world made of the one before it, once. A command gets a copy."""

    def __init__(self, governed: GovernedDesk, folder: Path) -> None:
        self.folder = folder
        self.made: dict[str, GovernedDesk] = {"governed": governed}
        self.steps: dict[str, tuple[str, Callable[[GovernedDesk], object]]] = {
            "run branch": ("finished", self.check_out_run),
            "proposed": ("finished", GovernedDesk.propose),
            "forged": ("proposed", self.forge),
            "approved": ("proposed", lambda desk: desk.approve("ash", "hazel")),
            "merged": ("approved", GovernedDesk.merge_here),
            "promoted": ("merged", GovernedDesk.push),
        }

    def __getitem__(self, name: str) -> GovernedDesk:
        if name not in self.made:
            before, step = self.steps[name]
            desk = self.copy(before, self.folder / name.replace(" ", "-"))
            step(desk)
            self.made[name] = desk
        return self.made[name]

    def copy(self, name: str, target: Path) -> GovernedDesk:
        return self[name].copy(target)

    @staticmethod
    def forge(desk: GovernedDesk) -> None:
        """Mallory mends a score on the promotion's branch and merges that."""
        desk.run("git", "fetch", "--quiet", "origin", by="mallory")
        desk.run("git", "switch", "--quiet", "promote/support-desk/1", by="mallory")
        path = desk.desk / "clusters/support-desk/promotions/1/evidence/scorecard.json"
        path.write_text(re.sub(r'"composite":0\.\d+', '"composite":0.999', path.read_text()))
        desk.run("git", "commit", "--quiet", "--all", "--message", "A small correction", by="mallory")
        desk.run("git", "switch", "--quiet", "main", by="mallory")
        desk.run("git", "merge", "--quiet", "--no-ff", "--message", "Promote", "promote/support-desk/1", by="mallory")

    @staticmethod
    def check_out_run(desk: GovernedDesk) -> None:
        """As the README says: on the run branch, with its data."""
        (branch,) = desk.run("git", "branch", "--list", "runs/*", "--format=%(refname:short)", cwd=desk.origin).split()
        shutil.rmtree(desk.desk)
        desk.run("git", "clone", "--quiet", "--branch", branch, "origin.git", "desk", cwd=desk.home)
        desk.run("dvc", "pull", "--quiet")


@pytest.fixture(scope="module")
def worlds(governed: GovernedDesk, request: pytest.FixtureRequest, tmp_path_factory) -> Worlds:
    made = Worlds(governed, tmp_path_factory.mktemp("worlds"))
    made.made["finished"] = request.getfixturevalue("finished")
    return made


def test_every_printed_command_is_run_and_every_row_is_printed() -> None:
    printed = {one.key: one.document for one in PRINTED}
    missing = sorted(f"{document}: {key}" for key, document in printed.items() if key not in RUNS)
    assert missing == [], "printed, and run by no test: give it a row in RUNS"
    assert sorted(set(RUNS) - set(printed)) == [], "rows for what nothing prints"


@pytest.mark.parametrize("key", [key for key, run in RUNS.items() if isinstance(run, Elsewhere)])
def test_what_is_run_elsewhere_is_run_by_a_test_that_there_is(key: str) -> None:
    run = RUNS[key]
    assert isinstance(run, Elsewhere)
    rooms: tuple[ModuleType, ...] = (
        sys.modules[__name__],
        acceptance,
        acceptance_handoff,
        test_adopt_page,
        test_collapse,
        test_attack,
        test_cli_stages,
        test_evaluate_page,
        test_export_evidence,
        test_judges_served,
        test_s3_remote,
        test_triage_command,
    )
    assert any(callable(getattr(room, run.test, None)) for room in rooms), run.test


@pytest.mark.parametrize("key", [key for key, run in RUNS.items() if isinstance(run, Run) and run.world == "project"])
def test_a_command_works_in_this_repository_as_printed(key: str) -> None:
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    check(key, cwd=ROOT, environment=environment, command=key)


@pytest.mark.parametrize("key", [key for key, run in RUNS.items() if isinstance(run, Run) and run.world != "project"])
def test_a_command_works_as_printed(worlds: Worlds, tmp_path: Path, key: str) -> None:
    run = RUNS[key]
    assert isinstance(run, Run)
    desk = worlds.copy(run.world, tmp_path / "home")
    (printed,) = {one.command for one in PRINTED if one.key == key}
    check(key, cwd=desk.desk, environment=desk.environment(run.by), command=filled(printed, desk))


def check(key: str, *, cwd: Path, environment: dict[str, str], command: str) -> None:
    run = RUNS[key]
    assert isinstance(run, Run)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=cwd,
        env=environment,
        input=run.answer,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == run.code, said
    assert re.search(run.says, said.strip()), said


@pytest.mark.parametrize("target", [key for key in RUNS if key.startswith("make ")])
def test_make_has_the_target(target: str) -> None:
    """Without making it: `.ci/run` calls `make test`, and people `make acceptance` before a release."""
    done = subprocess.run(["make", "--dry-run", target.split()[1]], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert target != "make test" or "\nmake test\n" in (ROOT / ".ci" / "run").read_text()


def test_the_five_commands_make_a_cluster_of_a_users_own_files(tmp_path: Path) -> None:
    """All but the last, which takes a minute of training: the acceptance test runs them all."""
    words = {"refund": "refund money back account paid", "parcel": "parcel courier late delivery van"}
    for part in ("base", "gold", "traffic", "core", "dev", "heldout"):
        rows = [
            (f"{part} {number} {' '.join(text.split()[number % 5 :])}", label)
            for label, text in words.items()
            for number in range(12)
        ]
        with (tmp_path / f"{part}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *rows])
    test_adopt_page.messages(tmp_path / "messages.csv")
    *before, last = block_with(README, "hallmark init")
    assert len(before) == 4
    assert last == "hallmark iterate routing"
    desk = GovernedDesk(tmp_path, "routing")
    # the README's file names are relative to where the user is, and the user has gone into `desk`
    desk.run("bash", "-euo", "pipefail", "-c", "\n".join(before), cwd=tmp_path)
    desk.run("hallmark", "check")


def test_what_a_document_prints_is_found() -> None:
    text = (
        "```\nash$ hallmark one\nhallmark says\n  $ not this\n$ hallmark two \\\n   --x\n```\n```yaml\nmake: 1\n```\n"
    )
    text += "```\nmake demo    # the loop\nruns/  what it leaves\n```\n"
    found = [one for block in blocks(text) for one in of_block("d", block)]
    assert found == [Printed("d", "hallmark one", "ash"), Printed("d", "hallmark two --x"), Printed("d", "make demo")]
