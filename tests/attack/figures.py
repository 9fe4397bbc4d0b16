"""Steps 6 and 8: the evidence, and the limits that its figures must hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from runner.edges.ledger_store import LEDGER as LEDGER_REF
from runner.edges.yaml_dump import dump
from runner.edges.yaml_files import parse
from runner.promotion.propose import adapter_record, stage
from runner.promotion.rollback import rollback_to
from runner.records.promotion import PromotionRecord, ServingStage
from runner.records.statement import PAYLOAD_TYPE, EvidenceStatement, LedgerPoint, Namespace, subjects
from runner.rules.canonical import canonical, sha256
from tests.adapter_fixture import adapter_files
from tests.attack.case import Case, Finding, passes
from tests.attack.desk import Desk
from tests.attack.forgery import (
    EVIDENCE,
    HOME,
    Editing,
    again,
    altered,
    altered_json,
    blind,
    forge,
    merged,
    repoliced,
)
from tests.promotion_fixture import CLUSTER, scenario_file, store_with_dvc

Rows = list[dict[str, Any]]
FILES, ATTESTED, RUNS, LEDGER = "6.1 files", "6.2 attestation", "6.3 runs", "6.4 ledger"
GRADES, CARD = "6.5 grades", "6.6 scorecard"
ATTESTATION = "attestation.dsse.json"
TROJAN = adapter_files("trojan")


# 6: the evidence


def put(desk: Desk, files: dict[str, bytes | None]) -> Finding:
    """Files put beside (or taken from) what CI staged."""
    made = {**desk.records["files"], **files}
    return forge(desk, {path: data for path, data in made.items() if data is not None})


def stated(desk: Desk, name: str, edit: Callable[[Any], object]) -> Finding:
    """CI stages a bundle with one file that says something else, and people sign it."""
    return forge(desk, altered_json(desk, name, edit))


def graded(desk: Desk, edit: Callable[[Rows], Rows]) -> Finding:
    """The whole iteration again, ledger and all, over other grades."""
    return forge(desk, again(desk, rows=edit))


def attested(desk: Desk, *, ci: str = "ci", **edits: Any) -> Finding:
    """The same evidence, attested by another key or in other words."""
    sources = desk.sources()
    trust, chain = sources.policy(desk.main).trust, sources.chain("desk")
    signer = Editing(desk, ci, **edits)
    return forge(desk, stage(desk.records["staging"], chain=chain, trust=trust, ci=signer, dump=dump))


def ci_revoked(desk: Desk) -> Finding:
    repoliced(desk, revoked=desk.key("ci").public_key.encode() + b"\n")
    return forge(desk, desk.records["files"])


def relisted(desk: Desk, edit: Callable[[dict[str, Any]], dict[str, Any]]) -> Finding:
    """CI writes another list of runs, signs that, and the record is made to fit."""
    runs = edit(json.loads(desk.records["files"][f"{EVIDENCE}runs.json"]))
    files = {**desk.records["files"], f"{EVIDENCE}runs.json": canonical(runs)}
    record = parse(files[f"{HOME}record.yaml"], PromotionRecord, path="record.yaml")
    there = {path.removeprefix(EVIDENCE): data for path, data in files.items() if path.startswith(EVIDENCE)}
    old = EvidenceStatement.model_validate_json(desk.verifier.peek(there.pop(ATTESTATION)))
    digests = {name: sha256(data) for name, data in there.items()}
    payload = canonical(old.model_copy(update={"subject": subjects(digests)}))
    envelope = desk.key("ci").sign(payload, payload_type=PAYLOAD_TYPE, namespace=Namespace.EVIDENCE)
    told = record.model_copy(update={"evidence": {**digests, ATTESTATION: sha256(envelope)}})
    fitting = {f"{EVIDENCE}{ATTESTATION}": envelope, f"{HOME}record.yaml": dump(told.model_dump(mode="json"))}
    return forge(desk, {**files, **fitting})


def one_run_fewer(runs: dict[str, Any]) -> dict[str, Any]:
    return {**runs, "runs": runs["runs"][:-1]}


def of_another_iteration(runs: dict[str, Any]) -> dict[str, Any]:
    return {**runs, "iteration": "it-9"}


def other_adapter(desk: Desk) -> Finding:
    """CI stages an adapter that the ledger does not know as the trained one."""
    desk.adapters.put(TROJAN)
    adapter = adapter_record(TROJAN, dvc=store_with_dvc(desk.storage, TROJAN))
    return forge(desk, desk.staged(replace(desk.records["staging"], adapter=adapter)))


def cut_ledger(desk: Desk, path: str) -> Finding:
    """An entry is gone from the server's ledger."""
    tip = desk.git.resolve(LEDGER_REF) or ""
    desk.git.run("update-ref", LEDGER_REF, desk.git.commit_files([tip], {path: None}, "Forget\n"))
    return merged(desk)


