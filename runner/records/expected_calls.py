"""Tools that a model may call, and which calls a criterion expects of an answer."""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from runner.records.base import Sparse, Text
from runner.records.json_schemas import check_schema
from runner.records.patterns import unusable


def _check_parameters(text: str) -> str:
    return check_schema(text) if text else text


class Tool(Sparse):
    """A tool that the model is told of."""

    SPARSE = frozenset({"parameters"})

    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$")]
    description: Text
    parameters: Annotated[str, AfterValidator(_check_parameters)] = ""
    """The JSON schema of its arguments, as JSON text; anything where empty."""


class ArgumentMatch(StrEnum):
    """How a call's arguments are held against the expected ones."""

    EXACT = "exact"
    """The same names with the same values."""
    SUBSET = "subset"
    """The expected ones with their values; others may stand beside them."""
    SCHEMA = "schema"
    """Whatever the tool's own schema accepts."""
    ANY = "any"
    """The tool's name alone counts."""


class ToolCalls(Sparse):
    """The answer calls the tools that the reference calls, or that `called` names, and none of `not_called`.

    In part it is met by the F1 of the calls.
    """

    SPARSE = frozenset({"called", "not_called", "in_order", "others"})

    kind: Literal["tool-calls"]
    arguments: ArgumentMatch = ArgumentMatch.EXACT
    called: tuple[Text, ...] = ()
    """Names of tools that must be called, whatever the reference says; their arguments are then not compared."""
    not_called: tuple[Text, ...] = ()
    """Names of tools that must not be called. One such call leaves no credit."""
    in_order: bool = False
    """The calls come in the expected order."""
    others: bool = False
    """Calls beside the expected ones are allowed."""

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        both = sorted({*self.called} & {*self.not_called})
        if both:
            raise unusable(f"{both[0]!r} must be called, and must not be called", "keep it in one of the two lists")
        if self.called and self.arguments in (ArgumentMatch.EXACT, ArgumentMatch.SUBSET):
            problem = f"`called` names tools without arguments, which cannot be compared as {self.arguments}"
            raise unusable(problem, "write `arguments: any` or `arguments: schema`, or leave `called` to the reference")
        return self
