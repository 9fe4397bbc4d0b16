"""The two key files of a policy, in OpenSSH's own formats, read so that OpenSSH and people read the same.

`allowed_signers`: a person, options, a key. `revoked`: a public key a line, and digests as `# sha256:<hex>`. After a
key may stand `from=<cluster>:<size>,…`, which ssh-keygen takes for the key's comment: of a promotion whose receipt came
when that cluster's ledger had `size` entries or more, the key's signatures do not count either, though it is merged.
Both are printable ASCII in whole lines: ssh-keygen splits and skips lines by rules of its own, and a line that does not
end would be changed by what is appended after it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from runner.rules.trust.ssh_keys import STRONG, is_key_type, key_problem

ALLOWED_SIGNERS, REVOKED, TRUST = "policy/allowed_signers", "policy/revoked", "policy/trust.yaml"
SINCE = "right after the key: from=<cluster>:<ledger size>, several with commas between; then a comment without `from`"
LINE = 'write: <person> namespaces="…" ssh-ed25519 <key>'
_OPTIONS = re.compile(r'[a-z-]+(?:="[^"\\]*")?(?:,[a-z-]+(?:="[^"\\]*")?)*\Z', re.IGNORECASE)
_OPTION = re.compile(r'([a-z-]+)(?:="([^"\\]*)")?', re.IGNORECASE)
_PRINTABLE = re.compile(rb"[ -~]*\Z")
_SINCE = r"[a-z0-9]+(?:-[a-z0-9]+)*:(?:0|[1-9][0-9]{0,8})"
_DIGEST = re.compile(r"# sha256:([0-9a-f]{64})(?: .*)?\Z")
_FROM = re.compile(rf"from=({_SINCE}(?:,{_SINCE})*)\Z")
_DIGEST_LIKE = re.compile(r"\W*sha-?256\b|.*[0-9a-f]{40}", re.IGNORECASE)


class Trap(NamedTuple):
    """What is wrong with a policy: in which file, on which line or in which field, and what to do."""

    file: str
    line: int | None
    field: str
    problem: str
    hint: str


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

    @property
    def public_key(self) -> str:
        return f"{self.key_type} {self.key}"


class Revoked(NamedTuple):
    """What `revoked` takes back: public keys, each with its line, and digests."""

    keys: dict[str, int]
    digests: frozenset[str]
    since: dict[str, dict[str, int]]
    """Of a key, the ledger sizes from which its signatures no longer count, by cluster."""

    def withdrawn(self, cluster: str, size: int) -> bytes:
        """The keys, as `revoked` has them, that do not count for what was merged at that size of a cluster's ledger."""
        gone = [key for key, since in self.since.items() if since.get(cluster, size + 1) <= size]
        return "".join(f"{key}\n" for key in gone).encode()


def read_signers(data: bytes) -> tuple[tuple[SignerLine, ...], tuple[Trap, ...]]:
    """The lines of `allowed_signers`, and what cannot be read."""
    lines, traps = [], list(_text_traps(ALLOWED_SIGNERS, data))
    for number, text in _lines(data):
        if text.startswith("#"):
            continue
        found = _signer_line(number, text)
        if isinstance(found, str):
            traps.append(Trap(ALLOWED_SIGNERS, number, "", found, LINE))
        else:
            lines.append(found)
    return tuple(lines), tuple(traps)


def _signer_line(number: int, text: str) -> SignerLine | str:
    """The line, or why it is none."""
    principal, *rest = text.split()
    options: dict[str, str] = {}
    if rest and not is_key_type(rest[0]):
        if not _OPTIONS.match(rest[0]):
            return f"the options of {principal!r} cannot be read"
        for name, value in _OPTION.findall(rest.pop(0)):
            if name.lower() in options:
                return f"the option `{name}` of {principal!r} stands twice"
            options[name.lower()] = value
    if len(rest) < 2 or not is_key_type(rest[0]):
        return "this is no person with a key"
    return SignerLine(number, principal, options, rest[0], rest[1])


def read_revoked(data: bytes) -> tuple[Revoked, tuple[Trap, ...]]:
    """What `revoked` revokes, and each line that looks as if it did and does not."""
    keys: dict[str, int] = {}
    since: dict[str, dict[str, int]] = {}
    digests, traps = set(), list(_text_traps(REVOKED, data))
    for number, text in _lines(data):
        if text.startswith("#"):
            match = _DIGEST.match(text)
            if match:
                digests.add(match[1])
            elif _DIGEST_LIKE.match(text):
                hint = "write `# sha256:` and 64 lower-case hex digits from the line's start"
                traps.append(Trap(REVOKED, number, "", "this line looks like a digest, and revokes none", hint))
            continue
        kind, key = (*text.split(), "", "")[:2]
        if not is_key_type(kind) or key_problem(kind, key).startswith("is not"):
            problem = "this is no public key, and ssh-keygen would verify nothing at all"
            traps.append(Trap(REVOKED, number, "", problem, "write the key as its .pub file has it: <type> <key>"))
        else:
            keys.setdefault(f"{kind} {key}", number)
            sizes = _since(text)
            if sizes is None:
                traps.append(Trap(REVOKED, number, "", "what begins with `from` here is no ledger size", SINCE))
            for cluster, size in (sizes or {}).items():
                known = since.setdefault(f"{kind} {key}", {})
                known[cluster] = min(size, known.get(cluster, size))
    return Revoked(keys, frozenset(digests), since), tuple(traps)


def _since(text: str) -> dict[str, int] | None:
    """The ledger sizes on a key's line, by cluster; None where something looks like them and is not."""
    words = text.split()[2:]
    if not any(word.lower().startswith("from=") or word.lower() == "from" for word in words):
        return {}
    match = _FROM.match(words[0])
    if match is None or len([word for word in words if word.lower().startswith("from")]) > 1:
        return None
    found: dict[str, int] = {}
    for item in match[1].split(","):
        cluster, _, size = item.partition(":")
        found[cluster] = min(int(size), found.get(cluster, int(size)))
    return found


def key_line_problem(line: SignerLine) -> tuple[str, str] | None:
    """What is wrong with a line's key, and what to do."""
    problem = key_problem(line.key_type, line.key)
    return (f"the key of {line.principal} {problem}", STRONG) if problem else None


def _lines(data: bytes) -> list[tuple[int, str]]:
    """Every line that is not blank, with its number. Split where ssh-keygen splits: at line feeds, and nowhere else."""
    texts = data.decode("ascii", errors="backslashreplace").split("\n")
    return [(number, text) for number, text in enumerate(texts, 1) if text.strip()]


def _text_traps(file: str, data: bytes) -> list[Trap]:
    found = [
        Trap(file, number, "", "a character stands here that is not printable ASCII", "remove it; end lines with \\n")
        for number, line in enumerate(data.split(b"\n"), 1)
        if not _PRINTABLE.match(line)
    ]
    if data and not data.endswith(b"\n"):
        hint = "end it with a line feed, or what is appended changes it"
        found.append(Trap(file, data.count(b"\n") + 1, "", "the last line does not end", hint))
    return found
