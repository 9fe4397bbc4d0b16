"""One labelled file as all the parts of a cluster, by the rule of `splits`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from runner.errors import RecordError
from runner.records.adoption import Format, ImportRecord, LeftOut, Mapped, SourceFile
from runner.records.terms import SetName
from runner.rules.canonical import digest
from runner.rules.data.kin import Tell, untold
from runner.rules.data.labelled_answers import Row
from runner.rules.data.new_cluster import BASE, GOLD, NEEDED, REFERENCE
from runner.rules.data.splits import RULE, Unit, divide

TRAFFIC = "traffic"
SHARES: Mapping[str, float] = {
    BASE: 0.20,
    SetName.HELDOUT: 0.20,
    SetName.CORE: 0.15,
    GOLD: 0.15,
    SetName.DEV: 0.10,
    TRAFFIC: 0.10,
    REFERENCE: 0.05,
    SetName.REPRESENTATIVE: 0.05,
}
"""Traffic stands for what production saw, until there are traces: its labels are candidates that people decide on."""
LEARNT = frozenset({BASE, GOLD, TRAFFIC, REFERENCE})
MOST_BASE = 5
"""Texts of a label that the tiny base sees; what else falls to it goes to the gold data."""
GIVEN = "as given, part by part"
"""The rule where people divided the texts themselves."""
ALONE = "its label has one text, or none that says something else than another label's: two are needed"


class Split(NamedTuple):
    parts: Mapping[str, Sequence[Row]]
    kept_together: int
    alone: tuple[Row, ...]
    """Rows of labels that cannot be both learnt and tested."""


def split(rows: Sequence[Row], *, seed: int, tell: Tell = untold) -> Split:
    """Every label has something to learn from (`base`) and something that tests it. Raises `RecordError` where the
    file has too few rows for the sets."""
    division = divide(
        [Unit(row.text, row.label) for row in rows],
        shares=SHARES,
        seed=seed,
        first=BASE,
        needed=NEEDED,
        training=LEARNT,
        tell=tell,
    )
    parts: dict[str, list[Row]] = defaultdict(list)
    tested = {row.label for row, part in zip(rows, division.parts, strict=True) if part not in LEARNT}
    known = {row.label for row, part in zip(rows, division.parts, strict=True) if part == BASE}
    alone = []
    for row, part in zip(rows, division.parts, strict=True):
        if row.label in tested & known:
            parts[part].append(row)
        else:
            alone.append(row)
    parts[GOLD] += _beyond(parts[BASE])
    missing = [name for name in NEEDED if not parts.get(name)]
    if missing:
        problem = f"has {len(rows)} rows, and none are left for {', '.join(missing)}"
        if alone:
            problem += f"; {len(alone)} were left out: {ALONE}"
        hint = "give more rows, or each part a file of its own: --base, --gold, --core, --dev and --heldout"
        raise RecordError(problem, path=rows[0].file, hint=hint)
    return Split(parts, division.kept_together, tuple(alone))


def _beyond(base: list[Row]) -> list[Row]:
    """Takes all but the first `MOST_BASE` rows of each label out of the base, and returns them.

    The tiny base stands in for a model that has seen little of the trade: with more it knows all labels already, and
    no iteration has anything to teach it.
    """
    seen: Counter[str] = Counter()
    kept: list[Row] = []
    beyond: list[Row] = []
    for row in sorted(base, key=lambda row: digest([row.label, row.text])):
        seen[row.label] += 1
        (kept if seen[row.label] <= MOST_BASE else beyond).append(row)
    base[:] = kept
    return beyond


def record_of(
    files: Sequence[SourceFile], made_by: str, *, seed: int, parts: Mapping[str, int], found: Split | None
) -> ImportRecord:
    """`found` is None where people divided the texts themselves."""
    left = Counter(row.label for row in found.alone) if found is not None else Counter[str]()
    places = {row.label: f"{row.file.rpartition('/')[2]}:{row.line}" for row in (found.alone if found else ())}
    return ImportRecord(
        format=Format.LABELLED,
        made_by=made_by,
        files=tuple(files),
        rule=f"{RULE}; at most {MOST_BASE} texts of a label in the base" if found is not None else GIVEN,
        seed=seed,
        shares={str(part): share for part, share in SHARES.items()} if found is not None else {},
        parts=dict(sorted(parts.items())),
        kept_together=found.kept_together if found is not None else 0,
        mapped=(Mapped(what="a row", to="exact", count=sum(parts.values())),),
        left_out=tuple(
            LeftOut(what=f"the label {label}", why=ALONE, count=count, places=(places[label],))
            for label, count in sorted(left.items())
        ),
    )
