"""Domain rules: each check, what `hallmark check` says of a wrong one, and that real messages pass the usual ones."""

from __future__ import annotations

import csv
import json
import re
import time
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from runner import survey_files, workspace
from runner.edges.readers import DirectoryReader
from runner.edges.yaml_files import line_of, parse
from runner.records.cluster import Cluster
from runner.records.diversity import DiversityLimits
from runner.records.domain_rules import Check, DomainRule
from runner.rules.data.domain_rules import PLACEHOLDER, TOO_SHORT, binding, breach, defaults, holds
from runner.rules.text.redaction import KINDS
from runner.rules.text.similarity import words
from tests.reviewed_fixture import write

CLUSTER = "clusters/desk/cluster.yaml"
CHECK: TypeAdapter[Check] = TypeAdapter(Check)
FULL_WIDTH = "\uff28\uff45\uff4c\uff4c\uff4f"
"""Hello, in full-width letters."""
SCHEMA = json.dumps({"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}})


def check(kind: str, **fields: Any) -> Check:
    return CHECK.validate_python({"kind": kind, **fields})


@pytest.mark.parametrize(
    ("one", "passes", "fails"),
    [
        (check("words", least=2, most=3), ["two words", "now three words"], ["one", "these are four words", "?!"]),
        (check("must-contain", values=["card", "PIN"]), ["My Card!", "the pin"], ["a cardigan", "nothing"]),
        (check("must-contain", values=["card"], inside_words=True), ["a cardigan"], ["nothing"]),
        (check("must-not-contain", values=["Other  Shop", "c++"]), ["another shop"], ["the other shop's", "I use C++"]),
        (check("must-not-contain", values=["strasse"]), ["Gasse"], ["die Straße hier"]),
        (check("must-match", pattern=r"^[A-Z]{2}-\d+$"), ["AB-12"], ["ab-12", "AB-12 x"]),
        (check("must-match", pattern=r"^ab", fold_case=True), ["AB-12"], ["x AB"]),
        (check("must-not-match", pattern=r"\d{4}"), ["year 99"], ["year 1999"]),
        (check("script", scripts=["latin"]), ["Grüße, 42!", "123", "naïve"], ["привет", "你好 hi"]),
        (check("script", scripts=["cyrillic", "latin"]), ["привет hi"], ["你好"]),
        (check("script", scripts=["han"], least_share=0.5), ["你好 hi"], ["你 hi"]),
        (check("script", scripts=["han", "hiragana", "katakana"]), ["カードが使えません", "人々の声", "ｶｰﾄﾞ"], ["카드"]),
        (check("script", scripts=["hiragana"]), ["らーめん"], ["ラーメン"]),
        (check("script", scripts=["latin"]), [FULL_WIDTH, "\N{MODIFIER LETTER APOSTROPHE}okina"], [f"{FULL_WIDTH} の"]),
        (check("one-of", values=["Refund", "no-action"]), ["refund ", "no-action"], ["no action", "refunds"]),
        (check("json-schema", json_schema=SCHEMA), ['{"city": "Rome"}'], ['{"city": 1}', "Rome", "{}"]),
        (
            check("no-placeholders", values=["tbd"]),
            ["mail me at [EMAIL], I am [NAME]", "sizes <m> and {l}", "see [1] and [sic]"],
            ["Dear [Your name],", "{{order_id}}", "<insert date>", "Lorem  ipsum dolor", "it is TBD", "[ORDER NUMBER]"],
        ),
    ],
    ids=lambda value: value.kind if hasattr(value, "kind") else "",
)
def test_what_passes_and_what_fails(one: Check, passes: list[str], fails: list[str]) -> None:
    assert [text for text in passes if not holds(one, text)] == []
    assert [text for text in fails if holds(one, text)] == []


def rule(name: str, kind: str, **fields: Any) -> DomainRule:
    more = {key: fields.pop(key) for key in ("capabilities", "of") if key in fields}
    return DomainRule.model_validate(
        {"id": name, "reason": f"because of {name}", "check": check(kind, **fields), **more}
    )


def test_a_rule_binds_its_capabilities_and_its_field() -> None:
    rules = [
        rule("short", "words", most=3, capabilities=["refunds"]),
        rule("label", "one-of", values=["refunds"], of="answer"),
    ]
    assert [one.id for one in binding(rules, "sizes")] == ["label"]
    found = breach(binding(rules, "refunds"), text="four words are here", answer="else")
    assert found == ("short", "because of short"), "the first one in the cluster's order"
    assert breach(binding(rules, "refunds"), text="three words here", answer="Refunds") is None
    usual = defaults(["some text of a person"])
    assert [one.id for one in binding([rule(TOO_SHORT, "words")], "refunds", otherwise=usual)] == [
        TOO_SHORT,
        PLACEHOLDER,
    ]


def test_redaction_leaves_no_placeholder() -> None:
    unfilled = check("no-placeholders")
    assert all(holds(unfilled, f"write to [{kind.upper()}] please") for kind in (*KINDS, "name"))


def test_a_hostile_pattern_and_text_take_no_longer() -> None:
    started = time.process_time()
    holds(check("must-match", pattern=r"(a+)+$"), "a" * 5_000 + "!")
    for text in ("[" * 50_000, "{{" + "a" * 50_000, "[AA" + " A" * 50_000, "<your" * 20_000, "lorem" + " " * 50_000):
        assert holds(check("no-placeholders"), text)
    assert time.process_time() - started < 3


@given(st.text(max_size=60), st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=3))
def test_containing_and_not_containing_are_opposites(text: str, values: list[str]) -> None:
    for inside in (True, False):
        ways = [check(kind, values=values, inside_words=inside) for kind in ("must-contain", "must-not-contain")]
        assert holds(ways[0], text) is not holds(ways[1], text)


def checked(tmp_path: Path, block: str) -> list[tuple[int | None, str, str]]:
    top = write(tmp_path / "ws")
    file = top / CLUSTER
    before = len(file.read_text().splitlines())
    file.write_text(f"{file.read_text()}domain_rules:\n{block}")
    problems = survey_files.survey(DirectoryReader(top), parse=parse, locate=line_of, paths=()).problems
    assert {problem.path for problem in problems} <= {CLUSTER}
    assert all(problem.hint for problem in problems)
    return [((problem.line or 0) - before - 1, problem.field, problem.problem) for problem in problems]


RULE = """  - id: no-rivals
    reason: A message to us names no other shop.
    check:
      kind: must-not-contain
      values:
        - othershop
    passes:
      - Where is my parcel?
    fails:
      - OtherShop is cheaper.
"""


def test_a_sound_rule_is_no_problem_and_changes_the_cluster_s_digest(tmp_path: Path) -> None:
    assert checked(tmp_path, RULE) == []
    with_rule = workspace.load(DirectoryReader(tmp_path / "ws"), "desk", parse=parse)
    assert with_rule.cluster.domain_rules[0].id == "no-rivals"
    without = workspace.load(DirectoryReader(write(tmp_path / "plain")), "desk", parse=parse)
    assert with_rule.digests["cluster"] != without.digests["cluster"]
    assert "domain_rules" not in without.cluster.model_dump(mode="json"), "what has no rules has the digest it had"


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "problem"),
    [
        ("Where is my parcel?", "Is othershop cheaper?", 8, "passes[0]", "rejects 'Is othershop cheaper?'"),
        ("OtherShop is cheaper.", "You are dear.", 10, "fails[0]", "lets through 'You are dear.'"),
        ("must-not-contain", "must-not-have", 4, "check", "must-not-have"),
        ("othershop", '""', 6, "check.values[0]", "empty"),
        ("reason:", "because:", 2, "because", "unknown key"),
        ("    check:", "    capabilities:\n      - refund\n    check:", 4, "capabilities[0]", "refund is unknown"),
        ("    check:", "    of: output\n    check:", 3, "of", "output"),
        ("othershop", "The text", 3, "check", "rejects the scenario core-late-delivery-1 and 1 more"),
    ],
)
def test_a_wrong_rule_is_found_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, field: str, problem: str
) -> None:
    found = checked(tmp_path, RULE.replace(old, new))
    wanted = f"domain_rules[0].{field}".rstrip(".")
    matching = [one for one in found if one[1].startswith(wanted) and problem in one[2]]
    assert matching, found
    assert matching[0][0] == line


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("kind: must-match\n      pattern: (a)\\1", "backtracking"),
        ("kind: must-match\n      pattern: (a", "does not compile"),
        ("kind: words\n      least: 5\n      most: 4", "at most 4"),
        ('kind: json-schema\n      json_schema: \'{"type": "objekt"}\'', "not a JSON schema"),
        ('kind: json-schema\n      json_schema: \'{"$ref": "other.json"}\'', "leaves the schema"),
        ("kind: script\n      scripts:\n        - klingon", "klingon"),
    ],
)
def test_a_check_that_cannot_be_used_is_found(tmp_path: Path, text: str, problem: str) -> None:
    block = f"  - id: wrong\n    reason: It is wrong.\n    check:\n      {text}\n"
    found = checked(tmp_path, block)
    assert any(problem in one[2] for one in found), found


