"""An OpenAI-compatible server, asked for many answers at once: by the generators, the judges and the engines.

- A request's id is the sha256 of its address and its bytes: model, messages, sampling, seed and schema.
- A reply is kept as soon as it has come, and a request whose reply is kept is not sent. At most as many replies as
  requests may be under way wait for the disk: so many of each a kill may repeat, and it loses none.
- A server that is busy (429), failing (5xx) or out of reach is asked again, after what it asks for (`Retry-After`) or
  twice as long as before, with jitter. One that goes on so, or that refuses the key or the address, ends it with a
  `ModelError`; the same command then takes up what is missing.
- One that refuses a single request (400, 413, 422) has refused that one, but not where it has answered none: then
  nothing of that is kept, and it ends with a `ModelError` too.
- Where `every` request must be answered, one refusal ends it, and so does one that is answered with no completion as
  often as one may be sent.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from runner.edges.chat.desk import Desk, Keeper
from runner.edges.chat.limits import Limits
from runner.edges.chat.reply import REFUSED, UNREADABLE, Reply, UnansweredError, bytes_of, problem_of, reply_of, seconds
from runner.errors import HallmarkError, ModelError
from runner.ports import Progress, silent
from runner.records.conversation import Conversation
from runner.records.endpoint import Asking, Endpoint
from runner.rules.canonical import sha256
from runner.rules.evaluation.answer_key import Sampling as Sampling
from runner.rules.text.conversations import chat_form
from runner.rules.text.shown import shorten, shown

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession
    from tenacity import AsyncRetrying, RetryCallState

BUSY = frozenset({408, 409, 425, 429, *range(500, 600)})
OF_THE_REQUEST = frozenset({400, 413, 422})
REFUSALS = 8
"""Requests refused one by one, before any is answered, after which the server is taken to refuse them all."""
CHARACTERS = 4
"""Of a prompt, to a token: an estimate for the limit of tokens a minute."""
FIRST_WAIT = 0.5
CHAT, COMPLETIONS = "chat/completions", "completions"
"""What a server is asked for, below its address."""


class Request(NamedTuple):
    id: str
    body: bytes
    tokens: int
    """Of prompt and answer together, at most, as estimated."""
    path: str = CHAT


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
    seconds: list[float] = field(default_factory=list)
    """Of each answer, from when it was sent for to when it had come."""

    @property
    def counts(self) -> dict[str, int]:
        """What it cost, for a phase's `measured`."""
        return {
            "requests": self.sent,
            "sent_again": self.repeated,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
        }


def nothing() -> str:
    """Of a server that nobody watches: no reason not to ask it again."""
    return ""


