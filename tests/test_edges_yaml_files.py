"""The strict loader: what is refused, where it says the problem is, and that a dump reads back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.edges.yaml_files import dump, line_of, load, parse, parse_front_matter
from runner.errors import RecordError, RecordErrors
from runner.records.cluster import Problem
from runner.records.rubric import Rubric


def problems(data: bytes, **options) -> list[tuple[int | None, str, str]]:
    """Line, field and problem of everything wrong with `data`."""
    with pytest.raises(RecordErrors) as caught:
        load(data, path="a.yaml", **options)
    return [(error.line, error.field, error.problem) for error in caught.value.errors]


def test_plain_values_are_what_every_reader_takes_them_for():
    text = (
        b'a: 1\nb: -2.50\nc: true\nd: "no"\ne: Where is it?\nf: [x, 1.2.3, 3rd]\ng: {}\nh: null\ni: |\n  two\n  lines\n'
    )
    assert load(text, path="a.yaml").value == {
        "a": 1,
        "b": -2.5,
        "c": True,
        "d": "no",
        "e": "Where is it?",
        "f": ["x", "1.2.3", "3rd"],
        "g": {},
        "h": None,
        "i": "two\nlines\n",
    }


BOOLEANS = ["yes", "No", "ON", "off", "y", "N", "True", "FALSE"]
NUMBERS = ["1_0", "0o17", "010", "08", "0x1F", "0b1", ".inf", "-.INF", ".nan", "1e3", "4e-3", "+5", "1.", ".5"]
TIMES = ["12:30:00", "1:30", "2026-01-31", "2026-01-31T10:00:00Z"]
OTHERS = ["~", "Null", "<<", "=", "9007199254740992", "123456789012345678901"]


@pytest.mark.parametrize("scalar", [*BOOLEANS, *NUMBERS, *TIMES, *OTHERS])
def test_scalars_that_readers_disagree_on_are_refused(scalar):
    [(line, field, problem)] = problems(f"a: x\nb:\n  - {scalar}\n".encode())
    assert (line, field) == (3, "b[0]")
    assert scalar[:20] in problem
    assert load(f'b: "{scalar}"\n'.encode(), path="a.yaml").value == {"b": scalar}


@pytest.mark.parametrize(
    ("data", "line", "field", "says"),
    [
        (b"a: 1\nb:\n  c: 1\n  c: 2\n", 4, "b.c", "twice"),
        (b"a: &x 1\n", 1, "a", "anchor &x"),
        (b"a: !!str 1\n", 1, "a", "tag tag:yaml.org,2002:str"),
        (b"a: !!python/name:os.system x\n", 1, "a", "tag"),
        (b"a:\n  <<: {b: 1}\n", 2, "a", "merge key"),
        (b"a: 1\nb:\n\tc: 1\n", 3, "", "tab"),
        (b"a: 1\n---\nb: 2\n", 2, "", "second document"),
        (b"%YAML 1.1\n---\na: 1\n", 1, "", "directive"),
        (b"a: 1\nb: caf\xe9\n", 2, "", "not UTF-8: byte 0xe9"),
        (b"\xef\xbb\xbfa: 1\n", 1, "", "byte-order mark"),
        ("a: 1\nb: x\u202ey\n".encode(), 2, "", "U+202E"),
        (b"a: 1\nb: x\x00y\n", 2, "", "U+0000"),
        (b"a: 1\nb:\n", 2, "b", "no value"),
        (b"a: b: c\n", 1, "", "mapping values are not allowed"),
        (b'a: "x\n', 2, "a", "unexpected end of stream"),
        (b"yes: 1\n", 1, "", "key: the unquoted yes"),
        (b"1: 1\n", 1, "", "key 1 is no text"),
        (b"? [a]\n: b\n", 1, "", "a key must be"),
        (b"", 1, "", "is empty"),
        (b"# nothing\n", 1, "", "is empty"),
    ],
)
def test_what_is_refused_names_line_and_field(data, line, field, says):
    found = problems(data)
    assert (line, field) in [(at, where) for at, where, _ in found]
    assert any(says in problem for _, _, problem in found)


def test_every_problem_of_a_file_is_told():
    found = problems(b"a: no\nc: 010\nc: 1_0\n")
    assert [(line, field) for line, field, _ in found] == [(1, "a"), (2, "c"), (3, "c"), (3, "c")]


def test_an_alias_is_refused_before_it_can_grow():
    [anchor, alias] = problems(b"a: &x [1, 2]\nb: *x\n")
    assert anchor[:2] == (1, "a")
    assert alias[:2] == (2, "b")


def test_nesting_and_size_are_bounded():
    assert "deeper than 20" in problems(b"[" * 21 + b"]" * 21)[0][2]
    assert load(b"[" * 20 + b"]" * 20, path="a.yaml").value
    assert "1,000,001 bytes" in problems(b"a" * 1_000_001)[0][2]
    assert "11 bytes" in problems(b"a: " + b"b" * 8, max_bytes=10)[0][2]


def test_hints_say_the_fix():
    with pytest.raises(RecordErrors) as caught:
        load(b"answer: no\n", path="a.yaml")
    problem = "a.yaml:1: answer: the unquoted no is a boolean to some YAML readers"
    assert str(caught.value) == f'{problem} (write "no" for the text, or true or false)'


RUBRIC = b"""\
id: Refunds
title: 3
status: aproved
normalisation: strip
criteria:
  - id: a
    description: x
    grader:
      kind: exakt
  - id: b
    descriptio: x
    grader:
      kind: regex
      patern: x
    weight: -1
