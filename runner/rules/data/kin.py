"""Texts that leak into each other: of two of them one may not train where the other judges."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from runner.rules.data.leakage import CONTAINED, CONTAINED_WORDS, MEASURES
from runner.rules.text.components import Components
from runner.rules.text.similarity import Shingles, normal_text, shingles
from runner.rules.text.similarity_join import Asked, Sets, link

Tell = Callable[[float], None]
"""Hears which share is done, 0 to 1."""


def untold(share: float) -> None:
    """A `Tell` that tells nobody."""


class _Measure(NamedTuple):
    make: Callable[[str], Shingles]
    asked: Asked


def _parts(text: str) -> Shingles:
    return shingles(text, 3)


_MEASURES = (
    *(_Measure(make, Asked(threshold)) for _, make, threshold in MEASURES),
    _Measure(_parts, Asked(CONTAINED, contained=True, least=CONTAINED_WORDS - 2)),
)


def kin(texts: Sequence[str], tell: Tell = untold) -> Iterator[tuple[int, int]]:
    """Pairs of positions that name, of each group of texts with a way by such pairs of texts from each to each other,
    the first with each of the others.

    By the measures of `leakage`. Time grows with the texts and with the groups that are nearly alike, not with the
    pairs within a group.
    """
    first: dict[str, int] = {}
    leaders = [first.setdefault(normal_text(text), position) for position, text in enumerate(texts)]
    apart = [*first.values()]
    components = Components(len(apart))
    for number, measure in enumerate(_MEASURES):

        def told(share: float, number: int = number) -> None:
            tell((number + share) / len(_MEASURES))

        told(0.0)
        link(Sets(measure.make(texts[position]) for position in apart), measure.asked, components, tell=told)
    yield from ((leader, position) for position, leader in enumerate(leaders) if leader != position)
    yield from ((apart[one], apart[other]) for one, other in components.pairs())
