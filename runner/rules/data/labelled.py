"""A cluster made from labelled text: one capability a label, one scenario a held-out text, one example a training text.

The label is the right answer or, where the answers are structured, names the capability of the JSON object beside it.

A text that stands in a set is left out of what trains, and a text that stands in two sets is kept in
the stricter one: held-out never meets training. What was left out is listed, row by row.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from runner.errors import RecordError
from runner.records.adoption import ImportRecord
from runner.records.cluster import Capability, Cluster, GateLimits, Problem, Serving, Thresholds, TinyBase
from runner.records.conversation import Message, Role
from runner.records.dataset import Example
from runner.records.params import ClusterParams
from runner.records.scenario import Origin, OutcomeType, Scenario, SetName, Severity
from runner.records.trace import Feedback, Trace
from runner.records.triage_policy import Triage
from runner.rules.canonical import digest
from runner.rules.data.labelled_answers import Request, Row, check_answer, definition, fails, passes, rubric, said
from runner.rules.data.new_cluster import Dropped, NewCluster, Numbers, by_id, longest_answer
from runner.rules.naming import slug
from runner.rules.repository.benchmark import OPTIONAL, locked
from runner.rules.text.redaction import redact

SETS = (SetName.HELDOUT, SetName.RESERVE, SetName.REPRESENTATIVE, SetName.CORE, SetName.DEV)
"""The strictest first."""
TRAINING = ("base", "gold", "traffic", "reference")


DEFAULT = ClusterParams()


def compose(
    parts: Mapping[str, Sequence[Row]],
    request: Request,
    problem: Problem,
    *,
    record: ImportRecord | None = None,
    params: ClusterParams = DEFAULT,
) -> NewCluster:
    """The cluster that the rows of `parts` (the set names, and TRAINING) make.

    Raises `RecordError` for a label unseen in the base, two labels of one name, a part with nothing left, or a
    structured answer that is not as the request says.
    """
    capabilities = _capabilities(parts["base"])
    for rows in parts.values():
        for row in rows:
            if row.label not in capabilities:
                raise _unseen(row)
            if request.answer_column:
                check_answer(row, request)
    kept, left_out = _apart(parts)
    for part, rows in parts.items():
        if rows and not kept[part]:
            text = f"every text of --{part} also stands in a set that it must not meet"
            raise RecordError(text, path=rows[0].file, hint="give texts that the sets do not have")
    sets = (name for name in SetName if kept.get(name) or name not in OPTIONAL)
    scenarios = {name: _scenarios(name, kept.get(name, ()), capabilities, request.cluster) for name in sets}
    return NewCluster(
        cluster=_cluster(request, capabilities, longest=longest_answer([row.answer for row in parts["base"]])),
        problem=problem,
        lock=locked(scenarios, version=1),
        rubrics=(rubric(request),),
        scenarios=scenarios,
        examples={
            part: _examples(part, kept[part], capabilities) for part in ("base", "gold", "reference") if kept.get(part)
        },
        traces=tuple(_trace(row) for row in kept["traffic"]),
        left_out=tuple(left_out),
        record=record,
        params=params,
    )


def _unseen(row: Row) -> RecordError:
    hint = "the base must know every label: add at least one text of it to --base"
    return RecordError(f'the label "{row.label[:60]}" is unseen in the base', path=row.file, line=row.line, hint=hint)


def _capabilities(rows: Sequence[Row]) -> dict[str, str]:
    """Label to capability id, in the order of the labels."""
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(row.label, row)
    names: dict[str, str] = {}
    taken: dict[str, str] = {}
    for label in sorted(first):
        name = slug(label) or f"label-{digest(label)[:8]}"
        if name in taken:
            problem = f'the labels "{taken[name][:40]}" and "{label[:40]}" have the same name, {name}'
            raise RecordError(problem, path=first[label].file, line=first[label].line, hint="rename one of them")
        taken[name] = label
        names[label] = name
    return names


def same(text: str) -> str:
    """What two texts have in common where they differ in case, width and spaces alone."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _apart(parts: Mapping[str, Sequence[Row]]) -> tuple[dict[str, list[Row]], list[Dropped]]:
    """The rows of each part without those that stand in a stricter one; and those."""
    held: dict[str, str] = {}
    kept: dict[str, list[Row]] = {}
    left_out = []
    for part in (*SETS, *TRAINING):
        kept[part] = []
        for row in parts.get(part, ()):
            before = held.get(same(row.text), part)
            if before == part:
                kept[part].append(row)
            else:
                left_out.append(Dropped(str(part), row.file, row.line, str(before)))
        if part in SETS:
            for row in kept[part]:
                held.setdefault(same(row.text), part)
    return kept, left_out


