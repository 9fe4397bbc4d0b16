"""A promptfoo configuration as items: each prompt with each test's variables, checked by the test's assertions.

Prompts are text, or messages as JSON or YAML; variables that are lists are taken in every combination. Of a test whose
assertions cannot all be mapped, those that can decide; a test of which none can is left out. Everything that is not
taken over is counted with its reason.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from runner.errors import RecordError
from runner.records.conversation import Conversation, Message, Role
from runner.records.terms import OutcomeType
from runner.rules.adopt.assertions import Asserted, Refused, asserted, check_of, together
from runner.rules.adopt.items import (
    Adopted,
    Beside,
    Capability,
    Check,
    Document,
    Item,
    Render,
    Tally,
    asked_for,
    needed_text,
    text_of,
)
from runner.rules.adopt.promptfoo_rows import test_of_row
from runner.rules.adopt.promptfoo_shape import Test, count_others, shaped
from runner.rules.naming import slug
from runner.rules.strict_json import strict_json

READ = frozenset({"prompts", "tests", "defaultTest", "description", "assertionTemplates"})
IGNORED = frozenset({"providers", "targets", "outputPath", "tags", "sharing", "commandLineOptions", "env", "$schema"})
"""What says how promptfoo runs, and nothing of the benchmark."""
CHANGING = frozenset({"transform", "transformVars", "prefix", "suffix"})
"""Options that change what is asked or answered."""
COMBINATIONS = 1_000
MOST_FILES = 1_000
"""Files of tests that are read, each as often as it is named."""
DEEPEST_FILE = 5
"""Files of tests that may name one another."""
FILE = "file://"
ROWS = (".csv", ".jsonl", ".json")


class Prompt(NamedTuple):
    label: str
    messages: tuple[tuple[str, Render], ...]
    """(role, template) of each message."""


def from_promptfoo(document: Document, beside: Beside, *, judge: str = "", capability: str = "") -> Adopted:
    """Raises `RecordError` with file, line and field for what is no such configuration, and where no test is left."""
    said = asked_for(document.value, dict, document, "", "a promptfoo configuration")
    tally = Tally()
    for key in sorted(said.keys() - READ):
        why = "it says how promptfoo runs" if key in IGNORED else "it is not taken over"
        tally.left(f"the field {key}", why, document.place(key))
    default = said.get("defaultTest") or {}
    if not isinstance(default, dict):
        tally.left("defaultTest", "it stands in another file", document.place("defaultTest"))
        default = {}
    reading = _Reading(document, beside, tally, judge, said.get("assertionTemplates") or {},
                       shaped(default, document.place("defaultTest")))  # fmt: skip
    prompts = list(_prompts(said.get("prompts"), document, beside, tally))
    items, capabilities = [], dict[str, Capability]()
    about = " ".join(text_of(said.get("description") or "A promptfoo configuration.").split())
    tests = _tests(said.get("tests"), document, beside, tally, count=itertools.count(1))
    for number, (place, one) in enumerate(tests):
        count_others(one, tally, place)
        test = shaped(one, place)
        combinations = reading.values(test, place)
        checked = reading.checked(test, place) if combinations else None
        if checked is None:
            continue
        name = capability or _capability(test, reading.default) or slug(prompts[0].label) or "answers"
        capabilities.setdefault(name, Capability(name.replace("-", " "), about))
        for prompt, values in itertools.product(prompts, combinations):
            items.append(_item(prompt, values, checked, test, place, name, together=f"test {number}"))
    return Adopted(tuple(items), capabilities, tally)


class _Checked(NamedTuple):
    check: Check
    found: tuple[Asserted, ...]


class _Reading:
    """What every test is read with."""

    def __init__(self, document: Document, beside: Beside, tally: Tally, judge: str, templates: Any,
                 default: Test) -> None:  # fmt: skip
        self.document, self.beside, self.tally, self.judge = document, beside, tally, judge
        self.templates = templates if isinstance(templates, dict) else {}
        self.default = default

    def checked(self, test: Test, place: str) -> _Checked | None:
        """What decides a test; None, and counted, where nothing does."""
        changes = sorted(CHANGING & {*test.options, *self.default.options})
        if changes:
            self.tally.left("a test", f"its options.{changes[0]} changes what is asked or answered", place)
            return None
        inherited = () if test.options.get("disableDefaultAsserts") else self.default.asserts
        found = []
        for one in self._flat([*inherited, *test.asserts], place):
            try:
                found.append(asserted(self._rendered(one, test), judge=self.judge))
            except (Refused, RecordError) as error:
                why = error.problem if isinstance(error, RecordError) else str(error)
                self.tally.left(f"the assertion {text_of(one.get('type', ''))}", why, place)
        kept, refused = together(found)
        for out, why in refused:
            self.tally.left(f"the assertion {out.kind}", why, place)
        if not kept:
            self.tally.left("a test", "it has no assertion that can be mapped", place)
            return None
        check = check_of(kept, threshold=test.threshold or self.default.threshold)
        for asserting, made in zip(kept, check.criteria, strict=True):
            self.tally.mapped(f"the assertion {asserting.kind}", made.grader.kind)
        return _Checked(check, tuple(kept))

    def _flat(self, listed: Sequence[Any], place: str) -> Iterator[Mapping[str, Any]]:
        """Assertions, with references to templates followed and sets without a threshold of their own opened."""
        for one in listed:
            entry = one
            if isinstance(one, dict) and isinstance(one.get("$ref"), str):
                entry = self.templates.get(one["$ref"].rpartition("/")[2])
            if not isinstance(entry, dict):
                self.tally.left("an assertion", "it is no mapping, or refers to nothing", place)
            elif entry.get("type") == "assert-set" and not entry.get("threshold"):
                inner = entry.get("assert")
                yield from self._flat(inner if isinstance(inner, list) else [], place)
            else:
                yield entry

    def _rendered(self, one: Mapping[str, Any], test: Test) -> Mapping[str, Any]:
        """Values of assertions are templates too, of the test's variables."""
        value = one.get("value")
        if not isinstance(value, str) or ("{{" not in value and "{%" not in value):
            return one
        values = self._given(test)
        if any(_choices(value) for value in values.values()):
            raise Refused("its value differs from one combination of variables to another")
        return {**one, "value": self.beside.template(value, path=self.document.path)(values)}

    def _given(self, test: Test) -> dict[str, Any]:
        default = self.default.vars if isinstance(self.default.vars, dict) else {}
        return {**default, **(test.vars if isinstance(test.vars, dict) else {})}

    def values(self, test: Test, place: str) -> list[dict[str, Any]]:
        """The variables of a test, once for each combination of those that are lists of texts. None, and counted, where
        they stand in a file that is not read."""
        if isinstance(test.vars, str):
            self.tally.left("a test", "its variables stand in another file", place)
            return []
        values = self._given(test)
        for name, value in values.items():
            if isinstance(value, str) and value.startswith(FILE):
                try:
                    values[name] = self.beside.text(value.removeprefix(FILE))
                except RecordError as error:
                    self.tally.left("a test", f"the file of its variable {name} {error.problem}", place)
                    return []
        several = {name: value for name, value in values.items() if _choices(value)}
        found = [{**values, **dict(zip(several, chosen, strict=True))} for chosen in
                 itertools.islice(itertools.product(*several.values()), COMBINATIONS + 1)]  # fmt: skip
        if len(found) > COMBINATIONS:
            raise RecordError(f"has more than {COMBINATIONS:,} combinations of variables", path=place)
        return [self._composed(one) for one in found]

    def _composed(self, values: dict[str, Any]) -> dict[str, Any]:
        """Variables may name variables: once."""
        return {
            name: self.beside.template(value, path=self.document.path)(values)
            if isinstance(value, str) and "{{" in value else value
            for name, value in values.items()
        }  # fmt: skip


