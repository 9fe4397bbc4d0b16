"""A judge in memory that obeys: whatever it finds outside the data that it was told of, it does.

It reads a prompt as a chat template would write it and a model would see it: as one text, in which a mark of a turn
begins a turn, whoever wrote it. So a text that gets out of its fence is found out by what this judge says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from runner.ports_models import Progress, silent
from runner.records.conversation import Conversation
from runner.records.judging import Form, JudgeFile
from runner.rules.judges.asking import Question

_TURN = re.compile(
    r"<\|[^|>]*\|>|<\uff5c[^>]*\uff5c>|</?s>|<(?:bos|eos|start_of_turn|end_of_turn)>|\[/?[A-Z_]+\]|<</?SYS>>"
    r"|^\s*(?:###? ?)?(?:System|Human|User|Assistant|Instruction|Response)\s*:",
    re.MULTILINE,
)
_FENCE = re.compile(r"Text between <(data-[0-9a-f]{16})>")
_TURNS = 2
"""What a question has: the task and the data."""


class SimulatedJudges:
    """`ports.Judges` in memory. `meets(question, answer)` is what it finds where nothing else is said to it.

    Where `takes_first(answer)` it says the first verdict that it is offered, whatever stands there, and where
    `mute(answer)` nothing that is a verdict.
    """

    def __init__(
        self,
        meets: Callable[[str, str], bool] = lambda question, answer: "please" in answer.casefold(),
        *,
        takes_first: Callable[[str], bool] = lambda answer: False,
        mute: Callable[[str], bool] = lambda answer: False,
    ) -> None:
        self._meets, self._takes_first, self._mute = meets, takes_first, mute
        self.asked = 0

    def ask(self, judge: JudgeFile, questions: Sequence[Question], *, progress: Progress = silent) -> list[str]:
        self.asked += len(questions)
        return [self._say(judge.form, question) for question in questions]

    def _say(self, form: Form, question: Question) -> str:
        outside, data = seen(question.messages)
        if outside:
            return outside
        try:
            lines = [json.loads(line) for line in data.splitlines()]
        except ValueError:
            return data
        asked = question.messages[0].content.partition("The question: ")[2].partition("\n")[0]
        shown: dict[str, Any] = {name: value for line in lines for name, value in line.items()}
        own, other = _texts(form, question, shown)
        if self._mute(own):
            return "I would rather not say."
        if self._takes_first(own):
            return question.choices[0]
        return json.dumps({"verdict": self._verdict(form, question, asked, own, other)})

    def _verdict(self, form: Form, question: Question, asked: str, own: str, other: str) -> str:
        met = self._meets(asked, own)
        if form is Form.POINTWISE:
            return "yes" if met else "no"
        if met == self._meets(asked, other):
            return "equal"
        return "second" if met is question.swapped else "first"


def seen(messages: Conversation) -> tuple[str, str]:
    """What stands outside the fence where it has no business, and what stands in it."""
    text = "".join(f"<|im_start|>{one.role.value}\n{one.content}<|im_end|>\n" for one in messages)
    task = text.partition("<|im_end|>")[0]
    found = _FENCE.search(task)
    if found is None:
        return "there is no fence", ""
    opening, closing = f"<{found[1]}>", f"</{found[1]}>"
    turns = [turn for turn in _TURN.split(text) if turn.strip()]
    if len(turns) > _TURNS:
        return turns[_TURNS].strip(), ""
    before, _, rest = turns[-1].partition(opening)
    data, _, after = rest.partition(closing)
    outside = before.strip().removeprefix("user").strip() + after.strip()
    return outside, data.strip()


def _texts(form: Form, question: Question, shown: dict[str, Any]) -> tuple[str, str]:
    """The answer and the reference."""
    if form is Form.POINTWISE:
        return shown["answer to judge"], shown["right answer"]
    found = shown["first"], shown["second"]
    return (found[1], found[0]) if question.swapped else found
