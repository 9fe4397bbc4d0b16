"""An OpenAI-compatible server, asked for many answers at once.

- A request's id is the sha256 of its address and its bytes: model, messages, sampling, seed and schema.
- A reply is journalled as soon as it has come, and a request whose reply is journalled is not sent. At most as many
  replies as requests may be under way wait for the disk: so many of each a kill may repeat, and it loses none.
- A server that is busy (429), failing (5xx) or out of reach is asked again, after what it asks for (`Retry-After`) or
  twice as long as before, with jitter. One that goes on so, or that refuses the key or the address, ends it with a
  `ModelError`; the same command then takes up what is missing.
- One that refuses a single request (400, 413, 422) has refused a row, but not where it has answered none: then nothing
  of that is journalled, and it ends with a `ModelError` too.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from runner.edges.generators.chat_reply import problem_of, reply_of, seconds
from runner.edges.generators.journal import Journal, Reply
from runner.errors import HallmarkError, ModelError
from runner.ports import Progress, silent
from runner.records.conversation import Conversation
from runner.records.generation import Served, Server
from runner.rules.canonical import sha256
from runner.rules.grading import shorten
from runner.rules.shown import shown

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession
    from aiolimiter import AsyncLimiter
    from tenacity import AsyncRetrying, RetryCallState

BUSY = frozenset({408, 409, 425, 429, *range(500, 600)})
OF_THE_ROW = frozenset({400, 413, 422})
REFUSED = "refused"
REFUSALS = 8
"""Requests refused one by one, before any is answered, after which the server is taken to refuse them all."""
CHARACTERS = 4
"""Of a prompt, to a token: an estimate for the limit of tokens a minute."""
FIRST_WAIT = 0.5


class Request(NamedTuple):
    id: str
    body: bytes
    tokens: int
    """Of prompt and answer together, at most, as estimated."""


class _Busy(Exception):
    """The server may answer later; `after` is how many seconds it asks for, 0 where it does not say."""

    def __init__(self, problem: str, after: float = 0.0) -> None:
        super().__init__(problem)
        self.after = after


@dataclass
class Usage:
    """What a task cost: not the same when it is taken up again."""

    sent: int = 0
    repeated: int = 0
    """Sent again, because the server was busy, failing or out of reach."""
    journalled: int = 0
    """Answered by an earlier run."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    models: set[str] = field(default_factory=set)


