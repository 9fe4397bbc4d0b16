"""Phase 8 against constructed truth: what was copied, mislabelled, templated or off the subject is refused by the
measure meant for it, and what real people wrote passes."""

from __future__ import annotations

import csv
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.edges.classifier import LinearTextClassifier
from runner.edges.simulated import MemoryArtifacts, simulated_ports
from runner.phases import p08_validate
from runner.records.cluster import Validation
from runner.records.dataset import Batch, Candidate, Channel, Example, Generator, Provenance
from runner.records.failure import Diagnosis
from runner.records.scenario import Origin, SetName
from runner.records.validation import BatchValidation, Judgement, ValidationReport
from runner.records.verdict import Outcome, Verdict
from runner.rules.data.cleanliness import Slips, cleanliness
from runner.rules.data.fidelity import fidelity, spread
from runner.rules.data.validation import fidelity_shortfalls
from runner.rules.evaluation.statistics import auc, auc_interval
from runner.rules.loop.bundle import refused_batches
from runner.rules.naming import slug
from runner.rules.text.perturbation import rewrite
from runner.workspace import Inputs
from tests.flywheel_fixture import fixture, scenario, user

ROWS, GOLD, REFERENCE, DEV, BASE = 40, 60, 20, 15, 20
INTENT = "card-payment-wrong-exchange-rate"
ELSEWHERE = "quantum zebra lagoon xylophone volcano Jupiter rhubarb mitochondria obelisk walrus gnu kraken"
TRADE = "parcel order refund card account please when where still waiting money again today number late my is it the"
OTHERS = 8
"""Other intents beside the one a batch is of."""
Parts = Mapping[str, Sequence[str]]
"""Texts of one intent by who has them (`held`, `gold`, `reference`, `dev`, `base`), and `other` intents' texts."""
Made = Callable[[Parts, random.Random], Sequence[str]]


