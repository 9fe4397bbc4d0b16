"""What opens over the triage screen: a page to read, the editor, a line for a reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Input, Static, TextArea

from runner.rules.triage.view import Line, Look, Pane, editable

T = TypeVar("T")
STYLES = {
    Look.PLAIN: "",
    Look.STRONG: "bold",
    Look.FAINT: "dim",
    Look.GOOD: "bold $text-success",
    Look.BAD: "bold $text-error",
    Look.CHANGED: "bold $text-warning",
}


def words(lines: Sequence[Line]) -> Content:
    """Lines as they are, whatever brackets they hold, each in its look."""
    return Content("\n").join([Content.styled(line.text, STYLES[line.look]) for line in lines])


class Dialog(ModalScreen[T]):
    """Closes once: a key that comes while it is closing does nothing."""

    _answered = False

    def close(self, result: T | None) -> None:
        if not self._answered:
            self._answered = True
            self.dismiss(result)


class Shown(Dialog[None]):
    """A page to read. Any key closes it but those that scroll."""

    CSS = """
    Shown { align: center middle; }
    Shown > VerticalScroll { width: 96%; height: auto; max-height: 96%; border: round $accent; padding: 0 1; }
    """
    SCROLLS = frozenset({"up", "down", "pageup", "pagedown", "home", "end"})

    def __init__(self, pane: Pane) -> None:
        super().__init__()
        self.pane = pane

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = Content(self.pane.title).markup
            yield Static(words(self.pane.lines))

    def on_key(self, event: Key) -> None:
        if event.key not in self.SCROLLS:
            event.stop()
            self.close(None)


class Editor(Dialog[tuple[str, str] | None]):
    """The input's last user text and the answer, to be changed. Dismisses with both, or with None."""

    CSS = """
    Editor { align: center middle; }
    Editor > Vertical { width: 96%; height: 96%; border: round $accent; padding: 0 1; }
    Editor TextArea { height: 1fr; }
    Editor Static { height: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save"),
        Binding("escape", "leave"),
    ]

    def __init__(self, text: str, answer: str) -> None:
        super().__init__()
        self.text, self.answer = text, answer

    def compose(self) -> ComposeResult:
        with Vertical() as box:
            box.border_title = "edit: Ctrl+S saves, Escape leaves, Tab goes to the other field"
            yield Static("last user message", markup=False)
            yield TextArea(self.text, id="text", tab_behavior="focus")
            yield Static("answer", markup=False)
            yield TextArea(self.answer, id="answer", tab_behavior="focus")

    def on_mount(self) -> None:
        self.set_focus(self.query_one("#text"))

    def action_save(self) -> None:
        text, answer = (self.query_one(name, TextArea).text for name in ("#text", "#answer"))
        self.close((editable(text), editable(answer)))

    def action_leave(self) -> None:
        self.close(None)


class Reason(Dialog[str | None]):
    """A line for the reason of a rejection. Dismisses with it, or with None."""

    CSS = """
    Reason { align: center bottom; }
    Reason Input { width: 100%; border: round $accent; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave")]

    def compose(self) -> ComposeResult:
        field = Input(placeholder="why was it rejected? Enter saves, Escape leaves")
        field.border_title = "reason"
        yield field

    def on_mount(self) -> None:
        self.set_focus(self.query_one(Input))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.close(editable(event.value))

    def action_leave(self) -> None:
        self.close(None)
