"""`hallmark evaluate` in a real repository, with models in memory: what is asked, kept, shown and compared."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from runner.cli.main import group
from runner.edges.logs.frames import MAX_FRAME, write_frames
from runner.edges.logs.kept import Log
from runner.edges.logs.store import Kept
from runner.edges.simulated_models import CONFIG, SimulatedModels, adapter_files
from runner.errors import DataError, ModelError, RecordError
from runner.flywheel import iterate
from runner.phases.logged import samples
from runner.records.change import ChangeClass
from runner.records.evaluation import LogIndex, StageName, StageOutcome
from runner.records.ledger import EntryKind
from runner.records.scenario import SetName
from runner.records.significance import Tier
from runner.rules.evaluation.evaluations import WITHHELD, Asked, summary
from runner.rules.evaluation.scoring import capability_weights
from runner.rules.trust.change import class_of
from runner.wiring import check, flywheel, logs
from runner.wiring import evaluate as wiring_evaluate
from tests.desk_repository import CLUSTER, clone, flow, git, make

WEAK = {"broken", "login"}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The desk, its first iteration turned to the bundle: its run branch is here."""
    made = make(tmp_path_factory.mktemp("evaluate"))
    iterate(flow(made))
    return made


@pytest.fixture(scope="module")
def iteration(desk: Path) -> str:
    return git(desk, "for-each-ref", "--format=%(refname:lstrip=4)", "refs/heads/runs/")


def evaluate(desk: Path, **options: Any) -> Kept:
    return wiring_evaluate.evaluate(desk, CLUSTER, models=SimulatedModels(), **{"model": "base", **options})


def said(desk: Path, *words: str, code: int = 0) -> str:
    done = CliRunner().invoke(group, ["evaluate", *words, "-C", str(desk)], standalone_mode=False)
    assert done.exception is None or code, done.exception
    return done.output


def test_a_model_is_asked_three_sets_and_held_out_is_not_looked_at(desk: Path) -> None:
    run = evaluate(desk).run
    assert set(run.sets) == {"core", "dev", "representative"}
    assert run.counts.asked == 110
    assert run.capabilities["broken"].passed == run.capabilities["login"].passed == 0
    assert run.capabilities["refund"].passed == 22
    assert run.model.base
    assert run.model.adapter is None
    assert run.benchmark_sha256
    assert set(run.scenarios_sha256) == set(run.sets)


def test_the_same_evaluation_again_is_the_same_bytes(desk: Path) -> None:
    first = evaluate(desk)
    data = first.log.read_bytes()
    first.log.unlink()
    again = evaluate(desk)
    assert (again.run.id, again.log.read_bytes()) == (first.run.id, data)
    fewer = evaluate(desk, stages=[StageName.CORE])
    assert fewer.run.id != first.run.id


def test_the_summary_follows_from_the_log(desk: Path) -> None:
    kept = evaluate(desk)
    log = Log.open(kept.log)
    space = flywheel.workspace(desk, CLUSTER)
    facts = {name: getattr(kept.run, name) for name in Asked._fields}
    made = summary(
        Asked(**facts), list(log.samples()), weights=capability_weights(space.cluster), stages=log.run.stages
    )
    assert made == log.run == kept.run.model_copy(update={"log": None, "measured": {}})


def test_of_held_out_there_are_scores_and_nothing_else(desk: Path) -> None:
    kept = evaluate(desk, stages=[StageName.HELDOUT])
    found = list(Log.open(kept.log).samples())
    assert len(found) == 100
    for one in found:
        assert one.withheld
        assert not (one.input)
        assert not (one.reference)
        assert not (one.grade.answer)
        assert one.grade.explanation == WITHHELD
    texts = {scenario.input[-1].content for scenario in flywheel.workspace(desk, CLUSTER).scenarios[SetName.HELDOUT]}
    shown = said(desk, "show", kept.run.id, "--failed", "--limit", "1000")
    assert "heldout-broken-01" in shown
    assert not [text for text in texts if text in shown]


