"""Reading the log of an evaluation with 5,000 samples: its summary, its outcomes, one failure in full, all of it.

    python -m benchmarks.logs [--samples N]

Anchors: Inspect reads the summaries of as many in 0.23 s and the whole log in 4.5 s; ours is to read the summary in
0.05 s. Where `build/inspect` has the real Inspect (the acceptance test makes it), the same samples are read by both in
this run. Ends with 1 where the summary takes longer than its limit.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from runner.edges.logs.inspect_file import write_inspect
from runner.edges.logs.kept import Log, write_log
from runner.records.conversation import Message, Role
from runner.records.evaluation import EvaluatedModel, EvaluationRun, ModelKind, Sample
from runner.records.score import Grade
from runner.records.terms import OutcomeType
from runner.rules.evaluation.evaluations import Asked, summary

LIMIT_S = 0.05
CAPABILITIES = 12
INSPECT = Path("build") / "inspect" / "bin" / "python"
READ = """
import json, sys, time
from inspect_ai.log import read_eval_log, read_eval_log_sample_summaries
taken = {}
for name, read in (("summary", lambda path: read_eval_log(path, header_only=True)),
                   ("outcomes", read_eval_log_sample_summaries), ("everything", read_eval_log)):
    each = []
    for _ in range(2):  # the first also imports
        started = time.perf_counter()
        read(sys.argv[1])
        each.append(time.perf_counter() - started)
    taken[name] = min(each)
print(json.dumps(taken))
"""


def evaluation(count: int) -> tuple[EvaluationRun, list[Sample]]:
    """An evaluation of the size of a support desk's messages; every third sample failed."""
    samples = [
        Sample(
            set="core",
            grade=Grade(
                scenario=f"scenario-{place:06d}",
                capability=f"capability-{place % CAPABILITIES}",
                outcome_type=OutcomeType.TP,
                score=float(place % 3 > 0),
                passed=place % 3 > 0,
                answer="late-parcel",
                explanation=f"answered 'late-parcel' where 'queue-{place % 97}' is right; missed: names the queue",
            ),
            tokens=4,
            input=(
                Message(role=Role.SYSTEM, content="Name the queue that should work on the message."),
                Message(role=Role.USER, content=f"parcel {place * 7919 % count} " + "is late and I want it " * 8),
            ),
            reference=(f"queue-{place % 97}",),
        )
        for place in range(count)
    ]
    asked = Asked("desk", EvaluatedModel(kind=ModelKind.BASE, name="base"), "none", 1, None, {}, {})
    return summary(asked, samples, weights={f"capability-{one}": 1.0 for one in range(CAPABILITIES)}), samples


def seconds(work: Callable[[], object], *, times: int = 1) -> float:
    """The slowest of several times: what a reader may have to wait."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return max(taken)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=5000)
    count = parser.parse_args().samples
    run, samples = evaluation(count)
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder) / "log.jsonl.zst", Path(folder) / "log.eval"
        wrote = seconds(lambda: write_log(ours, run, samples))
        taken = {
            "summary": seconds(lambda: Log.open(ours).run, times=5),
            "outcomes": seconds(lambda: Log.open(ours).index, times=5),
            "the first failure": seconds(lambda: next(Log.open(ours).samples(lambda place: place == 0)), times=5),
            "everything": seconds(lambda: list(Log.open(ours).samples())),
        }
        print(f"{count:,} samples, {ours.stat().st_size:,} bytes, written in {wrote:.3f} s; .eval as", end=" ")
        write_inspect(theirs, run, samples)
        print(f"{theirs.stat().st_size:,} bytes")
        beside: dict[str, float] = {}
        if INSPECT.is_file():
            done = subprocess.run([str(INSPECT), "-c", READ, str(theirs)], capture_output=True, text=True, check=True)
            beside = json.loads(done.stdout)
    for name, own in taken.items():
        other = f"   Inspect {beside[name]:.3f} s, {beside[name] / own:,.0f} x" if name in beside else ""
        print(f"  {name:<18} {own:8.4f} s{other}")
    held = taken["summary"] <= LIMIT_S
    print(f"the summary in at most {LIMIT_S} s: {'yes' if held else 'NO'}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
