"""The tiny base: a Llama of well under a million parameters, pre-trained from scratch on named human data.

It stands in for a real base in size only: a byte-level BPE tokenizer with a chat template, a transformers model, and
safetensors weights. Each row is shown as a chat turn; a share of rows also the other way round (`label -> message`),
so that the model can write messages for a label.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from runner.ports import Pretrained, Progress, Tree
from runner.records.conversation import Conversation
from runner.records.dataset import Example
from runner.records.params import BaseRecipe
from runner.rules.text.conversations import chat_form, reversed_example, with_instruction

PAD, END, USER, ASSISTANT, SYSTEM = "<|pad|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"
SPECIAL = (PAD, END, USER, ASSISTANT, SYSTEM)
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% for call in message['tool_calls'] or [] %}{{ call['function']['name'] + ' ' + call['function']['arguments']"
    " | tojson }}{% endfor %}"
    "{% if message['role'] == 'assistant' %}{{ '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
WORDS = r"[ _]?\p{L}+|[ _]?\p{N}| ?[^\s\p{L}\p{N}]+|\s+"
"""Where BPE may not merge across: words with the space or underscore before them, single digits, punctuation."""
IGNORED = -100
WARM_UP = 0.05
EMA_FROM = 0.5
"""The share of the run after which weights are averaged."""


class Encoded(NamedTuple):
    """One training row: token ids, where the completion starts, and what a token of it weighs in the loss."""

    ids: list[int]
    completion: int
    weight: float = 1.0
    prompt: float = 0.0
    """What a prompt token weighs."""


def make_tokenizer(texts: Sequence[str], *, vocabulary: int) -> Any:
    """A fast tokenizer trained on `texts`, with the chat template."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(WORDS), "isolated")
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, bytes_])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, padding_side="left")
    fast.chat_template = CHAT_TEMPLATE
    return fast


def encode(tokenizer: Any, rows: Sequence[tuple[Conversation, str]], *, max_length: int) -> list[Encoded]:
    """Prompts through the chat template, then the answer and the end token; a long prompt loses its start."""
    if not rows:
        return []
    prompts = [
        tokenizer.apply_chat_template(chat_form(conversation), tokenize=False, add_generation_prompt=True)
        for conversation, _ in rows
    ]
    end = tokenizer.eos_token or ""
    before = tokenizer(prompts, add_special_tokens=False)["input_ids"]
    after = tokenizer([answer + end for _, answer in rows], add_special_tokens=False)["input_ids"]
    encoded = []
    for prompt, completion in zip(before, after, strict=True):
        completion = completion[: max_length // 2]
        kept = prompt[-(max_length - len(completion)) :]
        encoded.append(Encoded(kept + completion, len(kept)))
    return encoded


def without_words(row: Encoded, share: float, rng: random.Random) -> Encoded:
    """The row with `share` of its prompt tokens left out; the first and the last stay."""
    if share <= 0 or row.completion < 4:
        return row
    body = [token for token in row.ids[1 : row.completion - 1] if rng.random() >= share]
    ids = [row.ids[0], *body, row.ids[row.completion - 1], *row.ids[row.completion :]]
    return row._replace(ids=ids, completion=len(body) + 2)


def batches(lengths: Sequence[int], *, size: int, rng: random.Random, pool: int = 50) -> list[list[int]]:
    """Every index once, shuffled, near lengths together, so that a batch pads little."""
    order = list(range(len(lengths)))
    rng.shuffle(order)
    found = []
    for start in range(0, len(order), size * pool):
        near = sorted(order[start : start + size * pool], key=lambda index: lengths[index])
        found += [near[at : at + size] for at in range(0, len(near), size)]
    rng.shuffle(found)
    return found


def pretrain(
    examples: Sequence[Example],
    dev: Sequence[Example],
    *,
    instruction: str,
    recipe: BaseRecipe,
    seed: int,
    accuracy: Any,
    progress: Progress,
) -> Pretrained:
    """Train from scratch to the largest of `recipe.steps`, scoring dev at each; the best is kept (the least on a tie).

    `accuracy(model, tokenizer, dev)` is the share of dev answered right, greedily.
    """
    import torch

    rng = random.Random(seed)
    torch.manual_seed(seed)
    texts = [message.content for one in examples for message in one.input]
    # Each answer once: were they as frequent as they are in the rows, whole answers would become single tokens, and
    # the model would learn less from each (0.73 against 0.82 on the embedded cluster's dev and core).
    tokenizer = make_tokenizer([*texts, *sorted({one.answer for one in examples})], vocabulary=recipe.vocabulary)
    model = new_model(len(tokenizer), recipe)
    rows = [(with_instruction(one.input, instruction), one.answer) for one in examples]
    turned = [reversed_example(one) for one in examples] if recipe.reversed_share > 0 else []
    spoken = encode(tokenizer, rows, max_length=recipe.max_length)
    forward = [row._replace(prompt=0.0 if turned else recipe.prompt_loss) for row in spoken]
    asked = encode(tokenizer, [(one.input, one.answer) for one in turned], max_length=recipe.max_length)
    backward = [row._replace(weight=recipe.prompt_loss) for row in asked]
    total = max(recipe.steps)
    optimizer = _optimizer(model, recipe)
    average: list[Any] = []
    losses: list[float] = []
    kept: dict[int, tuple[float, dict[str, bytes]]] = {}
    stream = _stream(forward, backward, recipe=recipe, rng=rng)
    model.train()
    for step in range(1, total + 1):
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * _schedule(step, total)
        losses.append(_step(model, next(stream), recipe=recipe, pad=tokenizer.pad_token_id))
        optimizer.step()
        optimizer.zero_grad()
        if recipe.average > 0 and step > total * EMA_FROM:
            _fold(average, model, keep=recipe.average)
        if step % 10 == 0:
            progress("pre-training the tiny base", step / total)
        if step in recipe.steps:
            kept[step] = _snapshot(model, tokenizer, average, lambda m: accuracy(m, tokenizer, dev))
    best = max(sorted(kept), key=lambda step: kept[step][0])
    return Pretrained(
        weights=Tree(kept[best][1]),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        steps=best,
        dev_by_steps={step: value for step, (value, _) in kept.items()},
        loss=tuple(round(sum(part) / len(part), 4) for part in _parts(losses, 20)),
    )


def new_model(vocabulary: int, recipe: BaseRecipe) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=recipe.hidden,
        intermediate_size=recipe.hidden * 8 // 3 // 8 * 8,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads,
        max_position_embeddings=2 * recipe.max_length,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=SPECIAL.index(END),
        pad_token_id=SPECIAL.index(PAD),
    )
    return eager(LlamaForCausalLM(config))


