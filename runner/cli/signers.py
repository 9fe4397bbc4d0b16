"""Whose keys a verb signs with."""

from __future__ import annotations

from pathlib import Path

import click

from runner.ports_promotion import Signer
from runner.wiring import promotion


def signers(ci_key: Path | None, key: Path | None) -> tuple[Signer, Signer]:
    """Who signs the evidence and who signs the proposal; one key does both where only one is given."""
    evidence, proposal = ci_key or key, key or ci_key
    if evidence is None or proposal is None:
        raise click.UsageError(
            "there is no key to sign with: give --key, or let HALLMARK_CI_KEY name the file of CI's key (docs/ci.md)"
        )
    return promotion.signer(evidence), promotion.signer(proposal)
