"""What a specialist learnt from: where the rows come from, what was found of each batch, how much was taken."""

from __future__ import annotations

from collections.abc import Iterator

from runner.records.dataset import Batch
from runner.records.training import Arm, Sweep
from runner.records.validation import BatchValidation, Estimate
from runner.rules.handoff.facts import Made
from runner.rules.handoff.words import NONE, bar, bullets, code, count, digest, figure, inline, percent, table
from runner.rules.loop.lineage import plural

CHAIN = ("signal", "failure", "batch", "example", "mixture", "adapter")


def provenance(made: Made) -> str:
    """From traces to rows: the chain, the batches, and what the adapter was trained on."""
    chain = ", ".join(f"{made.lineage[one]:,} {plural(one, made.lineage[one])}" for one in CHAIN if one in made.lineage)
    head = ("batch", "aims at", "made by", "seed", "rows", "accepted")
    parts = [f"From production to the adapter: {chain}." if chain else "The evidence has no lineage."]
    parts.append(table(head, (_batch(made, batch) for batch in made.batches)))
    parts.append(bullets(_trained(made)))
    return "\n\n".join(parts)


def _batch(made: Made, batch: Batch) -> list[str]:
    told = batch.provenance
    aim = made.failures.get(told.target)
    found = made.funnel.of(batch.id) if made.funnel else None
    accepted = f"{found.kept:,} of {found.generated:,} generated" if found else NONE
    by = (
        f"{told.channel}: {inline(told.generator.name)} {inline(told.generator.version)} ({told.generator.sha256[:12]})"
    )
    return [
        code(batch.id),
        code(aim.capability if aim else told.target),
        by,
        str(told.seed),
        f"{told.count:,}",
        accepted,
    ]


def _trained(made: Made) -> Iterator[str]:
    yield f"{percent(made.record.human_share)} of the new rows are human"
    yield f"base: {_base(made)}"
    if made.training:
        run = made.training.record
        yield f"mixture {digest(run.mixture)}, {count(run.examples, 'example')}"
        yield f"recipe {digest(run.recipe)}, seed {run.seed}"
        yield f"arm {code(made.training.arm)}, the adapter scaled by {made.training.strength:g}"
    for name in ("base-data", "gold", "reference", "traces", "mixture"):
        if name in made.background.artifacts:
            yield f"{name}: sha256 {code(made.background.artifacts[name])}"


def _base(made: Made) -> str:
    base = made.background.cluster.base
    if base.kind == "hub":
        return f"{code(base.id)} at {code(base.revision)}"
    words = "pre-trained from scratch on `data/base.jsonl`" if base.kind == "tiny" else "a local directory"
    return f"{words}, digest {digest(made.record.base.sha256)}"


def validation(made: Made) -> str:
    """A row a batch; figures that could not be measured are dashes."""
    if made.validation is None:
        return "The evidence has no validation."
    head = ("batch", "rows", "judgement", "told from real", "copies", "utility", "membership", "leaks")
    parts = [table(head, (_validated(one) for one in made.validation.batches))]
    reasons = [
        f"{code(one.batch)}: {inline(why.problem)}"
        for one in made.validation.batches
        for why in (*one.verdict.reasons, *one.lacking)
    ]
    if reasons:
        parts.append(bullets(reasons))
    parts.append(
        "*Told from real*: how well a classifier tells the batch from real rows, .5 is not at all. *Copies*: the share "
        "that copies parents or each other. *Utility*: trained on it and tested on real rows, over the same with real "
        "rows. *Membership*: how well distance tells the rows it was made from, .5 is not at all."
    )
    return "\n\n".join(parts)


def _validated(one: BatchValidation) -> list[str]:
    return [
        code(one.batch),
        f"{one.rows:,}",
        one.judged,
        _estimate(one.fidelity.c2st_auc if one.fidelity else None),
        figure(one.fidelity.exact_copies if one.fidelity else None),
        figure(one.utility.ratio if one.utility else None),
        figure(one.privacy.membership_auc if one.privacy else None),
        str(len(one.leaks)),
    ]


def _estimate(found: Estimate | None) -> str:
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})" if found else NONE


def sweep(made: Made) -> str:
    """The ratio curve on dev as a drawing of letters, which any reader shows, and the choice."""
    found = made.sweep
    if found is None:
        return "The evidence has no sweep."
    drawn = "\n".join(["```", *_drawn(found), "```"])
    rows = [[code(one.name), percent(one.synthetic_share), f"{one.human_rows:,}", f"{one.synthetic_rows:,}",
             f"{one.replay_rows:,}", figure(_height(one)), _barred(one)] for one in found.arms]  # fmt: skip
    head = ("arm", "synthetic", "human rows", "synthetic rows", "replayed", "dev composite", "barred")
    said = [f"The curve: {found.shape}. Chosen: {code(found.chosen)}.", inline(found.explanation)]
    if found.fragility and found.fragility.words not in found.explanation:
        said.append(inline(found.fragility.words))
    said.append("`sweep.svg` in the same evidence draws it to scale, the targeted capabilities and the others apart.")
    return "\n\n".join([*said, drawn, table(head, rows)])


def _height(arm: Arm) -> float:
    return arm.dev.composite if arm.mean is None else arm.mean


def _drawn(found: Sweep) -> Iterator[str]:
    width = max((len(one.name) for one in found.arms), default=0)
    for one in found.arms:
        mark = "  <- chosen" if one.name == found.chosen else ""
        share = percent(one.synthetic_share)
        yield f"{one.name:<{width}} {share:>4} synthetic  {_height(one):.3f} {bar(_height(one))}{mark}"


def _barred(arm: Arm) -> str:
    return "; ".join(inline(one.problem) for one in arm.barred) or "no"
