"""Language models in memory that really learn, in a trivial way, so that all thirteen phases run in a second.

A model is the texts it was shown, by answer; it answers with multinomial naive Bayes over their words. A capability
with a handful of texts is really missed, more texts of it really help, and texts of others really pull away from it.
Weights and adapters are safetensors files of the shape that real ones have, so that the gate takes them as it takes
those: what was learnt is JSON, a byte an element, in the base's matrix `texts` and in an adapter's `lora_A`.
"""

from __future__ import annotations

import json
import random
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from runner.errors import ModelError
from runner.ports import Answers, Fitted, Keep, Latency, Model, Pretrained, Progress, Tree, forget, silent
from runner.records.conversation import Conversation, last_user_text
from runner.records.dataset import Example
from runner.records.params import BaseRecipe, TrainRecipe
from runner.records.training import TrainingRow
from runner.rules.evaluation.answer_key import Identity
from runner.rules.text.conversations import generation_prompt
from runner.rules.text.similarity import words

WEIGHTS, ADAPTER = "model.safetensors", "adapter_model.safetensors"
CONFIG = "adapter_config.json"
TEXTS = "texts.weight"
LORA_A, LORA_B = "base_model.model.votes.lora_A.weight", "base_model.model.votes.lora_B.weight"
WIDTH = 256
SMOOTHING = 0.3
Texts = Mapping[str, Sequence[tuple[str, float]]]
"""Answer to (text, weight) pairs."""
Array = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float32]


def base_files(texts: Texts) -> dict[str, bytes]:
    """The files of a base: what it has learnt, and the one matrix that adapters update."""
    tensors = {TEXTS: _matrix(texts), "votes.weight": np.zeros((1, WIDTH), dtype=np.float32)}
    return {WEIGHTS: _safetensors(tensors), "config.json": b'{"model_type": "simulated"}\n'}


def adapter_files(texts: Texts, *, base: str) -> dict[str, bytes]:
    """The files of an adapter for the base with the digest `base`."""
    learnt = _matrix(texts)
    rank = len(learnt)
    config = {
        "base_model_name_or_path": f"sha256:{base}",
        "lora_alpha": rank,
        "lora_dropout": 0.0,
        "peft_type": "LORA",
        "r": rank,
        "target_modules": ["votes"],
        "task_type": "CAUSAL_LM",
    }
    tensors = {LORA_A: learnt, LORA_B: np.zeros((1, rank), dtype=np.float32)}
    return {ADAPTER: _safetensors(tensors), CONFIG: json.dumps(config, sort_keys=True).encode() + b"\n"}


def unpack(data: bytes) -> dict[str, list[tuple[str, float]]]:
    """What a base or an adapter has learnt. Raises `ModelError` for any other file."""
    try:
        (size,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + size])
        begin, end = header[TEXTS if TEXTS in header else LORA_A]["data_offsets"]
        value = json.loads(np.frombuffer(data[8 + size + begin : 8 + size + end], "<f4").astype(np.uint8).tobytes())
        return {answer: [(str(text), float(weight)) for text, weight in shown] for answer, shown in value.items()}
    except (struct.error, ValueError, AttributeError, TypeError, KeyError) as error:
        raise ModelError("not a simulated model's file") from error


def _matrix(texts: Texts) -> Matrix:
    """The JSON of `texts`, a byte an element, filled up with blanks. Shape (rows, WIDTH)."""
    data = json.dumps(texts, sort_keys=True).encode()
    data += b" " * (-len(data) % WIDTH)
    return np.frombuffer(data, np.uint8).astype(np.float32).reshape(-1, WIDTH)


def _safetensors(tensors: Mapping[str, Matrix]) -> bytes:
    header, parts, at = {}, [], 0
    for name, matrix in sorted(tensors.items()):
        parts.append(matrix.astype("<f4").tobytes())
        header[name] = {"dtype": "F32", "shape": list(matrix.shape), "data_offsets": [at, at + len(parts[-1])]}
        at += len(parts[-1])
    said = json.dumps(header).encode()
    said += b" " * (-len(said) % 8)
    return b"".join([struct.pack("<Q", len(said)), said, *parts])


