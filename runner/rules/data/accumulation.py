"""Accumulate, never replace: a pool keeps every human row that an earlier one had.

Training on real data and all that was made so far bounds the error of later generations; training on the last
generation's output alone does not (Gerstgrasser et al. 2024). `hallmark simulate collapse` shows it on a team's data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from runner.records.dataset import Example
from runner.records.mixture import PoolRecord, Withdrawn
from runner.records.scenario import Origin
from runner.records.verdict import Reason
from runner.rules.canonical import digest

NAMED = 20
"""Rows that a refusal names; it counts the others."""


def content_key(example: Example) -> str:
    """What makes two rows the same: sha256 over capability, answer and texts."""
    return digest([example.capability, example.answer, [message.content for message in example.input]])


def pool_record(
    aimed: Iterable[str], gathered: Iterable[Example], *, base: int, withdrawn: Iterable[str] = ()
) -> PoolRecord:
    """What a later pool may not lose of this one. A row that stands in a frozen set counts: it is kept, not shown."""
    rows = list(gathered)
    return PoolRecord(
        aimed=tuple(aimed),
        human={row.id: content_key(row)[:16] for row in rows if row.origin is Origin.HUMAN},
        base=base,
        synthetic=sum(row.origin is not Origin.HUMAN for row in rows),
        withdrawn=tuple(sorted(withdrawn)),
    )


def lost(earlier: Mapping[int, PoolRecord], now: PoolRecord, withdrawn: Iterable[Withdrawn] = ()) -> Iterator[Reason]:
    """One reason for each earlier promotion, by sequence, whose pool had human rows that this one has not.

    A row counts by what it says: one that was written anew is lost, and one under a new id is not.
    """
    kept, free = set(now.human.values()), {one.example for one in withdrawn}
    for sequence, before in sorted(earlier.items()):
        names = sorted(name for name, key in before.human.items() if key not in kept and name not in free)
        if names:
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            problem = (
                f"{len(names)} human rows that promotion {sequence} was trained with are no longer there: "
                f"{', '.join(names[:NAMED])}{more}"
            )
            hint = "bring them back, or name each with its reason in `mixture.withdrawn` of cluster.yaml"
            yield Reason(step="accumulate", problem=problem, hint=hint)
