"""The hand-off and the cards: what they say, what they never say, and that their own formats' validators take them."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.edges import card_formats
from runner.edges.report import render
from runner.errors import ExitCode, RecordError
from runner.records.cluster import HubBase
from runner.records.evidence import GENERATED, EvidenceFile
from runner.records.handoff import Handoff
from runner.records.scenario import SetName
from runner.records.score import Interval
from runner.records.triggers import RealData, RealDataTrigger
from runner.rules.canonical import digest, sha256
from runner.rules.cards import licenses
from runner.rules.cards.croissant import croissant
from runner.rules.cards.front_matter import front_matter
from runner.rules.cards.model_card import metadata
from runner.rules.handoff.document import SECTIONS, VERSION
from runner.rules.handoff.generated import generated, version_of
from runner.rules.handoff.references import Named
from runner.rules.handoff.whole import told_source, whole
from runner.rules.handoff.words import inline, visible
from runner.rules.text.shown import shown
from tests import evidence_fixture, handoff_fixture
from tests.governed_desk import GovernedDesk
from tests.handoff_fixture import PEOPLE, STATED, made

PAGE = Path(__file__).resolve().parent.parent / "docs" / "handoff.md"
HUB = HubBase(kind="hub", id="example/base-135M", revision="f" * 40)
RENDERED = {
    1: "c2d9d2585efab9a7dbc566a36f21bb7e2ccd739a675bce2742db17aebe90efac",
    2: "667473455c5f7afe9da8d771069643921c3d4ea6e44303296f5ff70d0925e39d",
}
"""The digest of what each version of the rules makes of the fixture. A changed word is a new version: the gate holds
what comes in against its own, and what was merged before against nothing but its digests."""


@pytest.fixture(scope="module")
def files() -> dict[EvidenceFile, bytes]:
    return made()


def document(files: dict[EvidenceFile, bytes]) -> str:
    """The whole hand-off, as `hallmark handoff` shows it."""
    handoff = files[EvidenceFile.HANDOFF]
    path = "clusters/support-desk/promotions/2/evidence/handoff.md"
    return whole(
        handoff.decode(),
        title=evidence_fixture.cluster().title,
        told=STATED,
        people=PEOPLE,
        source=told_source(sha256(handoff), path),
        since=[],
    )


# what is made


def test_a_changed_word_is_a_new_version(files: dict[EvidenceFile, bytes]) -> None:
    assert version_of(files[EvidenceFile.HANDOFF]) == VERSION == max(RENDERED)
    assert digest({name.value: sha256(data) for name, data in files.items()}) == RENDERED[VERSION], (
        "count VERSION on, and write the new digest beside the old"
    )


def test_the_same_evidence_makes_the_same_bytes(files: dict[EvidenceFile, bytes]) -> None:
    assert made() == files
    assert tuple(files) == GENERATED


def test_what_is_measured_stands_last_and_alone(files: dict[EvidenceFile, bytes]) -> None:
    other = evidence_fixture.operations().model_copy(update={"latency_p50_ms": 77.0, "machine": "another"})
    again = made({**evidence_fixture.evidence(), EvidenceFile.OPERATIONS: other.model_dump_json().encode()})
    before, after = (one[EvidenceFile.HANDOFF].decode().split("\n## Measured\n") for one in (files, again))
    assert before[0] == after[0]
    assert before[1] != after[1]
    assert SECTIONS[-1][0] == "Measured"
    for name in (EvidenceFile.MODEL_CARD, EvidenceFile.DATASET_CARD, EvidenceFile.CROISSANT):
        assert files[name] == again[name]


def test_the_page_shows_the_whole_document_as_it_is_made(files: dict[EvidenceFile, bytes]) -> None:
    (shown,) = re.findall(r"^~~~~markdown\n(.*?)^~~~~$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert shown == document(files)


def test_the_page_s_tables_are_the_real_ones() -> None:
    first = re.findall(r"^\| `([a-z][\w.-]*:?)` \|", PAGE.read_text().split("## An example")[0], re.MULTILINE)
    assert first == [*GENERATED, *Handoff.model_fields, *(f"{kind}:" for kind in Named)]


def test_people_s_words_are_words(files: dict[EvidenceFile, bytes]) -> None:
    """Nobody's title breaks a table, becomes HTML or hides a letter."""
    title = "A <script>|</script> title\nof \u202e two lines"
    found = made(title=title)
    text = found[EvidenceFile.HANDOFF].decode()
    assert "A &lt;script>\\|&lt;/script> title of \\u202e two lines." in text
    for name, data in found.items():
        assert card_formats.problems(name, data) == (), name


