"""A fast first look for near-duplicates: MinHash signatures and locality-sensitive hashing by rensa."""

from __future__ import annotations

from collections.abc import Sequence

from runner.rules.text.near_duplicates import banding
from runner.rules.text.shingle_hashes import shingle_hashes

RECALL = 0.99
"""The probability with which a pair just at the threshold is found; above it, it grows fast."""
PERMUTATIONS = 256
"""Length of a signature at most."""
SEED = 1


class MinHashSuspects:
    """`ports.NearDuplicates` by R-MinHash. The seed is fixed: the same texts give the same answer everywhere."""

    def suspects(self, texts: Sequence[str], *, threshold: float, size: int) -> frozenset[int]:
        """The positions of texts that agree with another in a band. Time grows with the texts, not with their pairs."""
        from rensa import RMinHash, RMinHashLSH

        if not texts:
            return frozenset()
        shape = banding(threshold, recall=RECALL, permutations=PERMUTATIONS)
        values, starts = shingle_hashes(texts, size)
        signatures = RMinHash.digest_matrix_from_flat_token_hashes(values, starts, shape.permutations, SEED)
        del values
        index = RMinHashLSH(threshold, shape.permutations, shape.bands)
        flags = index.query_duplicate_flags_matrix_one_shot(signatures)
        return frozenset(position for position, found in enumerate(flags) if found)
