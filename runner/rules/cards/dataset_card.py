"""The dataset card of what trained an adapter: a Hugging Face README that says how many rows of which origin there are,
and how each batch was made. It shows no row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runner.rules.cards.front_matter import front_matter
from runner.rules.cards.licenses import on_hub
from runner.rules.handoff.data import provenance, validation
from runner.rules.handoff.facts import Made
from runner.rules.handoff.words import bullets, code, sentence, stated, table

BUCKETS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000)
WORDS = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B")
"""The Hub's categories of sizes."""


def dataset_card(made: Made) -> str:
    """The whole README."""
    return front_matter(metadata(made)) + "\n" + "\n\n".join(_body(made)) + "\n"


def metadata(made: Made) -> dict[str, Any]:
    """The card's YAML (huggingface.co/docs/hub/datasets-cards). What nobody states or recorded is left out."""
    told = made.background.stated
    return {
        **({"language": list(told.language)} if told.language else {}),
        **on_hub(told.data_license),
        "pretty_name": f"What {made.target} was trained on",
        "task_categories": ["text-generation"],
        **({"size_categories": [size(made.training.record.examples)]} if made.training else {}),
        "tags": ["hallmark", made.record.cluster],
    }


def size(rows: int) -> str:
    return WORDS[sum(rows >= bound for bound in BUCKETS)]


def _body(made: Made) -> Iterator[str]:
    told, cluster = made.background.stated, made.background.cluster
    yield f"# What {made.target} was trained on"
    yield (
        f"{sentence(cluster.title)} The mixture that iteration {code(made.record.run.iteration)} trained an adapter "
        "on. Its rows stand in DVC, at the digests below; this card shows none of them."
    )
    yield "## Terms"
    yield bullets(
        [
            f"**Licence:** {stated(told.data_license)}",
            f"**Who answers for it:** {stated(told.owner)}",
            f"**Personal data:** {stated(told.personal_data)}",
        ]
    )
    yield "## Composition"
    yield table(("origin", "rows"), composition(made))
    yield (
        "Every row is `human`, `synthetic` or `corrected` (synthetic, mended by a person), for ever. No row "
        "stands, nearly or wholly, in a frozen set: phase 8 looks for that."
    )
    yield "## How the rows came to be"
    yield provenance(made)
    yield "## What was found of them"
    yield validation(made)


def composition(made: Made) -> list[list[str]]:
    """Rows of the chosen arm, by origin."""
    arm = next((one for one in made.sweep.arms if one.name == made.sweep.chosen), None) if made.sweep else None
    if arm is None:
        return []
    rows = {"human, new": arm.human_rows, "synthetic, new": arm.synthetic_rows, "replayed": arm.replay_rows}
    if arm.corrected_rows:
        rows["of the new ones, mended by a person"] = arm.corrected_rows
    return [[name, f"{count:,}"] for name, count in rows.items()]
