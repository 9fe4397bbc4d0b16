"""Step 6: the evidence is CI's, is what the ledger recorded, and its figures follow from its per-scenario scores."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TypeVar

from pydantic import ValidationError

from runner.records.base import Record
from runner.records.evidence import EvidenceFile
from runner.records.ledger import Entry, EntryKind
from runner.records.promotion import ListedRun, PromotionKind, RunList
from runner.records.scenario import SetName
from runner.records.score import Scorecard, ScoredScenario
from runner.records.verdict import Reason
from runner.rules.approvals import is_prefix
from runner.rules.canonical import sha256, tree_digest
from runner.rules.facts import Promotion
from runner.rules.scoring import capability_weights, composite

STEP = "6 evidence"
R = TypeVar("R", bound=Record)
TOLERANCE = 1e-6
OUTSIDE_BUNDLE = frozenset(
    {
        EvidenceFile.OPERATIONS,
        EvidenceFile.RUNS,
        EvidenceFile.REPORT,
        EvidenceFile.ROLLBACK,
        EvidenceFile.SWEEP_PLOT,
        EvidenceFile.ATTESTATION,
    }
)
"""Measured, signed, or made when the promotion is staged: not in the tree that phase 13's ledger entry covers."""
WANTED = frozenset({EvidenceFile.SCORECARD, EvidenceFile.GRADES, EvidenceFile.LINEAGE, EvidenceFile.SWEEP})
WANTED_ALWAYS = frozenset({EvidenceFile.ROLLBACK, EvidenceFile.RUNS})


def parse(evidence: Mapping[str, bytes], name: EvidenceFile, kind: type[R]) -> R | str:
    """The record in an evidence file, or what is wrong with it."""
    try:
        return kind.model_validate_json(evidence[name])
    except KeyError:
        return f"evidence/{name} is missing"
    except ValidationError as error:
        return f"evidence/{name} is not its record: {error.errors()[0]['msg']}"


def grades(promotion: Promotion) -> tuple[tuple[ScoredScenario, ...], list[str]]:
    """The rows of grades.jsonl, and what is wrong with them against the governed scenarios of the base tip."""
    rows, wrong = [], []
    for number, line in enumerate(promotion.evidence.get(EvidenceFile.GRADES, b"").splitlines(), 1):
        try:
            rows.append(ScoredScenario.model_validate_json(line))
        except ValidationError as error:
            wrong.append(f"grades.jsonl line {number}: {error.errors()[0]['msg']}")
    governed, seen = promotion.before.scenarios, set()
    for row in rows:
        key = (row.set, row.scenario)
        if key in seen:
            wrong.append(f"{row.set}/{row.scenario} is graded twice")
        if governed.get(key) != row.capability:
            wrong.append(f"{row.set}/{row.scenario} ({row.capability}) is no governed scenario")
        seen.add(key)
    missing = sorted(key for key in governed if key not in seen and key[0] is not SetName.DEV)
    wrong += [f"{name}/{scenario} is not graded" for name, scenario in missing[:20]]
    return tuple(rows), wrong


def evidence_problems(promotion: Promotion) -> list[Reason]:
    """Everything that does not hold of the evidence itself. Thresholds are step 8."""
    problems = [*_digests(promotion), *_attested(promotion), *_listed(promotion)]
    if promotion.record.kind is PromotionKind.PROMOTION:
        problems += [*_recorded(promotion), *_recomputed(promotion)]
    return [Reason(step=STEP, problem=problem, hint="stage the promotion again from its run") for problem in problems]


def _digests(promotion: Promotion) -> Iterable[str]:
    """The record names exactly the files that are there, by sha256."""
    listed, there = promotion.record.evidence, promotion.evidence
    for name in sorted({*listed, *there}):
        if name not in there:
            yield f"evidence/{name} is recorded and not there"
        elif name not in listed:
            yield f"evidence/{name} is there and not recorded"
        elif sha256(there[name]) != listed[name]:
            yield f"evidence/{name} is not the recorded bytes"
    wanted = WANTED_ALWAYS | (WANTED if promotion.record.kind is PromotionKind.PROMOTION else frozenset())
    yield from (f"evidence/{name} is missing" for name in sorted(wanted - set(there)))


def _attested(promotion: Promotion) -> Iterable[str]:
    """CI signed the digests of every other evidence file, for this promotion."""
    statement = promotion.attestation.statement
    if statement is None:
        yield f"evidence/{EvidenceFile.ATTESTATION}: {promotion.attestation.problem}"
        return
    record, word = promotion.record, statement.predicate
    mine = {name: digest for name, digest in record.evidence.items() if name != EvidenceFile.ATTESTATION}
    if statement.digests() != mine:
        yield "CI attests other evidence files than the recorded ones"
    adapter = record.adapter.sha256 if record.adapter else None
    ours = (record.cluster, record.sequence, record.run.iteration, adapter)
    if (word.cluster, word.sequence, word.iteration, word.adapter) != ours:
        yield "CI attests another cluster, sequence, iteration or adapter"
    if not is_prefix(word.ledger, promotion.before.ledger_digests):
        yield "CI's attestation cites a ledger that is no prefix of this cluster's ledger"


