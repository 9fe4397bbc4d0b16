"""What a rubric's graders ask of the rubric itself and of the scenarios that name it, and whether it holds.

A reference that is no number under `numeric` would fail every answer, or stop the grading: it is found in review.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from runner.errors import RecordError
from runner.records.conversation import Role
from runner.records.expected_calls import ArgumentMatch, ToolCalls
from runner.records.graders import Contains, ContainsNone, JsonFields, JsonSchema, Numeric, Order, Set, Sql
from runner.records.rubric import Rubric
from runner.records.scenario import Scenario
from runner.rules.evaluation.json_schema import check_schema
from runner.rules.evaluation.query_rows import QueryError, check_tables, reference_rows
from runner.rules.graders.calls import expected
from runner.rules.graders.lists import items
from runner.rules.graders.number import read
from runner.rules.text.normalisation import normalise
from runner.rules.text.shown import quoted
from runner.rules.text.units import unit

REFERENCE = "reference"
NO_SCHEMA = "it is not a JSON schema of draft 2020-12"
SCHEMA_HINT = "see https://json-schema.org/draft/2020-12"


class Misfit(NamedTuple):
    """One thing that does not hold, and the fix. `field` is a path in the rubric's file, or in the scenario's."""

    field: str
    problem: str
    hint: str


def asks(rubric: Rubric) -> bool:
    """Whether its graders ask of a scenario what its outline does not say."""
    return any(type(criterion.grader) in _ASKED for criterion in rubric.criteria)


def compares_objects(rubric: Rubric) -> bool:
    """Whether its graders ask for a reference that is a JSON object."""
    return any(isinstance(criterion.grader, JsonFields) for criterion in rubric.criteria)


def of_rubric(rubric: Rubric) -> Iterator[Misfit]:
    """What is wrong with the rubric, whatever scenarios name it."""
    for number, criterion in enumerate(rubric.criteria):
        grader, field = criterion.grader, f"criteria[{number}].grader"
        if isinstance(grader, Contains | ContainsNone):
            for place, value in enumerate(grader.values):
                if not normalise(value, rubric.normalisation):
                    problem = (
                        f"nothing is left of {quoted(value)} after normalisation, and nothing stands in every answer"
                    )
                    yield Misfit(f"{field}.values[{place}]", problem, "write words, or normalise less")
        if isinstance(grader, Numeric) and grader.unit and unit(grader.unit) is None:
            hint = "docs/graders.md lists the units that there are"
            yield Misfit(f"{field}.unit", f"the unit {quoted(grader.unit)} is unknown", hint)
        if isinstance(grader, JsonSchema) and not _is_schema(grader.json_schema):
            yield Misfit(f"{field}.json_schema", NO_SCHEMA, SCHEMA_HINT)
        if isinstance(grader, Sql):
            try:
                check_tables(grader.tables)
            except QueryError as error:
                hint = "write statements of SQLite: CREATE TABLE, CREATE INDEX, CREATE VIEW and INSERT"
                yield Misfit(f"{field}.tables", f"the statement {error}", hint)


def of_scenario(scenario: Scenario, rubric: Rubric) -> Iterator[Misfit]:
    """What the graders of its rubric find wrong with the scenario."""
    for criterion in rubric.criteria:
        check = _ASKED.get(type(criterion.grader))
        if check is not None:
            yield from check(scenario, criterion.grader)


def _is_schema(text: str) -> bool:
    try:
        check_schema(text)
    except RecordError:
        return False
    return True


def _number(scenario: Scenario, grader: Numeric) -> Iterator[Misfit]:
    try:
        read(scenario.reference, grader, take="whole")
    except ValueError as error:
        hint = "write one number, with a unit behind it where it has one; docs/graders.md lists the units"
        yield Misfit(REFERENCE, f"the grader numeric cannot read it: {error}", hint)


def _items(scenario: Scenario, grader: Set | Order) -> Iterator[Misfit]:
    found = items(scenario.reference, grader.separator, str)
    if found is None:
        hint = 'write a list such as ["a", "b"], or name a separator in the rubric'
        yield Misfit(REFERENCE, f"the grader {grader.kind} compares lists, and this is no JSON array", hint)
    elif not found:
        yield Misfit(REFERENCE, "it lists nothing", "list at least one item")


def _query(scenario: Scenario, grader: Sql) -> Iterator[Misfit]:
    try:
        check_tables(grader.tables)
    except QueryError:
        return  # told of where the rubric is
    try:
        found = reference_rows(grader.tables, scenario.reference)
    except QueryError as error:
        yield Misfit(REFERENCE, f"the query {error}", "write one SELECT that runs on the rubric's tables")
        return
    if not found:
        hint = "give the rubric's tables rows that the query finds"
        yield Misfit(REFERENCE, "the query gives no rows, so that any query without rows would be right", hint)


def _calls(scenario: Scenario, grader: ToolCalls) -> Iterator[Misfit]:
    """Tools are known by the scenario's list, or by a call in its input."""
    try:
        calls = expected(scenario.reference, grader)
    except ValueError as error:
        yield Misfit(REFERENCE, str(error), "write calls in one of the two forms of docs/graders.md")
        return
    listed = {tool.name: tool.parameters for tool in scenario.tools}
    logged = {call.name for message in scenario.input if message.role is Role.ASSISTANT for call in message.tool_calls}
    known, field = {*listed, *logged}, "tools" if scenario.tools else ""
    called = {call.name for call in calls}
    for name in sorted((called | {*grader.not_called}) - known):
        problem = f"the grader tool-calls expects {quoted(name)}, which is none of the scenario's tools"
        hint = f"add it to the scenario's tools, which are: {', '.join(sorted(known)) or 'none yet'}"
        yield Misfit(field, problem, hint)
    for name, schema in sorted(listed.items()):
        if schema and not _is_schema(schema):
            yield Misfit(field, f"the parameters of {quoted(name)}: {NO_SCHEMA}", SCHEMA_HINT)
    if grader.arguments is ArgumentMatch.SCHEMA:
        for name in sorted(name for name in called & known if not listed.get(name)):
            problem = f"the arguments of {quoted(name)} are held against its schema, and it has none"
            yield Misfit(field, problem, "write the tool's parameters")


_ASKED: dict[type, Callable[[Scenario, Any], Iterator[Misfit]]] = {
    Numeric: _number,
    Set: _items,
    Order: _items,
    Sql: _query,
    ToolCalls: _calls,
}