@pytest.mark.parametrize(
    ("said", "reads"),
    [
        ("# Head", "\\# Head"),
        ("> quoted", "\\> quoted"),
        ("- item", "\\- item"),
        ("12. item", "12\\. item"),
        ("```", "\\```"),
        ("~~~ python", "\\~~~ python"),
        ("* * *", "\\* * *"),
        ("[a]: https://example.com", "\\[a]: https://example.com"),
        ("See ![it](https://example.com/seen.png)", "See ![it]\\(https://example.com/seen.png)"),
        ("Refunds \\| returns", "Refunds \\\\\\| returns"),
        ("#1 of 12.5, *all* of `it` [here]", "#1 of 12.5, *all* of `it` [here]"),
    ],
)
def test_people_s_words_make_no_block_link_or_image(said: str, reads: str) -> None:
    """They begin paragraphs: a fence there would hide every section behind it, and an image would tell who reads."""
    assert inline(said) == reads
    found = made(title=said)
    for name in (EvidenceFile.HANDOFF, EvidenceFile.MODEL_CARD, EvidenceFile.DATASET_CARD):
        assert f"\n\n{reads}" in found[name].decode()


def test_each_python_makes_the_same_bytes() -> None:
    """What is written out as a code is a list: Python's own grows with Unicode; U+1FAE8 is of 2022."""
    assert "Faces \U0001fae8." in made(title="Faces \U0001fae8")[EvidenceFile.HANDOFF].decode()
    characters = (chr(code) for code in range(0x110000) if code != ord("\n"))
    differ = {one for one in characters if visible(one) != shown(one)}
    assert {unicodedata.category(one) for one in differ} <= {"Cn"}, "unassigned ones alone"


def test_a_trigger_s_count_is_told_to_the_last_digit() -> None:
    trigger = RealDataTrigger(kind="real-data", of=RealData.GOLD, rows=1_234_567)
    assert "`real-data gold`: rows 1234567\n" in made(triggers=(trigger,))[EvidenceFile.HANDOFF].decode()


def test_a_reader_s_changes_stay_its_own(files: dict[EvidenceFile, bytes]) -> None:
    found = metadata(handoff_fixture.facts(artifacts=handoff_fixture.ARTIFACTS))
    found["model-index"][0]["results"][0]["task"].clear()
    assert made() == files


def test_evidence_that_lacks_files_makes_a_hand_off_that_says_so() -> None:
    card = {EvidenceFile.SCORECARD: evidence_fixture.evidence()[EvidenceFile.SCORECARD]}
    found = made({name.value: data for name, data in card.items()})
    text = found[EvidenceFile.HANDOFF].decode()
    for said in ("no lineage", "no validation", "no sweep", "no rollback contract", "no operational figures"):
        assert said in text
    for name, data in found.items():
        assert card_formats.problems(name, data) == (), name


def test_what_nothing_recorded_is_guessed_on_no_card() -> None:
    """Without a mixture there is no address of its bytes, and without a training run no size: neither stands in."""
    card = {EvidenceFile.SCORECARD.value: evidence_fixture.evidence()[EvidenceFile.SCORECARD]}
    found = generated(handoff_fixture.record(), card, handoff_fixture.background()._replace(artifacts={}))
    told = json.loads(found[EvidenceFile.CROISSANT])
    assert "url" not in told
    assert told["citeAs"] == "support-desk-2-training, sha256 not recorded"
    assert b"size_categories" not in found[EvidenceFile.DATASET_CARD]
    for name, data in found.items():
        assert card_formats.problems(name, data) == (), name


@pytest.mark.parametrize("name", [EvidenceFile.SCORECARD, EvidenceFile.SWEEP, EvidenceFile.PROVENANCE])
def test_evidence_that_cannot_be_read_is_named(name: EvidenceFile) -> None:
    with pytest.raises(RecordError) as caught:
        made({**evidence_fixture.evidence(), name: b"{"})
    assert caught.value.path == name


@pytest.mark.parametrize("data", [b"5", b"null", b'{"batches": 5}', b'{"batches": {}}', b"[" * 100_000, b"\xff", b""])
def test_provenance_of_another_shape_is_named(data: bytes) -> None:
    """And no traceback: what a machine wrote is judged, whatever it is."""
    with pytest.raises(RecordError) as caught:
        made({**evidence_fixture.evidence(), EvidenceFile.PROVENANCE: data})
    assert caught.value.path == EvidenceFile.PROVENANCE


# what stands in no card


