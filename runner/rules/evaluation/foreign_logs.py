"""Other programs' evaluations as samples of ours: every score is computed again where its scorer is known, and compared
with the one that was recorded.

The scorers are those of Inspect (`inspect_ai.scorer`: match, includes, exact) and of lm-evaluation-harness
(`lm_eval.api.metrics.exact_match_hf_evaluate`, and the accuracy of multiple choice), as their sources state them.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.records.base import SLUG, SLUG_LENGTH
from runner.records.conversation import Conversation
from runner.records.evaluation import Sample
from runner.records.judge import Judge
from runner.records.rubric import Rubric
from runner.records.scenario import Scenario
from runner.records.score import Grade
from runner.records.terms import OutcomeType, SetName
from runner.rules.evaluation.evaluations import without_texts
from runner.rules.evaluation.grading import grade
from runner.rules.evaluation.scoring import AS_WRITTEN
from runner.rules.naming import slug

Options = Mapping[str, Any]
CLOSE = 1e-9
AROUND = string.whitespace + string.punctuation


@dataclass(frozen=True)
class ForeignSample:
    """What another program asked, was answered and recorded."""

    id: str
    targets: tuple[str, ...]
    answer: str
    recorded: Mapping[str, float]
    """By scorer, 1 for right."""
    input: Conversation = ()
    tokens: int = 0
    metadata: Options = field(default_factory=dict)
    choices: tuple[float, ...] = ()
    """Log-likelihoods of the choices, where one of them was to be chosen."""


@dataclass(frozen=True)
class ForeignLog:
    """An evaluation that another program logged."""

    task: str
    model: str
    engine: str
    """The program and its version."""
    scorers: Mapping[str, Options]
    """Those that were used, in their order, with their options."""
    samples: Sequence[ForeignSample]
    stated: Mapping[str, float]
    """The mean that the log states of each scorer."""


@dataclass(frozen=True)
class Imported:
    """The samples, and how what was recorded compares with what was computed again."""

    samples: tuple[Sample, ...]
    recomputed: Mapping[str, int]
    """Scores computed again, by scorer."""
    taken: Mapping[str, int]
    """Scores taken over as recorded, because their scorer is not known here."""
    differing: tuple[str, ...]
    """Each score, and each mean, that is not the recorded one."""


def _match(answer: str, target: str, options: Options) -> bool | None:
    """None for a number, which Inspect reads out of the text in a way of its own."""
    if options.get("numeric"):
        return None
    value, wanted = answer.strip(), target.strip()
    if options.get("ignore_case", True):
        value, wanted = value.casefold(), wanted.casefold()
    value, wanted = value.strip(AROUND), wanted.strip(AROUND)
    match options.get("location", "end"):
        case "begin":
            return value.startswith(wanted)
        case "end":
            return value.endswith(wanted)
        case "exact":
            return value == wanted
        case "any":
            return wanted in value
    return None


def _includes(answer: str, target: str, options: Options) -> bool:
    if options.get("ignore_case", True):
        return target.casefold() in answer.casefold()
    return target in answer


def _exact(answer: str, target: str, options: Options) -> bool:
    return bool(_plain(target)) and _plain(answer) == _plain(target)


def _plain(text: str) -> str:
    """As Inspect's `exact` compares: words without case, articles and punctuation, and numbers by their value."""
    words = (re.sub(r"\b(a|an|the)\b", " ", _bare(word.casefold())) for word in re.split(" |-", text))
    return " ".join(" ".join(words).split())


def _bare(word: str) -> str:
    for number in (word, word.strip(AROUND), "".join(letter for letter in word if letter not in string.punctuation)):
        try:
            value = float(number)
        except ValueError:
            continue
        if math.isfinite(value):
            return str(value)
    return "".join(letter for letter in word if letter not in string.punctuation)


def _exact_match(answer: str, target: str, options: Options) -> bool | None:
    if options.get("regexes_to_ignore"):
        return None  # another program's patterns are not run here
    if options.get("ignore_case"):
        answer, target = answer.lower(), target.lower()
    dropped = string.punctuation * bool(options.get("ignore_punctuation"))
    dropped += string.digits * bool(options.get("ignore_numbers"))
    table = str.maketrans("", "", dropped)
    return answer.translate(table) == target.translate(table)


SCORERS: dict[str, Callable[[str, str, Options], bool | None]] = {
    "match": _match,
    "includes": _includes,
    "exact": _exact,
    "exact_match": _exact_match,
}
"""By name: whether an answer is right by one target; None where that cannot be said here."""


def rescored(name: str, sample: ForeignSample, options: Options) -> float | None:
    """The score of a sample computed again; None where the scorer is not known here."""
    if name == "acc" and sample.choices:
        best = max(range(len(sample.choices)), key=lambda place: sample.choices[place])
        return float(str(best) in sample.targets)
    scorer = SCORERS.get(name)
    if scorer is None:
        return None
    found = [scorer(sample.answer, target, options) for target in sample.targets]
    return None if None in found else float(any(found))


