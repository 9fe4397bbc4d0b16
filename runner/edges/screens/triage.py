"""The triage screen in a terminal, with Textual: keys go to `rules.triage.keys`, words come from `rules.triage.view`.

Nothing is decided here and nothing is kept here but what is on the screen: every key's session is written by the
store before the next key is read.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from textual import work
from textual.app import App, ComposeResult, SuspendNotSupported
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.events import Event, Key
from textual.widgets import Static

from runner.edges.screens.triage_dialogs import Editor, Reason, Shown, words
from runner.errors import ChangedError, HallmarkError
from runner.ports_triage import ReviewStore, Room
from runner.rules.text.shown import shown
from runner.rules.triage import session as triage_session
from runner.rules.triage import view as triage_view
from runner.rules.triage.background import Background
from runner.rules.triage.keys import Ask, press
from runner.rules.triage.session import Session, Turn
from runner.rules.triage.view import Pane

WATCH = 1.0
"""Seconds between two looks whether somebody else changed the review."""
LEFT_TO_TEXTUAL = frozenset({"tab", "shift+tab", "pageup", "pagedown"})
PANES: dict[str, Callable[[Session, Background], Pane]] = {
    "candidate": triage_view.candidate,
    "parent": triage_view.parent,
    "rubric": triage_view.rubric,
    "gold": triage_view.gold,
}


class Part(VerticalScroll, inherit_bindings=False):
    """One pane: scrolls by pages when it has the focus, and leaves every other key to the screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pageup", "page_up", show=False),
        Binding("pagedown", "page_down", show=False),
    ]

    def show(self, pane: Pane) -> None:
        self.border_title = Content(pane.title).markup
        self.query_one(Static).update(words(pane.lines))
        self.scroll_home(animate=False)


