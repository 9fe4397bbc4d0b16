"""The report shows what every figure is worth: intervals, tiers, what was detectable, outcome types, repeats."""

from __future__ import annotations

import re

from runner.edges.report import render
from runner.records.evidence import EvidenceFile
from runner.records.score import Scorecard, ScoredScenario
from runner.rules.canonical import canonical
from runner.rules.evaluation.assessment import RealOnlyRecord, assessed
from runner.rules.evaluation.comparison_words import verdicts
from runner.rules.evaluation.significance import weighed
from tests.test_gate_rates import ADAPTERS, SUBJECT, asking, flagging, repeated

LIMITS = {"significance": {"min_outcome_share": 0.5, "real_only": "refuse", "max_flip_share": 0.01}}
RECORDED = RealOnlyRecord("accuracy", 0.95)


def card(rows: list[ScoredScenario], **gate: object) -> Scorecard:
    """The scorecard that phase 12 would state of these rows."""
    asked = asking(0.01, **gate)
    known = assessed(
        rows,
        asked,
        subject=SUBJECT,
        adapters=ADAPTERS,
        resamples=200,
        seed=1,
        real_only=RECORDED,
    )
    return weighed(known, rows, asked, resamples=200, seed=1)


def page(found: Scorecard, **gate: object) -> str:
    text = render({EvidenceFile.SCORECARD: canonical(found)}, cluster=asking(0.01, **gate)).decode()
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def test_flagging_everything_is_plain_to_see() -> None:
    found = card(flagging(), **LIMITS)
    text = page(found, **LIMITS)
    assert "By outcome type, on held-out" in text
    assert "candidate 100/100 0.963 to 1.000 0/8 0.000 to 0.324 0/4 0.000 to 0.490 8/8 0.676 to 1.000" in text
    assert "1.000 0.966 to 1.000 0.000 0.000 to 0.242 0.500" in text, "sensitivity, specificity, balanced accuracy"
    assert "Worst outcome type on held-out fp-guard 0 of 4 at least 50% of each" in text
    assert "Beside real data alone accuracy 0.900 above 0.950" in text
    assert verdicts(found)[-1].startswith("below real data alone: accuracy 0.900 (0.833 to 0.942)")


def test_repeats_and_tiers_are_shown() -> None:
    found = card(repeated(4), **LIMITS)
    text = page(found, **LIMITS)
    assert "The incumbent, asked again 3.3% in 1 repeat at most 1.0% turned" in text
    assert "Lost as what the incumbent turns 2 at most 1.0% of 121" in text
    assert "each of 2 times, fail with the candidate" in text
    assert "2 that it passed at first, and failed itself in a repeat, are not counted" in text
    assert "unreliable baseline" in text
    assert verdicts(found)[0].startswith("composite: core 1.000 (0.207 to 1.000), heldout 0.")
    assert verdicts(found)[1] == "unreliable baseline: asked again, the incumbent turns 3.3% of its own verdicts"
    steady = card(repeated(4))
    assert "improved over the incumbent: +21.7 points" in page(steady)


def test_an_older_scorecard_has_none_of_it() -> None:
    old = assessed(flagging(), asking(0.01), subject=SUBJECT, adapters=ADAPTERS)
    plain = old.model_copy(update={"repeats": None, "real_only": None})
    assert verdicts(plain) == ()
    assert "asked again" not in page(plain)
    bare = plain.model_dump(mode="json")
    assert not {"repeats", "real_only", "perturbed_comparisons"} & set(bare)
    assert not {"tier", "detectable"} & set(bare["comparisons"][0])
    assert not {"interval", "pass_interval", "detection"} & set(bare["models"]["base"]["sets"]["heldout"])