class ChatServer:
    """One server with one choice of how to ask it. `key` goes into a header and into no message."""

    def __init__(self, server: Server, choice: Served, *, key: str) -> None:
        self._server, self._choice, self._key = server, choice, key
        self._url = f"{server.url.rstrip('/')}/chat/completions"
        self._resume_at = 0.0
        self._answers = False
        self._doubtful: list[Reply] = []
        self.usage = Usage()

    def request(
        self, messages: Conversation, *, schema: Mapping[str, Any] | None, seed: int, temperature: float
    ) -> Request:
        """The request for one answer; with `schema` the answer is asked for as JSON of that form."""
        body: dict[str, Any] = {
            "model": self._server.model,
            "messages": [{"role": message.role.value, "content": message.content} for message in messages],
            "max_tokens": self._choice.max_new_tokens,
            "temperature": temperature,
            "top_p": self._choice.top_p,
            "seed": seed,
        }
        if schema is not None:
            form = {"name": "row", "strict": True, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        said = sum(len(message.content) for message in messages)
        tokens = said // CHARACTERS + self._choice.max_new_tokens
        return Request(sha256(self._url.encode() + b"\n" + data), data, tokens)

    def answer(self, requests: Sequence[Request], journal: Journal, *, progress: Progress = silent) -> list[Reply]:
        """A reply to each, in their order. Raises `ModelError`; what was answered by then is in the journal."""
        missing = [one for one in requests if one.id not in journal.replies]
        self.usage.journalled += len(requests) - len(missing)
        self._answers |= len(missing) < len(requests)
        if missing:
            asyncio.run(self._answer(missing, journal, progress))
        return [journal.replies[one.id] for one in requests]

    async def _answer(self, requests: Sequence[Request], journal: Journal, progress: Progress) -> None:
        import aiohttp

        choice, waiting = self._choice, iter(requests)
        desk = _Desk(journal, room=choice.concurrency)
        limits = _Limits(choice, largest=max(one.tokens for one in requests))
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        connector = aiohttp.TCPConnector(limit=choice.concurrency)
        timeout = aiohttp.ClientTimeout(total=choice.timeout_s)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session,
                asyncio.TaskGroup() as group,
            ):
                keeper = group.create_task(desk.keep(lambda n: self._tell(n, len(requests), progress)))
                count = min(choice.concurrency, len(requests))
                workers = [group.create_task(self._work(session, limits, waiting, desk)) for _ in range(count)]
                await asyncio.gather(*workers)
                if self._doubtful:
                    raise self._gives_up(self._doubtful[-1].detail)
                keeper.cancel()
        except* HallmarkError as problems:
            raise problems.exceptions[0] from None

    def _tell(self, kept: int, total: int, progress: Progress) -> None:
        progress(f"{self._server.id} writes {total} rows", kept / total)

    async def _work(self, session: ClientSession, limits: _Limits, waiting: Iterator[Request], desk: _Desk) -> None:
        retrying = self._retrying()
        for request in waiting:
            try:
                reply: Reply = await retrying(self._send, session, limits, request)
            except _Busy as problem:
                raise self._gives_up(f"{problem}, {self._choice.retries + 1} times") from None
            if reply.cause == REFUSED and not self._answers:
                self._doubtful.append(reply)
                if len(self._doubtful) >= REFUSALS:
                    raise self._gives_up(reply.detail)
                continue
            settled, self._doubtful = [*self._doubtful, reply], []
            for one in settled:
                await desk.put(one)

    def _retrying(self) -> AsyncRetrying:
        """Of one worker: it counts the tries of one request at a time."""
        from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

        backoff = wait_exponential_jitter(initial=FIRST_WAIT, max=self._choice.longest_wait_s, jitter=FIRST_WAIT)

        def wait(state: RetryCallState) -> float:
            problem = state.outcome.exception() if state.outcome else None
            asked = problem.after if isinstance(problem, _Busy) else 0.0
            return max(asked, backoff(state))

        return AsyncRetrying(
            stop=stop_after_attempt(self._choice.retries + 1),
            wait=wait,
            retry=retry_if_exception_type(_Busy),
            reraise=True,
        )

    async def _send(self, session: ClientSession, limits: _Limits, request: Request) -> Reply:
        import aiohttp

        await limits.admit(request.tokens)
        await self._pause()
        self.usage.sent += 1
        try:
            async with session.post(
                self._url, data=request.body, headers={"Idempotency-Key": request.id}, allow_redirects=False
            ) as response:
                data = await response.read()
                if response.status == 200:
                    return self._read(request, data)
                return self._refusal(request, response, data)
        except TimeoutError:
            self.usage.repeated += 1
            raise _Busy(f"it gave no answer within {self._choice.timeout_s:g} s") from None
        except aiohttp.ClientError as error:
            self.usage.repeated += 1
            raise _Busy(f"it is out of reach ({self._words(str(error))})") from None

    async def _pause(self) -> None:
        """Until the server's last `Retry-After` is over, for whichever request it was."""
        left = self._resume_at - asyncio.get_running_loop().time()
        if left > 0:
            await asyncio.sleep(left)

    def _read(self, request: Request, data: bytes) -> Reply:
        self._answers = True
        reply = reply_of(request.id, data)
        self.usage.prompt_tokens += reply.prompt_tokens
        self.usage.completion_tokens += reply.completion_tokens
        self.usage.models.add(reply.model)
        return reply

    def _refusal(self, request: Request, response: ClientResponse, data: bytes) -> Reply:
        """The row that was refused. Raises `_Busy` where it may be answered later, `ModelError` where none will be."""
        said = f"it answered {response.status}: {self._words(problem_of(data))}"
        if response.status in BUSY:
            after = seconds(response.headers.get("Retry-After", ""))
            if after > self._choice.longest_wait_s:
                raise self._gives_up(f"{said}, and asks to wait {after:.0f} s")
            self._resume_at = max(self._resume_at, asyncio.get_running_loop().time() + after)
            self.usage.repeated += 1
            raise _Busy(said, after)
        if response.status not in OF_THE_ROW:
            raise self._gives_up(said)
        return Reply(request.id, "", REFUSED, said)

    def _gives_up(self, problem: str) -> ModelError:
        hint = "what it has answered is kept: mend it, and the same command asks for the rest"
        return ModelError(f"the server {self._server.id} ({self._server.url}) cannot be used: {problem}; {hint}")

    def _words(self, text: str) -> str:
        """A stranger's words, short, fit for a terminal and without the key."""
        plain = text.replace(self._key, "[KEY]") if self._key else text
        return shorten(shown(" ".join(plain.split())), longest=200)


class _Desk:
    """Where workers leave their replies: what has come while the last was being written is journalled with one fsync.

    `room` is how many may lie here; a worker whose reply finds none waits.
    """

    def __init__(self, journal: Journal, *, room: int) -> None:
        self._journal = journal
        self._room = asyncio.Semaphore(room)
        self._fresh: list[Reply] = []
        self._any = asyncio.Event()

    async def put(self, reply: Reply) -> None:
        await self._room.acquire()
        self._fresh.append(reply)
        self._any.set()

    async def keep(self, tell: Callable[[int], None]) -> None:
        """Until cancelled, when it keeps what is left. `tell` hears how many are kept."""
        count, found = 0, list[Reply]()
        try:
            while True:
                await self._any.wait()
                found = self._take()
                await asyncio.to_thread(self._journal.keep, found)  # cancelled, it may have run or not
                for _ in found:
                    self._room.release()
                count += len(found)
                tell(count)
        finally:
            self._journal.keep([*found, *self._take()])

    def _take(self) -> list[Reply]:
        found, self._fresh = self._fresh, []
        self._any.clear()
        return found


class _Limits:
    """Requests and tokens a minute. Requests are spread evenly; tokens are let through in bursts of six seconds."""

    def __init__(self, choice: Served, *, largest: int) -> None:
        from aiolimiter import AsyncLimiter

        self._requests: AsyncLimiter | None = None
        self._tokens: AsyncLimiter | None = None
        if choice.requests_per_minute:
            self._requests = AsyncLimiter(1, 60 / choice.requests_per_minute)
        if choice.tokens_per_minute:
            burst = max(choice.tokens_per_minute / 10, largest)
            self._tokens = AsyncLimiter(burst, 60 * burst / choice.tokens_per_minute)

    async def admit(self, tokens: int) -> None:
        if self._requests is not None:
            await self._requests.acquire()
        if self._tokens is not None:
            await self._tokens.acquire(tokens)