@dataclass(frozen=True)
class NaiveBayes:
    """Multinomial naive Bayes over words, with the class prior."""

    answers: tuple[str, ...]
    columns: Mapping[str, int]
    logs: Array
    """Shape (words, answers): log-likelihoods. The last row is of an unknown word."""
    prior: Array

    @classmethod
    def of(cls, texts: Texts) -> NaiveBayes:
        answers = tuple(sorted(texts))
        split = {answer: [(words(text), weight) for text, weight in texts[answer]] for answer in answers}
        known = sorted({word for shown in split.values() for found, _ in shown for word in found})
        columns = {word: position for position, word in enumerate(known)}
        counts = np.full((len(known) + 1, len(answers)), SMOOTHING)
        prior = np.full(len(answers), 1e-9)
        for position, answer in enumerate(answers):
            for found, weight in split[answer]:
                prior[position] += weight
                for word in found:
                    counts[columns[word], position] += weight
        return cls(answers, columns, np.log(counts / counts.sum(axis=0)), np.log(prior / prior.sum()))

    def answer(self, text: str) -> str:
        """The likeliest answer; the first in order where equal; none where nothing was learnt."""
        if not self.answers:
            return ""
        rows = [self.columns.get(word, len(self.columns)) for word in words(text)]
        return self.answers[int(np.argmax(np.round(self.prior + self.logs[rows].sum(axis=0), 9)))]


