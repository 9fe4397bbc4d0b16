"""Results on traffic as the serving side writes them, read and graded: a row for each request."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from runner.errors import RecordError
from runner.records.gated import GateLimits
from runner.records.rubric import Normalisation
from runner.records.stages import TrafficLimits
from runner.records.traffic import ModelResult, TrafficGrade, TrafficResult
from runner.rules.canonical import sha256
from runner.rules.text.normalisation import normalise
from runner.rules.trust.traffic import CANDIDATE, INCUMBENT, Mark, floors, model_traffic

HINT = "docs/staging.md describes a line"
AGREES = (
    Normalisation.UNICODE_NFKC,
    Normalisation.STRIP,
    Normalisation.LOWERCASE,
    Normalisation.COLLAPSE_SPACES,
)
"""What is done to an answer and its reference before they are compared."""


def read_results(data: bytes, *, path: str) -> tuple[TrafficResult, ...]:
    """The lines of a results file. Raises `RecordError` that names the first line that is none, or a repeated id."""
    found: dict[str, TrafficResult] = {}
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            one = TrafficResult.model_validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            raise RecordError(first["msg"], path=path, line=number, field=field, hint=HINT) from error
        if one.id in found:
            raise RecordError(f"request {one.id!r} stands twice", path=path, line=number, hint="one line a request")
        found[one.id] = one
    if not found:
        raise RecordError("it holds no results", path=path, hint=HINT)
    return tuple(found.values())


def grade_traffic(
    results: Iterable[TrafficResult], *, adapter: str, incumbent: str | None, path: str
) -> tuple[TrafficGrade, ...]:
    """A row for each request, by time: did each of the two agree with the reference?

    Raises `RecordError` where a request lacks one of the two, or has nothing to judge an answer by.
    """
    rows = []
    for one in sorted(results, key=lambda result: (result.at, result.id)):
        both = {CANDIDATE: _of(one, adapter, path=path), INCUMBENT: _of(one, incumbent, path=path)}
        rows.append(
            TrafficGrade(
                request=sha256(f"{adapter}:{one.id}".encode()),
                at=one.at,
                source=one.source,
                capability=one.capability,
                passed={name: passed(one, result, path=path) for name, result in both.items()},
                errors=tuple(name for name, result in both.items() if result.error),
                latency_ms={name: result.latency_ms for name, result in both.items()},
            )
        )
    return tuple(rows)


def _of(one: TrafficResult, adapter: str | None, *, path: str) -> ModelResult:
    """The result of one adapter on a request."""
    found = [result for result in one.results if result.adapter == adapter]
    if len(found) != 1:
        said = f"adapter {adapter[:12]}…" if adapter else "the base alone (adapter null)"
        problem = f"request {one.id!r} has {len(found)} results of {said}"
        raise RecordError(problem, path=path, hint="both adapters answer every request, once each")
    return found[0]


def passed(one: TrafficResult, result: ModelResult, *, path: str) -> bool:
    """Whether an answer was right: by a person's word, else by the reference. An error never passes."""
    if result.error:
        return False
    if result.passed is not None:
        return result.passed
    if not one.reference:
        raise RecordError(f"request {one.id!r} has neither a reference nor `passed`", path=path, hint=HINT)
    return normalise(result.answer, AGREES) == normalise(one.reference, AGREES)


def agreement_below(
    results: Iterable[TrafficResult], gate: GateLimits, limits: TrafficLimits, *, adapter: str, path: str
) -> tuple[str, ...]:
    """Every limit that an adapter, alone, does not hold on the requests that it answered.

    Raises `RecordError` where these are fewer than the limits ask for: nothing is proposed on a few.
    """
    own = [(one, result) for one in results for result in one.results if result.adapter == adapter]
    if len(own) < limits.min_requests:
        problem = f"{len(own)} requests were answered by {adapter[:12]}…, too few to judge it by"
        raise RecordError(problem, path=path, hint=f"cluster.yaml asks for {limits.min_requests}")
    marks = [Mark(passed(one, result, path=path), bool(result.error), result.latency_ms) for one, result in own]
    return tuple(floors(model_traffic(marks), len(marks), gate, limits))
