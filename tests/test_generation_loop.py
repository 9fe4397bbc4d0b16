"""How answers are batched, shared and cut short changes no answer; a closed set is decoded exactly."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from runner.edges import generation_loop, lora
from runner.edges.bases import network_of, tokenizer_of
from runner.edges.generation_loop import Setting, buckets
from runner.edges.transformers_models import TransformersModels
from runner.ports import Answers, Model, Tree
from runner.records.cluster import TinyBase
from runner.records.conversation import Conversation
from runner.records.params import BaseRecipe
from runner.rules.evaluation.choice_trie import Trie
from runner.rules.text.conversations import with_instruction
from tests.flywheel_fixture import WORDS, Writer

INSTRUCTION = "You sort the messages of a desk into queues. Say the queue's name and nothing else."
NEW = 12


@pytest.fixture(scope="module")
def model() -> Model:
    """A tiny base that has learnt a little: its answers end, and differ in length."""
    examples = Writer(seed=4).examples("base", dict.fromkeys(WORDS, 30))
    recipe = BaseRecipe(
        vocabulary=600, hidden=64, heads=2, learning_rate=8e-3, max_length=128, steps=(80,), reversed_share=0.0
    )
    made = TransformersModels(threads=1).pretrain(
        examples, (), instruction=INSTRUCTION, recipe=recipe, seed=1, threads=1
    )
    return Model(TinyBase(kind="tiny"), made.weights)


@pytest.fixture(scope="module")
def prompts() -> list[Conversation]:
    """Some of one word, some of forty."""
    texts = [one.input for one in Writer(seed=9).examples("asked", dict.fromkeys(WORDS, 12))]
    long = [
        (one[0].model_copy(update={"content": " ".join([one[0].content] * (1 + n % 5))}),)
        for n, one in enumerate(texts)
    ]
    return [with_instruction(one, INSTRUCTION) for one in long]


@pytest.fixture(scope="module")
def loaded(model: Model) -> tuple[Any, Any]:
    return network_of(model), tokenizer_of(model)


def library(network: Any, tokenizer: Any, prompts: Sequence[Conversation], setting: Setting, patch: Any) -> Answers:
    """The same by transformers' `generate`."""
    with patch.context() as patched:
        patched.setattr(generation_loop, "plain", lambda network: False)
        return generation_loop.answer(network, tokenizer, prompts, setting)


def same(left: Answers, right: Answers) -> bool:
    return (left.texts, left.tokens) == (right.texts, right.tokens)