def test_the_base_is_that_of_the_iteration_or_is_made_once(desk: Path, tmp_path: Path) -> None:
    models = SimulatedModels()
    wiring_evaluate.evaluate(desk, CLUSTER, model="base", models=models)
    assert "pretrain" not in models.calls, "the run branch has it"
    other = make(tmp_path)
    for _ in range(2):
        kept = wiring_evaluate.evaluate(other, CLUSTER, model="base", models=models)
    assert models.calls.count("pretrain") == 1
    assert kept.run.model.base == evaluate(desk).run.model.base
    weights = next((other / ".hallmark" / "bases" / CLUSTER).glob("*/model.safetensors"))
    weights.write_bytes(weights.read_bytes() + b" ")
    wiring_evaluate.evaluate(other, CLUSTER, model="base", models=models)
    assert models.calls.count("pretrain") == 2, "what is kept is asked for its digest"


def test_a_base_that_comes_with_the_repository_is_not_taken_for_this_machine_s(tmp_path: Path) -> None:
    desk = make(tmp_path)
    planted = desk / ".hallmark" / "bases" / CLUSTER / "key" / "model.safetensors"
    planted.parent.mkdir(parents=True)
    planted.write_bytes(b"whatever")
    git(desk, "add", "--force", str(planted))
    with pytest.raises(DataError, match="comes with the repository"):
        evaluate(desk, cached=False)


def test_an_adapter_in_a_directory_is_asked_on_its_own_base_alone(desk: Path, tmp_path: Path) -> None:
    base = evaluate(desk).run
    assert base.model.base
    for name, digest in (("fits", base.model.base), ("other", "0" * 64)):
        (tmp_path / name).mkdir()
        for file, data in adapter_files({"broken": [("cracked shattered dented", 9.0)]}, base=digest).items():
            (tmp_path / name / file).write_bytes(data)
    kept = evaluate(desk, model=str(tmp_path / "fits"))
    assert kept.run.capabilities["broken"].passed > 0
    assert kept.run.model.adapter
    assert kept.run.model.base == base.model.base
    with pytest.raises(RecordError, match="may not look at held-out uncounted"):
        evaluate(desk, model=str(tmp_path / "fits"), stages=[StageName.HELDOUT])
    with pytest.raises(ModelError, match="was trained on the base 000000000000…"):
        evaluate(desk, model=str(tmp_path / "other"))
    (tmp_path / "fits" / CONFIG).write_text("{")
    with pytest.raises(RecordError, match="names a base"):
        evaluate(desk, model=str(tmp_path / "fits"))
    with pytest.raises(RecordError, match="is no model"):
        evaluate(desk, model=str(tmp_path))


def test_a_candidates_look_at_held_out_is_entered_and_counted(tmp_path: Path) -> None:
    desk = make(tmp_path, heldout_looks=1)
    base = str(evaluate(desk).run.model.base)
    for name, word in (("one", "cracked"), ("two", "dented")):
        (tmp_path / name).mkdir()
        for file, data in adapter_files({"broken": [(word, 9.0)]}, base=base).items():
            (tmp_path / name / file).write_bytes(data)
    ledger = flywheel.ledger_store(desk)

    def look(name: str) -> Kept:
        return evaluate(desk, model=str(tmp_path / name), stages=[StageName.HELDOUT], count_look=True)

    kept = look("one")
    (entry,) = ledger.read(CLUSTER)
    assert (entry.kind, entry.iteration) == (EntryKind.LOOK, "")
    assert entry.inputs == {
        "scenarios/heldout": kept.run.scenarios_sha256["heldout"],
        "adapter": kept.run.model.adapter,
    }
    look("one")
    assert len(ledger.read(CLUSTER)) == 1, "it has had its look"
    with pytest.raises(RecordError, match="1 candidates have looked at this held-out set, 1 may"):
        look("two")
    standing = iterate(flow(desk))
    assert (standing.phase, standing.verdict.reasons[0].step) == ("expand", "held-out looks")
    assert standing.verdict.reasons[0].hint == "rotate it: hallmark benchmark rotate desk"


