"""The scanner of what leaves a boundary: what it finds of 200 planted secrets in many disguises, and what not."""

from __future__ import annotations

import base64
import gzip
import json
import math
from codecs import BOM_UTF16_BE
from collections.abc import Mapping

import pytest

from runner.rules.export.corpus import PROSE, STRUCTURED, Corpus, Profile
from runner.rules.export.redacted import PROMOTION, SUMS, checksums, shortened, written
from runner.rules.export.scan import Finding, contents, scan_document, scan_export, vocabulary
from runner.rules.export.views import DECODERS, folded, forms, legible, squeezed
from tests.planted import KINDS, SPLITS, WAYS, carrier, planted

SECRETS = planted()
DISGUISES = {**WAYS, **SPLITS}


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus(carrier(secret, number) for number, (_, secret) in enumerate(SECRETS))


def found(value: object, corpus: Corpus, profile: Profile = STRUCTURED) -> list[Finding]:
    """What the second line of defence says alone: the list of words that an export may have is left out."""
    return contents("f", value, corpus, profile=profile)


def test_the_plants_are_two_hundred_of_twenty_kinds() -> None:
    assert len({secret for _, secret in SECRETS}) == 200
    assert {kind for kind, _ in SECRETS} == set(KINDS)


def missed(corpus: Corpus, *, every: int, profile: Profile = STRUCTURED) -> list[tuple[str, str]]:
    """(kind, disguise) of each secret that is passed over, one disguise in `every` tried with each."""
    return [
        (kind, way)
        for number, (kind, secret) in enumerate(SECRETS)
        for at, (way, hide) in enumerate(DISGUISES.items())
        if (number + at) % every == 0 and not found({"note": hide(secret)}, corpus, profile)
    ]


def test_every_secret_is_found_in_some_disguises(corpus: Corpus) -> None:
    assert missed(corpus, every=10) == []


@pytest.mark.acceptance
def test_every_secret_is_found_in_every_disguise(corpus: Corpus, capsys: pytest.CaptureFixture[str]) -> None:
    total = len(SECRETS) * len(DISGUISES)
    passed = missed(corpus, every=1)
    with capsys.disabled():
        print(f"\n{total - len(passed)} of {total} found")
    assert passed == []


