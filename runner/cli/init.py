"""`hallmark init`: a new workspace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from runner.cli.imported import summary, tell
from runner.cli.init_questions import asked, validated
from runner.cli.key_files import SHAPE, named_key
from runner.cli.terminal import may_ask
from runner.errors import ExitCode
from runner.records.setup import Answers, PolicyAnswers
from runner.rules.repository.code_owners import STAND_IN
from runner.wiring import adopt
from runner.wiring.adopt import Begun


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), default=".")
@click.option("--answers", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A YAML file that answers every question; see the schema init-answers.")  # fmt: skip
@click.option("--remote", help="DVC's default remote: a path or URL. By default a folder beside DIRECTORY.")
@click.option("--forge", help="Whose workflows are written, or none.  [default: github]")
@click.option(
    "--person",
    "people",
    multiple=True,
    metavar=SHAPE,
    help="Who signs; several. With them --repository, --ci and --gate, as of `hallmark policy init`.",
)
@click.option("--ci", metavar="NAME=KEY.pub", help="Who signs evidence.")
@click.option("--gate", metavar="NAME=KEY.pub", help="Who signs receipts and tags.")
@click.option("--repository", help="The name that every statement binds to, such as acme/desk.")
@click.option("--approvers", type=click.IntRange(1), default=2, show_default=True, help="People a promotion asks for.")
@click.option("--commit/--no-commit", default=None, help="Commit what was written, as whom git knows.")
@click.option("--yes", "-y", is_flag=True, help="Ask nothing on a terminal: take the defaults.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one JSON document.")
def init(
    directory: Path,
    file: Path | None,
    remote: str | None,
    forge: str | None,
    commit: bool | None,
    yes: bool,
    as_json: bool,
    **signers: Any,
) -> ExitCode:
    """Make a workspace in DIRECTORY: layout, git with the branch main, DVC with a default remote, the forge's workflows
    and CODEOWNERS, hooks for pre-commit; a policy from people's keys, where there are any, and a first cluster.

    On a terminal a few questions are asked, each with a default. Run again, it writes what is missing and changes
    nothing that is there.

    Example: hallmark init desk
    """
    answers, beside = Answers(), Path()
    if file is not None:
        answers, beside = adopt.read_answers(file), file.parent
    elif not (yes or as_json or signers["people"]) and may_ask():
        answers = asked(directory, forges=adopt.forges())
    said = {"remote": remote, "forge": forge, "commit": commit, "policy": _policy(**signers)}
    answers = answers.model_copy(update={name: value for name, value in said.items() if value is not None})
    begun = adopt.begin(directory, answers, beside=beside)
    if as_json:
        click.echo(json.dumps(_document(directory, begun), indent=1))
    else:
        _tell(directory, answers, begun)
    return ExitCode.DONE


def _policy(
    people: tuple[str, ...], ci: str | None, gate: str | None, repository: str | None, approvers: int
) -> PolicyAnswers | None:
    """None where nobody is named."""
    if not (people or ci or gate or repository):
        return None
    if not (people and ci and gate and repository):
        raise click.UsageError("a policy needs --person, --ci, --gate and --repository")
    said = {
        "repository": repository,
        "people": [_key(one) | {"roles": named_key(one).roles} for one in people],
        "ci": _key(ci),
        "gate": _key(gate),
        "approvers": approvers,
    }
    return validated(PolicyAnswers, said)


def _key(value: str) -> dict[str, object]:
    name, path, _ = named_key(value)
    return {"name": name, "key": str(path.resolve())}


def _document(directory: Path, begun: Begun) -> dict[str, object]:
    return {
        "directory": str(directory),
        "files": sorted(begun.written),
        "kept": list(begun.kept),
        "owners": begun.owners._asdict() if begun.owners is not None else None,
        "root": begun.root,
        "cluster": summary(begun.cluster) if begun.cluster is not None else None,
        "commit": begun.commit,
    }


def _tell(directory: Path, answers: Answers, begun: Begun) -> None:
    click.echo(f"{directory}: {len(begun.written)} files" if begun.written else f"{directory}: nothing was missing")
    for name in begun.kept:
        click.echo(f"kept: {name} is there and says something else than this version would write")
    if begun.root:
        click.echo(f"policy: its root of trust is {begun.root}; tell it to whoever verifies")
    if begun.cluster is not None:
        tell(begun.cluster)
    if begun.commit:
        click.echo(f"committed: {begun.commit[:12]}")
    for line in _left(answers, begun):
        click.echo(f"to do: {line}")
    if answers.cluster is None:
        click.echo("next: hallmark import --help, or write clusters/<cluster>/ by hand")


def _left(answers: Answers, begun: Begun) -> list[str]:
    """What no default can know."""
    owners, theirs = answers.owners, begun.owners
    found = []
    if theirs is not None and theirs.lacks:
        lines = "".join(f"\n  {line}" for line in theirs.lacks)
        found.append(f"add at the end of {theirs.path}, which is yours and the one that the forge reads:{lines}")
    unnamed = None in (owners.domain_owners, owners.approvers, owners.platform)
    if answers.forge != "none" and unnamed and (theirs is None or theirs.lacks):
        found.append(f"put your own teams in the place of {STAND_IN}… in CODEOWNERS")
    if not begun.root:
        found.append("make a policy when there are keys: hallmark policy init --help")
    return found
