"""Stage a promotion from what an iteration left, sign it, and put it on a branch for approvers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runner.errors import RecordError, VerificationError
from runner.ports_promotion import Repository, Signer
from runner.promotion import decide
from runner.promotion.decide import Proposal
from runner.promotion.envelopes import PROPOSAL
from runner.promotion.sources import Chain, Sources
from runner.promotion.updates import MAIN
from runner.records.evidence import EvidenceFile
from runner.records.ledger import EntryKind
from runner.records.policy import Trust
from runner.records.promotion import (
    AdapterRecord,
    BaseId,
    BenchmarkId,
    FileDigest,
    Incumbent,
    PromotionKind,
    PromotionRecord,
    RunList,
    RunSource,
    ServingStage,
)
from runner.records.statement import (
    PAYLOAD_TYPE,
    Attestation,
    Choice,
    EvidenceStatement,
    LedgerPoint,
    Namespace,
    subjects,
)
from runner.rules.canonical import canonical, sha256, tree_digest
from runner.rules.trust.approvals import QUORUM
from runner.rules.trust.approvals import STEP as APPROVALS_STEP
from runner.rules.trust.evidence import listed_runs

Dump = Callable[[Any], bytes]


@dataclass(frozen=True)
class Staging:
    """What a promotion is made of. `evidence` of a new adapter is phase 13's bundle plus operations.json,
    rollback.json, what is made of these (promotion/handoff.py), report.html and drill.json."""

    cluster: str
    sequence: int
    iteration: str
    benchmark: BenchmarkId
    base: BaseId
    adapter: AdapterRecord | None
    incumbent: Incumbent
    run: RunSource
    human_share: float
    evidence: Mapping[str, bytes]
    kind: PromotionKind = PromotionKind.PROMOTION
    stage: ServingStage = ServingStage.PRODUCTION
    restores: int | None = None
    follows: int | None = None

    @property
    def home(self) -> str:
        return f"clusters/{self.cluster}/promotions/{self.sequence}/"

    @property
    def assessed(self) -> bool:
        """Whether it brings a new adapter, out of an iteration's bundle."""
        return self.kind is PromotionKind.PROMOTION and self.follows is None

    def record(self, evidence: Mapping[str, str]) -> PromotionRecord:
        """The promotion's record; `evidence` has the sha256 of each of its files."""
        return PromotionRecord(
            kind=self.kind,
            cluster=self.cluster,
            sequence=self.sequence,
            stage=self.stage,
            restores=self.restores,
            follows=self.follows,
            benchmark=self.benchmark,
            base=self.base,
            adapter=self.adapter,
            incumbent=self.incumbent,
            evidence=dict(evidence),
            run=self.run,
            human_share=self.human_share,
        )

    @property
    def branch(self) -> str:
        """A rollback has one of its own, so that no open proposal stands in its way."""
        target = f"{self.cluster}/{self.sequence}"
        return decide.branch_of(f"rollback/{target}" if self.kind is PromotionKind.ROLLBACK else target)


def adapter_record(files: Mapping[str, bytes], **pointer: Any) -> AdapterRecord:
    """The record of an adapter's files; `dvc` is the pointer that moves them."""
    digests = {name: FileDigest(sha256=sha256(data), size=len(data)) for name, data in sorted(files.items())}
    return AdapterRecord(sha256=tree_digest(files), files=digests, **pointer)


def bundle_point(chain: Chain, iteration: str) -> LedgerPoint:
    """The ledger just before the iteration's bundle entry. Raises `RecordError` where there is none yet."""
    for entry in chain.history.entries:
        if entry.kind is EntryKind.PHASE and entry.iteration == iteration and entry.phase == "bundle":
            return LedgerPoint(size=entry.sequence - 1, head=entry.previous)
    raise RecordError(f"iteration {iteration!r} has no bundle in the ledger", hint="run `hallmark iterate` first")


