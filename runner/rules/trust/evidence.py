"""Step 6: the evidence is CI's, is what the ledger recorded, and its figures follow from its per-scenario scores."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from runner.records.evidence import GENERATED, EvidenceFile
from runner.records.ledger import Entry, EntryKind
from runner.records.promotion import ListedRun, RunList
from runner.records.verdict import Reason
from runner.rules.canonical import sha256, tree_digest
from runner.rules.strict_json import strict_json, strict_lines
from runner.rules.trust.approvals import is_prefix
from runner.rules.trust.facts import Promotion
from runner.rules.trust.figures import Figures, parse

STEP = "6 evidence"
HANDOFF = "6.9 hand-off"
RULES = ("6.1 files", "6.2 attestation", "6.3 runs", "6.4 ledger", "6.5 grades", "6.6 scorecard", HANDOFF)
OUTSIDE_BUNDLE = frozenset(
    {
        EvidenceFile.OPERATIONS,
        EvidenceFile.RUNS,
        EvidenceFile.REPORT,
        EvidenceFile.ROLLBACK,
        EvidenceFile.SWEEP_PLOT,
        EvidenceFile.ATTESTATION,
        EvidenceFile.DRILL,
        *GENERATED,
    }
)
"""Measured, signed, or made when the promotion is staged: not in the tree that phase 13's ledger entry covers."""
WANTED = frozenset({EvidenceFile.SCORECARD, EvidenceFile.GRADES, EvidenceFile.LINEAGE, EvidenceFile.SWEEP})
WANTED_ALWAYS = frozenset({EvidenceFile.ROLLBACK, EvidenceFile.RUNS})


def evidence_problems(promotion: Promotion, figures: Figures | None) -> list[Reason]:
    """Everything that does not hold of the evidence itself; a rollback has no figures. Thresholds are step 8."""
    found: dict[str, Iterable[str]] = dict.fromkeys(RULES, ())
    read = {EvidenceFile.GRADES} if figures is not None and figures.named_once else set()
    found |= {
        "6.1 files": _files(promotion, read),
        "6.2 attestation": _attested(promotion),
        "6.3 runs": _listed(promotion),
        HANDOFF: promotion.generated(),
    }
    if figures is not None:
        stated = (*figures.stated, *_benchmark(promotion))
        found |= {"6.4 ledger": _recorded(promotion), "6.5 grades": figures.grades, "6.6 scorecard": stated}
    hint = "stage the promotion again from its run"
    return [Reason(step=STEP, problem=f"{rule}: {problem}", hint=hint) for rule in RULES for problem in found[rule]]


def _files(promotion: Promotion, read: Collection[str]) -> Iterable[str]:
    """The record names exactly the files that are there, by sha256. Those in `read` are known to be readable."""
    listed, there = promotion.record.evidence, promotion.evidence
    for name in sorted({*listed, *there}):
        if name not in there:
            yield f"evidence/{name} is recorded and not there"
        elif name not in listed:
            yield f"evidence/{name} is there and not recorded"
        elif sha256(there[name]) != listed[name]:
            yield f"evidence/{name} is not the recorded bytes"
        elif name not in read:
            yield from _readable(name, there[name])
    wanted = WANTED_ALWAYS | (WANTED if promotion.record.assessed else frozenset())
    yield from (f"evidence/{name} is missing" for name in sorted(wanted - set(there)))


def _readable(name: str, data: bytes) -> Iterable[str]:
    """JSON that all readers read as one thing: no name twice, no NaN that passes every limit, no depth."""
    read = {"json": strict_json, "jsonl": strict_lines}.get(name.rpartition(".")[2])
    try:
        if read is not None:
            read(data)
    except ValueError as error:
        yield f"evidence/{name} cannot be read: {error}"


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
        if e.iteration == iteration and e.kind not in (EntryKind.RECEIPT, EntryKind.LOOK)
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


def _benchmark(promotion: Promotion) -> Iterable[str]:
    """The record's benchmark is the governed one."""
    record, before = promotion.record, promotion.before
    if record.benchmark.version != before.cluster.benchmark_version:
        yield f"benchmark version {record.benchmark.version} is not the governed {before.cluster.benchmark_version}"
    if record.benchmark.sha256 != before.benchmark_sha256:
        yield "the benchmark is not the one that benchmark.lock freezes"
