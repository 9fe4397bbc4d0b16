"""Greedy answers from a causal language model: the loop itself, with no library's generation around it.

Prompts are rendered and tokenised once. Those of near lengths share a batch, padded on the left; the keys and values
of what all of them begin with are computed once; an answer that has ended leaves its batch. None of this changes a
greedy answer: a row's numbers depend on its own tokens alone, but for the last bits of a sum, which the shape of a
batch may round otherwise. Over a closed set of answers, `rules.evaluation.choice_trie` says what may come next.

A network whose cache, positions or generation settings are not the plain ones is left to transformers' `generate`,
which gives the same answers and takes longer. So is sampling, whose draws depend on the order in which it draws.
"""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from runner.edges.bases import prompt_ids
from runner.ports import Answers, Keep, Progress, forget, silent
from runner.records.conversation import Conversation
from runner.rules.evaluation.choice_trie import Trie

Ids = list[int]
VERSION = "loop 1"
"""Raised with what could change an answer."""
ROWS = 128
"""Rows of a batch at most."""
TOKENS = 32_768
"""Tokens of a batch at most, padding and answers counted: what its keys and values take memory for."""
LEAVING = 0.75
"""Ended rows are taken out of the batch when this share of it, or less, is still being written."""
SHARED = 8
"""Tokens with which all prompts must begin, for their keys and values to be computed once."""
HARMLESS = frozenset(
    {"bos_token_id", "eos_token_id", "pad_token_id", "transformers_version", "_from_model_config", "use_cache"}
    | {"do_sample", "temperature", "top_k", "top_p", "min_p", "typical_p", "max_length", "max_new_tokens"}
)
"""Generation settings of a model that change no greedy answer, or that are said for each call; so do those that are
off."""


class Setting(NamedTuple):
    """How a call's answers are written. The last two change its speed alone."""

    max_new_tokens: int
    choices: Sequence[str] = ()
    rows: int = ROWS
    shared: int = SHARED


class Voice(NamedTuple):
    """A network, the two tokens that answers are padded and ended with, and what they may say."""

    network: Any
    pad: int
    end: int
    most: int
    """Tokens of an answer at most, its end token counted."""
    trie: Trie | None


class Prefix(NamedTuple):
    """The keys and values of the tokens that all prompts begin with: a pair for each layer, of one row."""

    length: int = 0
    layers: Sequence[tuple[Any, Any]] = ()


def answer(
    network: Any,
    tokenizer: Any,
    prompts: Sequence[Conversation],
    setting: Setting,
    *,
    progress: Progress = silent,
    keep: Keep = forget,
) -> Answers:
    """Greedy answers in the order of the prompts; `keep` is told of them batch by batch."""
    started = time.monotonic()
    voice = _voice(network, tokenizer, setting)
    ids, end = encode(network, tokenizer, prompts, new=voice.most), voice.end
    texts, tokens, done = [""] * len(ids), [0] * len(ids), 0
    write = _writer(voice, ids, shared=setting.shared)
    for chosen in buckets([len(one) for one in ids], new=voice.most, rows=setting.rows):
        said = write([ids[index] for index in chosen])
        shown = tokenizer.batch_decode([_without(row, end) for row in said], skip_special_tokens=True)
        for index, row, text in zip(chosen, said, shown, strict=True):
            texts[index], tokens[index] = text, len(row)
            keep(index, text, len(row))
        done += len(chosen)
        progress("answering", done / len(ids))
    return Answers(tuple(texts), tuple(tokens), time.monotonic() - started)


