"""A promotion whose hand-off and cards are made: plausible evidence, and what people might have stated."""

from __future__ import annotations

from collections.abc import Mapping

from runner.records.cluster import BenchmarkLock, Problem
from runner.records.evidence import EvidenceFile
from runner.records.gated import FrozenSet
from runner.records.handoff import Handoff
from runner.records.promotion import (
    AdapterRecord,
    BaseId,
    BenchmarkId,
    FileDigest,
    Incumbent,
    PromotionRecord,
    RunSource,
)
from runner.records.triggers import AgeTrigger, RealDataTrigger
from runner.rules.handoff.facts import Background, Made
from runner.rules.handoff.facts import made as made_from
from runner.rules.handoff.generated import generated
from tests import evidence_fixture
from tests.evidence_fixture import A, B, C

PEOPLE = """# Hand-off

**Who is called.** The desk's lead, and after hours whoever is on call. Look at `capability:gift-card` first: it is the
one that nobody has written a rubric for.
"""
STATED = Handoff(
    license="Apache-2.0",
    data_license="CC-BY-4.0",
    language=("en",),
    owner="The support desk",
    intended_use="Routing messages to a queue before a person reads them.",
    out_of_scope="Answering customers.",
    personal_data="Traces are redacted at the door.",
    limitations=("It has seen messages of one shop.",),
)
ARTIFACTS = {"base-data": "1" * 64, "gold": "2" * 64, "traces": "3" * 64, "mixture": "4" * 64}


def record(sequence: int = 2, *, adapter: str = A) -> PromotionRecord:
    files = {
        "adapter_config.json": FileDigest(sha256=B, size=71),
        "adapter_model.safetensors": FileDigest(sha256=C, size=9),
    }
    return PromotionRecord(
        cluster="support-desk",
        sequence=sequence,
        benchmark=BenchmarkId(id="support-desk", version=2, sha256=C),
        base=BaseId(kind="tiny", sha256=C),
        adapter=AdapterRecord(sha256=adapter, files=files),
        incumbent=Incumbent(sequence=0),
        evidence={},
        run=RunSource(branch=f"runs/support-desk/i3f9a27c{sequence}", iteration=f"i3f9a27c{sequence}"),
        human_share=0.75,
    )


def background(stated: Handoff = STATED, **cluster: object) -> Background:
    """The cluster has two triggers, and one promotion before."""
    triggers = (AgeTrigger(kind="age", days=90), RealDataTrigger(kind="real-data", of="gold", rows=200))
    problem = Problem.model_validate(
        {
            "gap": "Three queues are new, and the router knows three messages of each.",
            "why_not_real_data": "Each has been a queue for a few weeks only.",
            "metric": "composite",
            "threshold": 0.85,
            "real_only_baseline": {"value": 0.81, "how": "a logistic regression on all real rows."},
        }
    )
    frozen = FrozenSet(sha256=B, scenarios=240, owners=("benchmark-owner",))
    return Background(
        cluster=evidence_fixture.cluster().model_copy(update={"triggers": triggers, **cluster}),
        problem=problem,
        stated=stated,
        lock=BenchmarkLock(version=2, sets={"heldout": frozen}),
        records={1: record(1, adapter=B)},
        artifacts=ARTIFACTS,
    )


def made(
    evidence: Mapping[str, bytes] | None = None, *, stated: Handoff = STATED, **cluster: object
) -> dict[EvidenceFile, bytes]:
    """Every generated file."""
    files = evidence_fixture.evidence() if evidence is None else evidence
    return generated(record(), files, background(stated, **cluster))


def facts(*, artifacts: Mapping[str, str]) -> Made:
    """What the files are made from, where the ledger has these digests."""
    found = background()._replace(artifacts=artifacts)
    return made_from(record(), evidence_fixture.evidence(), found)