@pytest.fixture(scope="module")
def intents(data: Path) -> dict[str, list[str]]:
    """The distinct BANKING77 queries of every intent that has 155 or more."""
    found = defaultdict(dict)
    with (data / "banking77" / "train.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found[slug(row["category"])][row["text"].strip()] = None
    return {name: list(texts) for name, texts in found.items() if len(texts) >= ROWS + GOLD + REFERENCE + DEV + BASE}


def examples(part: str, capability: str, texts: Sequence[str]) -> list[Example]:
    return [
        Example(id=f"{part}-{capability}-{at}", capability=capability, input=user(text), answer=capability)
        for at, text in enumerate(texts)
    ]


def split(texts: Sequence[str], seed: int, **sizes: int) -> dict[str, list[str]]:
    left = list(texts)
    random.Random(seed).shuffle(left)
    wanted = {"held": ROWS, "gold": GOLD, "reference": REFERENCE, "dev": DEV, "base": BASE, **sizes}
    return {name: [left.pop() for _ in range(size)] for name, size in wanted.items()}


def validated(
    intents: Mapping[str, Sequence[str]],
    intent: str,
    make: Made,
    *,
    seed: int = 1,
    channel: Channel = Channel.LLM,
    limits: Mapping[str, Any] | None = None,
    others: int = OTHERS,
    **sizes: int,
) -> BatchValidation:
    """What phase 8 says of one batch that `make` wrote, between other intents of the same data."""
    parts = split(intents[intent], seed, **sizes)
    random_ = random.Random(seed)
    beside = random_.sample(sorted(set(intents) - {intent}), others)
    base, dev = examples("base", intent, parts["base"]), [(intent, text) for text in parts["dev"]]
    for other in beside:
        base += examples("base", other, intents[other][:25])
        dev += [(other, text) for text in intents[other][25:30]]
    gold = examples("gold", intent, parts["gold"])
    texts = make({**parts, "other": [text for name in beside for text in intents[name][30:60]]}, random_)
    of_text = {text: (row.id,) for row in gold for text in [row.input[-1].content]}
    everyone = tuple(row.id for row in gold)
    rows = [
        Candidate(
            example=Example(
                id=f"cand-{at}", capability=intent, input=user(text), answer=intent, origin=Origin.SYNTHETIC
            ),
            batch="b",
            parents=of_text.get(text, everyone) if channel is Channel.PERTURBATION else everyone,
        )
        for at, text in enumerate(texts)
    ]
    made = Provenance(
        channel=channel,
        generator=Generator(name="test", version="1", sha256="0" * 64),
        parameters={},
        seed=seed,
        target="t",
        parents=everyone,
        count=len(rows),
    )
    space, _ = fixture(validation=dict(limits or {}))
    sets = dict.fromkeys(SetName, ()) | {
        SetName.DEV: tuple(
            scenario(SetName.DEV, "login", at, text).model_copy(update={"capability": name})
            for at, (name, text) in enumerate(dev)
        )
    }
    values = {
        "batches": (Batch(id="b", provenance=made),),
        "candidates": tuple(rows),
        "gold": tuple(gold),
        "base-data": tuple(base),
        "unique": (),
        "diagnosis": Diagnosis(failures=(), targets=(), uncovered=()),
        "reference": tuple(examples("reference", intent, parts["reference"])),
    }
    ports = replace(simulated_ports(), classifier=LinearTextClassifier())
    output = p08_validate.run(Inputs(replace(space, scenarios=sets), MemoryArtifacts(values)), ports)
    report: Any = output.artifacts["validation"]
    (found,) = report.batches
    assert {one.batch for one in output.artifacts["valid"]} == ({"b"} if found.judged is Judgement.PASS else set())
    return found


def said(found: BatchValidation, step: str) -> str:
    return " | ".join(reason.problem for reason in found.verdict.reasons if reason.step == step)


def real(parts: Parts, random_: random.Random) -> Sequence[str]:
    return parts["held"]


def copied(parts: Parts, random_: random.Random) -> list[str]:
    """Gold rows with a word swapped or a letter slipped, offered as new."""
    return [rewrite(text, random_) for text in parts["gold"][:ROWS]]


def mislabelled(parts: Parts, random_: random.Random) -> list[str]:
    return random_.sample(list(parts["other"]), ROWS)


def templated(parts: Parts, random_: random.Random) -> list[str]:
    things, times = ("card", "account", "payment", "transfer", "balance"), ("today", "soon", "now", "this week")
    return [
        f"Could you please help me with my {random_.choice(things)} {random_.choice(times)}, request {at}?"
        for at in range(ROWS)
    ]


def astray(parts: Parts, random_: random.Random) -> list[str]:
    return [*parts["held"][:30], *(" ".join(random_.choices(ELSEWHERE.split(), k=9)) for _ in range(10))]


def refusals(intents: Mapping[str, Sequence[str]], runs: int, **sizes: int) -> Counter[str]:
    """Reasons against rows held back from the same intent and offered as a generator's, over seeds and intents."""
    names, reasons = sorted(intents), Counter()
    for seed in range(runs):
        found = validated(intents, names[seed % len(names)], real, seed=seed, **sizes)
        assert found.fidelity
        assert found.privacy
        assert (found.fidelity.c2st_auc, found.utility, found.privacy.membership) != (None, None, None)
        reasons.update([f"{reason.step}: {reason.problem.split(',')[0]}" for reason in found.verdict.reasons])
    return reasons


def test_what_real_people_wrote_passes(intents: dict[str, list[str]]) -> None:
    assert sum(refusals(intents, 5).values()) == 0


@pytest.mark.acceptance
@pytest.mark.parametrize("sizes", [{}, {"held": 20, "gold": 25, "reference": 10, "dev": 8, "base": 5}])
def test_few_of_what_real_people_wrote_is_refused(intents: dict[str, list[str]], sizes: dict[str, int]) -> None:
    runs = 120
    refused = refusals(intents, runs, **sizes)
    print(f"real batches, {sizes or 'usual sizes'}: {sum(refused.values())} reasons in {runs} batches {dict(refused)}")
    assert sum(refused.values()) <= 0.05 * runs


def test_a_batch_of_gold_is_refused_for_privacy(intents: dict[str, list[str]]) -> None:
    found = validated(intents, INTENT, copied, gold=ROWS)
    assert found.judged is Judgement.REFUSE
    for part in ("sources from held-back rows", "closer to gold than", "eight words in a row"):
        assert part in said(found, "privacy")
    assert found.privacy
    assert found.privacy.membership
    assert found.privacy.membership.low > 0.7
    assert found.privacy.low_distance_gold < 0.2 < found.privacy.low_distance_reference
    assert found.privacy.recall_5 > 0.3
    assert not found.verdict.passed


def test_a_batch_of_which_half_is_gold_is_refused_too(intents: dict[str, list[str]]) -> None:
    def half(parts: Parts, random_: random.Random) -> list[str]:
        return [*copied(parts, random_)[: ROWS // 2], *parts["held"][: ROWS // 2]]

    found = validated(intents, INTENT, half)
    assert "closer to gold than nine in ten gold rows" in said(found, "privacy")
    assert found.privacy
    assert 0.4 < found.privacy.closer_than_gold.value < 0.75
    few = validated(intents, INTENT, real, gold=19).privacy
    assert few
    assert few.closer_than_gold is None


def test_a_perturbation_says_what_it_rewrites_and_is_not_judged_for_it(intents: dict[str, list[str]]) -> None:
    found = validated(intents, INTENT, copied, channel=Channel.PERTURBATION, gold=ROWS)
    assert found.privacy
    assert found.privacy.membership.low > 0.7
    assert said(found, "privacy") == ""


def test_wrong_labels_are_refused_for_utility(intents: dict[str, list[str]]) -> None:
    found = validated(intents, INTENT, mislabelled)
    assert "of what as many real rows teach" in said(found, "utility")
    assert found.utility
    assert found.utility.lift.high < 0.5
    assert (found.utility.trained_on, found.utility.tested_on) == (ROWS, 2 * (DEV + BASE // 5))
    true = validated(intents, INTENT, real).utility
    assert true
    assert true.lift.low > 0.5


def test_templates_are_told_apart_and_too_clean(intents: dict[str, list[str]]) -> None:
    found = validated(intents, INTENT, templated)
    assert "a classifier tells the batch from real rows" in said(found, "fidelity")
    assert found.fidelity.c2st_auc.low > 0.85
    assert found.fidelity.cleanliness.traits["variety"].tail <= 0.0025


def test_rows_off_the_subject_are_counted(intents: dict[str, list[str]]) -> None:
    found = validated(intents, INTENT, astray)
    assert found.fidelity.outliers.value == pytest.approx(0.25, abs=0.03)
    assert "like no real row" in said(found, "fidelity")
    assert said(found, "privacy") == ""


@pytest.mark.parametrize(
    ("sizes", "step", "needs"),
    [
        ({"held": 5}, "size", "3 more"),
        ({"reference": 2}, "privacy", "3 more in data/reference.jsonl"),
        ({"gold": 3}, "privacy", "2 more in data/gold.jsonl"),
        ({"dev": 1, "base": 5}, "utility", "dev scenarios"),
        ({"gold": 5, "base": 0}, "fidelity", "5 more human rows"),
    ],
)
def test_too_little_data_is_a_judgement_that_says_what_it_takes(
    intents: dict[str, list[str]], sizes: dict[str, int], step: str, needs: str
) -> None:
    found = validated(intents, INTENT, real, **sizes)
    assert found.judged is Judgement.INSUFFICIENT_DATA
    assert not found.verdict.passed
    assert [reason.step for reason in found.lacking] == [step]
    assert needs in found.lacking[0].hint
    assert "insufficient data" in found.verdict.reasons[0].problem


def test_a_cluster_of_one_capability_has_nothing_to_tell_apart(intents: dict[str, list[str]]) -> None:
    found = validated(intents, INTENT, real, others=0)
    assert (found.judged, found.utility) == (Judgement.PASS, None)


def test_of_many_rows_a_sample_is_compared(intents: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(p08_validate, "MOST", 15)
    found = validated(intents, INTENT, copied, gold=ROWS)
    assert (found.rows, found.utility.trained_on) == (ROWS, 15)
    assert found == validated(intents, INTENT, copied, gold=ROWS)
    assert "closer" not in said(found, "privacy"), "asked from 20 sources on"


def test_a_limit_that_nothing_breaks_switches_its_measure_off(intents: dict[str, list[str]]) -> None:
    off = {"max_membership_auc": 1.0, "max_closer_than_gold": 1.0, "max_verbatim_rows": 1.0, "max_exact_copies": 1.0}
    assert validated(intents, INTENT, real, limits=off, reference=0).judged is Judgement.PASS
    assert said(validated(intents, INTENT, copied, limits=off), "privacy") == ""


def test_what_a_program_wrote_is_told_from_what_people_wrote(data: Path) -> None:
    """NL-RX: the same regular expressions, described by a program and by people."""
    people, program = (
        (data / "nl_rx" / kind / "src-train.txt").read_text(encoding="utf-8").splitlines() for kind in ("turk", "synth")
    )
    random_ = random.Random(3)
    at = random_.sample(range(min(len(people), len(program))), 300)
    one, other = [people[n] for n in at[:150]], [people[n] for n in at[150:]]
    machine = [program[n] for n in at[150:]]
    classifier = LinearTextClassifier()
    made, true = classifier.told_apart(machine, one, seed=1)
    low, _ = auc_interval(made, true)
    same_made, same_true = classifier.told_apart(other, one, seed=1)
    same_low, same_high = auc_interval(same_made, same_true)
    value, same = auc(made, true), auc(same_made, same_true)
    print(f"NL-RX, program against people: AUC {value:.3f} (from {low:.3f}); people: {same:.3f} ({same_low:.3f})")
    assert low > Validation().max_c2st_auc
    assert same_low < 0.5 < same_high
    clean = cleanliness(machine, one, slips=Slips(one), seed=1)
    assert clean
    assert clean.score == pytest.approx(1 / 3)
    assert clean.traits["variety"].batch < clean.traits["variety"].real
    assert cleanliness(other, one, slips=Slips(one), seed=1).score == 0


def test_out_of_fold_scores_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import roc_auc_score

    made, true = [f"alpha beta {n}" for n in range(12)], [f"beta gamma {n % 5} delta" for n in range(17)]
    scores = LinearTextClassifier().told_apart(made, true, seed=2)
    assert list(map(len, scores)) == [12, 17]
    assert auc(*scores) == pytest.approx(roc_auc_score([1] * 12 + [0] * 17, [*scores[0], *scores[1]]), abs=1e-12)
    assert auc(*scores) > 0.95
    assert LinearTextClassifier().told_apart(["one"], true, seed=2)[0] == (0.0,)


def test_nearest_is_by_cosine_and_never_oneself() -> None:
    to_real, own = LinearTextClassifier().nearest(
        ["the blue boat", "xyzzy"], ["the blue boat", "the blue boats", "a cat"]
    )
    assert to_real[0] == pytest.approx(0.0, abs=1e-6)
    assert to_real[1] > 0.9
    assert 0 < own[0] < 0.5
    assert own[2] > 0.8


def test_equal_samples_of_one_source_lie_within_its_spread() -> None:
    words = TRADE.split()
    random_ = random.Random(5)
    texts = [" ".join(random_.choices(words, k=random_.randint(3, 14))) for _ in range(260)]
    usual = spread(texts[60:], size=60, seed=1)
    assert usual == spread(texts[60:], size=60, seed=1)
    inside = 0
    for start in range(0, 200, 20):
        batch = texts[start : start + 60]
        found = fidelity(batch, [text for text in texts if text not in batch], parents=())
        inside += found.vocabulary_distance <= usual.vocabulary_distance
    assert inside >= 8
    odd = fidelity(["entirely different vocabulary here"] * 60, texts, parents=())
    assert odd.vocabulary_distance > usual.vocabulary_distance
    with pytest.raises(ValueError, match="no spread"):
        spread(["one"], size=3, seed=1)


def test_slips_are_known_by_the_real_rows_alone() -> None:
    real = ["where is my parcel"] * 4 + ["the parcel is late", "my parcels are late", "my parcle is late"]
    slips = Slips(real)
    assert slips.rate("where is my pacel", own=False) == pytest.approx(1 / 4)
    assert slips.rate("where is my parzel", own=False) == pytest.approx(1 / 4)
    assert slips.rate("where is my parrcel", own=False) == pytest.approx(1 / 4)
    assert slips.rate("where is my parcels", own=False) == 0
    assert slips.rate("where is my passport", own=False) == 0
    assert slips.rate("my parcle is late", own=True) == 0, "the last letter differs"
    assert slips.rate("my pracel is late", own=False) == pytest.approx(1 / 4)


def test_tidied_rows_are_too_clean() -> None:
    """The same messages, tidied: capitals, end marks, spelt out, and from a handful of words."""
    random_ = random.Random(7)
    words = TRADE.split()

    def message() -> list[str]:
        return random_.choices(words, k=random_.randint(5, 9))

    def typed() -> str:
        text = " ".join(["i can't", *message()]) if random_.random() < 0.5 else " ".join(message())
        return text + random_.choice(("", "", "..", "?", " !"))

    def tidy() -> str:
        return " ".join(["I cannot find", *random_.choices(words[:4], k=6)]).capitalize() + "."

    real = [typed() for _ in range(80)]
    found = cleanliness([tidy() for _ in range(40)], real, slips=Slips(real), seed=1)
    assert found
    counted = {name for name, one in found.traits.items() if one.tail <= 0.025}
    assert counted >= {"casing", "punctuation", "contractions", "variety"}
    assert found.score == pytest.approx(len(counted) / 6)
    like = fidelity([tidy() for _ in range(40)], real, parents=()).model_copy(update={"cleanliness": found})
    loose = Validation(max_length_distance=1.0, max_vocabulary_distance=1.0, max_ngram_distance=1.0)
    (reason,) = fidelity_shortfalls(like, loose)
    assert reason.problem.startswith("the batch is tidier than what people write: more regular capitals")
    assert cleanliness([typed() for _ in range(40)], real, slips=Slips(real), seed=1).score <= 1 / 6
    assert cleanliness([], real, slips=Slips(real), seed=1) is None


def test_the_approver_is_told_which_batches_were_refused_and_which_not_judged() -> None:
    judged = {
        name: BatchValidation(
            batch=name,
            rows=9,
            fidelity=None,
            utility=None,
            privacy=None,
            leaks=(),
            verdict=Verdict(outcome=Outcome.PASS if judgement is Judgement.PASS else Outcome.REFUSE),
            judgement=judgement,
        )
        for name, judgement in (("a", Judgement.PASS), ("b", Judgement.REFUSE), ("c", Judgement.INSUFFICIENT_DATA))
    }
    report = ValidationReport(batches=tuple(judged.values()), passed=("a",), failed=("b", "c"))
    found = {risk.title: risk.detail for risk in refused_batches(report)}
    assert found == {
        "Batches refused": "Validation refused b.",
        "Batches not judged": "Too little is known to validate c; they trained nothing.",
    }
    old = [one.model_copy(update={"judgement": None}) for one in judged.values()]
    assert [one.judged for one in old] == [Judgement.PASS, Judgement.REFUSE, Judgement.REFUSE]


def test_the_page_gives_the_limits_and_defaults_of_the_code() -> None:
    page = (Path(__file__).parents[1] / "docs" / "validation.md").read_text(encoding="utf-8")
    said = dict(re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", page, re.MULTILINE))
    assert {name: float(value) for name, value in said.items()} == Validation().model_dump()
