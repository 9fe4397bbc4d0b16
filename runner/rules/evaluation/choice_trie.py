"""A closed set of answers as a trie of their tokens: what may be said next, after what has been said.

An answer is spelt as the tokenizer spells it with the end token behind it, as in training. Greedy decoding under the
trie takes at each step the token with the highest logit among those that some answer goes on with, the lowest id where
equal; it ends where the end token is taken. Where one answer alone is left, it is the answer, and nothing more need be
computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Trie:
    """What may follow, by token; nothing where an answer has ended."""

    next: dict[int, Trie] = field(default_factory=dict)

    @classmethod
    def of(cls, answers: Iterable[Sequence[int]]) -> Trie:
        """Of answers as token ids, each with the end token last."""
        root = cls()
        for ids in answers:
            node = root
            for token in ids:
                node = node.next.setdefault(token, cls())
        return root

    def after(self, said: Iterable[int]) -> Trie:
        """What may follow `said`: nothing where no answer begins so."""
        node = self
        for token in said:
            node = node.next.get(token, NOTHING)
        return node

    def rest(self) -> list[int] | None:
        """The tokens that are left to be said where there is no choice any more, else None."""
        found, node = [], self
        while len(node.next) == 1:
            ((token, node),) = node.next.items()
            found.append(token)
        return None if node.next else found


NOTHING = Trie()
