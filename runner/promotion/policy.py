"""A first policy from people's public keys, and the lint of a policy's files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from runner.errors import RecordError, RecordErrors
from runner.ports import FieldLocator, RecordParser
from runner.records.change import ChangeClass
from runner.records.policy import Requirement, Trust
from runner.records.statement import Namespace
from runner.records.verdict import Outcome, Verdict
from runner.rules.canonical import sha256
from runner.rules.repository.problems import explain
from runner.rules.times import later
from runner.rules.trust.change import POLICY_FILES
from runner.rules.trust.policy import CI, GATE, LONGEST_DAYS, PERSON, reason, traps, usage_traps
from runner.rules.trust.signers import TRUST
from runner.rules.trust.ssh_keys import STRONG, key_problem

APPROVER, MAINTAINER, OWNER, ON_CALL = "approver", "maintainer", "benchmark-owner", "on-call"
ASKED: dict[ChangeClass, tuple[str, int]] = {
    ChangeClass.POLICY: (MAINTAINER, 1),
    ChangeClass.REVOCATION: (MAINTAINER, 1),
    ChangeClass.BENCHMARK: (OWNER, 1),
    ChangeClass.DATA: (OWNER, 0),
    ChangeClass.CODE: (MAINTAINER, 1),
    ChangeClass.DOCS: (MAINTAINER, 0),
    ChangeClass.PROMOTION: (APPROVER, 2),
    ChangeClass.ROLLBACK: (ON_CALL, 1),
}


class Member(NamedTuple):
    """Somebody with a public key, in the text form of a `.pub` file."""

    name: str
    public_key: str
    roles: tuple[str, ...] = ()
    path: str = ""
    """Where the key was read."""

    def check(self) -> None:
        """Raises `RecordError` where the key is none that may sign."""
        kind, key = (*self.public_key.split(), "", "")[:2]
        if "PRIVATE KEY" in self.public_key:
            raise RecordError(
                "is a private key", path=self.path, hint="name the .pub file beside it, and show nobody this"
            )
        problem = key_problem(kind, key)
        if problem:
            raise RecordError(f"the key of {self.name} {problem}", path=self.path, hint=STRONG)


def first_policy(
    people: Sequence[Member],
    *,
    ci: Member,
    gate: Member,
    repository: str,
    now: str,
    days: int,
    approvers: int,
    dump: Callable[[Any], bytes],
) -> dict[str, bytes]:
    """The policy's three files. Where nobody has a role that a class asks for, maintainers stand in for it.

    Raises `RecordError` for a name or role that is none, a name given twice, a key that may not sign, or `days` out of
    range.
    """
    members = [*people, ci, gate]
    for member in members:
        member.check()
        if [one.name for one in members].count(member.name) > 1:
            raise RecordError(
                f"{member.name} is named twice", hint="one name each; a second key comes as a policy change"
            )
    if not 1 <= days <= LONGEST_DAYS:
        raise RecordError(f"the policy would hold for {days} days", hint=f"say 1 to {LONGEST_DAYS}")
    roles = {member.name: member.roles or (APPROVER, MAINTAINER) for member in people}
    held = {role for own in roles.values() for role in own}
    changes = {
        change: (Requirement(role=role if role in held else MAINTAINER, people=count),)
        for change, (role, count) in ASKED.items()
    }
    changes[ChangeClass.PROMOTION] = (Requirement(role=APPROVER, people=approvers),)
    lines = [signer_line(member, PERSON) for member in people]
    allowed = "\n".join([*lines, signer_line(ci, CI), signer_line(gate, GATE), ""]).encode()
    revoked = b"# Keys that no longer count, one public key a line; adapters by `# sha256:<digest>`.\n"
    said = {
        "version": 1,
        "repository": repository,
        "expires": later(now, days=days),
        "allowed_signers": sha256(allowed),
        "revoked": sha256(revoked),
        "people": roles,
        "ci": ci.name,
        "gate": gate.name,
        "changes": changes,
    }
    try:
        trust = Trust.model_validate(said)
    except ValidationError as error:
        raise RecordErrors(
            RecordError(one.problem, field=one.field, hint=one.hint) for one in explain(error, Trust)
        ) from None
    written = (allowed, revoked, dump(trust.model_dump(mode="json")))
    return dict(zip(POLICY_FILES, written, strict=True))


def signer_line(member: Member, namespaces: frozenset[Namespace]) -> str:
    """A member's line of `allowed_signers`, for those purposes and no other."""
    spaces = ",".join(sorted(space.value for space in namespaces))
    return f'{member.name} namespaces="{spaces}" {" ".join(member.public_key.split()[:2])}'


def judge_files(files: Mapping[str, bytes], *, parse: RecordParser, locate: FieldLocator, now: str) -> Verdict:
    """Every trap in a policy's files, each with its line. Raises `RecordErrors` where a file is missing, or trust.yaml
    cannot be read."""
    missing = [path for path in POLICY_FILES if path not in files]
    if missing:
        hints = {"policy/revoked": "an empty file is one too: bring back the one that trust.yaml pins"}
        started = "bring it back, or begin with `hallmark policy init`"
        raise RecordErrors(RecordError("is missing", path=one, hint=hints.get(one, started)) for one in missing)
    allowed, revoked, trust_bytes = (files[path] for path in POLICY_FILES)
    trust = parse(trust_bytes, Trust, path=TRUST)
    found = (*traps(trust, allowed, revoked), *usage_traps(trust, allowed, revoked, now=now))
    reasons = tuple(reason(trap, locate(trust_bytes, trap.field, path=TRUST) if trap.field else None) for trap in found)
    return Verdict(outcome=Outcome.REFUSE if reasons else Outcome.PASS, reasons=reasons)
