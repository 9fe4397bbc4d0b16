"""A repository with a long history of real promotions, made in seconds: `git fast-import` writes, ssh-keygen signs.

Everything that a verifier looks at is made by the product's own functions; only the gate's judgement in between is
left out, and `hallmark verify` gives it afterwards.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self

from runner.edges.ledger_store import entry_bytes, entry_path
from runner.edges.yaml_dump import dump
from runner.ledger import PHASES, History
from runner.promotion.decide import decide
from runner.promotion.propose import Staging, stage
from runner.promotion.receipt import receipt_subjects, resource_uri
from runner.promotion.sources import Chain, Sources
from runner.promotion.tags import tag_name
from runner.records.change import ChangeClass, Operation, PathChange
from runner.records.cluster import Cluster
from runner.records.evidence import DrillSeconds, EvidenceFile, RollbackDrill
from runner.records.intake import Incumbent
from runner.records.ledger import Entry, EntryKind
from runner.records.promotion import AdapterRecord, PromotionRecord
from runner.records.statement import (
    PAYLOAD_TYPE,
    Choice,
    LedgerPoint,
    Namespace,
    Receipt,
    ReceiptStatement,
    subjects,
)
from runner.rules.canonical import canonical, sha256
from runner.rules.trust.change import manifest
from runner.rules.trust.facts import Before, Facts, Promotion, SignedEvidence
from tests.promotion_fixture import BENCHMARK, CLUSTER, NOW, SIZES, World

APPROVERS = ("alice", "bob")


@contextmanager
def sizes(of: Mapping[str, int]) -> Iterator[None]:
    """The fixture's benchmark with other numbers of scenarios, while the context lasts."""
    before = dict(SIZES)
    SIZES.clear()
    SIZES.update(of)
    try:
        yield
    finally:
        SIZES.clear()
        SIZES.update(before)


