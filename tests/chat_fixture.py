"""A real OpenAI-compatible HTTP server in a thread, which does as it is told and counts its requests; and a task."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from aiohttp import web

from runner.errors import ModelError
from runner.ports import GenerationTask, Model, Tree
from runner.records.cluster import Capability, TinyBase
from runner.records.conversation import Message, Role
from runner.records.dataset import Example, Generator
from runner.records.generation import Served, Server, Shown
from runner.rules.data.generation import Aim

Answer = Callable[[dict[str, Any], int], "web.Response"]
"""From a request's body and how often this id was asked for before, what is answered."""


def completion(content: str, **changes: Any) -> web.Response:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop", **changes}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    return web.json_response({"model": "stand-in", "choices": [choice], "usage": usage})


def message_of(body: dict[str, Any]) -> str:
    """A message that differs for each seed."""
    return f"my screen number {body['seed']} is broken again"


def usual(body: dict[str, Any], asked: int) -> web.Response:
    return completion(json.dumps({"message": message_of(body)}))


class ChatServerThread:
    """Answers `/v1/chat/completions` and `/v1/completions` on a free port of this machine until it is closed, and
    hears of adapters."""

    def __init__(self, answer: Answer = usual, *, delay: float = 0.0) -> None:
        self.answer, self.delay = answer, delay
        self.asked: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.adapters: list[dict[str, str]] = []
        self.moved = ""
        """Where adapters are to be sent instead."""
        self.most_at_once = self._now = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._done = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._handle)
        app.router.add_post("/v1/completions", self._handle)
        app.router.add_post("/v1/load_lora_adapter", self._load)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._done.wait()
        await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            body = await request.json()
            name = request.headers["Idempotency-Key"]
            before = self.asked[name]
            self.asked[name] += 1
            self.bodies.append(body)
            self.headers.append(dict(request.headers))
            self.times.append(self._loop.time())
            await asyncio.sleep(self.delay)
            return self.answer(body, before)
        finally:
            self._now -= 1

    async def _load(self, request: web.Request) -> web.Response:
        self.adapters.append(await request.json())
        return web.Response(status=302, headers={"Location": self.moved}) if self.moved else web.Response()


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port that nobody listens on: bound, and never listened to."""
    import socket

    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def example(name: str, text: str, answer: str = "broken") -> Example:
    return Example(id=name, capability="broken", input=(Message(role=Role.USER, content=text),), answer=answer)


def task(url: str, *, sends: tuple[Shown, ...] = tuple(Shown), key: str = "", **aim: Any) -> GenerationTask:
    """One capability with eight gold rows, and a server at `url`."""
    gold = tuple(example(f"gold-{n}", f"the screen of order {n} is cracked from side to side") for n in range(8))
    capability = Capability(id="broken", title="Broken", definition="Something arrived broken.")
    values: dict[str, Any] = {"answers": ("broken",), "fixed": True, "gold": gold, **aim}

    def fitted() -> tuple[Model, Generator]:
        raise ModelError("a server needs no adapter to write")

    return GenerationTask(
        aims={"broken": Aim("broken-1", capability, **values)},
        title="Which queue?",
        base=Model(TinyBase(kind="tiny"), Tree({})),
        base_digest="0" * 64,
        fitted=fitted,
        servers=(Server(id="local", url=url, model="stand-in", key_variable=key, sends=sends),),
        temperature=0.9,
        attempts=4,
        seed=7,
    )


def served(**changes: Any) -> Served:
    return Served.model_validate({"kind": "server", "server": "local", "retries": 2, "concurrency": 4, **changes})
