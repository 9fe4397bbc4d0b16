"""Scenarios of an Assay file as items: `rules.adopt.assay` reads them, and their checkers come along."""

from __future__ import annotations

from runner.records.terms import Origin
from runner.rules.adopt.assay import ANYTHING, Terms, from_assay
from runner.rules.adopt.items import Adopted, Capability, Check, Document, Item, Tally


def from_assay_file(document: Document, *, capability: str = "") -> Adopted:
    """Every scenario must have a checker that is known: there are no rubrics yet. Raises `RecordError`."""
    tally = Tally()
    found = from_assay(document.value, Terms(origin=Origin.HUMAN, capability=capability), path=document.path)
    rubrics = {one.id: one for one in found.rubrics}
    items = []
    for number, one in enumerate(found.scenarios):
        rubric = rubrics[one.rubric]
        tally.mapped(
            f"the checker of {rubric.title.rpartition(': ')[2].partition(' ')[0]}", rubric.criteria[0].grader.kind
        )
        items.append(
            Item(
                place=f"{document.path}#scenarios[{number}]",
                capability=one.capability,
                lens=one.lens,
                objective=one.objective,
                input=one.input,
                reference=one.reference if one.reference != ANYTHING else one.pass_criteria[0],
                check=Check(rubric.title, rubric.criteria, rubric.normalisation),
                passes=one.pass_criteria,
                fails=one.fail_criteria,
                outcome=one.outcome_type,
            )
        )
    names = {one.capability for one in found.scenarios}
    capabilities = {name: Capability(name.replace("-", " "), f"Scenarios of {document.path}.") for name in names}
    return Adopted(tuple(items), capabilities, tally)
