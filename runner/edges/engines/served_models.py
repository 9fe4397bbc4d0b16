"""`ports.LanguageModels` whose answers a server gives, and whose training stays with the models in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from runner.edges.chat.reply import UnansweredError
from runner.edges.engines.answering import Handed
from runner.edges.engines.model_server import ModelServer, Opened
from runner.edges.engines.prompts import Prompts, draws
from runner.edges.latency import latency
from runner.errors import ModelError
from runner.ports import Answers, Keep, LanguageModels, Latency, Model, Progress, forget, silent
from runner.records.conversation import Conversation
from runner.rules.evaluation.answer_key import Identity, Sampling


class ServedModels:
    """Answers, samples and latency are the server's. What it has answered is handed on as it comes, so that it is
    not lost where the call ends with an error."""

    def __init__(self, models: LanguageModels, server: ModelServer) -> None:
        self._models, self._server = models, server
        self.pretrain, self.fit, self.strengthen = models.pretrain, models.fit, models.strengthen
        self._prompts = Prompts(server.form)
        self._usage: Counter[str] = Counter()

    @property
    def version(self) -> str:
        return f"{self._server.version}; trained with {self._models.version}"

    @property
    def usage(self) -> Mapping[str, int]:
        return dict(self._usage)

    @property
    def import_seconds(self) -> float:
        return self._models.import_seconds

    def identity(self, model: Model) -> Identity:
        return self._server.identity(model)

    def answer(
        self,
        model: Model,
        prompts: Sequence[Conversation],
        *,
        max_new_tokens: int,
        choices: Sequence[str] = (),
        progress: Progress = silent,
        keep: Keep = forget,
        fresh: bool = False,
    ) -> Answers:
        if choices and not self._server.constrains:
            raise ModelError(f"{self._server.version} cannot hold answers to a closed set: use transformers or vllm")
        whole = max((len(one.encode()) for one in choices), default=-1) + 1  # tokens at most: a byte each, and the end
        sampling = Sampling(max(max_new_tokens, whole), choices=tuple(choices))
        return self._answers(model, prompts, [sampling] * len(prompts), progress=progress, keep=keep)

    def sample(
        self,
        model: Model,
        prompts: Sequence[Conversation],
        *,
        temperature: float,
        seed: int,
        max_new_tokens: int,
        top_p: float = 0.95,
    ) -> tuple[str, ...]:
        sampling = Sampling(max_new_tokens, temperature, top_p, seed)
        return self._answers(model, prompts, list(draws(sampling, len(prompts)))).texts

    def latency(self, model: Model, prompts: Sequence[Conversation], *, max_new_tokens: int) -> Latency:
        """As the server's client sees it, one request at a time."""
        opened = self._server.open(model, one_by_one=True, progress=silent)
        handed = self._handed(opened, model, prompts, [Sampling(max_new_tokens)] * len(prompts), forget)
        opened.client.answer(handed.missing, handed, what="measuring latency")
        self._usage.update(opened.client.usage.counts)
        return latency(opened.client.usage.seconds, peak_memory_mib=self._server.peak_memory_mib())

    def _answers(
        self,
        model: Model,
        prompts: Sequence[Conversation],
        samplings: Sequence[Sampling],
        *,
        progress: Progress = silent,
        keep: Keep = forget,
    ) -> Answers:
        """From the server, which is mended where it says that this is of use: then it is asked for the rest."""
        if not prompts:
            return Answers((), ())
        handed: Handed | None = None
        mended = False
        while True:
            try:
                opened = self._server.open(model, progress=progress)
                handed = handed or self._handed(opened, model, prompts, samplings, keep)
                try:
                    return handed.answers(opened.client, progress=progress)
                finally:
                    self._usage.update(opened.client.usage.counts)
            except UnansweredError as error:
                if mended or not self._server.mend(str(error), progress=progress):
                    raise ModelError(self._server.explain(str(error))) from error
                mended = True

    def _handed(
        self,
        opened: Opened,
        model: Model,
        prompts: Sequence[Conversation],
        samplings: Sequence[Sampling],
        keep: Keep,
    ) -> Handed:
        requests = self._prompts.requests(
            opened.client,
            model,
            prompts,
            name=opened.name,
            samplings=samplings,
            context=self._server.context(model),
        )
        return Handed(requests, keep=keep)
