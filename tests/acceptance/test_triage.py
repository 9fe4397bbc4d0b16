"""`hallmark triage` in a real terminal: an iteration of the small desk waits at triage, and a reviewer decides."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.records.triage import Choice, Review
from runner.wiring import flywheel
from tests.acceptance.tmux import Terminal, install, window
from tests.governed_desk import BIN, GovernedDesk

pytestmark = pytest.mark.acceptance
CLUSTER = "support-desk"
KEYS = ["Right", "Left", "Right", "Right", "Left", "Right", "Right", "Right", "Left", "Right"]
CHOSEN = [Choice.ACCEPT if key == "Right" else Choice.REJECT for key in KEYS]


@pytest.fixture(scope="module")
def waiting(tmp_path_factory) -> GovernedDesk:
    """A governed desk whose iteration waits for people, and whose reviews are signed."""
    if problem := install():
        pytest.fail(problem)
    made = GovernedDesk(tmp_path_factory.mktemp("waiting"), CLUSTER).make(triage={"required": "all", "signed": True})
    assert made.turn().phase == "triage"
    return made


@pytest.fixture
def desk(waiting, tmp_path) -> GovernedDesk:
    return waiting.copy(tmp_path / "home")


@contextmanager
def opened(desk: GovernedDesk, size: tuple[int, int] = (80, 24), **more: str) -> Iterator[Terminal]:
    command = [str(BIN / "hallmark"), "triage", CLUSTER]
    environment = desk.environment("rowan", **more)
    with window(command, size=size, cwd=desk.desk, environment=environment) as terminal:
        yield terminal


def review(desk: GovernedDesk) -> Review:
    (path,) = (desk.desk / ".hallmark" / "triage").glob(f"{CLUSTER}/*/clusters/{CLUSTER}/triage/*/rowan.yaml")
    return flywheel.parse_record(path.read_bytes(), Review, path=path.name)


def in_the_order_keyed(desk: GovernedDesk) -> list[Choice]:
    return [one.decision for one in sorted(review(desk).decisions, key=lambda one: order(desk).index(one.candidate))]


def order(desk: GovernedDesk) -> list[str]:
    """The candidates as the screen shows them: what an untouched copy lists as undecided."""
    return json.loads((desk.home / "order.json").read_text())


def count(desk: GovernedDesk) -> int:
    return len(order(desk))


@pytest.fixture
def listed(desk) -> GovernedDesk:
    document = json.loads(desk.run("hallmark", "triage", CLUSTER, "--json", code=4))
    (desk.home / "order.json").write_text(json.dumps([one["candidate"] for one in document["undecided"]]))
    return desk


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
def test_ten_candidates_take_ten_keys(listed, size):
    with opened(listed, size) as terminal:
        seen = terminal.shows(f"0/{count(listed)}", "nearest gold: ", "rubric: ", "UNDECIDED", "production answered")
        assert max(map(len, seen.splitlines())) <= size[0]
        started = time.monotonic()
        terminal.keys(*KEYS)
        terminal.shows(f"10/{count(listed)}  accepted 7  rejected 3")
        print(f"\n{size[0]}x{size[1]}: ten keys were on the screen after {time.monotonic() - started:.2f} s")
        assert in_the_order_keyed(listed) == CHOSEN
        terminal.keys("q")
        assert terminal.ended() == "exit 4", "people are still waited for"


def test_a_kill_in_the_middle_loses_nothing_and_undo_reaches_over_it(listed):
    with opened(listed) as terminal:
        terminal.shows(f"0/{count(listed)}")
        terminal.keys(*KEYS[:5], "1")
        terminal.shows(f"5/{count(listed)}  accepted 3  rejected 2")
        terminal.kill()
        assert terminal.ended() == "signal 9"
    assert in_the_order_keyed(listed) == CHOSEN[:5]
    with opened(listed) as terminal:
        terminal.shows(f"5/{count(listed)}  accepted 3  rejected 2", f"candidate 6 of {count(listed)}")
        terminal.keys("u")
        terminal.shows(f"4/{count(listed)}  accepted 3  rejected 1", f"candidate 5 of {count(listed)}", "undone")
        terminal.keys(*KEYS[4:])
        terminal.shows(f"10/{count(listed)}  accepted 7  rejected 3")
    assert in_the_order_keyed(listed) == CHOSEN


def test_keys_that_are_killed_at_any_moment_leave_a_whole_review(listed):
    kept = 0
    for delay in (0.0, 0.1, 0.2, 0.4, 0.8):
        with opened(listed) as terminal:
            terminal.shows(f"{kept}/{count(listed)}")
            terminal.keys(*KEYS)
            time.sleep(delay)
            terminal.kill()
            assert terminal.ended() == "signal 9"
        found = json.loads(listed.run("hallmark", "triage", CLUSTER, "--json", code=4))
        assert kept <= found["decided"] <= kept + 10
        kept = found["decided"]
    print(f"\nfive kills while 50 keys came in: {kept} of them were read, and kept")


def test_it_follows_the_terminal_and_needs_no_colour(listed):
    with opened(listed, (200, 60), NO_COLOR="1") as terminal:
        terminal.shows(f"0/{count(listed)}", "nearest gold: ")
        coloured = [part for part in terminal.screen(escapes=True).split("\x1b[")[1:] if part.startswith("38;2;")]
        shades = {tuple(part.split("m")[0].split(";")[2:5]) for part in coloured}
        assert all(len(set(shade)) == 1 for shade in shades), "greys at most"
        for width, height in ((80, 24), (60, 20), (120, 40)):
            terminal.resize(width, height)
            terminal.shows(f"0/{count(listed)}", "← reject")
        terminal.keys("?")
        terminal.shows("why this candidate", "batch ", "aims at ")
        terminal.keys("x", "x")
        terminal.hides("why this candidate")
        terminal.keys("e")
        terminal.shows("Ctrl+S saves")
        terminal.keys("N", "e", "w", "Space", "C-s")
        terminal.shows(f"1/{count(listed)}  accepted 0  rejected 0  edited 1")
    (made,) = review(listed).decisions
    assert made.edited_input.startswith("New ")


def test_what_was_decided_is_signed_and_pushed_with_one_key_and_the_iteration_goes_on(listed):
    rest = order(listed)[1:]
    options = [part for name in rest for part in ("--accept", name)]
    listed.run("hallmark", "triage", CLUSTER, *options, code=4)
    with opened(listed) as terminal:
        terminal.shows(f"{count(listed) - 1}/{count(listed)}")
        terminal.keys("Left", "3", "s")
        assert terminal.ended() == "exit 0"
    branch = listed.run("git", "for-each-ref", "--format=%(refname:short)", "refs/heads/triage/", cwd=listed.origin)
    assert listed.run("git", "rev-list", "--count", f"main..{branch.strip()}", cwd=listed.origin).strip() == "2"
    listed.run("git", "fetch", "--quiet", "origin")
    listed.run("git", "merge", "--quiet", "--no-ff", "--message", "Take over", f"origin/{branch.strip()}")
    listed.push()
    standing = listed.turn()
    assert standing.phase not in ("validate", "triage"), standing.verdict.reasons
    path = Path(f"clusters/{CLUSTER}/run/triage.json")
    said = json.loads(listed.run("git", "show", f"runs/{CLUSTER}/{standing.iteration}:{path}"))
    assert (said["reviewer"], said["accepted"], said["rejected"]) == ("rowan", count(listed) - 1, 1)


def test_text_from_strangers_reaches_no_terminal(listed):
    """The title, the cursor and the screen are the reviewer's, whatever a candidate holds."""
    (path,) = (listed.desk / ".hallmark" / "triage").glob(f"{CLUSTER}/*/clusters/{CLUSTER}/triage/*.yaml")
    text = path.read_text()
    first = text.index("content: ")
    line = text[first : text.index("\n", first)]
    hostile = r'content: "\e]0;owned\a\e[2J\e[31m 漢字 [red]x[/red]"'
    path.write_text(text.replace(line, hostile, 1))
    with opened(listed) as terminal:
        before = terminal.ask("pane_title")
        terminal.shows("\\u001b]0;owned", "漢字 [red]x[/red]", "← reject")
        terminal.keys("Right")
        terminal.shows(f"1/{count(listed)}")
        assert terminal.ask("pane_title") == before != "owned"
