"""Scenarios of Agentsia's Assay harness as scenarios of ours, with the rubrics that their checkers come to.

A file is one scenario with criteria in prose, or a set of scenarios each with a programmatic checker. What it does not
say is asked of whoever imports it: where a text comes from, and which rubric decides where no checker does.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import ValidationError

from runner.errors import RecordError
from runner.records.conversation import Message, Role
from runner.records.graders import Contains, Grader, Regex
from runner.records.rubric import Criterion, Normalisation, Rubric, RubricStatus
from runner.records.scenario import Scenario
from runner.records.terms import Origin, OutcomeType, Severity
from runner.rules.naming import content_id, slug

ANYTHING = "any answer that says something"


class Terms(NamedTuple):
    """What an Assay file leaves open."""

    origin: Origin
    severity: Severity = Severity.MEDIUM
    capability: str = ""
    """For every scenario; as the file says where empty."""
    rubric: str = ""
    """For scenarios without a checker."""


class FromAssay(NamedTuple):
    scenarios: tuple[Scenario, ...]
    rubrics: tuple[Rubric, ...]
    """Drafts, for people to approve."""


class _Checked(NamedTuple):
    """What decides a scenario, and what is right."""

    rubric: str
    reference: str
    passes: str
    fails: str
    draft: Rubric | None = None
    """What the file's own checker comes to."""


def from_assay(value: Any, terms: Terms, *, path: str) -> FromAssay:
    """Raises `RecordError` that names the file and field for what is no such file, and for a scenario that neither has
    a checker known here nor was given a rubric."""
    if not isinstance(value, dict) or not isinstance(value.get("scenarios", []), list):
        raise RecordError("is no Assay file: a scenario, or an object with `scenarios`", path=path)
    listed = value.get("scenarios")
    title = f"{value.get('name', 'a set')} {value.get('version', '')}".strip()
    scenarios: list[Scenario] = []
    rubrics: dict[str, Rubric] = {}
    for place, one in enumerate(listed if listed is not None else [value]):
        said = _Said(one, path, f"scenarios[{place}]" if listed is not None else "")
        try:
            checked = _named(_checked(said, terms), rubrics)
            scenarios.append(_scenario(said, checked, terms, title))
        except ValidationError as error:
            first = error.errors()[0]
            raise said.wrong(f"becomes no {error.title}: {first['msg']}", ".".join(map(str, first["loc"]))) from error
    return FromAssay(tuple(scenarios), tuple(rubrics[name] for name in sorted(rubrics)))


def _named(checked: _Checked, rubrics: dict[str, Rubric]) -> _Checked:
    """With its draft among `rubrics`: one that another draft has the name of gets a name by what it says."""
    draft = checked.draft
    if draft is not None and rubrics.setdefault(draft.id, draft) != draft:
        draft = draft.model_copy(update={"id": content_id(draft.id[:51].rstrip("-"), draft.model_dump(mode="json"))})
        rubrics[draft.id] = draft
        checked = checked._replace(rubric=draft.id, draft=draft)
    return checked


class _Said:
    """One scenario as the file says it."""

    def __init__(self, value: Any, path: str, at: str) -> None:
        self.value, self.path, self.at = value, path, at
        if not isinstance(value, dict):
            raise self.wrong("is no scenario", "")

    def wrong(self, problem: str, field: str, *, hint: str = "") -> RecordError:
        where = ".".join(part for part in (self.at, field) if part)
        return RecordError(problem, path=self.path, field=where, hint=hint)

    def get(self, field: str) -> Any:
        """What stands at a path such as `meta.lane`; None where nothing does."""
        found = self.value
        for name in field.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        return found

    def text(self, *fields: str) -> str:
        """The first of these fields that is text. Raises `RecordError` where none is."""
        for field in fields:
            if isinstance(found := self.get(field), str) and found.strip():
                return found
        raise self.wrong("is missing, or no text", fields[0])


def _scenario(said: _Said, checked: _Checked, terms: Terms, title: str) -> Scenario:
    name = slug(said.text("id"))
    kind = said.text("outcomeType", "meta.outcomeType")
    if kind not in set(OutcomeType):
        raise said.wrong(f"{kind!r} is no outcome type", "outcomeType", hint=f"one of: {', '.join(OutcomeType)}")
    axes = said.get("axes")
    axis = str(axes[0]) if isinstance(axes, list) and axes else ""
    lens = said.get("meta.lane") or said.get("domainInput.domain") or said.get("meta.domainInput.domain")
    return Scenario(
        id=name,
        capability=terms.capability or slug(axis or said.text("category", "axes")),
        outcome_type=OutcomeType(kind),
        lens=slug(str(lens or "")) or "assay",
        severity=terms.severity,
        origin=terms.origin,
        objective=str(said.get("testObjective") or f"From {title}: {axis or name}."),
        input=_input(said),
        reference=checked.reference,
        rubric=checked.rubric,
        pass_criteria=(checked.passes,),
        fail_criteria=(checked.fails,),
    )


def _input(said: _Said) -> tuple[Message, ...]:
    """The messages; of a scenario in prose, the request and its signals as they stand."""
    messages = said.get("input.messages")
    if isinstance(messages, list) and messages:
        return tuple(_message(said, one, place) for place, one in enumerate(messages))
    request = said.text("domainInput.bidRequest.requestDescription")
    signals = said.get("domainInput.bidRequest.signals")
    text = f"{request}\n\n{signals}" if isinstance(signals, str) and signals else request
    return (Message(role=Role.USER, content=text),)


def _message(said: _Said, one: Any, place: int) -> Message:
    role, content = (one.get("role"), one.get("content")) if isinstance(one, dict) else (None, None)
    if role not in set(Role) or not isinstance(content, str) or not content:
        raise said.wrong("is no message with a role and a text", f"input.messages[{place}]")
    return Message(role=Role(role), content=content)


def _checked(said: _Said, terms: Terms) -> _Checked:
    """What the scenario's checker comes to; without one, its criteria in prose and the rubric that was named."""
    checker = said.get("rubric.checker")
    values = said.get("rubric.params.expected")
    wanted = tuple(map(str, values)) if isinstance(values, list) and values else ()
    match checker:
        case "non-empty":
            passes, fails = "The answer says anything.", "The answer says nothing."
            draft = _rubric(checker, Regex(kind="regex", pattern=r"\S"), passes)
            return _Checked(draft.id, ANYTHING, passes, fails, draft)
        case "contains" if wanted:
            named = ", ".join(wanted)
            passes, fails = f"The answer contains {named}.", f"The answer does not contain {named}."
            draft = _rubric(f"{checker} {named}", Contains(kind="contains", values=wanted), passes)
            return _Checked(draft.id, named, passes, fails, draft)
    if terms.rubric:
        passes = said.text("passCriteria")
        return _Checked(terms.rubric, passes, passes, said.text("failCriteria"))
    problem = f"the checker {checker!r} is not known here" if checker else "it has no checker"
    raise said.wrong(problem, "rubric", hint="name a rubric of yours with --rubric; a judge's can read its criteria")


def _rubric(what: str, grader: Grader, description: str) -> Rubric:
    name = slug(f"assay-{what}")
    return Rubric(
        id=name,
        title=f"Assay's checker: {what}",
        status=RubricStatus.DRAFT,
        normalisation=(Normalisation.STRIP, Normalisation.LOWERCASE),
        criteria=(Criterion(id="checker", description=description, grader=grader),),
    )
