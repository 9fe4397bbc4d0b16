"""What the specialist was held against, and how it did."""

from __future__ import annotations

from collections.abc import Iterator

from runner.records.gated import GateLimits
from runner.records.scorecard import ModelScores
from runner.records.terms import SetName
from runner.rules.evaluation.comparison_words import verdicts
from runner.rules.handoff.facts import Made
from runner.rules.handoff.words import NONE, bullets, code, count, digest, inline, percent, table, within

SAYS = {
    SetName.CORE: "diagnosis may read its failures",
    SetName.DEV: "the sweep and the strength are chosen on it",
    SetName.HELDOUT: "yields scores and nothing else",
    SetName.REPRESENTATIVE: "asked as production asks",
    SetName.GENERAL: "what the base could do beside its task",
}
ORDER = ("base", "incumbent", "control", "candidate")


def models(made: Made) -> list[str]:
    """The models that were run, in the order to show; the incumbent only where it is not the bare base."""
    card = made.scorecard.models
    bare = "incumbent" in card and card["incumbent"].adapter is None and "base" in card
    return [name for name in ORDER if name in card and not (name == "incumbent" and bare)]


def sets(made: Made) -> list[SetName]:
    return [name for name in SetName if any(name in one.sets for one in made.scorecard.models.values())]


def benchmark(made: Made) -> str:
    cluster, named = made.background.cluster, made.record.benchmark
    capabilities = [[code(one.id), inline(one.title), inline(one.definition)] for one in cluster.capabilities]
    lines = [
        f"Version {named.version} of {code(named.id)}, digest {code(named.sha256)}.",
        table(("capability", "title", "what it is"), capabilities),
        table(("set", "scenarios", "frozen as", "changed by", "use"), _sets(made)),
        "The gate asks:",
        bullets(_limits(cluster.gate, cluster.human_floor)),
    ]
    return "\n\n".join(lines)


def _sets(made: Made) -> Iterator[list[str]]:
    lock = made.background.lock
    sizes = {name: one.scenarios for model in made.scorecard.models.values() for name, one in model.sets.items()}
    if made.sweep and made.sweep.arms:
        sizes.setdefault(SetName.DEV, made.sweep.arms[0].dev.scenarios)
    for name in SetName:
        frozen = lock.sets.get(name) if lock else None
        if name in sizes or frozen:
            size = sizes.get(name, frozen.scenarios if frozen else 0)
            owners = ", ".join(frozen.owners) if frozen else NONE
            yield [name, f"{size:,}", digest(frozen.sha256) if frozen else NONE, owners, SAYS.get(name, "kept back")]


def _limits(gate: GateLimits, floor: float) -> Iterator[str]:
    thresholds = gate.thresholds
    yield f"a composite of {thresholds.composite:g} on core and {thresholds.heldout:g} on held-out"
    yield f"on held-out better than base, incumbent and control, p at most {gate.max_p_value:g}"
    yield f"at most {percent(gate.max_regressions)} of what the incumbent passed may fail"
    yield f"no capability significantly worse (Holm-corrected at {gate.capability_alpha:g})"
    yield f"a drop of at most {gate.max_robustness_drop:g} under a perturbation"
    yield f"at least {percent(floor)} human rows among the new ones"


def result(made: Made) -> str:
    shown = sets(made)
    rows = [[name, *(_score(made.scorecard.models[name], one) for one in shown)] for name in models(made)]
    parts = [
        "Composites, the mean score per capability weighted as cluster.yaml says, with 95 % intervals where they were "
        "computed.",
        table(("model", *shown), rows),
    ]
    said = verdicts(made.scorecard)
    if said:
        parts.append(bullets(inline(one) for one in said))
    head = ("capability", "held-out before", "after", "gained on all sets", "lost on all sets")
    parts.append(table(head, _capabilities(made)))
    found = made.scorecard.regressions
    parts.append(f"Regressions: {found.count} of {count(found.of, 'scenario')} that the incumbent passed.")
    return "\n\n".join(parts)


def _score(model: ModelScores, name: SetName) -> str:
    found = model.sets.get(name)
    return within(found.composite, found.interval) if found else NONE


def _capabilities(made: Made) -> Iterator[list[str]]:
    card = made.scorecard.models
    before, after = (
        card[name].sets.get(SetName.HELDOUT) if name in card else None for name in ("incumbent", "candidate")
    )
    for one in made.background.cluster.capabilities:
        compared = made.scorecard.capability_comparisons.get(one.id)
        if before and after and compared and one.id in after.capabilities:
            figures = [f"{side.capabilities.get(one.id, 0.0):.3f}" for side in (before, after)]
            yield [code(one.id), *figures, str(compared.gained), str(compared.lost)]
