"""The demonstration: the embedded cluster through a whole iteration to a signed, merged and verified promotion.

It makes a bare origin with the gate as its hook and a clone for each person, and then types what they would type.
The people are played: the domain owner accepts what customers wrote and rejects synthetic messages that do not read
like English; the approvers approve. Everything else is the real thing.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path

from runner.errors import EdgeError, RecordError
from runner.records.demo import Promoted, Regressed, Summary
from runner.records.evidence import EvidenceFile
from runner.records.ledger import EntryKind
from runner.records.score import Scorecard
from runner.records.triage import Choice, TriageFile
from runner.reviews import review_path
from runner.rules.data.demonstration import before_after, choose, compute_seconds, measured, vocabulary
from runner.rules.evaluation.limits import summary
from runner.rules.triage.decisions import begin, decide
from runner.wiring import flywheel

CLUSTER = "support-desk"
GOVERNED = ("clusters", "rubrics", "scenarios", "dvc.yaml", "params.yaml", ".dvc/config", "*.gitignore")
TRACES = "examples/support-desk/traces.jsonl"
PEOPLE = {
    "rowan": "benchmark-owner",
    "ash": "approver,maintainer",
    "hazel": "approver,maintainer",
    "linden": "approver,on-call",
}
MACHINES = ("ci", "gate")


class Until(StrEnum):
    """Where people take over from the demonstration."""

    START = "start"
    TRIAGE = "triage"
    PROPOSAL = "proposal"


class Demo:
    """One run in `home`, from the project's files at `source`. `say` prints a line."""

    def __init__(self, home: Path, source: Path, say: Callable[[str], None]) -> None:
        self.home, self.source, self.say = home.resolve(), source.resolve(), say
        self.keys, self.store, self.origin = self.home / "keys", self.home / "store", self.home / "origin.git"
        self.root = ""
        self.wall = 0.0

    def run(self) -> Summary:
        started = time.monotonic()
        ci = self._begin()
        self._to_triage(ci)
        self._to_bundle(ci)
        self.title("5  CI proposes; a forger tries his luck; two people approve; one merges")
        self._propose(ci)
        refused = self._forge(self._clone("mallory"))
        for person in ("ash", "hazel"):
            self.hallmark(self._clone(person), "approve", f"{CLUSTER}/1", "--key", str(self.keys / person), "--yes")
        self._merge(self.home / "ash", f"promote/{CLUSTER}/1", "Promote support-desk/1")
        self.title("6  Anyone verifies, from a new clone and one digest")
        auditor = self._clone("auditor")
        verified = self.hallmark(auditor, "verify", "--root", self.root, check=False) == 0
        self.hallmark(auditor, "status", CLUSTER)
        result = self._summary(auditor, refused, verified, time.monotonic() - started)
        (self.home / "summary.json").write_text(json.dumps(result.model_dump(mode="json"), indent=1) + "\n")
        report = auditor / "clusters" / CLUSTER / "promotions" / "1" / "evidence" / EvidenceFile.REPORT
        shutil.copy(report, self.home / "report.html")
        self.say(f"\nsummary  {self.home / 'summary.json'}\nreport   {self.home / 'report.html'}")
        return result

    def practice(self, until: Until) -> None:
        """The same up to `until`, and a clone for each person who goes on from there by hand."""
        ci = self._begin()
        if until is not Until.START:
            self._to_triage(ci)
        if until is Until.PROPOSAL:
            self._to_bundle(ci)
            self.title("5  CI proposes")
            self._propose(ci)
        self.title("A clone for each person")
        for person in PEOPLE:
            clone = self.home / person
            if not clone.is_dir():
                self._clone(person)
            for name, value in (("user.name", person), ("user.email", f"{person}@example.com")):
                self.git(clone, "config", name, value)
            self.say(f"{person:<10}{clone}  ({PEOPLE[person].replace(',', ', ')}; key {self.keys / person})")
        self.say(f"\nroot of trust  {self.root}")

    def _begin(self) -> Path:
        """The workspace and its origin; CI's clone."""
        self.title("1  A workspace, six keys, and a bare origin that the gate guards")
        empty(self.home)
        new_keys(self.keys, (*PEOPLE, *MACHINES))
        self._make_workspace()
        self._make_origin()
        return self._clone("ci")

    def _to_triage(self, ci: Path) -> None:
        self.title("2  An iteration, to the human gate")
        self._iterate(ci)

    def _to_bundle(self, ci: Path) -> None:
        self.title("3  The domain owner decides on the candidates and merges")
        self._triage(self._clone("rowan"))
        self.title("4  The iteration goes on, to its bundle")
        self.git(ci, "pull", "--quiet", "--ff-only")
        self._iterate(ci)

    def _propose(self, ci: Path) -> None:
        self.hallmark(ci, "propose", CLUSTER, "--ci-key", str(self.keys / "ci"), "--key", str(self.keys / "ci"))

    def title(self, text: str) -> None:
        self.say(f"\n── {text}")

    def hallmark(self, cwd: Path, *arguments: str, check: bool = True, ok: tuple[int, ...] = (0,)) -> int:
        """Type a `hallmark` command. Raises `EdgeError` where it exits with a code that is not `ok`."""
        shown = " ".join(argument.replace(str(self.home), "…") for argument in arguments)
        self.say(f"{cwd.name}$ hallmark {shown}")
        done = subprocess.run(
            [sys.executable, "-m", "runner.cli", *arguments], cwd=cwd, env=environment("demo"), check=False
        )
        if check and done.returncode not in ok:
            raise EdgeError(f"`hallmark {shown}` exited {done.returncode}; {self.home} shows how far it came")
        return done.returncode

    def git(
        self, cwd: Path, *arguments: str, check: bool = True, show: bool = False
    ) -> subprocess.CompletedProcess[str]:
        if show:
            self.say(f"{cwd.name}$ git {shlex.join(arguments)}")
        done = subprocess.run(
            ["git", *arguments], cwd=cwd, env=environment(cwd.name), capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            raise EdgeError(f"git {arguments[0]} in {cwd}: {done.stderr.strip()}")
        return done

    def _make_workspace(self) -> None:
        """The project's governed files, its data in a store of the demo's own, and today's traces through the door."""
        desk = self.home / "desk"
        listed = self.git(self.source, "ls-files", "-z", "--", *GOVERNED).stdout.split("\0")
        for path in filter(None, listed):
            (desk / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.source / path, desk / path)
        shutil.copytree(self.source / ".dvc" / "embedded", self.store)
        config = f"[core]\n    analytics = false\n    remote = store\n['remote \"store\"']\n    url = {self.store}\n"
        (desk / ".dvc" / "config").write_text(config)
        (desk / "clusters" / CLUSTER / "data" / "signals.jsonl.dvc").unlink()
        self.git(desk, "init", "--quiet", "--initial-branch=main")
        people = [
            part for name, roles in PEOPLE.items() for part in ("--person", f"{name}={self._public(name)}:{roles}")
        ]
        machines = ["--ci", f"ci={self._public('ci')}", "--gate", f"gate={self._public('gate')}"]
        self.hallmark(desk, "policy", "init", "--repository", "fernhill/desk", *people, *machines)
        self.root = flywheel.root_of_trust(desk)
        self.hallmark(desk, "ingest", CLUSTER, str(self.source / TRACES))
        self.hallmark(desk, "check")
        flywheel.publish_data(desk, CLUSTER)

    def _public(self, name: str) -> str:
        return str(self.keys / f"{name}.pub")

    def _make_origin(self) -> None:
        desk = self.home / "desk"
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(self.origin)], check=True)
        key, store = ["--key", str(self.keys / "gate")], ["--store", str(self.store)]
        options = ["--root", self.root, *key, *store, "--no-resident"]  # nothing stays when the demo has ended
        self.hallmark(self.home, "hook", "install", str(self.origin), *options)
        self.git(desk, "add", "--all")
        self.git(desk, "commit", "--quiet", "--message", "The first tree: scenarios, data pointers, and the policy")
        self.git(desk, "remote", "add", "origin", str(self.origin))
        self.git(desk, "push", "--quiet", "origin", "main", show=True)

    def _clone(self, person: str) -> Path:
        target = self.home / person
        self.git(self.home, "clone", "--quiet", str(self.origin), str(target))
        return target

    def _iterate(self, ci: Path) -> None:
        started = time.monotonic()
        self.hallmark(ci, "iterate", CLUSTER, ok=(0, 4))
        self.wall += time.monotonic() - started

    def _triage(self, owner: Path) -> None:
        """Play the domain owner: read the list on CI's branch, decide, sign, merge, push through the gate."""
        listed = self.git(
            owner, "branch", "--remotes", "--list", f"origin/triage/{CLUSTER}/*", "--format=%(refname:short)"
        )
        branch = listed.stdout.split()[0].removeprefix("origin/")
        self.git(owner, "switch", "--quiet", branch, show=True)
        path = f"clusters/{CLUSTER}/triage/{branch.rpartition('/')[2]}.yaml"
        file = flywheel.parse_record((owner / path).read_bytes(), TriageFile, path=path)
        known, review = vocabulary(file), begin(file, owner.name)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        for one in file.decisions:
            choice, reason = choose(one, known)
            review = decide(file, review, one.candidate, choice, at=now, reason=reason)
        written = owner / review_path(CLUSTER, file.iteration, owner.name)
        written.parent.mkdir(exist_ok=True)
        written.write_bytes(flywheel.dump_record(review))
        chosen = [one.decision for one in review.decisions]
        counts = ", ".join(f"{chosen.count(choice)} {choice}" for choice in (Choice.ACCEPT, Choice.REJECT))
        self.say(f"  {len(chosen)} candidates: {counts}")
        self.hallmark(owner, "triage", CLUSTER, "--key", str(self.keys / owner.name), "--finish")
        self.git(owner, "switch", "--quiet", "main")
        self._merge(owner, branch, "Take over the decided candidates", local=True)

    def _merge(self, clone: Path, branch: str, message: str, *, local: bool = False) -> None:
        self.git(clone, "fetch", "--quiet")
        source = branch if local else f"origin/{branch}"
        self.git(clone, "merge", "--quiet", "--no-ff", "--message", message, source, show=True)
        pushed = self.git(clone, "push", "origin", "main", show=True)
        self._remote_said(pushed)

    def _forge(self, mallory: Path) -> bool:
        """Raise the held-out score in the evidence, merge, push. True if the gate refused it and main stayed."""
        before = self.git(self.origin, "rev-parse", "main").stdout
        path = mallory / "clusters" / CLUSTER / "promotions" / "1" / "evidence" / EvidenceFile.SCORECARD
        self.git(mallory, "switch", "--quiet", f"promote/{CLUSTER}/1")
        scorecard = json.loads(path.read_bytes())
        scorecard["models"]["candidate"]["sets"]["heldout"]["composite"] = 0.999
        path.write_text(json.dumps(scorecard, sort_keys=True))
        self.git(mallory, "commit", "--quiet", "--all", "--message", "A small correction")
        self.git(mallory, "switch", "--quiet", "main")
        self.git(mallory, "merge", "--quiet", "--no-ff", "--message", "Promote", f"promote/{CLUSTER}/1")
        pushed = self.git(mallory, "push", "origin", "main", check=False, show=True)
        self._remote_said(pushed)
        refused = pushed.returncode != 0 and self.git(self.origin, "rev-parse", "main").stdout == before
        self.say("  the forged promotion was refused" if refused else "  THE FORGED PROMOTION WENT THROUGH")
        return refused

    def _remote_said(self, pushed: subprocess.CompletedProcess[str]) -> None:
        for line in pushed.stderr.splitlines():
            if line.startswith("remote:") and line.removeprefix("remote:").strip():
                self.say(f"  {line.rstrip()}")

    def _summary(self, auditor: Path, refused: bool, verified: bool, seconds: float) -> Summary:
        space = flywheel.workspace(auditor, CLUSTER)
        evidence = auditor / "clusters" / CLUSTER / "promotions" / "1" / "evidence"
        card = Scorecard.model_validate_json((evidence / EvidenceFile.SCORECARD).read_bytes())
        figures = summary(card, space.cluster)
        steps = [entry for entry in flywheel.ledger_store(auditor).read(CLUSTER) if entry.kind is EntryKind.PHASE]
        against = {one.against: one.p_value for one in card.comparisons}
        return Summary(
            composite=before_after(figures, "composite"),
            heldout=before_after(figures, "heldout"),
            regressions=Regressed(count=figures.regressions, of=figures.regressions_of),
            p_value=max(against["base"], against["control"]),
            phases={entry.phase: measured(entry, "seconds") for entry in steps if entry.verdict.passed},
            wall_s=round(self.wall, 1),
            compute_s=round(compute_seconds(steps), 1),
            total_s=round(seconds, 1),
            promotion=Promoted(sequence=1, verified=verified),
            forgery_refused=refused,
        )


def environment(person: str) -> dict[str, str]:
    """The user's own environment with an identity, and without what git was told of another repository."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    who = {f"GIT_{role}_{field}": value for role in ("AUTHOR", "COMMITTER") for field, value in
           (("NAME", person), ("EMAIL", f"{person}@example.com"))}  # fmt: skip
    return {**kept, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def empty(home: Path) -> None:
    """Take away what an earlier demonstration left in `home`. Raises `RecordError` where something else is there."""
    if not home.exists():
        return
    keys = {path.name.removesuffix(".pub") for path in (home / "keys").glob("*")}
    others = [path for path in home.iterdir() if path.name != "keys"]
    if keys - {*PEOPLE, *MACHINES} or (others and not keys.issuperset(MACHINES)):
        hint = "name a directory that is not there yet, or that an earlier demonstration left"
        raise RecordError("holds other files, which would be deleted", path=str(home), hint=hint)
    for path in others:  # keys last: by them it is known
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    shutil.rmtree(home)


def new_keys(folder: Path, names: Iterable[str]) -> None:
    """An ed25519 key without a passphrase for each name, in a new folder."""
    folder.mkdir(parents=True)
    for name in names:
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)]
        subprocess.run(command, check=True)