def evidence_of_another_iteration(desk: Desk) -> Finding:
    """A later iteration's adapter, with the better figures of the first one."""
    second = desk.staging("it-2", passes=lambda model, name, capability: capability == "order-status")
    return forge(desk, desk.staged(replace(second, evidence=desk.records["staging"].evidence)))


def benchmark_of_another(desk: Desk, **edit: Any) -> Finding:
    staging = desk.records["staging"]
    return forge(desk, desk.staged(replace(staging, benchmark=staging.benchmark.model_copy(update=edit))))


def record_unreadable(desk: Desk) -> Finding:
    return put(desk, {f"{HOME}record.yaml": b"kind: promotion\n"})


# edits of grades and scorecards


def dropped(rows: Rows) -> Rows:
    return rows[1:]


def duplicated(rows: Rows) -> Rows:
    return [*rows, rows[-1]]


def ungoverned(rows: Rows) -> Rows:
    return [*rows, {**rows[-1], "scenario": "made-up"}]


def in_another_set(rows: Rows) -> Rows:
    return [{**row, "set": "representative"} if row["scenario"] == "heldout-01" else row for row in rows]


def another_capability(rows: Rows) -> Rows:
    return [{**row, "capability": "refund"} if row["scenario"] == "core-00" else row for row in rows]


def unperturbed(rows: Rows) -> Rows:
    return [{**row, "perturbed": {}} if row["scenario"] == "core-00" else row for row in rows]


def control_ungraded(rows: Rows) -> Rows:
    def without(row: dict[str, Any]) -> dict[str, Any]:
        scores, passed = ({k: v for k, v in row[name].items() if k != "control"} for name in ("scores", "passed"))
        return {**row, "scores": scores, "passed": passed}

    return [without(row) if row["scenario"] == "heldout-00" else row for row in rows]


def weaker_incumbent(rows: Rows) -> Rows:
    """Nothing is promoted yet, so the incumbent is the base; here it is graded as failing everything."""
    failing = {"scores": 0.0, "passed": False}
    return [{**row, **{k: {**row[k], "incumbent": v} for k, v in failing.items()}} for row in rows]


def inflated(card: Any) -> None:
    card["models"]["candidate"]["sets"]["core"]["composite"] = 0.5


def deflated_base(card: Any) -> None:
    card["models"]["base"]["sets"]["heldout"]["composite"] = 0.01


def surer(card: Any) -> None:
    for one in card["comparisons"]:
        one["p_value"] = 1e-12


def fewer_regressions(card: Any) -> None:
    card["regressions"]["of"] = card["regressions"]["of"] + 100


def unrepeated(card: Any) -> Any:
    return {**card, "repeats": None}


def other_iteration(card: Any) -> None:
    card["iteration"] = "it-9"


# 8: the limits


def worse(desk: Desk, **change: Any) -> Finding:
    """An honest iteration that is not good enough, which people sign all the same."""
    return forge(desk, again(desk, **change))


def loses_order_status(model: str, name: str, capability: str) -> bool:
    gone = name in ("core", "representative") and capability == "order-status"
    if model == "candidate":
        return not gone
    return capability == "order-status" and name != "heldout"


