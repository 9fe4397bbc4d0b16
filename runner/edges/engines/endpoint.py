"""An OpenAI-compatible endpoint that somebody runs: it is asked, and neither started nor stopped."""

from __future__ import annotations

from pathlib import Path

from runner.edges.bases import adapter_digest, base_digest, context_of
from runner.edges.chat.client import ChatClient
from runner.edges.chat.control import post
from runner.edges.chat.key import key_of
from runner.edges.engines import shelf
from runner.edges.engines.model_server import Opened
from runner.errors import ModelError
from runner.ports import Model, Progress, Tree
from runner.records.serving import Adapters, PromptForm, ServingEndpoint
from runner.rules.evaluation.answer_key import Identity


class EndpointModelServer:
    """What answers there is known by its address and its name alone: its weights cannot be seen. `folder` is where
    adapters are put for an endpoint that loads them."""

    constrains = False

    def __init__(self, endpoint: ServingEndpoint, *, folder: Path) -> None:
        self._endpoint, self._folder = endpoint, folder
        self._loaded: set[str] = set()

    @property
    def form(self) -> PromptForm:
        return self._endpoint.prompts

    @property
    def version(self) -> str:
        return f"{self._endpoint.model} at {self._endpoint.url}"

    def identity(self, model: Model) -> Identity:
        return Identity(
            base=base_digest(model),
            adapter=adapter_digest(model),
            tokenizer="",
            template="",
            engine="openai",
            version=self.version,
            setting=f"prompts as {self.form}, adapters {self._endpoint.adapters}",
        )

    def context(self, model: Model) -> int:
        """The base's own; 0 where the endpoint puts messages into its own template, and cuts them itself."""
        return 0 if self.form is PromptForm.CHAT else context_of(model)

    def open(self, model: Model, *, one_by_one: bool = False, progress: Progress) -> Opened:
        endpoint, key = self._endpoint, key_of(self._endpoint)
        name = endpoint.model if model.adapter is None else self._adapter(model.adapter, key)
        asking = endpoint.model_copy(update={"concurrency": 1}) if one_by_one else endpoint
        return Opened(ChatClient(endpoint, asking, key=key, every=True), name)

    def mend(self, problem: str, *, progress: Progress) -> bool:
        return False

    def explain(self, problem: str) -> str:
        return problem

    def peak_memory_mib(self) -> float:
        return 0.0

    def _adapter(self, adapter: Tree, key: str) -> str:
        """What it calls the adapter, which it has afterwards. Raises `ModelError`."""
        endpoint = self._endpoint
        match endpoint.adapters:
            case Adapters.NAMED:
                return shelf.name_of(endpoint.model, adapter.digest)
            case Adapters.LOADED:
                name = shelf.name_of("adapter", adapter.digest)
                if name not in self._loaded:
                    said = {"lora_name": name, "lora_path": str(shelf.put(self._folder, "adapter", adapter))}
                    url = f"{endpoint.url.rstrip('/')}/load_lora_adapter"
                    post(url, said, key=key, what=f"the server {endpoint.id}", timeout_s=endpoint.timeout_s)
                    self._loaded.add(name)
                return name
            case Adapters.NONE:
                hint = "say under serving.endpoint.adapters how it does, or use the engine vllm or transformers"
                raise ModelError(f"the server {endpoint.id} serves no adapters: {hint}")