def test_an_unknown_promotion_is_named(desk: Path) -> None:
    with pytest.raises(RecordError, match="there is no promotion 7"):
        evaluate(desk, model="7")


def test_stages_end_early_where_that_is_asked_for(desk: Path) -> None:
    cut = evaluate(desk, until=StageName.ROBUSTNESS, early_stop=True).run
    assert [one.outcome for one in cut.stages if one.outcome is StageOutcome.STOPPED] == [StageOutcome.STOPPED]
    assert "representative" not in cut.sets
    whole = evaluate(desk, until=StageName.ROBUSTNESS).run
    assert set(whole.sets) == {"core", "dev", "representative"}
    robust = next(one for one in whole.stages if one.stage is StageName.ROBUSTNESS)
    assert set(robust.parts) >= {"typos", "casing", "punctuation"}
    log = Log.open(logs.log_of(desk, whole.id).path)
    assert set(log.index.perturbations) == {"none", *robust.parts}


def test_an_engine_that_is_not_set_up_is_refused(desk: Path) -> None:
    with pytest.raises(RecordError, match="needs an endpoint"):
        evaluate(desk, engine="openai")


def test_show_filters_by_every_column(desk: Path) -> None:
    kept = evaluate(desk)
    failed = logs.shown(desk, kept.run.id[:9], failed=True, limit=1000)
    assert failed.matching == len(failed.samples) == 45
    assert logs.shown(desk, kept.run.id, under="any").matching == 110
    assert {one.grade.capability for one in failed.samples} >= WEAK
    one = logs.shown(desk, str(kept.log), failed=True, capability="login", set_name="dev", outcome="tp", limit=3)
    assert one.matching == 8
    assert len(one.samples) == 3
    assert {(found.set, found.grade.capability) for found in one.samples} == {("dev", "login")}
    assert logs.shown(desk, str(kept.summary), outcome="tn").matching == 0
    said_ = said(desk, "show", kept.run.id, "--failed", "--capability", "login", "--limit", "1")
    assert "right     login" in said_
    assert "missed    queue-name" in said_
    assert "1 of 22 scenarios shown" in said_


def test_diff_names_every_scenario_that_turned(desk: Path, iteration: str) -> None:
    found = logs.difference_of(desk, f"{iteration}/incumbent", f"{iteration}/candidate")
    plain = [flip for flip in found.gained if flip.perturbation == "none"]
    assert len(plain) == found.overall.gained
    assert found.overall.lost == 0
    assert {flip.capability for flip in plain} <= WEAK | {"sizing"}
    assert {name for name, one in found.capabilities.items() if one.tier is Tier.IMPROVED} == WEAK
    assert found.overall.tier is Tier.IMPROVED
    assert found.sets["heldout"].scenarios == 100
    assert found.unmatched, "the incumbent answered dev, and the candidate did not"
    back = logs.difference_of(desk, f"{iteration}/candidate", f"{iteration}/incumbent")
    assert (back.lost, back.gained) == (found.gained, found.lost)
    assert "gained  heldout/heldout-broken-" in said(desk, "diff", f"{iteration}/incumbent", f"{iteration}/candidate")


def test_the_logged_answers_of_an_iteration_are_those_of_its_phase(desk: Path, iteration: str) -> None:
    log = logs.log_of(desk, f"{iteration}/base")
    baseline = json.loads(
        (desk / f".hallmark/runs/{CLUSTER}/{iteration}/clusters/{CLUSTER}/run/baseline.json").read_bytes()
    )
    for name, stated in baseline["models"]["base"]["sets"].items():
        score = log.run.sets[name]
        assert (score.composite, score.passed) == (stated["composite"], stated["passed"])


