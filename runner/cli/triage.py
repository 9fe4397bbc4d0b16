"""`hallmark triage`: decide on an iteration's candidates, on a screen or by options."""

from __future__ import annotations

import json
from pathlib import Path

import click

from runner.cli.terminal import may_ask
from runner.errors import ExitCode
from runner.rules.text.shown import shown
from runner.rules.triage.orders import Orders, document
from runner.rules.triage.session import Session
from runner.wiring import triage as wiring


@click.command()
@click.argument("cluster")
@click.option("--iteration", default="", help="Which one, where several wait.")
@click.option("--reviewer", default="", metavar="NAME", help="Who decides; the key's person in policy/ by default.")
@click.option("--key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The ssh key to sign with.")
@click.option("--accept", multiple=True, metavar="ID", help="Accept a candidate; may be given again.")
@click.option("--reject", multiple=True, metavar="ID", help="Reject a candidate; may be given again.")
@click.option("--reason", default="", help="Why: of every rejection of this call.")
@click.option("--edit", default="", metavar="ID", help="Edit a candidate with --input and --answer.")
@click.option("--input", "text", default=None, metavar="TEXT", help="The last user message as it should read.")
@click.option("--answer", default=None, metavar="TEXT", help="The answer as it should be.")
@click.option("--rank", multiple=True, type=(str, int), metavar="ID PLACE", help="Rank among those for one input.")
@click.option("--background", is_flag=True, help="Say nearest gold, nearest parent and rubrics of each; may fetch.")
@click.option("--finish", is_flag=True, help="Sign the review, commit it and push the branch.")
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="No screen: one JSON document and nothing else.")
def triage(
    cluster: str,
    iteration: str,
    reviewer: str,
    key: Path | None,
    accept: tuple[str, ...],
    reject: tuple[str, ...],
    reason: str,
    edit: str,
    text: str | None,
    answer: str | None,
    rank: tuple[tuple[str, int], ...],
    background: bool,
    finish: bool,
    directory: Path,
    as_json: bool,
) -> ExitCode:
    """Accept, reject or edit the candidates of CLUSTER that wait for people.

    On a terminal a full screen worked with the arrow keys: left rejects, right accepts, h shows every key, and every
    key is saved. Without one, or with --json or a decision among the options, what is undecided is one JSON document.
    Exits 0 when nothing waits for the reviewer any more, 4 while something does.

    Example: hallmark triage support-desk
    """
    if (text is not None or answer is not None) and not edit:
        raise click.UsageError("--input and --answer belong to --edit ID")
    if reason and not reject:
        raise click.UsageError("--reason belongs to --reject ID")
    orders = Orders(accept, reject, reason, edit, text, answer, dict(rank))
    desk = wiring.desk(directory, cluster, iteration=iteration, reviewer=reviewer, key=key)
    if not (as_json or orders.named or orders.ranks or finish or background) and may_ask():
        return _on_screen(desk)
    session = desk.carry_out(orders)
    said = desk.finish() if finish else desk.told
    found = desk.background() if background else None
    click.echo(json.dumps(document(session, found, path=desk.store.name, told=said), indent=1, ensure_ascii=False))
    return _code(session)


def _on_screen(desk: wiring.Desk) -> ExitCode:
    session, said = wiring.show(desk)
    left = len(session.undecided)
    state = f"{left} wait for you" if left else "nothing waits for you"
    unsent = f"; press s, or give --finish, to sign and send {desk.store.name}"
    click.echo(shown(f"{state}: {said}" if said else f"{state}{unsent}"))
    return _code(session)


def _code(session: Session) -> ExitCode:
    return ExitCode.WAITING if session.undecided else ExitCode.DONE
