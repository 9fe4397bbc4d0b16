"""The triage screen with Textual's pilot: keys go in, words come out, and the file is what was keyed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.events import Key
from textual.pilot import Pilot
from textual.widgets import Input, Static, TextArea

from runner.edges.screens import triage as triage_screen
from runner.edges.screens.triage import TriageApp
from runner.edges.triage.store import ReviewFiles
from runner.errors import GitError
from runner.records.cluster import Capability
from runner.records.dataset import Batch, Channel, Example, Generator, Provenance
from runner.records.failure import FailureCluster
from runner.records.rubric import Rubric
from runner.records.scenario import Severity
from runner.records.trace import Feedback, Signal, Trace, UniqueSignal
from runner.records.triage import Choice, Review, TriageFile
from runner.rules.triage.background import Background
from tests.flywheel_fixture import RUBRIC
from tests.triage_fixture import CLUSTER, ITERATION, NOW, REVIEWER, asked, candidate, candidates, listed, put

SIZES = [(80, 24), (200, 60)]
DIGEST = "0" * 64
Steps = Callable[["Pilot[str]", TriageApp], Awaitable[None]]


def background() -> Background:
    """One gold example, one trace, one batch that aims at one failure."""
    trace = Trace(input=asked("where is it"), response="no idea", feedback=Feedback(correct_answer="refund"))
    made = Provenance(
        channel=Channel.LLM,
        generator=Generator(name="tiny", version="1", sha256=DIGEST),
        parameters={"temperature": 0.9},
        seed=7,
        target="refund-1",
        parents=("gold-1", "signal-1"),
        count=5,
    )
    failure = FailureCluster(
        id="refund-1",
        capability="refund",
        pattern="answers sizing where refund is right",
        missed=(),
        lenses=(),
        severity=Severity.HIGH,
        scenarios=(),
        signals=("signal-1",),
        frequency=3,
        headroom=0.5,
        covered=True,
        explanation="the base has hardly seen refunds",
        next_target="more refunds",
    )
    signal = Signal(id="signal-1", fingerprint=DIGEST, trace=trace, failed=True)
    unique = UniqueSignal(signal=signal, count=4, members=("signal-1",), first_seen="", last_seen="")
    gold = Example(id="gold-1", capability="refund", input=asked("where is my money, please"), answer="refund")
    return Background(
        batches={"refund-llm": Batch(id="refund-llm", provenance=made)},
        failures={"refund-1": failure},
        signals={"signal-1": unique},
        gold={"gold-1": gold},
        rubrics=(Rubric.model_validate({**RUBRIC.model_dump(), "title": "The right queue"}),),
        capabilities={"refund": Capability(id="refund", title="Refunds", definition="Money back.")},
    )


class Room:
    title = "desk, rowan"
    told = ""

    def __init__(self) -> None:
        self.finished = 0
        self.fails = False

    def now(self) -> str:
        return NOW

    def background(self) -> Background:
        return background()

    def finish(self) -> str:
        self.finished += 1
        if self.fails:
            raise GitError("origin is away")
        return "signed and sent"


def store(top: Path) -> ReviewFiles:
    return ReviewFiles(top, CLUSTER, ITERATION, REVIEWER)


def play(
    top: Path,
    steps: Steps,
    *,
    file: TriageFile | None = None,
    size: tuple[int, int] = (80, 24),
    room: Room | None = None,
) -> TriageApp:
    """Open the screen on a list of five, and play."""
    put(top, file or candidates(5))
    app = TriageApp(store(top), room or Room())

    async def whole() -> None:
        async with app.run_test(size=size) as pilot:
            await app.workers.wait_for_complete()
            await pilot.pause()
            await steps(pilot, app)

    asyncio.run(whole())
    return app


def text(app: TriageApp, name: str) -> str:
    return str(app.screen_stack[0].query_one(name, Static).render())


def screen(app: TriageApp) -> str:
    """Everything that is on the screen, as a terminal would show it."""
    return "\n".join("".join(part.text for part in strip) for strip in app.screen._compositor.render_strips())


def review(top: Path) -> Review:
    return store(top).read().review


def chosen(top: Path) -> list[tuple[str, Choice]]:
    return [(one.candidate, one.decision) for one in review(top).decisions]


@pytest.mark.parametrize("size", SIZES)
def test_everything_that_is_needed_is_on_one_screen(tmp_path, size):
    async def steps(pilot, app):
        seen = screen(app)
        for words in ("one input, two answers", "where is my money, please", "Money back.", "The right queue"):
            assert words in seen
        assert "nearest gold: 0." in seen
        assert "nearest of 2 parents" in seen
        assert "0/5  accepted 0  rejected 0  edited 0" in seen
        assert "← reject  → accept  e edit  u undo  ? why  r rank  s sign  h keys  q quit" in seen

    play(tmp_path, steps, size=size)


@pytest.mark.parametrize("size", SIZES)
def test_each_key_is_saved_before_the_next(tmp_path, size):
    async def steps(pilot, app):
        await pilot.press("right")
        assert chosen(tmp_path) == [("cand-0", Choice.ACCEPT)]
        await pilot.press("2")
        assert review(tmp_path).decisions[0].rank == 2
        await pilot.press("left")
        assert chosen(tmp_path)[-1] == ("cand-4", Choice.REJECT)
        assert "Why? 1 the answer is wrong" in text(app, "#told")
        await pilot.press("1")
        assert review(tmp_path).decisions[-1].reason == "the answer is wrong"
        await pilot.press("u")
        assert chosen(tmp_path) == [("cand-0", Choice.ACCEPT)]
        assert "2 of 5" in str(app.query_one("#candidate").border_title)

    play(tmp_path, steps, size=size)


def test_moving_decides_nothing(tmp_path):
    async def steps(pilot, app):
        for name, place in (("n", 2), ("down", 3), ("p", 2), ("up", 1), ("up", 1), ("end", 5), ("g", 1), ("G", 5)):
            await pilot.press(name)
            assert app.session.at + 1 == place
        await pilot.press("home", "space")
        assert app.session.at + 1 == 2
        assert chosen(tmp_path) == []

    play(tmp_path, steps)


def test_an_edit_is_saved_as_it_was_seen_and_its_keys_decide_nothing(tmp_path):
    async def steps(pilot, app):
        await pilot.press("e")
        field = app.screen.query_one("#text", TextArea)
        assert field.text == "ab", "what hides in the text is not there to be edited"
        field.text = "another input\x1b[31m"
        await pilot.press("tab", "left", "right", "ctrl+s")
        await pilot.pause()
        assert review(tmp_path).decisions[0].edited_input == "another input[31m"
        await pilot.press("e", "escape", "x", "right")

    play(tmp_path, steps, file=listed([candidate("cand-a", "a\u202eb"), candidate("cand-b")]))
    assert chosen(tmp_path) == [("cand-a", Choice.EDIT), ("cand-b", Choice.ACCEPT)]


def test_a_reason_can_be_written_in_words(tmp_path):
    async def steps(pilot, app):
        await pilot.press("left", "w")
        app.screen.query_one(Input).value = "reads like a form letter"
        await pilot.press("enter")
        await pilot.pause()

    play(tmp_path, steps)
    assert review(tmp_path).decisions[0].reason == "reads like a form letter"


def test_why_says_where_it_comes_from_and_a_key_closes_it(tmp_path):
    async def steps(pilot, app):
        await pilot.press("question_mark")
        seen = screen(app)
        for words in ("batch refund-llm", "llm by tiny 1, seed 7", "aims at refund-1, severity high", "2 parents"):
            assert words in seen
        await pilot.press("right")
        assert len(app.screen_stack) == 1
        assert chosen(tmp_path) == [], "the key that closed it decided nothing"
        await pilot.press("h")
        assert "Take back the last decision" in screen(app)

    play(tmp_path, steps)


@pytest.fixture
def looks_only_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The screen looks at the files where a test says so, and never of its own accord between two of its lines."""
    monkeypatch.setattr(triage_screen, "WATCH", 3600.0)


