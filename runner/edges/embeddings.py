"""Sentence embeddings by a model in a directory: sentence-transformers where it is installed and the directory is its
kind, else transformers with the mean of the last layer. Nothing is downloaded, and no code of the model's is run."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from runner.errors import ModelError
from runner.ports_models import Embedded
from runner.rules.canonical import digest

BATCH = 64
MAX_TOKENS = 256


class LocalEmbeddings:
    """`ports.TextEmbeddings`. A relative path counts from `home`."""

    def __init__(self, home: Path, *, threads: int = 2) -> None:
        self._home, self._threads = home, threads

    def embed(self, model: str, texts: Sequence[str]) -> Embedded:
        """A vector for each text. Raises `ModelError` where the directory is none, or holds no model."""
        root = self._home / model
        if not (root / "config.json").is_file() and not (root / "modules.json").is_file():
            raise ModelError(f"{root} holds no embedding model: name a directory with config.json and safetensors")
        own = (root / "modules.json").is_file() and importlib.util.find_spec("sentence_transformers") is not None
        vectors = self._sentence_transformers(root, texts) if own else self._mean_pooled(root, texts)
        return Embedded(vectors.astype(np.float32), files_digest(root))

    def _sentence_transformers(self, root: Path, texts: Sequence[str]) -> Any:
        library: Any = importlib.import_module("sentence_transformers")
        model = library.SentenceTransformer(str(root), device="cpu", local_files_only=True, trust_remote_code=False)
        return model.encode(list(texts), batch_size=BATCH, convert_to_numpy=True, show_progress_bar=False)

    def _mean_pooled(self, root: Path, texts: Sequence[str]) -> Any:
        """The mean over a text's tokens of the last hidden layer (Reimers and Gurevych 2019)."""
        import torch
        from transformers import AutoModel, AutoTokenizer, logging

        logging.set_verbosity_error()
        logging.disable_progress_bar()
        torch.set_num_threads(self._threads)
        try:
            tokenizer = AutoTokenizer.from_pretrained(root, trust_remote_code=False, local_files_only=True)
            network = AutoModel.from_pretrained(
                root, trust_remote_code=False, local_files_only=True, use_safetensors=True, dtype=torch.float32
            )
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(f"the embedding model {root} cannot be loaded: {error}") from error
        network.eval()
        limit = min(MAX_TOKENS, getattr(network.config, "max_position_embeddings", MAX_TOKENS))
        parts = [np.zeros((0, network.config.hidden_size), np.float32)]
        for start in range(0, len(texts), BATCH):
            batch = tokenizer(
                list(texts[start : start + BATCH]), padding=True, truncation=True, max_length=limit, return_tensors="pt"
            )
            with torch.inference_mode():
                hidden = network(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1)
            parts.append(((hidden * mask).sum(1) / mask.sum(1).clamp(min=1)).numpy())
        return np.concatenate(parts)


def files_digest(root: Path) -> str:
    """As `canonical.tree_digest`, of files that are too large to hold."""
    rows = []
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            rows.append([path.relative_to(root).as_posix(), hashlib.file_digest(file, "sha256").hexdigest()])
    return digest(sorted(rows))
