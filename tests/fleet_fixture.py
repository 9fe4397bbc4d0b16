"""A fleet on real git: clusters in every state, with chained ledgers, records, evidence, branches and tags.

`git fast-import` writes it, so that hundreds take seconds. Nothing is signed: the fleet's table reads no signature.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from runner.edges.ledger_store import entry_bytes, entry_path
from runner.edges.yaml_dump import dump
from runner.ledger import PHASES, History
from runner.records.evidence import EvidenceFile
from runner.records.fleet import Fleet
from runner.records.ledger import Entry, EntryKind
from runner.records.policy import Requirement, Trust
from runner.records.promotion import (
    AdapterRecord,
    BaseId,
    BenchmarkId,
    FileDigest,
    Incumbent,
    PromotionKind,
    PromotionRecord,
    RunSource,
    ServingStage,
)
from runner.records.verdict import Outcome, Reason, Verdict
from tests.evidence_fixture import PROBLEM, cluster, evidence

KINDS = (
    "promoted", "shadowed", "triage", "blocked", "proposed", "unproposed", "active", "requeued", "rolled-back", "idle",
)  # fmt: skip
"""What a cluster is about, by the last digit of its number."""
START = 1_760_000_000
WAITS = Verdict(outcome=Outcome.WAIT, reasons=(Reason(step="triage", problem="12 candidates are undecided"),))
REFUSED = Verdict(outcome=Outcome.REFUSE, reasons=(Reason(step="margin", problem="no arm beats the control"),))
TRUST = Trust.model_validate(
    {
        "version": 1,
        "repository": "fleet/desk",
        "expires": "2030-01-01T00:00:00Z",
        "allowed_signers": "0" * 64,
        "revoked": "0" * 64,
        "people": {"ash": ["approver"], "hazel": ["approver"], "linden": ["on-call"]},
        "ci": "ci",
        "gate": "gate",
        "changes": {
            "promotion": [Requirement(role="approver", people=2)],
            "rollback": [Requirement(role="on-call", people=1)],
        },
    }
)


def name_of(number: int) -> str:
    return f"desk-{number:03}"


def adapter(number: int, sequence: int) -> str:
    return f"{number:04x}{sequence:04x}".ljust(64, "a")


class Chain:
    """One cluster's ledger while it is written."""

    def __init__(self, number: int) -> None:
        self.number, self.history, self.time = number, History(name_of(number)), START + number * 1000

    def add(self, kind: EntryKind, iteration: str = "", **more: object) -> None:
        self.time += 60
        entry = Entry.model_validate(
            {
                "cluster": self.history.cluster,
                "sequence": self.history.size + 1,
                "previous": self.history.head,
                "kind": kind,
                "iteration": iteration,
                "measured": {"seconds": 20.0, "at": at(self.time)},
                **more,
            }
        )
        self.history = self.history.append(entry)

    def run(self, iteration: str, upto: int, last: Verdict | None = None) -> None:
        self.add(EntryKind.QUEUED, iteration)
        for phase in PHASES[:upto]:
            self.add(EntryKind.PHASE, iteration, phase=phase)
        if last is not None:
            self.add(EntryKind.PHASE, iteration, phase=PHASES[upto], verdict=last)

    def receipt(self, sequence: int, iteration: str = "", stage: ServingStage = ServingStage.PRODUCTION) -> None:
        predicate = {"stage": stage, "sequence": sequence, "time_verified": at(self.time + 60)}
        payload = base64.b64encode(json.dumps({"predicate": predicate}).encode()).decode()
        self.add(EntryKind.RECEIPT, iteration, promotion=sequence, receipt={"payload": payload})


