"""What a cluster asks of its mixtures, and what a mixture keeps of the real data's tails."""

from typing import Annotated

from pydantic import Field

from runner.records.base import Count, Positive, Record, Share, Slug, Text


class SliceCaps(Record):
    """The largest shares of a mixture's new rows, repetition counted. 1 is no cap.

    `capability` is of all new rows. The others are of the new rows of each capability, so that nothing is taught by
    one batch, one generator or one submitter alone; they concern rows of this iteration, which say where they are from.
    """

    capability: Share = 1.0
    batch: Share = 1.0
    generator: Share = 1.0
    source: Share = 1.0
    """Who sent the production traces."""


class TailLimits(Record):
    """What a mixture must keep of the tails of real data (see `TailCoverage`)."""

    slices: Share = 0.5
    """The least share of rare slices that survive."""
    ngrams: Share = 0.5
    """The least share of rare n-grams that survive."""
    fall: Share = 0.2
    """By how much either may lie below the best mixture promoted before: the collapse monitor."""


class Withdrawn(Record):
    """A human row that may leave the pool, and why: asked to be forgotten, or labelled wrongly."""

    example: Text
    reason: Text


class MixturePolicy(Record):
    """`mixture:` in cluster.yaml. The human floor itself is the number `human_floor`."""

    corrected_is_human: bool = False
    """Whether synthetic rows that a person has mended count towards the human floor."""
    caps: SliceCaps = SliceCaps()
    tails: TailLimits = TailLimits()
    withdrawn: tuple[Withdrawn, ...] = ()


class SliceCoverage(Record):
    """A rare slice of real data: how many of its distinct rows the mixture shows."""

    slice: Text
    """`capability/<id>`, or `signals/<tail>` for accepted rows that come from signals in a tail."""
    real: Positive
    kept: Count
    survives: bool
    """At least half of its rows are shown."""


class TailCoverage(Record):
    """What survives of real data's tails in a mixture's new rows.

    Real data are the human rows that the pool holds for the capabilities which the new rows are for. Rare n-grams are
    the word 1- and 2-grams that stand in two to five of those rows; one survives if any new row has it.
    """

    slices: tuple[SliceCoverage, ...]
    slices_kept: Share
    """Of the rare slices, those that survive; 1 where there are none."""
    ngrams: Count
    """Rare n-grams of the real rows."""
    ngrams_kept: Share
    """Of those, the share that survives; 1 where there are none."""


class PoolRecord(Record):
    """The human rows that an iteration's pool held beside the base data: what no later pool may lose."""

    aimed: tuple[Slug, ...]
    """The capabilities that new rows are for."""
    human: dict[Text, Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]]
    """Example to the first 16 hex digits of the digest over its capability, input and answer."""
    base: Count
    synthetic: Count
    withdrawn: tuple[Text, ...] = ()
    """Rows of earlier pools that cluster.yaml lets go."""
