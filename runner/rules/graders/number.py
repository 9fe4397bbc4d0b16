"""Numbers within a tolerance, in units that can be converted."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from runner.records.graders import Numeric
from runner.rules.graders.case import Case, Credit
from runner.rules.text.quantities import Quantity, whole, within
from runner.rules.text.units import Unit, converted, unit


class Read(NamedTuple):
    """A number in its unit; a bare number has none."""

    number: Fraction
    unit: Unit | None

    @property
    def words(self) -> str:
        return f"{float(self.number):.12g}" + (f" {self.unit.name}" if self.unit is not None else "")


def numeric(case: Case, grader: Numeric) -> Credit:
    """Both texts are read as they stand: normalisation could take a point out of a number.

    Raises `ValueError` for a reference that is no number, which `check` has told of.
    """
    wanted = read(case.reference, grader, take="whole")
    try:
        given = read(case.answer, grader, take=grader.take)
    except ValueError as error:
        return Credit.of(False, str(error))
    if (given.unit and given.unit.dimension) != (wanted.unit and wanted.unit.dimension):
        return Credit.of(False, f"read as {given.words}, whose unit is not of the kind of {wanted.words}")
    number = given.number
    if given.unit is not None and wanted.unit is not None:
        number = converted(given.number, given.unit, wanted.unit)
    allowed = max(_exact(grader.absolute), _exact(grader.relative) * abs(wanted.number))
    off = abs(number - wanted.number)
    return Credit.of(off <= allowed, f"read as {given.words}, {_off(off, allowed, wanted)}")


def read(text: str, grader: Numeric, *, take: str) -> Read:
    """The number of `text` in its unit, or in the grader's where it names none. Raises `ValueError` for none, for one
    that may mean another, and for a word that is no unit, where the text is to be a number and nothing else."""
    if take == "whole":
        found: Quantity = whole(text, decimal_comma=grader.decimal_comma)
        if found.named:
            raise ValueError(f"{found.named!r} is no unit that is known")
    else:
        found = within(text, last=take == "last", decimal_comma=grader.decimal_comma)
    return Read(found.number, found.unit or unit(grader.unit))


def _exact(number: float) -> Fraction:
    """The number as it was written, which a binary fraction is not."""
    return Fraction(str(number))


def _off(off: Fraction, allowed: Fraction, wanted: Read) -> str:
    return f"off by {Read(off, wanted.unit).words} from {wanted.words} where {float(allowed):.6g} is allowed"