def test_a_change_on_disk_refuses_the_key_and_is_read(tmp_path, looks_only_when_told):
    path = tmp_path / store(tmp_path).name

    async def steps(pilot, app):
        await pilot.press("right")
        by_hand = path.read_text().replace("decision: accept", "decision: reject")
        path.write_text(by_hand)
        await pilot.press("right")
        assert "changed by somebody else" in text(app, "#told")
        assert chosen(tmp_path) == [("cand-0", Choice.REJECT)]
        path.write_text("cluster: [")
        await pilot.press("right")
        assert "nothing can be saved until this is mended" in text(app, "#told")
        path.write_text(by_hand)
        app._watch_files()
        await pilot.press("right")

    play(tmp_path, steps)
    assert chosen(tmp_path) == [("cand-0", Choice.REJECT), ("cand-4", Choice.ACCEPT)]


@pytest.mark.parametrize("seen_by", ["the look", "a key"])
def test_a_review_that_does_not_read_is_never_written_over(tmp_path, looks_only_when_told, seen_by):
    path = tmp_path / store(tmp_path).name
    half = "cluster: [  # half-way through an edit by hand"

    async def steps(pilot, app):
        await pilot.press("right")
        whole = path.read_bytes()
        path.write_text(half)
        if seen_by == "the look":
            app._watch_files()
        else:
            await pilot.press("right")
        for name in ("right", "left", "u"):
            await pilot.press(name)
            assert path.read_text() == half
            assert "nothing can be saved until this is mended" in text(app, "#told")
        path.write_bytes(whole)
        app._watch_files()
        assert "it was read anew" in text(app, "#told"), "also where it is again what it was before"
        await pilot.press("left")

    play(tmp_path, steps)
    assert chosen(tmp_path) == [("cand-0", Choice.ACCEPT), ("cand-4", Choice.REJECT)]


