"""What the promotion room reads the world through, and the policy of one commit."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

from runner.ledger import History, entry_digest
from runner.ports import RecordParser
from runner.ports_promotion import AdapterStore, Keys, Objects, Verifier
from runner.records.base import Record
from runner.records.change import File
from runner.records.ledger import Entry
from runner.records.policy import Trust
from runner.records.promotion import PromotionRecord
from runner.records.scenario import Scenario, SetName
from runner.records.verdict import Reason
from runner.rules.canonical import digest, sha256
from runner.rules.trust.change import POLICY_FILES
from runner.rules.trust.policy import lint

R = TypeVar("R", bound=Record)
LEDGER = "refs/heads/ledger"
SETS = {name.value: name for name in SetName}
_FIELD = {
    name: re.compile(rf"^{name}: *[\"']?([a-z0-9-]+)[\"']?[ ]*\r?$".encode(), re.MULTILINE)
    for name in ("capability", "rubric")
}
_PLAIN, _ODD_KEY = re.compile(rb"(?:#.*\n|\n)*[a-z]"), re.compile(rb"^[\"'?]", re.MULTILINE)
"""Top-level keys stand at the line's start, and none is quoted or complex: a line of some quoted text that looks like a
field is not the only one that the search finds."""


@dataclass(frozen=True)
class Policy:
    """The policy's three files at one commit, judged."""

    trust: Trust
    keys: Keys
    sha256: str
    """Of trust.yaml."""
    problems: tuple[Reason, ...]

    def without(self, keys: bytes) -> Policy:
        """The policy with more keys revoked, whole lines of `policy/revoked`."""
        return replace(self, keys=Keys(self.keys.allowed_signers, self.keys.revoked + keys)) if keys else self


@dataclass(frozen=True)
class Chain:
    """One cluster's ledger, verified."""

    history: History

    @cached_property
    def digests(self) -> tuple[str, ...]:
        entries = self.history.entries
        return (*(e.previous for e in entries[1:] if e.previous), entry_digest(entries[-1])) if entries else ()