def test_cards_hold_no_prompt_no_scenario_and_no_person(files: dict[EvidenceFile, bytes]) -> None:
    """The instruction is a prompt, scenario ids belong to frozen sets, and host names to nobody outside."""
    found = made(instruction="Answer with one SECRETWORD.")
    scenarios = [name for one in evidence_fixture.diagnosis().failures for name in one.scenarios]
    regressed = evidence_fixture.scorecard().regressions.scenarios
    for name, data in found.items():
        text = data.decode()
        assert "SECRETWORD" not in text
        assert not [one for one in (*scenarios, *regressed) if one in text], name
    for name in (EvidenceFile.MODEL_CARD, EvidenceFile.DATASET_CARD, EvidenceFile.CROISSANT, EvidenceFile.BOM):
        assert evidence_fixture.operations().machine not in files[name].decode()


# their formats


@pytest.mark.parametrize(
    "stated",
    [
        STATED,
        Handoff(),
        Handoff(license="LicenseRef-desk", data_license="GPL-3.0-only"),
        Handoff(license="LicenseRef-desk---", data_license="LicenseRef-desk---"),
    ],
)
@pytest.mark.parametrize("base", [None, HUB])
def test_every_card_is_valid_by_its_own_validator(stated: Handoff, base: HubBase | None) -> None:
    cluster: dict[str, Any] = {"base": base} if base else {}
    for name, data in made(stated=stated, **cluster).items():
        assert card_formats.problems(name, data) == (), name


BROKEN = [
    (EvidenceFile.MODEL_CARD, b"        metrics:", b"        metric:"),
    (EvidenceFile.MODEL_CARD, b"          - type: composite\n", b"          - kind: composite\n"),
    (EvidenceFile.MODEL_CARD, b"model-index:", b"model_index:"),
    (EvidenceFile.DATASET_CARD, b"language:\n  - en", b"language: [en"),
    (EvidenceFile.CROISSANT, b'"dataType": "sc:Integer"', b'"dataKind": "sc:Integer"'),
    (EvidenceFile.CROISSANT, b'"fileObject": {', b'"fileObjects": {'),
    (
        EvidenceFile.CROISSANT,
        b"{",
        b"",
    ),
    (EvidenceFile.CROISSANT, b'"@id": "mixture"', b'"@id": 5'),
    (EvidenceFile.CROISSANT, b"Dataset", b"\xff"),
    (EvidenceFile.MODEL_CARD, b"peft", b"\xff"),
    (EvidenceFile.BOM, b"{", b""),
    (EvidenceFile.BOM, b'"supervised"', b'"supervized"'),
    (EvidenceFile.BOM, b'"alg": "SHA-256"', b'"alg": "SHA-257"'),
    (EvidenceFile.BOM, b'"confidence', b'"confidense'),
    (EvidenceFile.BOM, b'"licenses"', b'"licences"'),
]


@pytest.mark.parametrize(("name", "old", "new"), BROKEN, ids=lambda value: str(value)[:24])
def test_a_broken_card_is_found(files: dict[EvidenceFile, bytes], name: EvidenceFile, old: bytes, new: bytes) -> None:
    card = evidence_fixture.scorecard()
    heldout = (
        card.models["candidate"].sets[SetName.HELDOUT].model_copy(update={"interval": Interval(low=0.8, high=0.9)})
    )
    card.models["candidate"].sets[SetName.HELDOUT] = heldout
    data = made({**evidence_fixture.evidence(), EvidenceFile.SCORECARD: card.model_dump_json().encode()})[name]
    assert old in data
    assert card_formats.problems(name, data.replace(old, new, 1)) != ()


def test_intervals_stand_in_the_model_index_and_in_the_bill() -> None:
    card = evidence_fixture.scorecard()
    ends = Interval(low=0.8, high=0.9)
    heldout = card.models["candidate"].sets[SetName.HELDOUT].model_copy(update={"interval": ends})
    card.models["candidate"].sets[SetName.HELDOUT] = heldout
    found = made({**evidence_fixture.evidence(), EvidenceFile.SCORECARD: card.model_dump_json().encode()})
    told = yaml.safe_load(found[EvidenceFile.MODEL_CARD].split(b"---\n")[1])
    (result,) = [one for one in told["model-index"][0]["results"] if one["dataset"]["split"] == "heldout"]
    (metric,) = [one for one in result["metrics"] if one["type"] == "composite"]
    assert metric["args"] == {"interval": [0.8, 0.9], "level": 0.95}
    assert metric["value"] == pytest.approx(heldout.composite, abs=1e-6)
    bill = json.loads(found[EvidenceFile.BOM])["metadata"]["component"]["modelCard"]
    (metric,) = [one for one in bill["quantitativeAnalysis"]["performanceMetrics"] if one["slice"] == "heldout"]
    assert metric["confidenceInterval"] == {"lowerBound": "0.8", "upperBound": "0.9"}
    assert [one for name, data in found.items() for one in card_formats.problems(name, data)] == []


