"""What an adapter may be, one wrong thing at a time; what the libraries themselves take is said where it matters."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.promotion.propose import adapter_record
from runner.rules.canonical import tree_digest
from runner.rules.trust.adapter import adapter_problems
from runner.rules.trust.safetensors import not_finite, read_header
from tests.adapter_fixture import adapter_files, base_files, config, pack, tensors

BASE = base_files()
DIGEST = tree_digest(BASE)
A = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
B = "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight"
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


def problems(files: dict[str, bytes], *, base: dict[str, bytes] | None = BASE, digest: str = DIGEST) -> list[str]:
    return adapter_problems(files, adapter_record(files), base_sha256=digest, base=base)


def with_weights(data: bytes) -> dict[str, bytes]:
    return {**adapter_files(base=DIGEST), WEIGHTS: data}


def with_config(**changes: Any) -> dict[str, bytes]:
    return {**adapter_files(base=DIGEST), CONFIG: json.dumps(config(DIGEST, **changes)).encode()}


def test_a_right_adapter_has_no_problems() -> None:
    assert problems(adapter_files(base=DIGEST)) == []
    assert problems(adapter_files(base=DIGEST), base=None) == []


def test_the_safetensors_library_reads_the_same() -> None:
    numpy = pytest.importorskip("safetensors.numpy")
    data = adapter_files()[WEIGHTS]
    header = read_header(data)
    loaded = numpy.load(data)
    assert {name: tensor.shape for name, tensor in header.tensors.items()} == {n: v.shape for n, v in loaded.items()}
    assert read_header(numpy.save(loaded)).tensors.keys() == loaded.keys()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("pytorch_model.bin", b"\x80\x02"),
        ("adapter_model.bin", b"\x80\x02"),
        ("tokenizer.json", b"{}"),
        ("chat_template.jinja", b"{{ x }}"),
        ("tokenizer_config.json", b'{"auto_map": {}}'),
        ("modeling_llama.py", b"import os"),
        ("README.md", b""),
    ],
)
def test_nothing_but_the_two_files_has_a_place(name: str, data: bytes) -> None:
    assert problems({**adapter_files(base=DIGEST), name: data}) == [f"{name} has no place in an adapter"]


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG])
def test_both_files_are_needed(name: str) -> None:
    files = adapter_files(base=DIGEST)
    del files[name]
    assert problems(files) == [f"{name} is missing"]


def test_other_files_than_the_recorded_are_named_with_both_digests() -> None:
    files = adapter_files(base=DIGEST)
    found = adapter_problems({**files, CONFIG: b"{}"}, adapter_record(files), base_sha256=DIGEST, base=None)
    assert "adapter_config.json has sha256 44136fa3" in found[0]
    assert "is recorded" in found[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"auto_mapping": {"base_model_class": "os.system"}}, "auto_mapping cannot be"),
        ({"auto_map": {"AutoModel": "x.Y"}}, "auto_map is not allowed"),
        ({"chat_template": "{{ x }}"}, "chat_template is not allowed"),
        ({"custom": 1}, "custom is not allowed"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save cannot be"),
        ({"trainable_token_indices": [1]}, "trainable_token_indices cannot be"),
        ({"layer_replication": [[0, 4]]}, "layer_replication cannot be"),
        ({"use_dora": True}, "use_dora cannot be"),
        ({"use_dora": 0}, "use_dora cannot be"),
        ({"bias": "all"}, "bias cannot be"),
        ({"rank_pattern": {"q_proj": 9}}, "rank_pattern cannot be"),
        ({"peft_type": "IA3"}, "peft_type cannot be"),
        ({"task_type": "SEQ_CLS"}, "task_type cannot be"),
        ({"target_modules": "all-linear"}, "target_modules cannot be"),
        ({"target_modules": ".*"}, "target_modules cannot be"),
        ({"target_modules": ["q_proj", "../x"]}, "target_modules cannot be"),
        ({"target_modules": ["q_proj", "q_proj"]}, "target_modules cannot be"),
        ({"r": True}, "r cannot be"),
        ({"r": 0}, "r cannot be"),
        ({"r": 10**9}, "r cannot be"),
        ({"lora_alpha": -1}, "lora_alpha cannot be"),
        ({"lora_alpha": "4"}, "lora_alpha cannot be"),
        ({"lora_dropout": 2}, "lora_dropout cannot be"),
        ({"peft_version": "0.21\nx"}, "peft_version cannot be"),
        ({"base_model_name_or_path": "evil/base"}, "it is for the base 'evil/base'"),
        ({"base_model_name_or_path": ...}, "base_model_name_or_path is missing"),
        ({"r": ...}, "r is missing"),
    ],
)
def test_a_configuration_can_only_scale_and_place(changes: dict[str, Any], said: str) -> None:
    assert any(problem.startswith(f"{CONFIG}: {said}") for problem in problems(with_config(**changes)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"r": 2, "r": 4}', "names 'r' twice"),
        (b'{"lora_alpha": NaN}', "NaN is no JSON"),
        (b'{"lora_alpha": Infinity}', "Infinity is no JSON"),
        (b"[" * 50_000, "nested too deeply"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[]", "no JSON object"),
        (b" " * 70_000 + b"{}", "bytes, and at most"),
        (b"", "Expecting value"),
    ],
)
def test_a_configuration_is_strict_json(text: bytes, said: str) -> None:
    assert said in problems({**adapter_files(base=DIGEST), CONFIG: text})[0]


def replaced(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return change


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "does not fit"),
        (b"\x00" * 7, "does not fit"),
        ((2**63).to_bytes(8, "little") + b"{}", "does not fit"),
        ((1000).to_bytes(8, "little") + b"{}", "does not fit"),
        ((4).to_bytes(8, "little") + b"\x80\x02}.", "no JSON object"),
        ((2).to_bytes(8, "little") + b"{}", "no tensors"),
        ((4).to_bytes(8, "little") + b"{\xff\xff}", "not UTF-8"),
        (pack(tensors(), behind=b"\x80\x04pickle"), "the tensors end at byte"),
        (pack(tensors())[:-1], "the tensors end at byte"),
        (pack(tensors(), metadata={"format": "pt", "run": "x"}), "only the format is taken"),
        (pack(tensors(), metadata={"format": 1}), "no object of strings"),
        (pack(tensors(), header=replaced('"dtype"', '"Dtype"')), "exactly dtype"),
        (pack(tensors(), header=replaced('"F32"', '"F99"')), "no element type"),
        (pack(tensors(), header=replaced("[2, 4]", "[2, -4]")), "no short list of whole numbers"),
        (pack(tensors(), header=replaced("[2, 4]", "[2, 4.0]")), "no short list of whole numbers"),
        (pack(tensors(), header=replaced("[2, 4]", "[true, 8]")), "no short list of whole numbers"),
        (pack(tensors(), header=replaced("[2, 4]", "[2, 5]")), "are not F32 in the shape"),
        (pack(tensors(), header=replaced("[2, 4]", "[4294967296, 4294967296, 4294967296]")), "are not F32"),
        (pack(tensors(), header=replaced("[0, 32]", "[0, 32, 64]")), "not a begin and an end"),
        (pack(tensors(), header=replaced("[0, 32]", "[32, 0]")), "are not F32"),
        (pack(tensors(), header=replaced("[0, 32]", "[-32, 0]")), "not a begin and an end"),
        (pack(tensors(), header=replaced("[32, 80]", "[0, 48]")), "overlaps"),
        (pack(tensors(), header=replaced("[0, 32]", "[9999, 10031]")), "leaves a gap"),
    ],
)
def test_a_header_that_does_not_hold_is_refused(data: bytes, said: str) -> None:
    assert any(said in problem for problem in problems(with_weights(data))), problems(with_weights(data))


def test_a_tensor_named_twice_is_refused_which_the_library_takes() -> None:
    again = f'{{"{A}": {{"dtype": "F32", "shape": [2, 4], "data_offsets": [0, 32]}}, "__metadata__"'
    data = pack(tensors(), header=replaced('{"__metadata__"', again))
    assert f"names '{A}' twice" in problems(with_weights(data))[0]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
def test_what_is_not_finite_is_refused(value: float, dtype: str) -> None:
    values = np.array([0.5, value, -1.0, 2.0] * 2, "<f4")
    raw = {"F32": values.tobytes(), "F16": values.astype("<f2").tobytes()}
    raw["BF16"] = (values.view("<u4") >> 16).astype("<u2").tobytes()
    data = pack({**tensors(), A: (dtype, (2, 4), raw[dtype])})
    assert problems(with_weights(data)) == [f"{WEIGHTS}: {A} holds NaN or infinities"]


def test_large_tensors_are_looked_at_to_their_end() -> None:
    values = np.zeros(3_000_000, "<f4")
    data = pack({"x": ("F32", values.shape, values.tobytes())})
    assert not_finite(data, read_header(data)) == []
    values[-1] = np.nan
    data = pack({"x": ("F32", values.shape, values.tobytes())})
    assert not_finite(data, read_header(data)) == ["x"]


def changed(**tensor: Any) -> dict[str, bytes]:
    """The right adapter with tensors put in, or taken out (None)."""
    every = {**tensors(), **{name.replace("__", "."): value for name, value in tensor.items()}}
    return with_weights(pack({name: value for name, value in every.items() if value is not None}))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (changed(**{A: None}), "are no update of rank 2"),
        (changed(**{A: ("F32", (3, 4), bytes(48))}), "are no update of rank 2"),
        (changed(**{B: ("F32", (7, 2), bytes(56))}), "an update of [7, 4], and the base has [6, 4]"),
        (changed(**{A: None, B: None}), "the target module q_proj has no tensors"),
        (changed(**{A: ("I32", (2, 4), bytes(32))}), "is I32, and adapters are"),
        (changed(**{"lm_head.weight": ("F32", (1,), bytes(4))}), "is no LoRA tensor"),
        (changed(**{"base_model.model.../x.lora_A.weight": ("F32", (1,), bytes(4))}), "is no LoRA tensor"),
        (
            changed(
                **{
                    "base_model.model.lm_head.lora_A.weight": ("F32", (2, 4), bytes(32)),
                    "base_model.model.lm_head.lora_B.weight": ("F32", (9, 2), bytes(72)),
                }
            ),
            "lm_head is none of the target modules",
        ),
        (
            changed(
                **{
                    "base_model.model.model.layers.9.mlp.up_proj.lora_A.weight": ("F32", (2, 4), bytes(32)),
                    "base_model.model.model.layers.9.mlp.up_proj.lora_B.weight": ("F32", (8, 2), bytes(64)),
                }
            ),
            "and the base has []",
        ),
    ],
)
def test_tensors_fit_the_configuration_and_the_base(files: dict[str, bytes], said: str) -> None:
    assert any(said in problem for problem in problems(files)), problems(files)


def test_another_base_is_refused() -> None:
    files = adapter_files(base=DIGEST)
    assert "and " + "e" * 64 + " is recorded" in " ".join(problems(files, digest="e" * 64))
    other = {**BASE, "config.json": b'{"other": 1}\n'}
    assert "the base at hand has the digest" in problems(files, base=other)[0]


@given(st.data())
def test_no_flipped_bit_of_the_weights_crashes_or_passes(data: st.DataObject) -> None:
    """The digests catch every flip; the check behind them answers to any bytes, and never with an exception."""
    files = adapter_files(base=DIGEST)
    weights = bytearray(files[WEIGHTS])
    at = data.draw(st.integers(0, len(weights) - 1))
    weights[at] ^= 1 << data.draw(st.integers(0, 7))
    flipped = {**files, WEIGHTS: bytes(weights)}
    assert adapter_problems(flipped, adapter_record(files), base_sha256=DIGEST, base=BASE)
    problems(flipped)


@given(st.binary(max_size=200))
def test_any_bytes_are_answered(data: bytes) -> None:
    assert problems(with_weights(data))
    assert problems({**adapter_files(base=DIGEST), CONFIG: data})
