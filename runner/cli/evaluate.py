"""`hallmark evaluate`: ask a model the benchmark's scenarios, and read, compare and pass on what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from runner.errors import ExitCode
from runner.records.evaluation import StageName
from runner.records.terms import OutcomeType, SetName
from runner.rules.text.shown import shown as safe

HERE = click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
FORMAT = click.option("--format", type=click.Choice(["inspect", "lm-eval"]), required=True, help="Whose log it is.")
KEEP = click.option("--keep", is_flag=True, help="Put the summary where git tracks it, the log behind a DVC pointer.")
SETS = [name.value for name in SetName if name.value in {stage.value for stage in StageName}]
UNTIL = [stage.value for stage in StageName if stage is not StageName.HELDOUT]
RUN = "run"


class Evaluate(click.Group):
    """A group whose first word may be a cluster: then it is evaluated."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            args = [RUN, *args]
        return super().resolve_command(ctx, args)


@click.group(cls=Evaluate)
def evaluate() -> None:
    """Ask a model a cluster's scenarios: `hallmark evaluate CLUSTER`, which is short for `hallmark evaluate run`.

    Example: hallmark evaluate support-desk --model base
    """


@evaluate.command(RUN)
@click.argument("cluster")
@click.option("--model", default="incumbent", show_default=True, metavar="MODEL",
              help="base, incumbent, a promotion's sequence, or a directory with an adapter.")  # fmt: skip
@click.option("--stage", "stages", type=click.Choice(UNTIL), multiple=True,
              help="Only this stage; may be given several times.")  # fmt: skip
@click.option("--set", "sets", type=click.Choice(SETS), multiple=True,
              help="Only this set; may be given several times. Held-out is asked in no other way.")  # fmt: skip
@click.option("--until", type=click.Choice(UNTIL), help="Every stage up to this one, but for held-out.")
@click.option("--count-look", is_flag=True,
              help="Enter an adapter's look at held-out in the ledger: it is one of `heldout_looks`.")  # fmt: skip
@click.option("--early-stop", is_flag=True, help="End where the gate would refuse the model whatever came later.")
@click.option("--engine", type=click.Choice(["transformers", "vllm", "openai"]), default=None,
              help="What answers, if not the engine of cluster.yaml.")  # fmt: skip
@click.option("--no-cache", is_flag=True, help="Ask also what this machine remembers the answer of.")
@KEEP
@HERE
@JSON
def run(
    cluster: str,
    stages: tuple[str, ...],
    sets: tuple[str, ...],
    until: str | None,
    engine: str | None,
    no_cache: bool,
    directory: Path,
    as_json: bool,
    **options: Any,
) -> ExitCode:
    """Ask a model the scenarios of CLUSTER as they stand in this work tree, grade its answers, and keep a log: core,
    representative and dev, if no stage or set is named. An adapter that is not promoted looks at held-out only with
    --count-look.

    The log is in .hallmark/evaluations, or with --keep in clusters/CLUSTER/evaluations.

    Example: hallmark evaluate support-desk --model base --set core
    """
    from runner.cli.evaluating import Progress
    from runner.rules.evaluation.evaluation_view import block
    from runner.wiring import evaluate as wiring_evaluate
    from runner.wiring import flywheel

    asked = tuple(dict.fromkeys(StageName(name) for name in (*stages, *sets)))
    options |= {"stages": asked, "until": StageName(until) if until else None}
    options |= {"engine": engine or "", "cached": not no_cache}
    with Progress(quiet=as_json) as progress:
        kept = wiring_evaluate.evaluate(directory, cluster, progress=progress.update, **options)
    if as_json:
        click.echo(json.dumps({"run": kept.run.model_dump(mode="json"), "log": str(kept.log)}, indent=1))
        return ExitCode.DONE
    thresholds = flywheel.workspace(directory, cluster).cluster.gate.thresholds
    _table(block(kept.run, thresholds))
    click.echo(f"log  {kept.log}")
    return ExitCode.DONE