SETTINGS = [Setting(NEW, rows=rows, shared=shared) for rows in (1, 7, 128) for shared in (1, 10**9)]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: f"rows {setting.rows}, shared {setting.shared}")
def test_batches_and_a_shared_prefix_change_no_answer(
    loaded: Any, prompts: list[Conversation], setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = library(*loaded, prompts, Setting(NEW), monkeypatch)
    assert len(set(expected.tokens)) > 2
    assert max(expected.tokens) <= NEW
    assert same(generation_loop.answer(*loaded, prompts, setting), expected)


def test_answers_may_be_cut_at_any_length(
    loaded: Any, prompts: list[Conversation], monkeypatch: pytest.MonkeyPatch
) -> None:
    for most in (1, 2, 5):
        expected = library(*loaded, prompts, Setting(most), monkeypatch)
        assert max(expected.tokens) == most
        assert same(generation_loop.answer(*loaded, prompts, Setting(most)), expected)


def test_an_adapter_answers_the_same_in_the_loop(
    loaded: Any, prompts: list[Conversation], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    network, tokenizer = loaded
    bare = generation_loop.answer(network, tokenizer, prompts, Setting(NEW))
    config = {"r": 4, "lora_alpha": 16, "target_modules": lora.linear_modules(network), "lora_dropout": 0.0}
    adapted = lora.wrap(network, {**config, "task_type": "CAUSAL_LM"})
    try:
        with torch.no_grad(), torch.random.fork_rng():
            torch.manual_seed(5)
            for name, parameter in adapted.named_parameters():
                if ".lora_B." in name:
                    parameter.normal_(std=0.02)
        adapted.eval()
        assert generation_loop.plain(adapted)
        expected = library(adapted, tokenizer, prompts, Setting(NEW), monkeypatch)
        assert not same(expected, bare)
        assert same(generation_loop.answer(adapted, tokenizer, prompts, Setting(NEW)), expected)
    finally:
        adapted.unload()


def test_answers_are_told_as_they_come(loaded: Any, prompts: list[Conversation]) -> None:
    told: dict[int, tuple[str, int]] = {}
    shares: list[float] = []

    def keep(index: int, text: str, tokens: int) -> None:
        told[index] = (text, tokens)

    made = generation_loop.answer(
        *loaded, prompts, Setting(NEW, rows=16), keep=keep, progress=lambda _, share: shares.append(share)
    )
    assert told == dict(enumerate(zip(made.texts, made.tokens, strict=True)))
    assert shares == sorted(shares)
    assert (len(shares), shares[-1]) == (-(-len(prompts) // 16), 1.0)


def test_no_prompts_have_no_answers(loaded: Any) -> None:
    assert generation_loop.answer(*loaded, [], Setting(NEW)).texts == ()
    assert generation_loop.drawn(*loaded, [], max_new_tokens=NEW, do_sample=True) == ()


CHOICES = ("broken", "late-parcel", "late", "sizing", "sizing of what nobody at this desk has ever worn", "", "zebra")


def brute(network: Any, tokenizer: Any, prompt: Conversation, choices: Sequence[str]) -> tuple[str, int]:
    """Greedy under the closed set, token by token, a whole pass for each and every answer tried."""
    import torch

    text = tokenizer.apply_chat_template(
        [{"role": one.role.value, "content": one.content} for one in prompt], tokenize=False, add_generation_prompt=True
    )
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    spelt = {one: tokenizer(one + tokenizer.eos_token, add_special_tokens=False)["input_ids"] for one in choices}
    said: list[int] = []
    while said not in spelt.values():
        begin = [found[len(said)] for found in spelt.values() if found[: len(said)] == said and len(found) > len(said)]
        with torch.inference_mode():
            logits = network(input_ids=torch.tensor([ids + said])).logits[0, -1]
        said.append(max(sorted(set(begin)), key=lambda token: float(logits[token])))
    return next(one for one, found in spelt.items() if found == said), len(said)


def test_a_closed_set_is_decoded_as_by_brute_force(
    loaded: Any, prompts: list[Conversation], monkeypatch: pytest.MonkeyPatch
) -> None:
    some = prompts[::2]
    free = generation_loop.answer(*loaded, some, Setting(NEW))
    assert not set(free.texts) <= set(CHOICES)
    for setting in (Setting(NEW, CHOICES), Setting(2, CHOICES, rows=7), Setting(NEW, CHOICES[:3])):
        made = generation_loop.answer(*loaded, some, setting)
        expected = [brute(*loaded, prompt, setting.choices) for prompt in some]
        assert list(zip(made.texts, made.tokens, strict=True)) == expected
        assert len(set(made.texts)) > 1
        assert same(library(*loaded, some, setting, monkeypatch), made)


def test_of_one_choice_that_is_the_answer(loaded: Any, prompts: list[Conversation]) -> None:
    assert set(generation_loop.answer(*loaded, prompts, Setting(1, ["order status"])).texts) == {"order status"}


def test_a_trie_says_what_may_follow() -> None:
    trie = Trie.of([[1, 2, 9], [1, 2, 3, 9], [4, 9], [4, 9]])
    assert set(trie.next) == {1, 4}
    assert set(trie.after([1, 2]).next) == {9, 3}
    assert trie.after([1, 2, 3]).rest() == [9]
    assert trie.after([4]).rest() == [9]
    assert trie.after([4, 9]).rest() == []
    assert trie.rest() is trie.after([1]).rest() is None
    assert trie.after([7]).next == {}


def test_batches_are_by_length_and_of_bounded_size() -> None:
    lengths = [5, 90, 1, 5, 400, 2]
    assert list(buckets(lengths, new=10)) == [[2, 5, 0, 3, 1, 4]]
    assert list(buckets(lengths, new=10, rows=4)) == [[2, 5, 0, 3], [1, 4]]
    assert list(buckets(lengths, new=10, tokens=200)) == [[2, 5, 0, 3], [1], [4]]
    assert list(buckets([], new=10)) == []


OTHERS = {
    "gpt2": {"n_embd": 32, "n_head": 2, "n_layer": 2, "n_positions": 256},
    "qwen2": {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_key_value_heads": 1},
    "gemma3_text": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
    },
    "mamba": {"hidden_size": 32, "num_hidden_layers": 2},
}
PLAIN = {"gpt2", "qwen2"}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_architectures_answer_the_same(
    loaded: Any, prompts: list[Conversation], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = loaded[1]
    shape = {"num_hidden_layers": 2, **OTHERS[kind], "vocab_size": len(tokenizer)}
    ends = {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    with torch.random.fork_rng():
        torch.manual_seed(2)
        network = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **shape, **ends)).eval()
        for parameter in network.parameters():
            parameter.data.mul_(8 if parameter.dim() > 1 else 1)
    assert generation_loop.plain(network) == (kind in PLAIN)
    some = prompts[:24]
    expected = library(network, tokenizer, some, Setting(NEW), monkeypatch)
    assert kind not in PLAIN or len(set(expected.texts)) > 3
    assert same(generation_loop.answer(network, tokenizer, some, Setting(NEW, rows=5, shared=1)), expected)


def test_a_model_whose_own_settings_change_what_is_greedy_is_left_to_the_library(model: Model) -> None:
    network = network_of(model)
    assert generation_loop.plain(network)
    network.generation_config.repetition_penalty = 1.3
    assert not generation_loop.plain(network)


def test_the_engine_says_what_it_is_before_it_loads_anything(model: Model) -> None:
    one = TransformersModels(threads=1)
    said = one.identity(model)
    assert one.import_seconds == 0.0
    assert said == TransformersModels(threads=1).identity(model)
    other = replace(model, weights=Tree({**model.weights.files, "tokenizer_config.json": b"{}"}))
    adapted = replace(model, adapter=Tree({"adapter_config.json": b"{}"}))
    changed = {
        "threads": (TransformersModels(threads=2).identity(model), {"setting"}),
        "template": (one.identity(other), {"base", "template"}),
        "adapter": (one.identity(adapted), {"adapter"}),
    }
    for found, parts in changed.values():
        assert {name for name in said._fields if getattr(said, name) != getattr(found, name)} == parts


@pytest.mark.parametrize("library", ["transformers", "torch", "tokenizers", "peft"])
def test_another_version_of_what_computes_is_another_engine(
    library: str, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, real = TransformersModels(threads=1).identity(model), importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0" if name == library else real(name))
    after = TransformersModels(threads=1).identity(model)
    assert before == after._replace(version=before.version)
    assert before != after


def test_answers_wait_for_no_library_of_training(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = importlib.import_module

    def told(name: str, package: str | None = None) -> Any:
        asked.append(name)
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", told)
    one = TransformersModels(threads=1)
    assert one.answer(model, [], max_new_tokens=NEW).texts == ()
    assert "transformers.modeling_utils" in asked
    assert not {"peft", "trl.trainer.sft_trainer"} & set(asked)
