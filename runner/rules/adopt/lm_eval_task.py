"""A task file of lm-evaluation-harness with a local dataset, as items.

Read as the harness reads it (its task guide): `doc_to_text`, `doc_to_target` and `doc_to_choice` are a column's name
or a template; of a multiple choice the target is a choice's number or its text. Where the harness ranks choices by
likelihood, the specialist must write one: choices that the prompt does not show are listed below it. Python
(`!function`), hub datasets and groups are refused.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from runner.errors import RecordError
from runner.records.graders import Exact
from runner.records.rubric import Normalisation
from runner.rules.adopt.items import (
    Adopted,
    Beside,
    Capability,
    Check,
    Document,
    Item,
    Tally,
    asked_for,
    by_words,
    criterion,
    text_of,
    user,
)
from runner.rules.naming import slug

CHOICE, GENERATE, LIKELIHOOD = "multiple_choice", "generate_until", "loglikelihood"
EXACT = frozenset({"acc", "acc_norm", "exact_match", "em", "quasi_exact_match"})
"""Metrics that ask of each sample whether its answer is the target."""
WORDS = frozenset({"bleu", "rouge", "rouge1", "rouge2", "rougeL", "rougeLsum", "chrf", "ter", "meteor"})
AGGREGATE = frozenset({"f1", "mcc", "matthews_corrcoef", "perplexity", "word_perplexity", "byte_perplexity",
                       "bits_per_byte", "acc_mutual_info", "brier_score"})  # fmt: skip
READ = frozenset({
    "task", "task_alias", "tag", "group", "dataset_path", "dataset_name", "dataset_kwargs", "training_split",
    "validation_split", "test_split", "fewshot_split", "doc_to_text", "doc_to_target", "doc_to_choice", "description",
    "output_type", "metric_list", "generation_kwargs", "filter_list", "include", "metadata", "target_delimiter",
})  # fmt: skip
SHOWS = frozenset({"num_fewshot", "fewshot_config", "fewshot_delimiter"})
HARMLESS = {"take_first": "", "remove_whitespace": "strip", "lowercase": "lowercase"}
DEEPEST_INCLUDE = 5
LONGEST_LIST = 100_000


def from_lm_eval(document: Document, beside: Beside, *, data: str = "", capability: str = "") -> Adopted:
    """`data` is read instead of the dataset that the task names. Raises `RecordError` with file, line and field."""
    said = _with_includes(document, beside)
    if isinstance(said.get("task"), list) or "aggregate_metric_list" in said:
        raise RecordError("is a group of tasks", path=document.path, line=document.line("task"), field="task",
                          hint="import each of its tasks")  # fmt: skip
    tally = Tally()
    for key in sorted(said.keys() - READ):
        why = "a scenario is asked without examples" if key in SHOWS else "it is not taken over"
        tally.left(f"the field {key}", why, document.place(key))
    documents = list(_documents(document, beside, said, tally, data))
    columns = frozenset(column for _, row, _ in documents for column in row)
    task = _Task(document, beside, said, tally, columns)
    name = capability or slug(text_of(said.get("task") or "")) or "answers"
    items = [task.item(row, place, name, trains=trains) for place, row, trains in documents]
    sets = task.seen_choices
    writing = asked_for(said.get("generation_kwargs") or {}, dict, document, "generation_kwargs", "generation_kwargs")
    longest = writing.get("max_gen_toks", 0)
    for key in sorted(map(str, writing.keys() - {"max_gen_toks"})):
        tally.left(
            f"generation_kwargs.{key}", "how the model writes is cluster.yaml's", document.place("generation_kwargs")
        )
    about = " ".join(text_of(said.get("description") or f"The task {said.get('task', '')}.").split())
    title = text_of(said.get("task_alias") or said.get("task") or name)
    return Adopted(
        tuple(items),
        {name: Capability(title, about)},
        tally,
        choices=next(iter(sets)) if len(sets) == 1 else (),
        longest=longest if isinstance(longest, int) and longest > 0 else 0,
    )


def _with_includes(document: Document, beside: Beside, deep: int = 0) -> dict[str, Any]:
    said = dict(asked_for(document.value, dict, document, "", "a task"))
    if "include" not in said:
        return said
    if deep >= DEEPEST_INCLUDE:
        raise RecordError("includes too many files in each other", path=document.path, field="include")
    other = beside.document(text_of(said.pop("include")))
    return {**_with_includes(other, beside, deep + 1), **said}


class _Choice(NamedTuple):
    text: str
    choices: tuple[str, ...]


class _Task:
    """What each document is made into an item with."""

    def __init__(
        self, document: Document, beside: Beside, said: Mapping[str, Any], tally: Tally, columns: frozenset[str]
    ) -> None:
        self.document, self.beside, self.said, self.tally, self.columns = document, beside, said, tally, columns
        self.kind = text_of(said.get("output_type") or GENERATE)
        if self.kind not in (CHOICE, GENERATE, LIKELIHOOD):
            raise self._wrong("output_type", f"{self.kind} has no answer to write", "a task with a target is needed")
        if self.kind != GENERATE:
            why = "answers are not ranked by likelihood here: the right one must be written"
            tally.left(f"output_type {self.kind}", why, document.place("output_type"))
        for field in ("doc_to_text", "doc_to_target"):
            if field not in said:
                raise self._wrong(field, "is missing", "name a column, or write a template")
        self.check = self._check()
        self.seen_choices: set[tuple[str, ...]] = set()

    def item(self, row: Mapping[str, Any], place: str, name: str, *, trains: bool) -> Item:
        text = text_of(self._value("doc_to_text", row)).strip()
        if "description" in self.said and text_of(self.said["description"]):
            text = (self._rendered("description", row) + text).strip()
        if not text:
            raise RecordError("the text says nothing", path=place, hint="mend the data, or doc_to_text")
        target = self._target(row, place)
        self.seen_choices.add(target.choices)
        if target.choices and not all(one in text for one in target.choices):
            text += "\n\nAnswer with one of:\n" + "\n".join(f"- {one}" for one in target.choices)
        told = self.check.criteria[0].description
        self.tally.mapped(f"a document of {self.kind}", self.check.criteria[0].grader.kind)
        return Item(
            place=place,
            capability=name,
            lens=slug(text_of(self.said.get("task") or "")) or "lm-eval",
            objective="Answer this as the task's target says.",
            input=user(text),
            reference=target.text,
            check=self.check,
            passes=(told,),
            fails=("The answer is another one.",),
            answer=target.text,
            trains=trains,
        )

    def _target(self, row: Mapping[str, Any], place: str) -> _Choice:
        value = self._value("doc_to_target", row)
        choices = self._choices(row) if "doc_to_choice" in self.said else ()
        if isinstance(value, list):
            if len(value) > 1:
                self.tally.left("further right answers", "a scenario has one reference", place)
            value = value[0] if value else ""
        if self.kind == CHOICE or choices:
            number = value if isinstance(value, int) else _number(text_of(value))
            if number is not None and text_of(value).strip() not in choices:
                if not 0 <= number < len(choices):
                    raise RecordError(f"the target {number} is none of {len(choices)} choices", path=place)
                value = choices[number]
            elif text_of(value).strip() not in choices:
                raise RecordError(f"the target {text_of(value)[:60]!r} is none of its choices", path=place,
                                  hint="doc_to_target gives the number of a choice, or its text")  # fmt: skip
        found = text_of(value).strip()
        if not found:
            raise RecordError("the target says nothing", path=place, hint="mend the data, or doc_to_target")
        return _Choice(found, choices)

    def _choices(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        value = self.said["doc_to_choice"]
        if isinstance(value, str):
            value = self._value("doc_to_choice", row)
            value = _list(value) if isinstance(value, str) else value
        if isinstance(value, dict):
            value = list(value.values())
        if not isinstance(value, list) or not value:
            raise self._wrong("doc_to_choice", "gives no list", "name a column with a list, or write the choices out")
        return tuple(text_of(one).strip() for one in value)

    def _value(self, field: str, row: Mapping[str, Any]) -> Any:
        """A column's value, or what the template gives, as the harness takes them."""
        said = self.said[field]
        if not isinstance(said, str):
            return said
        if said not in self.columns:
            return self._rendered(field, row)
        value = row.get(said)
        return "" if value is None else value

    def _rendered(self, field: str, row: Mapping[str, Any]) -> str:
        return self.beside.template(text_of(self.said[field]), path=self.document.path, field=field)(row)

    def _check(self) -> Check:
        """The first metric that a single answer has decides; the others are counted."""
        listed = self.said.get("metric_list") or [{"metric": "exact_match" if self.kind == GENERATE else "acc"}]
        steps, chosen = list(self._filters()), None
        for number, one in enumerate(asked_for(listed, list, self.document, "metric_list", "metric_list")):
            at = f"metric_list[{number}]"
            entry = asked_for(one, dict, self.document, at, "a metric")
            name = text_of(entry.get("metric", ""))
            place = self.document.place(at)
            if name not in EXACT:
                why = "words are compared instead" if name in WORDS else "no single answer has it"
                self.tally.left(
                    f"the metric {name}", why if name in WORDS | AGGREGATE else "it is not known here", place
                )
            elif chosen is None:
                chosen = name
                steps += self._normalisation(entry, place)
        if chosen is None:
            return by_words()
        self.tally.mapped(f"the metric {chosen}", "exact")
        told = "The answer is the reference."
        once = tuple(dict.fromkeys((Normalisation.STRIP, *steps)))
        return Check(f"The metric {chosen}", (criterion("target", told, Exact(kind="exact")),), once)

    def _normalisation(self, entry: Mapping[str, Any], place: str) -> Iterator[Normalisation]:
        if entry.get("ignore_case"):
            yield Normalisation.LOWERCASE
        if entry.get("ignore_punctuation"):
            yield Normalisation.STRIP_PUNCTUATION
        for key in ("regexes_to_ignore", "ignore_numbers"):
            if entry.get(key):
                self.tally.left(f"the option {key} of a metric", "there is no normalisation for it", place)

    def _filters(self) -> Iterator[Normalisation]:
        listed = self.said.get("filter_list") or []
        for number, pipeline in enumerate(listed if isinstance(listed, list) else []):
            at = f"filter_list[{number}]"
            steps = pipeline.get("filter") if isinstance(pipeline, dict) else None
            for one in steps if isinstance(steps, list) else []:
                name = text_of(one.get("function", "")) if isinstance(one, dict) else ""
                if name not in HARMLESS:
                    why = "what it takes out of an answer is graded with the rest"
                    self.tally.left(f"the filter {name}", why, self.document.place(at))
                elif HARMLESS[name]:
                    yield Normalisation(HARMLESS[name])

    def _wrong(self, field: str, problem: str, hint: str) -> RecordError:
        return RecordError(problem, path=self.document.path, line=self.document.line(field), field=field, hint=hint)


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _list(text: str) -> Any:
    """A list that a template wrote out as Python does. None where it is none."""
    if len(text) > LONGEST_LIST:
        return None
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _documents(
    document: Document, beside: Beside, said: Mapping[str, Any], tally: Tally, data: str
) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """(place, document, whether it is for training), by the task's splits."""
    files = {"": [data]} if data else _files(document, said)
    splits = {
        said.get(f"{name}_split"): name for name in ("training", "validation", "test") if said.get(f"{name}_split")
    }
    for split, names in files.items():
        if splits and split and split not in splits:
            tally.left(f"the split {split}", "the task does not name it", document.place("dataset_kwargs"))
            continue
        for name in names:
            for place, row in beside.rows(name):
                yield place, row, splits.get(split) == "training" and len(splits) > 1


def _files(document: Document, said: Mapping[str, Any]) -> dict[str, Sequence[str]]:
    """The dataset's files by split, all of them beside the task."""
    kwargs = said.get("dataset_kwargs") or {}
    named = kwargs.get("data_files") if isinstance(kwargs, dict) else None
    path = text_of(said.get("dataset_path") or "")
    if named is None and path.endswith((".json", ".jsonl", ".csv")):
        named = path
    if isinstance(named, str):
        named = {"": [named]}
    elif isinstance(named, list):
        named = {"": named}
    if not isinstance(named, dict) or not named:
        hint = "name a local file under dataset_kwargs.data_files, or give it with --data"
        raise RecordError(f"its dataset {path or 'is not named, and'} is not on this machine", path=document.path,
                          line=document.line("dataset_path"), field="dataset_path", hint=hint)  # fmt: skip
    return {text_of(split): [text_of(one) for one in (names if isinstance(names, list) else [names])]
            for split, names in named.items()}  # fmt: skip
