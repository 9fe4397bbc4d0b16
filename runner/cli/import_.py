"""`hallmark import`: a cluster, or scenarios of one, from what people have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from runner import wiring, wiring_evaluate
from runner.errors import ExitCode
from runner.records.terms import Origin, SetName, Severity
from runner.rules.assay import Terms
from runner.rules.labelled import SETS, TRAINING, Labelled
from runner.rules.labelled_answers import Request

FILE = click.Path(dir_okay=False, path_type=Path)
PARTS = tuple(map(str, (*TRAINING, *SETS)))
SHARE = click.FloatRange(0, 1)


@click.group()
def import_() -> None:
    """Make a cluster from what you have, or add scenarios to one."""


@import_.command()
@click.option("--cluster", required=True, help="The new cluster's name, such as support-desk.")
@click.option("--base", type=FILE, required=True, help="What the tiny base is trained on. It must have every label.")
@click.option("--gold", type=FILE, required=True, help="Human examples for the specialist.")
@click.option("--traffic", type=FILE, required=True, help="What production saw; the label becomes feedback.")
@click.option("--core", type=FILE, required=True, help="Scenarios that diagnosis may look at.")
@click.option("--dev", type=FILE, required=True, help="Scenarios that selection looks at.")
@click.option("--heldout", type=FILE, required=True, help="Scenarios that yield scores and nothing else; frozen.")
@click.option("--representative", type=FILE, help="Scenarios as production has them.")
@click.option("--reserve", type=FILE, help="Scenarios that no model is asked until held-out rotates.")
@click.option("--reference", type=FILE, help="Real texts held back, for the privacy check.")
@click.option("--text-column", default="text", show_default=True)
@click.option("--label-column", default="label", show_default=True)
@click.option("--answer-column", default="", help="The right answers as JSON objects, where the label alone is none.")
@click.option("--answer-field", default="", help="The key of these objects that names the label.")
@click.option("--schema", type=click.File(encoding="utf-8"), help="The JSON schema of these objects.")
@click.option("--problem", "problem_file", default="", help="A problem.md to use; otherwise one is drafted.")
@click.option("--real-only", type=SHARE, help="What real data alone reaches; measured on dev when not given.")
@click.option("--threshold-composite", type=SHARE, default=0.7, show_default=True)
@click.option("--threshold-heldout", type=SHARE, default=0.7, show_default=True)
@click.option("--triage", type=click.Choice(["all", "none"]), default="all", show_default=True,
              help="Whether people decide on every candidate, or the policy passes them.")  # fmt: skip
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--push/--no-push", default=True, help="Push the data to DVC's default remote, where there is one.")
@click.option("--json", "as_json", is_flag=True, help="Print what was made as one JSON document.")
def labelled(directory: Path, push: bool, as_json: bool, **options: Any) -> ExitCode:
    """Make a cluster from labelled text: CSV files with a header, one text and one label a row.

    A label becomes a capability, a text of a set a scenario. The label is the right answer, unless --answer-column
    names a column of JSON objects: then each of them names its label under --answer-field. A text that stands in a
    set is left out of what trains. The thresholds are starting points: review them in cluster.yaml and problem.md
    before the first run.

    Example: hallmark import labelled --cluster bank --base base.csv --gold gold.csv --traffic traffic.csv
    --core core.csv --dev dev.csv --heldout heldout.csv --text-column text --label-column category
    """
    files = {part: options[part] for part in PARTS if options[part] is not None}
    options["schema"] = options["schema"].read() if options["schema"] else ""
    request = Request(**{key: value for key, value in options.items() if key not in PARTS})
    made = wiring.import_labelled(directory, files, request, push=push)
    if as_json:
        click.echo(json.dumps(_summary(made), indent=1))
    else:
        _tell(made)
    return ExitCode.DONE


@import_.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--cluster", required=True, help="The cluster that the scenarios are for.")
@click.option("--set", "into", type=click.Choice([*map(str, SetName)]), default="core", show_default=True)
@click.option(
    "--origin", type=click.Choice([*map(str, Origin)]), required=True, help="Who wrote them: the file does not say."
)
@click.option("--severity", type=click.Choice([*map(str, Severity)]), default="medium", show_default=True)
@click.option("--capability", default="", help="One for all of them; otherwise their first axis, or their category.")
@click.option("--rubric", default="", help="What decides where the file has no checker: a rubric of this workspace.")
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as one JSON document.")
def assay(file: Path, cluster: str, into: str, directory: Path, as_json: bool, **terms: Any) -> ExitCode:
    """Take over the scenarios of the Assay file FILE, a scenario or a set of them, into a set of a cluster. Checkers
    become rubrics, as drafts. Nothing is written unless all of it can be.

    Example: hallmark import assay scenarios.json --cluster support-desk --origin human --capability refund-status
    """
    terms |= {"origin": Origin(terms["origin"]), "severity": Severity(terms["severity"])}
    written = wiring_evaluate.import_assay(directory, cluster, file, into=SetName(into), terms=Terms(**terms))
    if as_json:
        click.echo(json.dumps(written._asdict(), indent=1))
        return ExitCode.DONE
    click.echo("\n".join([*written.scenarios, *written.rubrics]))
    click.echo("next: read them, write the right answers where there were none, approve the rubrics, hallmark check")
    return ExitCode.DONE


def _summary(made: Labelled) -> dict[str, object]:
    return {
        "cluster": made.cluster.id,
        "capabilities": len(made.cluster.capabilities),
        "scenarios": {str(name): len(found) for name, found in made.scenarios.items()},
        "examples": {part: len(rows) for part, rows in made.examples.items()},
        "traces": len(made.traces),
        "left_out": [row._asdict() for row in made.left_out],
        "thresholds": made.cluster.gate.thresholds.model_dump(),
        "real_only_baseline": made.problem.real_only_baseline.model_dump(),
    }


def _tell(made: Labelled) -> None:
    name = made.cluster.id
    scenarios = ", ".join(f"{len(found):,} {part}" for part, found in made.scenarios.items() if found)
    examples = ", ".join(f"{len(rows):,} {part}" for part, rows in made.examples.items())
    click.echo(f"clusters/{name}: {len(made.cluster.capabilities):,} capabilities")
    click.echo(f"scenarios/{name}: {scenarios}")
    click.echo(f"clusters/{name}/data: {examples}, {len(made.traces):,} traces")
    for row in made.left_out[:5]:
        click.echo(f"left out of {row.part}: {row.file}:{row.line} (the same text stands in {row.kept_in})")
    if len(made.left_out) > 5:
        click.echo(f"left out: {len(made.left_out):,} rows in all; --json lists them")
    floors, baseline = made.cluster.gate.thresholds, made.problem.real_only_baseline
    click.echo(f"to review: composite {floors.composite}, held-out {floors.heldout} in clusters/{name}/cluster.yaml")
    click.echo(f"to review: real-only baseline {baseline.value} in clusters/{name}/problem.md. {baseline.how}")
    click.echo("next: hallmark check, commit, hallmark iterate " + name)