def listed_runs(entries: Iterable[Entry], digests: Iterable[str], iteration: str) -> tuple[ListedRun, ...]:
    """The entries of one iteration, as `runs.json` lists them."""
    return tuple(
        ListedRun(sequence=e.sequence, kind=e.kind.value, phase=e.phase, outcome=e.verdict.outcome.value, sha256=digest)
        for e, digest in zip(entries, digests, strict=True)
        if e.iteration == iteration and e.kind is not EntryKind.RECEIPT
    )


def _listed(promotion: Promotion) -> Iterable[str]:
    """runs.json lists every entry of the iteration up to the point that CI attested."""
    runs, statement = parse(promotion.evidence, EvidenceFile.RUNS, RunList), promotion.attestation.statement
    if isinstance(runs, str):
        yield runs
    elif statement is not None:
        before, size = promotion.before, statement.predicate.ledger.size
        iteration = promotion.record.run.iteration
        expected = listed_runs(before.ledger[:size], before.ledger_digests[:size], iteration)
        if runs.runs != expected or (runs.cluster, runs.iteration) != (promotion.record.cluster, iteration):
            yield f"runs.json does not list the {len(expected)} ledger entries of iteration {iteration}"


def _recorded(promotion: Promotion) -> Iterable[str]:
    """The ledger's own entries name this adapter and this bundle."""
    iteration = promotion.record.run.iteration
    passed = {e.phase: e for e in promotion.before.ledger if e.iteration == iteration and e.verdict.passed}
    if "bundle" not in passed:
        yield f"the ledger has no passed bundle of iteration {iteration!r}"
        return
    adapter = promotion.record.adapter.sha256 if promotion.record.adapter else None
    if "train" not in passed or passed["train"].outputs.get("adapter") != adapter:
        yield "the adapter is not the one that the ledger says was trained"
    bundle = {name: data for name, data in promotion.evidence.items() if name not in OUTSIDE_BUNDLE}
    if passed["bundle"].outputs.get("bundle") != tree_digest(bundle):
        yield "the evidence is not the bundle that the ledger recorded"


def _recomputed(promotion: Promotion) -> Iterable[str]:
    """The scorecard's composites follow from the per-scenario scores, and it speaks of this promotion."""
    card = parse(promotion.evidence, EvidenceFile.SCORECARD, Scorecard)
    if isinstance(card, str):
        yield card
        return
    rows, wrong = grades(promotion)
    yield from wrong
    record, before = promotion.record, promotion.before
    spoken = (card.cluster, card.iteration, card.benchmark_version, card.benchmark_sha256)
    if spoken != (record.cluster, record.run.iteration, record.benchmark.version, record.benchmark.sha256):
        yield "the scorecard is of another cluster, iteration or benchmark"
    if record.benchmark.version != before.cluster.benchmark_version:
        yield f"benchmark version {record.benchmark.version} is not the governed {before.cluster.benchmark_version}"
    if record.benchmark.sha256 != before.benchmark_sha256:
        yield "the benchmark is not the one that benchmark.lock freezes"
    yield from _adapters(card, promotion)
    weights = capability_weights(before.cluster)
    for model, scores in card.models.items():
        for name, stated in scores.sets.items():
            if name is SetName.DEV and not any(row.set is name for row in rows):
                continue
            pairs = [(r.capability, r.scores[model]) for r in rows if r.set is name and model in r.scores]
            known = [pair for pair in pairs if pair[0] in weights]
            value, _ = composite(known, weights)
            passed = sum(row.passed.get(model, False) for row in rows if row.set is name)
            if abs(value - stated.composite) > TOLERANCE or (len(pairs), passed) != (stated.scenarios, stated.passed):
                yield f"the composite of {model} on {name} is {value:.6f} by its grades, not {stated.composite:.6f}"


def _adapters(card: Scorecard, promotion: Promotion) -> Iterable[str]:
    adapter = promotion.record.adapter.sha256 if promotion.record.adapter else None
    expected = {"candidate": adapter, "incumbent": promotion.before.incumbent.adapter}
    for model, digest in expected.items():
        if model in card.models and card.models[model].adapter != digest:
            yield f"the scorecard's {model} is another adapter than the promotion's"
    if "candidate" not in card.models:
        yield "the scorecard has no candidate"
    if promotion.before.incumbent.sequence and "incumbent" not in card.models:
        yield "the scorecard does not compare with the incumbent"


def human_share_stated(evidence: Mapping[str, bytes]) -> float | None:
    """The human share that the sweep states; none where it cannot be read."""
    try:
        return float(json.loads(evidence[EvidenceFile.SWEEP])["human_share"])
    except (KeyError, TypeError, ValueError):
        return None
