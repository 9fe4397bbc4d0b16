"""Rows from an OpenAI-compatible server that the cluster names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.edges.chat.client import ChatClient, Sampling
from runner.edges.chat.journal import Journal
from runner.edges.chat.key import key_of
from runner.errors import ModelError
from runner.ports import GenerationTask, Progress, silent
from runner.records.dataset import Channel, Generator
from runner.records.generation import Served, Server
from runner.rules.canonical import digest
from runner.rules.data.generation import Draft, Numbering
from runner.rules.data.prompts import Prompter, template_digest


class ServedWriter:
    """A prompted model behind a server. Its replies are kept in a journal below `journals`, one for each task."""

    channel = Channel.LLM
    checked = True

    def __init__(self, task: GenerationTask, choice: Served, *, journals: Path) -> None:
        self._task, self._choice, self._server = task, choice, _server(task, choice)
        self._chat = ChatClient(self._server, choice, key=key_of(self._server))
        self._prompter = Prompter(
            task.aims,
            title=task.title,
            choice=choice,
            sources=self._server.sends,
            redacted=True,
            seed=task.seed,
        )
        self._numbers = Numbering()
        self._journal = (
            journals / f"{self._server.id}-{digest([self.made_by.sha256, self._prompter.digest])[:16]}.jsonl"
        )

    @property
    def made_by(self) -> Generator:
        """The server and its model by name, for its weights cannot be seen, and the prompts' wording by digest."""
        server, choice = self._server, self._choice
        what = [
            server.url,
            server.model,
            template_digest(),
            self._task.temperature,
            choice.top_p,
            choice.max_new_tokens,
        ]
        shown = [choice.examples, choice.failures, choice.output, sorted(server.sends)]
        return Generator(name=f"server-{server.id}", version=server.model, sha256=digest([what, shown]))

    def parameters(self, capability: str) -> dict[str, str | int | float | bool]:
        choice = self._choice
        return {
            "model": self._server.model,
            "template": template_digest(),
            "shows": ", ".join(sorted(self._server.sends)),
            "examples": choice.examples,
            "failures": choice.failures,
            "output": choice.output.value,
            "temperature": self._task.temperature,
            "top_p": choice.top_p,
            "attempts": self._task.attempts,
            "tokens": choice.max_new_tokens,
        }

    def write(self, wanted: Mapping[str, int], *, turn: int, progress: Progress = silent) -> Sequence[Draft]:
        prompts = [self._prompter.prompt(name, number) for name, number in self._numbers.of(wanted)]
        schemas = {name: self._prompter.schema(name) for name in wanted}
        requests = [
            self._chat.request(
                one.messages,
                sampling=Sampling(self._choice.max_new_tokens, self._task.temperature, self._choice.top_p, one.seed),
                schema=schemas[one.capability],
            )
            for one in prompts
        ]
        with Journal(self._journal) as journal:
            what = f"{self._server.id} writes {len(requests)} rows"
            replies = self._chat.answer(requests, journal, what=what, progress=progress)
        return [
            self._prompter.draft(prompt, reply.text, reply.cause, reply.detail, request=reply.id)
            for prompt, reply in zip(prompts, replies, strict=True)
        ]

    @property
    def measured(self) -> dict[str, Any]:
        usage = self._chat.usage
        return {
            **usage.counts,
            "from_journal": usage.journalled,
            "models": sorted(usage.models - {""}),
        }


def _server(task: GenerationTask, choice: Served) -> Server:
    found = next((server for server in task.servers if server.id == choice.server), None)
    if found is None:
        raise ModelError(f"cluster.yaml names no server {choice.server} under generation.servers")
    return found
