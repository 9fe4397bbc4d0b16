"""`hallmark policy`: make a first policy from people's ssh public keys, and lint one."""

from __future__ import annotations

import json
from pathlib import Path

import click

from runner.cli.key_files import SHAPE, named_key
from runner.cli.verdicts import show
from runner.errors import ExitCode, RecordError
from runner.promotion.policy import Member, first_policy, judge_files
from runner.rules.canonical import sha256
from runner.rules.trust.signers import TRUST
from runner.wiring import promotion

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def policy() -> None:
    """Make and lint the policy of who may approve what.

    Example: hallmark policy lint
    """


def _member(value: str) -> Member:
    name, path, roles = named_key(value)
    return Member(name, path.read_text(errors="replace"), roles, str(path))


@policy.command()
@click.option("--person", "people", multiple=True, required=True, metavar=SHAPE)
@click.option("--ci", required=True, metavar="NAME=KEY.pub", help="Who signs evidence.")
@click.option("--gate", required=True, metavar="NAME=KEY.pub", help="Who signs receipts and tags.")
@click.option("--repository", required=True, help="The name that every statement binds to.")
@click.option("--days", default=365, show_default=True, help="How long the policy holds.")
@click.option("--approvers", default=2, show_default=True, help="People a promotion asks for.")
@click.option("--directory", "-C", type=FOLDER, default=".")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def init(
    people: tuple[str, ...],
    ci: str,
    gate: str,
    repository: str,
    days: int,
    approvers: int,
    directory: Path,
    as_json: bool,
) -> ExitCode:
    """Write policy/trust.yaml, allowed_signers and revoked. People without roles get `approver` and `maintainer`.

    Roles: approver (promotions), maintainer (policy, revocation, code), benchmark-owner (scenarios, rubrics), on-call
    (rollback). Where nobody has a role, maintainers stand in.

    Example: hallmark policy init --repository acme/desk --person alice=alice.pub --person bob=bob.pub
    --person carol=carol.pub --ci ci=ci.pub --gate gate=gate.pub
    """
    if promotion.read_policy(directory):
        hint = "change it by a pull request: `hallmark propose --branch`"
        raise RecordError("there is a policy already", path=str(directory / "policy"), hint=hint)
    members = [_member(value) for value in people]
    files = first_policy(
        members, ci=_member(ci), gate=_member(gate), repository=repository, now=promotion.now(), days=days,
        approvers=approvers, dump=promotion.dump,
    )  # fmt: skip
    root = sha256(files["policy/trust.yaml"])
    verdict = judge_files(files, parse=promotion.parse, locate=promotion.line_of, now=promotion.now())
    if verdict.passed:
        promotion.write_files(directory, files)
    return show(verdict, headline=f"policy, root of trust {root}", as_json=as_json, root=root, files=sorted(files))


@policy.command()
@click.option("--directory", "-C", type=FOLDER, default=".")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def lint(directory: Path, as_json: bool) -> ExitCode:
    """Check the policy's files for every trap, each with its line and what to do: missing namespaces, patterns, CAs,
    shared, weak and revoked keys, keys of nobody and people without keys, pins, quorums that cannot be met, expiry.

    Example: hallmark policy lint
    """
    files = promotion.read_policy(directory)
    verdict = judge_files(files, parse=promotion.parse, locate=promotion.line_of, now=promotion.now())
    return show(verdict, headline="policy", as_json=as_json)


@policy.command()
@click.option("--directory", "-C", type=FOLDER, default=".")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def root(directory: Path, as_json: bool) -> ExitCode:
    """Print the sha256 of policy/trust.yaml: of a first policy, its root of trust.

    Example: hallmark policy root
    """
    files = promotion.read_policy(directory)
    if TRUST not in files:
        raise RecordError("is missing", path=TRUST, hint="begin with `hallmark policy init`")
    digest = sha256(files[TRUST])
    click.echo(json.dumps({"root": digest}) if as_json else digest)
    return ExitCode.DONE
