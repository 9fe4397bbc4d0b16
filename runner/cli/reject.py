"""`hallmark reject`: refuse a proposal, with a reason."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.decision import KEY, sign
from runner.errors import ExitCode
from runner.records.statement import Choice


@click.command()
@click.argument("target", metavar="CLUSTER/SEQ|BRANCH")
@click.option("--reason", required=True, help="Why, in words; it is signed with the rejection.")
@click.option("--key", required=True, type=KEY, help="Your ssh private key (or, with an agent, its .pub).")
@click.option("--as", "person", default="", help="Who you are; by default, whoever the policy says the key is.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def reject(target: str, reason: str, key: Path, person: str, yes: bool, directory: Path, as_json: bool) -> ExitCode:
    """Sign a rejection. It blocks the merge until you yourself sign a newer decision.

    Example: hallmark reject support-desk/1 --reason "refunds got worse" --key ~/.ssh/id_ed25519
    """
    return sign(
        target, Choice.REJECT, key=key, person=person, yes=yes, directory=directory, as_json=as_json, reason=reason
    )
