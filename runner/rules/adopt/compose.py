"""Items of another program's file as a new cluster: divided, named, with rubrics, lock and import record."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import PurePath
from typing import NamedTuple

from runner.errors import RecordError
from runner.records.adoption import Format, ImportRecord, LeftOut, SourceFile
from runner.records.cluster import Base, Cluster, GateLimits, Serving, Thresholds, TinyBase
from runner.records.cluster import Capability as ClusterCapability
from runner.records.conversation import last_user_text
from runner.records.dataset import Example
from runner.records.rubric import Rubric, RubricStatus
from runner.records.scenario import Origin, Scenario, SetName, Severity
from runner.records.triage_policy import Triage
from runner.rules.adopt.items import Adopted, Check, Item, user
from runner.rules.canonical import digest
from runner.rules.data.kin import Tell, untold
from runner.rules.data.labelled import TINY_ROBUSTNESS_DROP
from runner.rules.data.new_cluster import (
    NEEDED,
    SHARES,
    SHARES_TINY,
    TRAINING,
    NewCluster,
    Numbers,
    aimed_at,
    by_id,
    draft_problem,
    longest_answer,
)
from runner.rules.data.splits import LEFT_OUT, RULE, SEED, Division, Unit, divide
from runner.rules.judges.identity import judges_of
from runner.rules.naming import content_id, slug
from runner.rules.repository.benchmark import NO_JUDGES, OPTIONAL, locked

NOT_MEASURED = "Not measured: a classifier gives no such answers. Say what real data alone reaches, and how."
IN_TWO = "the largest group of alike texts in core, the others held out: too few to divide, so write dev before the run"
NEAR_A_TEST = "it says nearly what a test says"


class Source(NamedTuple):
    """What to import, and what the files leave open."""

    paths: tuple[PurePath, ...]
    judge: str = ""
    capability: str = ""
    data: str = ""
    """A dataset beside the task, in the place of the one that it names."""


class Wanted(NamedTuple):
    """What people say of the cluster they want; the thresholds are starting points to be reviewed."""

    cluster: str
    format: Format
    origin: Origin
    severity: Severity = Severity.MEDIUM
    seed: int = SEED
    base: Base = TinyBase(kind="tiny")
    threshold_composite: float = 0.7
    threshold_heldout: float = 0.7
    triage: str = "all"
    made_by: str = "hallmark"


def compose(
    adopted: Adopted,
    wanted: Wanted,
    *,
    files: Sequence[SourceFile],
    judges: Mapping[str, str] = NO_JUDGES,
    tell: Tell = untold,
) -> NewCluster:
    """`judges` are the digests of those that the checks name; `tell` hears how many texts were compared.

    Raises `RecordError` where too little is there.
    """
    if not adopted.items:
        hint = "; ".join(f"{one.what}: {one.why}" for one in adopted.tally.leaves[:3]) or "look at the file"
        raise RecordError("has nothing that can be taken over", path=files[0].name, hint=hint)
    adopted = opened(adopted)
    items = adopted.items
    shares = SHARES_TINY if isinstance(wanted.base, TinyBase) else SHARES
    division = _divided(items, shares, wanted.seed, tell)
    rule = RULE
    if wanted.format is Format.ASSAY and not {*NEEDED} <= {*division.parts} and len(set(division.groups)) > 1:
        division, rule = _in_two(division), IN_TWO
    by_part: dict[str, list[Item]] = defaultdict(list)
    for item, part in zip(items, division.parts, strict=True):
        by_part[part].append(item)
    if rule == RULE:
        _enough(by_part, files[0].name, division)
    rubrics = _rubrics(items, wanted.cluster)
    sets = [name for name in SetName if by_part.get(name) or name not in OPTIONAL]
    scenarios = {name: _scenarios(name, by_part.get(name, ()), rubrics, wanted) for name in sets}
    pinned = {name: judges[name] for name in judges_of(rubrics.values())}
    examples = {part: _examples(part, by_part[part], wanted) for part in sorted(TRAINING) if by_part.get(part)}
    return NewCluster(
        cluster=_cluster(adopted, wanted, scenarios),
        problem=draft_problem(real_only=0.0, how=NOT_MEASURED, threshold=wanted.threshold_composite),
        lock=locked(scenarios, version=1, judges=pinned),
        rubrics=tuple(sorted(rubrics.values(), key=lambda rubric: rubric.id)),
        scenarios=scenarios,
        examples=examples,
        traces=(),
        left_out=(),
        params=aimed_at(wanted.threshold_composite),
        record=_record(adopted, wanted, files, shares if rule == RULE else {}, division, by_part, rule),
    )


SHORTEST_OPENING = 20
"""Characters of what all items begin with, below which it is no instruction."""


def opened(adopted: Adopted) -> Adopted:
    """Whole lines that every item begins with become the instruction: they are the prompt, and not what was asked.

    Else the texts would be alike by their prompt alone, and stand in one group.
    """
    texts = [item.input[0].content if len(item.input) == 1 else "" for item in adopted.items]
    shared = _shared_start(min(texts), max(texts))
    cut = shared.rfind("\n") + 1
    if len(shared[:cut].strip()) < SHORTEST_OPENING or not all(text[cut:].strip() for text in texts):
        return adopted
    items = tuple(item._replace(input=user(item.input[0].content[cut:].strip())) for item in adopted.items)
    said = f"{adopted.instruction}\n\n{shared[:cut]}" if adopted.instruction else shared[:cut]
    return adopted._replace(items=items, instruction=said.strip())


def _shared_start(least: str, most: str) -> str:
    """What all texts begin with whose least and most, in their order, these are."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(least, most, strict=False))
    return "".join(one for one, _ in same)


