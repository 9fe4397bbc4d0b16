"""Which way each setting is looser: the table by which a review says LOOSENED.

A field is written as its path, items of a list by their id in brackets, `*` for any. What is not here is reported as
changed, without a direction; `NEITHER` names the numbers and switches of cluster.yaml of which that is meant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple


class Looser(StrEnum):
    """What lets more pass."""

    HIGHER = "a higher number"
    LOWER = "a lower number"
    ON = "true"
    OFF = "false"
    FEWER = "fewer of them"
    MORE = "more of them"
    LATER = "a later value of the order"


class Rule(NamedTuple):
    looser: Looser
    meaning: str
    unset: float | None = None
    """What a number means that is left out; infinity for no limit. None: it cannot be told."""
    order: tuple[str, ...] = ()
    """From the strictest."""


HIGHER, LOWER, ON, OFF, FEWER, MORE = list(Looser)[:6]
NO_LIMIT, NOTHING = float("inf"), float("-inf")


def _stage(name: str) -> dict[str, Rule]:
    home = f"stages.{name}"
    return {
        f"{home}.source": Rule(Looser.LATER, f"which traffic counts before {name}", order=("live", "any")),
        f"{home}.min_requests": Rule(LOWER, f"requests answered before {name}"),
        f"{home}.min_hours": Rule(LOWER, f"hours watched before {name}"),
        f"{home}.max_age_days": Rule(HIGHER, f"how old results may be at {name}, in days"),
        f"{home}.min_agreement": Rule(LOWER, f"agreement with the reference before {name}"),
        f"{home}.max_error_rate": Rule(HIGHER, f"errors borne before {name}"),
        f"{home}.max_drop": Rule(HIGHER, f"how far below the incumbent before {name}"),
        f"{home}.max_latency_p95_ms": Rule(HIGHER, f"latency borne before {name}, in ms"),
    }


CLUSTER: Mapping[str, Rule] = {
    "capabilities[*]": Rule(FEWER, "what the specialist is tested on"),
    "gate.thresholds.composite": Rule(LOWER, "the score that a model must reach over all sets"),
    "gate.thresholds.heldout": Rule(LOWER, "the score that a model must reach on held-out"),
    "gate.max_p_value": Rule(HIGHER, "how sure an improvement must be (p-value)"),
    "gate.max_regressions": Rule(HIGHER, "the share of right answers that a new model may lose"),
    "gate.capability_alpha": Rule(LOWER, "how readily a capability counts as worse"),
    "gate.max_robustness_drop": Rule(HIGHER, "how far the score may fall on untidy messages"),
    "gate.perturbations": Rule(FEWER, "the kinds of untidy messages that the gate looks at"),
    "gate.max_general_drop": Rule(HIGHER, "how much of what any model can do may be forgotten", 0.05),
    "gate.max_latency_p95_ms": Rule(HIGHER, "how slow answers may be, in ms", NO_LIMIT),
    "gate.significance.effect": Rule(HIGHER, "the difference that a comparison must be able to see"),
    "gate.significance.power": Rule(LOWER, "how often a real difference must be found"),
    "gate.significance.max_flip_share": Rule(HIGHER, "how unsteady the baseline may be"),
    "gate.significance.min_outcome_share": Rule(LOWER, "the share passed that each outcome type must reach"),
    "gate.significance.real_only": Rule(
        Looser.LATER, "whether a model no better than real data alone is refused", order=("refuse", "say")
    ),
    "stages.enter": Rule(Looser.LATER, "where a new model begins to serve", order=("shadow", "canary", "production")),
    **_stage("canary"),
    **_stage("production"),
    "stages.max_rollback_seconds": Rule(HIGHER, "how long going back may take"),
    "validation.max_*": Rule(HIGHER, "what a batch of synthetic rows is held to"),
    "validation.min_utility": Rule(LOWER, "what a batch of synthetic rows must teach"),
    "human_floor": Rule(LOWER, "the least share of human examples among new ones"),
    "mixture.corrected_is_human": Rule(ON, "whether mended synthetic rows count as human"),
    "mixture.caps.*": Rule(HIGHER, "how much of the new rows may come from one place"),
    "mixture.tails.slices": Rule(LOWER, "how many rare kinds of real data must be kept"),
    "mixture.tails.ngrams": Rule(LOWER, "how much rare wording of real data must be kept"),
    "mixture.tails.fall": Rule(HIGHER, "how far below earlier models rare data may fall"),
    "mixture.withdrawn[*]": Rule(MORE, "human rows that may leave the training data"),
    "triage.required": Rule(Looser.LATER, "which synthetic rows people look at", order=("all", "sample", "none")),
    "triage.sample": Rule(LOWER, "the share of synthetic rows that people look at"),
    "triage.max_error_rate": Rule(HIGHER, "the errors borne in rows that nobody looked at"),
    "triage.signed": Rule(OFF, "whether reviewers sign"),
    "triage.double": Rule(LOWER, "the share of rows that two people look at", 0.0),
    "triage.min_kappa": Rule(LOWER, "how far two reviewers must agree", NOTHING),
    "heldout_looks": Rule(HIGHER, "how many models may be tried on the same held-out set"),
    "plateau.patience": Rule(HIGHER, "iterations without improvement before the loop stops"),
    "evaluation.general[*]": Rule(FEWER, "what any model can do and this one must not forget"),
    "evaluation.general[*].max_drop": Rule(HIGHER, "how much of it may be forgotten"),
    "evaluation.perturbations": Rule(FEWER, "the kinds of untidy messages that are tried"),
    "signals.max_source_share": Rule(HIGHER, "how much one sender may steer"),
    "signals.free_rows": Rule(HIGHER, "rows of one sender that always count"),
    "signals.unnamed": Rule(Looser.LATER, "how messages without a sender count", order=("one", "each")),
    "signals.flagged": Rule(Looser.LATER, "what becomes of suspicious messages", order=("hold", "use")),
    "generation.servers[*]": Rule(MORE, "servers that this cluster's data may be sent to"),
    "generation.servers[*].sends": Rule(MORE, "what may be sent to it"),
    "domain_rules[*]": Rule(FEWER, "what every candidate must be"),
    "diversity.near_duplicate": Rule(HIGHER, "how alike candidates may be"),
    "diversity.min_*": Rule(LOWER, "how varied a batch must be", NOTHING),
    "diversity.max_*": Rule(HIGHER, "how repetitive a batch may be", NO_LIMIT),
    "hardware.min_*": Rule(LOWER, "the least machine that may work on this"),
    "hardware.machines": Rule(MORE, "the machines that may work on this"),
    "fleet.boundary": Rule(FEWER, "the boundary that the data stay in"),
    "fleet.hosts": Rule(MORE, "servers that count as inside the boundary"),
    "fleet.serves_in": Rule(MORE, "other boundaries in which its models may serve"),
    "fleet.exports": Rule(MORE, "what may leave the boundary"),
    "triggers[*]": Rule(FEWER, "what starts another iteration by itself"),
    "triggers[*].rows": Rule(HIGHER, "how many new rows start another iteration"),
    "triggers[age].days": Rule(HIGHER, "after how many days another iteration starts"),
    "triggers[*].drop": Rule(HIGHER, "how far the score in production may fall"),
    "triggers[*].confidence": Rule(HIGHER, "how sure a fall in production must be"),
    "triggers[*].min_signals": Rule(HIGHER, "in how many judged signals a fall must be seen"),
}
NEITHER = (
    "benchmark_version", "capabilities[*].weight", "serving.*", "validation.min_rows", "validation.min_real",
    "validation.min_records", "triage.seed", "evaluation.early_stop", "evaluation.smoke.*", "evaluation.rotation.*",
    "evaluation.general[*].*", "triggers[score-drop].days",
)  # fmt: skip
"""Numbers and switches of cluster.yaml that let neither more nor less pass, or not always the same way."""
PROBLEM: Mapping[str, Rule] = {
    "threshold": Rule(LOWER, "the figure by which the specialist is worth having"),
    "real_only_baseline.value": Rule(LOWER, "what real data alone reaches, which a model must beat"),
}
LOCK: Mapping[str, Rule] = {
    "sets": Rule(FEWER, "sets that only their owners change"),
    "judges": Rule(FEWER, "judges that the benchmark pins"),
}
JUDGE: Mapping[str, Rule] = {
    "floor.min_kappa": Rule(LOWER, "how far the judge must agree with people"),
    "floor.min_labels": Rule(LOWER, "answers that people must have labelled"),
    "floor.min_each": Rule(LOWER, "answers of each kind that people must have labelled"),
    "floor.max_flip_rate": Rule(HIGHER, "how often the judge may turn with the order"),
    "floor.max_abstentions": Rule(HIGHER, "how often the judge may say nothing"),
    "model<*>.sends": Rule(MORE, "the sets that may be sent to the judge"),
}
TRUST: Mapping[str, Rule] = {
    "changes.*[*].people": Rule(LOWER, "people who must sign"),
    "changes.*[*]": Rule(FEWER, "who must sign"),
    "people.*": Rule(MORE, "roles, and so what this person may sign"),
    "approval_days": Rule(HIGHER, "how long a signature holds, in days"),
    "expires": Rule(HIGHER, "until when the policy holds"),
    "revoked keys": Rule(FEWER, "keys and models that nobody trusts any more"),
    "signing keys": Rule(MORE, "keys that may sign"),
}
RUBRIC: Mapping[str, Rule] = {
    "criteria[*]": Rule(FEWER, "what an answer is graded by"),
    "criteria[*].required": Rule(OFF, "whether an answer must meet it to pass"),
    "pass_score": Rule(LOWER, "the share of the criteria that passes"),
    "normalisation": Rule(MORE, "differences in writing that are forgiven"),
    "criteria[*].grader<one-of>.values": Rule(MORE, "answers that are right"),
    "criteria[*].grader<contains>.values": Rule(FEWER, "what an answer must say"),
    "criteria[*].grader<contains-none>.values": Rule(FEWER, "what an answer must not say"),
    "criteria[*].grader<contains>.whole_words": Rule(OFF, "whether parts of words count"),
    "criteria[*].grader<numeric>.absolute": Rule(HIGHER, "how far off a number may be"),
    "criteria[*].grader<numeric>.relative": Rule(HIGHER, "how far off a number may be, as a share"),
    "criteria[*].grader<*>.echo.cap": Rule(HIGHER, "credit for repeating the question"),
}


def rule_for(field: str, table: Mapping[str, Rule]) -> Rule | None:
    """The rule of a field; an exact row comes before one with `*`."""
    found = table.get(field)
    return found or next((rule for pattern, rule in table.items() if matches(pattern, field)), None)


def matches(pattern: str, field: str) -> bool:
    return bool(_compiled(pattern).match(field))


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    """A star at the end stands for all that follows; in brackets, for one item; elsewhere, for one word."""
    parts = re.split(r"(\*)", pattern)
    last = pattern.endswith("*")
    written = []
    for number, part in enumerate(parts):
        if part != "*":
            written.append(re.escape(part))
        elif last and number == len(parts) - 2:
            written.append(r"[^\[\]]+")
        else:
            written.append(r"[^\[\]<>.]+")
    return re.compile("".join(written) + r"\Z")
