"""`hallmark propose`: stage and sign a promotion, or sign the proposal of another change."""

from __future__ import annotations

import json
from pathlib import Path

import click

from runner.cli.said import reasons
from runner.cli.signers import signers
from runner.cli.verdicts import worst
from runner.errors import ExitCode, HallmarkError, exit_code
from runner.ports_promotion import Signer
from runner.promotion import propose as room_of
from runner.promotion.candidacy import Candidacy, CandidacyState, candidacy, clusters_on
from runner.promotion.decide import Proposal, branch_of
from runner.promotion.later import deprecate, move_on
from runner.promotion.propose import Staging
from runner.records.promotion import ServingStage
from runner.wiring import promotion

LATER = (ServingStage.CANARY, ServingStage.PRODUCTION, ServingStage.DEPRECATED)
SAID = {
    CandidacyState.UNFINISHED: "{one.cluster}: no finished iteration to propose",
    CandidacyState.PROPOSED: "{one.cluster}: {one.iteration} is already proposed on branch {one.branch}",
    CandidacyState.PROMOTED: "{one.cluster}: {one.iteration} is already promoted as {one.target}",
}


@click.command()
@click.argument("cluster", required=False)
@click.option(
    "--all", "every", is_flag=True, help="Every cluster whose last iteration is finished and not yet proposed."
)
@click.option("--unattended", is_flag=True, help="CLUSTER as --all takes it: where nothing is due, that is no failure.")
@click.option("--branch", help="Sign the proposal of another change, on this branch.")
@click.option("--iteration", default="", help="A finished iteration; the last by default.")
@click.option(
    "--stage",
    type=click.Choice([stage.value for stage in LATER]),
    help="A later step of a promoted adapter: on to canary or production, or out of service (CLUSTER/SEQ).",
)
@click.option(
    "--traffic",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --stage: results on traffic, a JSON object a line (docs/staging.md).",
)
@click.option("--why", default="", help="With --stage deprecated: the reason, in words; it is signed.")
@click.option(
    "--ci-key",
    envvar="HALLMARK_CI_KEY",
    show_envvar=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CI's key: the evidence.",
)
@click.option(
    "--key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Who proposes; CI by default."
)
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def propose(
    cluster: str | None,
    every: bool,
    unattended: bool,
    branch: str | None,
    iteration: str,
    stage: str | None,
    traffic: Path | None,
    why: str,
    ci_key: Path | None,
    key: Path | None,
    directory: Path,
    as_json: bool,
) -> ExitCode:
    """Propose CLUSTER's finished iteration for promotion: branch promote/CLUSTER/SEQ, evidence signed by CI.

    Whoever proposes does not count as an approver. Evidence that the gate would refuse is not proposed, and every
    proposal has walked its own way back: a rollback drill in a scratch repository, whose seconds are evidence.

    \b
    Examples:
      hallmark propose support-desk --ci-key ~/.ssh/ci --key ~/.ssh/ci
      hallmark propose support-desk --stage canary --traffic results.jsonl --ci-key ~/.ssh/ci
      hallmark propose support-desk/4 --stage deprecated --why "superseded" --ci-key ~/.ssh/ci
    """
    if [bool(cluster), bool(branch), every].count(True) != 1 or (every and iteration):
        raise click.UsageError("name a cluster, or give --branch or --all")
    if unattended and (not cluster or iteration or stage):
        raise click.UsageError("--unattended goes with a cluster, and with no --iteration and no --stage")
    if stage and (not cluster or iteration):
        raise click.UsageError("--stage goes with a cluster, and with no --iteration: the adapter is promoted already")
    ci, signer = signers(ci_key, key)
    room, now = promotion.room(directory), promotion.now()
    sources, repository = room.sources(), room.repository
    if every or unattended:
        return _propose_all(room, cluster, ci=ci, signer=signer, as_json=as_json)
    if branch:
        ref = branch_of(branch)
        done = room_of.propose_branch(sources, repository, branch=ref, signer=signer, now=now, remote=room.remote)
    else:
        if stage:
            staging = _later(room, str(cluster), ServingStage(stage), traffic=traffic, why=why)
        else:
            staging = promotion.staging(room, str(cluster), iteration)
        done = _propose(room, staging, ci=ci, signer=signer)
    _show(done, as_json)
    return ExitCode.DONE


