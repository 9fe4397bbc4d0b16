"""InstructLab's `qna.yaml`, skills (version 2) and knowledge (versions 2 and 3), as items.

The format is that of instructlab/schema: a skill has `seed_examples` of `question`, `answer` and perhaps `context`,
which the model is shown; knowledge of version 3 has a `context` with several `questions_and_answers`, which the model
is to know, so it is not shown. A passage's questions stay on one side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from runner.errors import RecordError
from runner.records.judge import Judge
from runner.rules.adopt.items import (
    Adopted,
    Capability,
    Check,
    Document,
    Item,
    Tally,
    asked_for,
    by_words,
    criterion,
    needed_text,
    user,
)
from runner.rules.canonical import digest
from runner.rules.naming import slug

VERSIONS = (2, 3)
KNOWN = frozenset(
    {"version", "created_by", "domain", "task_description", "document_outline", "seed_examples", "document"}
)
EXAMPLE = frozenset({"question", "answer", "context", "questions_and_answers"})
NOT_FETCHED = "the documents are not fetched: what the model must know comes with its base, or with your gold data"


def from_instructlab(documents: Sequence[tuple[str, Document]], *, judge: str = "", capability: str = "") -> Adopted:
    """`documents` by the name of the folder each lies in, which names its capability unless one is given for all.

    Raises `RecordError` with file, line and field for what is no such file.
    """
    tally, items, authors = Tally(), [], []
    capabilities: dict[str, Capability] = {}
    check = _check(judge)
    for folder, document in documents:
        said = asked_for(document.value, dict, document, "", "a qna.yaml")
        version = said.get("version")
        if version not in VERSIONS:
            hint = "versions 2 and 3 are read: `version: 3` at the top, and its fields"
            raise RecordError(f"has version {version!r}", path=document.path, line=document.line("version"),
                              field="version", hint=hint)  # fmt: skip
        name = capability or slug(folder) or slug(PurePosixPath(document.path).stem)
        about = said.get("task_description") or said.get("document_outline") or said.get("domain") or folder
        outline = " ".join(str(about).split())
        capabilities.setdefault(name, Capability(title=folder.replace("_", " "), definition=outline))
        authors += [str(said["created_by"])] if said.get("created_by") else []
        for key in sorted(said.keys() - KNOWN):
            tally.left(f"the field {key}", "qna.yaml has no such field", document.place(key))
        if "document" in said:
            tally.left("the field document", NOT_FETCHED, document.place("document"))
        knowledge = "document" in said or "domain" in said
        for one in _examples(document, said, tally):
            items.append(_item(one, name, check, lens="knowledge" if knowledge else "skill"))
            tally.mapped("a question with its answer", "set and judge" if judge else "set")
    return Adopted(tuple(items), capabilities, tally, authors=tuple(dict.fromkeys(authors)))


def _check(judge: str) -> Check:
    """The words; and beside them a judge, which counts when it has been calibrated."""
    words = by_words()
    if not judge:
        return words
    question = "Does the answer say what the reference says, and nothing that contradicts it?"
    asked = Judge(kind="judge", judge=judge, question=question)
    says = criterion("says-it", "The answer says what the reference says.", asked, required=False)
    return words._replace(title="What the reference says", criteria=(*words.criteria, says))


class _Example:
    """One question, with the passage that it is asked of."""

    def __init__(self, document: Document, at: str, said: Mapping[str, Any], *, shown: str, passage: str) -> None:
        self.place = document.place(at)
        self.question = needed_text(said.get("question"), document, f"{at}.question")
        self.answer = needed_text(said.get("answer"), document, f"{at}.answer")
        self.shown, self.passage = shown, passage


def _examples(document: Document, said: Mapping[str, Any], tally: Tally) -> Iterator[_Example]:
    examples = asked_for(said.get("seed_examples"), list, document, "seed_examples", "seed_examples")
    for number, one in enumerate(examples):
        at = f"seed_examples[{number}]"
        entry = asked_for(one, dict, document, at, "a seed example")
        for key in sorted(entry.keys() - EXAMPLE):
            tally.left(f"the field {key}", "a seed example has no such field", document.place(f"{at}.{key}"))
        context = needed_text(entry["context"], document, f"{at}.context") if entry.get("context") else ""
        if "questions_and_answers" in entry:
            field = f"{at}.questions_and_answers"
            for place, pair in enumerate(asked_for(entry["questions_and_answers"], list, document, field, "it")):
                where = f"{field}[{place}]"
                asked = asked_for(pair, dict, document, where, "a question with its answer")
                yield _Example(document, where, asked, shown="", passage=context)
        else:
            yield _Example(document, at, entry, shown=context, passage=context)


def _item(one: _Example, capability: str, check: Check, *, lens: str) -> Item:
    return Item(
        place=one.place,
        capability=capability,
        lens=lens,
        objective="Answer this question as its author did.",
        input=user(f"{one.shown}\n\n{one.question}" if one.shown else one.question),
        reference=one.answer,
        check=check,
        passes=("The answer says what the reference says.",),
        fails=("The answer says something else, or leaves out what the reference says.",),
        answer=one.answer,
        together=digest(one.passage) if one.passage else "",
    )