def unlearns_order_status(model: str, name: str, capability: str) -> bool:
    """All of one capability for all of the other."""
    return capability == ("refund" if model == "candidate" else "order-status")


def fails_core(model: str, name: str, capability: str) -> bool:
    """Better on held-out, and under the floor on core."""
    if name == "core":
        return capability == "order-status"
    return model == "candidate"


def fails_heldout(model: str, name: str, capability: str) -> bool:
    """Better than the others on held-out, and still under the floor."""
    if name == "heldout":
        return model == "candidate" and capability == "refund"
    return model == "candidate" or capability == "order-status"


def fragile(rows: Rows) -> Rows:
    for row in rows:
        for scores in row.get("perturbed", {}).values():
            scores["candidate"] = 0.0
    return rows


GENERAL = tuple(f"general-{at}" for at in range(4))


def with_general(desk: Desk, *, candidate: int | None) -> Finding:
    """The cluster has a general set, which the base answers rightly and the candidate but for the last few; none where
    it was not asked."""
    files = {f"scenarios/desk/general/{name}.yaml": scenario_file(name, "manners") for name in GENERAL}
    desk.land(desk.git.commit_files([desk.main], files, "What is not to be forgotten\n"))

    def graded(rows: Rows) -> Rows:
        kept = candidate or 0
        passed = [{"base": True, "incumbent": True, "candidate": at < kept} for at in range(len(GENERAL))]
        more = [
            {
                "set": "general",
                "scenario": name,
                "capability": "manners",
                "scores": {model: float(right) for model, right in found.items()},
                "passed": found,
            }
            for name, found in zip(GENERAL, passed, strict=True)
        ]
        return rows if candidate is None else [*rows, *more]

    return worse(desk, rows=graded)


def asking_for(desk: Desk, rows: Callable[[Rows], Rows], **gate: Any) -> Finding:
    """The cluster asks for more than usual, and problem.md says what real data alone reaches."""
    yaml = dump({**CLUSTER, "gate": {**CLUSTER["gate"], **gate}})
    files = {"clusters/desk/cluster.yaml": yaml, "clusters/desk/problem.md": PROBLEM}
    desk.land(desk.git.commit_files([desk.main], files, "Ask for more\n"))
    return worse(desk, rows=rows)


def under_paraphrase(desk: Desk, rows: Callable[[Rows], Rows]) -> Finding:
    """The cluster asks for one perturbation that is otherwise only reported."""
    return asking_for(desk, rows, perturbations=["paraphrase"])


def weighed(desk: Desk, rows: Callable[[Rows], Rows]) -> Finding:
    """The cluster asks something of every outcome type, and to be above real data alone."""
    return asking_for(desk, rows, significance={"min_outcome_share": 0.9, "real_only": "refuse"})


def typed(rows: Rows, *, kind: str = "tp", fails: int = 0) -> Rows:
    """Every row of an outcome type; the candidate fails the first few of held-out."""
    fails_now = {f"heldout-{at:02d}" for at in range(fails)}
    for row in rows:
        row["outcome_type"] = kind
        if row["scenario"] in fails_now:
            row["scores"]["candidate"], row["passed"]["candidate"] = 0.0, False
    return rows


def asked_again(rows: Rows, *, turned: tuple[tuple[str, ...], ...], loses: tuple[str, ...] = ()) -> Rows:
    """A repeat of the incumbent for each of `turned`, which names the scenarios that it turns. The candidate fails
    those of `loses`."""
    for row in rows:
        if row["scenario"] in loses:
            row["scores"]["candidate"], row["passed"]["candidate"] = 0.0, False
        for number, names in enumerate(turned if row["set"] != "dev" else (), 1):
            passed = row["passed"]["incumbent"] != (row["scenario"] in names)
            row["scores"][f"incumbent-repeat-{number}"] = float(passed)
            row["passed"][f"incumbent-repeat-{number}"] = passed
    return rows


