"""What the cluster's domain rules say of a candidate: the first that it breaks, and why.

Every check is linear in the text. Two rules hold where the cluster does not set a rule of the same id: `too-short` and
`unfilled-placeholder`. They bind generated rows alone, and what people wrote sets the first one's limit.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from runner.errors import RecordError
from runner.records.cluster import Cluster
from runner.records.conversation import last_user_text
from runner.records.domain_rules import (
    AllowedValues,
    Check,
    ConformingJson,
    DomainRule,
    InScript,
    Literals,
    MustContain,
    MustMatch,
    MustNotContain,
    MustNotMatch,
    NoPlaceholders,
    Patterned,
    RuleField,
    Script,
    WordCount,
)
from runner.records.patterns import Instruction, program
from runner.records.scenario import Scenario
from runner.rules.evaluation.json_schema import conforms
from runner.rules.text.matching import found
from runner.rules.text.redaction import TOKEN
from runner.rules.text.shown import shorten
from runner.rules.text.similarity import words

FEWEST_WORDS = 3
"""Words of a generated message at least, or as few as the shortest that a person wrote."""
LOOKED_AT = 1_000
"""Scenarios at most that a cluster's rules are held against: a pattern takes a quarter of a second for them."""
TOO_SHORT, PLACEHOLDER = "too-short", "unfilled-placeholder"
_PLACEHOLDER = re.compile(
    r"(?i:lorem\s+ipsum)"
    r"|\{\{[^{}\n]{1,60}\}\}"
    r"|(?i:[\[<{](?:your|insert|enter|customer|company|first|last|full|name|date)\b[^\[\]<>{}\n]{0,60}[\]>}])"
    r"|\[[A-Z]{2,}(?:[ _-][A-Z]+){0,4}\]"
)
_NAMED = {"CJK": Script.HAN, "IDEOGRAPHIC": Script.HAN}
"""Scripts whose letters' Unicode names start with another word."""
_SHARED = frozenset({"katakana-hiragana", "modifier"})
"""First words of the names of letters that no one script owns, such as the long vowel's mark (Common in UAX 24)."""


class Breach(NamedTuple):
    """The rule that a candidate breaks, and its reason."""

    rule: str
    reason: str


class Misfit(NamedTuple):
    """What does not hold of the rules as written: the field below `domain_rules`, the problem and the fix."""

    field: str
    problem: str
    hint: str


def defaults(human: Iterable[str]) -> tuple[DomainRule, ...]:
    """The rules for generated rows beside messages that people wrote: no rule rejects what is as short as theirs."""
    least = min([FEWEST_WORDS, *(len(words(text)) for text in human)])
    return (
        DomainRule(
            id=TOO_SHORT,
            reason=f"fewer than {least} words, and no person wrote so few",
            check=WordCount(kind="words", least=least),
        ),
        DomainRule(
            id=PLACEHOLDER,
            reason="a blank was left unfilled",
            check=NoPlaceholders(kind="no-placeholders"),
        ),
    )


def binding(
    rules: Sequence[DomainRule], capability: str, *, otherwise: Sequence[DomainRule] = ()
) -> tuple[DomainRule, ...]:
    """The rules for a capability in their order, and those of `otherwise` that none of the rules replaces by its id."""
    named = {rule.id for rule in rules}
    chosen = [*rules, *(rule for rule in otherwise if rule.id not in named)]
    return tuple(rule for rule in chosen if not rule.capabilities or capability in rule.capabilities)


def breach(rules: Iterable[DomainRule], *, text: str, answer: str) -> Breach | None:
    """The first rule that a candidate breaks; None where it keeps them all."""
    fields = {RuleField.INPUT: text, RuleField.ANSWER: answer}
    return next((Breach(rule.id, rule.reason) for rule in rules if not holds(rule.check, fields[rule.of])), None)


def holds(check: Check, text: str) -> bool:
    """Whether `text` is as the check asks."""
    match check:
        case WordCount(least=least, most=most):
            return least <= len(words(text)) and (most is None or len(words(text)) <= most)
        case MustContain():
            return any(_stands(value, text, check) for value in check.values)
        case MustNotContain():
            return not any(_stands(value, text, check) for value in check.values)
        case MustMatch():
            return _matches(check, text)
        case MustNotMatch():
            return not _matches(check, text)
        case InScript(scripts=scripts, least_share=least_share):
            return _share(text, scripts) >= least_share
        case AllowedValues(values=values):
            return _folded(text) in {_folded(value) for value in values}
        case ConformingJson(json_schema=schema):
            return conforms(text, schema)
        case NoPlaceholders(values=values):
            return not _unfilled(text) and not any(_folded(value) in _folded(text) for value in values)


