"""JSON that two readers read as two things, or that makes one of them fall over: refused wherever it is read."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.edges import dsse, sshsig
from runner.edges.ledger_store import entry_bytes, parse_entry
from runner.edges.signing import SshVerifier
from runner.errors import HallmarkError, RecordError, VerificationError
from runner.ports_promotion import Keys
from runner.records.ledger import Entry, EntryKind
from runner.records.statement import DecisionStatement
from runner.rules.canonical import canonical
from runner.rules.strict_json import canonical_json, strict_json, strict_lines
from runner.rules.trust.statements import statement

BOMBS: dict[str, bytes] = {
    "a name twice": b'{"a":1,"a":2}',
    "a name twice, spelt in two ways": b'{"a":1,"\\u0061":2}',
    "a name twice, far below": b'[{"b":{"a":1,"a":1}}]',
    "NaN": b'{"a":NaN}',
    "infinity": b"[-Infinity]",
    "a number beyond all numbers": b"[1e999]",
    "a number of five thousand digits": b"[" + b"9" * 5_000 + b"]",
    "lists a hundred thousand deep": b"[" * 100_000 + b"]" * 100_000,
    "objects a thousand deep": b'{"a":' * 1_000 + b"1" + b"}" * 1_000,
    "lists deeper than the limit": b"[" * 102 + b"]" * 102,
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "UTF-32": '{"a":1}'.encode("utf-32"),
    "a byte-order mark": b'\xef\xbb\xbf{"a":1}',
    "no UTF-8": b'{"a":"\xff"}',
    "an overlong slash": b'{"a":"\xc0\xaf"}',
    "half a surrogate pair": b'{"a":"\\ud800"}',
    "a raw NUL": b'{"a":"\x00"}',
    "a raw line feed": b'{"a":"\n"}',
    "two values": b"{}{}",
    "a comment": b"{} // x",
    "a comma too many": b"[1,]",
    "a number with a zero before": b"[01]",
    "nothing": b"",
}


@pytest.mark.parametrize("what", sorted(BOMBS))
def test_it_is_refused_with_a_reason(what: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        strict_json(BOMBS[what])


def test_many_names_and_one_of_them_twice_take_no_time() -> None:
    names = ",".join(f'"{number}":1' for number in range(60_000))
    began = time.process_time()
    with pytest.raises(ValueError, match="it names '7' twice"):
        strict_json(f'{{{names},"7":1}}'.encode())
    assert time.process_time() - began < 2


def test_a_number_too_long_to_read_is_named_by_its_line() -> None:
    assert strict_json(b"[-" + b"1" * 4_300 + b"]") == [-int("1" * 4_300)]
    with pytest.raises(ValueError, match=r"^the number on its line 2 has 4,301 digits, and 4,300 are read at most: sh"):
        strict_json(b'{"a": 1,\n "b": -' + b"1" * 4_301 + b"}")


def test_a_bad_line_is_named() -> None:
    strict_lines(b'{"a":1}\n\n{"a":2}\n')
    with pytest.raises(ValueError, match="line 3: it names 'a' twice"):
        strict_lines(b'{"a":1}\n\n{"a":2,"a":3}\n')


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e15, 1e15) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(VALUES)
def test_what_is_written_is_read(value: Any) -> None:
    assert canonical_json(canonical(value)) == value


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=80) | st.text('[]{}":,0123456789eE.-\\u"nulltruefalse ', max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for read in (strict_json, canonical_json, strict_lines):
        try:
            read(data)
        except ValueError as error:
            told = str(error)
        else:
            told = "read"
        assert told


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53 + 1, 10**400, "\ud800"])
def test_what_has_no_canonical_form_is_an_error_of_ours(value: Any) -> None:
    with pytest.raises(RecordError, match="canonical"):
        canonical({"a": value})


# envelopes and statements


def envelope(body: bytes, **change: Any) -> bytes:
    document = {
        "payload": base64.b64encode(body).decode(),
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [{"keyid": "SHA256:x", "sig": base64.b64encode(b"x").decode()}],
    }
    return canonical({**document, **change}) + b"\n"


@pytest.mark.parametrize("what", sorted(BOMBS))
def test_an_envelope_of_it_is_refused(what: str) -> None:
    with pytest.raises(VerificationError):
        dsse.read(BOMBS[what])
    verifier = SshVerifier()
    with pytest.raises(VerificationError, match="names no person"):
        verifier.claimed(envelope(BOMBS[what]))
    with pytest.raises(VerificationError, match="statement"):
        statement(DecisionStatement, BOMBS[what])


@pytest.mark.parametrize(
    "data",
    [
        envelope(b"{}").replace(b'{"payload"', b'{"payload":"","payload"'),
        envelope(b"{}").replace(b'"keyid"', b'"keyid":"y","keyid"'),
        envelope(b"{}").replace(b"{", b"{ ", 1),
        envelope(b"{}")[:-1],
        envelope(b"{}") + b"\n",
        envelope(b"{}", more=1),
        envelope(b"{}", signatures=[]),
        envelope(b"{}", signatures=[{"keyid": "x", "sig": "eA=="}, {"keyid": "x", "sig": "eA=="}]),
        envelope(b"{}", signatures=[{"keyid": "x", "sig": "eA==", "cert": "x"}]),
        envelope(b"{}", signatures={"keyid": "x"}),
        envelope(b"{}", signatures=[5]),
        envelope(b"{}", payload="e30"),
        envelope(b"{}", payload="e30=\n"),
        envelope(b"{}", payload="e31="),
        envelope(b"{}", payloadType=5),
        envelope(b"{}").replace(b"SHA256:x", b"\\ud800"),
        b"x" * (dsse.MAX_BYTES + 1),
    ],
)
def test_an_envelope_has_one_form(data: bytes) -> None:
    with pytest.raises(VerificationError):
        dsse.read(data)


@pytest.mark.parametrize(
    "person", ["", "-rf", "alice bob", "al*ce", "../alice", "Alice", "alice\n", "\u0430lice", "a\0b"]
)
def test_nobody_is_asked_about_under_another_form_of_name(person: str) -> None:
    verifier, keys = SshVerifier(), Keys(b"", b"")
    with pytest.raises(VerificationError, match="no person"):
        verifier.check(b"m", b"s", namespace="n", person=person, keys=keys, at="2026-01-01T00:00:00Z")
    with pytest.raises(VerificationError, match="no person"):
        verifier.claimed(envelope(canonical({"predicate": {"person": person}})))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda tail: b"SSHSIG\0\0\0\1" + tail))
def test_any_signature_is_read_or_refused(blob: bytes) -> None:
    with pytest.raises(VerificationError):
        sshsig.parse(blob)


# the ledger

ENTRY = Entry(cluster="desk", sequence=1, previous=None, kind=EntryKind.QUEUED, iteration="it-1")


@pytest.mark.parametrize("what", sorted(BOMBS))
def test_a_ledger_entry_of_it_is_refused(what: str) -> None:
    good = entry_bytes(ENTRY)
    assert parse_entry(good, path="desk/00000001.json") == ENTRY
    for data in (BOMBS[what], good.replace(b'"measured": {}', b'"measured": {"x": ' + BOMBS[what] + b"}")):
        with pytest.raises(VerificationError, match="desk/00000001"):
            parse_entry(data, path="desk/00000001.json")


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.text(max_size=12) | st.sampled_from(["../x", "-x", "a/b", ".git", "desk\n", "\u0430", "a" * 65]), st.integers()
)
def test_a_ledger_path_is_a_slug_and_a_number(cluster: str, sequence: int) -> None:
    text = {**json.loads(entry_bytes(ENTRY)), "cluster": cluster, "sequence": sequence}
    data = json.dumps(text, indent=1, sort_keys=True, ensure_ascii=True).encode() + b"\n"
    slug = all(part.isascii() and part.isalnum() and part == part.lower() for part in cluster.split("-"))
    try:
        parse_entry(data, path=f"{cluster}/{sequence:08d}.json")
    except HallmarkError:
        return
    assert slug
    assert sequence >= 1
