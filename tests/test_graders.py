"""What the graders see beyond the examples of docs/graders.md, and what they say of what they miss."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from runner.records.conversation import Message, Role
from runner.records.expected_calls import Tool
from runner.records.graders import Negation
from runner.records.rubric import Rubric
from runner.records.scenario import Scenario, SetName
from runner.rules.canonical import digest
from runner.rules.evaluation.grading import grade
from runner.rules.evaluation.query_rows import QueryError, rows
from runner.rules.evaluation.tool_calls import Call, read_calls, with_tools, written
from runner.rules.text.mentions import mention
from runner.rules.text.quantities import whole, within
from runner.rules.text.units import TABLE, converted, unit
from tests.flywheel_fixture import RUBRIC, scenario

FIND = Tool(
    name="find", description="finds", parameters='{"properties": {"n": {"type": "integer"}}, "required": ["n"]}'
)


LISTED = '{"type": "array", "items": {"enum": [1]}}'


def asked(reference: str) -> Scenario:
    update = {"reference": reference, "tools": (FIND,)}
    return scenario(SetName.CORE, "login", 1, "What is it?").model_copy(update=update)


def rubric(grader: dict[str, Any], steps: tuple[str, ...] = ()) -> Rubric:
    criteria = [{"id": "c", "description": "the criterion", "grader": grader}]
    said = {"id": "r", "title": "R", "status": "approved", "normalisation": steps, "criteria": criteria}
    return Rubric.model_validate(said)


def missed(grader: dict[str, Any], reference: str, answer: str, steps: tuple[str, ...] = ()) -> tuple[float, str]:
    """The score, and what stands in brackets behind the criterion."""
    found = grade(asked(reference), rubric(grader, steps), answer)
    return found.score, found.explanation.partition("the criterion (")[2].removesuffix(")")


def test_what_is_new_is_written_nowhere_where_it_is_not_used() -> None:
    """A rubric or scenario from before has the bytes, and so the digest, that it had."""
    old = {"id": "c", "description": "d", "weight": 1.0, "required": True}
    for grader in ({"kind": "contains", "values": ["a"]}, {"kind": "exact"}, {"kind": "regex", "pattern": "a"}):
        found = Rubric.model_validate({**RUBRIC.model_dump(mode="json"), "criteria": [{**old, "grader": grader}]})
        assert found.model_dump(mode="json")["criteria"] == [{**old, "grader": grader}]
        assert "pass_score" not in found.model_dump(mode="json")
    plain = scenario(SetName.CORE, "login", 1, "x")
    assert "tools" not in plain.model_dump(mode="json")
    assert digest(RUBRIC) == "7bf4785442756655f1c5f8ac1152f46a82d42a39575ed338972580539f17f294"
    assert digest(plain) == "bb6c6cb39f2c71296e5223b8dba242a88af8b3600d1571a8df0902470b4ee60c"


@pytest.mark.parametrize(
    "text",
    [
        "It does not include X.",
        "It doesn\u2019t include X.",
        "It includes neither Y nor X.",
        "It never includes the X.",
        "It comes without any X.",
        "It lacks X.",
        "X is not included.",
        "X isn't included.",
        "X cannot be included.",
        "It fails to include X.",
        "It covers everything except X.",
        "However, it is not the X.",
        "It does not load foo.X",
    ],
)
def test_a_negated_mention_is_none(text: str) -> None:
    found = mention(text, "X", whole_words=False, negation=Negation())
    assert not found.said
    assert "X" in found.negated


@pytest.mark.parametrize(
    "text",
    [
        "It includes X.",
        "It is not cheap. It includes X.",
        "It is not cheap; X is included.",
        "It is not cheap but includes X.",
        "It is not without X.",
        "It never fails to include X.",
        "It does not lack X.",
        "Not only X is included.",
        "X is not only included but free.",
        "No, X is included.",
        "Nothing was said of the price of all those other things, and X is included.",
        "It does not include X. Later, X was added.",
        "The cannoneer has X.",
        "Do not use v1. X is better.",
    ],
)
def test_another_clause_s_negation_says_nothing_of_a_mention(text: str) -> None:
    assert mention(text, "X", whole_words=False, negation=Negation()).said


def test_a_negation_reaches_as_far_as_its_window() -> None:
    text = "not" + " very" * 10 + " X"
    assert mention(text, "X", whole_words=False, negation=Negation()).said
    assert not mention(text, "X", whole_words=False, negation=Negation(window=60)).said


def test_the_words_of_another_language_replace_the_english_ones() -> None:
    german = Negation(before=("kein", "ohne"), after=("entfällt",), boundaries=("sondern",))
    for text, said in (("ohne X", False), ("X entfällt", False), ("ohne Y, sondern X", True), ("not X", True)):
        assert mention(text, "X", whole_words=True, negation=german).said is said, text


def test_what_is_mentioned_too_often_is_taken_as_said_where_it_must_not_be() -> None:
    text = "not X. " * 3000 + "X"
    assert missed({"kind": "contains-none", "values": ["X"], "negation": {}}, "r", text) == (0.0, "says 'X'")
    assert missed({"kind": "contains", "values": ["X"], "negation": {}}, "r", text)[0] == 0


@pytest.mark.parametrize(
    ("grader", "reference", "answer", "score", "why"),
    [
        ({"kind": "contains", "values": ["a", "b"]}, "r", "xa", 0, "'b' is missing"),
        ({"kind": "contains", "values": ["a", "b", "c"], "at_least": 2}, "r", "a", 0, "1 of 3 where 2 are needed"),
        ({"kind": "contains", "values": ["X"], "negation": {}}, "r", "no X", 0, "'X' only negated in 'no X'"),
        ({"kind": "contains", "values": ["cat"], "whole_words": True}, "r", "concatenate", 0, "'cat' is missing"),
        ({"kind": "contains-none", "values": ["a\u202eb"]}, "r", "a\u202eb", 0, r"says 'a\u202eb'"),
        ({"kind": "json-schema", "json_schema": LISTED}, "r", "[1", 0, "is no JSON"),
        ({"kind": "json-schema", "json_schema": LISTED}, "r", "[1, 2]", 0, "the schema's enum does not accept '$[1]'"),
        ({"kind": "json-schema", "json_schema": "false"}, "r", "1", 0, "the schema's false does not accept '$'"),
        ({"kind": "numeric"}, "5 km", "5 kg", 0, "read as 5 kg, whose unit is not of the kind of 5 km"),
        ({"kind": "numeric"}, "5 km", "5", 0, "read as 5, whose unit is not of the kind of 5 km"),
        ({"kind": "numeric"}, "5", "6", 0, "read as 6, off by 1 from 5 where 0 is allowed"),
        ({"kind": "numeric"}, "5", "five", 0, "'five' is not one number"),
        ({"kind": "numeric"}, "5", "5 apples", 0, "'apples' is no unit that is known"),
        ({"kind": "numeric", "take": "last"}, "5", "none", 0, "no number stands in it"),
        ({"kind": "numeric", "absolute": 0.2}, "5", "5.2", 1, ""),
        ({"kind": "numeric", "take": "last"}, "5 km", "NOT 5 miles BUT 5 km", 1, ""),
        ({"kind": "numeric"}, "$5", "USD 5", 1, ""),
        ({"kind": "numeric"}, "$5", "EUR 5 USD", 0, "'EUR USD' is no unit that is known"),
        ({"kind": "numeric"}, "$5", "$5 km", 0, "'$ km' is no unit that is known"),
        ({"kind": "numeric", "relative": 0.1, "absolute": 0.2}, "5", "5.5", 1, ""),
        ({"kind": "set", "credit": "all"}, '["a"]', '["a", "b"]', 0, "'b' not asked for"),
        ({"kind": "set"}, '["a", 1, {"b": 1.0}]', '[{"b": 1}, 1.0, "a"]', 1, ""),
        ({"kind": "set"}, '["a"]', '["a", "a"', 0, "is no JSON array"),
        ({"kind": "order"}, '["a", "b"]', '["b", "a"]', 0, "item 1 is 'b' where 'a' is right"),
        ({"kind": "order"}, '["a", "b"]', '["a"]', 0, "'b' missed"),
        ({"kind": "regex", "pattern": "b"}, "r", "a", 0, ""),
        ({"kind": "same-language"}, "a", "(", 0, "is no regular expression"),
    ],
)
def test_what_is_missed_is_explained(
    grader: dict[str, Any], reference: str, answer: str, score: float, why: str
) -> None:
    found, said = missed(grader, reference, answer)
    assert found == score
    assert said.startswith(why) if why else not said


def test_the_answer_is_shown_as_it_was_compared_where_that_is_not_how_it_was_written() -> None:
    found = rubric({"kind": "exact"}, ("unicode-nfkc", "strip-invisible", "lowercase"))
    wrong = grade(asked("login"), found, "L\u200bog\u202eout")
    assert r"answered 'L\u200bog\u202eout' (compared as 'logout' after unicode-nfkc, strip-invisible, lowercase)" in (
        wrong.explanation
    )
    assert grade(asked("login"), found, "Login").explanation.startswith("meets every criterion (compared as 'login'")
    assert grade(asked("login"), found, "login").explanation == "meets every criterion"


def test_a_rubric_may_pass_on_a_weighted_share() -> None:
    one = {"description": "d", "required": False}
    criteria = [
        {**one, "id": "a", "grader": {"kind": "contains", "values": ["a"]}, "weight": 3},
        {**one, "id": "b", "grader": {"kind": "contains", "values": ["b"]}},
        {"id": "safe", "description": "d", "grader": {"kind": "contains-none", "values": ["!"]}},
    ]
    said = {"id": "r", "title": "R", "status": "approved", "pass_score": 0.8, "criteria": criteria}
    found = Rubric.model_validate(said)
    for answer, score, passed in (("a", 0.8, True), ("b", 0.4, False), ("ab!", 0.8, False), ("ab", 1.0, True)):
        mark = grade(asked("r"), found, answer)
        assert (mark.score, mark.passed) == (score, passed), answer
    with pytest.raises(ValidationError, match="pass_score decides nothing"):
        Rubric.model_validate({**said, "criteria": criteria[2:]})


@pytest.mark.parametrize(
    ("grader", "problem"),
    [
        ({"kind": "contains", "values": ["a"], "at_least": 2}, "asks for 2 of 1 values"),
        ({"kind": "contains", "negation": {"window": 0}}, "greater than or equal to 1"),
        ({"kind": "contains-none", "values": []}, "at least 1 item"),
        ({"kind": "numeric", "relative": -1}, "greater than or equal to 0"),
        ({"kind": "numeric", "absolute": float("inf")}, "finite"),
        ({"kind": "numeric", "tolerance": 1}, "Extra inputs"),
        ({"kind": "order", "credit": "f1"}, "'exact' or 'kendall'"),
        ({"kind": "tool-calls", "called": ["a"], "not_called": ["a"], "arguments": "any"}, "must not be called"),
        ({"kind": "tool-calls", "called": ["a"]}, "without arguments, which cannot be compared as exact"),
    ],
)
def test_wrong_parameters_are_refused(grader: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        rubric(grader)


def test_a_reference_of_which_normalisation_leaves_nothing_stands_in_no_answer() -> None:
    assert missed({"kind": "contains"}, "?!", "Anything.", ("strip-punctuation",)) == (0, "'?!' is missing")


def test_negations_need_the_ends_of_clauses() -> None:
    with pytest.raises(ValidationError, match="strip-punctuation removes"):
        rubric({"kind": "contains", "negation": {}}, ("strip-punctuation",))


NUMBERS = st.decimals(min_value=-(10**9), max_value=10**9, places=3, allow_nan=False)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(NUMBERS, st.sampled_from([name for rows_ in TABLE.values() for names in rows_ for name in names.split()]))
def test_a_number_is_read_as_it_was_written(number: Any, name: str) -> None:
    for text in (f"{number} {name}", f"{number:,} {name}", f"It is {number:,} {name}"):
        found = within(text, last=True) if text.startswith("It") else whole(text)
        assert (found.number, found.unit) == (number, unit(name))
    german = f"{number:,}".translate(str.maketrans(",.", ".,"))
    assert whole(german, decimal_comma=True).number == number


@pytest.mark.parametrize(
    "said",
    [
        *("1,5", "1,2,3", "1,2345", "1.2.3", "1,234,56", "1'2"),
        *("$1k", "$1M", "1k", "1万", "$1 K", "1 km/kg", "$1 kg", "1 km per kg", "1 dollar per head"),
    ],
)
@pytest.mark.parametrize("text", ["{}", "It is {}", "{}, or so", "First 7: {}."])
def test_a_number_that_may_be_another_is_not_read_in_part(said: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"is not one number|is no unit that is known"):
        within(text.format(said), last=True)
    assert missed({"kind": "numeric", "take": "last"}, "1", text.format(said))[0] == 0
    assert missed({"kind": "numeric"}, "$1", said)[0] == 0


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("\u20133 °C", -3),
        ("The total:\n- 5 apples", 5),
        ("It falls by -5", -5),
        ("It is $1.2 Million", 1_200_000),
        ("It is €1.2bn in all", 1_200_000_000),
        ("It is 5 m\u0131llion in all", 5),
        ("a 3-day stay, 5 in all", 5),
        ("It is 5 apples per head", 5),
        ("It is 5 and/or more", 5),
    ],
)
def test_a_number_is_found_in_a_text(text: str, number: int) -> None:
    assert within(text, last=True).number == number


@settings(max_examples=100, deadline=None, derandomize=True)
@given(NUMBERS, st.sampled_from(sorted(TABLE)), st.randoms(use_true_random=False))
def test_there_and_back_is_the_same_number(number: Any, dimension: str, drawn: Any) -> None:
    one, other = (unit(drawn.choice(sorted(TABLE[dimension])).split()[0]) for _ in range(2))
    assert one
    assert other
    exact = whole(str(number)).number
    assert converted(converted(exact, one, other), other, one) == exact


@pytest.mark.parametrize(
    ("given_", "wanted"),
    [
        ("32 degrees Fahrenheit", "0 °C"),
        ("1 m/s", "1 metre  per second"),
        ("-40 °F", "-40 °C"),
        ("273.15 K", "0 °C"),
        ("36 km/h", "10 m/s"),
        ("50 bp", "0.5 %"),
    ],
)
def test_units_are_converted_as_published(given_: str, wanted: str) -> None:
    assert missed({"kind": "numeric"}, wanted, given_) == (1.0, "")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.permutations(list("abcde")))
def test_the_credit_of_an_order_is_kendall_s_tau(order: list[str]) -> None:
    pairs = [(a, b) for a in range(5) for b in range(a + 1, 5)]
    place = {item: at for at, item in enumerate(order)}
    signs = [1 if place["abcde"[a]] < place["abcde"[b]] else -1 for a, b in pairs]
    score, _ = missed({"kind": "order", "credit": "kendall"}, json.dumps(list("abcde")), json.dumps(order))
    assert score == pytest.approx((sum(signs) / len(pairs) + 1) / 2)


def call(n: Any = 1, name: str = "find", **more: Any) -> dict[str, Any]:
    return {"name": name, "arguments": {"n": n, **more}}


def said(*calls: dict[str, Any]) -> str:
    return json.dumps({"tool_calls": calls})


@pytest.mark.parametrize(
    ("more", "reference", "answer", "score", "why"),
    [
        ({}, said(call()), said(call(1.0)), 1, ""),
        ({}, said(call()), said(call(True)), 0, "find: 'n' is true where 1 is right"),
        ({}, said(call()), said(call(2)), 0, "find: 'n' is 2 where 1 is right"),
        ({}, said(call()), said(call(1, x=2)), 0, "find: 'x' is 2 where missing is right"),
        ({"arguments": "subset"}, said(call()), said(call(1, x=2)), 1, ""),
        ({"arguments": "schema"}, said(call()), said(call(7)), 1, ""),
        ({"arguments": "schema"}, said(call()), said(call("7")), 0, "find: its schema does not accept"),
        ({"arguments": "any"}, said(call()), said(call("7")), 1, ""),
        ({"arguments": "any", "called": ["find"]}, "words", said(call(9)), 1, ""),
        ({}, said(call()), "I cannot.", 0, 'find("n": 1) is not called'),
        ({}, said(call()), said(call(), call(2)), 2 / 3, "0.67 of it, 'find(\"n\": 2)' was not asked for"),
        ({"others": True}, said(call()), said(call(), call(2)), 1, ""),
        ({}, said(call(), call(2)), said(call(2), call()), 1, ""),
        ({"in_order": True}, said(call(), call(2)), said(call(2), call()), 0.5, "0.50 of it, find: "),
        ({"in_order": True, "others": True}, said(call(), call(2)), said(call(), call(9), call(2)), 1, ""),
        ({"not_called": ["drop"]}, said(call()), said(call(), call(1, "drop")), 0, "'drop' must not be called"),
        ({"not_called": ["drop"]}, "Tell them.", "It is lost.", 1, ""),
        ({}, "Tell them.", said(call()), 0, "'find(\"n\": 1)' was not asked for"),
        ({}, said(call()), '{"tool_calls": [{"name": "find", "arguments": {"n": 1, "n": 2}}]}', 0, "a call is no JSON"),
        ({}, said(call()), '{"tool_calls": [{"name": "find", "arguments": {"n": NaN}}]}', 0, "a call is no JSON"),
        ({}, said(call()), '{"tool_calls": [{"name": "find"}]}', 0, "a call is an object with a name and arguments"),
        ({}, said(call()), '{"tool_calls": [{"name": 1, "arguments": {}}]}', 0, "a call's name is text"),
        ({}, said(call()), "<tool_call>{}", 0, "<tool_call> is not closed once"),
        ({}, said(call("<tool_call>")), said(call("<tool_call>")), 1, ""),
        ({}, said(call()), said(call()).replace("tool_calls", r"\u0074ool_calls"), 1, ""),
        ({}, "It is {lost}.", "{lost}", 1, ""),
        ({}, said(call()), "</tool_call>", 0, "</tool_call> closes nothing"),
        ({}, said(call()), said(*[call()] * 65), 0, "it makes more than 64 calls"),
    ],
)
def test_calls_are_held_against_the_expected_ones(
    more: dict[str, Any], reference: str, answer: str, score: float, why: str
) -> None:
    found, words = missed({"kind": "tool-calls", **more}, reference, answer)
    assert found == pytest.approx(score)
    assert words.startswith(why) if why else not words


def test_as_many_calls_as_possible_find_their_own() -> None:
    """The first expected call fits both given ones, the second only the first."""
    reference = said({"name": "find", "arguments": {}}, call(1))
    for order in permutations([call(1), call(2)]):
        assert missed({"kind": "tool-calls", "arguments": "subset"}, reference, said(*order)) == (1.0, "")


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    st.lists(
        st.builds(
            Call, st.text("abc", min_size=1), st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=5))
        ),
        max_size=4,
    )
)
def test_calls_are_read_as_they_are_written(calls: list[Call]) -> None:
    assert read_calls(written(calls)) == tuple(calls)
    tags = "".join(f"so <tool_call>\n{json.dumps(one._asdict())}\n</tool_call>" for one in calls)
    assert read_calls(tags) == tuple(calls)


def test_a_model_is_told_of_its_tools_in_the_form_in_which_it_is_to_call_them() -> None:
    plain = (Message(role=Role.USER, content="hi"),)
    assert with_tools(plain, ()) == plain
    alone, after = (
        with_tools(plain, (FIND,)),
        with_tools((Message(role=Role.SYSTEM, content="Be kind."), *plain), (FIND,)),
    )
    assert [one.role for one in alone] == [one.role for one in after] == ["system", "user"]
    assert after[0].content == f"Be kind.\n\n{alone[0].content}"
    line = next(line for line in alone[0].content.splitlines() if line.startswith('{"type"'))
    assert json.loads(line)["function"] == {
        "name": "find",
        "description": "finds",
        "parameters": json.loads(FIND.parameters),
    }
    assert '<tool_call>\n{"name": "...", "arguments": {...}}\n</tool_call>' in alone[0].content


TABLES = "CREATE TABLE t (a INTEGER, b TEXT); INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, NULL);"


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("DELETE FROM t", "not authorized"),
        ("PRAGMA table_info(t)", "not authorized"),
        ("ATTACH ':memory:' AS x", "not authorized"),
        ("SELECT load_extension('x')", "not authorized"),
        ("SELECT random()", "not authorized"),
        ("SELECT sql FROM sqlite_master", "prohibited"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("SELECT date('now')", "time of day"),
        ("SELECT CURRENT_TIMESTAMP", "time of day"),
        ("SELECT date('n' || 'ow')", "time of day"),
        ('SELECT julianday("now")', "time of day"),
        ("SELECT datetime(x'6e6f77')", "time of day"),
        ("SELECT time(/* now */)", "time of day"),
        ("SELECT strftime('%s')", "time of day"),
        ("SELECT datetime('2026-01-02 12:00', 'localtime')", "time of day"),
        ("SELECT a FROM t WHERE b < date(substr('snow', 2))", "time of day"),
        ("SELECT b LIKE '" + "%a" * 26 + "' FROM t", "too complex"),
        (
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 900), "
            "m(x) AS MATERIALIZED (SELECT printf('%1900d', 1)) SELECT x, x, x, x, x, x FROM n, m",
            "1,000,000 characters",
        ),
        ("SELECT hex(printf('%1500d', 1))", "too big"),
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n", "400,000 steps"),
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n", "5,000 rows"),
        ("SELECT '" + "a" * 10_000 + "'", "10,000 characters"),
        ("SELECT '\ud800'", "fails"),
    ],
)
def test_a_query_reads_the_tables_and_does_nothing_else(query: str, why: str) -> None:
    with pytest.raises(QueryError, match=why):
        rows(TABLES, query)


def test_a_date_is_reckoned_with_and_now_is_a_word() -> None:
    dates = "strftime('%Y', '2026-01-31'), date('2026-01-31', '+1 month')"
    assert rows(TABLES, f"SELECT {dates}, b = 'now', -0.0, date('x') FROM t LIMIT 1") == (
        (("text", "2026"), ("text", "2026-03-03"), ("number", "0"), ("number", "0"), ("nothing", "")),
    )


def test_a_rubric_s_tables_are_small() -> None:
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500) "
    made = f"CREATE TABLE t(a); INSERT INTO t {many} SELECT printf('%99000d', i) FROM n; --{'-' * 100_000}"
    with pytest.raises(QueryError, match="full"):
        rows(made, "SELECT 1")
    with pytest.raises(QueryError, match="too big"):
        rows("CREATE TABLE t(a); INSERT INTO t VALUES (hex(printf('%1500d', 1)))", "SELECT 1")
    with pytest.raises(QueryError, match="time of day"):
        rows("CREATE TABLE t(a DEFAULT CURRENT_DATE); INSERT INTO t DEFAULT VALUES", "SELECT 1")


def test_rows_are_compared_and_not_their_names_or_order() -> None:
    assert missed({"kind": "sql", "tables": TABLES}, "SELECT a FROM t", "select a*1.0 as z from t order by a desc") == (
        1,
        "",
    )
    score, why = missed({"kind": "sql", "tables": TABLES}, "SELECT a FROM t", "SELECT a FROM t WHERE b = 'x'")
    assert (score, why) == (0, "gives 1 rows where 3 are right; lacks ('2')")
    ordered = {"kind": "sql", "tables": TABLES, "ordered": True}
    assert missed(ordered, "SELECT a FROM t ORDER BY a", "SELECT a FROM t ORDER BY a DESC") == (
        0,
        "the rows come in another order",
    )


@pytest.mark.parametrize(
    "statement", ["ATTACH ':memory:' AS x", "PRAGMA user_version = 1", "VACUUM INTO 'x.db'", "nonsense"]
)
def test_the_statements_of_a_rubric_make_tables_and_do_nothing_else(statement: str) -> None:
    with pytest.raises(QueryError, match="fails"):
        rows(statement, "SELECT 1")
