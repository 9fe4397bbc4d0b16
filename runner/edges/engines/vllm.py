"""A vLLM server that the runner starts, watches and stops: one for a base, with its adapters loaded by name.

- It is started when it is first asked, and stopped with the runner. It listens on this machine alone, on a port and
  with a key of its own, since whoever may load an adapter may read files.
- An adapter is put on the disk under its digest and loaded by `/v1/load_lora_adapter` (vLLM's documentation, "LoRA
  Adapters: Dynamically serving", asks for VLLM_ALLOW_RUNTIME_LORA_UPDATING). One of a higher rank than the server
  was started for starts it anew.
- Where it has died, hangs, or answers garbage it is started anew, once for a call.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
from pathlib import Path

from runner.edges.bases import base_digest, context_of, identity_of, place_of
from runner.edges.chat.client import ChatClient
from runner.edges.chat.control import post
from runner.edges.engines import shelf
from runner.edges.engines.model_server import Opened
from runner.edges.engines.process import ServerProcess, peak_memory_mib
from runner.edges.engines.vllm_environment import VllmEnvironment
from runner.edges.machine import processor
from runner.errors import ModelError
from runner.ports import Model, Progress, Tree
from runner.records.cluster import HubBase
from runner.records.endpoint import Asking, Endpoint
from runner.records.serving import PromptForm, VllmServer
from runner.rules.evaluation.answer_key import Identity

BASE = "base"
"""What the server calls the base."""
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The ranks that vLLM can be started for."""
RETRIES = 1
"""It stands on this machine: one that does not answer twice is mended, not waited for."""
LONGEST_WAIT_S = 5.0
KEPT_BACK = re.compile(r"^PYTHON|KEY|TOKEN|SECRET|PASS|CREDENTIAL")
KV_CACHE_GIB = "1"
"""On a CPU, unless VLLM_CPU_KVCACHE_SPACE says something else."""