@dataclass(frozen=True)
class Known:
    """The cluster's own: a sample that is one of its scenarios is graded by its rubric."""

    scenarios: Mapping[str, tuple[SetName, Scenario]]
    rubrics: Mapping[str, Rubric]

    def grade(self, one: ForeignSample) -> Grade | None:
        """None for a sample that is no scenario of the cluster, has no answer, or is for a judge to decide."""
        here = self.scenarios.get(scenario_of(one))
        rubric = self.rubrics.get(here[1].rubric) if here else None
        if here is None or rubric is None or (here[0] is SetName.HELDOUT and not one.answer):
            return None
        if any(isinstance(criterion.grader, Judge) for criterion in rubric.criteria):
            return None
        return grade(here[1], rubric, one.answer)


NOTHING = Known({}, {})


def scenario_of(one: ForeignSample) -> str:
    """The scenario's id: what stands before the perturbation."""
    return one.id.partition("@")[0]


def imported(log: ForeignLog, known: Known = NOTHING, names: dict[str, int] | None = None) -> Imported:
    """The log's samples as ours. One that is a scenario of the cluster belongs to its set and capability, and of
    held-out nothing but the score is kept. Others belong to a set named after the task.

    `names` are those of samples of other logs of the same evaluation, and get those of this one.
    """
    names = {} if names is None else names
    samples: list[Sample] = []
    recomputed, taken = dict.fromkeys(log.scorers, 0), dict.fromkeys(log.scorers, 0)
    differing: list[str] = []
    sums: dict[str, list[float]] = {}
    for one in log.samples:
        scores = {}
        own = known.grade(one)
        ours = {"score": own.score, "passed": float(own.passed)} if own else {}
        for name, recorded in one.recorded.items():
            found = ours.get(name, rescored(name, one, log.scorers.get(name, {})))
            (taken if found is None else recomputed)[name] = (taken if found is None else recomputed).get(name, 0) + 1
            scores[name] = recorded if found is None else found
            if abs(scores[name] - recorded) > CLOSE:
                differing.append(f"{one.id}: {name} is {scores[name]:g}, and {recorded:g} was recorded")
            sums.setdefault(name, []).append(scores[name])
        samples.append(_sample(log.task, one, own, scores, known.scenarios.get(scenario_of(one)), names))
    for name, stated in log.stated.items():
        mean = math.fsum(sums[name]) / len(sums[name]) if sums.get(name) else math.nan
        if not math.isclose(mean, stated, rel_tol=0, abs_tol=1e-6):
            differing.append(f"the mean of {name} is {mean:.6f}, and {stated:.6f} was recorded")
    return Imported(tuple(samples), _counted(recomputed), _counted(taken), tuple(differing))


def _counted(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in sorted(counts.items()) if count}


def _sample(
    task: str,
    one: ForeignSample,
    own: Grade | None,
    scores: Mapping[str, float],
    here: tuple[SetName, Scenario] | None,
    names: dict[str, int],
) -> Sample:
    where, _, said = one.id.partition("@")
    kind = _slug_of(said) or AS_WRITTEN
    found = own or _grade(task, one, scores, here)
    found = found.model_copy(update={"scenario": _distinct(where if here else slug(where) or "sample", kind, names)})
    belongs = here[0] if here else _slug_of(one.metadata.get("set")) or slug(task) or "task"
    withheld = belongs == SetName.HELDOUT
    return Sample(
        set=belongs,
        perturbation=kind,
        grade=without_texts(found) if withheld else found,
        tokens=one.tokens,
        input=() if withheld else one.input,
        reference=() if withheld else one.targets,
        withheld=withheld,
        recorded=dict(one.recorded),
    )


def _grade(task: str, one: ForeignSample, scores: Mapping[str, float], here: tuple[SetName, Scenario] | None) -> Grade:
    """The grade by the other program's scorers: the first of them decides, or those that are called as ours are."""
    value = scores.get("score", next(iter(scores.values()), 0.0))
    value = min(1.0, max(0.0, value))
    missed = (slug(scorer) for scorer, score in scores.items() if score < 1)
    return Grade(
        scenario="unnamed",
        capability=here[1].capability if here else _slug_of(one.metadata.get("capability")) or slug(task) or "task",
        outcome_type=here[1].outcome_type if here else _outcome(one.metadata.get("outcome_type")),
        score=value,
        passed=scores.get("passed", value) == 1,
        missed=tuple(filter(None, missed)),
        answer=one.answer,
        explanation=_explanation(scores, one),
    )


def _distinct(name: str, kind: str, taken: dict[str, int]) -> str:
    """A name that no sample before has: what was asked several times is told apart by a number."""
    number, found = taken.get(f"{name}@{kind}", 0), name
    while f"{found}@{kind}" in taken:
        number += 1
        found = f"{name[:52].rstrip('-')}-{number}"
    taken[f"{name}@{kind}"] = max(1, number)
    taken.setdefault(f"{found}@{kind}", 1)
    return found


def _explanation(scores: Mapping[str, float], one: ForeignSample) -> str:
    said = ", ".join(f"{name} {score:g}" for name, score in scores.items()) or "nothing scored it"
    return f"{said}, where {one.targets[0]!r} is right" if one.targets else said


def _slug_of(value: object) -> str:
    found = str(value) if isinstance(value, str) else ""
    return found if re.fullmatch(SLUG, found) and len(found) <= SLUG_LENGTH else ""


def _outcome(value: object) -> OutcomeType:
    """A question with a right answer asks for a true positive, unless its log says otherwise."""
    return OutcomeType(value) if isinstance(value, str) and value in set(OutcomeType) else OutcomeType.TP
