"""The word shingles of many texts as 64-bit hashes, vectorised: what a MinHash signature is made of.

A word's hash is a polynomial in its UTF-8 bytes modulo 2^64, read off one running sum over a block of texts (Karp and
Rabin 1987); a shingle's mixes those of its words. The same text has the same hashes in any company, on any machine.
Two shingles may share a hash, so hashes suggest and never decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from runner.rules.text.similarity import normal_text

Hashes = npt.NDArray[np.uint64]

BLOCK = 1 << 19
"""Bytes hashed at once: the running sum stays in the processor's cache."""
BASE = 0x9E3779B97F4A7C15
"""The polynomial's; odd, so that it has an inverse."""
INVERSE = pow(BASE, -1, 1 << 64)
SPACE, END = 0x20, 0xFF
"""Between words; between texts, a byte that UTF-8 never uses."""
PLAIN = bytes(byte if byte > 127 or re.match(rb"[0-9a-z_]", bytes([byte])) else SPACE for byte in range(256))
FOLD = bytes.maketrans(bytes(range(65, 91)), bytes(range(97, 123))).translate(PLAIN)
"""For ASCII what `words` does: letters are folded, what belongs to no word is a space."""


class ShingleHashes(NamedTuple):
    """Every text's hashes, one text after another."""

    values: Hashes
    starts: Hashes
    """Where each text's hashes start in `values`, and at last where they end: one more than there are texts."""


def shingle_hashes(texts: Sequence[str], size: int) -> ShingleHashes:
    """The hashes of each text's word `size`-shingles, repeated where the shingle is. A shorter text is one shingle."""
    parts, lengths = [np.zeros(0, np.uint64)], [np.zeros(1, np.uint64)]
    for block in _blocks(texts):
        values, counts = _hash_block(block, size)
        parts.append(values)
        lengths.append(counts)
    return ShingleHashes(np.concatenate(parts), np.cumsum(np.concatenate(lengths), dtype=np.uint64))


def _blocks(texts: Sequence[str]) -> Iterator[list[bytes]]:
    """The texts as bytes, some at a time; one that is not ASCII is normalised here, the others all at once later."""
    block, length = list[bytes](), 0
    for text in texts:
        plain = (text if text.isascii() else normal_text(text)).encode()
        if block and length + len(plain) > BLOCK:
            yield block
            block, length = [], 0
        block.append(plain)
        length += len(plain) + 1
    if block:
        yield block


def _hash_block(block: Sequence[bytes], size: int) -> tuple[Hashes, Hashes]:
    """The shingles' hashes, and how many each text has."""
    joined = (b"\xff".join(block) + b"\xff").translate(FOLD, b"'")
    text = np.frombuffer(joined, np.uint8)
    inside = np.zeros(len(text) + 1, np.int8)
    np.logical_and(text != SPACE, text != END, out=inside[1:].view(bool))
    edges = np.flatnonzero(np.diff(inside))
    starts, ends = edges[::2], edges[1::2]
    words = _hash_words(text, starts, ends)
    counts = np.diff(np.searchsorted(starts, np.flatnonzero(text == END)), prepend=0)
    if (counts > 0).any() and counts[counts > 0].min() < size:
        words, counts = _padded(words, counts, size)
    return _windows(words, counts, size), np.maximum(counts - size + 1, 0).astype(np.uint64)


def _hash_words(text: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> Hashes:
    """Of the bytes from each start to its end: b0 + b1 B + b2 B^2 and so on."""
    longest = 1 << len(text).bit_length()
    powers, inverses = (_powers(base, longest) for base in (BASE, INVERSE))
    running = np.zeros(len(text) + 1, np.uint64)
    np.cumsum(text * powers[: len(text)], out=running[1:])
    return (running[ends] - running[starts]) * inverses[starts]


@cache
def _powers(base: int, count: int) -> Hashes:
    """base^0, base^1 and so on, modulo 2^64."""
    return np.cumprod(np.concatenate([np.ones(1, np.uint64), np.full(count - 1, base, np.uint64)]), dtype=np.uint64)


def _padded(words: Hashes, counts: npt.NDArray[np.int64], size: int) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """Zeros after the words of a text with too few of them for a shingle, but for one without any."""
    missing = np.where(counts > 0, np.maximum(size - counts, 0), 0)
    return np.insert(words, np.repeat(np.cumsum(counts), missing), np.uint64(0)), counts + missing


def _windows(words: Hashes, counts: npt.NDArray[np.int64], size: int) -> Hashes:
    """The mixed hash of each `size` words in a row, none across two texts."""
    total = max(len(words) - size + 1, 0)
    mixed = np.zeros(total, np.uint64)
    for step in range(size):
        mixed = (mixed ^ (mixed >> np.uint64(29)) ^ words[step : step + total]) * np.uint64(BASE)
    mixed ^= mixed >> np.uint64(32)
    left = np.repeat(np.cumsum(counts), counts) - np.arange(len(words))
    return mixed[left[:total] >= size]
