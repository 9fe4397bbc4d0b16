from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from runner.edges.artifacts import record_bytes
from runner.edges.new_workspace import initialise
from runner.edges.plots import sweep_svg
from runner.edges.report import render
from runner.edges.report_figures import sweep_curve
from runner.records.evidence import EvidenceFile
from runner.records.mixture import TailCoverage
from runner.records.score import Interval
from runner.records.training import CurveShape, Gain, SeedRun, Sweep
from runner.records.verdict import Reason
from runner.rules.canonical import canonical
from runner.rules.data.sweep import curve
from tests.evidence_fixture import WEAK, cluster, evidence, set_score, sweep


def words(svg: bytes) -> list[str]:
    return ["".join(node.itertext()).strip() for node in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_same_sweep_same_bytes() -> None:
    assert sweep_svg(sweep(), targeted=WEAK) == sweep_svg(sweep(), targeted=WEAK)


def test_another_sweep_other_bytes() -> None:
    arms = sweep().arms
    moved = arms[2].model_copy(update={"dev": set_score(0.5, 0.94, 120)})
    other = sweep().model_copy(update={"arms": (*arms[:2], moved, *arms[3:])})
    assert sweep_svg(sweep()) != sweep_svg(other)


def test_no_date_and_no_creator() -> None:
    svg = sweep_svg(sweep())
    assert b"dc:date" not in svg
    assert b"matplotlib.org/" not in svg.replace(b"http://www.w3.org", b"")


def test_it_says_what_was_chosen_and_where_the_arms_stand() -> None:
    said = words(sweep_svg(sweep(), targeted=WEAK))
    assert "chosen: s25" in said
    assert {"0%", "25%", "50%", "71%"} <= set(said)
    assert {"targeted", "others", "all capabilities, control arm", "Sweep: plateau"} <= set(said)


def test_targeted_apart_only_where_the_scores_tell() -> None:
    assert "targeted" not in words(sweep_svg(sweep()))
    assert "targeted" not in words(sweep_svg(sweep(), targeted=("unknown",)))


def test_control_arm_can_be_the_chosen_one() -> None:
    said = words(sweep_svg(sweep().model_copy(update={"chosen": "control"})))
    assert not any(text.startswith("chosen") for text in said)


def banded() -> Sweep:
    """The sweep as it is made now: two seeds, intervals, gains and tails."""
    arms = []
    for arm in sweep().arms:
        value = arm.dev.composite
        more = {
            "mean": value,
            "interval": Interval(low=value - 0.02, high=value + 0.03),
            "more_seeds": (SeedRun(seed=8, dev=arm.dev, training=arm.training),),
            "tails": TailCoverage(slices=(), slices_kept=1.0, ngrams=120, ngrams_kept=0.77),
        }
        if arm.name not in ("control", "s0"):
            interval = Interval(low=-0.031, high=0.042, level=0.98)
            more["gain"] = Gain(over="s0", difference=0.005, interval=interval)
        if arm.name == "s75":
            more["barred"] = (Reason(step="tail coverage", problem="11% of 4 rare slices survive"),)
        arms.append(arm.model_copy(update=more))
    return sweep().model_copy(update={"arms": tuple(arms), "shape": CurveShape.INCONCLUSIVE})


def test_bands_are_drawn_where_there_are_intervals() -> None:
    assert "95% interval" in words(sweep_svg(banded()))
    assert "95% interval" not in words(sweep_svg(sweep()))
    old, new = sweep_curve(sweep()), sweep_curve(banded())
    assert old.count('class="whisker"') == 0
    assert new.count('class="whisker"') == 3 * 4, "a stem and two ends for each arm but the control"
    arm = banded().arms[2]
    assert arm.interval is not None
    assert f"s25 {arm.mean:.3f} at 25% synthetic (interval {arm.interval.low:.3f} to {arm.interval.high:.3f})" in new


def test_the_report_shows_seeds_gains_and_why_an_arm_was_barred() -> None:
    files = {**evidence(), EvidenceFile.SWEEP: canonical(banded())}
    page = render(files, cluster=cluster()).decode()
    for said in ("cannot be told", "77%", "s75 could not be chosen: 11% of 4 rare slices survive", "+0.005"):
        assert said in page


def test_dvc_draws_the_bands_of_a_new_workspace(tmp_path: Path) -> None:
    """The curve as phase 10 writes it, through the template that `hallmark init` brings."""
    initialise(tmp_path, remote="../store")
    (tmp_path / "params.yaml").write_text("clusters:\n  desk: {}\n")
    run = tmp_path / "clusters" / "desk" / "run"
    run.mkdir(parents=True)
    (run / "curve.json").write_bytes(record_bytes(curve(banded().arms, WEAK)))
    command = [str(Path(sys.executable).parent / "dvc"), "plots", "show", "clusters/desk/run/curve.json", "--show-vega"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    band = found["layer"][0]["encoding"]
    assert (band["y"]["field"], band["y2"]["field"]) == ("low", "high")
    points = {point["arm"]: point for point in found["data"]["values"]}
    assert points["s25"]["seeds"] == 2
    assert points["s25"]["low"] < points["s25"][found["layer"][1]["encoding"]["y"]["field"]] < points["s25"]["high"]
