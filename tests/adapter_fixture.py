"""LoRA adapters and the base under them as bytes, made by hand: what is right, and a hand to make it wrong with."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from runner.rules.canonical import sha256

MODULES = {"model.layers.0.self_attn.q_proj": (6, 4), "model.layers.0.mlp.up_proj": (8, 4)}
"""Module to (out, in)."""
RANK = 2
SIZES = {"F32": 4, "F16": 2, "BF16": 2, "F64": 8, "U8": 1}


def pack(tensors: Mapping[str, tuple[str, tuple[int, ...], bytes]], **changes: Any) -> bytes:
    """A safetensors file. `header` changes the header's text, `behind` adds bytes after the tensors."""
    said: dict[str, Any] = {"__metadata__": changes.get("metadata", {"format": "pt"})}
    at, body = 0, b""
    for name, (dtype, shape, data) in tensors.items():
        said[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + len(data)]}
        at, body = at + len(data), body + data
    text = str(changes.get("header", str)(json.dumps(said))).encode()
    return len(text).to_bytes(8, "little") + text + body + bytes(changes.get("behind", b""))


def floats(seed: str, *shape: int, dtype: str = "F32") -> tuple[str, tuple[int, ...], bytes]:
    """A small finite tensor that follows from `seed`."""
    random = np.random.default_rng(int(sha256(seed.encode())[:8], 16))
    return dtype, shape, random.standard_normal(math.prod(shape)).astype("<f4").tobytes()


def tensors(seed: str = "") -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    found = {}
    for module, (out, inner) in MODULES.items():
        found[f"base_model.model.{module}.lora_A.weight"] = floats(f"{seed} {module} A", RANK, inner)
        found[f"base_model.model.{module}.lora_B.weight"] = floats(f"{seed} {module} B", out, RANK)
    return found


def config(base: str = "d" * 64, **changes: Any) -> dict[str, Any]:
    """As PEFT writes it, cut to what matters; a change to `...` leaves a key out."""
    said = {
        "auto_mapping": None,
        "base_model_name_or_path": f"sha256:{base}",
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "lora_alpha": 4,
        "lora_dropout": 0.0,
        "modules_to_save": None,
        "peft_type": "LORA",
        "peft_version": "0.21.2",
        "r": RANK,
        "rank_pattern": {},
        "target_modules": ["q_proj", "up_proj"],
        "task_type": "CAUSAL_LM",
        "use_dora": False,
        **changes,
    }
    return {key: value for key, value in said.items() if value is not ...}


def adapter_files(seed: str = "", *, base: str = "d" * 64) -> dict[str, bytes]:
    """An adapter that may be served; another `seed` is another adapter."""
    text = json.dumps(config(base), indent=1, sort_keys=True).encode()
    return {"adapter_model.safetensors": pack(tensors(seed)), "adapter_config.json": text}


def base_files() -> dict[str, bytes]:
    """The base that such an adapter fits."""
    weights = {f"{module}.weight": floats(module, *shape) for module, shape in MODULES.items()}
    weights["model.norm.weight"] = floats("norm", 4)
    return {"config.json": b"{}\n", "model.safetensors": pack(weights), "tokenizer.json": b"{}\n"}