class ChatClient:
    """One server, and how hard it may be asked. `key` goes into a header and into no message."""

    def __init__(
        self,
        server: Endpoint,
        asking: Asking,
        *,
        key: str,
        every: bool = False,
        gone: Callable[[], str] = nothing,
    ) -> None:
        """`gone` says why it is of no use to ask again, where that is known: then nothing is."""
        self._server, self._asking, self._key = server, asking, key
        self._every, self._gone = every, gone
        self._url = server.url.rstrip("/")
        self._resume_at = 0.0
        self._answers = False
        self._doubtful: list[Reply] = []
        self.usage = Usage()

    def request(
        self, messages: Conversation, *, sampling: Sampling, schema: Mapping[str, Any] | None = None, model: str = ""
    ) -> Request:
        """The request for one answer; with `schema` the answer is asked for as JSON of that form. `model` is the
        server's where none is given."""
        more: dict[str, Any] = {}
        if schema is not None:
            form = {"name": "row", "strict": True, "schema": schema}
            more["response_format"] = {"type": "json_schema", "json_schema": form}
        tokens = sum(len(message.content) for message in messages) // CHARACTERS
        prompt = {"messages": chat_form(messages)}
        return self._request(CHAT, prompt, more, sampling=sampling, tokens=tokens, model=model)

    def completion(self, prompt: str | Sequence[int], *, sampling: Sampling, model: str = "") -> Request:
        """The request to go on after `prompt`: a text, or the ids of its tokens. Choices are said in vLLM's way."""
        tokens = len(prompt) // CHARACTERS if isinstance(prompt, str) else len(prompt)
        more = {"structured_outputs": {"choice": list(sampling.choices)}} if sampling.choices else {}
        return self._request(COMPLETIONS, {"prompt": prompt}, more, sampling=sampling, tokens=tokens, model=model)

    def _request(
        self,
        path: str,
        prompt: Mapping[str, Any],
        more: Mapping[str, Any],
        *,
        sampling: Sampling,
        tokens: int,
        model: str,
    ) -> Request:
        body = {
            "model": model or self._server.model,
            **prompt,
            "max_tokens": sampling.max_new_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            **({} if sampling.seed is None else {"seed": sampling.seed}),
            **more,
        }
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        name = sha256(f"{self._url}/{path}".encode() + b"\n" + data)
        return Request(name, data, tokens + sampling.max_new_tokens, path)

    def answer(
        self, requests: Sequence[Request], keeper: Keeper, *, what: str, progress: Progress = silent
    ) -> list[Reply]:
        """A reply to each, in their order; `what` is what the progress display says. Raises `ModelError`; what was
        answered by then is with the keeper."""
        missing = [one for one in requests if one.id not in keeper.replies]
        self.usage.journalled += len(requests) - len(missing)
        self._answers |= len(missing) < len(requests)
        if missing:
            asyncio.run(self._answer(missing, keeper, lambda kept: progress(what, kept / len(missing))))
        return [keeper.replies[one.id] for one in requests]

    async def _answer(self, requests: Sequence[Request], keeper: Keeper, tell: Callable[[int], None]) -> None:
        import aiohttp

        asking, waiting = self._asking, iter(requests)
        desk = Desk(keeper, room=asking.concurrency)
        limits = Limits(asking, largest=max(one.tokens for one in requests))
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        connector = aiohttp.TCPConnector(limit=asking.concurrency)
        timeout = aiohttp.ClientTimeout(total=asking.timeout_s)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session,
                asyncio.TaskGroup() as group,
            ):
                keeping = group.create_task(desk.keep(tell))
                count = min(asking.concurrency, len(requests))
                workers = [group.create_task(self._work(session, limits, waiting, desk)) for _ in range(count)]
                await asyncio.gather(*workers)
                if self._doubtful:
                    raise self._gives_up(self._doubtful[-1].detail)
                keeping.cancel()
        except* HallmarkError as problems:
            raise problems.exceptions[0] from None

    async def _work(self, session: ClientSession, limits: Limits, waiting: Iterator[Request], desk: Desk) -> None:
        retrying = self._retrying()
        for request in waiting:
            try:
                reply: Reply = await retrying(self._send, session, limits, request)
            except _Busy as problem:
                times = f"{self._asking.retries + 1} times"
                raise self._gives_up(f"{problem}, {times}", kind=UnansweredError) from None
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

        backoff = wait_exponential_jitter(initial=FIRST_WAIT, max=self._asking.longest_wait_s, jitter=FIRST_WAIT)

        def wait(state: RetryCallState) -> float:
            problem = state.outcome.exception() if state.outcome else None
            asked = problem.after if isinstance(problem, _Busy) else 0.0
            return max(asked, backoff(state))

        return AsyncRetrying(
            stop=stop_after_attempt(self._asking.retries + 1),
            wait=wait,
            retry=retry_if_exception_type(_Busy),
            reraise=True,
        )

    async def _send(self, session: ClientSession, limits: Limits, request: Request) -> Reply:
        import aiohttp

        await limits.admit(request.tokens)
        await self._pause()
        self.usage.sent += 1
        url, named = f"{self._url}/{request.path}", {"Idempotency-Key": request.id}
        started = time.perf_counter()
        try:
            async with session.post(url, data=request.body, headers=named, allow_redirects=False) as response:
                data = await bytes_of(response)
                if response.status == 200:
                    return self._read(request, data, taken=time.perf_counter() - started)
                return self._refusal(request, response, data)
        except TimeoutError:
            raise self._again(f"it gave no answer within {self._asking.timeout_s:g} s") from None
        except aiohttp.ClientError as error:
            raise self._again(f"it is out of reach ({self._words(str(error))})") from None

    def _again(self, problem: str, *, after: float = 0.0) -> Exception:
        """What says that a request is to be sent again, or that it is of no use to."""
        if gone := self._gone():
            return self._gives_up(gone, kind=UnansweredError)
        self.usage.repeated += 1
        return _Busy(problem, after)

    async def _pause(self) -> None:
        """Until the server's last `Retry-After` is over, for whichever request it was."""
        left = self._resume_at - asyncio.get_running_loop().time()
        if left > 0:
            await asyncio.sleep(left)

    def _read(self, request: Request, data: bytes, *, taken: float) -> Reply:
        reply = reply_of(request.id, data)
        if self._every and reply.cause == UNREADABLE:
            raise self._again(
                f"it answered what is no completion ({self._words(reply.detail)}): {self._words(reply.text)}"
            )
        self.usage.prompt_tokens += reply.prompt_tokens
        self.usage.completion_tokens += reply.completion_tokens
        self.usage.models.add(reply.model)
        self.usage.seconds.append(taken)
        self._answers = True
        return reply

    def _refusal(self, request: Request, response: ClientResponse, data: bytes) -> Reply:
        """The request that was refused. Raises `_Busy` where it may be answered later, `ModelError` where not."""
        said = f"it answered {response.status}: {self._words(problem_of(data))}"
        if response.status in BUSY:
            after = seconds(response.headers.get("Retry-After", ""))
            if after > self._asking.longest_wait_s:
                raise self._gives_up(f"{said}, and asks to wait {after:.0f} s")
            self._resume_at = max(self._resume_at, asyncio.get_running_loop().time() + after)
            raise self._again(said, after=after)
        if self._every or response.status not in OF_THE_REQUEST:
            raise self._gives_up(said)
        return Reply(request.id, "", REFUSED, said)

    def _gives_up(self, problem: str, *, kind: type[ModelError] = ModelError) -> ModelError:
        hint = "what it has answered is kept: mend it, and the same command asks for the rest"
        return kind(f"the server {self._server.id} ({self._server.url}) cannot be used: {problem}; {hint}")

    def _words(self, text: str) -> str:
        """A stranger's words, short, fit for a terminal and without the key."""
        plain = text.replace(self._key, "[KEY]") if self._key else text
        return shorten(shown(" ".join(plain.split())), longest=200)