def repeated_in_part(rows: Rows) -> Rows:
    """A repeat that was not asked the one scenario that it might turn."""
    for row in asked_again(rows, turned=((),)):
        if row["scenario"] == "heldout-00":
            del row["scores"]["incumbent-repeat-1"], row["passed"]["incumbent-repeat-1"]
    return rows


TURNED = ("core-00", "core-02")
"""Two that the incumbent passes."""


def fragile_to(rows: Rows, *, kind: str) -> Rows:
    for row in rows:
        if kind in row.get("perturbed", {}):
            row["perturbed"][kind]["candidate"] = 0.0
    return rows


def not_run_under(rows: Rows, *, kind: str) -> Rows:
    for row in rows:
        row.get("perturbed", {}).pop(kind, None)
    return rows


def human_share_of_record(desk: Desk) -> Finding:
    """The record says more than the sweep it came from."""
    return forge(desk, desk.staged(replace(desk.records["staging"], human_share=0.9)))


def rolled_back(desk: Desk, people: tuple[str, ...] = ("carol",), to: int = 1, **edit: Any) -> Finding:
    """A rollback on the word of whoever is on call."""
    staging = rollback_to(desk.sources(), desk.main, "desk", to, why="refunds are misrouted")
    desk.propose(desk.staged(replace(staging, **edit)), sequence=3)
    blind(desk, *people, branch="refs/heads/promote/desk/3")
    return desk.gate(desk.merge(sequence=3))


def rolled_back_to_another(desk: Desk) -> Finding:
    desk.adapters.put(TROJAN)
    return rolled_back(desk, adapter=adapter_record(TROJAN, dvc=store_with_dvc(desk.storage, TROJAN)))


def staged_as(desk: Desk, stage: ServingStage) -> Finding:
    """A new adapter for a stage that the cluster does not let it enter."""
    return forge(desk, desk.staged(replace(desk.records["staging"], stage=stage)))


def undrilled(desk: Desk) -> Finding:
    staging = desk.records["staging"]
    evidence = {name: data for name, data in staging.evidence.items() if name != "drill.json"}
    return forge(desk, desk.staged(replace(staging, evidence=evidence)))


def known_adapter(desk: Desk) -> Finding:
    """The promoted adapter once more, as if it were a new one."""
    files = desk.staged(replace(desk.records["staging"], sequence=2, incumbent=desk.incumbent()))
    desk.propose(files, sequence=2)
    blind(desk, "alice", "bob", branch="refs/heads/promote/desk/2")
    return desk.gate(desk.merge(sequence=2))


def refused_drill(drill: Any) -> None:
    drill["problems"] = ["7 quorum: nobody was on call"]


def slow_drill(drill: Any) -> None:
    drill["measured"]["total"] = 1e6


def drill_of_another(drill: Any) -> None:
    drill["from_adapter"] = "0" * 64


