"""What a file of another program says, on its way to become a benchmark: items, what each is checked by, what was left
out. Where such a file names others, they are read through `Beside`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from runner.errors import RecordError
from runner.records.adoption import LeftOut, Mapped
from runner.records.conversation import Conversation, Message, Role
from runner.records.graders import Grader, Set
from runner.records.rubric import Criterion, Normalisation
from runner.records.terms import OutcomeType

SHOWN = 5
FORGIVING = (Normalisation.STRIP, Normalisation.LOWERCASE, Normalisation.COLLAPSE_SPACES)

Render = Callable[[Mapping[str, Any]], str]


class Document(Protocol):
    """A YAML or JSON file as data."""

    @property
    def path(self) -> str: ...

    @property
    def value(self) -> Any: ...

    def place(self, at: str) -> str:
        """`file:line` of a field such as `tests[3].vars`."""
        ...

    def line(self, at: str) -> int: ...


class Beside(Protocol):
    """The files that a file names. All lie in its own folder or below; anything else raises `RecordError`."""

    def document(self, name: str) -> Document:
        """A YAML or JSON file."""
        ...

    def text(self, name: str) -> str: ...

    def rows(self, name: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
        """(place, row) of each row of a CSV, JSON Lines or JSON file."""
        ...

    def template(self, text: str, *, path: str, field: str = "") -> Render:
        """Renders a template without running anything. Raises `RecordError` for what it does not render."""
        ...


class Check(NamedTuple):
    """What decides an item: a rubric but for its id."""

    title: str
    criteria: tuple[Criterion, ...]
    normalisation: tuple[Normalisation, ...] = ()
    pass_score: float | None = None


class Item(NamedTuple):
    """One question, where it stands, and what is right."""

    place: str
    capability: str
    lens: str
    objective: str
    input: Conversation
    reference: str
    check: Check
    passes: tuple[str, ...]
    fails: tuple[str, ...]
    answer: str = ""
    """What an example would be trained to say; empty where the file does not say what the right answer is."""
    outcome: OutcomeType = OutcomeType.TP
    together: str = ""
    """Items with the same value here stay on one side."""
    trains: bool = False
    """Its source says that it is for training."""


class Capability(NamedTuple):
    title: str
    definition: str


@dataclass
class Tally:
    """What was mapped and what was left out, counted as a file is read."""

    _mapped: Counter[tuple[str, str]] = field(default_factory=Counter)
    _left: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))

    def mapped(self, what: str, to: str) -> None:
        self._mapped[what, to] += 1

    def left(self, what: str, why: str, place: str) -> None:
        self._left[what, why].append(place)

    def extend(self, other: Tally) -> None:
        self._mapped.update(other._mapped)
        for key, places in other._left.items():
            self._left[key] += places

    @property
    def maps(self) -> tuple[Mapped, ...]:
        return tuple(Mapped(what=what, to=to, count=n) for (what, to), n in sorted(self._mapped.items()))

    @property
    def leaves(self) -> tuple[LeftOut, ...]:
        return tuple(
            LeftOut(what=what, why=why, count=len(places), places=tuple(places[:SHOWN]))
            for (what, why), places in sorted(self._left.items())
        )


class Adopted(NamedTuple):
    """A file, or several, as items."""

    items: tuple[Item, ...]
    capabilities: Mapping[str, Capability]
    tally: Tally
    instruction: str = ""
    """What every item begins with: the system message."""
    choices: tuple[str, ...] = ()
    """The closed set of answers, where every item has the same."""
    longest: int = 0
    """Tokens that an answer may take, where the file says so."""
    authors: tuple[str, ...] = ()


def user(text: str) -> Conversation:
    return (Message(role=Role.USER, content=text),)


def asked_for(value: Any, kind: type, document: Document, at: str, what: str) -> Any:
    """The value, if it is of that kind. Raises `RecordError` that names the place and what stands there."""
    if isinstance(value, kind):
        return value
    names: dict[type, str] = {dict: "a mapping", list: "a list", str: "text"}
    raise RecordError(f"is no {names[kind].partition(' ')[2] or 'text'}", path=document.path, line=document.line(at),
                      field=at, hint=f"{what} is {names[kind]}")  # fmt: skip


def text_of(value: Any) -> str:
    """A scalar as it was written: texts that YAML takes for numbers or truth values included."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def needed_text(value: Any, document: Document, at: str) -> str:
    """Text that says something. Raises `RecordError`."""
    if value is None or isinstance(value, (dict, list)) or not text_of(value).strip():
        raise RecordError("is missing, or says nothing", path=document.path, line=document.line(at), field=at,
                          hint="write a text here, or remove the entry")  # fmt: skip
    return text_of(value).strip()


def criterion(name: str, description: str, grader: Grader, *, weight: float = 1.0, required: bool = True) -> Criterion:
    return Criterion(id=name, description=description, grader=grader, weight=weight, required=required)


WORDS_NEEDED = 0.6
"""The F1 of words from which an answer counts as saying what a longer reference says."""


def by_words() -> Check:
    """Free text: the words of answer and reference, compared as sets (the F1 of SQuAD, Rajpurkar et al. 2016, over
    distinct words)."""
    words = Set(kind="set", separator=" ")
    told = "The answer has the words of the reference, and few others."
    steps = (Normalisation.UNICODE_NFKC, Normalisation.LOWERCASE, Normalisation.STRIP_PUNCTUATION,
             Normalisation.COLLAPSE_SPACES)  # fmt: skip
    return Check("The words of the reference", (criterion("words", told, words, required=False),), steps, WORDS_NEEDED)
