"""Run by the real Inspect's Python: what it makes of a log, and how its own scorers score, as JSON.

Imports nothing of Hallmark: its environment has none.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any


def logs(paths: list[str]) -> list[dict[str, Any]]:
    from inspect_ai.log import read_eval_log, read_eval_log_sample_summaries

    found = []
    for path in paths:
        log = read_eval_log(path)
        started = time.perf_counter()
        summaries = read_eval_log_sample_summaries(path)
        seconds = time.perf_counter() - started
        found.append(
            {
                "status": log.status,
                "task": log.eval.task,
                "model": log.eval.model,
                "total": log.results.total_samples,
                "means": {score.name: score.metrics["mean"].value for score in log.results.scores},
                "errors": {score.name: score.metrics["stderr"].value for score in log.results.scores},
                "summaries": len(summaries),
                "seconds": seconds,
                "samples": {
                    str(one.id): {
                        "score": one.scores["score"].as_float(),
                        "passed": one.scores["passed"].value,
                        "answer": one.output.completion,
                        "target": one.target,
                        "messages": [message.text for message in one.messages],
                        "explanation": one.scores["score"].explanation,
                    }
                    for one in log.samples
                },
            }
        )
    return found


def rewritten(paths: list[str]) -> None:
    from inspect_ai.log import read_eval_log, write_eval_log

    write_eval_log(read_eval_log(paths[0]), paths[1])


def scored(cases: list[dict[str, Any]]) -> list[float]:
    from inspect_ai.model import ModelOutput
    from inspect_ai.scorer import Target, exact, includes, match
    from inspect_ai.solver import TaskState

    scorers = {"match": match, "includes": includes, "exact": exact}

    async def each() -> list[float]:
        found = []
        for case in cases:
            output = ModelOutput.from_content("m", case["answer"])
            state = TaskState(model="m", sample_id="1", epoch=1, input="?", messages=[], output=output)
            score = await scorers[case["scorer"]](**case["options"])(state, Target(case["targets"]))
            found.append(score.as_float() if score.value not in ("C", "I") else float(score.value == "C"))
        return found

    return asyncio.run(each())


if __name__ == "__main__":
    what = {"logs": logs, "rewritten": rewritten, "scored": scored}[sys.argv[1]]
    json.dump(what(json.load(sys.stdin)), sys.stdout)