def test_finishing_sends_and_leaves_once_nothing_waits(tmp_path):
    room = Room()

    async def steps(pilot, app):
        await pilot.press("right", "s")
        assert "signed and sent" in text(app, "#told")
        await pilot.press("right", "right", "right", "right")
        assert "All decided" in text(app, "#told")
        room.fails = True
        await pilot.press("s")
        assert "not sent: origin is away" in text(app, "#told")
        room.fails = False
        await pilot.press("s")

    app = play(tmp_path, steps, room=room)
    assert (app.return_value, room.finished) == ("signed and sent", 3)


@pytest.mark.parametrize("size", [*SIZES, (40, 12)])
def test_text_from_strangers_moves_nothing(tmp_path, size):
    hostile = "\x1b[2J\x1b]0;owned\x07\u202e [red]漢字漢字[/red] 👩\u200d🔧 [link=x]" + "wide 漢" * 40

    async def steps(pilot, app):
        seen = screen(app)
        assert not set(seen) & set("\x1b\x07\u202e")
        assert size[1] < 24 or ("[red]" in seen and "\\u001b[2J" in seen)
        await pilot.resize_terminal(size[0] * 2, size[1] * 2)
        await pilot.press("question_mark", "x", "right")

    play(tmp_path, steps, file=listed([candidate("cand-a", hostile, hostile)]), size=size)
    assert chosen(tmp_path) == [("cand-a", Choice.ACCEPT)]


def test_without_colours_the_state_is_still_told(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")

    async def steps(pilot, app):
        assert app.no_color
        await pilot.press("right", "up")
        assert "ACCEPTED" in screen(app)

    play(tmp_path, steps)


def test_the_command_line_does_not_bring_textual():
    program = "import sys, runner.cli.triage; print('textual' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == "False"


def test_keys_typed_ahead_wait_for_the_editor(tmp_path):
    async def steps(pilot, app):
        for name in ("e", "N", "o", "ctrl+s"):
            app.post_message(Key(name, name if len(name) == 1 else None))
        for _ in range(20):
            await pilot.pause(0.05)

    play(tmp_path, steps)
    assert review(tmp_path).decisions[0].edited_input == "Noone input, two answers"


def test_keys_that_come_while_a_dialog_closes_do_nothing(tmp_path):
    async def steps(pilot, app):
        for opening, closing in (("question_mark", "x"), ("e", "ctrl+s"), ("e", "escape")):
            await pilot.press(opening)
            for name in (closing, closing):
                app.post_message(Key(name, name if len(name) == 1 else None))
            await pilot.pause()
            assert len(app.screen_stack) == 1

    play(tmp_path, steps)
    assert chosen(tmp_path) == []
