"""The door's rules: what goes, what stays, and that no text takes long."""

from __future__ import annotations

import time

import pytest

from runner.rules.text.numbers import luhn
from runner.rules.text.redaction import redact

EMAILS = ["anna.b+x@example.co.uk", "anna(at)example.com", "jo@x.io", "anna@bücher.de", "A_1%b@mail.example.museum"]
PHONES = [
    "+44 20 7946 0958",
    "+49 (0)30 123456",
    "+15551234567",
    "0044 20 7946 0958",
    "(555) 123-4567",
    "555-123-4567",
    "555.123.4567",
    "1-800-555-0199",
    "020 7946 0958",
    "07700 900123",
    "0171/1234567",
    "01 23 45 67 89",
]
CARDS = [
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "4111111111111111",
    "378282246310005",
    "3782 822463 10005",
    "5555555555554444",
    "6011 1111 1111 1117",
    "4222222222222",
]
IBANS = ["DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819", "FR1420041010050500013M02606", "NO9386011117947"]
IDS = [
    "078-05-1120",
    "529.982.247-25",
    "12345678Z",
    "X1234567L",
    "1 84 12 76 451 089 46",
    "RSSMRA85T10A562S",
    "131052-308T",
]
IPS = ["192.168.100.200", "8.8.8.8", "2001:db8::ff00:42:8329", "fe80::1ff:fe23:4567:890a", "::ffff:10.0.0.1"]
URLS = [
    "https://anna:hunter2@example.com/x",
    "postgres://app:s3cret@db.example.com:5432/main",
    "https://example.com/file?expires=1&signature=abc123",
]
KEYS = [
    "AKIAIOSFODNN7EXAMPLE",
    "sk-proj-abcDEF1234567890abcDEF12",
    "ghp_" + "a1B2" * 9,
    "xoxb-123456789012-abcdefABCDEF",
    "AIza" + "x7" * 17 + "y",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow+/=\n-----END RSA PRIVATE KEY-----",
]
KEPT = [
    "order 4812345678",
    "order number 0712345678",
    "ORD-2024-000123",
    "RMA-555-123-4567",
    "ref: 555-123-4567",
    "order #20240012345678",
    "order 4111111111111112",
    "tracking 1Z999AA10123456784",
    "parcel 00340434161094042557",
    "EAN 4006381333931",
    "ISBN 978-3-16-148410-0",
    "$1,299.99 or 1 234 567 890 EUR",
    "€ 0123456789",
    "2024-03-05 10:30, 05.06.2024, 14/02/2024 12:30",
    "2024-01-05 12 30 00",
    "10x20x30 cm, 120 x 200 cm, size 38-40",
    "version 192.168.100.200, v1.2.3.4 and 1.2.3.4.5",
    "std::add and abc::def, 12:30:00, a:b:c",
    "DE89370400440532013001",
    "order 123-45-6789",
    "000-12-3456 and 12345678A",
    "https://shop.example.com/item?id=4711&ref=mail",
    "the token ring, sk-learn, a bearer of news",
    "v2.10.3333 and 3.14159265358979",
    "user@localhost @handle",
    "room 101 202 303",
]


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (EMAILS, "email"),
        (PHONES, "phone"),
        (CARDS, "card"),
        (IBANS, "iban"),
        (IDS, "national_id"),
        (IPS, "ip"),
        (URLS, "url"),
        (KEYS, "key"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_personal_goes(texts, kind):
    for text in texts:
        for before, after in (("", ""), ("Please use ", " today."), ("it is (", ")"), ("2 ", "\nThanks")):
            said = redact(before + text + after)
            assert said.text == f"{before}[{kind.upper()}]{after}", text
            assert said.counts == {kind: 1}


@pytest.mark.parametrize("text", KEPT)
def test_what_is_business_stays(text):
    assert redact(text) == (text, {})


def test_words_before_a_number_decide():
    assert redact("call me on 555-0199").text == "call me on [PHONE]"
    assert redact("my mobile: 5551234567").text == "my mobile: [PHONE]"
    assert redact("order 12345, call 020 7946 0958").text == "order 12345, call [PHONE]"
    assert redact("item 5551234567").counts == {}


def test_kinds_are_counted_and_redacting_twice_changes_nothing():
    text = "a@b.com, c@d.org, 4111 1111 1111 1111 and +44 20 7946 0958"
    once = redact(text)
    assert once.counts == {"card": 1, "email": 2, "phone": 1}
    assert redact(once.text) == (once.text, {})


def test_real_queries_without_personal_data_stay_as_they_are(data):
    text = (data / "banking77" / "train.csv").read_text()
    assert redact(text).counts == {}


@pytest.mark.parametrize(
    "text",
    [
        *("a" * 200_000, "1 " * 50_000, "a.a@" * 50_000, "(" * 200_000, "x@" + "a." * 90_000, "de12 " * 20_000),
        *("http://" * 28_000, "eyJ-" * 50_000, "-----BEGIN PRIVATE KEY-----" * 7_000, "ab:" * 60_000, "1.1." * 50_000),
        *("sk-" * 60_000, "a://b?" * 30_000, "DE89" * 50_000, "a@b://" * 30_000),
    ],
    ids=range(15),
)
def test_no_text_takes_long(text):
    started = time.process_time()
    redact(text)
    assert time.process_time() - started < 5


def test_two_accounts_in_a_row_are_two():
    assert redact("DE89 3704 0044 0532 0130 00 GB29 NWBK 6016 1331 9268 19, NL").text == "[IBAN] [IBAN], NL"


def test_names_are_what_a_recogniser_says_they_are():
    text = "Ada Byron wrote to ada@example.com, said Ada."

    def names(said):
        start = said.index("Ada Byron")
        yield from ((said.rindex("Ada"), said.rindex("Ada") + 3), (start, start + 9), (start, start + 3))
        yield said.index("EMAIL"), said.index("EMAIL") + 5

    assert redact(text, names=names) == ("[NAME] wrote to [EMAIL], said [NAME].", {"email": 1, "name": 2})


def test_the_check_digit_is_luhns():
    assert luhn("79927398713")
    assert not any(luhn(f"7992739871{digit}") for digit in "012456789")
