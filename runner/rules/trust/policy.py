"""A policy judged: its files without OpenSSH's traps, and who makes a quorum.

PROTOCOL.md, facts 2 and 3: a line without `namespaces=` is valid for every namespace, `*` matches anyone,
`cert-authority` lets a CA mint people, one key under two people makes two approvals of one, and an empty revocation
file passes everywhere. All of these are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from runner.records.change import ChangeClass
from runner.records.policy import Requirement, Trust
from runner.records.statement import Namespace
from runner.records.verdict import Reason
from runner.rules.canonical import sha256
from runner.rules.times import later
from runner.rules.trust.signers import (
    ALLOWED_SIGNERS,
    REVOKED,
    TRUST,
    SignerLine,
    Trap,
    key_line_problem,
    read_revoked,
    read_signers,
)

PERSON = frozenset({Namespace.PROPOSAL, Namespace.APPROVAL, Namespace.TRIAGE})
CI = frozenset({Namespace.PROPOSAL, Namespace.EVIDENCE})
GATE = frozenset({Namespace.RECEIPT, Namespace.LEDGER, Namespace.TAG})
MAY_BE_NOUGHT = frozenset({ChangeClass.DOCS, ChangeClass.DATA})
PROPOSED_BY_CI = frozenset({ChangeClass.PROMOTION, ChangeClass.ROLLBACK})
LEAST = {ChangeClass.PROMOTION: 2}
LONGEST_DAYS = 800
"""How far ahead a policy may expire: a mirror that is frozen goes on being believed until then."""
MAIN = "refs/heads/main"
STEP, GATE_STEP = "policy", "0 policy"
"""As `hallmark policy lint` says it, and as the gate does."""
FILES, SIGNERS, REVOCATIONS, ROLES, EXPIRY = "0.1 files", "0.2 signers", "0.3 revocations", "0.4 roles", "0.5 expiry"
NEXT = "0.6 next policy"
REFUSED_OPTIONS = {
    "cert-authority": "whoever holds that CA can mint people: remove it",
    "valid-after": "the gate knows a key by who it is, not by dates: remove it, and merge the key when it shall count",
    "valid-before": "commits choose their dates: remove it, and end a key by a line in policy/revoked",
}


def lint(trust: Trust, allowed_signers: bytes, revoked: bytes) -> tuple[Reason, ...]:
    """Everything that is wrong with a policy, as the gate's reasons; empty where nothing is."""
    return tuple(numbered(trap) for trap in traps(trust, allowed_signers, revoked))


def numbered(trap: Trap) -> Reason:
    """A trap as the gate's reason, under the number of its rule."""
    rule = {ALLOWED_SIGNERS: SIGNERS, REVOKED: REVOCATIONS, TRUST: ROLES}[trap.file]
    rule = {"allowed_signers": FILES, "revoked": FILES, "ref": FILES, "expires": EXPIRY}.get(trap.field, rule)
    said = reason(trap)
    return said.model_copy(update={"step": GATE_STEP, "problem": f"{rule}: {said.problem}"})


def reason(trap: Trap, line: int | None = None) -> Reason:
    """A trap in words. `line` is the line of its field, where somebody knows it."""
    where = ":".join(str(part) for part in (trap.file, trap.line or line) if part)
    field = f"{trap.field}: " if trap.field else ""
    return Reason(step=STEP, problem=f"{where}: {field}{trap.problem}", hint=trap.hint)


def traps(trust: Trust, allowed_signers: bytes, revoked: bytes) -> tuple[Trap, ...]:
    """Everything that is wrong with a policy; empty where nothing is."""
    lines, unreadable = read_signers(allowed_signers)
    _, odd = read_revoked(revoked)
    return (
        *_pins(trust, allowed_signers, revoked),
        *unreadable,
        *odd,
        *(trap for line in lines for trap in _line_traps(trust, line)),
        *_shared_keys(lines),
        *_names(trust, {line.principal for line in lines}),
        *_quorums(trust),
    )


def usage_traps(trust: Trust, allowed_signers: bytes, revoked: bytes, *, now: str) -> tuple[Trap, ...]:
    """What makes a policy of no use as it now stands: its expiry, and names whose every key is revoked.

    Apart from `traps`, since the gate has to take a revocation, and a renewal, whatever is left of the policy.
    """
    found = [*expiry_traps(trust, now)]
    lines, _ = read_signers(allowed_signers)
    gone = read_revoked(revoked)[0].keys
    for name in dict.fromkeys(line.principal for line in lines):
        own = [line for line in lines if line.principal == name]
        if all(line.public_key in gone for line in own):
            hint = "add a new key of theirs, or drop the name"
            found.append(Trap(ALLOWED_SIGNERS, own[-1].number, "", f"every key of {name} is revoked", hint))
    return tuple(found)


def following_traps(old_signers: bytes, trust: Trust, allowed_signers: bytes, *, now: str) -> tuple[Trap, ...]:
    """What is wrong with a policy as the one that follows another: its expiry, and a key that changes hands.

    A key that becomes somebody else's would let one person count as two across the change.
    """
    owner = {line.public_key: line.principal for line in read_signers(old_signers)[0]}
    lines = read_signers(allowed_signers)[0]
    moved = [line for line in lines if owner.get(line.public_key, line.principal) != line.principal]
    hint = "a new name comes with a new key"
    return (
        *expiry_traps(trust, now),
        *(_signers(one.number, f"{one.principal}'s key was {owner[one.public_key]}'s", hint) for one in moved),
    )


