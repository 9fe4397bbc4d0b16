"""What an approver meets before signing, as typed in a clone of a real origin."""

from __future__ import annotations

from pathlib import Path

from runner.errors import ExitCode
from tests.governed_desk import GovernedDesk


def approve(desk: GovernedDesk, *, code: int = ExitCode.DONE, verb: str = "approve", more: tuple[str, ...] = ()) -> str:
    return desk.run("hallmark", verb, "support-desk/1", "--key", str(desk.key("hazel")), *more, by="hazel", code=code)


def test_who_reads_a_changed_work_tree_signs_nothing_but_may_reject(finished: GovernedDesk, tmp_path: Path) -> None:
    desk = finished.copy(tmp_path / "home")
    desk.propose()
    cluster = desk.desk / "clusters" / "support-desk" / "cluster.yaml"
    cluster.write_text(cluster.read_text() + "# read by an approver\n")
    said = approve(desk, code=ExitCode.REFUSED, more=("--yes",))
    assert "not as committed (clusters/support-desk/cluster.yaml)" in said
    desk.run("git", "checkout", "--quiet", "--", "clusters")
    assert "signed: hazel approves" in approve(desk, more=("--yes",))
    cluster.write_text(cluster.read_text() + "# and again\n")
    assert "signed: hazel rejects" in approve(desk, verb="reject", more=("--yes", "--reason", "a second look"))


def test_who_says_no_signs_nothing(finished: GovernedDesk, tmp_path: Path) -> None:
    desk = finished.copy(tmp_path / "home")
    desk.propose()
    before = desk.run("git", "ls-remote", "origin")
    approve(desk, code=ExitCode.INTERRUPTED)  # nothing is typed: the end of the input is no yes
    assert desk.run("git", "ls-remote", "origin") == before