def test_limits_on_diversity_that_cannot_hold_are_found(tmp_path: Path) -> None:
    found = checked(tmp_path, f"{RULE}diversity:\n  min_median_words: 9\n  max_median_words: 4\n")
    assert [one[1:] for one in found] == [("diversity", "asks for a median of at least 9 words and at most 4")]


def test_two_rules_of_one_name_are_found(tmp_path: Path) -> None:
    assert [one[1:] for one in checked(tmp_path, RULE + RULE)] == [
        ("domain_rules[1].id", "the rule no-rivals stands here twice")
    ]


def real_messages(data: Path) -> dict[str, dict[str, list[str]]]:
    """By corpus and capability, what people wrote."""
    found: dict[str, dict[str, list[str]]] = {"support-desk": {}, "banking77": {}, "nl_rx": {"all": []}}
    traces = Path(__file__).parent.parent / "examples" / "support-desk" / "traces.jsonl"
    for line in traces.read_text().splitlines():
        one = json.loads(line)
        label = one.get("feedback", {}).get("correct_answer", "none")
        found["support-desk"].setdefault(label, []).append(one["request"]["messages"][-1]["content"])
    with (data / "banking77" / "train.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            found["banking77"].setdefault(row["category"], []).append(row["text"])
    found["nl_rx"]["all"] = (data / "nl_rx" / "turk" / "src-train.txt").read_text().splitlines()[:2000]
    return found


def test_the_usual_rules_reject_no_real_message(data: Path) -> None:
    rejected: dict[str, list[str]] = {}
    for corpus, groups in real_messages(data).items():
        counted = 0
        for capability, texts in groups.items():
            rules = binding((), capability, otherwise=defaults(texts))
            counted += len(texts)
            rejected.setdefault(corpus, []).extend(text for text in texts if breach(rules, text=text, answer=""))
        print(f"usual rules on {corpus}: {len(rejected[corpus])} of {counted} real messages rejected")
        shorter = sum(len(words(text)) < 3 for texts in groups.values() for text in texts)
        print(f"  a fixed floor of three words would reject {shorter}")
    assert {corpus: texts for corpus, texts in rejected.items() if texts} == {}


def test_the_desk_s_own_rules_reject_nothing_that_people_wrote(data: Path) -> None:
    path = Path(__file__).parent.parent / "clusters" / "support-desk" / "cluster.yaml"
    cluster = parse(path.read_bytes(), Cluster, path="clusters/support-desk/cluster.yaml")
    assert {rule.id for rule in cluster.domain_rules} == {"speaks-as-a-model", "no-such-queue"}
    assert all(rule.passes and rule.fails for rule in cluster.domain_rules)
    for answer, texts in real_messages(data)["support-desk"].items():
        right = answer if answer != "none" else cluster.capabilities[0].id
        bound = binding(cluster.domain_rules, right)
        assert [text for text in texts if breach(bound, text=text, answer=right)] == []


def documented(heading: str) -> str:
    """A section of docs/funnel.md."""
    text = (Path(__file__).parent.parent / "docs" / "funnel.md").read_text()
    return text.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def test_the_documented_checks_are_the_real_ones() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| [^|]* \| ([^|]*) \|$", documented("Domain rules"), re.MULTILINE)
    real = {
        str(get_args(one.model_fields["kind"].annotation)[0]): set(one.model_fields) - {"kind"}
        for one in get_args(get_args(Check)[0])
    }
    assert {kind: set(re.findall(r"`(\w+)`", fields)) for kind, fields in rows} == real


def test_the_documented_blocks_are_sound(tmp_path: Path) -> None:
    for heading in ("Domain rules", "Diversity"):
        block = re.search(r"```yaml\n(.*?)```", documented(heading), re.DOTALL)
        assert block
        top = write(tmp_path / heading)
        (top / CLUSTER).write_text((top / CLUSTER).read_text() + block[1])
        assert survey_files.survey(DirectoryReader(top), parse=parse, locate=line_of).problems == ()


def test_the_documented_limits_are_the_real_ones() -> None:
    named = set(re.findall(r"^\| (`m[^|]*) \|", documented("Diversity"), re.MULTILINE))
    limits = {name for row in named for name in re.findall(r"`(\w+)`", row)}
    assert limits == set(DiversityLimits.model_fields) - {"near_duplicate"}
