"""The rollback drill: before a promotion is signed, the way back from it is walked, in a scratch repository.

The scratch main is main with keys of its own, as if this promotion had been merged into production. From there the
real rollback runs: staged, signed by a scratch CI, proposed, signed by as many scratch people as the policy asks for,
merged, and judged by the hook's own function, which fetches the earlier adapter and hashes every byte. What is left
out is the network and the hesitation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

from runner.errors import VerificationError
from runner.ports_promotion import Repository, Signer
from runner.promotion import approve, decide
from runner.promotion.hook import refuse_or_pass
from runner.promotion.policy import Member, signer_line
from runner.promotion.propose import Dump, Staging, propose, stage
from runner.promotion.rollback import rollback_to
from runner.promotion.sources import Sources
from runner.promotion.updates import MAIN, Update
from runner.records.change import ChangeClass
from runner.records.evidence import DrillSeconds, EvidenceFile, RollbackDrill
from runner.records.policy import Trust
from runner.records.promotion import PromotionRecord, ServingStage
from runner.records.statement import Choice
from runner.rules.canonical import canonical, sha256
from runner.rules.trust.change import POLICY_FILES
from runner.rules.trust.policy import CI, GATE, PERSON

WHY = "rollback drill"


@dataclass(frozen=True)
class Scratch:
    """A bare repository that sees the real one's objects and shares none of its refs, and what else a drill needs."""

    repository: Repository
    new_signer: Callable[[str], Signer]
    """A fresh key, for somebody of that name."""
    clock: Callable[[], float]
    """Seconds, monotonic."""
    dump: Dump


@dataclass(frozen=True)
class _Cast:
    trust: Trust
    files: dict[str, bytes]
    """The scratch policy."""
    ci: Signer
    people: tuple[Signer, ...]
    """As many as a rollback asks for."""


def with_drill(sources: Sources, scratch: Scratch, staging: Staging, *, main: str, now: str) -> Staging:
    """The staging with `drill.json` among its evidence. Raises `DataError` where the earlier adapter cannot be had."""
    done = drill(sources, scratch, staging, main=main, now=now)
    return replace(staging, evidence={**staging.evidence, EvidenceFile.DRILL.value: canonical(done) + b"\n"})


def drill(sources: Sources, scratch: Scratch, staging: Staging, *, main: str, now: str) -> RollbackDrill:
    """Roll the staged promotion back to what serves on `main`, and say how that went and how long it took.

    Raises `VerificationError` where there are no bytes to rehearse with.
    """
    if sources.adapters is None or staging.adapter is None:
        raise VerificationError("a rollback drill fetches adapters, and there is no store to fetch them from")
    cast = _cast(sources.policy(main).trust, scratch)
    here = Sources(scratch.repository, sources.parse, sources.verifier, sources.ledger, sources.adapters)
    promoted = _as_if_promoted(here, scratch, staging, cast, main)
    times = [scratch.clock()]
    problems: tuple[str, ...] = ()
    try:
        back = rollback_to(here, promoted, staging.cluster, staging.incumbent.sequence, why=WHY)
        target = back.branch
        files = stage(back, chain=here.chain(staging.cluster), trust=cast.trust, ci=cast.ci, dump=scratch.dump)
        propose(here, scratch.repository, files, branch=back.branch, signer=cast.ci, now=now, remote=None)
        times.append(scratch.clock())
        for person in cast.people:
            approve.sign(
                here,
                scratch.repository,
                target,
                choice=Choice.APPROVE,
                signer=person,
                now=now,
                remote=None,
                confirm=lambda told: True,
            )
        times.append(scratch.clock())
        _merge(here, scratch.repository, target, now)
    except VerificationError as error:
        problems = (str(error),)
    times.append(scratch.clock())
    return _told(staging, times, problems, people=len(cast.people), earlier=_earlier(here, promoted, staging))