def at(seconds: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def chain(number: int) -> Chain:
    """Two iterations that are over, and the one that the kind of the cluster says."""
    found, kind = Chain(number), KINDS[number % len(KINDS)]
    if kind == "idle":
        return found
    found.run("i1", 13)
    found.receipt(1, "i1")
    if kind == "rolled-back":
        found.run("i2", 13)
        found.receipt(2, "i2")
        found.receipt(3)
        return found
    found.run("i2", 9, REFUSED)
    found.run("i3", {"triage": 8, "blocked": 9, "active": 6, "requeued": 4}.get(kind, 13), _last(kind))
    if kind == "requeued":
        found.add(EntryKind.SUPERSEDED, "i3", verdict=REFUSED)
        found.run("i4", 0)
        found.add(EntryKind.SUPERSEDED, "i4", verdict=REFUSED)
        found.add(EntryKind.QUEUED, "i3")
    if kind == "promoted":
        found.receipt(2, "i3")
    if kind == "shadowed":
        found.receipt(2, "i3", ServingStage.SHADOW)
    return found


def _last(kind: str) -> Verdict | None:
    return {"triage": WAITS, "blocked": REFUSED}.get(kind)


def record(number: int, sequence: int, *, iteration: str, stage: ServingStage, back: bool = False) -> PromotionRecord:
    brought = adapter(number, 1 if back else sequence)
    return PromotionRecord(
        kind=PromotionKind.ROLLBACK if back else PromotionKind.PROMOTION,
        restores=1 if back else None,
        cluster=name_of(number),
        sequence=sequence,
        stage=stage,
        benchmark=BenchmarkId(id=name_of(number), version=2, sha256="c" * 64),
        base=BaseId(kind="tiny", sha256="c" * 64),
        adapter=AdapterRecord(sha256=brought, files={"adapter_model.safetensors": FileDigest(sha256="b" * 64, size=9)}),
        incumbent=Incumbent(sequence=sequence - 1, adapter=adapter(number, sequence - 1) if sequence > 1 else None),
        evidence={},
        run=RunSource(branch=f"runs/{name_of(number)}/{iteration}", iteration=iteration),
        human_share=0.75,
    )


def records(number: int) -> Iterator[PromotionRecord]:
    """Those on main."""
    kind, production = KINDS[number % len(KINDS)], ServingStage.PRODUCTION
    if kind == "idle":
        return
    yield record(number, 1, iteration="i1", stage=production)
    if kind in ("promoted", "shadowed"):
        yield record(number, 2, iteration="i3", stage=production if kind == "promoted" else ServingStage.SHADOW)
    if kind == "rolled-back":
        yield record(number, 2, iteration="i2", stage=production)
        yield record(number, 3, iteration="i2", stage=production, back=True)


def reviewed(number: int) -> dict[str, bytes]:
    """The cluster's files on main."""
    own = cluster().model_copy(
        update={"id": name_of(number), "fleet": Fleet(boundary="plant-7") if number % 2 else None}
    )
    home, files = f"clusters/{name_of(number)}", {}
    files[f"{home}/cluster.yaml"] = dump(own.model_dump(mode="json", exclude_defaults=True))
    files[f"{home}/problem.md"] = PROBLEM.encode()
    said = evidence()
    for one in records(number):
        below = f"{home}/promotions/{one.sequence}"
        files[f"{below}/record.yaml"] = dump(one.model_dump(mode="json"))
        if one.assessed:
            files |= {f"{below}/evidence/{name}": data for name, data in said.items()}
    return files


def envelope(decision: str) -> bytes:
    payload = base64.b64encode(json.dumps({"predicate": {"decision": decision}}).encode()).decode()
    return json.dumps({"payload": payload}).encode()


def branches(number: int) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Branch to the files that it has beside main's."""
    name, kind = name_of(number), KINDS[number % len(KINDS)]
    if kind in ("promoted", "shadowed", "proposed", "unproposed"):
        yield f"runs/{name}/i3", {f"clusters/{name}/run/scorecard.json": evidence()[EvidenceFile.SCORECARD]}
    if kind == "proposed":
        home = f"clusters/{name}/promotions/2"
        yield (
            f"promote/{name}/2",
            {f"{home}/approvals/{who}.dsse.json": envelope("approve") for who in ("ash", "proposal")},
        )
    if kind == "triage":
        yield f"triage/{name}/i3", {f"clusters/{name}/triage/i3.yaml": b"cluster: x\n"}


def stream(count: int) -> Iterator[bytes]:
    """What `git fast-import` reads."""
    main: dict[str, bytes] = {"policy/trust.yaml": dump(TRUST.model_dump(mode="json"))}
    for number in range(count):
        main |= reviewed(number)
    yield from _commit("main", main, START)
    for number in range(count):
        chained = chain(number)
        for entry in chained.history.entries:
            yield from _commit("ledger", {entry_path(entry): entry_bytes(entry)}, START)
        for branch, files in branches(number):
            yield from _commit(branch, files, chained.time)
        for entry in chained.history.promotions():
            yield f"reset refs/tags/promotions/{name_of(number)}/{entry.promotion}\nfrom refs/heads/main\n\n".encode()


def _commit(branch: str, files: Mapping[str, bytes], when: int) -> Iterator[bytes]:
    yield f"commit refs/heads/{branch}\ncommitter fleet <fleet@localhost> {when} +0000\ndata 1\nx\n".encode()
    for path, data in files.items():
        yield f"M 100644 inline {path}\ndata {len(data)}\n".encode() + data + b"\n"


def make(folder: Path, count: int) -> Path:
    """A bare `origin.git` in `folder`, and beside it a clone, which is returned."""
    origin, clone = folder / "origin.git", folder / "desk"
    _git(folder, "init", "-q", "--bare", "-b", "main", str(origin))
    subprocess.run(["git", "-C", str(origin), "fast-import", "--quiet"], input=b"".join(stream(count)), check=True)
    _git(folder, "clone", "-q", str(origin), str(clone))
    return clone


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)
