"""A cache of answers is keyed by everything that decides them, believes no damaged entry, and outlives a kill."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.edges.answer_cache import AnswerCache, Kept
from runner.edges.cached_models import CachedModels
from runner.edges.simulated_models import SimulatedModels, adapter_files, base_files
from runner.ports import Answers, Model, Tree
from runner.records.cluster import TinyBase
from runner.records.conversation import Conversation, Message, Role, ToolCall
from runner.rules.evaluation.answer_key import Identity, Sampling, answer_keys

ROOT = Path(__file__).resolve().parent.parent
WHO = Identity("base", "adapter", "tokenizer", "template", "engine", "version", "setting")
HOW = Sampling(16, 0.5, 0.9, 3, ("a", "b"))
ASKED = (Message(role=Role.SYSTEM, content="Sort."), Message(role=Role.USER, content="Where is my card?"))
LEARNT = {"card": [("where is my card", 1.0)], "top-up": [("top up my account", 1.0)]}
MODEL = Model(TinyBase(kind="tiny"), Tree(base_files(LEARNT)))


def key(who: Identity = WHO, how: Sampling = HOW, asked: Conversation = ASKED) -> str:
    return answer_keys(who, how, [asked])[0]


def user(text: str) -> Conversation:
    return (Message(role=Role.USER, content=text),)


@pytest.mark.parametrize("part", Identity._fields)
def test_another_model_or_engine_is_another_key(part: str) -> None:
    assert key(WHO._replace(**{part: "other"})) != key()


@pytest.mark.parametrize(
    "other",
    [
        {"max_new_tokens": 17},
        {"temperature": 0.6},
        {"top_p": 0.8},
        {"seed": 4},
        {"seed": None},
        {"choices": ("b", "a")},
        {"choices": ("a", "b", "c")},
        {"choices": ()},
        {"choices": ("a, b",)},
    ],
    ids=str,
)
def test_another_way_of_choosing_tokens_is_another_key(other: dict[str, Any]) -> None:
    assert set(other) <= set(Sampling._fields)
    assert key(how=HOW._replace(**other)) != key()


CALL = ToolCall(name="find", arguments="{}", id="1")
PROMPTS = [
    ASKED,
    ASKED[1:],
    (ASKED[1], ASKED[0]),
    (*ASKED, Message(role=Role.ASSISTANT, content="card")),
    (ASKED[0], Message(role=Role.USER, content="Where is my card? ")),
    (ASKED[0], Message(role=Role.ASSISTANT, content="Where is my card?")),
    (Message(role=Role.USER, content="Sort.Where is my card?"),),
    (ASKED[0], Message(role=Role.ASSISTANT, content="Where is my card?", tool_calls=(CALL,))),
    (ASKED[0], Message(role=Role.ASSISTANT, content="Where is my card?", tool_calls=(CALL, CALL))),
    *(
        (
            ASKED[0],
            Message(role=Role.ASSISTANT, content="Where is my card?", tool_calls=(CALL.model_copy(update=other),)),
        )
        for other in ({"name": "seek"}, {"arguments": "{ }"}, {"id": "2"})
    ),
    (ASKED[0], Message(role=Role.TOOL, content="Where is my card?")),
    (ASKED[0], Message(role=Role.TOOL, content="Where is my card?", tool_call_id="1")),
]


def test_every_prompt_has_its_own_key_and_the_same_one_again() -> None:
    keys = answer_keys(WHO, HOW, PROMPTS)
    assert len(set(keys)) == len(PROMPTS)
    assert answer_keys(Identity(*WHO), Sampling(*HOW), [tuple(prompt) for prompt in PROMPTS]) == keys


def test_parts_of_the_key_do_not_run_into_each_other() -> None:
    assert key(WHO._replace(base="ba", adapter="seadapter")) != key()
    assert key(WHO._replace(engine="", version="engineversion")) != key()


class Counted(SimulatedModels):
    """Writes down what it is asked; may be killed, as it were, after some answers."""

    def __init__(self, *, until: int | None = None) -> None:
        super().__init__()
        self.asked: list[list[str]] = []
        self._until = until

    def answer(self, model: Model, prompts: Sequence[Conversation], **how: Any) -> Answers:
        self.asked.append([prompt[-1].content for prompt in prompts])
        if self._until is None:
            return super().answer(model, prompts, **how)
        super().answer(model, prompts[: self._until], **how)
        raise KeyboardInterrupt


@pytest.fixture
def cache(tmp_path: Path) -> AnswerCache:
    return AnswerCache(tmp_path / "answers" / "desk")


def test_what_was_answered_is_not_asked_again_by_another_process_either(cache: AnswerCache) -> None:
    prompts = [user("where is my card"), user("top up"), user("where is my card")]
    first, bare = Counted(), SimulatedModels().answer(MODEL, prompts, max_new_tokens=8)
    made = CachedModels(first, cache).answer(MODEL, prompts, max_new_tokens=8)
    assert first.asked == [["where is my card", "top up"]]
    assert (made.texts, made.tokens) == (bare.texts, bare.tokens)
    assert (made.remembered, made.generated, made.generated_tokens) == ({2}, 2, sum(bare.tokens[:2]))
    second, told = Counted(), []
    again = CachedModels(second, AnswerCache(cache.path.parent)).answer(
        MODEL, [*prompts, user("new")], max_new_tokens=8, keep=lambda *said: told.append(said)
    )
    assert second.asked == [["new"]]
    assert again.texts[:3] == made.texts
    assert (again.remembered, again.generated) == ({0, 1, 2}, 1)
    assert sorted(told) == [(index, again.texts[index], again.tokens[index]) for index in range(4)]
    full = CachedModels(second, cache).answer(MODEL, prompts, max_new_tokens=8)
    assert (full.seconds, full.generated, full.generated_tokens) == (0.0, 0, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"model": replace(MODEL, weights=Tree(base_files({**LEARNT, "other": [("x", 1.0)]})))},
        {"model": replace(MODEL, adapter=Tree(adapter_files({"card": [("top up", 9.0)]}, base=MODEL.weights.digest)))},
        {"max_new_tokens": 9},
        {"choices": ("card",)},
        {"fresh": True},
    ],
    ids=["base", "adapter", "max_new_tokens", "choices", "fresh"],
)
def test_another_question_reaches_the_model(cache: AnswerCache, change: dict[str, Any]) -> None:
    asked: dict[str, Any] = {"model": MODEL, "prompts": [user("top up")], "max_new_tokens": 8}
    models = Counted()
    CachedModels(models, cache).answer(**asked)
    got = CachedModels(models, cache).answer(**{**asked, **change})
    assert len(models.asked) == 2
    assert got == SimulatedModels().answer(**{**asked, **change})


def test_answers_had_before_a_failure_are_kept(cache: AnswerCache) -> None:
    prompts = [user(f"card {number}") for number in range(300)]
    with pytest.raises(KeyboardInterrupt):
        CachedModels(Counted(until=200), cache).answer(MODEL, prompts, max_new_tokens=8)
    models = Counted()
    CachedModels(models, cache).answer(MODEL, prompts, max_new_tokens=8)
    assert [len(asked) for asked in models.asked] == [100]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE answers SET text = CAST('top-up' AS BLOB)",
        "UPDATE answers SET text = 'card'",
        "UPDATE answers SET text = x'ff'",
        "UPDATE answers SET tokens = tokens + 1",
        "UPDATE answers SET tokens = 'many'",
        "UPDATE answers SET sha256 = ''",
        "UPDATE answers SET key = 'b' WHERE key = 'a'",
    ],
)
def test_a_damaged_entry_is_a_miss_and_is_written_anew(cache: AnswerCache, damage: str) -> None:
    kept = {"a": Kept("card", 2)}
    cache.keep(kept)
    assert cache.find(["a", "b"]) == kept
    with closing(sqlite3.connect(cache.path, isolation_level=None)) as file:
        assert file.execute(damage).rowcount == 1
    assert cache.find(["a", "b"]) == {}
    cache.keep(kept)
    assert cache.find(["a"]) == kept


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be looked at" * 40, b"SQLite format 3\0"])
def test_a_file_that_is_no_database_is_begun_anew(cache: AnswerCache, content: bytes) -> None:
    cache.path.parent.mkdir(parents=True)
    cache.path.write_bytes(content)
    assert cache.find(["a"]) == {}
    cache.keep({"a": Kept("card", 2)})
    assert AnswerCache(cache.path.parent).find(["a"]) == {"a": Kept("card", 2)}


def test_a_database_with_a_torn_page_is_begun_anew(cache: AnswerCache) -> None:
    cache.keep({f"{number:064}": Kept("card" * 20, 2) for number in range(400)})
    cache.close()
    data = bytearray(cache.path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    cache.path.write_bytes(bytes(data))
    assert cache.find([f"{0:064}"]) == {}
    cache.keep({"a": Kept("card", 2)})
    assert cache.find(["a"]) == {"a": Kept("card", 2)}


def test_where_nothing_can_be_written_everything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "answers").write_text("a file where the directory should be")
    models, cache = Counted(), AnswerCache(tmp_path / "answers")
    for _ in range(2):
        assert CachedModels(models, cache).answer(MODEL, [user("top up")], max_new_tokens=8).texts == ("top-up",)
    assert len(models.asked) == 2


def test_texts_come_back_as_they_were(cache: AnswerCache) -> None:
    kept = {str(number): Kept(text, number) for number, text in enumerate(["", " a\n", "ü\U0001f600\0b", "\ud800"])}
    cache.keep(kept)
    assert AnswerCache(cache.path.parent).find(list(kept)) == kept


def test_it_stays_below_its_size_and_forgets_what_was_not_used_for_longest(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path, limit=200_000)
    rows = {f"{number:064}": Kept("x" * 500, 1) for number in range(1000)}
    cache.keep({name: rows[name] for name in list(rows)[:200]})
    with closing(sqlite3.connect(cache.path, isolation_level=None)) as file:
        file.execute("UPDATE answers SET used = used - 100000")
    used = list(rows)[:50]
    assert cache.find(used) == {name: rows[name] for name in used}
    for start in range(200, 320, 40):
        cache.keep({name: rows[name] for name in list(rows)[start : start + 40]})
    assert cache.find(used) == {name: rows[name] for name in used}
    assert len(cache.find(list(rows)[50:200])) < 150
    for start in range(320, 1000, 40):
        cache.keep({name: rows[name] for name in list(rows)[start : start + 40]})
    assert cache.find(list(rows)[-40:]).keys() == set(list(rows)[-40:])
    cache.close()
    assert cache.path.stat().st_size <= 200_000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.lock", "answers.sqlite"]


WRITER = """
import sys
from pathlib import Path
from runner.edges.answer_cache import AnswerCache, Kept
home, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
sys.stdin.readline()
cache = AnswerCache(home)
with cache.keeping() as put:
    for number in range(count):
        put(f"shared-{number}", Kept(f"answer {number}", number))
        put(f"{name}-{number}", Kept(f"{name} {number}", number))
        if number % 100 == 0:
            cache.find([f"shared-{number - 1}"])
            print(number, flush=True)
