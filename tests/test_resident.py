"""The gate that stays between pushes: the same answers, and none where it should not be asked."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from ast import literal_eval
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO, TextIOWrapper
from multiprocessing import Value
from pathlib import Path
from sysconfig import get_path
from types import SimpleNamespace
from typing import TypeVar

import pytest

import runner
from runner.cli import pre_receive
from runner.edges import hook_files, resident
from runner.edges.resident import Answer, Work, ask, stay

ROOT = "0" * 64
TAG = "refs/tags/promotions/desk/1"
SOON = 30.0
Found = TypeVar("Found")


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, runtime: Path) -> Iterator[Path]:
    """The socket, in a folder of this test's own; whoever sits there goes with it."""
    folder = runtime / "own"
    (folder / "hallmark").mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    yield Path(resident._place() or "")
    shutil.rmtree(folder)


def until(found: Callable[[], Found | None]) -> Found:
    """What `found` gives, as soon as it gives something."""
    end = time.monotonic() + SOON
    while time.monotonic() < end:
        if value := found():
            return value
        time.sleep(0.02)
    raise AssertionError("it did not come")


@contextmanager
def staying(place: Path, work: Work, **settings: float) -> Iterator[int]:
    """A copy of this process that stays, and its number; it has ended when this ends."""
    began = time.time_ns() + resident.COARSE + 1
    process = os.fork()
    if process == 0:
        try:
            stay(work, began=began, **{"looks": 0.05, **settings})
        finally:
            os._exit(0)
    try:
        until(place.exists)
        yield process
    finally:
        if running(process):
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)


def running(process: int) -> bool:
    """Whether a child still runs."""
    try:
        return os.waitpid(process, os.WNOHANG)[0] == 0
    except ChildProcessError:
        return False


def ended(process: int) -> None:
    assert until(lambda: not running(process))


def echo(arguments: Sequence[str], text: str) -> Answer:
    return Answer(len(arguments), f"{arguments} {text} {os.getcwd()} {os.environ.get('WHO')} {os.getpid()}")


