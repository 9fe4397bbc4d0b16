"""Models that servers are asked for: a base with a tokenizer and no weights, an adapter, and conversations."""

from __future__ import annotations

import functools
import json

from runner.edges.tiny_base import CHAT_TEMPLATE, END, PAD, make_tokenizer
from runner.ports import Model, Tree
from runner.records.cluster import TinyBase
from runner.records.conversation import Conversation, Message, Role

CONTEXT = 64


@functools.cache
def base(context: int = CONTEXT) -> Model:
    texts = ["where is my card", "the card does not work at the till"]
    tokenizer = make_tokenizer(texts, vocabulary=300)
    said = {"pad_token": PAD, "eos_token": END, "chat_template": CHAT_TEMPLATE}
    files = {
        "tokenizer.json": tokenizer.backend_tokenizer.to_str().encode(),
        "tokenizer_config.json": json.dumps(said).encode(),
        "config.json": json.dumps({"max_position_embeddings": context}).encode(),
    }
    return Model(TinyBase(kind="tiny"), Tree(files))


def adapted(rank: int = 8, *, context: int = CONTEXT) -> Model:
    config = json.dumps({"r": rank, "rank_pattern": {}}).encode()
    plain = base(context)
    return Model(plain.base, plain.weights, Tree({"adapter_config.json": config, "adapter_model.safetensors": b"-"}))


def prompts(count: int) -> list[Conversation]:
    return [(Message(role=Role.USER, content=f"where is card {number}"),) for number in range(count)]