class VllmModelServer:
    """`folder` is where bases and adapters are put for it, and its log; nothing else uses it. `rank` is that of the
    adapters to come, as far as is known."""

    form = PromptForm.TOKENS
    constrains = True

    def __init__(self, environment: VllmEnvironment, settings: VllmServer, *, folder: Path, rank: int) -> None:
        self._environment, self._settings, self._folder = environment, settings, folder
        self._rank = enough(rank)
        self._key = secrets.token_urlsafe(24)
        self._port = 0
        self._process: ServerProcess | None = None
        self._base = ""
        self._adapters: set[str] = set()

    @property
    def version(self) -> str:
        installed = self._environment.installed
        return f"{installed.version}, {installed.number_type}"

    def identity(self, model: Model) -> Identity:
        installed = self._environment.installed
        return identity_of(
            model,
            engine="vllm",
            version=installed.version,
            setting=f"{installed.number_type}, context {self.context(model)}, "
            f"{self._environment.devices or processor()}",
        )

    def context(self, model: Model) -> int:
        most = context_of(model)
        return min(most, self._settings.context or most)

    def open(self, model: Model, *, one_by_one: bool = False, progress: Progress) -> Opened:
        rank = adapter_rank(model.adapter) if model.adapter is not None else 0
        if not self._runs(model) or rank > self._rank:
            self._rank = max(self._rank, enough(rank))
            self._start(model, progress=progress)
        name = self._load(model.adapter) if model.adapter is not None else BASE
        settings = self._settings
        asking = Asking(
            concurrency=1 if one_by_one else settings.concurrency,
            timeout_s=settings.timeout_s,
            retries=RETRIES,
            longest_wait_s=LONGEST_WAIT_S,
        )
        server = Endpoint(id="vllm", url=f"{self._address}/v1", model=BASE)
        return Opened(ChatClient(server, asking, key=self._key, every=True, gone=self._gone), name)

    def mend(self, problem: str, *, progress: Progress) -> bool:
        progress(f"starting the vLLM server again: {problem}", 0.0)
        self.stop()
        return True

    def explain(self, problem: str) -> str:
        return self._process.said(problem) if self._process is not None else problem

    def peak_memory_mib(self) -> float:
        return peak_memory_mib(self._process.group) if self._process is not None else 0.0

    def stop(self) -> None:
        """The server, if it runs. What asks next starts it anew."""
        if self._process is not None:
            self._process.stop()
        self._process, self._adapters = None, set()

    @property
    def _address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def _gone(self) -> str:
        return "" if self._process is not None and self._process.alive else "it has died"

    def _runs(self, model: Model) -> bool:
        return self._process is not None and self._process.alive and self._base == base_digest(model)

    def _start(self, model: Model, *, progress: Progress) -> None:
        self.stop()
        self._port = free_port()
        process = ServerProcess(
            self._command(model),
            environment=self._variables(model),
            log=self._folder / f"server-{os.getpid()}.log",
            health=f"{self._address}/health",
        )
        process.wait_until_well(limit_s=self._settings.start_s, what="the vLLM server", progress=progress)
        self._process, self._base = process, base_digest(model)

    def _command(self, model: Model) -> list[str]:
        installed = self._environment.installed
        command = [str(self._environment.python), "-m", "vllm.entrypoints.openai.api_server"]
        command += ["--host", "127.0.0.1", "--port", str(self._port), "--served-model-name", BASE]
        command += ["--model", *self._place(model), "--load-format", "safetensors", "--seed", "0"]
        command += ["--dtype", installed.number_type, "--max-model-len", str(self.context(model))]
        command += ["--enable-lora", "--max-loras", "1", "--max-lora-rank", str(self._rank)]
        command += ["--no-enable-log-requests", "--disable-uvicorn-access-log"]
        if installed.on_cpu:
            return [*command, "--enforce-eager"]
        return [*command, "--gpu-memory-utilization", str(self._settings.memory)]

    def _place(self, model: Model) -> list[str]:
        """The base's directory, or its id on the hub and the pinned commit."""
        if model.weights.files:
            return [str(shelf.put(self._folder, "base", model.weights))]
        place, pin = place_of(model)
        revision = pin.get("revision")
        return [place, "--revision", revision, "--tokenizer-revision", revision] if revision else [place]

    def _variables(self, model: Model) -> dict[str, str]:
        """The runner's, but for its Python's and for secrets that are none of the server's."""
        hub = isinstance(model.base, HubBase)
        kept = {name: value for name, value in os.environ.items() if not KEPT_BACK.search(name)}
        token = {"HF_TOKEN": os.environ["HF_TOKEN"]} if hub and "HF_TOKEN" in os.environ else {}
        return {
            "VLLM_CPU_KVCACHE_SPACE": KV_CACHE_GIB,
            **kept,
            **token,
            "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
            "VLLM_API_KEY": self._key,
            "VLLM_DO_NOT_TRACK": "1",
            "VLLM_NO_USAGE_STATS": "1",
            **({} if hub else {"HF_HUB_OFFLINE": "1"}),
        }

    def _load(self, adapter: Tree) -> str:
        """What the server calls the adapter, which it has afterwards."""
        name = shelf.name_of("adapter", adapter.digest)
        if name not in self._adapters:
            said = {"lora_name": name, "lora_path": str(shelf.put(self._folder, "adapter", adapter))}
            url, limit = f"{self._address}/v1/load_lora_adapter", self._settings.timeout_s
            post(url, said, key=self._key, what="the vLLM server", timeout_s=limit)
            self._adapters.add(name)
        return name


def enough(rank: int) -> int:
    """The least rank that vLLM can be started for and that takes adapters of `rank`. Raises `ModelError` for none."""
    found = next((one for one in RANKS if one >= rank), None)
    if found is None:
        raise ModelError(f"vLLM serves adapters of rank {RANKS[-1]} at most, and this one has {rank}")
    return found


def adapter_rank(adapter: Tree) -> int:
    """As its configuration says, with the modules that have one of their own. Raises `ModelError`."""
    try:
        said = json.loads(adapter.files["adapter_config.json"])
        return max(int(said["r"]), *map(int, (said.get("rank_pattern") or {}).values()), 0)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"not a LoRA adapter: {error}") from error


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])