def expiry_traps(trust: Trust, now: str) -> Iterable[Trap]:
    """A policy that has expired, or that would hold for longer than anybody looks ahead."""
    furthest = later(now, days=LONGEST_DAYS)
    if trust.expires < now:
        yield _trust(
            "expires", f"the policy expired at {trust.expires}", "renew it: a later date, and version plus one"
        )
    elif trust.expires > furthest:
        problem = f"the policy would hold until {trust.expires}"
        yield _trust("expires", problem, f"at most {LONGEST_DAYS} days ahead: {furthest} or sooner")


def _pins(trust: Trust, allowed_signers: bytes, revoked: bytes) -> Iterable[Trap]:
    files = ((ALLOWED_SIGNERS, trust.allowed_signers, allowed_signers), (REVOKED, trust.revoked, revoked))
    for file, pin, data in files:
        if sha256(data) != pin:
            said = "is empty, and trust.yaml pins one that is not" if not data else "is not the file that is pinned"
            field = file.removeprefix("policy/")
            yield _trust(field, f"{file} {said}", f"bring the pinned file back, or set `{field}: {sha256(data)}`")
    if trust.ref != MAIN:
        yield _trust("ref", f"{trust.ref!r} is no branch that the gate guards", f"write `ref: {MAIN}`")


def _line_traps(trust: Trust, line: SignerLine) -> Iterable[Trap]:
    may = {**dict.fromkeys(trust.people, PERSON), trust.ci: CI, trust.gate: GATE}
    if line.principal not in may:
        if set(line.principal) & set('*?!,"'):
            yield _signers(line.number, f"{line.principal!r} is a pattern, and matches more than one", "one exact name")
        else:
            hint = "name them under `people:` in trust.yaml, or remove the line"
            yield _signers(line.number, f"{line.principal!r} is nobody that trust.yaml names", hint)
        return
    problem = key_line_problem(line)
    if problem:
        yield _signers(line.number, *problem)
    for option in sorted(set(line.options) - {"namespaces"}):
        yield _signers(line.number, f"the option `{option}` is not accepted", REFUSED_OPTIONS.get(option, "remove it"))
    allowed = frozenset(namespace.value for namespace in may[line.principal])
    if not line.namespaces:
        yield _signers(line.number, "without `namespaces=` the key signs for every purpose", _namespaces(allowed))
    elif not line.namespaces <= allowed:
        known = {namespace.value for namespace in Namespace}
        for wrong in sorted(line.namespaces - allowed):
            said = f"{line.principal} may not sign for {wrong}" if wrong in known else f"{wrong!r} is no namespace"
            yield _signers(line.number, said, _namespaces(allowed))


def _shared_keys(lines: tuple[SignerLine, ...]) -> Iterable[Trap]:
    first: dict[str, SignerLine] = {}
    for line in lines:
        other = first.setdefault(line.public_key, line)
        if other is not line:
            said = f"{line.principal}'s key is {other.principal}'s, of line {other.number}"
            yield _signers(line.number, said, "one key stands once, under one person: remove a line")


def _names(trust: Trust, keyed: set[str]) -> Iterable[Trap]:
    machines = {"ci": trust.ci, "gate": trust.gate}
    for field, name in machines.items():
        if name in trust.people:
            hint = "a machine holds no person's role: remove it from `people:`, or rename one"
            yield _trust(field, f"{name} is among the people too", hint)
    if trust.ci == trust.gate:
        yield _trust("gate", "ci and gate are one", "who makes the evidence may not judge it: name two")
    for name in sorted({*trust.people, *machines.values()} - keyed):
        field = next((one for one, machine in machines.items() if machine == name), f"people.{name}")
        yield _trust(field, f"{name} has no key in policy/allowed_signers", "add a line with one, or drop the name")


def _quorums(trust: Trust) -> Iterable[Trap]:
    """Every class can be met, the proposer not counted."""
    for change in ChangeClass:
        field = f"changes.{change.value}"
        if change not in trust.changes:
            yield _trust("changes", f"nothing says who approves a change of {change}", f"add `{change}:`")
            continue
        asked = trust.changes[change]
        total, least = sum(one.people for one in asked), LEAST.get(change, 0 if change in MAY_BE_NOUGHT else 1)
        if total < least:
            yield _trust(field, f"asks for {total} people", f"ask for at least {least}")
        held = {role for roles in trust.people.values() for role in roles}
        for role in sorted({one.role for one in asked if one.people} - held):
            yield _trust(
                field, f"nobody has the role {role!r}", "give it to somebody under `people:`, or ask for another"
            )
        if not quorum(trust, asked, trust.people):
            yield _trust(field, "asks for more people than there are", "name more people, or ask for fewer")
        elif total and change not in PROPOSED_BY_CI and not _without_the_proposer(trust, asked):
            hint = "whoever proposes does not count: name more people, or ask for fewer"
            yield _trust(field, "nobody is left to propose it", hint)


def _without_the_proposer(trust: Trust, asked: Iterable[Requirement]) -> bool:
    """Whether somebody can propose a change that the others can approve."""
    asked = tuple(asked)
    return any(quorum(trust, asked, [one for one in trust.people if one != proposer]) for proposer in trust.people)


def _signers(number: int, problem: str, hint: str) -> Trap:
    return Trap(ALLOWED_SIGNERS, number, "", problem, hint)


def _trust(field: str, problem: str, hint: str) -> Trap:
    return Trap(TRUST, None, field, problem, hint)


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
    return read_revoked(revoked)[0].digests