def test_a_phase_that_was_refused_before_it_asked_is_told(
    desk: Path, iteration: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one is where no look at held-out is left: its step is there, and has no answers."""
    monkeypatch.setitem(logs.ANSWERS, "assess", ("unasked",))
    with pytest.raises(RecordError, match=r"the phase assess of desk-[0-9a-f]+ kept no unasked"):
        logs.log_of(desk, f"{iteration}/candidate")


def test_names_that_mean_nothing_or_several(desk: Path) -> None:
    evaluate(desk, stages=[StageName.CORE])
    newest = evaluate(desk)
    started = str(newest.run.measured["started"])
    newest.summary.write_text(newest.summary.read_text().replace(started, "2999-01-01T00:00:00Z"))
    assert logs.log_of(desk, "base").run.id == newest.run.id, "the newest of its kind"
    for name, problem in (
        ("base-", "several evaluations are called base-"),
        ("nothing", "there is no evaluation called nothing"),
        ("desk-0000000000/candidate", "there is no iteration desk-0000000000"),
        ("no/such.zst", "is no file"),
    ):
        with pytest.raises(RecordError, match=problem):
            logs.log_of(desk, name)


@pytest.mark.parametrize("option", ["--until", "--stage"])
def test_held_out_is_named_as_a_set_and_in_no_other_way(desk: Path, option: str) -> None:
    words = ["evaluate", CLUSTER, "--model", "base", option, "heldout", "-C", str(desk)]
    done = CliRunner().invoke(group, words, standalone_mode=False)
    assert isinstance(done.exception, click.BadParameter)
    assert "'heldout' is not one of" in str(done.exception)


def test_json_is_one_document(desk: Path) -> None:
    kept = evaluate(desk)
    document = json.loads(said(desk, "show", kept.run.id, "--failed", "--json"))
    assert document["matching"] == 45
    assert len(document["samples"]) == 20
    assert json.loads(said(desk, "diff", kept.run.id, kept.run.id, "--json"))["gained"] == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda data: data[:-40], "no seek table"),
        (lambda data: data[:100] + data[101:], "does not fit its size"),
        (lambda data: b"", "no seek table"),
        (lambda data: b"junk" * 1000, "no seek table"),
        (lambda data: data[:30] + bytes([data[30] ^ 255]) + data[31:], "cannot be unpacked in part 0|says two things"),
    ],
)
def test_a_log_that_is_cut_off_or_garbled_is_refused(desk: Path, tmp_path: Path, change: Any, problem: str) -> None:
    broken = tmp_path / "broken.jsonl.zst"
    broken.write_bytes(change(evaluate(desk).log.read_bytes()))
    with pytest.raises(RecordError, match=problem):
        list(Log.open(broken).samples())


def test_what_unpacks_to_more_than_it_says_is_refused(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.jsonl.zst"
    write_frames(bomb, [b"0" * MAX_FRAME, b"{}"])
    data = bytearray(bomb.read_bytes())
    entry = len(data) - 9 - 2 * 8 + 4
    assert int.from_bytes(data[entry : entry + 4], "little") == MAX_FRAME
    data[entry : entry + 4] = (1 << 20).to_bytes(4, "little")
    bomb.write_bytes(data)
    with pytest.raises(RecordError, match="says two things of the size"):
        Log.open(bomb)
    data[entry : entry + 4] = (MAX_FRAME + 1).to_bytes(4, "little")
    bomb.write_bytes(data)
    with pytest.raises(RecordError, match="at most 67,108,864 are read"):
        Log.open(bomb)
    write_frames(bomb, [b'{"hallmark_log": 2}', b"{}"])
    with pytest.raises(RecordError, match="hallmark_log"):
        Log.open(bomb)


def test_a_header_that_says_any_number_of_samples_is_not_believed(desk: Path, tmp_path: Path) -> None:
    header = Log.open(evaluate(desk).log).header.model_copy(update={"samples": 10**15, "block": 10**15})
    index = LogIndex(**dict.fromkeys(LogIndex.model_fields, ()))
    write_frames(tmp_path / "log", [part.model_dump_json().encode() for part in (header, index)] + [b"{}"])
    with pytest.raises(RecordError, match="an index of other samples than its own"):
        list(Log.open(tmp_path / "log").samples())


def test_a_log_that_is_not_the_summarys_is_refused(tmp_path: Path) -> None:
    desk = make(tmp_path)
    one, other = evaluate(desk), evaluate(desk, stages=[StageName.CORE])
    one.log.write_bytes(other.log.read_bytes())
    with pytest.raises(RecordError, match="another log than that of the summary"):
        logs.log_of(desk, one.run.id)


def test_a_log_is_a_stream_for_every_zstd_reader(desk: Path) -> None:
    import zstandard

    kept = evaluate(desk)
    with kept.log.open("rb") as file:
        lines = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read().splitlines()
    assert len(lines) == 2 + 110
    assert json.loads(lines[0])["run"]["id"] == kept.run.id


def test_samples_have_the_prompts_that_were_asked(desk: Path) -> None:
    space = flywheel.workspace(desk, CLUSTER)
    assert samples(space, []) == []
    by_id = {one.id: one for found in space.scenarios.values() for one in found}
    for one in Log.open(evaluate(desk).log).samples():
        assert one.input == by_id[one.grade.scenario].input
        assert one.reference == (by_id[one.grade.scenario].reference,)


def test_a_kept_evaluation_is_governed(tmp_path: Path) -> None:
    desk = make(tmp_path)
    kept = evaluate(desk, keep=True)
    assert kept.summary.relative_to(desk).as_posix() == f"clusters/{CLUSTER}/evaluations/{kept.run.id}.json"
    listed = git(desk, "status", "--short", "--untracked-files=all").splitlines()
    named = {line.split()[1].rpartition("/")[2] for line in listed}
    assert named == {".gitignore", f"{kept.run.id}.json", f"{kept.run.id}.jsonl.zst.dvc"}
    assert {class_of(line.split()[1]) for line in listed} == {ChangeClass.DATA}
    assert check.survey(desk).problems == ()
    git(desk, "add", "--all")
    git(desk, "commit", "--quiet", "--message", "Keep an evaluation")
    git(desk, "push", "--quiet", "origin", "main")
    other = clone(tmp_path, "other")
    assert not (other / kept.log.relative_to(desk)).exists()
    assert len(logs.shown(other, kept.run.id, failed=True).samples) == 20
    assert (other / kept.log.relative_to(desk)).read_bytes() == kept.log.read_bytes()

    pointer = kept.log.with_name(f"{kept.log.name}.dvc")
    pointer.write_text(pointer.read_text().replace(str(kept.run.log and kept.run.log.sha256), "ab" * 32))
    assert ["is of another log" in one.problem for one in check.survey(desk).problems] == [True]
    kept.summary.write_bytes(kept.summary.read_bytes().replace(b'"cluster": "desk"', b'"cluster": "bank"'))
    assert {one.field for one in check.survey(desk).problems} == {"cluster", "log.sha256"}


def test_what_people_type(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's own words reach the evaluation, with `run` or without."""
    monkeypatch.setattr(wiring_evaluate.flywheel, "TransformersModels", lambda threads: SimulatedModels())
    words = (CLUSTER, "--model", "base", "--stage", "smoke", "--set", "core", "--early-stop", "--no-cache", "--keep")
    text = said(desk, *words)
    assert re.search(r"(?m)^smoke +stopped: at best, core would come to 0\.7500, below the threshold 0\.8000$", text)
    assert re.search(r"(?m)^log  .*/clusters/desk/evaluations/base-\w{12}\.jsonl\.zst$", text)
    document = json.loads(said(desk, "run", CLUSTER, "--model", "base", "--until", "robustness", "--json"))
    assert [one["stage"] for one in document["run"]["stages"]][:2] == ["smoke", "core"]
    assert document["run"]["id"] in said(desk, "list", CLUSTER)
    shown = said(desk, "show", document["run"]["id"], "--failed", "--outcome", "tp", "--set", "core", "--limit", "1")
    assert "1 of 16 scenarios shown" in shown
    assert "under typos" in said(desk, "show", document["run"]["id"], "--failed", "--under", "typos", "--limit", "1")