def stage(staging: Staging, *, chain: Chain, trust: Trust, ci: Signer, dump: Dump) -> dict[str, bytes]:
    """The promotion's files by path, approvals apart: evidence with runs.json and CI's attestation, and the record.

    Raises `RecordError` where the ledger has no bundle of the iteration.
    """
    history = chain.history
    here = LedgerPoint(size=history.size, head=history.head)
    point = bundle_point(chain, staging.iteration) if staging.assessed else here
    runs = listed_runs(history.entries[: point.size], chain.digests[: point.size], staging.iteration)
    listed = RunList(cluster=staging.cluster, iteration=staging.iteration, runs=runs)
    evidence = {**staging.evidence, EvidenceFile.RUNS.value: canonical(listed) + b"\n"}
    digests = {name: sha256(data) for name, data in evidence.items()}
    word = Attestation(
        repository=trust.repository,
        cluster=staging.cluster,
        sequence=staging.sequence,
        iteration=staging.iteration,
        adapter=staging.adapter.sha256 if staging.adapter else None,
        ledger=point,
    )
    statement = EvidenceStatement(subject=subjects(digests), predicate=word)
    envelope = ci.sign(canonical(statement), payload_type=PAYLOAD_TYPE, namespace=Namespace.EVIDENCE)
    evidence[EvidenceFile.ATTESTATION.value] = envelope
    record = staging.record({**digests, EvidenceFile.ATTESTATION.value: sha256(envelope)})
    home = staging.home
    files = {f"{home}evidence/{name}": data for name, data in evidence.items()}
    return {**files, f"{home}record.yaml": dump(record.model_dump(mode="json"))}


def propose(
    sources: Sources,
    repository: Repository,
    files: Mapping[str, bytes],
    *,
    branch: str,
    signer: Signer,
    now: str,
    remote: str | None,
    check: bool = True,
) -> Proposal:
    """Commit `files` on main, sign the proposal, and push `branch`, one commit.

    With `check`, raises `VerificationError` where the gate would refuse it for more than its missing approvals.
    """
    main = repository.remote_ref(remote, MAIN) if remote else repository.resolve(MAIN)
    if main is None:
        raise VerificationError("there is no main to propose a change to")
    draft = repository.commit_files([main], files, f"Propose {branch.removeprefix('refs/heads/')}\n")
    proposal = decide.consider(sources, repository, main=main, branch=branch, tip=draft, now=now)
    refuse(proposal, but_for=(APPROVALS_STEP, QUORUM), check=check)
    policy = sources.policy(main)
    person = decide.person_of(signer, policy.keys.allowed_signers)
    envelope = decide.decide(sources, proposal.facts, signer, choice=Choice.PROPOSE, person=person, now=now)
    signed = {**files, f"{proposal.approvals_at}{PROPOSAL}": envelope}
    commit = repository.commit_files([main], signed, f"Propose {branch.removeprefix('refs/heads/')}\n")
    old = None if remote else repository.resolve(branch)
    decide.publish(repository, branch, commit, old=old, remote=remote)
    return decide.consider(sources, repository, main=main, branch=branch, tip=commit, now=now)


def propose_branch(
    sources: Sources, repository: Repository, *, branch: str, signer: Signer, now: str, remote: str | None
) -> Proposal:
    """Sign the proposal of a change that is no promotion: one more commit on its branch."""
    main, tip = decide.tips(repository, branch, remote=remote)
    proposal = decide.consider(sources, repository, main=main, branch=branch, tip=tip, now=now)
    refuse(proposal, but_for=(APPROVALS_STEP, QUORUM), check=True)
    person = decide.person_of(signer, sources.policy(main).keys.allowed_signers)
    envelope = decide.decide(sources, proposal.facts, signer, choice=Choice.PROPOSE, person=person, now=now)
    commit = repository.commit_files([tip], {f"{proposal.approvals_at}{PROPOSAL}": envelope}, "Sign the proposal\n")
    decide.publish(repository, branch, commit, old=tip, remote=remote)
    return decide.consider(sources, repository, main=main, branch=branch, tip=commit, now=now)


def refuse(proposal: Proposal, *, but_for: tuple[str, ...], check: bool) -> None:
    """Raises `VerificationError` with every reason of the gate's but those of the steps `but_for`."""
    reasons = [reason for reason in proposal.judgement.verdict.reasons if reason.step not in but_for]
    if check and reasons:
        raise VerificationError("\n".join(f"{reason.step}: {reason.problem}" for reason in reasons))