def eager(model: Any) -> Any:
    """`model` with plain attention: on a CPU in bfloat16 torch's fused kernel takes twice as long over short rows."""
    model.set_attn_implementation("eager")
    return model


def files(model: Any, tokenizer: Any) -> dict[str, bytes]:
    """config.json, model.safetensors, tokenizer.json and tokenizer_config.json, as bytes that repeat."""
    from safetensors.torch import save

    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items() if name != "lm_head.weight"}
    config = {name: value for name, value in model.config.to_dict().items() if name != "_name_or_path"}
    config["architectures"] = ["LlamaForCausalLM"]
    named = {
        "chat_template": tokenizer.chat_template,
        "eos_token": tokenizer.eos_token,
        "model_max_length": model.config.max_position_embeddings,
        "pad_token": tokenizer.pad_token,
        "padding_side": "left",
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    return {
        "config.json": _json(config),
        "model.safetensors": save(weights, metadata={"format": "pt"}),
        "tokenizer.json": tokenizer.backend_tokenizer.to_str(pretty=False).encode(),
        "tokenizer_config.json": _json(named),
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode() + b"\n"


def _optimizer(model: Any, recipe: BaseRecipe) -> Any:
    import torch

    matrices = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.dim() == 1]
    groups = [{"params": matrices, "weight_decay": 0.01}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98), fused=True)


def _schedule(step: int, total: int) -> float:
    """Linear up over the first 5 %, then linear down to nought."""
    warm = max(1, int(total * WARM_UP))
    return min(step / warm, (total - step + 1) / (total - warm + 1))


def _stream(
    forward: list[Encoded], backward: list[Encoded], *, recipe: BaseRecipe, rng: random.Random
) -> Iterator[list[Encoded]]:
    """Batches for ever: all rows once an epoch, and a seeded share of the reversed ones among them."""
    while True:
        rows = [without_words(row, recipe.prompt_dropout, rng) for row in forward]
        rows += [row for row in backward if rng.random() < recipe.reversed_share]
        for batch in batches([len(row.ids) for row in rows], size=recipe.batch, rng=rng):
            yield [rows[index] for index in batch]


def _step(model: Any, rows: Sequence[Encoded], *, recipe: BaseRecipe, pad: int) -> float:
    """One backward pass; the loss is the mean over tokens, prompt tokens at `prompt_loss`."""
    import torch
    from torch.nn import functional

    longest = max(len(row.ids) for row in rows)
    ids = torch.full((len(rows), longest), pad)
    weight = torch.zeros(len(rows), longest)
    for index, row in enumerate(rows):
        ids[index, : len(row.ids)] = torch.tensor(row.ids)
        weight[index, 1 : row.completion] = row.prompt
        weight[index, row.completion : len(row.ids)] = row.weight
    counted = weight[:, 1:] > 0
    with torch.autocast("cpu", torch.bfloat16):
        hidden = model.model(input_ids=ids[:, :-1]).last_hidden_state
        logits = functional.linear(hidden[counted], model.lm_head.weight)
    each = functional.cross_entropy(logits.float(), ids[:, 1:][counted], reduction="none")
    loss = (each * weight[:, 1:][counted]).sum() / weight[:, 1:][counted].sum()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    return float(loss.detach())


def _fold(average: list[Any], model: Any, *, keep: float) -> None:
    """Move the running average of the weights towards the present ones."""
    if not average:
        average.extend(parameter.detach().clone() for parameter in model.parameters())
        return
    for mean, parameter in zip(average, model.parameters(), strict=True):
        mean.lerp_(parameter.detach(), 1 - keep)


def _snapshot(model: Any, tokenizer: Any, average: list[Any], score: Any) -> tuple[float, dict[str, bytes]]:
    """The averaged weights (the present ones where there is no average) with their score; training goes on after."""
    present = [parameter.detach().clone() for parameter in model.parameters()]
    for parameter, mean in zip(model.parameters(), average or present, strict=True):
        parameter.data.copy_(mean)
    model.eval()
    value = float(score(model))
    saved = files(model, tokenizer)
    for parameter, was in zip(model.parameters(), present, strict=True):
        parameter.data.copy_(was)
    model.train()
    return value, saved


def _parts(values: Sequence[float], count: int) -> Iterator[Sequence[float]]:
    size = max(1, -(-len(values) // count))
    return (values[start : start + size] for start in range(0, len(values), size))
