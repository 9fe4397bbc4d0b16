"""What generation costs beside the server: milliseconds a row, less those of a bare client with the same requests.

    python -m benchmarks.generation [--rows 2000] [--runs 7] [--concurrency 16] [--json FILE]

An OpenAI-compatible server runs in a process of its own and answers at once, so that what is measured is the client:
prompts drawn and written, ids, sending, limits, retries, a journal that is fsynced before a worker goes on, JSON
parsed, the schema checked, drafts. The floor is a loop over the same requests (the same bytes, headers, library,
connections and concurrency) that reads each reply and does nothing with it. Both take their turn in every round; the
first round is not counted, and the median of the others is given: of the wall, and of the process's own processor,
for on a busy machine the first says more about the others. `resumed` is the same task taken up with every reply in its
journal. It reports and does not judge: the exit code is 0.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple, TypeVar

from runner.edges.chat.client import ChatClient, Request, Sampling
from runner.edges.generators.served import ServedWriter
from runner.ports import GenerationTask, Model, Tree
from runner.records.cluster import Capability, TinyBase
from runner.records.conversation import Message, Role
from runner.records.dataset import Example, Generator
from runner.records.generation import Served, Server, Shown
from runner.rules.data.generation import Aim, Draft
from runner.rules.data.prompts import Prompter

T = TypeVar("T")
GOAL_MS = 0.5
GOLD = 60
QUOTED = "DataDesigner 2.6 ms, distilabel 2 ms (quoted from an earlier measurement, not run here)"


class Taken(NamedTuple):
    """Seconds for all rows."""

    wall: float
    processor: float

    @classmethod
    def by(cls, work: Callable[[], T]) -> tuple[T, Taken]:
        started, used = time.perf_counter(), time.process_time()
        result = work()
        return result, cls(time.perf_counter() - started, time.process_time() - used)


class Round(NamedTuple):
    floor: Taken
    ours: Taken
    resumed: Taken


class StandIn(asyncio.Protocol):
    """As much of HTTP/1.1 as one client needs, so that the server is not what is measured."""

    def __init__(self) -> None:
        content = json.dumps({"message": "the card that came on Friday does not work at the till"})
        choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 230, "completion_tokens": 19, "total_tokens": 249}
        body = json.dumps({"id": "1", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage})
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._reply = (head + body).encode()
        self._come = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._come += data
        while (end := self._come.find(b"\r\n\r\n")) >= 0:
            lines = self._come[:end].lower().split(b"\r\n")
            length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
            if len(self._come) < end + 4 + length:
                return
            self._come = self._come[end + 4 + length :]
            self._transport.write(self._reply)


def serve(told: Connection) -> None:
    """Serve until killed; the port is told."""

    async def forever() -> None:
        server = await asyncio.get_running_loop().create_server(StandIn, "127.0.0.1", 0)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(forever())


@contextlib.contextmanager
def standing_in() -> Iterator[str]:
    """The address of a stand-in server, for as long as the block lasts."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}/v1"
    finally:
        process.terminate()
        process.join()


def nothing_fitted() -> tuple[Model, Generator]:
    raise AssertionError("a server needs no adapter")


def task(url: str) -> GenerationTask:
    """A capability with sixty gold messages, six of which stand in every prompt."""
    texts = [
        f"my card number {n} was refused in a shop on the {n}th although there is money on it" for n in range(GOLD)
    ]
    gold = tuple(
        Example(id=f"gold-{n}", capability="card", input=(Message(role=Role.USER, content=text),), answer="card")
        for n, text in enumerate(texts)
    )
    capability = Capability(id="card", title="Card refused", definition="A payment by card was refused.")
    aim = Aim("card-1", capability, ("card",), fixed=True, gold=gold, criteria=("The answer names the queue.",))
    return GenerationTask(
        aims={"card": aim},
        title="Which queue should work on this message?",
        base=Model(TinyBase(kind="tiny"), Tree({})),
        base_digest="0" * 64,
        fitted=nothing_fitted,
        servers=(Server(id="local", url=url, model="m", sends=(Shown.GOLD,)),),
        temperature=0.9,
        attempts=1,
        seed=1,
    )


def requests(work: GenerationTask, choice: Served, rows: int) -> list[Request]:
    """The requests that the writer will send."""
    server = work.servers[0]
    prompter = Prompter(
        work.aims,
        title=work.title,
        choice=choice,
        sources=server.sends,
        redacted=True,
        seed=work.seed,
    )
    chat, schema = ChatClient(server, choice, key=""), prompter.schema("card")
    prompts = [prompter.prompt("card", number) for number in range(rows)]
    return [
        chat.request(
            one.messages,
            sampling=Sampling(choice.max_new_tokens, work.temperature, choice.top_p, one.seed),
            schema=schema,
        )
        for one in prompts
    ]


async def bare(url: str, found: Sequence[Request], concurrency: int) -> None:
    """Send the requests and read the replies."""
    import aiohttp

    waiting = iter(found)
    headers = {"Content-Type": "application/json"}

    async def work(session: aiohttp.ClientSession) -> None:
        for request in waiting:
            named = {"Idempotency-Key": request.id}
            async with session.post(f"{url}/chat/completions", data=request.body, headers=named) as response:
                await response.read()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=concurrency), headers=headers) as session:
        await asyncio.gather(*(work(session) for _ in range(concurrency)))


def measure(url: str, choice: Served, rows: int) -> Round:
    work = task(url)
    sent = requests(work, choice, rows)
    _, floor = Taken.by(lambda: asyncio.run(bare(url, sent, choice.concurrency)))
    with tempfile.TemporaryDirectory() as folder:

        def write() -> Sequence[Draft]:
            return ServedWriter(work, choice, journals=Path(folder)).write({"card": rows}, turn=0)

        drafts, ours = Taken.by(write)
        assert [draft.request for draft in drafts] == [request.id for request in sent]
        assert not any(draft.cause for draft in drafts)
        again, resumed = Taken.by(write)
        assert again == drafts
    return Round(floor, ours, resumed)


def medians(rounds: Sequence[Round], rows: int, clock: int) -> dict[str, float]:
    """Milliseconds a row by one of the two clocks of `Taken`."""
    columns = {
        "ours": [one.ours[clock] for one in rounds],
        "floor": [one.floor[clock] for one in rounds],
        "overhead": [one.ours[clock] - one.floor[clock] for one in rounds],
        "resumed": [one.resumed[clock] for one in rounds],
    }
    return {name: round(1000 * statistics.median(column) / rows, 3) for name, column in columns.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    choice = Served(kind="server", server="local", concurrency=chosen.concurrency)
    with standing_in() as url:
        rounds = [measure(url, choice, chosen.rows) for _ in range(chosen.runs + 1)][1:]
    figures = {name: medians(rounds, chosen.rows, clock) for clock, name in enumerate(Taken._fields)}
    print(f"{chosen.rows} rows, {chosen.concurrency} at once, median of {chosen.runs}, milliseconds a row:")
    print(f"{'':10}{'wall':>8}{'processor':>11}")
    for name, wall in figures["wall"].items():
        print(f"{name:10}{wall:8.3f}{figures['processor'][name]:11.3f}")
    print(f"wanted: an overhead of at most {GOAL_MS} by the wall; {QUOTED}")
    if chosen.json:
        chosen.json.write_text(json.dumps({"rows": chosen.rows, "runs": chosen.runs, **figures}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