def test_a_copy_answers_in_its_callers_folder_and_environment(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with staying(place, echo) as process:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("WHO", "rowan\n=ü")
        answer = ask(["a b", "ü", ""], "old new r\udce9f\n")
        assert answer is not None
        assert answer.code == 3
        *said, copy = answer.said.rsplit(" ", 1)
        assert said == [f"['a b', 'ü', ''] old new r\udce9f\n {tmp_path} rowan\n=ü"]
        assert int(copy) not in (process, os.getpid())
        assert ask([], "x" * 5_000_000) is not None, "the first left nothing behind"
        assert ask([], "a\0b") is None, "it would be taken for two parts of a request"


def test_a_copy_has_its_callers_environment_whole_and_nothing_beside(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(arguments: Sequence[str], text: str) -> Answer:
        return Answer(0, f"{os.environ.get('OWN')} {time.strftime('%z', time.localtime(0))}")

    monkeypatch.setenv("OWN", "of the one that stays")
    with staying(place, work):
        monkeypatch.delenv("OWN")
        monkeypatch.setenv("TZ", "XST-3")
        assert ask([], "") == Answer(0, "None +0300")


def test_eight_who_ask_at_once_are_answered_at_once(place: Path) -> None:
    def slow(arguments: Sequence[str], text: str) -> Answer:
        time.sleep(0.5)
        return Answer(0, text)

    with staying(place, slow):
        program = "import sys; from runner.edges.resident import ask; print(ask([], sys.argv[1]).said)"
        identity = f"import sys; sys.path[:] = {sys.path!r}; {program}"
        asking = [
            subprocess.Popen([sys.executable, "-c", identity, str(number)], stdout=subprocess.PIPE, text=True)
            for number in range(8)
        ]
        assert [one.communicate()[0].strip() for one in asking] == [str(number) for number in range(8)]


def test_it_goes_when_nobody_asks(place: Path) -> None:
    with staying(place, echo, stays=0.2) as process:
        ended(process)
        assert not place.exists()
        assert ask([], "") is None


def test_whoever_asks_makes_it_stay_longer(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Value("d", 0.0)
    monkeypatch.setattr(resident, "time", SimpleNamespace(monotonic=lambda: clock.value, tzset=time.tzset))
    with staying(place, echo, stays=100.0) as process:
        for now in (90.0, 150.0, 240.0):
            clock.value = now
            time.sleep(0.2)
            assert ask([], "") is not None
        clock.value = 341.0
        ended(process)


def test_it_goes_when_another_sits_down_in_its_place(place: Path) -> None:
    with staying(place, echo) as first:
        inode = place.stat().st_ino
        with staying(place, lambda *_: Answer(7, "")) as second:
            until(lambda: place.stat().st_ino != inode)
            ended(first)
            answer = ask([], "")
            assert (answer and answer.code, running(second)) == (7, True)


def test_it_goes_when_a_file_of_the_program_changes(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "judging.py"
    module.write_text("")
    monkeypatch.setattr(resident, "_files", lambda: (str(module),))
    time.sleep(2 * resident.COARSE / 1e9)
    with staying(place, echo) as process:
        assert ask([], "") is not None
        module.touch()
        assert ask([], "") is None
        ended(process)
        assert not place.exists()


@pytest.mark.parametrize("earlier", [0, resident.COARSE])
def test_it_does_not_stay_when_a_file_changed_while_it_was_loaded(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, earlier: int
) -> None:
    """Also by the clock of a file system that is somewhat behind."""
    module = tmp_path / "judging.py"
    module.write_text("")
    monkeypatch.setattr(resident, "_files", lambda: (str(module),))
    monkeypatch.setattr(resident, "_sit_down", lambda *_: pytest.fail("it stays"))
    stay(echo, began=module.stat().st_ctime_ns + earlier)
    assert not place.exists()


def test_a_copy_that_fails_or_is_killed_gives_no_answer(place: Path) -> None:
    def fails(arguments: Sequence[str], text: str) -> Answer:
        os.kill(os.getpid(), signal.SIGKILL) if arguments else 1 / 0
        return Answer(0, "")

    with staying(place, fails) as process:
        assert ask([], "") is None
        assert ask(["kill"], "") is None
        assert running(process)


def test_one_that_is_stopped_is_not_waited_for_and_loses_its_place(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resident, "TAKES_UP", 1.0)
    with staying(place, echo) as process:
        os.kill(process, signal.SIGSTOP)
        started = time.monotonic()
        assert ask([], "") is None
        assert time.monotonic() - started < resident.TAKES_UP + 10
        assert not place.exists()
        os.kill(process, signal.SIGCONT)
        ended(process)


def test_what_other_code_left_there_is_not_asked(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with staying(place, echo):
        monkeypatch.setattr(resident, "_identity", lambda: "another python")
        monkeypatch.setattr(resident, "_place", lambda: str(place))
        assert ask([], "") is None


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"+",
        b"-",
        b"-" + bytes(9),
        b"+\0",
        b"+" + bytes(8),
        b"+" + (5).to_bytes(8, "big") + b"\0" + b"four",
        b"+" + bytes(9) + b"more",
    ],
)
def test_half_an_answer_is_none(place: Path, said: bytes) -> None:
    process = 0
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(place))
        door.listen()
        process = os.fork()
        if process == 0:
            line, _ = door.accept()
            while line.recv(65536):
                pass
            line.sendall(said)
            os._exit(0)
    assert ask([], "") is None
    os.waitpid(process, 0)


def test_an_answer_may_take_longer_than_taking_the_request_up(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resident, "TAKES_UP", 1.0)

    def judge(door: socket.socket) -> None:
        line, _ = door.accept()
        with line:
            line.sendall(resident.TAKEN_UP)
            while line.recv(65536):
                pass
            time.sleep(resident.TAKES_UP + 0.3)
            line.sendall(bytes(8) + b"\7")

    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(place))
        door.listen()
        judging = threading.Thread(target=judge, args=(door,))
        judging.start()
        assert ask([], "") == Answer(7, "")
        judging.join()


def test_nobody_is_asked_where_others_may_put_a_socket(place: Path) -> None:
    with staying(place, echo):
        for mode in (0o770, 0o702, 0o755):
            place.parent.chmod(mode)
            assert ask([], "") is None
        place.parent.chmod(0o700)
        assert ask([], "") is not None
        moved = place.parent.with_name("elsewhere")
        place.parent.rename(moved)
        place.parent.symlink_to(moved)
        assert ask([], "") is None, "a link is nobody's folder"


def test_nobody_is_asked_in_another_users_folder(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = os.geteuid() + 1
    with staying(place, echo):
        monkeypatch.setattr(os, "geteuid", lambda: other)
        monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("it began"))
        assert ask([], "") is None
        resident.begin("")


def test_who_begins_gives_it_nothing_of_its_own(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret of one push, its folder, or its terminal's signals are no business of the next ones."""
    said = tmp_path / "said"
    monkeypatch.setenv("HALLMARK_GATE_KEY", "secret")
    words = "[os.getcwd(), os.getsid(0) == os.getpid(), *sorted(os.environ)]"
    resident.begin(f"import os; open({str(said) + '.new'!r}, 'w').write(repr({words})); "
                   f"os.rename({str(said) + '.new'!r}, {str(said)!r})")  # fmt: skip
    until(said.exists)
    folder, leads, *variables = literal_eval(said.read_text())
    assert (folder, leads) == ("/", True)
    assert set(variables) <= {*resident.KEPT, "LC_CTYPE"}, "python itself adds the last"


@pytest.mark.parametrize("top", ["relative", "", "/nowhere/" + 120 * "x", "/nowhere"])
def test_without_a_place_nobody_is_asked_and_nobody_begins(
    top: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, top)
    monkeypatch.delenv("HOME")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("it began"))
    monkeypatch.setattr(os, "makedirs", _refused)
    assert ask([], "") is None
    resident.begin("")
    assert list(tmp_path.iterdir()) == []


def test_a_caller_whose_folder_is_gone_does_the_work_itself(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    with staying(place, echo):
        monkeypatch.chdir(gone)
        gone.rmdir()
        assert ask([], "") is None


def _refused(*_: object, **__: object) -> None:
    raise PermissionError


@pytest.mark.parametrize("stays", [True, False])
def test_the_hook_asks_and_begins_only_where_a_process_may_stay(stays: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []
    monkeypatch.setattr(sys, "argv", ["pre-receive", "repository", ROOT])
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(b"old new gr\xfcn\n")))
    monkeypatch.setattr(pre_receive, "undisturbed", lambda: None)
    monkeypatch.setattr(pre_receive, "gc", SimpleNamespace(disable=lambda: None))
    monkeypatch.setattr(pre_receive, "ask", lambda *request: done.append(("ask", *request)))
    monkeypatch.setattr(pre_receive, "begin", lambda program: done.append("begin"))
    monkeypatch.setattr(pre_receive, "judged", lambda *_: Answer(1, "no"))
    monkeypatch.setattr(pre_receive, "_end", done.append)
    pre_receive.main(resident=stays)
    asked: list[object] = [("ask", ["repository", ROOT], "old new gr\udcfcn\n")]
    assert done == [*asked[: int(stays)], *["begin"][: int(stays)], Answer(1, "no")]


# the hook itself, over real pushes


class Server:
    """A bare repository with the hook, and a clone. No policy is needed: it refuses what only the gate writes."""

    def __init__(self, path: Path, libraries: Path | None = None, *, resident: bool = True) -> None:
        self.bare, self.clone = path / "bare.git", path / "clone"
        self._git("init", "--quiet", "--bare", "--initial-branch=main", str(self.bare), where=path)
        hook_files.install(self.bare, python=sys.executable, root=ROOT, key=None, store=None, resident=resident)
        if libraries:
            hook = self.bare / "hooks/pre-receive"
            here = str(Path(runner.__file__).parents[1])
            hook.write_text(hook.read_text().replace(f"{here}:", f"{libraries}:"))
        self._git("init", "--quiet", "--initial-branch=main", str(self.clone), where=path)
        who = ("-c", "user.name=x", "-c", "user.email=x@example.com")
        self._git(*who, "commit", "--quiet", "--allow-empty", "--message", "x", where=self.clone)

    def push(self, ref: str) -> subprocess.CompletedProcess[str]:
        """Its output has ended when this returns: nothing that stays holds it."""
        command = ["git", "push", str(self.bare), f"HEAD:{ref}"]
        return subprocess.run(
            command, cwd=self.clone, capture_output=True, text=True, errors="replace", check=False, timeout=120
        )

    def _git(self, *arguments: str, where: Path) -> None:
        subprocess.run(["git", *arguments], cwd=where, check=True)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A copy of the program, which a test may change."""
    ignored = shutil.ignore_patterns("templates")
    shutil.copytree(Path(runner.__file__).parent, tmp_path / "code" / "runner", ignore=ignored)
    return tmp_path / "code"


def sitting(runtime: Path) -> int | None:
    """The socket of whoever stays for the hooks of a test."""
    return next((one.stat().st_ino for one in (runtime / "hallmark").glob("gate-*.sock")), None)


def test_pushes_are_judged_alike_by_the_one_that_stays_and_without(place: Path, tmp_path: Path, code: Path) -> None:
    top = place.parents[1]
    for name in ("with", "without"):
        (tmp_path / name).mkdir()
    server, alone = Server(tmp_path / "with", code), Server(tmp_path / "without", resident=False)
    first = server.push(TAG)
    assert until(lambda: sitting(top))
    judging = code / "runner/promotion/hook.py"
    later = server.push(TAG)
    words = [one.stderr.replace(str(server.bare), "").replace(str(alone.bare), "") for one in (first, later)]
    assert words[0] == words[1] == alone.push(TAG).stderr.replace(str(alone.bare), "")
    assert "is written by the gate, after a merge" in words[0]
    for one in (server, alone):
        assert one.push("refs/heads/topic").returncode == 0
        assert one.push("refs/heads/gr\udcfcn").returncode == 0, "a name that is no UTF-8"
    was = sitting(top)
    judging.write_text(judging.read_text().replace("is written by the gate", "is WRITTEN by the gate"))
    assert "is WRITTEN by the gate" in server.push(TAG).stderr, "no old code judges"
    assert until(lambda: (now := sitting(top)) and now != was), "the next one stays in its place"
    assert "is WRITTEN by the gate" in server.push(TAG).stderr


def test_each_ref_that_is_refused_is_named(tmp_path: Path) -> None:
    server = Server(tmp_path, resident=False)
    oid = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=server.clone, capture_output=True, text=True, check=True
    ).stdout.strip()
    refs = (TAG, "refs/heads/topic", f"{TAG}0")
    answer = pre_receive.judged([str(server.bare), ROOT], "".join(f"{'0' * 40} {oid} {ref}\n" for ref in refs))
    assert answer.code == 1
    assert [line for line in answer.said.splitlines() if line.startswith("hallmark refuses")] == [
        f"hallmark refuses {ref}:" for ref in (TAG, f"{TAG}0")
    ]


def test_it_is_the_one_that_stays_who_judges(place: Path, tmp_path: Path, code: Path) -> None:
    server = Server(tmp_path, code)
    assert server.push(TAG).returncode == 1
    assert until(lambda: sitting(place.parents[1]))
    hook = server.bare / "hooks/pre-receive"
    fails = "import runner.cli.pre_receive as hook; hook.judged = None\nfrom runner.cli.pre_receive import main\n"
    hook.write_text(hook.read_text().replace("from runner.cli.pre_receive import main\n", fails))
    assert "is written by the gate" in server.push(TAG).stderr
    shutil.rmtree(place.parent)
    assert "TypeError" in server.push(TAG).stderr, "nobody stays: it would judge by itself"


def test_a_hook_says_whether_a_process_stays(tmp_path: Path) -> None:
    for stays in (True, False):
        (tmp_path / str(stays)).mkdir()
        found = hook_files.installed(Server(tmp_path / str(stays), resident=stays).bare)
        assert found is not None
        assert (found.current, found.resident, found.root) == (True, stays, ROOT)


def test_the_one_that_stays_has_loaded_and_built_all_that_a_verdict_takes(tmp_path: Path) -> None:
    """Of a promotion with hand-off and cards: what it would load later, each push would load again."""
    from tests.promotion_fixture import World

    world = World(tmp_path / "world")
    world.create()
    (world.path / "storage").mkdir(exist_ok=True)
    world.propose(world.staged(world.staging()))
    world.approve("alice", "bob")
    old, new = world.main, world.merge()
    world.git.run("update-ref", "refs/heads/main", old)
    arguments = [str(world.origin), world.root_sha256, str(world.path / "storage")]
    program = f"""
import os, sys
sys.path[:] = {[*sys.path, get_path("purelib")]!r}
from runner.edges import aside
from runner.wiring import resident
class Here:
    def __init__(self, work): self.result = lambda answer=work(): answer
aside.Aside = Here
def built():
    from runner.records.base import Record
    todo, found = [Record], set()
    while todo:
        found |= {{kind for kind in todo if kind.__pydantic_complete__}}
        todo = [kind for one in todo for kind in one.__subclasses__()]
    return found
def once(work, *, began):
    os.environ["GIT_DIR"] = "."
    modules, records = set(sys.modules), built()
    answer = work({arguments!r}, "{old} {new} refs/heads/main\\n")
    assert answer.code == 0, answer.said
    print([name for name in set(sys.modules) - modules if name.startswith("runner")], built() - records)
resident.stay = once
from runner.cli.resident import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], cwd=world.origin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["[]", "set()"]