class FastImport:
    """`git fast-import`, asked for the id of every commit as it is written."""

    def __init__(self, repository: Path) -> None:
        command = ["git", "fast-import", "--quiet", "--done", "--date-format=raw"]
        self._process = subprocess.Popen(command, cwd=repository, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.identity = f"hallmark <hallmark@localhost> {int(time.time())} +0000"
        self._marks: dict[str, str] = {}
        """What fast-import calls the commits that it has written."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(b"done\n")
        assert self._process.returncode == 0

    def commit(self, ref: str, files: Mapping[str, bytes], parents: Sequence[str], message: str) -> str:
        """A commit on the first of `parents` with `files` written over its tree; `ref` is left at it."""
        mark = f":{len(self._marks) + 1}"
        lines = [f"commit {ref}\nmark {mark}\ncommitter {self.identity}\n".encode(), _data(message.encode())]
        known = [self._marks.get(parent, parent) for parent in parents]
        lines += [f"{'merge' if at else 'from'} {parent}\n".encode() for at, parent in enumerate(known)]
        for path, data in files.items():
            lines += [f"M 100644 inline {path}\n".encode(), _data(data)]
        self._send(b"".join([*lines, f"get-mark {mark}\n".encode()]))
        assert self._process.stdout is not None
        made = self._process.stdout.readline().decode().strip()
        self._marks[made] = mark
        return made

    def tag(self, name: str, commit: str, message: bytes) -> None:
        self._send(f"tag {name}\nfrom {self._marks[commit]}\ntagger {self.identity}\n".encode() + _data(message))

    def _send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()


def _data(data: bytes) -> bytes:
    return f"data {len(data)}\n".encode() + data + b"\n"


class LongWorld(World):
    """A world whose promotions are written in bulk."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.history = History("desk")
        self.now_promoted = Incumbent(sequence=0)

    def incumbent(self) -> Incumbent:
        return self.now_promoted

    def ledger(self, iteration: str, adapter: str, bundle: str, **change: object) -> None:
        outputs = {"train": {"adapter": adapter}, "bundle": {"bundle": bundle}}
        for at, phase in enumerate(("", *PHASES)):
            kind = EntryKind.PHASE if at else EntryKind.QUEUED
            self._append(kind=kind, iteration=iteration, phase=phase, outputs=outputs.get(phase, {}))

    def handed(self, staging: Staging) -> Staging:
        """Without hand-offs, which name the promotions before: fast-import has not written those yet."""
        return staging

    def drilled(self, staging: Staging) -> Staging:
        """With the evidence that a drill leaves. The drill itself reads what fast-import has not written yet."""
        earlier: AdapterRecord | None = self.records.get("adapter")
        sizes = [file.size for file in earlier.files.values()] if earlier else []
        told = RollbackDrill(
            from_adapter=staging.adapter.sha256 if staging.adapter else "",
            to_sequence=staging.incumbent.sequence,
            to_adapter=staging.incumbent.adapter,
            files=len(sizes),
            bytes=sum(sizes),
            signed_by=1,
            measured=DrillSeconds(propose=0.1, approve=0.1, merge=0.1, total=0.3),
        )
        return replace(staging, evidence={**staging.evidence, EvidenceFile.DRILL.value: canonical(told) + b"\n"})

    def _append(self, **fields: object) -> Entry:
        place = {"cluster": "desk", "sequence": self.history.size + 1, "previous": self.history.head}
        entry = Entry.model_validate({**place, **fields})
        self.history = self.history.append(entry)
        return entry

    def promote(self, count: int) -> None:
        """So many promotions, one after the other, each proposed by dave and approved by alice and bob."""
        sources = self.sources(adapters=False)
        root = self.main
        context = sources.context(root, "desk")
        with FastImport(self.origin) as out:
            main, ledger = root, ""
            for sequence in range(1, count + 1):
                main, ledger = self._promotion(out, sources, sequence, context, main, ledger)

    def _promotion(
        self, out: FastImport, sources: Sources, sequence: int, context: str, main: str, ledger: str
    ) -> tuple[str, str]:
        before = self.history.size
        iteration = f"it-{sequence}"
        staging = self.staging(iteration, sequence=sequence)
        sources._chains["desk"] = Chain(self.history)
        policy = sources.policy(self.main)
        files = stage(staging, chain=sources.chain("desk"), trust=policy.trust, ci=self.key("ci"), dump=dump)
        facts = self._facts(files, sources, context)
        home = f"{staging.home}approvals/"
        proposal = decide(sources, facts, self.key("dave"), choice=Choice.PROPOSE, person="dave", now=NOW)
        branch = "refs/heads/promote/desk"
        tip = out.commit(branch, {**files, f"{home}proposal.dsse.json": proposal}, [main], "Propose\n")
        signed = {f"{home}proposal.dsse.json": proposal}
        for person in APPROVERS:
            envelope = decide(sources, facts, self.key(person), choice=Choice.APPROVE, person=person, now=NOW)
            signed[f"{home}{person}.dsse.json"] = envelope
            tip = out.commit(branch, {f"{home}{person}.dsse.json": envelope}, [tip], f"{person} approves\n")
        main = out.commit("refs/heads/main", {**files, **signed}, [main, tip], f"Promote desk/{sequence}\n")
        assert facts.promotion is not None
        self._receipt(facts.promotion, policy.sha256, main)
        self._tag(out, sequence, main)
        entries = {entry_path(entry): entry_bytes(entry) for entry in self.history.entries[before:]}
        ledger = out.commit("refs/heads/ledger", entries, [ledger] if ledger else [], f"{iteration}\n")
        adapter = staging.adapter.sha256 if staging.adapter else None
        self.now_promoted = Incumbent(sequence=sequence, adapter=adapter)
        return main, ledger

    def _facts(self, files: Mapping[str, bytes], sources: Sources, context: str) -> Facts:
        """As much of a step's facts as a decision is made of."""
        path = next(path for path in files if path.endswith("record.yaml"))
        record = sources.parse(files[path], PromotionRecord, path=path)
        changes = tuple(PathChange(Operation.ADD, path, "100644", "", "") for path in sorted(files))
        before = Before(Cluster.model_validate(CLUSTER), BENCHMARK, {}, {}, (), ())
        if record.incumbent.sequence:
            last = {"sequence": record.incumbent.sequence, "adapter": self.records["adapter"]}
            before = Before(before.cluster, BENCHMARK, {}, {1: record.model_copy(update=last)}, (), ())
        self.records["adapter"] = record.adapter
        return Facts(
            old=self.main,
            new="",
            parents=(),
            changes=changes,
            contents=files,
            touched={},
            change=ChangeClass.PROMOTION,
            manifest=manifest(changes, files, leaving_out="approvals/"),
            trust=sources.policy(self.main).trust,
            policy_problems=(),
            revoked=frozenset(),
            now=NOW,
            context=context,
            promotion=Promotion(record, sha256(files[path]), {}, SignedEvidence(None), before, ""),
            place=(record.cluster, record.sequence),
        )

    def _receipt(self, promotion: Promotion, policy_sha256: str, commit: str) -> None:
        record = promotion.record
        word = Receipt(
            verifier="gate",
            time_verified=NOW,
            resource_uri=resource_uri("example/desk", "refs/heads/main"),
            policy_sha256=policy_sha256,
            policy_version=1,
            cluster="desk",
            sequence=record.sequence,
            stage=record.stage,
            commit=commit,
            ledger=LedgerPoint(size=self.history.size, head=self.history.head),
        )
        named = receipt_subjects(record, promotion.record_sha256)
        statement = ReceiptStatement(subject=subjects(named), predicate=word)
        payload = canonical(statement)
        envelope = self.key("gate").sign(payload, payload_type=PAYLOAD_TYPE, namespace=Namespace.RECEIPT)
        fields = {"iteration": record.run.iteration, "promotion": record.sequence, "outputs": named}
        self._append(kind=EntryKind.RECEIPT, receipt=json.loads(envelope), **fields)

    def _tag(self, out: FastImport, sequence: int, commit: str) -> None:
        name = tag_name("desk", sequence)
        message = f"Promoted: {name}\n".encode()
        body = f"object {commit}\ntype commit\ntag {name}\ntagger {out.identity}\n\n".encode() + message
        out.tag(name, commit, message + self.key("gate").signature(body, namespace=Namespace.TAG))
