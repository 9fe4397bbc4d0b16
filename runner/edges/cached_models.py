"""`ports.LanguageModels` that ask another only for what a cache of answers does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from runner.edges.answer_cache import AnswerCache, Kept
from runner.ports import Answers, Keep, LanguageModels, Model, Progress, forget, silent
from runner.records.conversation import Conversation
from runner.rules.evaluation.answer_key import Sampling, answer_keys


class CachedModels:
    """`models`, whose greedy answers are looked up first and kept as they come, so that a killed run goes on where it
    was. A prompt that stands twice in a call is asked once. Samples and latency are always made anew."""

    def __init__(self, models: LanguageModels, cache: AnswerCache) -> None:
        self._models, self._cache = models, cache
        self.identity, self.pretrain, self.fit = models.identity, models.pretrain, models.fit
        self.sample, self.strengthen, self.latency = models.sample, models.strengthen, models.latency

    @property
    def version(self) -> str:
        return self._models.version

    @property
    def usage(self) -> Mapping[str, int]:
        return self._models.usage

    @property
    def import_seconds(self) -> float:
        return self._models.import_seconds

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
        """`seconds` are those of the answers that were not remembered. With `fresh` nothing is looked up or kept."""
        how = _How(max_new_tokens, tuple(choices), progress)
        if fresh:
            return self._models.answer(model, prompts, **how._asdict(), keep=keep, fresh=True)
        sampling = Sampling(max_new_tokens, choices=how.choices)
        keys = answer_keys(self._models.identity(model), sampling, prompts)
        known = self._cache.find(keys)
        missing: dict[str, list[int]] = {}
        for index, key in enumerate(keys):
            if key in known:
                keep(index, *known[key])
            else:
                missing.setdefault(key, []).append(index)
        seconds = self._ask(model, prompts, missing, how, known=known, keep=keep) if missing else 0.0
        asked = {indices[0] for indices in missing.values()}
        return Answers(
            texts=tuple(known[key].text for key in keys),
            tokens=tuple(known[key].tokens for key in keys),
            seconds=seconds,
            remembered=frozenset(range(len(keys))) - asked,
        )

    def _ask(
        self,
        model: Model,
        prompts: Sequence[Conversation],
        missing: dict[str, list[int]],
        how: _How,
        *,
        known: dict[str, Kept],
        keep: Keep,
    ) -> float:
        """Put the answers to the prompts of `missing`, by key, to `known`, and keep them. The seconds they took."""
        order = list(missing)
        with self._cache.keeping() as put:

            def had(place: int, text: str, tokens: int) -> None:
                key = order[place]
                put(key, Kept(text, tokens))
                for index in missing[key]:
                    keep(index, text, tokens)

            asked = [prompts[missing[key][0]] for key in order]
            made = self._models.answer(model, asked, **how._asdict(), keep=had)
        known.update(zip(order, map(Kept, made.texts, made.tokens), strict=True))
        return made.seconds


class _How(NamedTuple):
    """What is handed on as it is."""

    max_new_tokens: int
    choices: tuple[str, ...]
    progress: Progress
