"""`hallmark rollback`: propose to go back to an earlier promoted adapter."""

from __future__ import annotations

import json
from pathlib import Path

import click

from runner import wiring_promotion as wiring
from runner.errors import ExitCode
from runner.promotion.propose import propose, stage
from runner.promotion.rollback import rollback_to

KEY = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("target", metavar="CLUSTER/SEQ")
@click.option("--why", required=True, help="What went wrong, in words; it is signed.")
@click.option("--ci-key", required=True, type=KEY, help="CI's key: the evidence.")
@click.option("--key", required=True, type=KEY, help="Who proposes.")
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def rollback(target: str, why: str, ci_key: Path, key: Path, directory: Path, as_json: bool) -> ExitCode:
    """Propose a new sequence that brings back the adapter of CLUSTER/SEQ. One on-call person signs it, by default.

    Example: hallmark rollback support-desk/3 --why "refunds misrouted" --ci-key ~/.ssh/ci --key ~/.ssh/ci
    """
    cluster, _, sequence = target.partition("/")
    if not sequence.isdigit():
        raise click.UsageError("name the sequence to go back to, as CLUSTER/SEQ")
    room = wiring.room(directory)
    sources, main = room.sources(), room.main()
    staging = rollback_to(sources, main, cluster, int(sequence), why=why)
    trust, ci = sources.policy(main).trust, wiring.signer(ci_key)
    files = stage(staging, chain=sources.chain(cluster), trust=trust, ci=ci, dump=wiring.dump)
    signer, branch = wiring.signer(key), staging.branch
    done = propose(sources, room.repository, files, branch=branch, signer=signer, now=wiring.now(), remote=room.remote)
    told = {"branch": branch.removeprefix("refs/heads/"), "commit": done.tip, "target": f"{cluster}/{staging.sequence}"}
    click.echo(json.dumps(told, indent=1) if as_json else f"proposed {told['target']}, back to {target}")
    return ExitCode.DONE
