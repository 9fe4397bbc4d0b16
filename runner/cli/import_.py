"""`hallmark import`: a cluster, or scenarios of one, from what people have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from runner.cli.evaluating import Progress
from runner.cli.import_files import instructlab, lm_eval, promptfoo
from runner.cli.imported import summary, tell
from runner.errors import ExitCode
from runner.records.terms import Origin, SetName, Severity
from runner.rules.adopt.assay import Terms
from runner.rules.data.labelled import SETS, TRAINING
from runner.rules.data.labelled_answers import Request
from runner.rules.data.splits import SEED
from runner.wiring import adopt, evaluate

FILE = click.Path(dir_okay=False, path_type=Path)
PARTS = tuple(map(str, (*TRAINING, *SETS)))
NEEDED = ("base", "gold", "core", "dev", "heldout")
SHARE = click.FloatRange(0, 1)


@click.group()
def import_() -> None:
    """Make a cluster from what you have, or add scenarios to one.

    Example: hallmark import labelled messages.csv --cluster routing
    """


for command in (instructlab, promptfoo, lm_eval):
    import_.add_command(command)


@import_.command()
@click.argument("file", type=FILE, required=False)
@click.option("--cluster", required=True, help="The new cluster's name, such as support-desk.")
@click.option("--seed", type=int, default=SEED, show_default=True, help="Divides FILE.")
@click.option("--base", type=FILE, help="What the tiny base is trained on. It must have every label.")
@click.option("--gold", type=FILE, help="Human examples for the specialist.")
@click.option("--traffic", type=FILE, help="What production saw; the label becomes feedback.")
@click.option("--core", type=FILE, help="Scenarios that diagnosis may look at.")
@click.option("--dev", type=FILE, help="Scenarios that selection looks at.")
@click.option("--heldout", type=FILE, help="Scenarios that yield scores and nothing else; frozen.")
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
def labelled(file: Path | None, directory: Path, push: bool, seed: int, as_json: bool, **options: Any) -> ExitCode:
    """Make a cluster from labelled text: CSV with a header, one text and one label a row.

    FILE alone is divided into sets and training data by a seed, texts that say nearly the same on one side; --traffic
    may stand beside it. Or give each part a file: --base, --gold, --core, --dev, --heldout.

    A label becomes a capability, a text of a set a scenario. The label is the right answer, unless --answer-column
    names a column of JSON objects: then each of them names its label under --answer-field. A text that stands in a
    set is left out of what trains. The thresholds are starting points: review them in cluster.yaml and problem.md
    before the first run.

    Example: hallmark import labelled messages.csv --cluster routing
    """
    files = _files(file, {part: options[part] for part in PARTS if options[part] is not None})
    options["schema"] = options["schema"].read() if options["schema"] else ""
    request = Request(**{key: value for key, value in options.items() if key not in PARTS})
    with Progress(quiet=as_json) as progress:
        made = adopt.import_labelled(directory, files, request, push=push, seed=seed, progress=progress.update)
    if as_json:
        click.echo(json.dumps(summary(made), indent=1))
    else:
        tell(made)
    return ExitCode.DONE


def _files(file: Path | None, parts: dict[str, Path]) -> dict[str, Path]:
    """What is read, by part. One file is divided, or each part has one."""
    if file is not None:
        other = sorted(parts.keys() - {"traffic"})
        if other:
            raise click.UsageError(f"FILE is divided into all parts: leave --{other[0]} out, or FILE")
        return {adopt.WHOLE: file, **parts}
    if missing := [part for part in NEEDED if part not in parts]:
        raise click.UsageError(f"give one FILE to divide, or each part a file: --{missing[0]} is missing")
    return parts


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
    written = evaluate.import_assay(directory, cluster, file, into=SetName(into), terms=Terms(**terms))
    if as_json:
        click.echo(json.dumps(written._asdict(), indent=1))
        return ExitCode.DONE
    click.echo("\n".join([*written.scenarios, *written.rubrics]))
    click.echo("next: read them, write the right answers where there were none, approve the rubrics, hallmark check")
    return ExitCode.DONE