def misfits(cluster: Cluster) -> Iterator[Misfit]:
    """Ids that stand twice, capabilities that there are not, and examples that come out otherwise than they say."""
    capabilities = {capability.id for capability in cluster.capabilities}
    seen: set[str] = set()
    for number, rule in enumerate(cluster.domain_rules):
        field = f"domain_rules[{number}]"
        if rule.id in seen:
            yield Misfit(f"{field}.id", f"the rule {rule.id} stands here twice", "give one of them another id")
        seen.add(rule.id)
        for place, name in enumerate(rule.capabilities):
            if name not in capabilities:
                hint = f"capabilities of {cluster.id}: {', '.join(sorted(capabilities)[:20])}"
                yield Misfit(f"{field}.capabilities[{place}]", f"the capability {name} is unknown", hint)
        try:
            yield from _examples(rule, field)
        except RecordError as error:
            yield Misfit(f"{field}.check.{error.field}", error.problem, "mend the schema")


def contradictions(rules: Iterable[DomainRule], scenarios: Sequence[Scenario]) -> Iterator[Misfit]:
    """Rules that reject what the benchmark asks: for each the first of `scenarios`, and how many of `LOOKED_AT`."""
    for number, rule in enumerate(rules):
        broken = [one.id for one in scenarios[:LOOKED_AT] if not _keeps(one, rule)]
        if broken:
            others = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
            problem = f"the rule {rule.id} rejects the scenario {broken[0]}{others}"
            yield Misfit(f"domain_rules[{number}].check", problem, "let it through, or name the rule's capabilities")


def _keeps(scenario: Scenario, rule: DomainRule) -> bool:
    try:
        bound = binding((rule,), scenario.capability)
        return breach(bound, text=last_user_text(scenario.input), answer=scenario.reference) is None
    except RecordError:  # a schema that cannot be used: `misfits` says so
        return True


def _examples(rule: DomainRule, field: str) -> Iterator[Misfit]:
    if isinstance(rule.check, ConformingJson):
        conforms("null", rule.check.json_schema)
    for name, texts, right in (("passes", rule.passes, True), ("fails", rule.fails, False)):
        for place, text in enumerate(texts):
            if holds(rule.check, text) is not right:
                said = f"the rule {rule.id} {'rejects' if right else 'lets through'} {shorten(text)!r}"
                hint = f"mend its check, or move the text to `{'fails' if right else 'passes'}`"
                yield Misfit(f"{field}.{name}[{place}]", said, hint)


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _stands(value: str, text: str, check: Literals) -> bool:
    """Whether `value` stands in `text`, case, width and runs of spaces aside."""
    return _literal(value, check.inside_words)(_folded(text))


@lru_cache(maxsize=1024)
def _literal(value: str, inside_words: bool) -> Callable[[str], bool]:
    edge = "" if inside_words else r"(?!\w)"
    before = "" if inside_words else r"(?<!\w)"
    compiled = re.compile(f"{before}{re.escape(_folded(value))}{edge}")
    return lambda text: compiled.search(text) is not None


def _matches(check: Patterned, text: str) -> bool:
    return found(_program(check.pattern), text.casefold() if check.fold_case else text)


@lru_cache(maxsize=256)
def _program(pattern: str) -> tuple[Instruction, ...]:
    return program(pattern)


def _share(text: str, scripts: Sequence[Script]) -> float:
    """The share of the letters in `text` that are of `scripts`, width and shared ones aside; 1 where it has none."""
    found = [_script(letter) for letter in unicodedata.normalize("NFKC", text) if letter.isalpha()]
    letters = [script for script in found if script not in _SHARED]
    return sum(script in scripts for script in letters) / len(letters) if letters else 1.0


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    first = unicodedata.name(letter, "").partition(" ")[0]
    return _NAMED.get(first, first.lower())


def _unfilled(text: str) -> bool:
    return any(not TOKEN.fullmatch(match[0]) for match in _PLACEHOLDER.finditer(text))
