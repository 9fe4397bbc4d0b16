"""The checks of `hallmark doctor`: for each, the edge that collects a fact and the rule that judges it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from runner.edges import clock
from runner.edges.doctor import forge, governance, machine, storage
from runner.edges.yaml_files import line_of, parse
from runner.errors import RecordError, RecordErrors
from runner.promotion.policy import judge_files
from runner.records.policy import Trust
from runner.rules.doctor import data as data_rules
from runner.rules.doctor import machine as machine_rules
from runner.rules.doctor import trust as trust_rules
from runner.rules.doctor.facts import Policy
from runner.rules.doctor.findings import Finding, Said, Unseen, unseen
from runner.rules.times import moment
from runner.rules.trust.change import POLICY_FILES
from runner.rules.trust.signers import TRUST

NETWORK_S = 10.0
"""How long a remote or a forge may take to answer."""
WORKSPACE = "workspace"


class Patient:
    """What is examined: a workspace at `top`, or only the machine where that is None."""

    def __init__(self, here: Path, top: Path | None, *, timeout_s: float) -> None:
        self.place, self.top, self.timeout_s = top or here, top, timeout_s

    @cached_property
    def policy(self) -> dict[str, bytes]:
        """The policy's files; what is missing is left out."""
        files = {path: self.top / path for path in POLICY_FILES} if self.top else {}
        return {path: file.read_bytes() for path, file in files.items() if file.is_file()}

    @cached_property
    def trust(self) -> Trust | None:
        """None where there is none that can be read: the check of the policy says why."""
        try:
            return parse(self.policy[TRUST], Trust, path=TRUST) if TRUST in self.policy else None
        except RecordError:
            return None


class Check(NamedTuple):
    """`collect` is asked in a thread of its own; whatever it raises is told as what could not be looked at."""

    name: str
    collect: Callable[[Patient], Any]
    judge: Callable[[Any], Iterator[Said]]
    everywhere: bool = False
    """Whether there is something to look at without a workspace."""


def _policy(patient: Patient) -> Policy:
    if not patient.policy:
        return Policy(False, (), "", None)
    try:
        verdict = judge_files(patient.policy, parse=parse, locate=line_of, now=clock.now())
        reasons = tuple((one.problem, one.hint) for one in verdict.reasons)
    except RecordErrors as several:
        reasons = tuple((str(one), one.hint) for one in several.errors)
    except RecordError as problem:
        reasons = ((str(problem), problem.hint),)
    if patient.trust is None:
        return Policy(True, reasons, "", None)
    left = moment(patient.trust.expires) - datetime.now(UTC)
    return Policy(True, reasons, patient.trust.expires, left.days)


CHECKS = (
    Check("git", lambda _: machine.git(), machine_rules.git, everywhere=True),
    Check("ssh-keygen", lambda _: machine.signing(), machine_rules.signing, everywhere=True),
    Check("python", lambda one: machine.packages(one.top), machine_rules.packages, everywhere=True),
    Check("gpu", lambda one: machine.gpu(one.top), machine_rules.gpu, everywhere=True),
    Check("disk", lambda one: storage.disk(one.place), machine_rules.disk, everywhere=True),
    Check("keys", lambda one: governance.keys(one.policy, one.trust), trust_rules.keys, everywhere=True),
    Check("repository", lambda one: machine.repository(one.place), machine_rules.repository),
    Check("clock", lambda one: machine.commit(one.place), machine_rules.clock),
    Check("remote", lambda one: storage.remote(one.place, timeout_s=one.timeout_s), data_rules.remote),
    Check("cache", lambda one: storage.cache(one.place), data_rules.cache),
    Check("locks", lambda one: storage.locks(one.place), data_rules.locks),
    Check("policy", _policy, trust_rules.policy),
    Check("hook", lambda one: governance.hook(one.place, has_policy=bool(one.policy)), trust_rules.hook),
    Check("owners", lambda one: governance.owners(one.place, one.trust), trust_rules.owners),
    Check("forge", lambda one: forge.rules(one.place, timeout_s=one.timeout_s), trust_rules.forge),
)


def examine(here: Path, top: Path | None, *, timeout_s: float = NETWORK_S) -> tuple[Finding, ...]:
    """Every finding about this machine and the workspace `top` (None outside one), by check. Never raises: a check that
    fails is one that could not be looked at."""
    patient = Patient(here, top, timeout_s=timeout_s)
    checks = [check for check in CHECKS if top or check.everywhere]
    with ThreadPoolExecutor(max_workers=len(checks), thread_name_prefix="doctor") as pool:
        found = list(pool.map(lambda check: _examined(check, patient), checks))
    findings = [Finding(check.name, *said) for check, several in zip(checks, found, strict=True) for said in several]
    if top is None:
        left = ", ".join(check.name for check in CHECKS if not check.everywhere)
        findings.append(
            Finding(WORKSPACE, *unseen(Unseen(f"there is no workspace here: no {left}", "hallmark init DIR")))
        )
    return tuple(findings)


def _examined(check: Check, patient: Patient) -> list[Said]:
    try:
        fact = check.collect(patient)
        return [unseen(fact)] if isinstance(fact, Unseen) else list(check.judge(fact))
    except Exception as error:  # a machine in any state: what cannot be looked at is told, and the rest is looked at
        words = " ".join(str(error).split())[:300]
        return [unseen(Unseen(f"this could not be looked at: {words or type(error).__name__}"))]
