"""`hallmark doctor`: what is wrong with this machine and this workspace, and how to mend it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from runner.cli.check import top_of
from runner.errors import ExitCode, RecordError
from runner.rules.doctor.findings import WORST, Finding, Level, healthy
from runner.rules.text.shown import shown
from runner.wiring import doctor as wiring_doctor

COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red", Level.UNSEEN: "blue"}


@click.command()
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--timeout", default=wiring_doctor.NETWORK_S, show_default=True, help="Seconds for remote and forge.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def doctor(directory: Path, timeout: float, as_json: bool) -> ExitCode:
    """Check this machine and the workspace: programs, packages, GPU, disk, clock, git repository, DVC remote and cache,
    locks, policy, keys of CI and the gate, hook, CODEOWNERS and the forge's rules.

    Each finding says why it matters and how to mend it. A probe is written to the DVC remote, read and removed. What
    was not looked at is said, never taken for right. Exit code 1 where there is a problem; also works outside a
    workspace.

    Example: hallmark doctor
    """
    started = time.monotonic()
    here = directory.resolve()
    try:
        top = top_of(here)
    except RecordError:
        top = None
    findings = wiring_doctor.examine(here, top, timeout_s=timeout)
    if as_json:
        rows = [one._asdict() for one in findings]
        seconds = round(time.monotonic() - started, 3)
        found = {"healthy": healthy(findings), "workspace": str(top or ""), "findings": rows, "seconds": seconds}
        click.echo(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        for finding in findings:
            show(finding)
        counts = ((level, sum(one.level is level for one in findings)) for level in WORST)
        click.echo(", ".join(f"{number} {level}" for level, number in counts if number))
    return ExitCode.DONE if healthy(findings) else ExitCode.REFUSED


def show(finding: Finding) -> None:
    """A line, and where something is to be done two more."""
    level = click.style(f"{finding.level:<13}", fg=COLOURS[finding.level])
    click.echo(f"{level} {finding.check:<11} {shown(finding.what)}")
    if finding.level in (Level.WARNING, Level.PROBLEM):
        click.echo(f"{'':<25} {shown(finding.why)}")
    if finding.fix:
        click.echo(f"{'':<25} → {shown(finding.fix)}")
