"""Preferences that people's decisions state, taken up by TRL: loaded, told apart by their columns, and trained on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from runner.rules.triage.decisions import begin, decide
from runner.rules.triage.lists import prefilled
from runner.rules.triage.preferences import compiled
from tests.test_triage_rules import AT, Choice, Review, Triage, TriageFile, candidate

pytestmark = pytest.mark.acceptance
STEPS = 10
TEMPLATE = (
    "{% for m in messages %}{{ m['role'] + ' ' + m['content'] + ' ' }}{% endfor %}"
    "{% if add_generation_prompt %}assistant {% endif %}"
)
WORDS = ("system", "user", "assistant", "You", "route", "messages.", "where", "is", "my", "money")
ANSWERS = ("refund", "return", "payment")


def decided() -> tuple[TriageFile, Review]:
    """Forty inputs with two answers each: one is accepted and one rejected, or one edited."""
    rows = [
        candidate(2 * n + side, text=f"where is my money {n}", answer=answer)
        for n in range(40)
        for side, answer in enumerate(("refund", "return"))
    ]
    file = prefilled(rows, Triage(), cluster="desk", iteration="desk-1")
    review = begin(file, "ada")
    for number, one in enumerate(file.decisions):
        edit = {"edited_answer": "payment"} if number % 8 == 1 else {}
        choice = Choice.EDIT if edit else (Choice.ACCEPT, Choice.REJECT)[number % 2]
        review = decide(file, review, one.candidate, choice, at=AT, **edit)
    return file, review


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file, review = decided()
    folder = tmp_path_factory.mktemp("rows")
    made = compiled({"desk-1": file}, {"desk-1": (review,)}, instruction="You route messages.")
    for name, data in made.items():
        (folder / name).write_bytes(data)
    return folder


def loaded(path: Path) -> Any:
    os.environ["HF_HUB_OFFLINE"] = "1"
    from datasets import load_dataset

    return load_dataset("json", data_files=str(path), split="train", cache_dir=str(path.parent / "cache"))


def test_trl_tells_each_file_by_its_columns(files: Path) -> None:
    from trl.data_utils import is_conversational

    wanted = {
        "sft.jsonl": {"messages"},
        "preferences.jsonl": {"prompt", "chosen", "rejected"},
        "unpaired.jsonl": {"prompt", "completion", "label"},
    }
    for name, columns in wanted.items():
        rows = loaded(files / name)
        assert columns <= set(rows.column_names), name
        assert is_conversational(rows[0]), name
        assert rows[0]["reviewers"] == ["ada"]
    first = loaded(files / "preferences.jsonl")[0]
    assert [message["role"] for message in first["prompt"]] == ["system", "user"]
    assert [first["chosen"][0]["role"], first["rejected"][0]["role"]] == ["assistant", "assistant"]


def small(folder: Path) -> tuple[Any, Any]:
    """A random causal LM of some thousand weights, kept in `folder` for the reference model, and a word-level
    tokenizer."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.set_num_threads(1)
    torch.manual_seed(7)
    names = ["<pad>", "<eos>", "<unk>", *WORDS, *ANSWERS, *map(str, range(40))]
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(names)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>", chat_template=TEMPLATE
    )
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=len(names), num_key_value_heads=2, pad_token_id=0, eos_token_id=1, **shape)
    LlamaForCausalLM(config).save_pretrained(folder)
    return LlamaForCausalLM.from_pretrained(folder), fast


def how(target: Path) -> dict[str, Any]:
    return {
        "output_dir": str(target),
        "max_steps": STEPS,
        "per_device_train_batch_size": 8,
        "learning_rate": 1e-2,
        "logging_steps": 1,
        "report_to": [],
        "save_strategy": "no",
        "use_cpu": True,
        "seed": 7,
    }


def test_dpo_learns_from_the_pairs(files: Path, tmp_path: Path) -> None:
    from trl import DPOConfig, DPOTrainer

    model, tokenizer = small(tmp_path / "base")
    rows = loaded(files / "preferences.jsonl")
    trainer = DPOTrainer(model=model, args=DPOConfig(**how(tmp_path)), train_dataset=rows, processing_class=tokenizer)
    trainer.train()
    losses = [one["loss"] for one in trainer.state.log_history if "loss" in one]
    assert len(losses) == STEPS
    assert losses[-1] < 0.6 < losses[0], "ln 2 before the first step, and less where the pairs are learnt"


def test_kto_learns_from_single_answers(files: Path, tmp_path: Path) -> None:
    from trl import KTOConfig, KTOTrainer

    model, tokenizer = small(tmp_path / "base")
    rows = loaded(files / "unpaired.jsonl")
    trainer = KTOTrainer(model=model, args=KTOConfig(**how(tmp_path)), train_dataset=rows, processing_class=tokenizer)
    trainer.train()
    losses = [one["loss"] for one in trainer.state.log_history if "loss" in one]
    assert len(losses) == STEPS
    assert losses[-1] < losses[0]
