"""A small governed repository with real keys, for the promotion tests: everything that a promotion needs, and a hand to
forge it with."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.edges.git_write import GitRepository
from runner.edges.ledger_store import LEDGER, GitLedgerStore, entry_bytes, entry_path
from runner.edges.scratch import new_signer, scratch_repository
from runner.edges.signing import SshSigner, SshVerifier
from runner.edges.yaml_dump import dump
from runner.edges.yaml_files import parse
from runner.ledger import PHASES, History
from runner.promotion import approve, decide
from runner.promotion.drill import Scratch, with_drill
from runner.promotion.gather import Step, read_before
from runner.promotion.handoff import with_generated
from runner.promotion.judge import judge
from runner.promotion.propose import Staging, adapter_record, propose, stage
from runner.promotion.receipt import Registry, reconcile
from runner.promotion.sources import Sources
from runner.records.cluster import BenchmarkLock, Cluster
from runner.records.evidence import EvidenceFile
from runner.records.intake import Incumbent
from runner.records.ledger import Entry, EntryKind
from runner.records.pointer import PointerOut
from runner.records.promotion import BaseId, BenchmarkId, PromotionRecord, RunSource, ServingStage
from runner.records.score import ScoredScenario
from runner.records.statement import Choice
from runner.records.verdict import Verdict
from runner.rules.canonical import canonical, sha256, tree_digest
from runner.rules.evaluation.assessment import Subject, assessed
from runner.rules.repository.benchmark import benchmark_digest
from runner.rules.text.perturbation import ROBUSTNESS
from runner.rules.trust.facts import Before
from tests import evidence_fixture
from tests.adapter_fixture import adapter_files

MAIN = "refs/heads/main"
NOW = "2026-11-21T12:00:00Z"
LATER = "2026-11-21T13:00:00Z"
LOCK: dict[str, Any] = {
    "version": 1,
    "sets": {"heldout": {"sha256": "a" * 64, "scenarios": 12, "owners": ["owner"]}},
}
BENCHMARK = benchmark_digest(BenchmarkLock.model_validate(LOCK))
CAPABILITIES = ("order-status", "refund")
SIZES = {"core": 8, "dev": 2, "heldout": 12, "representative": 4}
PEOPLE = {
    "alice": ["approver", "owner"],
    "bob": ["approver", "owner"],
    "carol": ["approver", "on-call", "admin"],
    "dave": ["engineer", "admin"],
}
SIGNERS = {
    **dict.fromkeys(PEOPLE, "hallmark-proposal@v1,hallmark-approval@v1"),
    "ci": "hallmark-proposal@v1,hallmark-evidence@v1",
    "gate": "hallmark-receipt@v1,hallmark-ledger@v1,git",
}
CHANGES = {
    "policy": [{"role": "admin", "people": 1}],
    "revocation": [{"role": "admin", "people": 1}],
    "benchmark": [{"role": "owner", "people": 1}],
    "data": [{"role": "owner", "people": 0}],
    "code": [{"role": "engineer", "people": 1}],
    "docs": [],
    "promotion": [{"role": "approver", "people": 2}],
    "rollback": [{"role": "on-call", "people": 1}],
}


def make_keys(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in (*SIGNERS, "alice-second", "mallory"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)]
        subprocess.run(command, check=True)


def scenarios() -> dict[tuple[str, str], str]:
    return {
        (name, f"{name}-{at:02d}"): CAPABILITIES[at % len(CAPABILITIES)]
        for name, count in SIZES.items()
        for at in range(count)
    }


def scenario_file(name: str, capability: str) -> bytes:
    return dump(
        {
            "id": name,
            "capability": capability,
            "outcome_type": "tp",
            "lens": "customer",
            "severity": "medium",
            "origin": "human",
            "objective": "Find the right answer.",
            "input": [{"role": "user", "content": f"Question {name}?"}],
            "reference": capability,
            "rubric": "label",
            "pass_criteria": ["names it"],
            "fail_criteria": ["does not"],
        }
    )


CLUSTER: dict[str, Any] = {
    "id": "desk",
    "title": "Desk",
    "base": {"kind": "tiny"},
    "serving": {"target": "cpu"},
    "benchmark_version": 1,
    "capabilities": [{"id": c, "title": c, "definition": c} for c in CAPABILITIES],
    "gate": {"thresholds": {"composite": 0.7, "heldout": 0.7}, "max_latency_p95_ms": 50.0},
    "human_floor": 0.5,
    "stages": {"enter": "production"},
}

PROBLEM = b"""---
gap: Refunds are misrouted.
why_not_real_data: There are few of them.
metric: composite
threshold: 0.7
real_only_baseline:
  value: 0.6
  how: Measured once.
