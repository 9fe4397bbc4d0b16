"""A small cluster in memory: five capabilities, two of which the base has hardly seen, and traffic that shows it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runner.edges.simulated import Value
from runner.records.cluster import Cluster, Problem
from runner.records.conversation import Conversation, Message, Role
from runner.records.dataset import Example
from runner.records.params import ClusterParams
from runner.records.rubric import Rubric
from runner.records.scenario import Origin, OutcomeType, Scenario, SetName, Severity
from runner.records.trace import Feedback, Rating, Trace
from runner.rules.canonical import digest
from runner.rules.repository.benchmark import locked, set_digests
from runner.workspace import Workspace

WORDS = {
    "late-parcel": "parcel tracking courier delivery delayed shipped depot van driver arrive route dispatched",
    "refund": "refund money returned bank credit repaid reimburse balance owed statement amount payout",
    "sizing": "size fit small large waist sleeve length measure tight loose chart inches",
    "broken": "broken cracked shattered leaking dented snapped torn scratched faulty damaged split bent",
    "login": "password login account locked code email signin reset username verify session browser",
}
VOCABULARY = {
    name: [word + ending for word in words.split() for ending in ("", "s", "less")] for name, words in WORDS.items()
}
WEAK = ("broken", "login")
SHARED = [
    "please",
    "my",
    "the",
    "order",
    "you",
    "can",
    "help",
    "with",
    "today",
    "about",
    "i",
    "it",
    "is",
    "was",
    "have",
    "new",
    "from",
    "again",
    "still",
    "what",
]
CONFUSED = {"broken": "late-parcel", "login": "refund"}


class Writer:
    """Distinct texts of a capability, the same for the same seed."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._seen: set[str] = set()

    def text(self, capability: str) -> str:
        while True:
            own = self._random.sample(VOCABULARY[capability], 2)
            found = own + self._random.sample(SHARED, self._random.randint(2, 8))
            self._random.shuffle(found)
            text = " ".join(found)
            if text not in self._seen:
                self._seen.add(text)
                return text

    def examples(self, prefix: str, counts: Mapping[str, int]) -> tuple[Example, ...]:
        return tuple(
            Example(id=f"{prefix}-{name}-{n}", capability=name, input=user(self.text(name)), answer=name)
            for name, count in counts.items()
            for n in range(count)
        )


def user(text: str) -> Conversation:
    return (Message(role=Role.USER, content=text),)


def cluster(**changes: Any) -> Cluster:
    value: dict[str, Any] = {
        "id": "desk",
        "title": "Desk",
        "base": {"kind": "tiny"},
        "serving": {"target": "the inbox", "cost_per_hour": 3.6},
        "benchmark_version": 1,
        "capabilities": [{"id": name, "title": name, "definition": name} for name in WORDS],
        "gate": {
            "thresholds": {"composite": 0.8, "heldout": 0.8},
            "max_regressions": 0.1,
            "max_robustness_drop": 0.6,
        },
        "validation": {"max_membership_auc": 1.0, "max_closer_than_gold": 1.0},
        "human_floor": 0.25,
        "triage": {"required": "none"},
    }
    return Cluster.model_validate({**value, **changes})


PROBLEM = Problem.model_validate(
    {
        "gap": "broken and login are missed",
        "why_not_real_data": "few were ever labelled",
        "metric": "composite",
        "threshold": 0.8,
        "real_only_baseline": {"value": 0.6, "how": "the base alone on core"},
    }
)
RUBRIC = Rubric.model_validate(
    {
        "id": "queue",
        "title": "the right queue",
        "status": "approved",
        "normalisation": ["strip", "lowercase"],
        "criteria": [{"id": "name", "description": "the answer names the queue", "grader": {"kind": "exact"}}],
    }
)
PARAMS = ClusterParams.model_validate(
    {
        "expand": {"per_target": 20},
        "train": {"new_rows": 120, "replay": 60},
        "assess": {"resamples": 200},
        "base": {"steps": [100, 200]},
    }
)


def scenario(name: SetName, capability: str, number: int, text: str) -> Scenario:
    return Scenario(
        id=f"{name}-{capability}-{number:02d}",
        capability=capability,
        outcome_type=OutcomeType.TP,
        lens="inbox",
        severity=Severity.HIGH if capability in WEAK else Severity.LOW,
        origin=Origin.HUMAN,
        objective="the right queue",
        input=user(text),
        reference=capability,
        rubric="queue",
        pass_criteria=("the queue is right",),
        fail_criteria=("another queue",),
    )


def scenarios(writer: Writer) -> dict[SetName, tuple[Scenario, ...]]:
    sizes = {SetName.CORE: 8, SetName.DEV: 8, SetName.HELDOUT: 20, SetName.REPRESENTATIVE: 6}
    return {
        name: tuple(
            sorted(
                (scenario(name, one, n, writer.text(one)) for one in WORDS for n in range(size)),
                key=lambda found: found.id,
            )
        )
        for name, size in sizes.items()
    }


def traces(writer: Writer) -> tuple[Trace, ...]:
    """Weak capabilities answered wrongly, with people's answers; others answered rightly; repeats; one unanswered."""
    found = []
    for name in WORDS:
        for number in range(16 if name in WEAK else 6):
            right = Feedback(rating=Rating.NONE, correct_answer=name)
            response, stamp = CONFUSED.get(name, name), f"2026-01-{number + 1:02d}T00:00:00Z"
            trace = Trace(input=user(writer.text(name)), response=response, feedback=right, timestamp=stamp)
            found += [trace, trace.model_copy(update={"timestamp": "2026-02-01T00:00:00Z"})] if number == 0 else [trace]
    bad = Feedback(rating=Rating.BAD)
    return (*found, Trace(input=user(writer.text("broken")), response="sizing", feedback=bad, redactions={"email": 1}))


def data(writer: Writer) -> dict[str, Value]:
    strong = {name: 30 for name in WORDS if name not in WEAK}
    return {
        "base-data": writer.examples("base", {**strong, **dict.fromkeys(WEAK, 3)}),
        "gold": writer.examples("gold", dict.fromkeys(WEAK, 12)),
        "reference": writer.examples("reference", dict.fromkeys(WORDS, 8)),
        "traces": traces(writer),
    }


def fixture(**changes: Any) -> tuple[Workspace, dict[str, Value]]:
    """A workspace and the data behind its pointers. `changes` go into cluster.yaml."""
    writer = Writer()
    sets, values = scenarios(writer), data(writer)
    who = cluster(**changes)
    space = Workspace(
        cluster=who,
        problem=PROBLEM,
        lock=locked(sets, version=1, sets=tuple(sets)),
        scenarios=sets,
        rubrics={"queue": RUBRIC},
        triage={},
        params=PARAMS,
        digests={},
    )
    return replace(space, digests=digests(space)), values


def digests(space: Workspace) -> dict[str, str]:
    """What `workspace.load` would pin of these records."""
    return {
        "cluster": digest(space.cluster),
        "problem": digest(space.problem),
        "params": digest(space.params),
        "rubrics": digest([[name, digest(one)] for name, one in sorted(space.rubrics.items())]),
        **set_digests(space.scenarios),
    }