def drawn(
    network: Any, tokenizer: Any, prompts: Sequence[Conversation], *, max_new_tokens: int, **how: Any
) -> tuple[str, ...]:
    """A text a prompt by `generate`, sampled as `how` says, from torch's random numbers as they stand."""
    voice = _voice(network, tokenizer, Setting(max_new_tokens))
    ids = encode(network, tokenizer, prompts, new=max_new_tokens)
    texts = [""] * len(ids)
    for chosen in buckets([len(one) for one in ids], new=max_new_tokens, tokens=sys.maxsize):
        said = _generated(voice, [ids[index] for index in chosen], **how)
        for index, row in zip(chosen, said, strict=True):
            texts[index] = tokenizer.decode(_without(row, voice.end), skip_special_tokens=True)
    return tuple(texts)


def encode(network: Any, tokenizer: Any, prompts: Sequence[Conversation], *, new: int) -> list[Ids]:
    """The prompts as token ids, with room for `new` more."""
    return prompt_ids(tokenizer, prompts, longest=getattr(network.config, "max_position_embeddings", 4096) - new)


def buckets(lengths: Sequence[int], *, new: int, rows: int = ROWS, tokens: int = TOKENS) -> Iterator[list[int]]:
    """Every index once, the shortest first, in batches of `rows` rows at most, and of `tokens` tokens where there is
    more than one row."""
    chosen: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: (lengths[index], index)):
        if chosen and (len(chosen) == rows or (len(chosen) + 1) * (lengths[index] + new) > tokens):
            yield chosen
            chosen = []
        chosen.append(index)
    if chosen:
        yield chosen


def plain(network: Any) -> bool:
    """Whether this loop may write for `network`: it takes positions, keeps the keys and values of every token, and
    its settings ask for nothing that would change a greedy answer."""
    from transformers.cache_utils import DynamicCache, DynamicLayer

    inner = network.get_base_model() if hasattr(network, "get_base_model") else network
    taken = inspect.signature(inner.forward).parameters
    if inner.config.is_encoder_decoder or not {"position_ids", "past_key_values", "logits_to_keep"} <= taken.keys():
        return False
    if not all(type(layer) is DynamicLayer for layer in DynamicCache(config=inner.config).layers):
        return False
    asked = {name for name, value in inner.generation_config.to_diff_dict().items() if value}
    return asked <= HARMLESS


def _voice(network: Any, tokenizer: Any, setting: Setting) -> Voice:
    """Of a closed set of answers each is said whole, also one longer than the limit."""
    most, trie, end = setting.max_new_tokens, None, tokenizer.eos_token_id
    if setting.choices:
        ended = [text + tokenizer.eos_token for text in setting.choices]
        spelt = tokenizer(ended, add_special_tokens=False)["input_ids"]
        most, trie = max(most, *map(len, spelt)), Trie.of(spelt)
    return Voice(network, tokenizer.pad_token_id, end, most, trie)


def _without(row: Ids, end: int) -> Ids:
    return row[:-1] if row and row[-1] == end else row


def _writer(voice: Voice, ids: Sequence[Ids], *, shared: int) -> Callable[[Sequence[Ids]], list[Ids]]:
    """What turns a batch of prompts into answers, each with its end token where it came to it."""
    if not ids or not plain(voice.network):
        return lambda rows: _generated(voice, rows, do_sample=False)
    length = _common(ids)
    prefix = _computed(voice.network, ids[0][:length]) if length >= shared else Prefix()
    return lambda rows: _written(voice, [row[prefix.length :] for row in rows], prefix)


def _common(ids: Sequence[Ids]) -> int:
    """How many tokens all of two or more prompts begin with, each keeping one for itself."""
    first, last = min(ids), max(ids)
    most = min(map(len, ids)) - 1 if len(ids) > 1 else 0
    return next((place for place in range(most) if first[place] != last[place]), most)


