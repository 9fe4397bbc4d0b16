"""A cluster's base from where it is: its digest, its directory, its tokenizer and its network.

Servers of other environments need the first three alone, so torch is imported for the last one only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.edges import tiny_base
from runner.errors import ModelError
from runner.ports import Model, Tree
from runner.records.cluster import HubBase, PathBase
from runner.records.conversation import Conversation
from runner.rules.canonical import digest, tree_digest
from runner.rules.evaluation.answer_key import Identity
from runner.rules.text.conversations import chat_form

SPELLING = (
    *("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "merges.txt"),
    *("added_tokens.json", "special_tokens_map.json"),
)
TEMPLATES = ("tokenizer_config.json", "chat_template.jinja", "chat_template.json")
"""What transformers reads a tokenizer from, and its chat template."""


def base_digest(model: Model) -> str:
    """What the base is, as its promotion record says it: the digest of its files; of a hub base, of its id and pin."""
    if model.weights.files:
        return model.weights.digest
    return model.base.sha256 if isinstance(model.base, PathBase) else digest(model.base)


def place_of(model: Model) -> tuple[str, dict[str, str]]:
    """Where a path or hub base is: a directory or an id, and the revision of an id. Raises `ModelError` where the
    directory does not hold what was pinned, and for a tiny base, which has no place."""
    if isinstance(model.base, HubBase):
        return model.base.id, {"revision": model.base.revision}
    if not isinstance(model.base, PathBase):
        raise ModelError("the tiny base's files are missing: run the base stage")
    root = Path(model.base.path)
    if not root.is_dir():
        raise ModelError(f"the base directory {root} does not exist")
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    if tree_digest(files) != model.base.sha256:
        raise ModelError(f"the files in {root} are not those whose digest cluster.yaml pins")
    return str(root), {}


def tokenizer_of(model: Model) -> Any:
    """The base's tokenizer with its chat template, padding on the left. Raises `ModelError`."""
    if model.weights.files:
        return _tokenizer(model.weights)
    from transformers import AutoTokenizer

    place, pin = place_of(model)
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, trust_remote_code=False, padding_side="left", **pin)
    except (OSError, ValueError) as error:
        raise ModelError(f"the tokenizer of {place} cannot be loaded: {error}") from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def context_of(model: Model) -> int:
    """How many tokens of a prompt and its answer the base takes, as its configuration says. Raises `ModelError`."""
    try:
        if model.weights.files:
            return int(json.loads(model.weights.files["config.json"])["max_position_embeddings"])
        from transformers import AutoConfig

        place, pin = place_of(model)
        return int(AutoConfig.from_pretrained(place, trust_remote_code=False, **pin).max_position_embeddings)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ModelError(f"the base's configuration does not say how much it takes: {error}") from error


def network_of(model: Model) -> Any:
    """The base's network, ready to answer: in bfloat16 on a GPU and in float32 without. A tiny base stays on the CPU.
    Raises `ModelError` where the base is not what was pinned."""
    import torch
    from transformers import AutoModelForCausalLM

    if model.weights.files:
        return _network(model.weights)
    place, pin = place_of(model)
    try:
        network = AutoModelForCausalLM.from_pretrained(
            place, trust_remote_code=False, use_safetensors=True, dtype=getattr(torch, number_type()), **pin
        )
    except (OSError, ValueError) as error:
        raise ModelError(f"the base {place} cannot be loaded: {error}") from error
    network.eval()
    return network.to("cuda") if torch.cuda.is_available() else network


def number_type() -> str:
    """What a base's numbers are in here: as on the GPU there is, or as exact as a CPU affords."""
    import torch

    return "bfloat16" if torch.cuda.is_available() else "float32"


def accelerator(model: Model) -> list[str]:
    """What besides the processor computes with this base, in which numbers: for a tiny base always the processor alone,
    which is said without importing torch."""
    if model.weights.files:
        return []
    import torch

    return [torch.cuda.get_device_name(), number_type()] if torch.cuda.is_available() else []


def tokenizer_digests(model: Model) -> tuple[str, str]:
    """Digests of the tokenizer's files and of those that may hold the chat template, had without loading either.
    Empty for a hub base, whose pin covers both."""
    files: Mapping[str, bytes] = model.weights.files
    if not files and isinstance(model.base, PathBase):
        root = Path(model.base.path)
        files = {name: (root / name).read_bytes() for name in (*SPELLING, *TEMPLATES) if (root / name).is_file()}
    if not files:
        return "", ""
    spelling, templates = ({name: files[name] for name in names if name in files} for names in (SPELLING, TEMPLATES))
    return tree_digest(spelling), tree_digest(templates)


def identity_of(model: Model, *, engine: str, version: str, setting: str) -> Identity:
    """`model` answered by an engine that is given its base and tokenizer, with nothing loaded for it."""
    tokenizer, template = tokenizer_digests(model)
    return Identity(base_digest(model), adapter_digest(model), tokenizer, template, engine, version, setting)


def adapter_digest(model: Model) -> str:
    """Of the adapter's files; empty for the base alone."""
    return model.adapter.digest if model.adapter is not None else ""


def prompt_ids(tokenizer: Any, prompts: Sequence[Conversation], *, longest: int) -> list[list[int]]:
    """The prompts as token ids, through the chat template; one of more than `longest` tokens loses its start. Raises
    `ModelError` where there is room for none."""
    if not prompts:
        return []
    if longest < 1:
        raise ModelError("answers may be as long as all that the base takes: say less under serving.max_new_tokens")
    shown = [chat_form(prompt) for prompt in prompts]
    rendered = tokenizer.apply_chat_template(shown, tokenize=False, add_generation_prompt=True)
    return [ids[-longest:] for ids in tokenizer(rendered, add_special_tokens=False)["input_ids"]]


def _tokenizer(weights: Tree) -> Any:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    try:
        said = json.loads(weights.files["tokenizer_config.json"])
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer.from_str(weights.files["tokenizer.json"].decode()),
            pad_token=said["pad_token"],
            eos_token=said["eos_token"],
            padding_side="left",
        )
        tokenizer.chat_template = said["chat_template"]
    except (KeyError, ValueError) as error:
        raise ModelError(f"the tiny base's tokenizer cannot be loaded: {error}") from error
    return tokenizer


def _network(weights: Tree) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load
    from transformers import LlamaConfig, LlamaForCausalLM

    try:
        network = LlamaForCausalLM(LlamaConfig(**json.loads(weights.files["config.json"])))
        found = network.load_state_dict(load(weights.files["model.safetensors"]), strict=False)
    except (KeyError, ValueError, SafetensorError, RuntimeError) as error:
        raise ModelError(f"the tiny base's files cannot be loaded: {error}") from error
    if found.unexpected_keys or set(found.missing_keys) - {"lm_head.weight"}:
        raise ModelError("the tiny base's weights are not those its configuration asks for")
    network.tie_weights()
    tiny_base.eager(network)
    network.eval()
    return network
