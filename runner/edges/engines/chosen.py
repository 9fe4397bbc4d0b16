"""Which engine answers for a cluster, by what `serving` of its `cluster.yaml` says."""

from __future__ import annotations

from pathlib import Path

from runner.ports import LanguageModels
from runner.records.serving import Serving, VllmServer


def answering(models: LanguageModels, serving: Serving, *, root: Path, cluster: str, rank: int) -> LanguageModels:
    """`models`, whose answers come from the engine that `serving` names. Nothing is started or asked before the first
    answer is wanted. `root` is the repository's top, and `rank` that of the adapters that will be trained."""
    if serving.engine == "transformers":
        return models
    from runner.edges.engines.served_models import ServedModels  # asyncio, which nothing else here waits for

    folder = root / ".hallmark" / "engines" / cluster
    if serving.engine == "openai" and serving.endpoint is not None:
        from runner.edges.engines.endpoint import EndpointModelServer

        return ServedModels(models, EndpointModelServer(serving.endpoint, folder=folder))
    from runner.edges.engines.vllm import VllmModelServer
    from runner.edges.engines.vllm_environment import VllmEnvironment

    settings = serving.vllm or VllmServer()
    return ServedModels(models, VllmModelServer(VllmEnvironment(root), settings, folder=folder, rank=rank))