def _computed(network: Any, ids: Ids) -> Prefix:
    import torch
    from transformers.cache_utils import DynamicCache

    cache = DynamicCache(config=network.config)
    with torch.inference_mode():
        network(
            input_ids=torch.tensor([ids], device=network.device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
    return Prefix(len(ids), [(layer.keys, layer.values) for layer in cache.layers])


def _written(voice: Voice, rows: Sequence[Ids], prefix: Prefix) -> list[Ids]:
    """The loop: `rows` are what each prompt has behind the prefix."""
    import torch

    said: list[Ids] = [[] for _ in rows]
    live = list(range(len(rows)))
    ids, mask = _padded(rows, voice.pad, before=prefix.length)
    ids, mask = ids.to(voice.network.device), mask.to(voice.network.device)
    places = (mask.cumsum(-1) - 1).clamp(min=0)[:, prefix.length :]
    cache = _cache(voice.network, prefix, len(rows))
    with torch.inference_mode():
        while True:
            logits = voice.network(
                input_ids=ids,
                attention_mask=mask,
                position_ids=places,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            ).logits[:, -1]
            chosen = _likeliest(logits, voice.trie, [said[row] for row in live])
            going = [
                line
                for line, (row, token) in enumerate(zip(live, chosen.tolist(), strict=True))
                if not _ended(voice, said[row]) and not _say(voice, said[row], token)
            ]
            if not going:
                return said
            if len(going) <= LEAVING * len(live):
                kept = torch.tensor(going, device=ids.device)
                cache.batch_select_indices(kept)
                mask, places, chosen, live = mask[kept], places[kept], chosen[kept], [live[line] for line in going]
            ids, places = chosen[:, None], places[:, -1:] + 1
            mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=-1)


def _ended(voice: Voice, said: Ids) -> bool:
    return len(said) >= voice.most or bool(said and said[-1] == voice.end)


def _say(voice: Voice, said: Ids, token: int) -> bool:
    """Put `token` to what was said, and all that must follow it. Whether that is the end."""
    said.append(token)
    if voice.trie is not None:
        said += voice.trie.after(said).rest() or []
    return _ended(voice, said)


def _likeliest(logits: Any, trie: Trie | None, said: Sequence[Ids]) -> Any:
    """The token with the highest logit for each row, the lowest id where equal; under a trie, of those that may
    follow what the row has said."""
    import torch

    if trie is None:
        return logits.argmax(-1)
    allowed = torch.full_like(logits, -torch.inf)
    for line, words in enumerate(said):
        following = trie.after(words).next
        allowed[line, list(following) or [0]] = 0.0
    return (logits + allowed).argmax(-1)


def _padded(rows: Sequence[Ids], pad: int, *, before: int) -> tuple[Any, Any]:
    """Token ids padded on the left, and the mask over them and the `before` tokens of the prefix. Shapes (rows,
    longest) and (rows, before + longest)."""
    import torch

    longest = max(map(len, rows))
    ids = torch.tensor([[pad] * (longest - len(row)) + row for row in rows])
    mask = torch.tensor([[1] * before + [0] * (longest - len(row)) + [1] * len(row) for row in rows])
    return ids, mask


def _cache(network: Any, prefix: Prefix, rows: int) -> Any:
    from transformers.cache_utils import DynamicCache

    cache = DynamicCache(config=network.config)
    for number, (keys, values) in enumerate(prefix.layers):
        cache.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), number)
    return cache


def _generated(voice: Voice, rows: Sequence[Ids], **how: Any) -> list[Ids]:
    """The same by transformers' `generate`."""
    import torch

    ids, mask = _padded(rows, voice.pad, before=0)
    trie, start = voice.trie, ids.shape[1]
    if trie is not None:
        how["prefix_allowed_tokens_fn"] = lambda _row, words: (
            list(trie.after(words[start:].tolist()).next) or [voice.pad]
        )
    with torch.inference_mode():
        made = voice.network.generate(
            input_ids=ids.to(voice.network.device),
            attention_mask=mask.to(voice.network.device),
            max_new_tokens=voice.most,
            eos_token_id=voice.end,
            pad_token_id=voice.pad,
            **how,
        )
    return [row[: row.index(voice.end) + 1] if voice.end in row else row for row in made[:, start:].tolist()]