def test_the_bill_s_references_lead_somewhere(files: dict[EvidenceFile, bytes]) -> None:
    bill = json.loads(files[EvidenceFile.BOM])
    refs = {one["bom-ref"] for one in (bill["metadata"]["component"], *bill["components"])}
    named = {one["ref"] for one in bill["dependencies"]}
    named |= {ref for one in bill["dependencies"] for ref in one.get("dependsOn", [])}
    named |= {one["ref"] for one in bill["metadata"]["component"]["modelCard"]["modelParameters"]["datasets"]}
    assert named == refs
    evidence = {one["url"].rpartition("/")[2]: one["hashes"][0]["content"]
                for one in bill["metadata"]["component"]["externalReferences"]}  # fmt: skip
    assert evidence == {name: sha256(data) for name, data in evidence_fixture.evidence().items()}


def test_croissant_reads_the_rows_it_describes(tmp_path: Path) -> None:
    """And refuses others: it holds a file against the digest that the ledger has of it."""
    import mlcroissant

    rows = [
        {"example": {"id": f"e-{n}", "capability": "refund", "input": [{"role": "user", "content": f"Text {n}."}],
                     "answer": "refund", "origin": "human"}, "use": "new", "repeat": n}
        for n in (1, 2)
    ]  # fmt: skip
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    (tmp_path / "mixture.jsonl").write_bytes(data)
    told = croissant(handoff_fixture.facts(artifacts={"mixture": sha256(data)}))
    mapping = {"mixture": str(tmp_path / "mixture.jsonl")}
    read = list(mlcroissant.Dataset(jsonld=told, mapping=mapping).records("rows"))
    assert [one["rows/input"] for one in read] == [b"Text 1.", b"Text 2."]
    assert [(one["rows/origin"], one["rows/repeat"]) for one in read] == [(b"human", 1), (b"human", 2)]
    (tmp_path / "mixture.jsonl").write_bytes(data + b"{}\n")
    with pytest.raises(mlcroissant.GenerationError):
        list(mlcroissant.Dataset(jsonld=told, mapping=mapping).records("rows"))


def test_a_licence_is_told_by_its_identifier_where_each_format_has_it() -> None:
    spdx = json.loads(
        (Path(pytest.importorskip("cyclonedx").__file__).parent / "schema/_res/spdx.SNAPSHOT.schema.json").read_bytes()
    )["enum"]
    assert licenses.HUB | licenses.COPYLEFT.keys() <= set(spdx)
    assert licenses.on_hub("AGPL-3.0-or-later") == {"license": "agpl-3.0"}
    assert licenses.on_hub("LicenseRef-Desk") == {"license": "other", "license_name": "desk"}
    assert licenses.on_hub("") == {}
    assert licenses.in_bom("LicenseRef-Desk") == [{"license": {"name": "LicenseRef-Desk"}}]


@pytest.mark.parametrize("listed", sorted(licenses.HUB | licenses.COPYLEFT.keys()))
def test_a_licence_s_identifier_is_the_same_in_any_case(listed: str) -> None:
    for stated in (listed, listed.lower(), listed.upper()):
        assert licenses.in_bom(stated) == [{"license": {"id": listed}}]
        assert licenses.url(stated) == f"https://spdx.org/licenses/{listed}.html"
        assert licenses.on_hub(stated) == licenses.on_hub(listed)
        assert licenses.on_hub(stated)["license"] != "other"
    assert licenses.on_hub("licenseref-Desk") == licenses.on_hub("LicenseRef-Desk")


@pytest.mark.parametrize(
    "value",
    [
        {"a": "yes", "b": "1e3", "c": "0x1f", "d": "12:30", "e": "", "f": "-", "g": "a: b", "h": "#x", "i": "null"},
        {"a": ["on", {"b": [1, 2.5, 1e-7, True, None], "c": {"d": "é \u2028 \" '"}}, []], "no": {}},
        {"model-index": [{"name": "x", "results": [{"a": [0.1, 0.25]}, {"b": "two\nlines"}]}]},
    ],
)
def test_front_matter_says_what_it_was_given(value: dict[str, Any]) -> None:
    text = front_matter(value)
    rounded = json.loads(json.dumps(value), parse_float=lambda number: round(float(number), 6))
    assert yaml.safe_load(text.split("---\n")[1]) == rounded