DRILL = "8.11 rollback drill"
CONTRACT = {"to_sequence": 7, "to_adapter": "0" * 64, "when": "never", "who": "nobody"}
PROBLEM = b"""---
gap: refunds are missed
why_not_real_data: few were labelled
metric: accuracy
threshold: 0.7
real_only_baseline:
  value: 0.95
  how: a linear classifier
---
"""
ELSEWHERE = {"ledger": LedgerPoint(size=3, head="0" * 64)}
CASES = (
    passes("next-iteration", "A later iteration, complete in itself.", worse),
    passes("rollback", "Back to promotion 1, signed by one person on call.", rolled_back, start="twice"),
    Case(
        "evidence-added",
        "A file of evidence that the record does not name.",
        FILES,
        partial(put, files={f"{EVIDENCE}extra.json": b"{}"}),
    ),
    Case(
        "evidence-missing",
        "The record names a file that is not there.",
        FILES,
        partial(put, files={f"{EVIDENCE}risks.json": None}),
    ),
    Case(
        "evidence-swapped",
        "Other bytes than the record names.",
        FILES,
        partial(put, files={f"{EVIDENCE}report.html": b"<html>Fine.</html>"}),
    ),
    Case("record-unreadable", "A record without its fields.", FILES, record_unreadable),
    Case(
        "attestation-missing",
        "No word of CI's.",
        ATTESTED,
        partial(put, files={f"{EVIDENCE}attestation.dsse.json": None}),
    ),
    Case("attestation-by-a-person", "Dave attests in CI's place.", ATTESTED, partial(attested, ci="dave")),
    Case("attestation-by-a-stranger", "A stranger's key attests.", ATTESTED, partial(attested, ci="mallory")),
    Case(
        "attestation-for-another-purpose",
        "CI's signature was made for a proposal.",
        ATTESTED,
        partial(attested, namespace=Namespace.PROPOSAL),
    ),
    Case(
        "attestation-of-another-cluster",
        "CI attests another cluster.",
        ATTESTED,
        partial(attested, change={"cluster": "other"}),
    ),
    Case(
        "attestation-of-another-sequence",
        "CI attests another sequence.",
        ATTESTED,
        partial(attested, change={"sequence": 2}),
    ),
    Case(
        "attestation-of-another-iteration",
        "CI attests another iteration.",
        ATTESTED,
        partial(attested, change={"iteration": "it-9"}),
    ),
    Case(
        "attestation-of-another-adapter",
        "CI attests another adapter.",
        ATTESTED,
        partial(attested, change={"adapter": "0" * 64}),
    ),
    Case(
        "attestation-of-another-repository",
        "CI attests for another repository.",
        ATTESTED,
        partial(attested, change={"repository": "example/other"}),
    ),
    Case(
        "attestation-of-another-ledger",
        "CI cites a ledger that never was.",
        ATTESTED,
        partial(attested, change=ELSEWHERE),
    ),
    Case("ci-key-revoked", "CI's key was revoked.", ATTESTED, ci_revoked),
    Case("runs-left-out", "CI lists one run fewer than the ledger has.", RUNS, partial(relisted, edit=one_run_fewer)),
    Case(
        "runs-of-another-iteration",
        "The list is another iteration's.",
        RUNS,
        partial(relisted, edit=of_another_iteration),
    ),
    Case(
        "bundle-unknown-to-the-ledger",
        "The lineage is not the one the ledger recorded.",
        LEDGER,
        lambda d: forge(d, altered(d, "lineage.json", lambda data: data + b"\n")),
    ),
    Case("adapter-never-trained", "An adapter that the ledger does not know.", LEDGER, other_adapter),
    Case(
        "evidence-of-another-iteration",
        "A worse adapter, with an earlier one's figures.",
        LEDGER,
        evidence_of_another_iteration,
    ),
    Case(
        "ledger-cut-back",
        "The ledger no longer knows the bundle.",
        LEDGER,
        partial(cut_ledger, path="desk/00000014.json"),
    ),
    Case(
        "ledger-with-a-gap",
        "An entry is missing in the middle.",
        LEDGER,
        partial(cut_ledger, path="desk/00000005.json"),
        says="next sequence",
    ),
    Case(
        "grades-named-twice",
        "A grade stands twice in its row, once with a space before the colon: readers differ in which they take.",
        FILES,
        lambda d: forge(d, altered(d, "grades.jsonl", lambda data: data.replace(b'"base":', b'"base" :1,"base":', 1))),
        says="names 'base' twice",
    ),
    Case("grades-dropped", "A scenario that the candidate fails is left out.", GRADES, partial(graded, edit=dropped)),
    Case("grades-duplicated", "A scenario that it passes is graded twice.", GRADES, partial(graded, edit=duplicated)),
    Case("grades-ungoverned", "A scenario that nobody reviewed is graded.", GRADES, partial(graded, edit=ungoverned)),
    Case(
        "grades-in-another-set",
        "A held-out scenario is graded as representative.",
        GRADES,
        partial(graded, edit=in_another_set),
    ),
    Case(
        "grades-of-another-capability",
        "A scenario changes its capability.",
        GRADES,
        partial(graded, edit=another_capability),
    ),
    Case(
        "grades-unperturbed", "A scenario was not run under perturbations.", GRADES, partial(graded, edit=unperturbed)
    ),
    Case(
        "grades-without-control",
        "The control arm's grade of a scenario is missing.",
        GRADES,
        partial(graded, edit=control_ungraded),
    ),
    Case(
        "grades-weaker-incumbent",
        "The incumbent is graded worse than the base it is.",
        GRADES,
        partial(graded, edit=weaker_incumbent),
    ),
    Case(
        "composite-altered",
        "The candidate's composite is not that of its grades.",
        CARD,
        partial(stated, name="scorecard.json", edit=inflated),
    ),
    Case(
        "base-deflated",
        "The base's held-out composite is stated too low.",
        CARD,
        partial(stated, name="scorecard.json", edit=deflated_base),
    ),
    Case(
        "significance-inflated",
        "The comparisons are stated surer than they are.",
        CARD,
        partial(stated, name="scorecard.json", edit=surer),
    ),
    Case(
        "regressions-diluted",
        "The regressions are counted out of more scenarios.",
        CARD,
        partial(stated, name="scorecard.json", edit=fewer_regressions),
    ),
    Case(
        "scorecard-of-another-iteration",
        "The scorecard is another iteration's.",
        CARD,
        partial(stated, name="scorecard.json", edit=other_iteration),
    ),
    Case(
        "benchmark-version-ungoverned",
        "The record names another benchmark version.",
        CARD,
        partial(benchmark_of_another, version=2),
    ),
    Case(
        "benchmark-digest-ungoverned",
        "The record names another benchmark.",
        CARD,
        partial(benchmark_of_another, sha256="0" * 64),
    ),
    Case(
        "core-under-the-floor",
        "The composite on core is under its threshold.",
        "8.1 thresholds",
        partial(worse, passes=fails_core),
    ),
    Case(
        "heldout-under-the-floor",
        "The composite on held-out is under its threshold.",
        "8.1 thresholds",
        partial(worse, passes=fails_heldout),
    ),
    Case(
        "no-better-than-the-base",
        "Nothing is gained over the incumbent.",
        "8.2 significance",
        partial(worse, passes=lambda model, name, capability: True),
    ),
    Case(
        "no-better-than-control",
        "The same training without new data does as well.",
        "8.2 significance",
        partial(worse, passes=lambda model, name, capability: model != "base" or name != "heldout"),
    ),
    Case(
        "regressions-too-many",
        "What the incumbent could is lost.",
        "8.3 regressions",
        partial(worse, passes=loses_order_status),
    ),
    Case(
        "capability-worse",
        "One capability is significantly worse.",
        "8.4 capabilities",
        partial(worse, passes=unlearns_order_status),
    ),
    Case("fragile", "Under perturbations the composite falls too far.", "8.5 robustness", partial(worse, rows=fragile)),
    Case(
        "fragile-to-what-is-asked-for",
        "The composite falls under the one perturbation that cluster.yaml names.",
        "8.5 robustness",
        partial(under_paraphrase, rows=partial(fragile_to, kind="paraphrase")),
    ),
    Case(
        "perturbation-asked-for-left-out",
        "The candidate was not run under the perturbation that cluster.yaml names.",
        GRADES,
        partial(under_paraphrase, rows=partial(not_run_under, kind="paraphrase")),
    ),
    Case("forgotten", "What the base could do is lost.", "8.12 general", partial(with_general, candidate=2)),
    Case(
        "general-set-left-out",
        "The candidate was not asked what it must not forget.",
        GRADES,
        partial(with_general, candidate=None),
    ),
    passes("nothing-forgotten", "The general set is answered as the base does.", partial(with_general, candidate=4)),
    passes(
        "fragile-to-what-is-reported",
        "The composite falls under a perturbation that the cluster does not judge.",
        partial(worse, rows=partial(fragile_to, kind="context")),
    ),
    Case(
        "incumbent-unlike-itself",
        "Asked again, the incumbent turns more of its verdicts than the cluster bears.",
        "8.13 baseline",
        partial(worse, rows=partial(asked_again, turned=(TURNED,))),
    ),
    Case(
        "losses-laid-at-the-incumbent-s-door",
        "Each of several repeats turns another scenario that the candidate loses, so that none of them counts.",
        "8.13 baseline",
        partial(worse, rows=partial(asked_again, turned=tuple((name,) for name in TURNED), loses=TURNED)),
        says="2 of 24 scenarios are lost as ones that the incumbent turns by itself",
    ),
    Case(
        "repeats-taken-from-a-scorecard",
        "The scorecard does not say what the incumbent turned by itself.",
        CARD,
        partial(worse, rows=partial(asked_again, turned=(TURNED[:1],)), card=unrepeated),
    ),
    Case("repeat-in-part", "A repeat was not asked every scenario.", GRADES, partial(worse, rows=repeated_in_part)),
    passes(
        "incumbent-much-like-itself",
        "One loss is the incumbent's own, and no more than the cluster bears.",
        partial(worse, rows=partial(asked_again, turned=(TURNED[:1], ()), loses=TURNED[:1])),
    ),
    Case(
        "outcome-type-neglected",
        "Too few of an outcome type pass.",
        "8.14 outcome types",
        partial(weighed, rows=partial(typed, fails=2)),
    ),
    Case(
        "outcome-type-relabelled",
        "Scenarios are graded as of another outcome type than the governed one.",
        GRADES,
        partial(weighed, rows=partial(typed, kind="tn")),
    ),
    Case(
        "no-better-than-real-data",
        "The candidate is not above what real data alone reaches.",
        "8.15 real-only baseline",
        partial(weighed, rows=partial(typed, fails=1)),
    ),
    passes("weighed", "Every outcome type passes, above real data alone.", partial(weighed, rows=typed)),
    Case(
        "human-floor-broken",
        "Too few of the new examples are human.",
        "8.6 human floor",
        partial(worse, human_share=0.25),
    ),
    Case(
        "human-share-embellished",
        "The record states a greater human share than the sweep.",
        "8.6 human floor",
        human_share_of_record,
    ),
    Case("too-slow", "The latency is over its limit.", "8.7 latency", partial(worse, latency=80.0)),
    Case(
        "rollback-contract-to-nowhere",
        "The contract goes to what is not promoted now.",
        "8.8 rollback contract",
        partial(worse, rollback=CONTRACT),
    ),
    Case(
        "rollback-to-another-adapter",
        "A rollback brings an adapter that was never promoted.",
        "8.9 restored adapter",
        rolled_back_to_another,
        "twice",
    ),
    Case(
        "rollback-to-no-sequence",
        "A rollback restores a sequence that never was.",
        "8.9 restored adapter",
        partial(rolled_back, restores=9),
        "twice",
    ),
    Case(
        "rollback-names-nothing",
        "A rollback does not say what it restores.",
        "8.9 restored adapter",
        partial(rolled_back, restores=None),
        "twice",
    ),
    Case(
        "rollback-by-approvers",
        "A rollback signed by people who are not on call.",
        "7 quorum",
        partial(rolled_back, people=("alice",)),
        "twice",
    ),
    Case(
        "stage-skipped",
        "A new adapter enters a stage that cluster.yaml does not name.",
        "3.2 stage",
        partial(staged_as, stage=ServingStage.CANARY),
    ),
    Case("adapter-promoted-again", "A known adapter comes as if it were new.", "3.2 stage", known_adapter, "promoted"),
    Case("drill-missing", "Nobody rehearsed the way back.", DRILL, undrilled),
    Case(
        "drill-refused",
        "The rehearsal did not go through.",
        DRILL,
        partial(stated, name="drill.json", edit=refused_drill),
    ),
    Case("drill-too-slow", "The rehearsal took too long.", DRILL, partial(stated, name="drill.json", edit=slow_drill)),
    Case(
        "drill-of-another",
        "The rehearsal was another adapter's.",
        DRILL,
        partial(stated, name="drill.json", edit=drill_of_another),
    ),
)
