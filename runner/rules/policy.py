"""The policy's files read and judged: OpenSSH's `allowed_signers` without its traps, and who makes a quorum.

PROTOCOL.md, fact 3: a line without `namespaces=` is valid for every namespace, `*` matches anyone, `cert-authority`
lets a CA mint people, and one key under two people makes two approvals of one. All of these are refused.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from runner.records.change import ChangeClass
from runner.records.policy import Requirement, Trust
from runner.records.statement import Namespace
from runner.records.verdict import Reason
from runner.rules.canonical import sha256

KEY_TYPES = frozenset(
    {
        "ssh-ed25519",
        "sk-ssh-ed25519@openssh.com",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    }
)
PERSON = frozenset({Namespace.PROPOSAL, Namespace.APPROVAL})
CI = frozenset({Namespace.PROPOSAL, Namespace.EVIDENCE})
GATE = frozenset({Namespace.RECEIPT, Namespace.LEDGER, Namespace.TAG})
MAY_BE_NOUGHT = frozenset({ChangeClass.DOCS, ChangeClass.DATA})
LEAST = {ChangeClass.PROMOTION: 2}
_OPTION = re.compile(r'(?:[a-z-]+)(?:="[^"]*")?(?:,(?:[a-z-]+)(?:="[^"]*")?)*\Z', re.IGNORECASE)
STEP = "policy"


class SignerLine(NamedTuple):
    """One line of `allowed_signers`."""

    number: int
    principal: str
    options: dict[str, str]
    key_type: str
    key: str

    @property
    def namespaces(self) -> frozenset[str]:
        return frozenset(filter(None, self.options.get("namespaces", "").split(",")))


def read_signers(data: bytes) -> tuple[tuple[SignerLine, ...], tuple[Reason, ...]]:
    """The lines of `allowed_signers`, and what cannot be read."""
    lines, reasons = [], []
    for number, text in enumerate(data.decode(errors="replace").splitlines(), 1):
        if not text.strip() or text.startswith("#"):
            continue
        line = _signer_line(number, text)
        if line is None:
            reasons.append(_signers(number, "cannot be read", 'write: <person> namespaces="…" ssh-ed25519 <key>'))
        else:
            lines.append(line)
    return tuple(lines), tuple(reasons)


def _signer_line(number: int, text: str) -> SignerLine | None:
    parts = text.split()
    if len(parts) < 3:
        return None
    principal, rest = parts[0], parts[1:]
    options: dict[str, str] = {}
    if not _is_key_type(rest[0]):
        if not _OPTION.match(rest[0]):
            return None
        for name, value in re.findall(r'([a-z-]+)(?:="([^"]*)")?', rest[0], re.IGNORECASE):
            if name.lower() in options:
                return None
            options[name.lower()] = value
        rest = rest[1:]
    if len(rest) < 2 or not _is_key_type(rest[0]) or not _is_key(rest[0], rest[1]):
        return None
    return SignerLine(number, principal, options, rest[0], rest[1])


def _is_key_type(text: str) -> bool:
    return text.startswith(("ssh-", "ecdsa-", "sk-"))


def _is_key(kind: str, text: str) -> bool:
    """Canonical base64 of a key blob that starts with its own type."""
    try:
        blob = base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    name = kind.encode()
    return base64.b64encode(blob).decode() == text and blob.startswith(len(name).to_bytes(4, "big") + name)


def lint(trust: Trust, allowed_signers: bytes, revoked: bytes) -> tuple[Reason, ...]:
    """Everything that is wrong with a policy; empty where nothing is."""
    lines, reasons = read_signers(allowed_signers)
    found = list(reasons)
    for name, pin, data in (
        ("allowed_signers", trust.allowed_signers, allowed_signers),
        ("revoked", trust.revoked, revoked),
    ):
        if sha256(data) != pin:
            problem = f"policy/{name} is not the file that trust.yaml pins"
            found.append(Reason(step=STEP, problem=problem, hint=f"set `{name}: {sha256(data)}`"))
    for line in lines:
        found.extend(_lint_line(trust, line))
    for key, count in Counter(line.key for line in lines).items():
        if count > 1:
            where = ", ".join(f"{line.principal} (line {line.number})" for line in lines if line.key == key)
            found.append(
                Reason(step=STEP, problem=f"one key stands more than once: {where}", hint="one key, one person")
            )
    found.extend(_lint_roles(trust, {line.principal for line in lines}))
    return tuple(found)


def _lint_line(trust: Trust, line: SignerLine) -> Iterable[Reason]:
    may = {**dict.fromkeys(trust.people, PERSON), trust.ci: CI, trust.gate: GATE}
    if line.principal not in may:
        yield _signers(
            line.number, f"{line.principal!r} is nobody that trust.yaml names", "one exact name, no patterns"
        )
        return
    if line.key_type not in KEY_TYPES:
        yield _signers(line.number, f"a key of type {line.key_type} is not accepted", "use ssh-ed25519")
    for option in sorted(set(line.options) - {"namespaces", "valid-after", "valid-before"}):
        yield _signers(line.number, f"the option `{option}` is not accepted", "remove it")
    allowed = frozenset(namespace.value for namespace in may[line.principal])
    if not line.namespaces:
        yield _signers(line.number, "without `namespaces=` the key signs for every purpose", _namespaces(allowed))
    elif not line.namespaces <= allowed:
        wrong = ", ".join(sorted(line.namespaces - allowed))
        yield _signers(line.number, f"{line.principal} may not sign for {wrong}", _namespaces(allowed))


def _lint_roles(trust: Trust, keyed: set[str]) -> Iterable[Reason]:
    names = [*trust.people, trust.ci, trust.gate]
    if len(set(names)) != len(names):
        yield Reason(step=STEP, problem="people, ci and gate do not have names of their own", hint="rename one")
    for name in sorted(set(names) - keyed):
        yield Reason(
            step=STEP, problem=f"{name} has no key in policy/allowed_signers", hint="add one, or drop the name"
        )
    for change in ChangeClass:
        if change not in trust.changes:
            yield Reason(step=STEP, problem=f"nothing says who approves a change of {change}", hint=f"add `{change}:`")
            continue
        asked = trust.changes[change]
        total, least = sum(one.people for one in asked), LEAST.get(change, 0 if change in MAY_BE_NOUGHT else 1)
        if total < least:
            yield Reason(step=STEP, problem=f"{change} asks for {total} people", hint=f"ask for at least {least}")
        if not quorum(trust, asked, trust.people):
            yield Reason(step=STEP, problem=f"{change} asks for more people than there are", hint="name more people")


def _signers(number: int, problem: str, hint: str) -> Reason:
    return Reason(step=STEP, problem=f"policy/allowed_signers:{number}: {problem}", hint=hint)


def _namespaces(allowed: frozenset[str]) -> str:
    return f'write namespaces="{",".join(sorted(allowed))}"'


def quorum(trust: Trust, asked: Iterable[Requirement], people: Iterable[str]) -> bool:
    """Whether `people` fill every place asked for, each person one place at most (a bipartite matching)."""
    places = [one.role for one in asked for _ in range(one.people)]
    taken: dict[int, str] = {}

    def seat(person: str, tried: set[int]) -> bool:
        for at, role in enumerate(places):
            if role in trust.people.get(person, ()) and at not in tried:
                tried.add(at)
                if at not in taken or seat(taken[at], tried):
                    taken[at] = person
                    return True
        return False

    for person in dict.fromkeys(people):
        seat(person, set())
    return len(taken) == len(places)


def eligible(trust: Trust, change: ChangeClass, person: str) -> bool:
    """Whether `person` holds a role that this class asks for."""
    asked: Mapping[ChangeClass, tuple[Requirement, ...]] = trust.changes
    return any(one.role in trust.people.get(person, ()) for one in asked.get(change, ()))


def revoked_digests(revoked: bytes) -> frozenset[str]:
    """The adapters and records revoked by digest: comment lines `# sha256:<hex>` of `policy/revoked`."""
    return frozenset(re.findall(r"^# sha256:([0-9a-f]{64})\b", revoked.decode(errors="replace"), re.MULTILINE))
