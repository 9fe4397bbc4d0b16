"""A first policy from people's public keys, and the lint of a policy's files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from runner.errors import RecordError
from runner.ports import RecordParser
from runner.promotion.decide import until
from runner.records.change import ChangeClass
from runner.records.policy import Requirement, Trust
from runner.records.statement import Namespace
from runner.records.verdict import Outcome, Verdict
from runner.rules.canonical import sha256
from runner.rules.change import POLICY_FILES
from runner.rules.policy import CI, GATE, PERSON, lint

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
    """The policy's three files. Where nobody has a role that a class asks for, maintainers stand in for it."""
    roles = {member.name: member.roles or (APPROVER, MAINTAINER) for member in people}
    held = {role for own in roles.values() for role in own}
    changes = {
        change: (Requirement(role=role if role in held else MAINTAINER, people=count),)
        for change, (role, count) in ASKED.items()
    }
    changes[ChangeClass.PROMOTION] = (Requirement(role=APPROVER, people=approvers),)
    lines = [_line(member, frozenset(PERSON)) for member in people]
    allowed = "\n".join([*lines, _line(ci, CI), _line(gate, GATE), ""]).encode()
    revoked = b"# Keys that no longer count, one public key a line; adapters by `# sha256:<digest>`.\n"
    trust = Trust(
        version=1,
        repository=repository,
        expires=until(now, days),
        allowed_signers=sha256(allowed),
        revoked=sha256(revoked),
        people=roles,
        ci=ci.name,
        gate=gate.name,
        changes=changes,
    )
    written = (allowed, revoked, dump(trust.model_dump(mode="json")))
    return dict(zip(POLICY_FILES, written, strict=True))


def _line(member: Member, namespaces: frozenset[Namespace]) -> str:
    spaces = ",".join(sorted(space.value for space in namespaces))
    return f'{member.name} namespaces="{spaces}" {" ".join(member.public_key.split()[:2])}'


def judge_files(files: Mapping[str, bytes], *, parse: RecordParser) -> Verdict:
    """Every trap in a policy's files. Raises `RecordError` where trust.yaml cannot be read."""
    missing = [path for path in POLICY_FILES if path not in files]
    if missing:
        raise RecordError("is missing", path=missing[0], hint="run `hallmark policy init`")
    allowed, revoked, trust_bytes = (files[path] for path in POLICY_FILES)
    reasons = lint(parse(trust_bytes, Trust, path=POLICY_FILES[2]), allowed, revoked)
    return Verdict(outcome=Outcome.REFUSE if reasons else Outcome.PASS, reasons=reasons)
