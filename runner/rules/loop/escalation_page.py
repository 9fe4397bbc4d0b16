"""An escalation as the page that people read: `clusters/<cluster>/escalations/<iteration>.md`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runner.records.plateau import Escalation, Shared, Tried
from runner.rules.handoff.words import inline


def escalation_path(cluster: str, iteration: str) -> str:
    """Where the page stands, named by the last iteration that brought nothing."""
    return f"clusters/{cluster}/escalations/{iteration}.md"


def escalation_branch(cluster: str, iteration: str) -> str:
    """The branch that brings the page to people."""
    return f"escalation/{cluster}/{iteration}"


def page(found: Escalation) -> str:
    """Markdown, the same for the same escalation."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Escalation) -> Iterator[str]:
    row, patience = found.plateau.iterations, found.plateau.patience
    yield f"# {found.cluster} no longer improves"
    yield ""
    yield f"{len(row)} iterations in a row brought no improvement on held-out; the policy allows {patience}."
    yield "The loop has stopped itself, and begins another iteration when people change something that they govern."
    yield ""
    yield "## What was tried"
    for one in found.tried:
        yield from ("", *_tried(one))
    yield ""
    yield "## What the failures have in common"
    yield ""
    yield from _items(_common(one) for one in found.shared)
    if not found.shared:
        yield "No failure on core was found by more than one of these iterations: each has its own."
    yield ""
    yield "## What people could change"
    yield ""
    yield from _items(f"**{inline(one.what)}.** {inline(one.why)}" for one in found.options)
    if not found.options:
        yield "The figures of these iterations speak for no change in particular."
    yield ""
    yield "## How the loop goes on"
    yield ""
    yield "Merge a change of the cluster's rubrics, scenarios, gold or base data, problem statement, parameters or"
    yield "`cluster.yaml`: the next iteration begins with it. To go on without one, acknowledge this page there:"
    yield ""
    yield f"    plateau: {{patience: {patience}, acknowledged: {found.plateau.after}}}"


def _tried(one: Tried) -> Iterator[str]:
    yield f"### {one.iteration}"
    yield ""
    facts = [f"refused at {one.refused_at}: {'; '.join(map(inline, one.reasons)) or 'no reason given'}"]
    if one.arms:
        arms = ", ".join(f"{inline(arm.name)} ({arm.synthetic_share:.0%} synthetic) {arm.dev:.3f}" for arm in one.arms)
        facts.append(f"arms on dev: {arms}")
    if one.chosen:
        facts.append(f"trained: {inline(one.chosen)}, {inline(one.rows)}")
    if one.core is not None and one.heldout is not None:
        facts.append(f"composite on core {one.core:.3f}, on held-out {one.heldout:.3f}")
    if one.verdict:
        facts.append(inline(one.verdict))
    yield from _items(facts)


def _common(one: Shared) -> str:
    lenses = f", lens {', '.join(one.lenses)}" if one.lenses else ""
    always = f" {len(one.scenarios)} core scenarios fail in each of them." if one.scenarios else ""
    rubric = "" if one.covered else " No approved rubric covers it."
    return (
        f"**{one.capability}**: {inline(one.pattern)} ({one.severity} severity{lenses}),"
        f" found by {one.iterations} iterations, {one.frequency} failures in the last.{always}{rubric}"
    )


def _items(lines: Iterable[str]) -> Iterator[str]:
    return (f"- {line}" for line in lines)