"""


def writer(home: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(home), name, str(count)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)


def begin(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_two_processes_write_at_once_from_the_first_moment(cache: AnswerCache) -> None:
    both = [writer(cache.path.parent, name, 1000) for name in ("left", "right")]
    for process in both:
        begin(process)
    for process in both:
        process.communicate(timeout=60)
        assert process.returncode == 0
    for name in ("shared", "left", "right"):
        said = "answer" if name == "shared" else name
        found = cache.find([f"{name}-{number}" for number in range(1000)])
        assert found == {f"{name}-{number}": Kept(f"{said} {number}", number) for number in range(1000)}


def test_a_kill_at_any_moment_leaves_whole_answers(cache: AnswerCache) -> None:
    had = 0
    for round_ in range(5):
        process = writer(cache.path.parent, f"round-{round_}", 100_000)
        begin(process)
        assert process.stdout is not None
        for _ in range(3 + round_):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
        found = cache.find([f"shared-{number}" for number in range(100_000)])
        assert all(kept == Kept(f"answer {kept.tokens}", kept.tokens) for kept in found.values())
        assert sorted(kept.tokens for kept in found.values()) == list(range(len(found)))
        assert len(found) >= max(had, 100 * (2 + round_) - 128)
        had = len(found)
    with closing(sqlite3.connect(cache.path, isolation_level=None)) as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