# where they stand


def test_the_report_links_them(files: dict[EvidenceFile, bytes]) -> None:
    evidence = {**evidence_fixture.evidence(), **{name.value: data for name, data in files.items()}}
    page = render(evidence, cluster=evidence_fixture.cluster()).decode()
    for name, data in files.items():
        assert f'<a href="{name}">' in page
        assert sha256(data) in page
    assert "To hand on" not in render(evidence_fixture.evidence(), cluster=evidence_fixture.cluster()).decode()


def texts_of(desk: GovernedDesk) -> set[str]:
    """What people and machines wrote in the desk's scenarios and in its data."""
    scenarios = (yaml.safe_load(path.read_bytes()) for path in (desk.desk / "scenarios").rglob("*.yaml"))
    data = (desk.desk / "clusters" / "support-desk" / "data").glob("*.jsonl")
    rows = (json.loads(line) for path in data for line in path.read_text().splitlines())
    return {message["content"] for row in (*scenarios, *rows) for message in row["input"]}


def test_a_promotion_carries_them_and_the_command_shows_them(finished: GovernedDesk, tmp_path: Path) -> None:
    desk = finished.copy(tmp_path / "home")
    desk.propose()
    desk.approve("ash", "hazel")
    desk.merge()
    evidence = desk.desk / "clusters" / "support-desk" / "promotions" / "1" / "evidence"
    generated = (evidence / EvidenceFile.HANDOFF).read_text()
    told = json.loads(desk.run("hallmark", "handoff", "support-desk", "--json"))
    assert (told["cluster"], told["sequence"], told["signed"]) == ("support-desk", 1, True)
    assert told["files"] == {name.value: sha256((evidence / name).read_bytes()) for name in GENERATED}
    for name, _ in SECTIONS:
        assert f"\n### {name}\n" in told["document"]
        assert f"\n## {name}\n" in generated
    assert sha256(generated.encode()) in told["document"]
    shown = desk.run("hallmark", "handoff", "support-desk/1")
    assert shown == told["document"]
    assert desk.run("hallmark", "handoff", "support-desk", "--output", str(tmp_path / "h.md")).startswith(str(tmp_path))
    assert (tmp_path / "h.md").read_text() == shown
    valid = desk.run("hallmark", "handoff", "support-desk", "--validate")
    assert valid.splitlines() == [f"support-desk/1 {name} (evidence): valid" for name in GENERATED]
    for name, said in (("support-desk/7", "has no promotion 7"), ("nobody", "there is no cluster nobody")):
        assert said in desk.run("hallmark", "handoff", name, code=ExitCode.REFUSED)
    texts = texts_of(desk)
    assert len(texts) > 400
    leaked = [(name, text) for name in GENERATED for text in texts if text in (evidence / name).read_text()]
    assert leaked == []
    (evidence / EvidenceFile.MODEL_CARD).write_text("Forged.")
    assert desk.run("hallmark", "handoff", "support-desk") == shown, "main says it, not the work tree"


def test_people_s_headings_come_to_stand_below_the_document_s() -> None:
    people = "\n# Ours\n\n#1 is no heading\n## Who\n<!-- a note -->\n```\n# a comment\n```\n# More\n"
    text = whole("<!-- mark -->\n\n# Title\n\n## One\n", title="T", told=STATED, people=people, source="S", since=[])
    said = text.split("## What people say\n\n")[1]
    assert said.startswith("#1 is no heading\n### Who\n<!-- a note -->\n```\n# a comment\n```\n## More\n\n## What the")
    assert "S\n\n### One\n\n## Since then" in said


@pytest.mark.parametrize(
    ("people", "end"),
    [
        ("Look:\n```\n# an example", "# an example\n```"),
        ("Look:\n~~~~ sh\n```\n# an example\n~~~", "~~~\n~~~~"),
        ("Look:\n<!-- to be written\n# All is well", "## All is well\n-->"),
        ("~~~\n# as it is\n~~~\n# One\n<!-- a --> b", "~~~\n# as it is\n~~~\n## One\n<!-- a --> b"),
    ],
)
def test_what_people_leave_open_hides_nothing_behind_it(people: str, end: str) -> None:
    text = whole("<!-- mark -->\n\n## One\n", title="T", told=STATED, people=people, source="S", since=[])
    assert f"{end}\n\n## What the evidence says\n\nS\n\n### One\n" in text
