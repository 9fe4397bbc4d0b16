"""The signed tag of a promotion: `git tag -s` with an ssh key makes it, and `git verify-tag` reads it."""

from __future__ import annotations

from contextlib import suppress

from runner.errors import VerificationError
from runner.ports_promotion import Repository, Signer
from runner.promotion.sources import Policy, Sources
from runner.records.statement import Namespace
from runner.rules.times import moment

TAGS = "refs/tags/promotions/"


def tag_name(cluster: str, sequence: int) -> str:
    return f"promotions/{cluster}/{sequence}"


def write_tag(repository: Repository, gate: Signer, commit: str, name: str, now: str) -> str:
    """A signed tag object, as `git tag -s` with an ssh key makes it; `git verify-tag` reads it."""
    seconds = int(moment(now).timestamp())
    tagger = f"tagger hallmark <hallmark@localhost> {seconds} +0000"
    body = f"object {commit}\ntype commit\ntag {name}\n{tagger}\n\nPromoted: {name}\n".encode()
    return repository.write("tag", body + gate.signature(body, namespace=Namespace.TAG))


def read_tag(data: bytes) -> tuple[str, str, bytes, bytes]:
    """A tag object's commit, name, signed bytes and signature. Raises `VerificationError` where it has no such form."""
    mark = data.find(b"-----BEGIN SSH SIGNATURE-----")
    lines = data.split(b"\n")
    if mark < 0 or len(lines) < 4 or not lines[0].startswith(b"object ") or lines[1] != b"type commit":
        raise VerificationError("is no signed tag of a commit")
    return (
        lines[0][7:].decode(errors="replace"),
        lines[2].removeprefix(b"tag ").decode(errors="replace"),
        data[:mark],
        data[mark:],
    )


def begin_tag(sources: Sources, policy: Policy, oid: str, *, at: str) -> None:
    """Begin on the tag's signature. What is wrong with the tag `tag_problems` says."""
    kind, data = sources.objects.object(oid) if oid else ("", b"")
    with suppress(VerificationError):
        body, signature = read_tag(data)[2:] if kind == "tag" else (b"", b"")
        person, keys = policy.trust.gate, policy.keys
        sources.verifier.begin_check(body, signature, namespace=Namespace.TAG, person=person, keys=keys, at=at)


def tag_problems(sources: Sources, policy: Policy, oid: str, *, commit: str, name: str, at: str) -> list[str]:
    """The tag object is there, names this commit, and the policy's gate signed it with a key that counted `at`."""
    kind, data = sources.objects.object(oid) if oid else ("", b"")
    if kind != "tag":
        return [f"tag {name} is not signed" if kind else f"there is no tag {name}"]
    try:
        target, said, body, signature = read_tag(data)
        if (target, said) != (commit, name):
            return [f"tag {name} names {said} at {target[:12]}"]
        person, keys = policy.trust.gate, policy.keys
        sources.verifier.check(body, signature, namespace=Namespace.TAG, person=person, keys=keys, at=at)
    except VerificationError as error:
        return [f"tag {name}: {error}"]
    return []
