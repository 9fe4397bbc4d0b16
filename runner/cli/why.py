"""`hallmark why`: from an artifact up to the production traces, and down to the adapter."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from runner.errors import ExitCode
from runner.rules.loop.lineage import WIDTH, Answer, Branch, explain, left_out, line, plural
from runner.wiring.why import locate

PIPED = 400
"""Columns where the output is no terminal: nothing is cut or wrapped."""


@click.command()
@click.argument("artifact", metavar="ID")
@click.option("--cluster", default="", help="Look at this cluster alone.")
@click.option("--iteration", default="", help="Read this iteration's run branch instead of the promotions.")
@click.option(
    "--width", type=click.IntRange(1, 1000), default=WIDTH, show_default=True, help="Neighbours shown a node."
)
@click.option("--directory", "-C", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def why(artifact: str, cluster: str, iteration: str, width: int, directory: Path, as_json: bool) -> ExitCode:
    """Why an artifact exists and what became of it.

    ID is a promotion (support-desk/1), an adapter's sha256 or its first digits, or the id of a batch, failure
    cluster, example or signal. The newest promotion that contains it answers.

    Example: hallmark why support-desk/1
    """
    evidence, wanted = locate(artifact, cluster=cluster, iteration=iteration, directory=directory)
    answer = explain(evidence.lineage, wanted, width=width)
    if as_json:
        document = {"source": evidence.source, **asdict(answer), "node": answer.node.model_dump(mode="json")}
        click.echo(json.dumps(document, indent=1, ensure_ascii=False))
    else:
        console = Console(highlight=False)
        _show(console if console.is_terminal else Console(highlight=False, width=PIPED), answer, evidence.source)
    return ExitCode.DONE


def _show(console: Console, answer: Answer, source: str) -> None:
    console.print(Text(f"{line(Branch(answer.node.id, answer.node.kind, answer.node.label))}, in {source}"))
    views = (("because of", answer.parents, answer.behind), ("led to", answer.children, answer.ahead))
    for title, branch, reached in views:
        if not branch.branches:
            continue
        counts = ", ".join(f"{len(names)} {plural(kind, len(names))}" for kind, names in reached.items())
        tree = Tree(Text(f"{title} ({counts})"), guide_style="dim")
        for other in branch.branches:
            _grow(tree, other)
        for text in left_out(branch):
            tree.add(Text(text, style="dim"))
        console.print(tree)


def _grow(tree: Tree, branch: Branch) -> None:
    below = tree.add(Text(line(branch)))
    for other in branch.branches:
        _grow(below, other)
    for text in left_out(branch):
        below.add(Text(text, style="dim"))