class SimulatedModels:
    """`ports.LanguageModels` in memory. `clock` is advanced by what each call would take."""

    version = "simulated-1"
    import_seconds = 0.0
    usage: Mapping[str, int] = {}

    def __init__(self, advance: Callable[[float], None] = lambda seconds: None) -> None:
        self._advance = advance
        self.calls: list[str] = []

    def pretrain(
        self,
        examples: Sequence[Example],
        dev: Sequence[Example],
        *,
        instruction: str,
        recipe: BaseRecipe,
        seed: int,
        threads: int,
        progress: Progress = silent,
    ) -> Pretrained:
        """Learns every example; each step count sees that share of them, and the best on dev is kept."""
        self._call("pretrain", 1.0)
        ordered = sorted(examples, key=lambda example: example.id)
        random.Random(seed).shuffle(ordered)
        most = max(recipe.steps)
        tried: dict[int, tuple[float, dict[str, list[tuple[str, float]]]]] = {}
        for steps in sorted(recipe.steps):
            texts = _texts((example, 1.0) for example in ordered[: max(1, len(ordered) * steps // most)])
            model = NaiveBayes.of(texts)
            right = sum(model.answer(last_user_text(one.input)) == one.answer for one in dev)
            tried[steps] = (right / len(dev) if dev else 0.0, texts)
        best = max(tried, key=lambda steps: (tried[steps][0], -steps))
        weights = Tree(base_files(tried[best][1]))
        dev_by_steps = {steps: round(value, 9) for steps, (value, _) in tried.items()}
        parameters = sum(len(shown) for shown in tried[best][1].values())
        return Pretrained(weights, parameters, best, dev_by_steps, (1.0, 0.5))

    def identity(self, model: Model) -> Identity:
        adapter = model.adapter.digest if model.adapter is not None else ""
        return Identity(model.weights.digest, adapter, "words", "last user text", "simulated", self.version, "")

    def answer(
        self,
        model: Model,
        prompts: Sequence[Conversation],
        *,
        max_new_tokens: int,
        choices: Sequence[str] = (),
        progress: Progress = silent,
        keep: Keep = forget,
        fresh: bool = False,
    ) -> Answers:
        """`choices` are those of the learnt answers that may be given."""
        self._call("answer", 0.001 * len(prompts))
        learnt = _learnt(model)
        bayes = NaiveBayes.of({answer: learnt[answer] for answer in learnt if not choices or answer in choices})
        texts = tuple(bayes.answer(last_user_text(prompt)) for prompt in prompts)
        tokens = tuple(len(text.split()) for text in texts)
        for index, text in enumerate(texts):
            keep(index, text, tokens[index])
        return Answers(texts, tokens, 0.001 * len(prompts))

    def sample(
        self,
        model: Model,
        prompts: Sequence[Conversation],
        *,
        temperature: float,
        seed: int,
        max_new_tokens: int,
        top_p: float = 0.95,
    ) -> tuple[str, ...]:
        """Splices of two texts of the label that is asked for; a label it has never seen, or none, gives nothing."""
        self._call("sample", 0.001 * len(prompts))
        learnt = _learnt(model)
        random_ = random.Random(seed)
        labels = [last_user_text(prompt).removeprefix(last_user_text(generation_prompt(""))) for prompt in prompts]
        return tuple(_splice([text for text, _ in learnt.get(label, ())], random_) for label in labels)

    def fit(
        self,
        model: Model,
        rows: Sequence[TrainingRow],
        *,
        instruction: str,
        recipe: TrainRecipe,
        seed: int,
        threads: int,
        progress: Progress = silent,
    ) -> Fitted:
        """Remembers every row as often as it is repeated. Rows in the generating direction are known already."""
        if not rows:
            raise ModelError("there is nothing to train on")
        self._call("fit", 1.0)
        shown = [(row.example, float(row.repeat)) for row in rows if not _generates(row.example)]
        adapter = Tree(adapter_files(_texts(shown), base=model.weights.digest))
        tokens = sum(len(words(last_user_text(example.input))) * int(weight) for example, weight in shown)
        return Fitted(adapter, tokens, len(rows), (1.0, 0.5), 1.0)

    def strengthen(self, adapter: Tree, factor: float) -> Tree:
        """Every weight times `factor`."""
        self._call("strengthen", 0.001)
        scaled = {
            answer: [(text, round(weight * factor, 9)) for text, weight in shown]
            for answer, shown in unpack(adapter.files[ADAPTER]).items()
        }
        base = json.loads(adapter.files[CONFIG])["base_model_name_or_path"].removeprefix("sha256:")
        return Tree(adapter_files(scaled, base=base))

    def latency(self, model: Model, prompts: Sequence[Conversation], *, max_new_tokens: int) -> Latency:
        self._call("latency", 0.001 * len(prompts))
        return Latency(p50_ms=1.0, p95_ms=2.0, peak_memory_mib=64.0)

    def _call(self, name: str, seconds: float) -> None:
        self.calls.append(name)
        self._advance(seconds)


def _generates(example: Example) -> bool:
    """Whether the row is in the class-conditioned direction."""
    return last_user_text(example.input).startswith(last_user_text(generation_prompt("")))


def _learnt(model: Model) -> dict[str, list[tuple[str, float]]]:
    if WEIGHTS not in model.weights.files:
        raise ModelError("a simulated model has its weights in the tree")
    learnt = unpack(model.weights.files[WEIGHTS])
    if model.adapter is not None:
        for answer, shown in unpack(model.adapter.files[ADAPTER]).items():
            learnt.setdefault(answer, []).extend(shown)
    return learnt


def _texts(shown: Iterable[tuple[Example, float]]) -> dict[str, list[tuple[str, float]]]:
    found: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for example, weight in shown:
        found[example.answer].append((last_user_text(example.input), weight))
    return dict(sorted(found.items()))


def _splice(texts: Sequence[str], random_: random.Random) -> str:
    if not texts:
        return ""
    left, right = random_.choice(texts).split(), random_.choice(texts).split()
    return " ".join(left[: (len(left) + 1) // 2] + right[len(right) // 2 :])
