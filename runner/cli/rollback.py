"""`hallmark rollback`: propose to go back to an earlier production adapter, by hand or because what serves fell."""

from __future__ import annotations

import json
from pathlib import Path

import click

from runner.cli.signers import signers
from runner.cli.verdicts import worst
from runner.errors import ExitCode, HallmarkError, exit_code
from runner.ports_promotion import Signer
from runner.promotion.candidacy import clusters_on
from runner.promotion.propose import Staging, propose, stage
from runner.promotion.rollback import rollback_to
from runner.promotion.watch import rollback_if_below
from runner.wiring import promotion

KEY = click.Path(exists=True, dir_okay=False, path_type=Path)
Keys = tuple[Signer, Signer]
"""Who signs the evidence, and who signs the proposal."""


@click.command()
@click.argument("target", metavar="CLUSTER[/SEQ]", required=False)
@click.option("--why", default="", help="What went wrong, in words; it is signed.")
@click.option(
    "--if-below",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Propose it only if the serving adapter is under its thresholds in these results: a baseline.json or "
    "scorecard.json of a later iteration, or results on traffic.",
)
@click.option("--all", "every", is_flag=True, help="Each cluster, if its last iteration's baseline says so.")
@click.option("--unattended", is_flag=True, help="CLUSTER as --all takes it, if its last iteration's baseline says so.")
@click.option("--ci-key", type=KEY, envvar="HALLMARK_CI_KEY", show_envvar=True, help="CI's key: the evidence.")
@click.option("--key", type=KEY, help="Who proposes; CI by default.")
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def rollback(
    target: str | None,
    why: str,
    if_below: Path | None,
    every: bool,
    unattended: bool,
    ci_key: Path | None,
    key: Path | None,
    directory: Path,
    as_json: bool,
) -> ExitCode:
    """Propose a new sequence that brings back the adapter of CLUSTER/SEQ; one on-call person signs it, by default.

    SEQ 0 is the bare base; without SEQ it goes back to what the serving adapter took the place of. With --if-below or
    --all nothing is proposed while the serving adapter holds its thresholds (exit code 0); where it does not, the
    proposal waits for people (exit code 4).

    \b
    Examples:
      hallmark rollback support-desk/3 --why "refunds misrouted" --ci-key ~/.ssh/ci --key ~/.ssh/ci
      hallmark rollback support-desk --if-below results.jsonl --ci-key ~/.ssh/ci
      hallmark rollback --all --ci-key ~/.ssh/ci
    """
    if [bool(target), every].count(True) != 1 or ((every or unattended) and (why or if_below)):
        raise click.UsageError("name a cluster, or give --all alone; --unattended goes with a cluster alone")
    if target and not unattended and bool(why) == bool(if_below):
        raise click.UsageError("say --why, or give the results that decide it with --if-below")
    keys = signers(ci_key, key)
    cluster, _, sequence = (target or "").partition("/")
    if sequence and (if_below or unattended or not sequence.isdigit()):
        raise click.UsageError(
            "name the sequence to go back to, as CLUSTER/SEQ, and with --if-below or --unattended none"
        )
    room = promotion.room(directory)
    if every or unattended:
        return _every(room, target, keys, as_json=as_json)
    if if_below:
        told = _watched(room, cluster, if_below.read_bytes(), str(if_below), keys)
        _show([told], as_json)
        return ExitCode.WAITING if told["below"] else ExitCode.DONE
    staging = rollback_to(room.sources(), room.main(), cluster, int(sequence) if sequence else None, why=why)
    _show([_proposed(room, staging, keys)], as_json)
    return ExitCode.DONE


def _proposed(room: promotion.Room, staging: Staging, keys: Keys) -> dict[str, object]:
    """Sign, push, and say so."""
    sources, (ci, signer) = room.sources(), keys
    trust = sources.policy(room.main()).trust
    files = stage(staging, chain=sources.chain(staging.cluster), trust=trust, ci=ci, dump=promotion.dump)
    branch, now = staging.branch, promotion.now()
    done = propose(sources, room.repository, files, branch=branch, signer=signer, now=now, remote=room.remote)
    branch = branch.removeprefix("refs/heads/")
    told: dict[str, object] = {"cluster": staging.cluster, "branch": branch, "commit": done.tip}
    return {**told, "restores": staging.restores}


def _watched(room: promotion.Room, cluster: str, data: bytes, path: str, keys: Keys) -> dict[str, object]:
    """Judge what serves by results, and propose the way back if it fell."""
    found = rollback_if_below(
        room.sources(), room.repository, room.main(), cluster, results=data, path=path, remote=room.remote
    )
    told: dict[str, object] = {"cluster": cluster, "below": list(found.below)}
    if found.branch:
        return {**told, "branch": found.branch.removeprefix("refs/heads/"), "already": True}
    return {**told, **_proposed(room, found.staging, keys)} if found.staging else told


def _every(room: promotion.Room, only: str | None, keys: Keys, *, as_json: bool) -> ExitCode:
    """Every cluster (or only one), whatever became of the others. Exits as the worst of them."""
    codes: list[ExitCode] = [ExitCode.DONE]
    told: list[dict[str, object]] = []
    for cluster in clusters_on(room.sources(), room.main(), only=only):
        try:
            name, baseline = promotion.last_baseline(room, cluster)
            told.append(_watched(room, cluster, baseline, name, keys) if name else {"cluster": cluster, "below": []})
            codes.append(ExitCode.WAITING if told[-1]["below"] else ExitCode.DONE)
        except HallmarkError as error:
            click.echo(f"hallmark: {cluster}: {error}", err=True)
            told.append({"cluster": cluster, "problem": str(error)})
            codes.append(exit_code(error))
    _show(told, as_json, many=True)
    return worst(codes)


def _show(told: list[dict[str, object]], as_json: bool, *, many: bool = False) -> None:
    if as_json:
        click.echo(json.dumps(told if many else told[0], indent=1, ensure_ascii=False))
        return
    for line in (line for one in told for line in _words(one)):
        click.echo(line)


def _words(one: dict[str, object]) -> list[str]:
    if "problem" in one:
        return []
    below = one.get("below")
    lines = [f"{one['cluster']}: {problem}" for problem in below] if isinstance(below, list) else []
    if one.get("already"):
        return [*lines, f"{one['cluster']}: a rollback is proposed already on branch {one['branch']}"]
    if "restores" in one:
        back = f"sequence {one['restores']}" if one["restores"] else "the bare base"
        sign = f"one on-call person signs: hallmark approve {one['branch']} --key KEY"
        return [*lines, f"proposed {one['cluster']} back to {back} on branch {one['branch']}", f"  → {sign}"]
    return lines or [f"{one['cluster']}: nothing serving is under its thresholds"]
