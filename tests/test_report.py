from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from runner.edges.report import render
from runner.edges.report_figures import ticks
from runner.edges.report_view import p_text
from runner.errors import RecordError
from runner.records.base import Record
from runner.records.cluster import Cluster, GateLimits, Thresholds
from runner.records.evidence import EvidenceFile
from runner.records.score import Scorecard
from runner.records.triage import Agreement, BatchError, Choice, Disagreement, ReviewCount, TriageResult
from runner.records.validation import Judgement
from runner.records.verdict import Outcome, Reason, Verdict
from runner.rules.canonical import sha256
from runner.rules.evaluation.limits import limits
from tests.evidence_fixture import A, cluster, comparison, evidence, scorecard, sweep, validation

VOID = {"meta", "br", "line", "circle", "rect"}


class Page(HTMLParser):
    """Tags with their attributes, visible text, and whether every tag closes in order."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(data.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


def page(files: dict[str, bytes] | None = None, record: Cluster | None = None) -> Page:
    return Page(render(files or evidence(), cluster=record or cluster(), sequence=1))


def replaced(name: EvidenceFile, record: Record) -> dict[str, bytes]:
    return evidence() | {name: record.model_dump_json().encode()}


def test_same_evidence_same_bytes() -> None:
    assert render(evidence(), cluster=cluster()) == render(evidence(), cluster=cluster())


def test_it_loads_nothing_and_runs_nothing() -> None:
    data = render(evidence(), cluster=cluster(), sequence=1)
    found = Page(data)
    assert not {"script", "link", "iframe", "img", "object", "embed", "base", "form"} & {tag for tag, _ in found.tags}
    for _, attributes in found.tags:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "xlink:href", "srcset", "action", "data"):
            assert (attributes.get(name) or "#").startswith("#")
    assert b"http:" not in data
    assert b"https:" not in data
    assert b"url(" not in data
    assert b"@import" not in data
    assert b"default-src 'none'" in data


def test_tags_close_and_links_lead_somewhere() -> None:
    found = page()
    assert found.open == []
    ids = {attributes["id"] for _, attributes in found.tags if "id" in attributes}
    targets = {attributes["href"] for tag, attributes in found.tags if tag == "a"}
    assert targets
    assert {f"#{name}" for name in ids} >= targets


def test_every_figure_of_the_scorecard_is_there() -> None:
    text = page().text
    card = scorecard()
    for name in ("base", "control", "candidate"):
        for score in card.models[name].sets.values():
            assert f"{score.composite:.3f}" in text
            assert f"{score.passed}/{score.scenarios}" in text
        for value in card.models[name].robustness.values():
            assert f"{value:.3f}" in text
    for one in card.comparisons:
        assert p_text(one.p_value) in text
        assert f"+{one.difference:.3f}" in text
        assert f"+{one.interval.low:.3f} to +{one.interval.high:.3f}" in text
    for capability in cluster().capabilities:
        assert capability.title in text
        assert capability.id in text
    for scenario in card.regressions.scenarios:
        assert scenario in text
    assert card.benchmark_sha256 in text
    assert A in text


def test_the_other_evidence_is_there() -> None:
    text = page().text
    for expected in (
        "Every limit holds, 8 of 8.",
        sweep().explanation,
        "71% of 75% wanted",
        "answers cancel-order where refund-status is right",
        "3 batches with 120 candidates were made for it. Held-out on the capability went from 0.280 to 0.870",
        "No approved rubric covers it",
        "38 % of the rows copy their parents, 20 % may",
        "51 (inconsistent label)",
        "57 signals",
        "9 batches",
        "Of 540 rows that were generated or read, 304 may train.",
        "9 names-no-rival",
        "names-no-rival, “It names another shop.”",
        "39 batch-refused, 1 near-frozen",
        "0.64 0.71",
        "86%",
        "1,210 MiB",
        "a thousand cost 0.00019 EUR",
        "Gift cards stay weak",
        "any confirmed misroute of a payment case",
        "hallmark why support-desk/1",
        sha256(evidence()[EvidenceFile.SWEEP]),
    ):
        assert expected in text


def test_hostile_text_stays_text() -> None:
    hostile = '<script>alert(1)</script><img src=x onerror="alert(2)">'
    quote = '"><svg onload=alert(3)>'
    record = cluster().model_copy(
        update={
            "title": hostile,
            "capabilities": tuple(c.model_copy(update={"title": quote}) for c in cluster().capabilities),
        }
    )
    files = replaced(EvidenceFile.SWEEP, sweep().model_copy(update={"explanation": hostile}))
    diagnosis = json.loads(files[EvidenceFile.DIAGNOSIS])
    diagnosis["failures"][0] |= {"pattern": hostile, "explanation": quote, "next_target": hostile}
    files[EvidenceFile.DIAGNOSIS] = json.dumps(diagnosis).encode()
    files["<b>.json"] = b"{}"
    found = page(files, record)
    assert not {"script", "img"} & {tag for tag, _ in found.tags}
    assert not any(name.startswith("on") for _, attributes in found.tags for name in attributes)
    assert hostile in found.text
    assert quote in found.text
    assert "<b>.json" in found.text


def test_a_failure_says_why_it_is_aimed_at_first_and_what_steered_nothing() -> None:
    files = dict(evidence())
    diagnosis = json.loads(files[EvidenceFile.DIAGNOSIS])
    diagnosis["failures"][0] |= {"priority": 223.2, "frequency": 31, "headroom": 0.8}
    diagnosis |= {"held": {"trigger": 12}, "over_quota": {"web:user-0a1b": 41}}
    files[EvidenceFile.DIAGNOSIS] = json.dumps(diagnosis).encode()
    text = page(files).text
    assert "Priority 223.2: high severity, 31 failures, 0.80 to gain." in text
    assert "Production signals that steered nothing: 12 trigger, 41 traces of web:user-0a1b over its quota." in text
    assert "steered nothing" not in page().text


def test_drawings_say_what_they_show() -> None:
    drawings = [attributes for tag, attributes in page().tags if tag == "svg"]
    assert len(drawings) == 4 + len(cluster().capabilities)
    assert all(drawing["role"] == "img" and drawing["aria-label"] for drawing in drawings)
    said = " ".join(str(drawing["aria-label"]) for drawing in drawings)
    assert "candidate against control: +0.087, 95% interval +0.037 to +0.142" in said
    assert "s75 0.900 at 71% synthetic" in said
    assert "540 generated, 540 parsed, 531 ruled, 513 novel, 360 consistent, 320 validated, 304 accepted" in said


def test_column_headers_have_scope() -> None:
    assert all(attributes.get("scope") in {"col", "row", "rowgroup"} for tag, attributes in page().tags if tag == "th")


def strict(**changes: object) -> Cluster:
    gate = GateLimits(thresholds=Thresholds(composite=0.85, heldout=0.84)).model_copy(update=changes)
    return cluster().model_copy(update={"gate": gate})


CASES: list[tuple[str, Cluster, Scorecard]] = [
    ("Composite on core", strict(thresholds=Thresholds(composite=0.93, heldout=0.5)), scorecard()),
    ("Composite on held-out", strict(thresholds=Thresholds(composite=0.5, heldout=0.93)), scorecard()),
    ("Held-out against the control arm", strict(max_p_value=1e-5), scorecard()),
    ("Regressions", strict(max_regressions=0.01), scorecard()),
    ("Largest drop under perturbation", strict(max_robustness_drop=0.05), scorecard()),
    ("Human share of the new rows", strict().model_copy(update={"human_floor": 0.8}), scorecard()),
    ("Latency, 95th percentile", strict(max_latency_p95_ms=5.0), scorecard()),
    (
        "Capabilities significantly worse",
        strict(),
        scorecard().model_copy(update={"worse_capabilities": ("invoice",)}),
    ),
    (
        "Held-out against the incumbent",
        strict(),
        scorecard().model_copy(
            update={"comparisons": (comparison("incumbent", 3, 38, 5e-9), comparison("control", 25, 4, 1e-4))}
        ),
    ),
]


@pytest.mark.parametrize(("name", "record", "card"), CASES, ids=[case[0] for case in CASES])
def test_a_limit_that_does_not_hold_leads_the_page(name: str, record: Cluster, card: Scorecard) -> None:
    reasons = limits(card, record, human_share=sweep().human_share, latency_p95_ms=5.2)
    assert len(reasons) == 1
    data = render(replaced(EvidenceFile.SCORECARD, card), cluster=record).decode()
    assert "1 limit does not hold:" in data
    assert "Every limit holds" not in data
    rows = re.findall(r'<tr><th scope="row">([^<]*)</th>(?:(?!</tr>).)*does not hold</td></tr>', data)
    assert rows == [name]


def test_only_the_scorecard_is_required() -> None:
    only = {EvidenceFile.SCORECARD: evidence()[EvidenceFile.SCORECARD]}
    found = page({str(name): data for name, data in only.items()})
    assert "has no sweep" in found.text
    assert "Not in the evidence given to this report: grades.jsonl, lineage.json" in found.text
    with pytest.raises(RecordError, match="no scorecard"):
        render({}, cluster=cluster())


def test_a_broken_file_is_named() -> None:
    with pytest.raises(RecordError, match=r"sweep\.json: .*arms"):
        render(evidence() | {EvidenceFile.SWEEP: b"{}"}, cluster=cluster())
    grades = evidence()[EvidenceFile.GRADES] + b"{}\n"
    with pytest.raises(RecordError, match=r"grades\.jsonl:3"):
        render(evidence() | {EvidenceFile.GRADES: grades}, cluster=cluster())
    broken = evidence()[EvidenceFile.FUNNEL].replace(b'"kept":304', b'"kept":305').replace(b":16}", b":15}")
    with pytest.raises(RecordError, match=r"funnel\.json: .*not the sum"):
        render(evidence() | {EvidenceFile.FUNNEL: broken}, cluster=cluster())
    with pytest.raises(RecordError, match=r"provenance\.json: not JSON"):
        render(evidence() | {EvidenceFile.PROVENANCE: b"{"}, cluster=cluster())


def test_an_incumbent_with_an_adapter_is_shown_beside_the_base() -> None:
    card = scorecard()
    models = card.models | {"incumbent": card.models["incumbent"].model_copy(update={"adapter": "d" * 64})}
    text = page(replaced(EvidenceFile.SCORECARD, card.model_copy(update={"models": models}))).text
    assert "p against the incumbent" in text
    assert "p against the incumbent" not in page().text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.000"),
        (0.0123, "0.012"),
        (0.000102, "1.0 \N{MULTIPLICATION SIGN} 10⁻⁴"),
        (0.0, "0"),
        (5e-324, "4.9 \N{MULTIPLICATION SIGN} 10⁻³²⁴"),
    ],
)
def test_p_text(value: float, text: str) -> None:
    assert p_text(value) == text


def test_ticks_are_round_and_few() -> None:
    assert ticks(-0.07, 0.22) == (-0.05, 0.0, 0.05, 0.1, 0.15, 0.2)
    assert ticks(1.0, 1.0) == ()
    assert len(ticks(-1.0, 1.0)) <= 6


def test_a_batch_has_its_measures_with_intervals_and_its_failure_in_words() -> None:
    found = page()
    for expected in (
        "Told apart",
        "Verbatim",
        "0.52\N{EN DASH}0.70",
        "refused",
        "38 % of the rows copy their parents, 20 % may",
    ):
        assert expected in found.text
    drawn = [attributes["aria-label"] or "" for tag, attributes in found.tags if tag == "svg"]
    assert any("warranty-llm: 0.61, from 0.52 to 0.70" in one for one in drawn)
    report = validation()
    needs = Reason(step="privacy", problem="insufficient data: 2 reference rows", hint="3 more in data/reference.jsonl")
    short = report.batches[1].model_copy(
        update={
            "verdict": Verdict(outcome=Outcome.REFUSE, reasons=(needs,)),
            "lacking": (needs,),
            "judgement": Judgement.INSUFFICIENT_DATA,
        }
    )
    changed = report.model_copy(update={"batches": (report.batches[0], short, *report.batches[2:])})
    text = page(replaced(EvidenceFile.VALIDATION, changed)).text
    assert "insufficient data: 2 reference rows. It takes 3 more in data/reference.jsonl." in text


def test_a_validation_from_before_there_were_intervals_is_shown() -> None:
    old = json.loads(evidence()[EvidenceFile.VALIDATION])
    for one in old["batches"]:
        one.pop("judgement"), one.pop("lacking")
        for name in ("c2st_auc", "outliers", "cleanliness", "real"):
            one["fidelity"].pop(name)
    text = page(evidence() | {EvidenceFile.VALIDATION: json.dumps(old).encode()}).text
    assert "refused" in text
    assert "classifier tells each batch" not in text


def test_the_report_says_who_decided_how_far_they_agree_and_how_wrong_the_rest_may_be() -> None:
    counts = {"accepted": 8, "edited": 1, "rejected": 2}
    said = {"ada": Choice.ACCEPT, "ben": Choice.REJECT}
    result = TriageResult(
        reviewer="ada, ben",
        accepted=100,
        edited=1,
        rejected=2,
        unread=92,
        reviews=(
            ReviewCount(reviewer="ada", review="a" * 64, signed=True, **counts),
            ReviewCount(reviewer="ben", review=None, signed=False, **counts),
        ),
        agreement=(Agreement(reviewers=("ada", "ben"), candidates=11, agreed=10, kappa=0.81, low=0.5, high=1.0),),
        disagreements=(Disagreement(candidate="cand-7", said=said, settled=Choice.REJECT, by="the rule"),),
        batches=(BatchError(batch="b-1", candidates=103, sampled=11, errors=3, upper=0.566, unread=92),),
    )
    text = "".join(page(replaced(EvidenceFile.TRIAGE, result)).text.split())
    for words in (
        "let in 8 candidates as they were and 1 with an edit, and rejected 2. 92 more passed unread",
        "ada 8 1 2 yes: aaaaaaaaaaaa",
        "ben 8 1 2 no",
        "ada and ben 11 10 0.81 0.50 to 1.00",
        "cand-7: ada accept, ben reject; settled as reject by the rule",
        "b-1 103 11 3 56.6 % 92",
    ):
        assert "".join(words.split()) in text, words
    assert "The evidence given to this report has no triage" in page().text
    nobody = TriageResult(reviewer="", accepted=5, edited=0, rejected=0)
    assert "asks for no people at triage: all 5 candidates" in page(replaced(EvidenceFile.TRIAGE, nobody)).text
