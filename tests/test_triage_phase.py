"""Phase 9 with real keys: reviews that hold go on to the evidence, the lineage and preferences; others are refused."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.edges.signing import SshSigner
from runner.edges.simulated import MemoryArtifacts, simulated_ports
from runner.phases import p09_triage
from runner.ports import Output
from runner.ports_promotion import Keys
from runner.records.lineage import Lineage
from runner.records.policy import Trust
from runner.records.statement import Namespace
from runner.records.triage import Choice, Review, TriageFile
from runner.records.triage_policy import Triage
from runner.records.verdict import Outcome
from runner.reviews import envelope_path, review_path, sign
from runner.rules.canonical import canonical
from runner.rules.loop.lineage import explain
from runner.rules.triage.decisions import begin, decide
from runner.rules.triage.lists import prefilled
from runner.workspace import Inputs, Workspace
from tests.flywheel_fixture import fixture
from tests.promotion_fixture import CHANGES
from tests.test_phases import run_all

PEOPLE = ("ada", "ben")
AT = "2026-11-21T12:00:00Z"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    for name in PEOPLE:
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)]
        subprocess.run(command, check=True)
    return folder


class Room:
    """An iteration that waits at triage, and the people who decide."""

    def __init__(self, keys: Path, **policy: Any) -> None:
        self.keys = keys
        space, self.values = fixture(triage={"required": "all", "signed": True, **policy})
        self.waits = run_all(space, self.values, upto="triage")["triage"]
        lines = [f'{name} namespaces="{Namespace.TRIAGE}" {self.key(name).public_key}\n' for name in PEOPLE]
        trust = Trust.model_validate(
            {
                "version": 1,
                "repository": "example/desk",
                "expires": "2027-06-01T00:00:00Z",
                "allowed_signers": "0" * 64,
                "revoked": "0" * 64,
                "people": dict.fromkeys(PEOPLE, ("owner",)),
                "ci": "ci",
                "gate": "gate",
                "changes": CHANGES,
            }
        )
        self.space = replace(space, trust=trust, keys=Keys("".join(lines).encode(), b""))
        self.iteration = self.values["intake"].iteration
        asked = space.cluster.triage
        self.file = prefilled(self.values["valid"], asked, cluster="desk", iteration=self.iteration)

    def key(self, name: str) -> SshSigner:
        return SshSigner(self.keys / name)

    def review(self, person: str, rejected: Mapping[int, str] | None = None) -> Review:
        made = begin(self.file, person)
        for number, one in enumerate(self.file.decisions):
            if one.people:
                reason = (rejected or {}).get(number, "")
                choice = Choice.REJECT if reason else Choice.ACCEPT
                made = decide(self.file, made, one.candidate, choice, at=AT, reason=reason)
        return made

    def merged(self, *reviews: Review, signed: bool = True, key: str = "", file: TriageFile | None = None) -> Workspace:
        """The workspace with the list and these reviews on it."""
        files = {}
        for one in reviews:
            path, data = review_path("desk", self.iteration, one.reviewer), canonical(one)
            files[path] = data
            if signed and self.space.trust:
                signer = self.key(key or one.reviewer)
                files[envelope_path(path)] = sign(one, data, signer, self.space.trust, now=AT, nonce="0" * 32)
        return replace(
            self.space,
            triage={self.iteration: file or self.file},
            reviews={self.iteration: tuple(reviews)},
            signatures=files,
        )

    def run(self, space: Workspace) -> Output:
        return p09_triage.run(Inputs(space, MemoryArtifacts(self.values)), simulated_ports())


def test_a_signed_review_goes_on_to_the_evidence_and_why_names_the_reviewer(keys: Path) -> None:
    room = Room(keys)
    assert room.waits.verdict.outcome is Outcome.WAIT
    space = room.merged(room.review("ada", {0: "says nothing"}))
    outputs = run_all(space, room.values)
    assert outputs["triage"].verdict.outcome is Outcome.PASS
    result = room.values["triage"]
    assert (result.reviewer, result.rejected, result.reviews[0].signed) == ("ada", 1, True)
    files = room.values["bundle"].files
    told = json.loads(files["triage.json"])
    assert told["reviews"][0]["review"] == result.reviews[0].review
    lineage = Lineage.model_validate_json(files["lineage.json"])
    first = room.values["accepted"][0].example.id
    assert explain(lineage, first).node.label.endswith(", accepted by ada")
    assert len(room.values["unpaired"]) == len(room.file.decisions)


def test_what_is_not_the_reviewers_word_is_refused(keys: Path) -> None:
    room = Room(keys)
    ada = room.review("ada")
    other = room.merged(ada)
    altered = {path: data.replace(b"accept", b"reject", 1) if path.endswith("yaml") else data
               for path, data in other.signatures.items()}  # fmt: skip
    decided = tuple(one.model_copy(update={"decision": Choice.ACCEPT}) for one in room.file.decisions)
    in_place = room.file.model_copy(update={"reviewer": "ada", "decisions": decided})
    cases = {
        "10.1 signature: is not signed": room.merged(ada, signed=False),
        "10.1 signature: is not signed by ada": room.merged(ada, key="ben"),
        "10.4 subjects: other decisions": replace(other, signatures=altered),
        "10.5 reviewer: mallory is no person": room.merged(room.review("mallory"), signed=False),
        "was made on another list": room.merged(ada.model_copy(update={"candidates": "0" * 64})),
        "decided in the list itself": room.merged(file=in_place),
        "no policy/trust.yaml": replace(other, trust=None),
        "could not be verified: revoked": replace(
            other, keys=Keys(room.space.keys.allowed_signers, room.key("ada").public_key.encode() + b"\n")
        ),
    }
    for said, space in cases.items():
        output = room.run(space)
        assert output.verdict.outcome is Outcome.REFUSE, said
        problems = [reason.problem for reason in output.verdict.reasons]
        assert any(said in problem or (said.endswith("revoked") and "is not signed by ada" in problem)
                   for problem in problems), (said, problems)  # fmt: skip
        assert output.artifacts["accepted"] == ()


def test_a_cluster_that_asks_for_no_signature_takes_anybodys_word_but_no_forged_one(keys: Path) -> None:
    room = Room(keys, signed=False)
    output = room.run(room.merged(room.review("mallory"), signed=False))
    assert output.verdict.outcome is Outcome.PASS
    result: Any = output.artifacts["triage"]
    assert (result.reviewer, result.reviews[0].signed) == ("mallory", False)
    forged = room.run(room.merged(room.review("ada"), key="ben"))
    assert forged.verdict.outcome is Outcome.REFUSE
    assert "is not signed by ada" in forged.verdict.reasons[0].problem


def test_two_who_do_not_mean_the_same_are_refused_with_what_to_do(keys: Path) -> None:
    room = Room(keys, double=1.0, min_kappa=0.6)
    ada = room.review("ada", {0: "no", 1: "no"})
    waiting = room.run(room.merged(ada))
    assert waiting.verdict.outcome is Outcome.WAIT
    assert "1 of 2 people" in waiting.verdict.reasons[0].problem
    output = room.run(room.merged(ada, room.review("ben", {2: "no", 3: "no"})))
    assert output.verdict.outcome is Outcome.REFUSE
    (reason,) = output.verdict.reasons
    assert reason.step == "kappa"
    assert "is below 0.6" in reason.problem
    assert "rubric" in reason.hint
    result: Any = output.artifacts["triage"]
    assert {one.candidate for one in result.disagreements} == {one.candidate for one in room.file.decisions[:4]}
    same = room.run(room.merged(ada, room.review("ben", {0: "no", 1: "no"})))
    assert same.verdict.outcome is Outcome.PASS
    agreed: Any = same.artifacts["triage"]
    assert agreed.agreement[0].kappa == 1.0


def test_a_sample_passes_by_policy_and_says_how_wrong_the_rest_may_be(keys: Path) -> None:
    room = Room(keys, required="sample", sample=0.5, max_error_rate=0.5)
    asked = [one for one in room.file.decisions if one.people]
    assert 0 < len(asked) < len(room.file.decisions)
    output = room.run(room.merged(room.review("ada")))
    assert output.verdict.outcome is Outcome.PASS
    assert "pass unread" in output.verdict.by_policy
    result: Any = output.artifacts["triage"]
    assert result.unread == len(room.file.decisions) - len(asked)
    assert result.accepted == len(room.values["valid"])
    assert set(result.checked) == {one.candidate for one in asked}


def test_triage_policies_that_say_nothing_new_have_the_digest_they_had() -> None:
    assert Triage().model_dump(mode="json") == {"required": "all"}
    assert Triage(required="none").model_dump(mode="json") == {"required": "none"}
