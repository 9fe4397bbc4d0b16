"""The traps of a policy: one must-fail each, with the line it stands on, and what `policy init` makes and refuses."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.cli.policy import policy as verb
from runner.edges.yaml_files import line_of, parse
from runner.errors import ExitCode, RecordError
from runner.promotion.policy import judge_files
from runner.rules.trust.signers import read_revoked, read_signers
from runner.rules.trust.ssh_keys import key_problem
from tests.promotion_fixture import CHANGES, NOW, PEOPLE, SIGNERS, World, make_keys

Files = dict[str, bytes]
ALLOWED, REVOKED, TRUST = "policy/allowed_signers", "policy/revoked", "policy/trust.yaml"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("lint"))
    make_keys(world.path / "keys")
    for kind, bits in (("rsa", "2048"), ("rsa", "4096"), ("ecdsa", "384")):
        path = str(world.path / "keys" / f"{kind}{bits}")
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-f", path], check=True)
    return world


def told(files: Files, now: str = NOW) -> list[tuple[str, str]]:
    """Problem and hint of every trap."""
    verdict = judge_files(files, parse=parse, locate=line_of, now=now)
    assert verdict.passed == (not verdict.reasons)
    return [(reason.problem, reason.hint) for reason in verdict.reasons]


def test_a_sound_policy_has_no_trap(world: World) -> None:
    assert told(world.policy()) == []
    second = f'alice namespaces="{SIGNERS["alice"]}" {world.key("ecdsa384").public_key}\n'.encode()
    assert told(world.policy(allowed=b"# people\n\n" + world.signers() + second)) == []


def line(world: World, text: str, key: str = "mallory") -> Files:
    """The policy with one line more, the seventh."""
    public = world.key(key).public_key
    return world.policy(allowed=world.signers() + text.format(key=public).encode() + b"\n")


def signed(options: str, name: str = "alice") -> Callable[[World], Files]:
    return lambda world: line(world, f"{name} {options} {{key}}".replace("  ", " "))


SPACES = f'namespaces="{SIGNERS["alice"]}"'
DSA = "ssh-dss " + base64.b64encode(b"\0\0\0\7ssh-dss" + b"\0\0\0\1\1" * 4).decode()
TRAPS: dict[str, tuple[str, str, Callable[[World], Files]]] = {
    "no namespaces": (f"{ALLOWED}:7", "signs for every purpose", signed("")),
    "empty namespaces": (f"{ALLOWED}:7", "signs for every purpose", signed('namespaces=""')),
    "an unknown namespace": (f"{ALLOWED}:7", "'file' is no namespace", signed('namespaces="file"')),
    "a pattern of namespaces": (f"{ALLOWED}:7", "is no namespace", signed('namespaces="hallmark-*"')),
    "a namespace of another": (f"{ALLOWED}:7", "may not sign for git", signed('namespaces="git"')),
    "a star": (f"{ALLOWED}:7", "is a pattern", signed(SPACES, "*")),
    "a question mark": (f"{ALLOWED}:7", "is a pattern", signed(SPACES, "al?ce")),
    "two principals": (f"{ALLOWED}:7", "is a pattern", signed(SPACES, "alice,bob")),
    "a negated principal": (f"{ALLOWED}:7", "is a pattern", signed(SPACES, "!alice")),
    "a quoted principal": (f"{ALLOWED}:7", "is a pattern", signed(SPACES, '"alice"')),
    "nobody of trust.yaml": (f"{ALLOWED}:7", "nobody that trust.yaml names", signed(SPACES, "mallory")),
    "a homoglyph": (f"{ALLOWED}:7", "not printable ASCII", signed(SPACES, "\u0430lice")),
    "cert-authority": (f"{ALLOWED}:7", "`cert-authority` is not accepted", signed(f"cert-authority,{SPACES}")),
    "CERT-AUTHORITY": (f"{ALLOWED}:7", "`cert-authority` is not accepted", signed(f"{SPACES},CERT-AUTHORITY")),
    "valid-after": (f"{ALLOWED}:7", "`valid-after` is not", signed(f'{SPACES},valid-after="20260101"')),
    "valid-before": (f"{ALLOWED}:7", "`valid-before` is not", signed(f'{SPACES},valid-before="20290101Z"')),
    "an option twice": (f"{ALLOWED}:7", "stands twice", signed(f"{SPACES},{SPACES}")),
    "an escaped quote": (f"{ALLOWED}:7", "cannot be read", signed('namespaces="a\\"b"')),
    "a tab": (f"{ALLOWED}:7", "not printable ASCII", signed(SPACES, "alice\t")),
    "a form feed": (f"{ALLOWED}:7", "not printable ASCII", signed(SPACES, "# x\falice")),
    "a carriage return": (f"{ALLOWED}:7", "not printable ASCII", signed(SPACES, "# x\ralice")),
    "only a name": (f"{ALLOWED}:7", "no person with a key", lambda w: line(w, "alice")),
    "a short RSA key": (
        f"{ALLOWED}:7",
        "RSA key of 2048 bits",
        lambda w: line(w, f"alice {SPACES} {{key}}", "rsa2048"),
    ),
    "a long RSA key": (f"{ALLOWED}:7", "RSA key of 4096 bits", lambda w: line(w, f"alice {SPACES} {{key}}", "rsa4096")),
    "a DSA key": (f"{ALLOWED}:7", "DSA is broken", lambda w: line(w, f"alice {SPACES} {DSA}")),
    "a key cut short": (
        f"{ALLOWED}:7",
        "cut short",
        lambda w: line(w, f"alice {SPACES} {w.key('bob').public_key[:-8]}"),
    ),
    "one key under two people": (
        f"{ALLOWED}:2",
        "bob's key is alice's, of line 1",
        lambda w: w.policy(allowed=swap(w, "bob", "alice")),
    ),
    "a person with CI's key": (
        f"{ALLOWED}:5",
        "ci's key is bob's",
        lambda w: w.policy(allowed=swap(w, "ci", "bob")),
    ),
    "a last line without an end": (f"{ALLOWED}:6", "does not end", lambda w: w.policy(allowed=w.signers()[:-1])),
    "a person without a key": (
        f"{TRUST}:20",
        "erin has no key",
        lambda w: w.policy(people={**PEOPLE, "erin": ["owner"]}),
    ),
    "CI without a key": (f"{TRUST}:20", "robot has no key", lambda w: w.policy(ci="robot")),
    "CI among the people": (
        f"{TRUST}",
        "ci is among the people",
        lambda w: w.policy(people={**PEOPLE, "ci": ["admin"]}),
    ),
    "the gate among the people": (
        f"{TRUST}",
        "gate is among",
        lambda w: w.policy(people={**PEOPLE, "gate": ["admin"]}),
    ),
    "CI is the gate": (f"{TRUST}", "ci and gate are one", lambda w: w.policy(gate="ci")),
    "another ref": (f"{TRUST}", "no branch that the gate guards", lambda w: w.policy(ref="refs/heads/other")),
    "signers that are not pinned": (
        f"{TRUST}:4",
        "not the file that is pinned",
        lambda w: w.policy(allowed_signers="0" * 64),
    ),
    "an emptied revocation file": (
        f"{TRUST}:5",
        "is empty, and trust.yaml pins one that is not",
        lambda w: {**w.policy(revoked=f"# sha256:{'0' * 64}\n".encode()), REVOKED: b""},
    ),
    "another revocation file": (f"{TRUST}:5", "not the file", lambda w: {**w.policy(), REVOKED: b"# nobody\n"}),
    "a digest in capitals": (
        f"{REVOKED}:1",
        "revokes none",
        lambda w: w.policy(revoked=b"# sha256:" + b"A" * 64 + b"\n"),
    ),
    "a digest cut short": (
        f"{REVOKED}:2",
        "revokes none",
        lambda w: w.policy(revoked=b"#\n# sha256:" + b"a" * 63 + b"\n"),
    ),
    "a digest indented": (f"{REVOKED}:1", "", lambda w: w.policy(revoked=b" # sha256:" + b"a" * 64 + b"\n")),
    "a name before a revoked key": (
        f"{REVOKED}:1",
        "no public key",
        lambda w: w.policy(revoked=f"alice {w.key('alice').public_key}\n".encode()),
    ),
    "a binary revocation list": (f"{REVOKED}:2", "not printable", lambda w: w.policy(revoked=b"SSHKRL\n\0\0\0\1")),
    "revocations without an end": (
        f"{REVOKED}:1",
        "does not end",
        lambda w: w.policy(revoked=w.key("mallory").public_key.encode()),
    ),
    "a person whose every key is revoked": (
        f"{ALLOWED}:2",
        "every key of bob is revoked",
        lambda w: w.policy(revoked=w.key("bob").public_key.encode() + b" lost\n"),
    ),
    "a class that nobody approves": (f"{TRUST}:22", "a change of docs", lambda w: changed(w, docs=None)),
    "one approver": (f"{TRUST}", "asks for 1 people", lambda w: changed(w, promotion=[asked("approver", 1)])),
    "a policy that anybody changes": (f"{TRUST}", "changes.policy: asks for 0", lambda w: changed(w, policy=[])),
    "more approvers than people": (
        f"{TRUST}",
        "more people than",
        lambda w: changed(w, promotion=[asked("approver", 4)]),
    ),
    "a role that nobody has": (f"{TRUST}", "the role 'auditor'", lambda w: changed(w, code=[asked("auditor", 1)])),
    "one person for two places": (
        f"{TRUST}",
        "more people than",
        lambda w: changed(w, rollback=[asked("on-call", 1), asked("on-call", 1)]),
    ),
    "nobody left to propose": (
        f"{TRUST}",
        "nobody is left to propose",
        lambda w: changed(w, code=[asked("approver", 3), asked("engineer", 1)]),
    ),
    "an expired policy": (f"{TRUST}:3", "expired at", lambda w: w.policy(expires="2026-11-21T11:59:59Z")),
    "a policy for ever": (f"{TRUST}:3", "would hold until 9999", lambda w: w.policy(expires="9999-12-31T00:00:00Z")),
}


def asked(role: str, people: int) -> dict[str, Any]:
    return {"role": role, "people": people}


def changed(world: World, **classes: Any) -> Files:
    changes = {**CHANGES, **classes}
    return world.policy(changes={name: value for name, value in changes.items() if value is not None})


def swap(world: World, one: str, other: str) -> bytes:
    return world.signers().replace(world.key(one).public_key.encode(), world.key(other).public_key.encode())


@pytest.mark.parametrize("name", sorted(TRAPS))
def test_every_trap_is_found_with_its_line_and_what_to_do(name: str, world: World) -> None:
    where, says, make = TRAPS[name]
    found = told(make(world))
    assert any(problem.startswith(f"{where}:") and says in problem and hint for problem, hint in found), found


@pytest.mark.parametrize("path", [ALLOWED, REVOKED, TRUST])
def test_a_missing_file_is_named(world: World, path: str) -> None:
    files = world.policy()
    del files[path]
    with pytest.raises(RecordError, match=f"{path}: is missing"):
        told(files)


@pytest.mark.parametrize(
    "when", ["2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01", "\u0662026-01-01T00:00:00Z"]
)
def test_a_date_that_is_none_is_refused(world: World, when: str) -> None:
    with pytest.raises(RecordError, match="expires"):
        told(world.policy(expires=when))


def test_what_ssh_keygen_reads_is_what_is_read(world: World, tmp_path: Path) -> None:
    """Each line that ssh-keygen takes a principal from is one that the lint sees, or the file has a trap."""
    for text in ("# x\ralice", "# x\x0balice", "\x85alice", "alice\u2028", " alice", "alice "):
        allowed = text.encode() + f" {SPACES} {world.key('mallory').public_key}\n".encode()
        lines, traps = read_signers(allowed)
        assert traps or [one.principal for one in lines] == ["alice"]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=120) | st.text(max_size=80).map(str.encode))
def test_any_bytes_are_read_or_trapped(data: bytes) -> None:
    for read in (read_signers, read_revoked):
        _, traps = read(data)
        assert all(trap.problem and trap.hint and trap.line for trap in traps)
        assert traps or data.isascii()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=60))
def test_only_the_one_form_of_a_key_is_a_key(blob: bytes) -> None:
    real = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(32)
    assert key_problem("ssh-ed25519", base64.b64encode(real).decode()) == ""
    assert bool(key_problem("ssh-ed25519", base64.b64encode(real + blob).decode())) == bool(blob)
    assert key_problem("ssh-ed25519", base64.b64encode(blob).decode())


# policy init, as somebody types it


def init(world: World, directory: Path, *arguments: str, **change: str) -> tuple[int, str]:
    keys = world.path / "keys"
    wanted = {"alice": "alice", "bob": "bob", "carol": "carol", **change}
    people = [part for name, key in wanted.items() for part in ("--person", f"{name}={keys / key}.pub")]
    machines = ["--ci", f"ci={keys / 'ci'}.pub", "--gate", f"gate={keys / 'gate'}.pub"]
    told = ["init", *people, *machines, "--repository", "example/desk", "-C", str(directory), *arguments]
    done = CliRunner().invoke(verb, told, standalone_mode=False)
    if isinstance(done.exception, RecordError):
        return ExitCode.REFUSED, str(done.exception)
    if done.exception is not None:
        return ExitCode.USAGE, f"{type(done.exception).__name__}: {done.exception}"
    return done.return_value, done.output


def test_init_makes_a_policy_that_lint_passes_once(world: World, tmp_path: Path) -> None:
    code, said = init(world, tmp_path, "--json")
    assert (code, json.loads(said)["outcome"]) == (0, "pass")
    lint = CliRunner().invoke(verb, ["lint", "-C", str(tmp_path)], standalone_mode=False)
    assert (lint.return_value, lint.output) == (0, "policy: pass\n")
    root = CliRunner().invoke(verb, ["root", "-C", str(tmp_path)], standalone_mode=False)
    assert root.output.strip() == json.loads(said)["root"]
    before = (tmp_path / TRUST).read_bytes()
    assert "there is a policy already" in init(world, tmp_path)[1]
    assert (tmp_path / TRUST).read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "change", "code", "says"),
    [
        ([], {"Alice": "mallory"}, 1, "Alice"),
        ([], {"*": "mallory"}, 1, "people"),
        ([], {"ci": "mallory"}, 1, "ci is named twice"),
        ([], {"dave": "alice"}, 1, "dave's key is alice's"),
        ([], {"dave": "rsa2048"}, 1, "RSA key of 2048 bits"),
        ([], {"dave": "nothing"}, 2, "with a file that is there"),
        (["--days", "0"], {}, 1, "say 1 to 800"),
        (["--days", "99999"], {}, 1, "say 1 to 800"),
        (["--approvers", "1"], {}, 1, "asks for 1 people"),
        (["--approvers", "9"], {}, 1, "more people than there are"),
        (["--repository", ""], {}, 1, "repository"),
    ],
)
def test_init_refuses_and_writes_nothing(
    world: World, tmp_path: Path, arguments: list[str], change: dict[str, str], code: int, says: str
) -> None:
    found = init(world, tmp_path, *arguments, **change)
    assert found[0] == code
    assert says in found[1]
    assert not (tmp_path / "policy").exists()


def test_init_never_copies_a_private_key(world: World, tmp_path: Path) -> None:
    shown = tmp_path / "dave.pub"
    shown.write_bytes((world.path / "keys" / "dave").read_bytes())
    (tmp_path / "there").mkdir()
    code, said = init(world, tmp_path / "there", "--person", f"dave={shown}")
    assert (code, "is a private key" in said) == (1, True)
    assert "BEGIN" not in said
