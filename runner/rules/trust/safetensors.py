"""safetensors files, checked by hand: the header as data, before any library opens the file.

The format (huggingface/safetensors, "Format"): 8 bytes of header size, little-endian; a JSON object from tensor name
to `dtype`, `shape` and `data_offsets`, perhaps padded with spaces; the tensors' bytes. Its readers take a name given
twice, and know nothing of NaN (PROTOCOL.md, fact 9).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner.rules.strict_json import strict_json

SIZES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
    "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
}  # fmt: skip
"""Bytes an element."""
FLOATS = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}
METADATA = "__metadata__"
MAX_HEADER = 16 * 2**20
MAX_DIMENSIONS = 8
_BLOCK = 1 << 22
_BF16_EXPONENT = 0x7F80
_TOP = {"F16": 0x7C, "BF16": 0x7F, "F32": 0x7F, "F64": 0x7F}
"""The bits of a number's highest byte that belong to its exponent: set in every NaN and infinity."""
_SUSPECT = {dtype: bytes(byte for byte in range(256) if byte & mask == mask) for dtype, mask in _TOP.items()}


@dataclass(frozen=True)
class Tensor:
    dtype: str
    shape: tuple[int, ...]
    begin: int
    """In the tensors' bytes, which begin after the header."""
    end: int


@dataclass(frozen=True)
class Header:
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]
    start: int
    """Where the tensors' bytes begin in the file."""


def read_header(data: bytes) -> Header:
    """The header of a whole file. Raises `ValueError` with what is wrong with it.

    Every byte after the header belongs to exactly one tensor: no overlap, no gap, nothing before, between or behind.
    """
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > min(MAX_HEADER, len(data) - 8):
        raise ValueError(f"a header of {size} bytes does not fit into a file of {len(data)}")
    text = data[8 : 8 + size]
    if not text.startswith(b"{"):
        raise ValueError("the header is no JSON object")
    try:
        said = strict_json(text)
    except ValueError as error:
        raise ValueError(f"the header: {error}") from error
    metadata = said.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError(f"{METADATA} is no object of strings")
    tensors = {name: _tensor(name, value) for name, value in said.items()}
    _laid_out(tensors, len(data) - 8 - size)
    return Header(tensors, metadata, 8 + size)


def _tensor(name: str, said: Any) -> Tensor:
    if not isinstance(said, dict) or set(said) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name} does not have exactly dtype, shape and data_offsets")
    dtype, shape, offsets = said["dtype"], said["shape"], said["data_offsets"]
    if not isinstance(dtype, str) or dtype not in SIZES:
        raise ValueError(f"{name}: {dtype!r} is no element type")
    if not _whole(shape) or len(shape) > MAX_DIMENSIONS:
        raise ValueError(f"{name}: the shape {shape!r} is no short list of whole numbers")
    if not _whole(offsets) or len(offsets) != 2:
        raise ValueError(f"{name}: data_offsets {offsets!r} are not a begin and an end")
    begin, end = offsets
    if end - begin != math.prod(shape) * SIZES[dtype]:
        raise ValueError(f"{name}: {end - begin} bytes are not {dtype} in the shape {shape}")
    return Tensor(dtype, tuple(shape), begin, end)


def _whole(value: Any) -> bool:
    """Whether it is a list of whole numbers from 0; `True` is an int to Python, and none here."""
    return isinstance(value, list) and all(type(one) is int and one >= 0 for one in value)


def _laid_out(tensors: Mapping[str, Tensor], length: int) -> None:
    at = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if tensor.begin != at:
            kind = "overlaps what is before it" if tensor.begin < at else "leaves a gap before it"
            raise ValueError(f"{name}: begins at byte {tensor.begin}, and {kind}: {at} was next")
        at = tensor.end
    if at != length:
        raise ValueError(f"the tensors end at byte {at} of {length}")


def not_finite(data: bytes, header: Header) -> list[str]:
    """The names of the floating-point tensors that hold a NaN or an infinity."""
    return sorted(name for name, tensor in header.tensors.items() if not _finite(data, header.start, tensor))


def _finite(data: bytes, start: int, tensor: Tensor) -> bool:
    if tensor.dtype not in _TOP:
        return True
    end = start + tensor.end
    blocks = (data[at : min(at + _BLOCK, end)] for at in range(start + tensor.begin, end, _BLOCK))
    return all(_ordinary(block, tensor.dtype) or _all_finite(block, tensor.dtype) for block in blocks)


def _ordinary(block: bytes, dtype: str) -> bool:
    """Whether the highest bytes alone say that every number is finite, as those of any real weights do."""
    highest = block[SIZES[dtype] - 1 :: SIZES[dtype]]
    return len(highest.translate(None, _SUSPECT[dtype])) == len(highest)


def _all_finite(block: bytes, dtype: str) -> bool:
    import numpy as np  # a sixth of the gate's start, for numbers beyond 2**127

    if dtype == "BF16":
        return not bool(((np.frombuffer(block, "<u2") & _BF16_EXPONENT) == _BF16_EXPONENT).any())
    return bool(np.isfinite(np.frombuffer(block, FLOATS[dtype])).all())