def _cast(trust: Trust, scratch: Scratch) -> _Cast:
    """The real policy with nobody of its people in it: enough scratch people, who have every role."""
    most = max(sum(one.people for one in asked) for asked in trust.changes.values())
    roles = tuple(sorted({one.role for asked in trust.changes.values() for one in asked}))
    names = [f"person-{number}" for number in range(1, most + 1)]
    signers = {name: scratch.new_signer(name) for name in ("ci", "gate", *names)}
    spaces = {**dict.fromkeys(names, PERSON), "ci": CI, "gate": GATE}
    lines = [signer_line(Member(name, one.public_key), spaces[name]) for name, one in signers.items()]
    allowed, revoked = "\n".join([*lines, ""]).encode(), b""
    played = trust.model_copy(
        update={
            "people": dict.fromkeys(names, roles),
            "ci": "ci",
            "gate": "gate",
            "allowed_signers": sha256(allowed),
            "revoked": sha256(revoked),
        }
    )
    written = (allowed, revoked, scratch.dump(played.model_dump(mode="json")))
    asked = sum(one.people for one in trust.changes[ChangeClass.ROLLBACK])
    people = tuple(signers[name] for name in names[:asked])
    return _Cast(played, dict(zip(POLICY_FILES, written, strict=True)), signers["ci"], people)


def _as_if_promoted(here: Sources, scratch: Scratch, staging: Staging, cast: _Cast, main: str) -> str:
    """The scratch main: the real one under the scratch policy, with this promotion merged into production."""
    repository = scratch.repository
    root = repository.commit_files([], cast.files, "Scratch policy\n", base=main)
    serving = replace(staging, stage=ServingStage.PRODUCTION)
    files = stage(serving, chain=here.chain(staging.cluster), trust=cast.trust, ci=cast.ci, dump=scratch.dump)
    promoted = repository.commit_files([root], files, "As if promoted\n")
    repository.move({MAIN: (promoted, None)})
    return promoted


def _merge(here: Sources, repository: Repository, target: str, now: str) -> None:
    """Merge the approved rollback as a push to the hook would. Raises `VerificationError` with every reason."""
    main, tip = decide.tips(repository, decide.branch_of(target), remote=None)
    merged = decide.draft_merge(repository, main=main, tip=tip)
    verdict = refuse_or_pass(here, Update(main, merged, MAIN), root="", now=now)
    if not verdict.passed:
        raise VerificationError("\n".join(f"{reason.step}: {reason.problem}" for reason in verdict.reasons))
    repository.move({MAIN: (merged, main)})


def _earlier(here: Sources, promoted: str, staging: Staging) -> tuple[int, int]:
    """How many files and bytes of the earlier adapter the gate fetched and found to be the recorded ones."""
    if staging.incumbent.adapter is None:
        return 0, 0
    path = f"clusters/{staging.cluster}/promotions/{staging.incumbent.sequence}/record.yaml"
    adapter = here.record(promoted, path, PromotionRecord).adapter
    return (len(adapter.files), sum(file.size for file in adapter.files.values())) if adapter else (0, 0)


def _told(
    staging: Staging, times: list[float], problems: tuple[str, ...], *, people: int, earlier: tuple[int, int]
) -> RollbackDrill:
    parts = [round(after - before, 3) for before, after in pairwise(times)]
    propose_s, approve_s, merge_s = (*parts, 0.0, 0.0, 0.0)[:3]
    files, size = (0, 0) if problems else earlier
    return RollbackDrill(
        from_adapter=staging.adapter.sha256 if staging.adapter else "",
        to_sequence=staging.incumbent.sequence,
        to_adapter=staging.incumbent.adapter,
        files=files,
        bytes=size,
        signed_by=people,
        problems=problems,
        measured=DrillSeconds(
            propose=propose_s, approve=approve_s, merge=merge_s, total=round(times[-1] - times[0], 3)
        ),
    )
