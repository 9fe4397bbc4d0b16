"""Why a specialist exists, what came before it, what may go wrong, and how it is made again or taken back."""

from __future__ import annotations

from collections.abc import Iterable

from runner.records.promotion import PromotionRecord
from runner.records.triggers import Trigger, trigger_name
from runner.rules.handoff.facts import Made
from runner.rules.handoff.words import bullets, code, digest, inline, table

HISTORY = ("sequence", "what", "stage", "adapter", "iteration", "benchmark")


def problem(made: Made) -> str:
    told = made.background.problem
    real = told.real_only_baseline
    return "\n\n".join(
        [
            inline(told.gap),
            f"**Why real data cannot fill it.** {inline(told.why_not_real_data)}",
            f"**What decides.** A {told.metric} of {told.threshold:g}. Real data alone: {real.value:g}, by "
            f"{inline(real.how)}",
        ]
    )


def history(made: Made) -> str:
    """The promotions up to and with this one."""
    return table(HISTORY, rows_of([*made.background.records.values(), made.record]))


def rows_of(records: Iterable[PromotionRecord]) -> list[list[str]]:
    return [
        [
            str(one.sequence),
            _what(one),
            one.stage,
            digest(one.adapter.sha256 if one.adapter else None),
            code(one.run.iteration),
            f"version {one.benchmark.version}",
        ]
        for one in sorted(records, key=lambda one: one.sequence)
    ]


def _what(record: PromotionRecord) -> str:
    if record.restores is not None:
        return f"rollback to {record.restores or 'the base'}"
    return f"{record.kind}, follows {record.follows}" if record.follows else f"{record.kind}"


def limitations(made: Made) -> str:
    """What the figures leave open, and what people know."""
    found = made.risks.risks if made.risks else ()
    lines = [f"**{inline(one.title)}.** {inline(one.detail)}" for one in found]
    return bullets([*lines, *map(inline, made.background.stated.limitations)])


def triggers(made: Made) -> str:
    """What starts an iteration though nobody merged anything; people's own signs stand in their part."""
    found = made.background.cluster.triggers
    if not found:
        return "The cluster declares no triggers; people say in `handoff.md` when they look again."
    return bullets(_trigger(one) for one in found)


def _trigger(trigger: Trigger) -> str:
    """Its name, and its settings as cluster.yaml has them."""
    settings = {name: value for name, value in trigger.model_dump(mode="json").items() if name not in ("kind", "of")}
    figures = {name: str(value) if isinstance(value, int) else f"{value:g}" for name, value in settings.items()}
    listed = ", ".join(f"{name.replace('_', ' ')} {said}" for name, said in figures.items())
    return code(trigger_name(trigger)) + (f": {listed}" if listed else "")


def rollback(made: Made) -> str:
    found = made.rollback
    if found is None:
        return "The evidence has no rollback contract."
    to = f"promotion {found.to_sequence} (adapter {digest(found.to_adapter)})" if found.to_sequence else "the bare base"
    return f"To {to}, when {inline(found.when)}; on the word of {inline(found.who)}."


def commands(record: PromotionRecord) -> tuple[str, str, str]:
    """What makes every output of the iteration again, in a clone of the repository."""
    return f"git switch {record.run.branch}", "dvc pull", "dvc repro --force --no-run-cache"


def reproduce(made: Made) -> str:
    listed = "\n".join(["```", *commands(made.record), "```"])
    return (
        f"In a clone of the repository, with the program and the pins that it had:\n\n{listed}\n\n"
        "Afterwards `git status --short` says nothing: every file is the same to the byte on the same kind of machine. "
        "Elsewhere figures may differ in their last digits, and `dvc.lock` says which."
    )


def measured(made: Made) -> str:
    """Figures that do not repeat."""
    found = made.operations
    if found is None:
        return "The evidence has no operational figures."
    per = f"{found.cost_per_decision:.3g} {inline(found.currency)}"
    return bullets(
        [
            f"on {inline(found.machine)}",
            f"latency {found.latency_p50_ms:.1f} ms (median), {found.latency_p95_ms:.1f} ms (95th percentile)",
            f"{found.tokens_per_second:,.0f} tokens a second in batches",
            f"{found.seconds_per_decision:.3g} s and {per} a decision",
            f"{found.peak_memory_mib:,.0f} MiB at most",
            f"trained in {found.training_seconds:,.0f} s",
        ]
    )