"""


def test_a_record_is_explained_field_by_field():
    with pytest.raises(RecordErrors) as caught:
        parse(RUBRIC, Rubric, path="rubrics/refunds.yaml")
    found = {(error.line, error.field): f"{error.problem} ({error.hint})" for error in caught.value.errors}
    assert list(found) == sorted(found, key=lambda place: place[0])
    assert set(found) == {
        (1, "id"),
        (2, "title"),
        (3, "status"),
        (4, "normalisation"),
        (9, "criteria[0].grader.kind"),
        (10, "criteria[1].description"),
        (11, "criteria[1].descriptio"),
        (12, "criteria[1].grader.pattern"),
        (14, "criteria[1].grader.patern"),
        (15, "criteria[1].weight"),
    }
    assert "did you mean approved? use one of: draft, approved" in found[3, "status"]
    assert "put quotes around it" in found[2, "title"]
    assert "did you mean exact?" in found[9, "criteria[0].grader.kind"]
    assert "did you mean `pattern`? known keys: kind, pattern" in found[14, "criteria[1].grader.patern"]
    assert "is missing (add `description:` below `criteria[1]`)" in found[10, "criteria[1].description"]
    assert "more than 0.0" in found[15, "criteria[1].weight"]


def test_numbers_are_not_taken_for_texts_nor_texts_for_numbers():
    text = (
        b"id: a\ntitle: t\nstatus: draft\ncriteria:\n  - {id: a, description: d, grader: {kind: exact}, weight: %s}\n"
    )
    assert parse(text % b"2", Rubric, path="a.yaml").criteria[0].weight == 2.0
    for wrong in (b'"2"', b"true"):
        with pytest.raises(RecordErrors) as caught:
            parse(text % wrong, Rubric, path="a.yaml")
        assert caught.value.errors[0].field == "criteria[0].weight"


PROBLEM = b"""\
---
gap: g
why_not_real_data: w
metric: composite
threshold: 0.8
real_only_baseline:
  value: 1.5
  how: h
---
# Prose
with\ttabs and --- dashes
---
"""


def test_front_matter_lines_count_from_the_top_of_the_file():
    with pytest.raises(RecordErrors) as caught:
        parse(PROBLEM, Problem, path="problem.md")
    assert [(error.line, error.field) for error in caught.value.errors] == [(7, "real_only_baseline.value")]
    good = PROBLEM.replace(b"1.5", b"0.5")
    record, prose = parse_front_matter(good, Problem, path="problem.md")
    assert record.real_only_baseline.value == 0.5
    assert prose.startswith("# Prose\nwith\ttabs")
    assert line_of(good, "metric", path="problem.md") == 4
    with pytest.raises(RecordError, match=r"problem.md:1: has no front matter"):
        parse(b"# Prose only\n", Problem, path="problem.md")


def test_dump_is_what_a_person_would_write():
    value = {
        "id": "a",
        "ok": True,
        "rate": 0.00001,
        "list": [{"role": "user", "content": "Hi: there"}, "no"],
        "t": "a\nb\n",
    }
    assert dump(value) == (
        b'id: a\nok: true\nrate: 0.00001\nlist:\n  - role: user\n    content: "Hi: there"\n  - "no"\nt: |\n  a\n  b\n'
    )


AWKWARD = st.text(
    alphabet=st.one_of(
        st.characters(exclude_categories=["Cs"]), st.sampled_from(list(" \n\t:#-?[]{}\"'|>&*!%@`~=,01eE._yno"))
    )
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | AWKWARD,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(AWKWARD, inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=400, deadline=None)
@given(VALUES)
def test_what_is_dumped_reads_back(value):
    assert load(dump(value), path="a.yaml").value == value


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | AWKWARD.map(str.encode))
def test_any_bytes_are_read_or_refused_with_a_line(data):
    try:
        load(data, path="a.yaml")
    except RecordErrors as error:
        told = error.errors
    else:
        told = ()
    assert all(one.path == "a.yaml" and one.problem for one in told)
