"""A judge behind a real HTTP server, and one of this machine: what is sent, what is a verdict, what is kept."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner

from runner.cli.main import group
from runner.edges.judges import AskedJudges
from runner.edges.simulated import simulated_ports
from runner.edges.simulated_judges import SimulatedJudges, seen
from runner.edges.simulated_models import SimulatedModels
from runner.edges.yaml_files import parse
from runner.errors import ExitCode, ModelError
from runner.phases.judging import votes
from runner.ports import Answers, Model
from runner.records.conversation import Conversation, Message, Role
from runner.records.judge import Vote
from runner.records.judging import Floor, JudgeFile
from runner.rules.judges.asking import TRIES, Case
from runner.rules.judges.identity import judge_digest
from runner.wiring import judges as wiring_judges
from tests.chat_fixture import Answer, ChatServerThread, completion, refusing_port
from tests.judged_fixture import CALIBRATION_AT, EVERY_SET, judge, judged_workspace, labels, lock, said
from tests.printed import ROOT, blocks, commands
from tests.reviewed_fixture import put
from tests.test_judges_reviewed import SLUG, load, problems

M, U, N = Vote.MET, Vote.UNMET, Vote.NONE


def behind(url: str, **changes: Any) -> JudgeFile:
    model = {
        "kind": "server",
        "id": "judges",
        "url": url,
        "model": "judge-7b",
        "revision": "2026-01-15",
        "sends": EVERY_SET,
    }
    return judge(model=model, asking={"retries": 0, "timeout_s": 5.0}, **changes)


def case(answer: str) -> Case:
    return Case("Is it polite?", (Message(role=Role.USER, content="I cannot get in"),), "please log in", answer)


def shown(body: dict[str, Any]) -> tuple[str, list[str]]:
    """The answer to judge, and the verdicts in the order in which they are offered."""
    messages = tuple(Message(role=Role(one["role"]), content=one["content"]) for one in body["messages"])
    outside, data = seen(messages)
    assert not outside
    lines = {name: value for line in data.splitlines() for name, value in json.loads(line).items()}
    schema = body["response_format"]["json_schema"]["schema"]
    return lines["answer to judge"], schema["properties"]["verdict"]["enum"]


def polite(body: dict[str, Any], asked: int) -> web.Response:
    """Says yes to what says please; takes the first verdict offered for what is odd."""
    answer, offered = shown(body)
    verdict = "yes" if "please" in answer.casefold() else "no"
    if "odd" in answer:
        verdict = offered[0]
    return completion(json.dumps({"verdict": verdict}))


def on_server(url: str, answers: Sequence[str], tmp_path: Path, **changes: Any) -> list[tuple[Vote, ...]]:
    judges = AskedJudges(SimulatedModels(), journals=tmp_path / "journals")
    return votes(replace(simulated_ports(), judges=judges), behind(url, **changes), [case(one) for one in answers])


def test_a_server_is_asked_greedily_by_schema_and_once_for_ever(tmp_path: Path) -> None:
    with ChatServerThread(polite) as server:
        cast = on_server(server.url, ["please", "no", "please", "odd"], tmp_path, repeats=2)
        assert cast == [(M,) * 4, (U,) * 4, (M,) * 4, (M, U, M, U)]
        assert len(server.bodies) == 3 * 4, "the same answer is asked about once"
        assert {body["temperature"] for body in server.bodies} == {0.0}
        assert len({body["seed"] for body in server.bodies}) == 2
        assert {body["response_format"]["json_schema"]["strict"] for body in server.bodies} == {True}
        assert on_server(server.url, ["please", "no", "odd"], tmp_path, repeats=2) == [(M,) * 4, (U,) * 4, (M, U, M, U)]
        assert len(server.bodies) == 3 * 4, "and by nobody again"


def rambling(times: int) -> Answer:
    """Words about a verdict, for the first so many seeds, and then a verdict."""
    seeds: dict[str, list[int]] = {}

    def answer(body: dict[str, Any], asked: int) -> web.Response:
        known = seeds.setdefault(json.dumps(body["messages"]), [])
        known.append(body["seed"])
        said = '{"verdict": "yes"}'
        return completion(f"Sure! {said}" if len(known) <= times else said)

    return answer


@pytest.mark.parametrize(("times", "vote"), [(1, M), (TRIES - 1, M), (TRIES, N)])
def test_what_is_no_verdict_is_asked_for_again_with_another_seed_and_then_an_abstention(
    tmp_path: Path, times: int, vote: Vote
) -> None:
    with ChatServerThread(rambling(times)) as server:
        assert on_server(server.url, ["please"], tmp_path) == [(vote, vote)]
        assert len(server.bodies) == 2 * min(times + 1, TRIES)
        assert len({body["seed"] for body in server.bodies}) == min(times + 1, TRIES)


@pytest.mark.parametrize(
    "answer",
    [
        lambda body, asked: completion('{"verdict": "yes"}', finish_reason="length"),
        lambda body, asked: completion('{"verdict": "yes"}', finish_reason="content_filter"),
        lambda body, asked: completion('{"verdict": "maybe"}'),
        lambda body, asked: web.json_response({"choices": []}),
    ],
)
def test_a_reply_that_is_cut_off_filtered_or_garbage_is_no_verdict(tmp_path: Path, answer: Answer) -> None:
    with ChatServerThread(answer) as server:
        assert on_server(server.url, ["please"], tmp_path) == [(N, N)]


def test_a_server_that_is_not_there_is_an_error_and_no_verdict(tmp_path: Path) -> None:
    with refusing_port() as port, pytest.raises(ModelError, match=r"the server judges .* cannot be used"):
        on_server(f"http://127.0.0.1:{port}/v1", ["please"], tmp_path)


class Local(SimulatedModels):
    """A model of this machine that says one of the choices it is given: no, but where the answer says please."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[tuple[str, ...]] = []

    def answer(self, model: Model, prompts: Sequence[Conversation], **how: Any) -> Answers:
        self.given.append(tuple(how["choices"]))
        judges = SimulatedJudges()
        said_ = []
        for prompt in prompts:
            _, data = seen(prompt)
            text = next(json.loads(line).get("answer to judge", "") for line in data.splitlines() if "to judge" in line)
            said_.append(json.dumps({"verdict": "yes" if judges._meets("", text) else "no"}))
        assert model.base.kind == "path"
        return Answers(tuple(said_), (1,) * len(said_))


