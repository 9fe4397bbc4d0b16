"""Answers from an OpenAI-compatible endpoint that is slow, busy, wrong or gone; and a run that is taken up again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from runner.edges.answer_cache import FLUSH_ROWS, AnswerCache
from runner.edges.bases import prompt_ids, tokenizer_of
from runner.edges.cached_models import CachedModels
from runner.edges.chat.reply import LONGEST, MOST_TOKENS
from runner.edges.engines.chosen import answering
from runner.edges.simulated_models import SimulatedModels
from runner.errors import ModelError
from runner.ports import LanguageModels
from runner.records.serving import PromptForm, Serving
from runner.rules.evaluation.tool_calls import Call, read_calls
from tests.chat_fixture import ChatServerThread, completion, refusing_port
from tests.engine_fixture import adapted, base, prompts

CLIENT = """
import sys
from pathlib import Path
from tests.engine_fixture import base, prompts
from tests.test_engine_endpoint import cached
cached(sys.argv[1], Path(sys.argv[2])).answer(base(), prompts(int(sys.argv[3])), max_new_tokens=8)
"""


def engine(url: str, folder: Path, **endpoint: Any) -> LanguageModels:
    said = {"id": "there", "url": url, "model": "stand-in", "retries": 2, "concurrency": 4, **endpoint}
    serving = Serving.model_validate({"engine": "openai", "target": "a server", "endpoint": said})
    return answering(SimulatedModels(), serving, root=folder, cluster="desk", rank=8)


def cached(url: str, folder: Path) -> CachedModels:
    return CachedModels(engine(url, folder), AnswerCache(folder / "answers"))


def echo(body: dict[str, Any], asked: int) -> web.Response:
    return completion(f"{body['model']}: {body['messages'][-1]['content']}")


def sparing(body: dict[str, Any], asked: int) -> web.Response:
    """Busy whenever a request comes for the first time."""
    return echo(body, asked) if asked else web.Response(status=503)


def test_answers_come_in_order_each_question_once_and_each_is_handed_on_as_it_comes(tmp_path: Path) -> None:
    asked = [*prompts(6), *prompts(3)]
    heard: list[tuple[int, str, int]] = []
    with ChatServerThread(echo, delay=0.02) as server:
        answers = engine(server.url, tmp_path).answer(
            base(), asked, max_new_tokens=8, keep=lambda *one: heard.append(one)
        )
        assert len(server.bodies) == 6
        assert server.most_at_once == 4
    assert list(answers.texts) == [f"stand-in: {prompt[-1].content}" for prompt in asked]
    assert answers.tokens == (5,) * 9, "as the server's usage says"
    assert sorted(heard) == [(index, text, 5) for index, text in enumerate(answers.texts)]
    assert {(body["temperature"], body["max_tokens"], "seed" in body) for body in server.bodies} == {(0.0, 8, False)}


def test_samples_are_seeded_so_that_they_repeat_and_differ_from_each_other(tmp_path: Path) -> None:
    with ChatServerThread(lambda body, _: completion(str(body["seed"]))) as server:
        models = engine(server.url, tmp_path)

        def draw(seed: int) -> tuple[str, ...]:
            return models.sample(base(), prompts(1) * 5, temperature=0.8, seed=seed, max_new_tokens=8)

        first, again, other = draw(1), draw(1), draw(2)
    assert first == again
    assert len({*first, *other}) == 10
    assert {(body["temperature"], body["top_p"]) for body in server.bodies} == {(0.8, 0.95)}


def test_a_busy_server_is_asked_again_and_not_by_all_at_once(tmp_path: Path) -> None:
    with ChatServerThread(sparing) as server:
        models = engine(server.url, tmp_path, concurrency=8)
        answers = models.answer(base(), prompts(8), max_new_tokens=8)
        again = sorted(server.times)[8:]
    assert models.usage == {"requests": 16, "sent_again": 8, "prompt_tokens": 80, "completion_tokens": 40}
    assert len(set(answers.texts)) == 8
    assert set(server.asked.values()) == {2}
    assert again[0] - min(server.times) >= 0.45, "it waits before it asks again"
    assert again[-1] - again[0] > 0.1, "and not equally long for each"


def test_requests_keep_to_the_rate_that_is_allowed(tmp_path: Path) -> None:
    with ChatServerThread(echo) as server:
        engine(server.url, tmp_path, requests_per_minute=600).answer(base(), prompts(6), max_new_tokens=8)
        times = sorted(server.times)
    assert times[-1] - times[0] >= 0.45, "ten a second"


GARBAGE = {
    "a page": web.Response(text="<html>it works</html>"),
    "no JSON": web.Response(text='{"choices": [{"message": {"content": "half'),
    "no choice": web.json_response({"choices": []}),
    "no message": web.json_response({"choices": [{}]}),
    "no content": web.json_response({"choices": [{"message": {"role": "assistant"}}]}),
    "a list": web.json_response({"choices": [{"message": {"content": ["a"]}}]}),
    "half a call": web.json_response({"choices": [{"message": {"content": None, "tool_calls": [{"function": {}}]}}]}),
    "a number": web.json_response({"choices": [{"text": 3}]}),
    "half a surrogate pair": web.Response(text=r'{"choices": [{"message": {"content": "\ud800"}}]}'),
    "nothing": web.Response(),
    "more than is read": web.Response(body=b" " * (LONGEST + 1) + completion("a").body),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_is_no_answer(kind: str, tmp_path: Path) -> None:
    data = GARBAGE[kind].body
    with ChatServerThread(lambda body, _: web.Response(body=data)) as server:
        with pytest.raises(
            ModelError, match=r"server there .* what is no completion .*, 1 times; what it has answered"
        ):
            engine(server.url, tmp_path, retries=0).answer(base(), prompts(1), max_new_tokens=8)
        assert len(server.bodies) == 1


@pytest.mark.parametrize(("said", "kept"), [(10**30, MOST_TOKENS), (-1, 0)])
def test_a_count_of_tokens_that_cannot_be_is_kept_within_bounds(said: int, kept: int, tmp_path: Path) -> None:
    def wild(body: dict[str, Any], asked: int) -> web.Response:
        choice = {"message": {"content": "yes"}}
        return web.json_response({"choices": [choice], "usage": {"completion_tokens": said}})

    with ChatServerThread(wild) as server:
        models = cached(server.url, tmp_path)
        first, again = (models.answer(base(), prompts(2), max_new_tokens=8) for _ in range(2))
    assert first.tokens == again.tokens == (kept, kept)
    assert again.remembered == {0, 1}


def test_garbage_that_comes_once_is_asked_for_again(tmp_path: Path) -> None:
    def once(body: dict[str, Any], asked: int) -> web.Response:
        return echo(body, asked) if asked else web.Response(text="<html>")

    with ChatServerThread(once) as server:
        answers = engine(server.url, tmp_path).answer(base(), prompts(2), max_new_tokens=8)
    assert [text for text in answers.texts if text.startswith("stand-in: where")] == list(answers.texts)


def test_an_answer_that_is_cut_off_refused_or_a_call_is_an_answer(tmp_path: Path) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "find_order", "arguments": '{"number": 12}'}}
    replies = iter(
        [
            completion("cut of", finish_reason="length"),
            completion("", message={"role": "assistant", "content": None, "refusal": "I may not."}),
            completion("", message={"role": "assistant", "content": None, "tool_calls": [call]}),
        ]
    )
    with ChatServerThread(lambda body, _: next(replies)) as server:
        models = engine(server.url, tmp_path, concurrency=1)
        cut, refused, called = models.answer(base(), prompts(3), max_new_tokens=8).texts
    assert (cut, refused) == ("cut of", "")
    assert read_calls(called) == (Call("find_order", {"number": 12}),)


def test_one_that_does_not_answer_in_time_or_is_out_of_reach_ends_it(tmp_path: Path) -> None:
    with (
        ChatServerThread(echo, delay=1) as server,
        pytest.raises(ModelError, match=r"no answer within 0\.1 s, 1 times"),
    ):
        engine(server.url, tmp_path, retries=0, timeout_s=0.1).answer(base(), prompts(1), max_new_tokens=8)
    with refusing_port() as port, pytest.raises(ModelError, match="out of reach"):
        engine(f"http://127.0.0.1:{port}/v1", tmp_path, retries=0).answer(base(), prompts(1), max_new_tokens=8)


def test_what_it_refuses_ends_it_at_once_and_never_shows_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THERE_KEY", "sk-secret")
    refusal = {"error": {"message": "sk-secret may not ask for that"}}
    with ChatServerThread(lambda body, _: web.json_response(refusal, status=400)) as server:
        models = engine(server.url, tmp_path, key_variable="THERE_KEY")
        with pytest.raises(ModelError, match=r"answered 400: \[KEY\] may not") as raised:
            models.answer(base(), prompts(1), max_new_tokens=8)
        assert "sk-secret" not in str(raised.value)
        assert len(server.bodies) == 1
        assert server.headers[0]["Authorization"] == "Bearer sk-secret"
    monkeypatch.delenv("THERE_KEY")
    with pytest.raises(ModelError, match="THERE_KEY is not set"):
        models.answer(base(), prompts(1), max_new_tokens=8)


@pytest.mark.parametrize("key", ["sk-secret\nsk-more", "sk-s\u00e9cret", "sk\x00secret"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.environ", {"THERE_KEY": key})
    models = engine("http://127.0.0.1:1/v1", tmp_path, key_variable="THERE_KEY")
    with pytest.raises(ModelError, match="THERE_KEY is no line of ASCII") as raised:
        models.answer(base(), prompts(1), max_new_tokens=8)
    assert "sk" not in str(raised.value)


def test_an_adapter_is_loaded_without_a_proxy_and_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing_port() as port:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
        with ChatServerThread(echo) as server:
            engine(server.url, tmp_path, adapters="loaded").answer(adapted(), prompts(1), max_new_tokens=8)
            assert len(server.adapters) == 1
            heard = len(server.bodies)
            server.moved = f"http://127.0.0.1:{server.port}/v1/chat/completions"
            with pytest.raises(ModelError, match="refused load_lora_adapter: 302"):
                engine(server.url, tmp_path, adapters="loaded").answer(adapted(), prompts(1), max_new_tokens=8)
            assert (len(server.adapters), len(server.bodies)) == (2, heard)


def test_a_run_that_fails_half_way_asks_only_for_the_rest(tmp_path: Path) -> None:
    def until_ten(body: dict[str, Any], asked: int) -> web.Response:
        return echo(body, asked) if len(server.bodies) <= 10 else web.Response(status=401)

    with ChatServerThread(until_ten, delay=0.01) as server:
        with pytest.raises(ModelError, match="answered 401"):
            cached(server.url, tmp_path).answer(base(), prompts(30), max_new_tokens=8)
        before = len(server.bodies)
        server.answer = echo
        answers = cached(server.url, tmp_path).answer(base(), prompts(30), max_new_tokens=8)
        again = len(server.bodies) - before
    assert list(answers.texts) == [f"stand-in: {prompt[-1].content}" for prompt in prompts(30)]
    assert 20 <= again <= 20 + 3, "three may have been under way beside the one that was refused"
    assert len(answers.remembered) == 30 - again


def test_a_killed_run_that_is_taken_up_asks_again_for_little_more_than_was_under_way(tmp_path: Path) -> None:
    asked = 500
    with ChatServerThread(echo, delay=0.01) as server:
        command = [sys.executable, "-c", CLIENT, server.url, str(tmp_path), str(asked)]
        with subprocess.Popen(command) as client:
            deadline = time.monotonic() + 60
            while len(server.bodies) < 300 and time.monotonic() < deadline:
                time.sleep(0.01)
            client.send_signal(signal.SIGKILL)
        before = len(server.bodies)
        answers = cached(server.url, tmp_path).answer(base(), prompts(asked), max_new_tokens=8)
        twice = [name for name, count in server.asked.items() if count > 1]
    assert 300 <= before < asked
    assert list(answers.texts) == [f"stand-in: {prompt[-1].content}" for prompt in prompts(asked)]
    assert len(twice) <= FLUSH_ROWS + 3 * 4, "those under way, and those on their way to the disk"
    assert len(answers.remembered) == asked - (len(server.bodies) - before)


def test_prompts_are_sent_as_the_base_makes_them_where_the_endpoint_lets_us(tmp_path: Path) -> None:
    long = [(prompts(1)[0][0].model_copy(update={"content": "card " * 200}),)]
    ids = prompt_ids(tokenizer_of(base()), [*prompts(2), *long], longest=64 - 8)
    assert len(ids[2]) == 56, "a long prompt loses its start, to leave room for the answer"
    sent: dict[PromptForm, list[Any]] = {}
    for form in (PromptForm.TOKENS, PromptForm.TEXT):
        with ChatServerThread(lambda body, _: completion("yes")) as server:
            models = engine(server.url, tmp_path, prompts=form, concurrency=1)
            assert models.answer(base(), [*prompts(2), *long], max_new_tokens=8).texts == ("yes",) * 3
            sent[form] = [body["prompt"] for body in server.bodies]
    assert sent[PromptForm.TOKENS] == ids
    assert sent[PromptForm.TEXT][0] == "<|user|>where is card 0<|assistant|>"
    assert tokenizer_of(base())(sent[PromptForm.TEXT], add_special_tokens=False)["input_ids"][:2] == ids[:2]


def test_an_adapter_is_asked_for_by_name_where_the_endpoint_serves_it(tmp_path: Path) -> None:
    model = adapted()
    assert model.adapter is not None
    digest = model.adapter.digest[:16]
    with ChatServerThread(echo) as server:

        def answer(adapters: str) -> str:
            return engine(server.url, tmp_path, adapters=adapters).answer(model, prompts(1), max_new_tokens=8).texts[0]

        assert answer("named").startswith(f"stand-in-{digest}:")
        assert answer("loaded").startswith(f"adapter-{digest}:")
        (loaded,) = server.adapters
        assert {path.name: path.read_bytes() for path in Path(loaded["lora_path"]).iterdir()} == model.adapter.files
        with pytest.raises(ModelError, match="serves no adapters"):
            answer("none")


def test_latency_is_of_one_request_at_a_time(tmp_path: Path) -> None:
    with ChatServerThread(echo, delay=0.02) as server:
        found = engine(server.url, tmp_path).latency(base(), prompts(5), max_new_tokens=8)
        assert server.most_at_once == 1
    assert 20 <= found.p50_ms <= found.p95_ms < 1000


def test_who_answers_is_part_of_the_key_and_of_the_version(tmp_path: Path) -> None:
    here = engine("http://127.0.0.1:1/v1", tmp_path)
    assert here.version == "stand-in at http://127.0.0.1:1/v1; trained with simulated-1"
    others = [
        engine("http://127.0.0.1:2/v1", tmp_path),
        engine("http://127.0.0.1:1/v1", tmp_path, model="other"),
        engine("http://127.0.0.1:1/v1", tmp_path, prompts="tokens"),
    ]
    found = {models.identity(base()) for models in (here, *others)} | {here.identity(adapted())}
    assert len(found) == 5


def test_a_closed_set_of_answers_needs_an_engine_that_can_hold_them(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="closed set"):
        engine("http://127.0.0.1:1/v1", tmp_path).answer(base(), prompts(1), max_new_tokens=8, choices=["yes", "no"])


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"engine": "openai"}, "needs an endpoint"),
        ({"engine": "vllm", "endpoint": {"id": "a", "url": "http://a/v1", "model": "m"}}, "for the engine openai"),
        ({"engine": "transformers", "vllm": {}}, "for the engine vllm"),
        ({"engine": "openai", "endpoint": {"id": "a", "url": "http://u:p@a/v1", "model": "m"}}, "url"),
    ],
)
def test_a_cluster_says_what_its_engine_needs_and_nothing_else(said: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Serving.model_validate({"target": "a server", **said})
