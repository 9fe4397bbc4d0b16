"""Published vectors: RFC 8785 (JSON Canonicalization Scheme) and DSSE version 1."""

from __future__ import annotations

import base64
import json
import struct

import pytest
import rfc8785
from securesystemslib.dsse import Envelope as Published

from runner.edges import dsse
from runner.errors import RecordError
from runner.rules.canonical import canonical

# RFC 8785, appendix B: the bits of an IEEE 754 double, and its canonical text.
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}


@pytest.mark.parametrize("bits", sorted(NUMBERS))
def test_rfc_8785_appendix_b(bits: str) -> None:
    [value] = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical(value) == NUMBERS[bits].encode()


@pytest.mark.parametrize("bits", ["7fffffffffffffff", "7ff0000000000000"])
def test_rfc_8785_appendix_b_has_no_text_for_nan_and_infinity(bits: str) -> None:
    with pytest.raises(RecordError):
        canonical(struct.unpack(">d", bytes.fromhex(bits))[0])


def test_rfc_8785_section_3_2_2_literals_strings_and_numbers() -> None:
    given = r"""{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }"""
    expected = (
        r'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        r'"string":"' + "\u20ac" + r"$\u000f\nA" + "'" + r'B\"\\\\\"/"}'
    )
    assert canonical(json.loads(given)) == expected.encode()


def test_rfc_8785_section_3_2_3_sorts_by_utf_16_code_units() -> None:
    given = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    order = [given[name] for name in ("\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33")]
    assert list(json.loads(canonical(given)).values()) == order


def test_rows_of_text_are_the_same_bytes_as_one_by_one() -> None:
    characters = [chr(code) for code in (*range(0x3000), 0xD7FF, *range(0xE000, 0x20000, 7), 0x10FFFF)]
    rows = [[character, f"a{character}b", ""] for character in characters]
    assert canonical(rows) == rfc8785.dumps(rows)
    assert canonical([]) == rfc8785.dumps([])
    with pytest.raises(RecordError):
        canonical([["\ud800"]])


def test_dsse_pre_authentication_encoding() -> None:
    """https://github.com/secure-systems-lab/dsse/blob/master/protocol.md, the example of its test vectors."""
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert dsse.pae("http://example.com/HelloWorld", b"hello world") == expected
    assert Published(b"hello world", "http://example.com/HelloWorld", {}).pae() == expected


@pytest.mark.parametrize(
    ("kind", "payload", "expected"),
    [
        ("", b"", b"DSSEv1 0  0 "),
        ("\u00e9", b"\xff\x00", b"DSSEv1 2 \xc3\xa9 2 \xff\x00"),
        ("a 1 b", b"c", b"DSSEv1 5 a 1 b 1 c"),
    ],
)
def test_dsse_lengths_are_bytes_and_nothing_is_escaped(kind: str, payload: bytes, expected: bytes) -> None:
    assert dsse.pae(kind, payload) == expected == Published(payload, kind, {}).pae()


def test_the_published_envelope_is_no_envelope_of_ours_until_it_is_canonical() -> None:
    """The specification's own example: read as its parts, refused as bytes unless in the one form."""
    document = {
        "payload": "aGVsbG8gd29ybGQ=",
        "payloadType": "http://example.com/HelloWorld",
        "signatures": [
            {
                "keyid": "",
                "sig": "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA==",
            }
        ],
    }
    found = dsse.read(canonical(document) + b"\n")
    assert found.payload == b"hello world"
    assert found.pae == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert base64.b64encode(found.signature).decode() == document["signatures"][0]["sig"]
