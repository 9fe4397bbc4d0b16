from __future__ import annotations

import xml.etree.ElementTree as ET

from runner.edges.plots import sweep_svg
from tests.evidence_fixture import WEAK, set_score, sweep


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