@evaluate.command()
@click.argument("name", metavar="RUN")
@click.option("--failed", is_flag=True, help="Only scenarios that failed.")
@click.option("--capability", default="", help="Only scenarios of this capability.")
@click.option("--set", "set_name", default="", help="Only scenarios of this set.")
@click.option("--outcome", type=click.Choice([*map(str, OutcomeType)]), help="Only scenarios of this outcome type.")
@click.option(
    "--under", default="", help="Only scenarios under this perturbation, such as typos; `any` for all of them."
)
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Scenarios at most.")
@HERE
@JSON
def show(name: str, under: str, limit: int, directory: Path, as_json: bool, **filters: Any) -> ExitCode:
    """Show the evaluation RUN: its summary, and with a filter the scenarios with answer, reference and explanation.

    RUN is an id or the beginning of one, or the path of a log. Of held-out scenarios there are scores alone.

    Example: hallmark evaluate show base-3f2a91c07d11 --failed --capability refund
    """
    from runner.rules.evaluation.evaluation_view import block, sample_lines
    from runner.wiring import logs

    found = logs.shown(directory, name, under=under or "none", limit=limit, **filters)
    if as_json:
        document = {
            "run": found.run.model_dump(mode="json"),
            "matching": found.matching,
            "samples": [one.model_dump(mode="json") for one in found.samples],
        }
        click.echo(json.dumps(document, indent=1, ensure_ascii=False))
        return ExitCode.DONE
    if not under and not any(filters.values()):
        _table(block(found.run, None))
        return ExitCode.DONE
    for sample in found.samples:
        click.echo(safe("\n".join(sample_lines(sample))))
    click.echo(f"{len(found.samples):,} of {found.matching:,} scenarios shown")
    return ExitCode.DONE


@evaluate.command()
@click.argument("before", metavar="RUN")
@click.argument("after", metavar="RUN")
@HERE
@JSON
def diff(before: str, after: str, directory: Path, as_json: bool) -> ExitCode:
    """Compare two evaluations, paired over the scenarios that both asked, and name every scenario that turned.

    Example: hallmark evaluate diff base-3f2a91c07d11 adapter-90ab12cd34ef
    """
    from runner.rules.evaluation.evaluation_view import difference_lines
    from runner.wiring import logs

    found = logs.difference_of(directory, before, after)
    lines = "\n".join(map(safe, difference_lines(found)))
    click.echo(json.dumps(found.model_dump(mode="json"), indent=1) if as_json else lines)
    return ExitCode.DONE


@evaluate.command("list")
@click.argument("cluster", default="")
@HERE
@JSON
def list_(cluster: str, directory: Path, as_json: bool) -> ExitCode:
    """Name the evaluations of this repository and this machine, or those of CLUSTER.

    Example: hallmark evaluate list support-desk
    """
    from runner.rules.evaluation.evaluation_view import row
    from runner.wiring import logs

    found = logs.listed(directory, cluster)
    if as_json:
        click.echo(json.dumps([run.model_dump(mode="json") for run in found], indent=1))
    elif found:
        _table(map(row, found))
    else:
        click.echo("no evaluations yet; see `hallmark evaluate --help`")
    return ExitCode.DONE


@evaluate.command()
@click.argument("name", metavar="RUN")
@click.argument("target", type=click.Path(path_type=Path))
@FORMAT
@HERE
@JSON
def export(name: str, target: Path, format: str, directory: Path, as_json: bool) -> ExitCode:
    """Write the evaluation RUN as another program's log: for Inspect the file TARGET, .eval or .json; for lm-eval the
    directory TARGET with results and samples. Of held-out there are scores and ids alone.

    Example: hallmark evaluate export base-3f2a91c07d11 base.eval --format inspect
    """
    from runner.wiring import logs

    files = [str(path) for path in logs.export(directory, name, target, format=format)]
    click.echo(json.dumps(files) if as_json else "\n".join(files))
    return ExitCode.DONE


@evaluate.command("import")
@click.argument("cluster")
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@FORMAT
@KEEP
@HERE
@JSON
def import_(cluster: str, file: Path, format: str, keep: bool, directory: Path, as_json: bool) -> ExitCode:
    """Take the log FILE of another program over as an evaluation of CLUSTER. Scores are computed again where their
    scorer is known (match, includes, exact, exact_match, acc), and each that is not the recorded one is named.

    Example: hallmark evaluate import support-desk logs/desk.eval --format inspect
    """
    from runner.rules.evaluation.evaluation_view import block, imported_lines
    from runner.wiring import logs

    kept, found = logs.import_log(directory, cluster, file, format=format, keep=keep)
    if as_json:
        scores = [{"recomputed": one.recomputed, "taken": one.taken, "differing": one.differing} for one in found]
        click.echo(json.dumps({"run": kept.run.model_dump(mode="json"), "log": str(kept.log), "scores": scores}))
        return ExitCode.DONE
    _table(block(kept.run, None))
    for one in found:
        _table(imported_lines(one))
    click.echo(f"log  {kept.log}")
    return ExitCode.DONE


def _table(lines: Iterable[tuple[str, str]]) -> None:
    rows = list(lines)
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        click.echo(safe(f"{name:<{width}}  {value}"))
