"""`hallmark handoff`: everything that whoever takes a specialist over must know, in one document."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import click

from runner.errors import ExitCode
from runner.promotion.handoff import HandedOver
from runner.rules.canonical import sha256
from runner.wiring import handoff as wiring

TARGET = re.compile(r"(?P<cluster>[a-z0-9-]+)(?:/0*(?P<sequence>[1-9][0-9]{0,5}))?\Z")


@click.command()
@click.argument("target", metavar="CLUSTER[/SEQ]")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the document to this file.")
@click.option("--validate", is_flag=True, help="Hold each card against its format's own validator instead.")
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def handoff(target: str, output: Path | None, validate: bool, directory: Path, as_json: bool) -> ExitCode:
    """The hand-off of what serves CLUSTER, or of promotion SEQ, as Markdown.

    It is made of the promotion's evidence (the part that CI signed), of people's own words in
    clusters/CLUSTER/handoff.md, and of what has been promoted since. --validate names what huggingface_hub, mlcroissant
    and CycloneDX's own schema find wrong with the cards in the evidence; they come with the extra `dev`.

    \b
    Examples:
      hallmark handoff support-desk --output handoff.md
      hallmark handoff support-desk/1 --validate
    """
    match = TARGET.match(target)
    if match is None:
        raise click.UsageError("name a cluster, or a promotion as CLUSTER/SEQ")
    if validate and output:
        raise click.UsageError("--validate writes no document: leave --output out")
    number = match["sequence"]
    found = wiring.handed_over(directory, match["cluster"], int(number) if number else None)
    problems = wiring.validated(found.files) if validate else {}
    if output:
        wiring.write_file(output, found.document.encode())
    if as_json:
        click.echo(json.dumps(_told(found, problems), indent=1, ensure_ascii=False))
    elif validate:
        _show(found, problems)
    elif output:
        click.echo(f"{output}: the hand-off of {found.record.cluster}/{found.record.sequence}")
    else:
        click.echo(found.document, nl=False)
    return ExitCode.REFUSED if any(problems.values()) else ExitCode.DONE


def _told(found: HandedOver, problems: Mapping[str, tuple[str, ...]]) -> dict[str, object]:
    return {
        "cluster": found.record.cluster,
        "sequence": found.record.sequence,
        "adapter": found.record.adapter.sha256 if found.record.adapter else None,
        "signed": found.signed,
        "files": {name: sha256(data) for name, data in found.files.items()},
        **({"problems": problems} if problems else {"document": found.document}),
    }


def _show(found: HandedOver, problems: Mapping[str, tuple[str, ...]]) -> None:
    where = "evidence" if found.signed else "made now"
    for name, said in problems.items():
        click.echo(f"{found.record.cluster}/{found.record.sequence} {name} ({where}): {'invalid' if said else 'valid'}")
        for one in said:
            click.echo(f"  {one}")
