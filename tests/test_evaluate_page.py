"""docs/evaluate.md: its commands run in their order, and its tables say what the code does."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from runner.cli.main import group
from runner.edges.simulated_models import SimulatedModels
from runner.flywheel import iterate
from runner.rules.evaluation.foreign_logs import SCORERS
from runner.wiring import flywheel
from tests.desk_repository import flow, git, make
from tests.printed import ROOT, commands

PAGE = ROOT / "docs" / "evaluate.md"
SAYS = {
    "hallmark evaluate support-desk --model base": r"core +0\.600 / 0\.800",
    "hallmark evaluate support-desk": r"model +base: nothing is promoted",
    "hallmark evaluate list": r"(?m)^base-\w{12} .*\nincumbent-\w{12} ",
    "hallmark evaluate show incumbent --failed --capability warranty-repair --limit 1": r"1 of 22 scenarios shown",
    "hallmark evaluate diff base incumbent": r"gained 0, lost 0 of 110",
    "hallmark evaluate diff ITERATION/incumbent ITERATION/candidate": r"gained +core/core-broken-00",
    "hallmark evaluate export incumbent incumbent.eval --format inspect": r"incumbent\.eval",
    "hallmark evaluate export incumbent lm --format lm-eval": r"lm/results_incumbent-\w{12}\.json",
    "hallmark evaluate import support-desk incumbent.eval --format inspect": r"every score is the recorded one",
    "hallmark import assay scenarios.json --cluster support-desk --set reserve --origin human "
    "--capability refund-status": r"scenarios/support-desk/reserve/public-adtech-tp-bid-floor\.yaml",
}
ASSAY = {
    "id": "PUBLIC_ADTECH_TP_BID_FLOOR",
    "input": {"messages": [{"role": "user", "content": "The floor price doubled. Which audit lane?"}]},
    "rubric": {"kind": "programmatic", "checker": "non-empty"},
    "meta": {"outcomeType": "tp", "lane": "bid-floor"},
}
HERE = {"warranty-repair": "broken", "refund-status": "refund"}


def test_the_commands_of_the_page_on_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they are printed, but for the capabilities of the small desk, whose cluster is called as the page's is."""
    desk = make(tmp_path, id="support-desk")
    iterate(flow(desk, "support-desk"))
    iteration = git(desk, "for-each-ref", "--format=%(refname:lstrip=4)", "refs/heads/runs/")
    (desk / "scenarios.json").write_text(json.dumps({"scenarios": [ASSAY]}))
    monkeypatch.setattr(flywheel, "TransformersModels", lambda threads: SimulatedModels())
    monkeypatch.chdir(desk)
    printed = [one.command for one in commands(PAGE, running_text=False)]
    assert sorted(printed) == sorted(SAYS)
    for command in printed:
        words = [HERE.get(word, word).replace("ITERATION", iteration) for word in shlex.split(command)[1:]]
        done = CliRunner().invoke(group, words, standalone_mode=False)
        assert done.exception is None, f"{command}: {done.exception}"
        assert re.search(SAYS[command], done.output), done.output


def test_the_scorers_of_the_page_are_those_that_are_known() -> None:
    table = PAGE.read_text().partition("| scorer | of |")[2].partition("\n\n")[0]
    assert set(re.findall(r"(?m)^\| `(\w+)` ", table)) == {*SCORERS, "acc"}