def _divided(items: Sequence[Item], shares: Mapping[str, float], seed: int, tell: Tell) -> Division:
    """Where a source names what trains, the rest is for tests; what names no right answer is so anywhere."""
    trained = any(item.trains for item in items)
    units = [
        Unit(
            last_user_text(item.input),
            item.capability,
            item.together,
            judges=not item.answer or (trained and not item.trains),
            trains=item.trains,
        )
        for item in items
    ]
    first = SetName.HELDOUT
    return divide(units, shares=shares, seed=seed, first=first, needed=NEEDED, training=TRAINING, tell=tell)


def _in_two(division: Division) -> Division:
    """For a handful of scenarios, which people go on from."""
    largest = Counter(division.groups).most_common(1)[0][0]
    return division._replace(
        parts=tuple(SetName.CORE if group == largest else SetName.HELDOUT for group in division.groups)
    )


def _enough(by_part: Mapping[str, Sequence[Item]], file: str, division: Division) -> None:
    missing = [name for name in NEEDED if not by_part.get(name)]
    if missing:
        groups = len(set(division.groups))
        problem = f"holds {len(division.groups)} texts in {groups} groups that say different things: none are left for "
        hint = f"give more texts; the largest group has {division.largest} that say nearly the same"
        raise RecordError(problem + ", ".join(missing), path=file, hint=hint)


def _rubrics(items: Sequence[Item], cluster: str) -> dict[Check, Rubric]:
    """A rubric for each check that differs, named by what it asks."""
    found: dict[Check, Rubric] = {}
    taken: Counter[str] = Counter()
    for item in items:
        if item.check in found:
            continue
        name = slug(f"{cluster}-{item.check.title}", longest=51)
        taken[name] += 1
        said = [one.model_dump(mode="json") for one in item.check.criteria]
        made = Rubric(
            id=name if taken[name] == 1 else content_id(name, [said, item.check.normalisation]),
            title=item.check.title,
            status=RubricStatus.APPROVED,
            normalisation=item.check.normalisation,
            criteria=item.check.criteria,
            pass_score=item.check.pass_score,
        )
        found[item.check] = made
    return found


def _scenarios(
    name: SetName, items: Sequence[Item], rubrics: Mapping[Check, Rubric], wanted: Wanted
) -> tuple[Scenario, ...]:
    numbers = Numbers()
    return by_id(
        Scenario(
            id=numbers.name(name, item.capability),
            capability=item.capability,
            outcome_type=item.outcome,
            lens=item.lens,
            severity=wanted.severity,
            origin=wanted.origin,
            objective=item.objective,
            input=item.input,
            reference=item.reference,
            rubric=rubrics[item.check].id,
            pass_criteria=item.passes,
            fail_criteria=item.fails,
            source=item.place,
        )
        for item in items
    )


def _examples(part: str, items: Sequence[Item], wanted: Wanted) -> tuple[Example, ...]:
    """Named by text and answer; one that stands twice is numbered."""
    seen: Counter[str] = Counter()
    made = []
    for item in items:
        name = f"{part}-{digest([item.place, last_user_text(item.input), item.answer])[:12]}"
        seen[name] += 1
        made.append(
            Example(
                id=name if seen[name] == 1 else f"{name}-{seen[name]}",
                capability=item.capability,
                input=item.input,
                answer=item.answer,
                origin=wanted.origin,
            )
        )
    return tuple(made)


def _cluster(adopted: Adopted, wanted: Wanted, scenarios: Mapping[SetName, Sequence[Scenario]]) -> Cluster:
    tested = {one.capability for found in scenarios.values() for one in found}
    longest = adopted.longest or longest_answer([item.reference for item in adopted.items])
    tiny = isinstance(wanted.base, TinyBase)
    limits = {"max_robustness_drop": TINY_ROBUSTNESS_DROP} if tiny else {}
    floors = Thresholds(composite=wanted.threshold_composite, heldout=wanted.threshold_heldout)
    return Cluster(
        id=wanted.cluster,
        title=wanted.cluster.replace("-", " ").capitalize(),
        instruction=adopted.instruction,
        base=wanted.base,
        serving=Serving(
            target="two CPU cores" if tiny else "to be named", max_new_tokens=longest, choices=adopted.choices
        ),
        benchmark_version=1,
        capabilities=tuple(
            ClusterCapability(id=name, title=one.title, definition=one.definition)
            for name, one in sorted(adopted.capabilities.items())
            if name in tested
        ),
        gate=GateLimits.model_validate({"thresholds": floors, **limits}),
        human_floor=0.25,
        triage=Triage.model_validate({"required": wanted.triage, "signed": wanted.triage != "none"}),
    )


def _record(
    adopted: Adopted,
    wanted: Wanted,
    files: Sequence[SourceFile],
    shares: Mapping[str, float],
    division: Division,
    by_part: Mapping[str, Sequence[Item]],
    rule: str,
) -> ImportRecord:
    near = by_part.get(LEFT_OUT, ())
    left = list(adopted.tally.leaves)
    if near:
        places = tuple(item.place for item in near[:5])
        left.append(LeftOut(what="a text for training", why=NEAR_A_TEST, count=len(near), places=places))
    return ImportRecord(
        format=wanted.format,
        made_by=wanted.made_by,
        files=tuple(files),
        authors=adopted.authors,
        rule=rule,
        seed=wanted.seed,
        shares={str(part): share for part, share in shares.items()},
        parts={str(part): len(found) for part, found in sorted(by_part.items()) if part != LEFT_OUT},
        kept_together=division.kept_together,
        mapped=adopted.tally.maps,
        left_out=tuple(left),
    )
