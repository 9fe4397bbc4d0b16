"""What an adapter may be: two files, a LoRA configuration that can do nothing but scale and place it, and finite
weights that fit the base. The gate, the approver and `fetch` ask this one module.

Whatever a configuration could use to run code (`auto_mapping`), to bring a module of its own (`modules_to_save`), a
tokenizer or a chat template has no place here: the lists say what is allowed, and all else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from runner.records.promotion import AdapterRecord
from runner.rules.canonical import sha256, tree_digest
from runner.rules.strict_json import strict_json
from runner.rules.trust.safetensors import Header, not_finite, read_header

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
FILES = frozenset({WEIGHTS, CONFIG})
BASE_WEIGHTS = "model.safetensors"
DTYPES = frozenset({"F32", "F16", "BF16"})
MAX_CONFIG = 64 * 1024
MAX_RANK = 4096
MAX_SHOWN = 5
_TENSOR = re.compile(r"base_model\.model\.(?P<module>[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*)\.lora_(?P<side>[AB])\.weight\Z")
_MODULE = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,31}\Z")


def _is_rank(value: Any) -> bool:
    return type(value) is int and 1 <= value <= MAX_RANK


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1e6


def _are_modules(value: Any) -> bool:
    """Names of layers. A string would be a regular expression to PEFT, or `all-linear`."""
    names = value if isinstance(value, list) else []
    return bool(names) and len(set(names)) == len(names) and all(isinstance(n, str) and _MODULE.match(n) for n in names)


SAID: Mapping[str, Callable[[Any], Any]] = {
    "base_model_name_or_path": lambda value: isinstance(value, str),
    "lora_alpha": _is_number,
    "lora_dropout": lambda value: _is_number(value) and value <= 1,
    "peft_type": lambda value: value == "LORA",
    "r": _is_rank,
    "target_modules": _are_modules,
    "task_type": lambda value: value == "CAUSAL_LM",
}
"""What a configuration must say, and what of it is taken."""

INERT: Mapping[str, tuple[Any, ...]] = {
    **dict.fromkeys(
        (
            "alora_invocation_tokens", "arrow_config", "auto_mapping", "corda_config", "eva_config", "exclude_modules",
            "kasa_config", "layer_replication", "layers_pattern", "layers_to_transform", "lora_ga_config",
            "megatron_config", "modules_to_save", "monteclora_config", "revision", "target_parameters",
            "trainable_token_indices", "velora_config",
        ),
        (None,),
    ),
    **dict.fromkeys(
        (
            "ensure_weight_tying", "fan_in_fan_out", "lora_bias", "use_bdlora", "use_dora", "use_qalora", "use_rslora",
        ),
        (False, None),
    ),
    **dict.fromkeys(("alpha_pattern", "loftq_config", "rank_pattern"), ({}, None)),
    "bias": ("none",),
    "inference_mode": (True,),
    "init_lora_weights": (True,),
    "megatron_core": ("megatron.core", None),
    "qalora_group_size": (16,),
}  # fmt: skip
"""What PEFT also writes: only at the value that does nothing."""


def adapter_problems(
    files: Mapping[str, bytes], adapter: AdapterRecord, *, base_sha256: str, base: Mapping[str, bytes] | None
) -> list[str]:
    """Why these are not the recorded adapter, or not one that may be served. Empty where nothing is wrong.

    `base` is the base's files where they are to be had (a tiny base); their digest is checked as well. Without them the
    adapter must still name the base's digest, and its tensors must fit each other and its configuration.
    """
    problems = [*_recorded(files, adapter)]
    extra = sorted(set(files) - FILES)
    problems += [f"{name} has no place in an adapter" for name in extra[:MAX_SHOWN]]
    problems += [f"{name} is missing" for name in sorted(FILES - set(files))]
    if FILES - set(files):
        return problems
    try:
        config = _config(files[CONFIG])
    except ValueError as error:
        return [*problems, f"{CONFIG}: {error}"]
    problems += [f"{CONFIG}: {problem}" for problem in _config_problems(config, base_sha256)]
    try:
        header = read_header(files[WEIGHTS])
        modules = _modules(header)
        bases = _base_shapes(base, base_sha256) if base is not None else None
    except ValueError as error:
        return [*problems, f"{WEIGHTS}: {error}"]
    found = [*_weight_problems(files[WEIGHTS], header), *_fit_problems(modules, config, bases)]
    return problems + [f"{WEIGHTS}: {problem}" for problem in found[:MAX_SHOWN]]


def _recorded(files: Mapping[str, bytes], adapter: AdapterRecord) -> Iterable[str]:
    """The files are those of the record, by name, size and sha256."""
    for name in sorted(set(files) ^ set(adapter.files)):
        yield f"{name} is {'not recorded' if name in files else 'recorded and missing'}"
    for name in sorted(set(files) & set(adapter.files)):
        stated, found = adapter.files[name], sha256(files[name])
        if found != stated.sha256:
            yield f"{name} has sha256 {found}, and {stated.sha256} is recorded"
        elif len(files[name]) != stated.size:
            yield f"{name} has {len(files[name])} bytes, and {stated.size} are recorded"
    if tree_digest(files) != adapter.sha256:
        yield f"the files together have the digest {tree_digest(files)}, and {adapter.sha256} is recorded"


def _config(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_CONFIG:
        raise ValueError(f"{len(data)} bytes, and at most {MAX_CONFIG} are taken")
    config = strict_json(data)
    if not isinstance(config, dict):
        raise ValueError("it is no JSON object")
    return config


def _config_problems(config: Mapping[str, Any], base_sha256: str) -> Iterable[str]:
    for name in sorted(SAID):
        if name not in config:
            yield f"{name} is missing"
        elif not SAID[name](config[name]):
            yield f"{name} cannot be {_shown(config[name])}"
    for name in sorted(set(config) - set(SAID)):
        value = config[name]
        if name == "peft_version":
            if not isinstance(value, str) or not _VERSION.match(value):
                yield f"{name} cannot be {_shown(value)}"
        elif name not in INERT:
            yield f"{name} is not allowed"
        elif not any(value == inert and type(value) is type(inert) for inert in INERT[name]):
            yield f"{name} cannot be {_shown(value)}"
    named = config.get("base_model_name_or_path")
    if isinstance(named, str) and named != f"sha256:{base_sha256}":
        yield f"it is for the base {_shown(named)}, and sha256:{base_sha256} is recorded"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


Shapes = Mapping[str, tuple[int, ...]]


def _modules(header: Header) -> dict[str, dict[str, tuple[int, ...]]]:
    """For each module of the base the shapes of its `A` (rank, in) and `B` (out, rank). Raises `ValueError`."""
    modules: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, tensor in header.tensors.items():
        match = _TENSOR.match(name)
        if match is None:
            raise ValueError(f"{_shown(name)} is no LoRA tensor")
        modules.setdefault(match["module"], {})[match["side"]] = tensor.shape
    return modules


def _weight_problems(data: bytes, header: Header) -> Iterable[str]:
    if dict(header.metadata) not in ({}, {"format": "pt"}):
        yield f"its metadata say {_shown(dict(header.metadata))}, and only the format is taken"
    for name, tensor in sorted(header.tensors.items()):
        if tensor.dtype not in DTYPES:
            yield f"{name} is {tensor.dtype}, and adapters are {', '.join(sorted(DTYPES))}"
    for name in not_finite(data, header):
        yield f"{name} holds NaN or infinities"


def _fit_problems(
    modules: Mapping[str, Mapping[str, tuple[int, ...]]], config: Mapping[str, Any], base: Shapes | None
) -> Iterable[str]:
    """The tensors are the two halves of one update for every target module, of the configured rank."""
    rank, named = config.get("r"), config.get("target_modules", [])
    targets = set(named) if _are_modules(named) else set()
    if not modules:
        yield "it has no tensors"
    for module, sides in sorted(modules.items()):
        a, b = sides.get("A", ()), sides.get("B", ())
        if module.rpartition(".")[2] not in targets:
            yield f"{module} is none of the target modules"
        if len(a) != 2 or len(b) != 2 or a[0] != rank or b[1] != rank:
            yield f"{module}: lora_A {list(a)} and lora_B {list(b)} are no update of rank {rank}"
        elif base is not None and base.get(module) != (b[0], a[1]):
            yield f"{module}: an update of {[b[0], a[1]]}, and the base has {list(base.get(module, ()))}"
    for target in sorted(targets - {module.rpartition(".")[2] for module in modules}):
        yield f"the target module {target} has no tensors"
    for module in sorted(base or {}):
        if module.rpartition(".")[2] in targets and module not in modules:
            yield f"{module} is a target module of the base and has no tensors"


def _base_shapes(base: Mapping[str, bytes], base_sha256: str) -> dict[str, tuple[int, ...]]:
    """The base's matrices, by module. Raises `ValueError` where the base is not the recorded one."""
    if tree_digest(base) != base_sha256:
        raise ValueError(f"the base at hand has the digest {tree_digest(base)}, and {base_sha256} is recorded")
    if BASE_WEIGHTS not in base:
        raise ValueError(f"the base has no {BASE_WEIGHTS}")
    tensors = read_header(base[BASE_WEIGHTS]).tensors
    matrices = {name: tensor.shape for name, tensor in tensors.items() if len(tensor.shape) == 2}
    return {name.removesuffix(".weight"): shape for name, shape in matrices.items() if name.endswith(".weight")}