def _choices(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and not any(isinstance(one, (dict, list)) for one in value)


def _tests(
    listed: Any, document: Document, beside: Beside, tally: Tally, *, count: Iterator[int], deep: int = 0
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(place, test) of each test, those of files that are named included. `count` is of these files, from 1.

    Raises `RecordError` where they name too many, or one another without an end.
    """
    field = "" if deep else "tests"
    for number, one in enumerate(listed if isinstance(listed, list) else [listed]):
        at = f"{field}[{number}]" if isinstance(listed, list) else field
        if isinstance(one, dict):
            yield document.place(at), one
        elif not isinstance(one, str):
            asked_for(one, dict, document, at, "a test")
        elif one.endswith((".js", ".ts", ".py", ".mjs", ".cjs")) or "://" in one.removeprefix(FILE) or "*" in one:
            tally.left("a file of tests", "it would run code, or is no file beside this one", document.place(at))
        elif one.endswith(ROWS):
            for place, row in beside.rows(one.removeprefix(FILE)):
                yield place, test_of_row(row, tally, place)
        else:
            if deep >= DEEPEST_FILE or next(count) > MOST_FILES:
                raise RecordError("names too many files of tests, or one that names itself", path=document.path,
                                  line=document.line(at), field=at, hint="write the tests into one file")  # fmt: skip
            other = beside.document(one.removeprefix(FILE))
            inner = asked_for(other.value, list, other, "", "a file of tests")
            yield from _tests(inner, other, beside, tally, count=count, deep=deep + 1)


def _prompts(listed: Any, document: Document, beside: Beside, tally: Tally) -> Iterator[Prompt]:
    found = 0
    for number, one in enumerate(listed if isinstance(listed, list) else [listed]):
        at = f"prompts[{number}]" if isinstance(listed, list) else "prompts"
        label = text_of(one.get("label") or one.get("id") or "") if isinstance(one, dict) else ""
        raw = (one.get("raw") or one.get("id")) if isinstance(one, dict) else one
        text = needed_text(raw, document, at)
        name = text.removeprefix(FILE)
        if name.partition(":")[0].endswith((".js", ".ts", ".py", ".mjs", ".cjs")):
            tally.left("a prompt", "it would run code", document.place(at))
            continue
        if text.startswith(FILE) or (name.endswith((".txt", ".md", ".json", ".yaml", ".yml")) and "\n" not in name):
            label = label or name.rpartition("/")[2].partition(".")[0]
            value = beside.document(name).value if name.endswith((".yaml", ".yml", ".json")) else None
            text = json.dumps(value) if value is not None else beside.text(name)
        found += 1
        yield Prompt(label or f"prompt {found}", tuple(_messages(text, document, at, beside)))
    if not found:
        raise RecordError("has no prompt that can be read", path=document.path, line=document.line("prompts"),
                          field="prompts", hint="write its text, or name a text file beside this one")  # fmt: skip


def _messages(text: str, document: Document, at: str, beside: Beside) -> Iterator[tuple[str, Render]]:
    """Text is one message of the user; a JSON list is a conversation."""
    listed = None
    if text.lstrip().startswith("["):
        try:
            listed = strict_json(text.encode())
        except ValueError:
            listed = None
    if not isinstance(listed, list):
        yield Role.USER, beside.template(text, path=document.path, field=at)
        return
    for number, one in enumerate(listed):
        where = f"{at}[{number}]"
        said = asked_for(one, dict, document, at, "a message")
        role, content = said.get("role"), said.get("content")
        if role not in {Role.SYSTEM, Role.USER, Role.ASSISTANT} or not isinstance(content, str):
            raise RecordError(
                "is no message with a role and a text", path=document.path, line=document.line(at), field=where
            )
        yield role, beside.template(content, path=document.path, field=where)


def _capability(test: Test, default: Test) -> str:
    said = {**default.metadata, **test.metadata}
    return next((slug(text_of(said[key])) for key in ("capability", "category") if said.get(key)), "")


def _item(
    prompt: Prompt, values: Mapping[str, Any], checked: _Checked, test: Test, place: str, name: str, *,
    together: str,
) -> Item:  # fmt: skip
    told = tuple(one.told for one in checked.found)
    sure = next((one for one in checked.found if one.reference), None)
    return Item(
        place=place,
        capability=name,
        lens="promptfoo",
        objective=test.description or "Answer this as the test asks.",
        input=_conversation(prompt, values, place),
        reference=sure.reference if sure else " ".join(told),
        check=checked.check,
        passes=told,
        fails=("The answer fails one of these checks.",) if len(told) > 1 else ("The answer fails this check.",),
        answer=sure.reference if sure and sure.whole else "",
        outcome=OutcomeType.FP_GUARD if all(one.forbids for one in checked.found) else OutcomeType.TP,
        together=together,
    )


def _conversation(prompt: Prompt, values: Mapping[str, Any], place: str) -> Conversation:
    made = [(role, render(values).strip()) for role, render in prompt.messages]
    if not made or not all(text for _, text in made):
        raise RecordError(f"{prompt.label} says nothing with its variables", path=place, hint="give them values")
    return tuple(Message(role=Role(role), content=text) for role, text in made)
