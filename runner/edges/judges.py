"""`ports.Judges`: a model behind an OpenAI-compatible server, or one of this machine, asked for verdicts.

What a judge has said is journalled and not asked for again, by whoever grades the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.ports_models import LanguageModels, Model, Progress, Tree, silent
from runner.records.cluster import HubBase, PathBase
from runner.records.conversation import Conversation
from runner.records.judging import JudgeFile, ServedModel
from runner.rules.judges.asking import Question
from runner.rules.judges.identity import judge_digest

if TYPE_CHECKING:
    from runner.edges.chat.journal import Journal


Fits = Callable[[Conversation], bool]


class AskedJudges:
    """`room` says of a model of this machine, and how many tokens it is to write, which prompts it takes whole."""

    def __init__(
        self, models: LanguageModels, *, journals: Path, room: Callable[[Model, int], Fits] | None = None
    ) -> None:
        self._models, self._journals, self._room = models, journals, room or room_of

    def ask(self, judge: JudgeFile, questions: Sequence[Question], *, progress: Progress = silent) -> list[str]:
        from runner.edges.chat.journal import Journal  # asyncio's neighbours, which few runs wait for

        wanted = list({question.key: question for question in questions}.values())
        with Journal(self._journals / f"{judge.id}-{judge_digest(judge)[:16]}.jsonl") as journal:
            if isinstance(judge.model, ServedModel):
                said = _served(judge, judge.model, wanted, journal, progress)
            else:
                said = self._local(judge, judge.model, wanted, journal, progress)
        return [said[question.key] for question in questions]

    def _local(
        self, judge: JudgeFile, base: PathBase | HubBase, wanted: Sequence[Question], journal: Journal, tell: Progress
    ) -> dict[str, str]:
        """Greedily, and among the verdicts that there are alone. A prompt that is too long would lose its start, and
        with it the instruction: on that nothing is said."""
        from runner.edges.chat.reply import Reply

        model, fresh = Model(base, Tree({})), [one for one in wanted if one.key not in journal.replies]
        fits = self._room(model, judge.max_new_tokens) if fresh else None
        whole = {one.key: fits is not None and fits(one.messages) for one in fresh}
        journal.keep(Reply(one.key, "", "too long") for one in fresh if not whole[one.key])
        for swapped in (False, True):
            missing = [one for one in fresh if one.swapped is swapped and whole[one.key]]
            if missing:
                answers = self._models.answer(
                    model,
                    [one.messages for one in missing],
                    max_new_tokens=judge.max_new_tokens,
                    choices=missing[0].choices,
                    progress=tell,
                )
                journal.keep(Reply(one.key, text) for one, text in zip(missing, answers.texts, strict=True))
        return {one.key: journal.replies[one.key].text for one in wanted}


def room_of(model: Model, tokens: int) -> Fits:
    """Whether a prompt and so many tokens after it fit into what the model takes."""
    from runner.edges.bases import context_of, prompt_ids, tokenizer_of

    tokenizer, most = tokenizer_of(model), context_of(model) - tokens
    return lambda prompt: len(prompt_ids(tokenizer, [prompt], longest=most + 1)[0]) <= most


def _served(
    judge: JudgeFile, server: ServedModel, wanted: Sequence[Question], journal: Journal, tell: Progress
) -> dict[str, str]:
    """At temperature 0, the form asked for by its schema. What is refused, cut off or filtered says nothing."""
    from runner.edges.chat.client import ChatClient, Sampling
    from runner.edges.chat.key import key_of

    chat = ChatClient(server, judge.asking, key=key_of(server))

    def sampling(seed: int) -> Sampling:
        return Sampling(seed=seed, temperature=0.0, top_p=1.0, max_new_tokens=judge.max_new_tokens)

    requests = [chat.request(one.messages, sampling=sampling(one.seed), schema=one.schema) for one in wanted]
    replies = chat.answer(requests, journal, what=f"{judge.id} judges {len(requests)} times", progress=tell)
    return {one.key: "" if reply.cause else reply.text for one, reply in zip(wanted, replies, strict=True)}