def test_a_judge_of_this_machine_says_one_of_the_verdicts_and_is_asked_once(tmp_path: Path) -> None:
    models = Local()
    longest = [10_000]
    asked = AskedJudges(
        models, journals=tmp_path, room=lambda model, tokens: lambda prompt: len(prompt[1].content) < longest[0]
    )
    ports = replace(simulated_ports(), judges=asked)
    own = judge(model={"kind": "path", "path": "models/judge", "sha256": "a" * 64})
    assert votes(ports, own, [case("please"), case("no")]) == [(M, M), (U, U)]
    yes, no = '{"verdict": "yes"}', '{"verdict": "no"}'
    assert models.given == [(yes, no), (no, yes)]
    assert votes(ports, own, [case("please"), case("no")]) == [(M, M), (U, U)]
    assert len(models.given) == 2
    long = case("please " * 2_000)
    assert votes(ports, own, [long, case("no")]) == [(N, N), (U, U)], "what is cut would lose the instruction"
    assert len(models.given) == 2


def test_calibration_against_a_real_server_from_the_command_s_work_to_check(tmp_path: Path) -> None:
    with ChatServerThread(polite) as server:
        top = judged_workspace(tmp_path / "ws")
        one = behind(server.url)
        put(top, "rubrics/judges/tone.yaml", said(one))
        lock(top, judge_digest(one))
        subprocess.run(["git", "-C", str(top), "init", "-q"], check=True)
        rows = [label.model_dump(mode="json") for label in labels("core-refunds-1").labels]
        (top / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (made,) = wiring_judges.calibrate(top, "desk", labels=top / "labels.jsonl")
        assert (made.path, made.why_shown) == (CALIBRATION_AT, {SLUG: ""})
        assert made.record.criteria[SLUG].accuracy.value == 1.0
        assert len(server.bodies) == 80
        assert problems(top) == []
        assert load(top).calibrations["tone"] == made.record


def test_a_server_that_is_flaky_on_labels_is_recorded_and_does_not_count(tmp_path: Path) -> None:
    """As in promptfoo's issue 1932: the same question, another verdict. Here it is the order that turns it."""
    with ChatServerThread(polite) as server:
        top = judged_workspace(tmp_path / "ws")
        one = behind(server.url)
        put(top, "rubrics/judges/tone.yaml", said(one))
        subprocess.run(["git", "-C", str(top), "init", "-q"], check=True)
        rows = [label.model_dump(mode="json") for label in labels("core-refunds-1").labels]
        rows = [{**row, "answer": f"odd {row['answer']}"} if n % 5 == 0 else row for n, row in enumerate(rows)]
        (top / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (made,) = wiring_judges.calibrate(top, "desk", labels=top / "labels.jsonl")
        assert made.record.criteria[SLUG].flip_rate == pytest.approx(0.2)
        assert made.why_shown[SLUG] == "the order turns 20% of its votes, more than 10%"


# docs/judges.md


def test_the_page_s_judge_is_calibrated_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's judge, criterion, labels and command, as they are printed: only the server's address is the test's."""
    page = ROOT / "docs" / "judges.md"
    (file,) = (found for found in blocks(page.read_text()) if found.startswith("id: tone\n"))
    (criterion,) = (found for found in blocks(page.read_text()) if found.startswith("id: polite\n"))
    (rows,) = (found for found in blocks(page.read_text()) if found.startswith('{"scenario": '))
    (printed,) = (one.command for one in commands(page, running_text=False))
    top = judged_workspace(tmp_path / "ws")
    rubric = (top / "rubrics/desk-exact.yaml").read_text().partition("  - id: polite\n")[0]
    own = "".join(f"    {line}\n" for line in criterion.splitlines()).replace("    id:", "  - id:", 1)
    put(top, "rubrics/desk-exact.yaml", (rubric + own).encode())
    more = [json.loads(row) for row in rows.splitlines()]
    assert [row["met"] for row in more] == [True, False]
    more += [{**row, "answer": f"{row['answer']} {n}"} for n in range(20) for row in more]
    put(top, "labels.jsonl", "".join(json.dumps(row) + "\n" for row in more).encode())
    subprocess.run(["git", "-C", str(top), "init", "-q"], check=True)
    monkeypatch.setenv("JUDGES_KEY", "secret")
    with ChatServerThread(polite) as server:
        put(top, "rubrics/judges/tone.yaml", file.replace("http://127.0.0.1:8000/v1", server.url).encode())
        arguments = printed.replace("CLUSTER", "desk").split()[1:]
        monkeypatch.chdir(top)
        done = CliRunner().invoke(group, arguments, standalone_mode=False)
        assert done.return_value == ExitCode.DONE, done.output
        assert "kappa 1.00" in done.output
        assert {headers["Authorization"] for headers in server.headers} == {"Bearer secret"}
    digest = judge_digest(load(top).judges["tone"])
    lock(top, digest)
    assert problems(top) == []


def test_the_page_s_figures_are_the_defaults() -> None:
    (file,) = (found for found in blocks((ROOT / "docs" / "judges.md").read_text()) if found.startswith("id: tone\n"))
    assert parse(file.encode(), JudgeFile, path="tone.yaml").floor == Floor()