@dataclass(frozen=True)
class Sources:
    """Everything the gate reads through. What it has worked out of an object is kept: objects never change."""

    objects: Objects
    parse: RecordParser
    verifier: Verifier
    ledger: Callable[[str], tuple[Entry, ...]]
    """The entries of a cluster, as the ledger now stands."""
    adapters: AdapterStore | None = None
    """None leaves the adapters' bytes out (offline verification)."""
    _policies: dict[tuple[str, ...], Policy] = field(default_factory=dict)
    _chains: dict[str, Chain] = field(default_factory=dict)
    _digests: dict[str, str] = field(default_factory=dict)
    _scenarios: dict[str, tuple[str, str]] = field(default_factory=dict)
    _parsed: dict[tuple[str, type[Record]], Record] = field(default_factory=dict)
    _contexts: dict[tuple[object, ...], str] = field(default_factory=dict)

    def sha256(self, blob: str) -> str:
        """sha256 of a file's bytes; its git id is SHA-1 and binds nothing."""
        if blob not in self._digests:
            self._digests[blob] = sha256(self.objects.blob(blob))
        return self._digests[blob]

    def policy(self, commit: str) -> Policy:
        """The policy at `commit`. Raises `RecordError` where there is none, or where trust.yaml cannot be read."""
        files = self.objects.files(commit, "policy")
        blobs = tuple(files[path].blob if path in files else "" for path in POLICY_FILES)
        if blobs not in self._policies:
            allowed, revoked, trust_bytes = (self.objects.read(commit, path) for path in POLICY_FILES)
            trust = self.parse(trust_bytes, Trust, path=POLICY_FILES[2])
            problems = lint(trust, allowed, revoked)
            self._policies[blobs] = Policy(trust, Keys(allowed, revoked), sha256(trust_bytes), problems)
        return self._policies[blobs]

    def chain(self, cluster: str) -> Chain:
        """The cluster's ledger. Raises `VerificationError` where the chain is broken."""
        if cluster not in self._chains:
            self._chains[cluster] = Chain(History.from_entries(cluster, self.ledger(cluster)))
        return self._chains[cluster]

    def scenarios(self, commit: str, cluster: str) -> Mapping[tuple[SetName, str], str]:
        """Every governed scenario of the cluster, by set and id, with its capability."""
        files = self.objects.files(commit, f"scenarios/{cluster}")
        self._read_scenarios(files)
        found = {}
        for path, file in files.items():
            name, _, stem = path.removeprefix(f"scenarios/{cluster}/").partition("/")
            if name in SETS and stem.endswith(".yaml"):
                found[(SETS[name], stem.removesuffix(".yaml"))] = self._scenarios[file.blob][0]
        return found

    def _read_scenarios(self, files: Mapping[str, File]) -> None:
        """Each scenario's sha256, capability and rubric. A top-level field of block YAML is found without parsing,
        unless a key could be written in a way that the search passes over."""
        fresh = {f.blob: path for path, f in files.items() if path.endswith(".yaml") and f.blob not in self._scenarios}
        for blob, data in self.objects.blobs(list(fresh)).items():
            self._digests[blob] = sha256(data)
            named = [pattern.findall(data) for pattern in _FIELD.values()]
            if all(len(matches) == 1 for matches in named) and _PLAIN.match(data) and not _ODD_KEY.search(data):
                self._scenarios[blob] = (named[0][0].decode(), named[1][0].decode())
            else:
                scenario = self.parse(data, Scenario, path=fresh[blob])
                self._scenarios[blob] = (scenario.capability, scenario.rubric)

    def context(self, commit: str, cluster: str) -> str:
        """The context digest (PROTOCOL.md): sha256 over the canonical list of [path, mode, sha256] of the policy's
        three files and, with a cluster, of its cluster.yaml, problem.md, benchmark.lock, scenarios, and the rubrics
        that these name, at `commit`."""
        chosen = {path: file for path, file in self.objects.files(commit, "policy").items() if path in POLICY_FILES}
        if cluster:
            for name in ("cluster.yaml", "problem.md", "benchmark.lock"):
                chosen |= self.objects.files(commit, f"clusters/{cluster}/{name}")
            scenarios = self.objects.files(commit, f"scenarios/{cluster}")
            key = (id(scenarios), id(self.objects.files(commit, "rubrics")), tuple(sorted(chosen.items())))
            if key in self._contexts:
                return self._contexts[key]
            chosen |= scenarios
            self._read_scenarios(scenarios)
            named = {self._scenarios[file.blob][1] for path, file in scenarios.items() if path.endswith(".yaml")}
            rubrics = self.objects.files(commit, "rubrics")
            chosen |= {path: file for path, file in rubrics.items() if path[8:].removesuffix(".yaml") in named}
        made = digest([[path, file.mode, self.sha256(file.blob)] for path, file in sorted(chosen.items())])
        if cluster:
            self._contexts[key] = made
        return made

    def promotions(self, commit: str, cluster: str) -> Mapping[int, PromotionRecord]:
        """The cluster's promotions at `commit`, by sequence, oldest first. Raises `RecordError`."""
        home = f"clusters/{cluster}/promotions"
        numbers = sorted(int(name) for name in self.objects.names(commit, home) if name.isdigit())
        paths = {number: f"{home}/{number}/record.yaml" for number in numbers}
        files = {number: self.objects.files(commit, path).get(path) for number, path in paths.items()}
        fresh = {file.blob for file in files.values() if file and (file.blob, PromotionRecord) not in self._parsed}
        read = self.objects.blobs(sorted(fresh))
        for number, file in files.items():
            if file is not None and file.blob in read:
                key = (file.blob, PromotionRecord)
                self._parsed[key] = self.parse(read[file.blob], PromotionRecord, path=paths[number])
        return {number: self.record(commit, path, PromotionRecord) for number, path in paths.items()}

    def record(self, commit: str, path: str, kind: type[R]) -> R:
        """A reviewed file as its record. Raises `RecordError`."""
        file = self.objects.files(commit, path).get(path)
        key = (file.blob if file else "", kind)
        known = self._parsed.get(key)
        if isinstance(known, kind):
            return known
        made = self.parse(self.objects.read(commit, path), kind, path=path)
        self._parsed[key] = made
        return made

    def exists(self, commit: str, path: str) -> bool:
        return path in self.objects.files(commit, path)
