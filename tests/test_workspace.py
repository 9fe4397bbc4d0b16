"""Loading reviewed files from a directory and from a commit, and checking them: one broken workspace per rule."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from runner import survey_files, workspace
from runner.edges.files import only_one, write_file
from runner.edges.readers import CommitReader, DirectoryReader
from runner.edges.yaml_files import dump, line_of, parse
from runner.errors import DataError, RecordError, RecordErrors
from runner.records.promotion import PromotionRecord
from runner.records.scenario import SetName
from runner.rules.repository.benchmark import relocked
from runner.survey import Survey
from tests.reviewed_fixture import edit, put, scenario, write

CLUSTER = "clusters/desk/cluster.yaml"
LOCK = "clusters/desk/benchmark.lock"
CORE = "scenarios/desk/core/core-refunds-1.yaml"
HELDOUT = "scenarios/desk/heldout/heldout-refunds-1.yaml"


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return write(tmp_path / "ws")


def survey(top: Path, *paths: str) -> Survey:
    return survey_files.survey(DirectoryReader(top), parse=parse, locate=line_of, paths=paths)


def found(top: Path, *paths: str) -> list[tuple[str, int | None, str]]:
    return [(problem.path, problem.line, problem.field) for problem in survey(top, *paths).problems]


def load(top: Path) -> workspace.Workspace:
    return workspace.load(DirectoryReader(top), "desk", parse=parse)


def commit(top: Path) -> None:
    for command in (["init", "-q"], ["add", "-A"], ["-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "m"]):
        subprocess.run(["git", "-C", str(top), *command], check=True)


def test_a_sound_workspace_has_no_problem_and_loads(top):
    assert survey(top) == Survey(files=11, problems=())
    made = load(top)
    assert made.cluster.id == "desk"
    assert [s.id for s in made.scenarios[SetName.CORE]] == ["core-late-delivery-1", "core-refunds-1"]
    assert made.scenarios[SetName.REPRESENTATIVE] == ()
    assert set(made.rubrics) == {"desk-exact"}
    assert made.params.seed == 3
    assert made.incumbent.sequence == 0
    assert made.digests["scenarios/heldout"] == made.lock.sets["heldout"].sha256
    assert workspace.clusters(DirectoryReader(top)) == ("desk",)


def test_a_commit_reads_as_its_files_did(top):
    before = load(top)
    commit(top)
    edit(top, CORE, "The text", "Another text")
    put(top, "clusters/other/cluster.yaml", b"broken: true\n")
    reader = CommitReader(top, "HEAD")
    assert workspace.load(reader, "desk", parse=parse) == before
    assert workspace.clusters(reader) == ("desk",)
    after = load(top)
    assert {name for name in before.digests if before.digests[name] != after.digests[name]} == {"scenarios/core"}


def test_a_digest_follows_what_is_said_not_how(top):
    before = load(top).digests
    edit(top, CORE, "lens: customer", 'lens: "customer"  # who looks at it')
    assert load(top).digests == before
    edit(top, "params.yaml", "seed: 3", "seed: 4")
    assert {name for name in before if before[name] != load(top).digests[name]} == {"params"}


def test_another_clusters_rubric_changes_nothing(top):
    before = load(top).digests
    other = (top / "rubrics/desk-exact.yaml").read_bytes().replace(b"desk-exact", b"other-exact")
    put(top, "rubrics/other-exact.yaml", other)
    assert load(top).digests == before
    put(top, "rubrics/other-exact.yaml", other + b"capabilities:\n  - refunds\n")
    assert load(top).digests["rubrics"] != before["rubrics"]


def test_loading_tells_every_problem(top):
    edit(top, CORE, "severity: medium", "severity: urgent")
    edit(top, CLUSTER, "title: The desk", "titel: The desk")
    (top / "clusters/desk/problem.md").unlink()
    edit(top, "params.yaml", "desk:", "bench:")
    with pytest.raises(RecordErrors) as caught:
        load(top)
    places = {(error.path, error.line, error.field) for error in caught.value.errors}
    assert {(CORE, 5, "severity"), (CLUSTER, 2, "titel"), ("clusters/desk/problem.md", None, "")} <= places
    assert ("params.yaml", None, "clusters.desk") in places
    with pytest.raises(RecordError, match=r"there is no cluster nobody.*clusters: desk"):
        workspace.load(DirectoryReader(top), "nobody", parse=parse)


def test_the_incumbent_is_the_last_promotion(top):
    adapter = {"sha256": "a" * 64, "files": {"x": {"sha256": "b" * 64, "size": 1}}}
    for sequence, held in ((9, {"adapter": adapter}), (10, {"adapter": None, "kind": "rollback", "restores": 0})):
        record = PromotionRecord.model_validate(
            {
                "cluster": "desk",
                "sequence": sequence,
                "benchmark": {"id": "desk", "version": 1, "sha256": "c" * 64},
                "base": {"kind": "tiny", "sha256": "d" * 64},
                "incumbent": {"sequence": sequence - 1},
                "evidence": {},
                "run": {"branch": "runs/desk/x", "iteration": "x"},
                "human_share": 1.0,
                **held,
            }
        )
        data = dump(record.model_dump(mode="json"))
        put(top, f"clusters/desk/promotions/{sequence}/record.yaml", data)
        assert load(top).incumbent.sequence == sequence
        assert load(top).incumbent.adapter == (held["adapter"] and "a" * 64)


def test_the_sweeps_of_promotions_are_loaded_and_pinned(top):
    assert "promoted" not in load(top).digests, "before the first promotion nothing changes"
    home = "clusters/desk/promotions"
    put(top, f"{home}/10/evidence/sweep.json", b'{"human_share": 1.0}')
    put(top, f"{home}/9/evidence/sweep.json", b"{}")
    put(top, f"{home}/9/evidence/risks.json", b"{}")
    found = load(top)
    assert list(found.promoted.items()) == [(9, b"{}"), (10, b'{"human_share": 1.0}')]
    put(top, f"{home}/9/evidence/sweep.json", b"{ }")
    assert load(top).digests["promoted"] != found.digests["promoted"]


def test_symbolic_links_are_refused(top, tmp_path):
    (tmp_path / "elsewhere.yaml").write_bytes((top / CORE).read_bytes())
    (top / CORE).unlink()
    (top / CORE).symlink_to(tmp_path / "elsewhere.yaml")
    with pytest.raises(RecordError, match=r"core-refunds-1.yaml: is a symbolic link"):
        DirectoryReader(top).paths("scenarios/")
    commit(top)
    with pytest.raises(RecordError, match=r"core-refunds-1.yaml: is a symbolic link"):
        CommitReader(top, "HEAD").paths("scenarios/")


@pytest.mark.parametrize("folder", ["scenarios", "scenarios/desk"])
def test_a_folder_that_is_a_symbolic_link_is_refused(top, tmp_path, folder):
    (top / folder).rename(tmp_path / "elsewhere")
    (top / folder).symlink_to(tmp_path / "elsewhere")
    commit(top)
    for reader in (DirectoryReader(top), CommitReader(top, "HEAD")):
        with pytest.raises(RecordError, match=rf"^{folder}: is a symbolic link"):
            reader.paths("scenarios/desk/core/")


LOST = "capabilities:\n  - id: lost\n    title: l\n    definition: d\n"
BROKEN = {
    "unknown rubric": ((CORE, "rubric: desk-exact", "rubric: desk-exakt"), (CORE, 12, "rubric")),
    "unknown capability": ((CORE, "capability: refunds", "capability: refnds"), (CORE, 2, "capability")),
    "name is not the id": ((CORE, "id: core-refunds-1", "id: core-refunds-2"), (CORE, 1, "id")),
    "unknown key": ((CORE, "lens:", "lense:"), (CORE, 4, "lense")),
    "tab": ((CORE, "  - role", "\t- role"), (CORE, 9, "")),
    "duplicate key": ((CORE, "lens: customer", "lens: customer\nlens: customer"), (CORE, 5, "lens")),
    "draft rubric grades a frozen set": (
        ("rubrics/desk-exact.yaml", "status: approved", "status: draft"),
        (HELDOUT, 12, "rubric"),
    ),
    "rubric for another capability": (
        ("rubrics/desk-exact.yaml", "status: approved", "status: approved\ncapabilities:\n  - refunds"),
        ("scenarios/desk/core/core-late-delivery-1.yaml", 12, "rubric"),
    ),
    "frozen set changed": ((HELDOUT, "The text", "Another text"), (LOCK, 4, "sets.heldout.sha256")),
    "the same text in two sets": ((CORE, "The text of core", "the  text of DEV"), (
        "scenarios/desk/dev/dev-refunds-1.yaml", 8, "input")),
    "lock of another version": ((CLUSTER, "benchmark_version: 1", "benchmark_version: 2"), (LOCK, 1, "version")),
    "held-out not frozen": ((LOCK, "heldout:", "core:"), (LOCK, 2, "sets")),
    "capability without scenarios": ((CLUSTER, "capabilities:\n", LOST),
                                     (CLUSTER, 9, "capabilities[0].id")),
    "no real-only baseline": (
        ("clusters/desk/problem.md", "real_only_baseline:\n  value: 0.5\n  how: measured\n", ""),
        ("clusters/desk/problem.md", 2, "real_only_baseline"),
    ),
    "no gap": (("clusters/desk/problem.md", "gap: g\n", ""), ("clusters/desk/problem.md", 2, "gap")),
    "problem above the gate": (("clusters/desk/problem.md", "threshold: 0.8", "threshold: 0.9"), (
        "clusters/desk/problem.md", 5, "threshold")),
    "no human floor": ((CLUSTER, "human_floor: 0.25\n", ""), (CLUSTER, 1, "human_floor")),
    "no params": (("params.yaml", "desk:", "bench:"), ("params.yaml", 1, "clusters")),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_each_broken_workspace_says_file_line_and_field(top, name):
    (path, old, new), expected = BROKEN[name]
    edit(top, path, old, new)
    assert expected in found(top)


def test_missing_files_are_told(top):
    (top / LOCK).unlink()
    (top / "clusters/desk/problem.md").unlink()
    assert found(top) == [(CLUSTER, 1, ""), (CLUSTER, 7, "benchmark_version")]
    assert any("hallmark benchmark lock desk" in problem.hint for problem in survey(top).problems)
    (top / CLUSTER).unlink()
    assert [problem.problem for problem in survey(top).problems] == ["there is no cluster desk"]


def test_ids_are_unique_over_the_sets_of_a_cluster(top):
    put(top, "scenarios/desk/dev/core-refunds-1.yaml", dump(scenario("core-refunds-1", text="Another.")))
    assert found(top) == [("scenarios/desk/dev/core-refunds-1.yaml", 1, "id")]
    assert found(top, "scenarios/desk/dev/core-refunds-1.yaml") == [("scenarios/desk/dev/core-refunds-1.yaml", 1, "id")]


def test_files_where_nothing_is_looked_for_are_told(top):
    put(top, "scenarios/desk/hold-out/x.yaml", b"a: 1\n")
    put(top, "scenarios/desk/core/x.yml", b"a: 1\n")
    put(top, "scenarios/desk/README.md", b"Hello\n")
    paths = [problem.path for problem in survey(top).problems]
    assert paths == ["scenarios/desk/core/x.yml", "scenarios/desk/hold-out/x.yaml"]


def test_a_triage_file_decides_each_candidate_once(top):
    decision = {
        "candidate": "c1",
        "capability": "refunds",
        "origin": "synthetic",
        "input": [{"role": "user", "content": "x"}],
        "answer": "y",
        "decision": "edit",
    }
    value = {
        "cluster": "dsk",
        "iteration": "it2",
        "reviewer": "anna",
        "decisions": [decision, {**decision, "decision": "undecided"}],
    }
    put(top, "clusters/desk/triage/it1.yaml", dump(value))
    fields = {field for _, _, field in found(top)}
    expected = {"cluster", "iteration", "decisions[0].decision", "decisions[1].candidate", "decisions[1].decision"}
    assert fields == expected


def test_a_review_is_checked_against_its_path_and_the_list_beside_it(top):
    shown = {
        "capability": "refunds",
        "origin": "synthetic",
        "input": [{"role": "user", "content": "x"}],
        "answer": "y",
    }
    rows = [{"candidate": name, **shown} for name in ("c1", "c2")]
    put(top, "clusters/desk/triage/it1.yaml", dump({"cluster": "desk", "iteration": "it1", "decisions": rows}))
    path, at = "clusters/desk/triage/it1/anna.yaml", "2026-11-21T12:00:00Z"
    said = {"cluster": "desk", "iteration": "it1", "reviewer": "anna"}
    decisions = [
        {"candidate": "c1", "decision": "edit", "at": at},
        {"candidate": "c1", "decision": "accept", "rank": 1, "at": at},
        {"candidate": "c9", "decision": "reject", "at": at},
        {"candidate": "c2", "decision": "undecided", "at": at},
    ]
    put(top, path, dump({**said, "candidates": "0" * 64, "decisions": decisions}))
    assert {(line, field) for where, line, field in found(top) if where == path} == {
        (4, "candidates"),
        (7, "decisions[0].decision"),
        (9, "decisions[1].candidate"),
        (13, "decisions[2].candidate"),
        (17, "decisions[3].decision"),
    }
    put(top, path, dump({**said, "cluster": "dsk", "iteration": "it2", "reviewer": "ben", "candidates": "0" * 64}))
    assert {field for where, _, field in found(top) if where == path} == {
        "cluster", "iteration", "reviewer", "candidates"
    }  # fmt: skip
    (top / "clusters/desk/triage/it1.yaml").unlink()
    assert (path, 2, "iteration") in found(top)
    put(top, path, dump({**said, "candidates": "0" * 64, "decisions": [{"candidate": "c1", "decision": "accept"}]}))
    assert (path, 6, "decisions[0].at") in [(where, line, field) for where, line, field in found(top)]


def test_a_few_files_are_checked_with_what_they_name(top):
    edit(top, CORE, "rubric: desk-exact", "rubric: desk-exakt")
    edit(top, "scenarios/desk/dev/dev-refunds-1.yaml", "severity: medium", "severity: m")
    assert found(top, CORE) == [(CORE, 12, "rubric")]
    assert found(top, "scenarios/desk/core/core-late-delivery-1.yaml") == []
    edit(top, HELDOUT, "The text", "Another text")
    assert (LOCK, 4, "sets.heldout.sha256") in found(top, HELDOUT)
    assert found(top, "scenarios/desk/heldout/heldout-late-delivery-1.yaml") == [(LOCK, 4, "sets.heldout.sha256")]
    assert found(top, "nothing.yaml") == [("nothing.yaml", None, "")]


def test_a_frozen_set_is_locked_again_only_with_a_new_version(top):
    edit(top, HELDOUT, "The text", "Another text")
    made = load(top)
    with pytest.raises(RecordError, match=r"has changed since version 1.*raise benchmark_version in cluster.yaml to 2"):
        relocked(made.cluster, made.lock, made.scenarios)
    edit(top, CLUSTER, "benchmark_version: 1", "benchmark_version: 2")
    made = load(top)
    fresh = relocked(made.cluster, made.lock, made.scenarios)
    put(top, LOCK, dump(fresh.model_dump(mode="json")))
    assert survey(top).problems == ()


@pytest.mark.parametrize(
    ("name", "write"),
    [
        (".page.html.part", lambda top: write_file(top / "page.html", b"ours")),
        ("one.lock", lambda top: only_one(top / "one.lock").__enter__()),
    ],
    ids=["file", "lock"],
)
def test_a_link_that_a_repository_brings_leads_no_write_out_of_it(tmp_path, name, write):
    outside, top = tmp_path / "outside", tmp_path / "ws"
    outside.write_bytes(b"theirs")
    top.mkdir()
    (top / name).symlink_to(outside)
    with pytest.raises(DataError, match="cannot be written"):
        write(top)
    assert outside.read_bytes() == b"theirs"
