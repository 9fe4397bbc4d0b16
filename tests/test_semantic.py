"""Signals that may say the same in other words: proposals by an embedding model at a path, apart from duplicates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runner.edges.embeddings import LocalEmbeddings, files_digest
from runner.edges.simulated import MemoryArtifacts, simulated_ports
from runner.errors import ModelError
from runner.phases import p03_deduplicate
from runner.records.conversation import last_user_text
from runner.records.intake import DeduplicateReport
from runner.records.params import DeduplicateKnobs
from runner.records.trace import UniqueSignal
from runner.rules.data.signals import signal
from runner.rules.text.semantic import leaders, with_groups
from runner.workspace import Inputs
from tests.flywheel_fixture import fixture
from tests.test_rules_diagnosis import STEPS, trace, unique

SAME = ["my parcel never came where is it today", "where is it today my parcel never came"]
OTHER = "the card was charged twice refund please why"
WORDS = sorted({word for text in (*SAME, OTHER) for word in text.split()})


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A BERT of one layer with random weights: its vectors follow the words, and hardly their order."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    root = tmp_path_factory.mktemp("embedding") / "model"
    root.mkdir()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (root / "vocab.txt").write_text("\n".join(vocabulary))
    torch.manual_seed(3)
    torch.set_num_threads(1)
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    network = BertModel(BertConfig(vocab_size=len(vocabulary), max_position_embeddings=64, **shape))
    network.embeddings.position_embeddings.weight.data.zero_()
    network.save_pretrained(root)
    BertTokenizerFast(str(root / "vocab.txt")).save_pretrained(root)
    return root


def test_a_local_model_says_what_is_near(model: Path) -> None:
    found = LocalEmbeddings(model.parent, threads=1).embed("model", [*SAME, OTHER, ""])
    units = found.vectors / np.linalg.norm(found.vectors, axis=1, keepdims=True)
    assert units.shape == (4, 32)
    assert units[0] @ units[1] > 0.99
    assert units[0] @ units[2] < 0.97
    assert found.model == files_digest(model)
    again = LocalEmbeddings(model.parent, threads=1).embed("model", [*SAME, OTHER, ""])
    assert np.array_equal(found.vectors, again.vectors)
    assert LocalEmbeddings(model.parent, threads=1).embed("model", []).vectors.shape == (0, 32)


def test_a_padded_text_has_the_vector_it_has_alone(model: Path) -> None:
    edge = LocalEmbeddings(model.parent, threads=1)
    together, alone = edge.embed("model", ["why", SAME[0]]), edge.embed("model", ["why"])
    assert np.allclose(together.vectors[0], alone.vectors[0], atol=1e-5)


def test_a_directory_without_a_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no embedding model"):
        LocalEmbeddings(tmp_path).embed("nothing", ["a"])
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="cannot be loaded"):
        LocalEmbeddings(tmp_path).embed(".", ["a"])


def test_phase_3_marks_proposals_and_counts_them_apart(model: Path) -> None:
    space, values = fixture()
    traces = [trace(text, "refund", "login") for text in (*SAME, OTHER)] + [trace(SAME[1], "sizing", "login")]
    values["signals"], values["leaks"] = tuple(signal(one, STEPS) for one in traces), ()
    knobs = DeduplicateKnobs(embedding_model="model", embedding_threshold=0.97)
    space = replace(space, params=space.params.model_copy(update={"deduplicate": knobs}))
    ports = replace(simulated_ports(), embeddings=LocalEmbeddings(model.parent, threads=1))
    made = p03_deduplicate.run(Inputs(space, MemoryArtifacts(values)), ports).artifacts
    report, found = made["deduplicate"], made["unique"]
    assert isinstance(report, DeduplicateReport)
    assert (report.unique, report.near, report.exact) == (4, 0, 0), "a proposal is no duplicate"
    assert report.semantic is not None
    assert (report.semantic.groups, report.semantic.members) == (1, 1)
    assert report.semantic.model == files_digest(model)
    rows = [one for one in found if isinstance(one, UniqueSignal)]
    (member,) = [one for one in rows if one.like]
    (leader,) = [one for one in rows if one.signal.id == member.like]
    assert {last_user_text(one.signal.trace.input) for one in (member, leader)} == set(SAME)
    assert member.signal.trace.response == leader.signal.trace.response == "refund", "another answer is another signal"
    with pytest.raises(ModelError, match="no embedding model can be loaded here"):
        p03_deduplicate.run(Inputs(space, MemoryArtifacts(values)), simulated_ports())


def test_a_chain_of_small_steps_does_not_run_together() -> None:
    angles = np.linspace(0, np.pi / 2, 10)
    units = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    chosen = leaders(units, threshold=float(np.cos(np.pi / 17)))
    assert len(set(chosen)) > 3
    assert all(units[place] @ units[head] >= np.cos(np.pi / 17) - 1e-6 for place, head in enumerate(chosen))
    signals, _ = unique(trace("a b c", "x"), trace("d e f", "x"))
    with pytest.raises(ValueError, match="2 signals"):
        with_groups(signals, units, threshold=0.9)
    assert all(not one.like for one in with_groups(signals, np.zeros((2, 3), np.float32), threshold=0.9))
