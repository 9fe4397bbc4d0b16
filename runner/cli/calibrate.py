"""`hallmark calibrate`: hold a judge against people's labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.errors import ExitCode

if TYPE_CHECKING:
    from runner.wiring.judges import Calibrated


@click.command()
@click.argument("cluster")
@click.argument("labels", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--judge", default="", metavar="JUDGE", help="The judge; each that has labels where none is named.")
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print the calibrations as one JSON document.")
def calibrate(cluster: str, labels: Path | None, judge: str, directory: Path, as_json: bool) -> ExitCode:
    """Ask the judges of CLUSTER about answers that people labelled, and write how well they agree.

    LABELS is a file of labels, one JSON object a line (scenario, criterion, answer, met, by), which are added to the
    judge's. A criterion counts only from the judge's floor up; exit code 1 says that one does not.

    Example: hallmark calibrate support-desk --judge tone labels.jsonl
    """
    from runner.cli.evaluating import Progress
    from runner.wiring import judges

    with Progress(quiet=as_json) as progress:
        made = judges.calibrate(directory, cluster, judge=judge, labels=labels, progress=progress.update)
    if as_json:
        found = [{**one.record.model_dump(mode="json"), "path": one.path, "shown": one.why_shown} for one in made]
        click.echo(json.dumps({"calibrations": found}, indent=1))
    else:
        for one in made:
            _table(one)
    return ExitCode.REFUSED if any(why for one in made for why in one.why_shown.values()) else ExitCode.DONE


def _table(one: Calibrated) -> None:
    from runner.rules.judges.calibration import in_words

    for line in in_words(one.record, one.why_shown):
        click.echo(line)
    click.echo(one.path)
