"""`hallmark verify`: a clone's whole history, offline, from a root of trust."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.roots import root_of_trust
from runner.cli.verdicts import show
from runner.errors import ExitCode, RecordError
from runner.promotion.updates import MAIN
from runner.promotion.verify import verify as walk
from runner.wiring import gate


@click.command()
@click.option(
    "--root",
    required=True,
    metavar="SHA256",
    callback=root_of_trust,
    help="sha256 of the first policy/trust.yaml.",
)
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def verify(root: str, directory: Path, as_json: bool) -> ExitCode:
    """Judge every step of main again, with its receipts and tags, and name the first commit that does not hold.

    Needs no network and no server: what this clone has fetched is what is verified. Adapters' bytes are checked by
    `hallmark approve` and by the gate.

    Example: hallmark verify --root 3f0c…
    """
    room = gate.room(directory, with_bytes=False)
    tip = room.tip(MAIN)
    if tip is None:
        raise RecordError("this clone has no main", path=str(directory))
    found = walk(room.offline(), tip=tip, root=root)
    headline = f"{found.commits} commits, {len(found.promotions)} promotions verified"
    if found.commit:
        headline += f"; the first that does not hold is {found.commit}"
    if found.withdrawn:
        headline += f"; not deployable, by a key revoked from before their receipts: {', '.join(found.withdrawn)}"
    fallen = {name: [reason.problem for reason in reasons] for name, reasons in found.withdrawn.items()}
    more = {
        "withdrawn": fallen,
        "tip": tip,
        "commit": found.commit,
        "commits": found.commits,
        "promotions": found.promotions,
        "reviews": found.reviews,
    }
    code = show(found.verdict, headline=headline, as_json=as_json, **more)
    for one in () if as_json else found.reviews:
        place, person, count = one.split()
        click.echo(f"{person} decided {count} candidates of {place}, signed")
    return code
