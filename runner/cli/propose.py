"""`hallmark propose`: stage and sign a promotion, or sign the proposal of another change."""

from __future__ import annotations

import json
from pathlib import Path

import click

from runner import wiring_promotion as wiring
from runner.cli.verdicts import lines
from runner.errors import ExitCode
from runner.promotion import propose as room_of
from runner.promotion.decide import Proposal, branch_of


@click.command()
@click.argument("cluster", required=False)
@click.option("--branch", help="Sign the proposal of another change, on this branch.")
@click.option("--iteration", default="", help="A finished iteration; the last by default.")
@click.option("--ci-key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="CI's key: the evidence.")
@click.option(
    "--key", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Who proposes."
)
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def propose(
    cluster: str | None,
    branch: str | None,
    iteration: str,
    ci_key: Path | None,
    key: Path,
    directory: Path,
    as_json: bool,
) -> ExitCode:
    """Propose CLUSTER's finished iteration for promotion: branch promote/CLUSTER/SEQ, evidence signed by CI.

    Whoever proposes does not count as an approver. Evidence that the gate would refuse is not proposed.

    Example: hallmark propose support-desk --ci-key ~/.ssh/ci --key ~/.ssh/ci
    """
    if bool(cluster) == bool(branch):
        raise click.UsageError("name a cluster, or give --branch")
    room, now, signer = wiring.room(directory), wiring.now(), wiring.signer(key)
    sources, repository = room.sources(), room.repository
    if branch:
        ref = branch_of(branch)
        done = room_of.propose_branch(sources, repository, branch=ref, signer=signer, now=now, remote=room.remote)
    else:
        staging = wiring.staging(room, str(cluster), iteration)
        trust = sources.policy(room.main()).trust
        ci = wiring.signer(ci_key or key)
        files = room_of.stage(staging, chain=sources.chain(staging.cluster), trust=trust, ci=ci, dump=wiring.dump)
        done = room_of.propose(
            sources, repository, files, branch=staging.branch, signer=signer, now=now, remote=room.remote
        )
    _show(done, as_json)
    return ExitCode.DONE


def _show(done: Proposal, as_json: bool) -> None:
    cluster, sequence = done.facts.place
    told = {
        "branch": done.branch.removeprefix("refs/heads/"),
        "commit": done.tip,
        "target": f"{cluster}/{sequence}" if cluster else done.branch.removeprefix("refs/heads/"),
        "manifest": done.facts.manifest,
        "waits_for": [reason.model_dump(mode="json") for reason in done.judgement.verdict.reasons],
    }
    if as_json:
        click.echo(json.dumps(told, indent=1, ensure_ascii=False))
    else:
        click.echo("\n".join([f"proposed {told['target']} on branch {told['branch']}", *lines(done.judgement.verdict)]))