def test_patterns_alone_find_what_has_a_form_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to compare with: names, sentences and short ids cannot be known for what they are."""
    nothing = Corpus(())
    by_kind = {kind: [secret for name, secret in SECRETS if name == kind] for kind in KINDS}
    recall = {
        kind: sum(bool(found({"note": one}, nothing)) for one in secrets) / len(secrets)
        for kind, secrets in by_kind.items()
    }
    print({kind: share for kind, share in recall.items() if share < 1})
    assert {kind for kind, share in recall.items() if share < 1} <= {"person", "password", "sentence", "case"}


@pytest.mark.parametrize(
    "text",
    [
        "Why did the {} ferry and orchard never come back to me at the lantern harbour yesterday",
        "why did the ferry or orchard never come back to us at that lantern harbour yesterday",
        "ferry and orchard never come back to me at the",
        "At the lantern harbour yesterday: why did the ferry and orchard never come back",
    ],
)
def test_a_text_is_found_nearly_and_in_part(text: str) -> None:
    corpus = Corpus(["Why did the ferry and orchard never come back to me at the lantern harbour yesterday?"])
    assert found({"note": text}, corpus)


def test_a_reported_thing_is_never_repeated(corpus: Corpus) -> None:
    for _, secret in SECRETS:
        for value in ({"note": secret}, {secret: {"x": secret}}):
            for one in scan_export({PROMOTION: json.dumps(value).encode(), secret[:20]: b"{}"}, corpus, known=()):
                assert squeezed(secret) not in squeezed(" ".join(one))
                assert secret[:20] not in " ".join(one)


def test_what_is_no_word_of_an_export_is_refused_though_nobody_knows_it() -> None:
    data = written_with({"cluster": "desk"})
    refused = {(one.field, one.kind) for one in scan_export(data, Corpus(()), known=())}
    assert ("cluster", "is no word or figure of an export") in refused
    known = {(one.field, one.kind) for one in scan_export(data, Corpus(()), known=("desk",))}
    assert ("cluster", "is no word or figure of an export") not in known
    for figure in (4111111111111111, 0.41111111111111, 10**12):
        fields = {one.field for one in scan_export(written_with({"sequence": figure}), Corpus(()), known=())}
        assert "sequence" in fields
    assert "sequence" not in {one.field for one in scan_export(written_with({"sequence": 12}), Corpus(()), known=())}


def written_with(value: Mapping[str, object]) -> dict[str, bytes]:
    data = {PROMOTION: json.dumps(value).encode()}
    return {**data, SUMS: checksums(data)}


def test_a_file_that_is_no_record_of_an_export_is_refused() -> None:
    kinds = {one.kind for one in scan_export({"notes.txt": b"hello", SUMS: b""}, Corpus(()), known=())}
    assert {"is no file of an export", "does not name these files with these checksums"} <= kinds
    deep = b"[" * 100_000 + b"]" * 100_000
    assert scan_export({PROMOTION: deep}, Corpus(()), known=())


@pytest.mark.parametrize(
    "text",
    [
        "The adapter has a composite of 0.754 on core, 69 gained and 21 lost, p = 3.9e-07, on 520 scenarios.",
        "Made on 2026-11-21T20:09:26Z with torch 2.13.0 and transformers 5.23.0, Python 3.11.7.",
        "hallmark verify --root 95bde76842756376592ad1712946b6ad17721c21213a294f5a72a34f34ffae51",
        "See https://huggingface.co/docs/hub/model-cards and docs/how-to.md#in-three-commands.",
        "| capability | before | after |\n|---|---|---|\n| refund-status | .63 | .72 |",
    ],
)
def test_plain_documents_are_let_be(text: str) -> None:
    corpus = Corpus(["Where is my refund?", "The zip of the coat that I bought in May is stuck."], names=False)
    known = ("95bde76842756376592ad1712946b6ad17721c21213a294f5a72a34f34ffae51",)
    assert scan_document("card.md", text.encode(), corpus, known=known) == []


def test_a_document_that_quotes_a_text_is_told_by_its_line() -> None:
    corpus = Corpus(["The zip of the coat that I bought in May is stuck and nobody answers."], names=False)
    text = (
        "# Card\n\nIt fails on messages such as: the zip of the coat that I bought in May is stuck and nobody answers\n"
    )
    assert scan_document("card.md", text.encode(), corpus) == [
        Finding("card.md", "line 3", "has a whole text that must not leave")
    ]


NOTE = "The zip of the coat that I bought in May is stuck and nobody answers."


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("twice.json", json.dumps({"a": NOTE, "b": 1}).replace('"b"', '"a"').encode()),
        ("page.html", " ".join(f'<span class="word">{word}</span>' for word in NOTE.split()).encode()),
        ("deep.json", b'{"a": ' + b"[" * 200 + json.dumps(NOTE).encode() + b"]" * 200 + b"}"),
        ("wide.md", NOTE.encode("utf-16")),
        ("big.md", BOM_UTF16_BE + NOTE.encode("utf-16-be")),
        ("old.md", NOTE.encode("latin-1")),
        ("lines.md", "\r\n".join(NOTE.split()).encode()),
    ],
)
def test_a_text_is_found_in_every_kind_of_document(name: str, data: bytes) -> None:
    kinds = {one.kind for one in scan_document(name, data, Corpus([NOTE], names=False))}
    assert kinds == {"has a whole text that must not leave"}


def test_a_number_is_looked_at_to_its_last_digit() -> None:
    assert scan_document("a.json", b'{"a": 0.30000000000004716239408}', Corpus(["call 4716239408"], names=False))


@pytest.mark.parametrize("data", [gzip.compress(NOTE.encode()), b"%PDF-1.7\n" + bytes(range(128, 256)), b"a\0b"])
def test_what_is_no_text_is_not_passed_over(data: bytes) -> None:
    (said,) = scan_document("card.pdf", data, Corpus([NOTE], names=False))
    assert said == Finding("card.pdf", "", "is no text, so nobody knows what it holds")


def test_decoys_hide_nothing() -> None:
    words = [f"this is decoy text number {number} of many" for number in range(300)]
    decoys = " ".join(base64.b64encode(one.encode()).decode() for one in [*words, NOTE])
    kinds = {one.kind for one in scan_document("card.md", decoys.encode(), Corpus([NOTE], names=False))}
    assert "is written in more disguises than are looked through" in kinds


def test_the_plain_form_undoes_writing_and_no_more() -> None:
    assert squeezed("Wh\u0435re \u0456s m\u200by p\u00e4rcel?") == "whereismyparcel"
    assert legible("\uff21\uff22 c") == "AB c"
    assert folded("p4ssw0rd") == "password"
    assert forms("plain words") == ["plain words"]
    assert len(DECODERS) == 8
    assert "core" in vocabulary()


@pytest.mark.parametrize("deep", [1, 2, 3])
def test_codes_inside_one_another_are_undone(deep: int) -> None:
    said = coded = "the parcel of a customer"
    for encode in (quote_all, base64.b64encode, bytes.hex)[:deep]:
        made = encode(coded.encode())
        coded = made if isinstance(made, str) else made.decode()
    assert said not in coded
    assert said in forms(coded)


def quote_all(data: bytes) -> str:
    """Percent signs for every character."""
    return "".join(f"%{byte:02x}" for byte in data)


def test_a_text_that_is_made_to_have_many_forms_ends() -> None:
    nested = "aGVsbG8gd29ybGQ=" * 3000
    assert len(forms(nested)) <= 200
    assert len(forms("%25" * 5000 + "&amp;" * 5000)) <= 200


def test_figures_are_short() -> None:
    assert shortened({"a": [0.123456789, 3, float("nan")]}) == {"a": [0.123457, 3, None]}
    assert PROSE.run > STRUCTURED.run
    assert callable(written)


def test_a_figure_is_rounded_and_one_that_is_no_number_is_left_out() -> None:
    said = {"a": [0.123456789, math.inf, -math.inf, math.nan], "b": 12345678.9, "c": 7, "d": "0.123456789"}
    assert shortened(said) == {"a": [0.123457, None, None, None], "b": 12345700.0, "c": 7, "d": "0.123456789"}