class TriageApp(App[str]):
    """The screen. It returns what finishing said; an empty text where the reviewer left without."""

    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (70, "-wide")]
    CSS = """
    #head { height: 1; padding: 0 1; background: $primary; color: $text; text-style: bold; }
    #told { height: auto; max-height: 3; padding: 0 1; color: $text-warning; }
    #foot { height: 1; padding: 0 1; background: $panel; }
    .column { width: 1fr; }
    #left { width: 4fr; }
    #right { width: 3fr; }
    #candidate { height: 3fr; }
    #parent { height: 2fr; }
    Part { height: 1fr; border: round $panel-lighten-3; padding: 0 1; scrollbar-size-vertical: 1; }
    Part { border-title-color: $text; }
    Part:focus { border: round $accent; }
    Part > Static { width: 100%; }
    Screen.-narrow #panes { layout: vertical; }
    Screen.-narrow #left, Screen.-narrow #right { width: 100%; height: 1fr; }
    """

    def __init__(self, store: ReviewStore, room: Room, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.store, self.room, self._clock = store, room, clock
        kept = store.read()
        self.session = triage_session.opened(kept.file, kept.review, others=kept.others, steps=kept.steps)
        self.background = Background(missing=("being fetched",))
        begins = f"undo reaches back {len(kept.steps)} steps" if kept.steps else "h shows every key"
        self.told = room.told or begins
        self._moments: list[float] = []
        self._broken = ""

    def compose(self) -> ComposeResult:
        yield Static(id="head", markup=False)
        with Horizontal(id="panes"):
            with Vertical(id="left", classes="column"):
                yield Part(Static(), id="candidate")
                yield Part(Static(), id="parent")
            with Vertical(id="right", classes="column"):
                yield Part(Static(), id="rubric")
                yield Part(Static(), id="gold")
        yield Static(id="told", markup=False)
        yield Static(triage_view.foot(), id="foot", markup=False)

    def on_mount(self) -> None:
        self.screen.query_one("#candidate").focus()
        self._show()
        self._fetch()
        self.set_interval(WATCH, self._watch_files)

    @work(thread=True, exclusive=True)
    def _fetch(self) -> None:
        found = self.room.background()
        self.call_from_thread(self._known, found)

    def _known(self, background: Background) -> None:
        self.background = background
        self._show()

    def _show(self) -> None:
        main = self.screen_stack[0]
        minutes = triage_session.minutes_left(self._moments, len(self.session.undecided))
        main.query_one("#head", Static).update(f"{triage_view.head(self.session, minutes=minutes)}  {self.room.title}")
        for name, make in PANES.items():
            main.query_one(f"#{name}", Part).show(make(self.session, self.background))
        told = self._broken or triage_view.asks(self.session) or self.told
        main.query_one("#told", Static).update(shown(told))

    async def on_event(self, event: Event) -> None:
        """Keys are taken before any pane sees them, and the next one waits until what this one opens is there."""
        fresh = not event.is_forwarded and len(self.screen_stack) == 1
        if fresh and isinstance(event, Key) and event.key not in LEFT_TO_TEXTUAL:
            await self._press(event.key)
        else:
            await super().on_event(event)

    async def _press(self, name: str) -> None:
        pressed = press(self.session, name, now=self.room.now())
        if pressed.ask is not None:
            await self._ask(pressed.ask)
        else:
            self._take(pressed.turn)

    def _take(self, turn: Turn) -> None:
        """Write what a turn did, and show it. What somebody else changed meanwhile is read anew instead."""
        if turn.session.review != self.session.review and not self._keep(turn.session):
            return
        self.session, self.told = turn.session, turn.told
        self._show()

    def _keep(self, session: Session) -> bool:
        try:
            self.store.keep(session)
        except ChangedError as error:
            self._read_anew(str(error))
            return False
        except (HallmarkError, OSError) as error:
            self.told = f"not saved: {error}"
            self._show()
            return False
        if len(session.review.decisions) > len(self.session.review.decisions):
            self._moments.append(self._clock())
        return True

    def _watch_files(self) -> None:
        try:
            changed = self.store.changed()
        except (HallmarkError, OSError):
            changed = True
        if changed:
            self._read_anew("the review or its list was changed by somebody else: it was read anew")

    def _read_anew(self, told: str) -> None:
        try:
            kept = self.store.read()
        except (HallmarkError, OSError) as error:
            broken = f"nothing can be saved until this is mended: {error}"
            if broken == self._broken:
                return
            self._broken = broken
        else:
            at = self.session.current.candidate
            steps = kept.steps
            self.session = triage_session.opened(kept.file, kept.review, others=kept.others, steps=steps, at=at)
            self._broken, self.told = "", told
        self._show()

    async def _ask(self, ask: Ask) -> None:
        if ask is Ask.QUIT:
            self.exit("")
        elif ask is Ask.FINISH:
            self._finish()
        elif ask is Ask.KEYS:
            await self.push_screen(Shown(triage_view.keys()))
        elif ask is Ask.WHY:
            await self.push_screen(Shown(triage_view.why(self.session, self.background)))
        elif ask is Ask.REASON:
            await self.push_screen(Reason(), self._reasoned)
        else:
            await self.push_screen(Editor(*triage_view.to_edit(self.session)), self._edited)

    def _reasoned(self, reason: str | None) -> None:
        if reason is not None:
            self._take(triage_session.give_reason(self.session, reason, now=self.room.now()))

    def _edited(self, made: tuple[str, str] | None) -> None:
        if made is not None:
            self._take(triage_session.edit(self.session, text=made[0], answer=made[1], now=self.room.now()))

    def _finish(self) -> None:
        """Sign and send outside of the screen, so that ssh-keygen and git can ask for a passphrase."""
        try:
            try:
                with self.suspend():
                    said = self.room.finish()
            except SuspendNotSupported:
                said = self.room.finish()
        except (HallmarkError, OSError) as error:
            self.told = f"not sent: {error}"
            self._show()
            return
        if self.session.undecided:
            self.told = said
            self._show()
        else:
            self.exit(said)


def run(store: ReviewStore, room: Room) -> tuple[Session, str]:
    """Show the screen until the reviewer leaves it. The session as it was left, and what finishing said.

    Raises `HallmarkError` where the screen itself failed; Textual has then told how.
    """
    app = TriageApp(store, room)
    said = app.run() or ""
    if app.return_code:
        raise HallmarkError("the triage screen failed as said above; every key before it is saved")
    return app.session, said
