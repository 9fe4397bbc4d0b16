"""What the promotion room reads the world through, and the policy of one commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TypeVar

from runner.errors import RecordError
from runner.ledger import History, entry_digest
from runner.ports_promotion import AdapterStore, Keys, Objects, Verifier
from runner.promotion.governed import Ahead, Governed, Said, governed
from runner.records.base import Record
from runner.records.ledger import Entry
from runner.records.policy import Trust
from runner.records.promotion import PromotionRecord
from runner.records.terms import SetName
from runner.records.verdict import Reason
from runner.rules.canonical import digest, sha256
from runner.rules.trust.change import POLICY_FILES
from runner.rules.trust.policy import lint

if TYPE_CHECKING:  # the gate starts without the ports of training
    from runner.ports import RecordParser

R = TypeVar("R", bound=Record)
LEDGER = "refs/heads/ledger"
SETS = {name.value: name for name in SetName}


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


class Beside(Protocol):
    """Works out what sources say while the rest is judged."""

    def __call__(self, sources: Sources, work: Callable[[Sources], Iterable[str]]) -> Callable[[], Sequence[str]]:
        """Begin; what is returned waits for the answer. Raises what `work` raises, then."""
        ...


def here(sources: Sources, work: Callable[[Sources], Iterable[str]]) -> Callable[[], Sequence[str]]:
    """`Beside` in this process, once somebody asks."""
    return lambda: tuple(work(sources))


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
    ahead: Ahead = dict
    """What it lacks is read here."""
    beside: Beside = here
    """Where a part of the judgement that needs nothing of the rest is worked out."""
    _policies: dict[tuple[str, ...], Policy] = field(default_factory=dict)
    _chains: dict[str, Chain] = field(default_factory=dict)
    _digests: dict[str, str] = field(default_factory=dict)
    _said: dict[tuple[str, bool], Said] = field(default_factory=dict)
    _governed: dict[str, tuple[Governed, ...]] = field(default_factory=dict)
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
        if not any(path in files for path in POLICY_FILES):
            hint = "make one and commit it: hallmark policy init --help"
            raise RecordError("there is no policy at this commit", path=f"{commit[:12]}:policy", hint=hint)
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

    def governed(self, commit: str, cluster: str) -> tuple[Governed, ...]:
        """The files below the cluster's scenarios, by path. Raises `RecordError` for one that cannot be read."""
        tree = self.objects.tree_at(commit, f"scenarios/{cluster}")
        if not self._governed:
            self._governed.update(self.ahead())
        if tree not in self._governed:
            self._governed[tree] = governed(self.objects, commit, cluster, known=self._said, parse=self._scenario)
        return self._governed[tree]

    def _scenario(self, data: bytes, path: str) -> tuple[str, str]:
        from runner.records.scenario import Scenario  # few are parsed, and the gate starts sooner without it

        scenario = self.parse(data, Scenario, path=path)
        return scenario.capability, scenario.rubric

    def scenarios(self, commit: str, cluster: str) -> Mapping[tuple[SetName, str], str]:
        """Every governed scenario of the cluster, by set and id, with its capability."""
        found = {}
        for one in self.governed(commit, cluster):
            _, _, name, *rest = one.path.split("/")
            if name in SETS and one.path.endswith(".yaml"):
                found[(SETS[name], "/".join(rest).removesuffix(".yaml"))] = one.capability
        return found

    def context(self, commit: str, cluster: str) -> str:
        """The context digest (PROTOCOL.md): sha256 over the canonical list of [path, mode, sha256] of the policy's
        three files and, with a cluster, of its cluster.yaml, problem.md, benchmark.lock, scenarios, and the rubrics
        that these name, at `commit`."""
        chosen = {path: file for path, file in self.objects.files(commit, "policy").items() if path in POLICY_FILES}
        scenarios: tuple[Governed, ...] = ()
        if cluster:
            for name in ("cluster.yaml", "problem.md", "benchmark.lock"):
                chosen |= self.objects.files(commit, f"clusters/{cluster}/{name}")
            scenarios = self.governed(commit, cluster)
        rubrics = self.objects.files(commit, "rubrics") if cluster else {}
        key = (id(scenarios), id(rubrics), tuple(sorted(chosen.items())))
        if key not in self._contexts:
            named = {f"rubrics/{one.rubric}.yaml" for one in scenarios if one.rubric}
            chosen |= {path: file for path, file in rubrics.items() if path in named}
            rows = [[path, file.mode, self.sha256(file.blob)] for path, file in chosen.items()]
            rows += [[one.path, one.mode, one.sha256] for one in scenarios]
            self._contexts[key] = digest(sorted(rows))
        return self._contexts[key]

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