def _later(room: promotion.Room, cluster: str, stage: ServingStage, *, traffic: Path | None, why: str) -> Staging:
    """The next step of an adapter that is promoted already."""
    if stage is ServingStage.DEPRECATED:
        name, _, sequence = cluster.partition("/")
        if not sequence.isdigit() or not why or traffic:
            raise click.UsageError("name the adapter as CLUSTER/SEQ, and say --why; traffic has no part in it")
        return deprecate(room.sources(), room.main(), name, int(sequence), why=why)
    if traffic is None or why:
        raise click.UsageError(f"{stage} asks for --traffic: results of the adapter and the incumbent, and no --why")
    data = traffic.read_bytes()
    return move_on(room.sources(), room.main(), cluster, stage, results=data, path=str(traffic))


def _propose(room: promotion.Room, staging: Staging, *, ci: Signer, signer: Signer) -> Proposal:
    """Walk the way back, sign, and push the branch."""
    sources = room.sources()
    if staging.stage is not ServingStage.DEPRECATED:
        staging = promotion.drilled(room, staging)
    trust = sources.policy(room.main()).trust
    files = room_of.stage(staging, chain=sources.chain(staging.cluster), trust=trust, ci=ci, dump=promotion.dump)
    return room_of.propose(
        sources, room.repository, files, branch=staging.branch, signer=signer, now=promotion.now(), remote=room.remote
    )


def _propose_all(room: promotion.Room, only: str | None, *, ci: Signer, signer: Signer, as_json: bool) -> ExitCode:
    """Every cluster (or only one), whatever became of the others. Exits as the worst of them."""
    told: list[dict[str, object]] = []
    codes, sources, main = [ExitCode.DONE], room.sources(), room.main()
    for name in clusters_on(sources, main, only=only):
        try:
            one = candidacy(sources, name, main=main, tip=room.now_at)
            done = None
            if one.state is CandidacyState.DUE:
                done = _propose(room, promotion.staging(room, name, one.iteration), ci=ci, signer=signer)
        except HallmarkError as error:
            click.echo(f"hallmark: {name}: {error}", err=True)
            codes.append(exit_code(error))
            told.append({"cluster": name, "state": "failed", "problem": str(error)})
            continue
        told.append(_told_of(one, done))
        if not as_json:
            click.echo(_words(done) if done else SAID[one.state].format(one=one))
    if as_json:
        click.echo(json.dumps(told, indent=1, ensure_ascii=False))
    return worst(codes)


def _told_of(one: Candidacy, done: Proposal | None) -> dict[str, object]:
    """A cluster's part of the JSON document; `due` has become `proposed` where it was proposed now."""
    said = {"cluster": one.cluster, "iteration": one.iteration}
    if done:
        return {**said, "state": CandidacyState.PROPOSED.value, "now": True, **_told(done)}
    at = {"target": one.target, "branch": one.branch} if one.sequence else {}
    return {**said, "state": one.state.value, "now": False, **at}


def _told(done: Proposal) -> dict[str, object]:
    cluster, sequence = done.facts.place
    return {
        "branch": done.branch.removeprefix("refs/heads/"),
        "commit": done.tip,
        "target": f"{cluster}/{sequence}" if cluster else done.branch.removeprefix("refs/heads/"),
        "manifest": done.facts.manifest,
        "waits_for": [reason.model_dump(mode="json") for reason in done.judgement.verdict.reasons],
    }


def _words(done: Proposal) -> str:
    told = _told(done)
    return "\n".join([f"proposed {told['target']} on branch {told['branch']}", *reasons(done.judgement.verdict)])


def _show(done: Proposal, as_json: bool) -> None:
    click.echo(json.dumps(_told(done), indent=1, ensure_ascii=False) if as_json else _words(done))