TINY_ROBUSTNESS_DROP = 0.6
"""A base this small knows the letters it has seen: under capitals alone it loses more than half of its score."""


def _cluster(request: Request, capabilities: Mapping[str, str], *, longest: int) -> Cluster:
    """`longest` is how many tokens the longest answer may take."""
    return Cluster(
        id=request.cluster,
        title=request.cluster.replace("-", " ").capitalize(),
        answer_field=request.answer_field,
        base=TinyBase(kind="tiny"),
        serving=Serving(target="two CPU cores", max_new_tokens=longest),
        benchmark_version=1,
        capabilities=tuple(
            Capability(id=name, title=label, definition=definition(label, request))
            for label, name in capabilities.items()
        ),
        gate=GateLimits(
            thresholds=Thresholds(composite=request.threshold_composite, heldout=request.threshold_heldout),
            max_robustness_drop=TINY_ROBUSTNESS_DROP,
        ),
        human_floor=0.25,
        triage=Triage.model_validate({"required": request.triage, "signed": request.triage != "none"}),
    )


def _scenarios(
    name: SetName, rows: Sequence[Row], capabilities: Mapping[str, str], cluster: str
) -> tuple[Scenario, ...]:
    """One scenario a row, `<set>-<capability>-<nnn>`, numbered in the order of the file."""
    numbers = Numbers()
    found = []
    for row in rows:
        capability = capabilities[row.label]
        found.append(
            Scenario(
                id=numbers.name(name, capability),
                capability=capability,
                outcome_type=OutcomeType.TP,
                lens="label",
                severity=Severity.MEDIUM,
                origin=Origin.HUMAN,
                objective=f"Answer {said(row)} to this text.",
                input=(Message(role=Role.USER, content=row.text),),
                reference=row.answer,
                rubric=f"{cluster}-exact",
                pass_criteria=(passes(row),),
                fail_criteria=(fails(row),),
                source=_place(row),
            )
        )
    return by_id(found)


def _place(row: Row) -> str:
    """The file's name and the line: where it lay is the machine's."""
    return f"{row.file.rpartition('/')[2]}:{row.line}"


def _examples(part: str, rows: Sequence[Row], capabilities: Mapping[str, str]) -> tuple[Example, ...]:
    """Human examples, `<part>-<first 8 hex digits of text and label>`; a text given twice is numbered."""
    return tuple(
        Example(
            id=name,
            capability=capabilities[row.label],
            input=(Message(role=Role.USER, content=row.text),),
            answer=row.answer,
        )
        for row, name in zip(rows, _names(part, rows), strict=True)
    )


def _names(part: str, rows: Sequence[Row]) -> Iterator[str]:
    seen: Counter[str] = Counter()
    for row in rows:
        name = f"{part}-{digest([row.text, row.label])[:8]}"
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name}-{seen[name]}"


def _trace(row: Row) -> Trace:
    """What production saw, redacted, with the right answer as feedback. No model has answered it yet."""
    text, answer = redact(row.text), redact(row.answer)
    counts = Counter(text.counts) + Counter(answer.counts)
    return Trace(
        input=(Message(role=Role.USER, content=text.text),),
        response="",
        feedback=Feedback(correct_answer=answer.text),
        source=f"import:{_place(row)}",
        redactions=dict(sorted(counts.items())),
    )
