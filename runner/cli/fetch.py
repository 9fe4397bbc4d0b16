"""`hallmark fetch`: a promoted adapter for serving, verified to its last byte."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.roots import root_of_trust
from runner.cli.verdicts import show
from runner.errors import ExitCode, RecordError
from runner.promotion.fetch import Target
from runner.promotion.fetch import fetch as bring
from runner.promotion.updates import MAIN
from runner.wiring import promotion
from runner.wiring.boundary import declared_boundaries


@click.command()
@click.argument("target", metavar="CLUSTER[@SEQ|@STAGE]")
@click.option("--to", "directory_to", required=True, type=click.Path(path_type=Path), help="A new directory.")
@click.option(
    "--root",
    default="",
    metavar="SHA256",
    callback=root_of_trust,
    help="Verify all of main from this first policy/trust.yaml.",
)
@click.option("--offline", is_flag=True, help="Believe what this clone has: newer revocations are not seen.")
@click.option("--store", type=click.Path(exists=True, file_okay=False, path_type=Path), help="DVC storage directory.")
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def fetch(
    target: str, directory_to: Path, root: str, offline: bool, store: Path | None, directory: Path, as_json: bool
) -> ExitCode:
    """Bring the adapter that is in production, or that of a sequence or stage, into a new directory.

    Its promotion is judged again with its receipt and tag (with --root, all of main), and every byte is checked.
    Revoked, deprecated and unreceipted adapters are refused, and where this machine is outside of the cluster's
    boundary (docs/fleet.md). The directory appears whole or not at all.

    Example: hallmark fetch support-desk@canary --to adapters/canary-7 --root 3f0c…
    """
    room = promotion.room(directory, store=store)
    if not offline:
        room.refresh()
    tip, inside = room.tip(MAIN), declared_boundaries()
    if tip is None or room.store is None:
        raise RecordError("this clone has no main", path=str(directory))
    found = bring(
        room.offline(), room.store, Target.parse(target), tip=tip, root=root, now=promotion.now(), inside=inside
    )
    record = found.record
    fresh = found.verdict.passed and promotion.deliver(directory_to, found.files)
    headline = f"{record.cluster}/{record.sequence} ({record.stage}) for serving"
    if found.verdict.passed:
        headline += f", {'written to' if fresh else 'already in'} {directory_to}"
    adapter = record.adapter.sha256 if record.adapter else None
    more = {"cluster": record.cluster, "sequence": record.sequence, "stage": record.stage.value, "adapter": adapter}
    more |= {"base": record.base.sha256, "commit": found.commit, "written": fresh}
    return show(found.verdict, headline=headline, as_json=as_json, **more)