---
Prose.
"""
HANDOFF = b"""---
license: Apache-2.0
intended_use: Routing messages.
---
The desk owns `capability:refund`.
"""


@dataclass
class DirectoryAdapters:
    """An adapter store that is a folder a digest."""

    folder: Path

    def put(self, files: Mapping[str, bytes]) -> None:
        home = self.folder / tree_digest(files)
        home.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (home / name).write_bytes(data)

    def fetch(self, record: PromotionRecord) -> Mapping[str, bytes]:
        home = self.folder / (record.adapter.sha256 if record.adapter else "none")
        return {path.name: path.read_bytes() for path in home.iterdir()}

    def base(self, record: PromotionRecord) -> Mapping[str, bytes] | None:
        return None


@dataclass
class World:
    path: Path
    now: str = NOW
    records: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.origin = self.path / "origin.git"
        self.adapters = DirectoryAdapters(self.path / "adapters")
        self.verifier = SshVerifier()
        self.git = GitRepository(self.origin)

    def key(self, name: str) -> SshSigner:
        return SshSigner(self.path / "keys" / name)

    def signers(self, namespaces: Mapping[str, str] = SIGNERS) -> bytes:
        lines = [f'{name} namespaces="{spaces}" {self.key(name).public_key}' for name, spaces in namespaces.items()]
        return "\n".join([*lines, ""]).encode()

    def policy(self, *, allowed: bytes | None = None, revoked: bytes = b"", **changes: Any) -> dict[str, bytes]:
        allowed = self.signers() if allowed is None else allowed
        trust = {
            "version": 1,
            "repository": "example/desk",
            "expires": "2027-06-01T00:00:00Z",
            "allowed_signers": sha256(allowed),
            "revoked": sha256(revoked),
            "people": PEOPLE,
            "ci": "ci",
            "gate": "gate",
            "changes": CHANGES,
            **changes,
        }
        return {"policy/allowed_signers": allowed, "policy/revoked": revoked, "policy/trust.yaml": dump(trust)}

    def tree(self) -> dict[str, bytes]:
        files = {f"scenarios/desk/{s}/{name}.yaml": scenario_file(name, c) for (s, name), c in scenarios().items()}
        files["clusters/desk/cluster.yaml"] = dump(CLUSTER)
        files["clusters/desk/problem.md"] = PROBLEM
        files["clusters/desk/handoff.md"] = HANDOFF
        files["clusters/desk/benchmark.lock"] = dump(LOCK)
        files["rubrics/label.yaml"] = b"id: label\n"
        files["README.md"] = b"# desk\n"
        config = f"[core]\n    remote = store\n['remote \"store\"']\n    url = {self.path / 'storage'}\n"
        files[".dvc/config"] = config.encode()
        return {**files, **self.policy()}

    def create(self) -> None:
        make_keys(self.path / "keys")
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(self.origin)], check=True)
        root = self.git.commit_files([], self.tree(), "Root\n")
        self.git.move({MAIN: (root, None)})

    @property
    def root_sha256(self) -> str:
        return sha256(self.policy()["policy/trust.yaml"])

    @property
    def main(self) -> str:
        return self.git.resolve(MAIN) or ""

    def sources(self, *, adapters: bool = True) -> Sources:
        store = GitLedgerStore(self.origin, remote=None)
        kept = self.adapters if adapters else None
        return Sources(self.git, parse, self.verifier, store.read, kept)

    # what an iteration leaves

    def evidence(self, iteration: str, adapter: str | None, **change: Any) -> dict[str, bytes]:
        """A bundle that holds: the base misses every second `refund`, the candidate nothing."""
        rows = [
            {
                "set": name,
                "scenario": scenario,
                "capability": capability,
                "scores": {
                    m: float(self._passes(m, name, capability, change)) for m in ("base", "control", "candidate")
                },
                "passed": {m: self._passes(m, name, capability, change) for m in ("base", "control", "candidate")},
            }
            for (name, scenario), capability in scenarios().items()
        ]
        for row in rows:
            row["scores"]["incumbent"], row["passed"]["incumbent"] = row["scores"]["base"], row["passed"]["base"]
            if row["set"] == "core":
                row["perturbed"] = {kind: {"candidate": row["scores"]["candidate"]} for kind in ROBUSTNESS}
        rows = change.get("rows", lambda r: r)(rows)
        card = self.scorecard(iteration, adapter, rows)
        card = change.get("card", lambda c: c)(card)
        human = change.get("human_share", 0.75)
        files = {
            EvidenceFile.GRADES: b"".join(json.dumps(row).encode() + b"\n" for row in rows),
            EvidenceFile.SCORECARD: json.dumps(card).encode(),
            EvidenceFile.LINEAGE: b'{"nodes":[]}',
            EvidenceFile.SWEEP: canonical(evidence_fixture.sweep().model_copy(update={"human_share": human})),
            EvidenceFile.RISKS: b'{"risks":[{"title":"Small","detail":"Twelve scenarios."}]}',
        }
        now = self.incumbent()
        rollback = {"to_sequence": now.sequence, "to_adapter": now.adapter, "when": "it falls", "who": "on-call"}
        outside = {
            EvidenceFile.OPERATIONS: json.dumps(operations(change.get("latency", 10.0))).encode(),
            EvidenceFile.REPORT: b"<html></html>",
            EvidenceFile.ROLLBACK: json.dumps(change.get("rollback", rollback)).encode(),
        }
        self.records["bundle"] = tree_digest({name.value: data for name, data in files.items()})
        return {name.value: data for name, data in {**files, **outside}.items()}

    def _passes(self, model: str, name: str, capability: str, change: Mapping[str, Any]) -> bool:
        rule: Callable[[str, str, str], bool] | None = change.get("passes")
        if rule is not None:
            return rule(model, name, capability)
        return model == "candidate" or (capability == "order-status" and name not in ("heldout",))

    def scorecard(self, iteration: str, adapter: str | None, rows: list[dict[str, Any]]) -> dict[str, Any]:
        adapters = {"base": None, "incumbent": self.incumbent().adapter, "control": "c" * 64, "candidate": adapter}
        scored = [ScoredScenario.model_validate(row) for row in rows]
        subject = Subject(iteration, 1, BENCHMARK)
        card = assessed(scored, Cluster.model_validate(CLUSTER), subject=subject, adapters=adapters)
        return card.model_dump(mode="json")

    def incumbent(self) -> Incumbent:
        return self.before().incumbent

    def before(self) -> Before:
        return read_before(self.sources(), self.main, "desk")

    def ledger(self, iteration: str, adapter: str, bundle: str, **change: Any) -> None:
        """The thirteen phases of an iteration, in one commit: the ledger store's own speed is not under test here."""
        store = GitLedgerStore(self.origin, remote=None)
        history = History.from_entries("desk", store.read("desk"))
        outputs = {"train": {"adapter": adapter}, "bundle": {"bundle": bundle}, **change.get("outputs", {})}
        for at, phase in enumerate(("", *PHASES)):
            entry = Entry(
                cluster="desk",
                sequence=history.size + 1,
                previous=history.head,
                kind=EntryKind.PHASE if at else EntryKind.QUEUED,
                iteration=iteration,
                phase=phase,
                outputs=outputs.get(phase, {}),
            )
            history = history.append(entry)
        files = {entry_path(entry): entry_bytes(entry) for entry in history.entries}
        tip = store.tip()
        self.git.move({LEDGER: (self.git.commit_files([tip] if tip else [], files, iteration), tip)})

    def staging(self, iteration: str = "it-1", *, weights: bytes = b"weights", **change: Any) -> Staging:
        """An iteration, through its bundle and in the ledger, as `propose` takes it."""
        files = adapter_files(f"{weights!r} {iteration}")
        self.adapters.put(files)
        adapter = adapter_record(files, dvc=store_with_dvc(self.path / "storage", files))
        evidence = self.evidence(iteration, adapter.sha256, **change)
        self.ledger(iteration, adapter.sha256, self.records["bundle"], **change)
        now = self.incumbent()
        staging = Staging(
            cluster="desk",
            sequence=change.get("sequence", self.before().last + 1),
            iteration=iteration,
            benchmark=BenchmarkId(id="desk", version=1, sha256=BENCHMARK),
            base=BaseId(kind="tiny", sha256="d" * 64),
            adapter=adapter,
            incumbent=now,
            run=RunSource(branch=f"runs/desk/{iteration}", iteration=iteration),
            human_share=change.get("human_share", 0.75),
            evidence=evidence,
            stage=ServingStage(self.before().cluster.stages.enter),
        )
        return self.drilled(self.handed(staging))

    def handed(self, staging: Staging) -> Staging:
        return with_generated(self.sources(), staging, main=self.main)

    def drilled(self, staging: Staging) -> Staging:
        with scratch_repository(self.origin) as (repository, keys):
            scratch = Scratch(repository, lambda name: new_signer(keys, name), time.monotonic, dump)
            return with_drill(self.sources(), scratch, staging, main=self.main, now=self.now)

    def staged(self, staging: Staging, *, ci: str = "ci") -> dict[str, bytes]:
        sources = self.sources()
        trust = sources.policy(self.main).trust
        return stage(staging, chain=sources.chain("desk"), trust=trust, ci=self.key(ci), dump=dump)

    # what people do

    def propose(
        self,
        files: Mapping[str, bytes],
        *,
        by: str = "dave",
        sequence: int = 1,
        check: bool = False,
        branch: str = "",
    ) -> str:
        branch = branch or decide.branch_of(f"desk/{sequence}")
        signer = self.key(by)
        done = propose(
            self.sources(), self.git, files, branch=branch, signer=signer, now=self.now, remote=None, check=check
        )
        return done.tip

    def approve(self, *people: str, sequence: int = 1, choice: Choice = Choice.APPROVE, target: str = "") -> None:
        for person in people:
            approve.sign(
                self.sources(),
                self.git,
                target or f"desk/{sequence}",
                choice=choice,
                signer=self.key(person),
                now=self.now,
                remote=None,
                confirm=lambda told: True,
                reason="not good enough" if choice is Choice.REJECT else "",
            )

    def put(self, files: Mapping[str, bytes | None], *, sequence: int = 1, branch: str = "") -> str:
        """One more commit on the promotion's branch, made by hand."""
        ref = branch or decide.branch_of(f"desk/{sequence}")
        tip = self.git.resolve(ref)
        commit = self.git.commit_files([tip or self.main], files, "By hand\n")
        self.git.move({ref: (commit, tip)})
        return commit

    def merge(self, *, sequence: int = 1, branch: str = "", extra: Mapping[str, bytes | None] | None = None) -> str:
        """A --no-ff merge of the branch on main, perhaps an evil one. No ref moves."""
        tip = self.git.resolve(branch or decide.branch_of(f"desk/{sequence}")) or ""
        merged = decide.draft_merge(self.git, main=self.main, tip=tip)
        if not extra:
            return merged
        return self.git.commit_files([self.main, tip], extra, "Evil merge\n", base=merged)

    def judge(self, new: str, *, now: str = LATER, old: str = "", adapters: bool = True) -> Verdict:
        return judge(self.sources(adapters=adapters), Step(old or self.main, new, now)).verdict

    def land(self, new: str) -> None:
        self.git.move({MAIN: (new, self.main)})

    def reconcile(self, *, now: str = LATER) -> None:
        store = GitLedgerStore(self.origin, remote=None)
        registry = Registry(self.git, store.commit)
        reconcile(self.sources, registry, self.key("gate"), main=self.main, now=lambda: now)

    def promote(self) -> None:
        """A world made, with a first promotion: proposed, approved, merged and receipted."""
        self.create()
        self.propose(self.staged(self.staging()), check=True)
        self.approve("alice", "bob")
        self.land(self.merge())
        self.reconcile()

    def copy(self, path: Path) -> World:
        shutil.copytree(self.path, path)
        return World(path)


def store_with_dvc(folder: Path, files: Mapping[str, bytes]) -> PointerOut:
    """The files as DVC stores a directory."""

    def put(data: bytes, suffix: str = "") -> str:
        name = hashlib.md5(data).hexdigest() + suffix
        path = folder / "files" / "md5" / name[:2] / name[2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return name

    listing = [{"md5": put(data), "relpath": name} for name, data in sorted(files.items())]
    md5 = put(json.dumps(listing).encode(), ".dir")
    size = sum(map(len, files.values()))
    return PointerOut(md5=md5, size=size, nfiles=len(files), path="clusters/desk/run/adapter")


def operations(latency: float) -> dict[str, Any]:
    return {
        "machine": "test",
        "latency_p50_ms": latency / 2,
        "latency_p95_ms": latency,
        "tokens_per_second": 1000.0,
        "peak_memory_mib": 100.0,
        "seconds_per_decision": 0.01,
        "cost_per_decision": 0.0,
        "currency": "EUR",
        "training_seconds": 3.0,
    }
