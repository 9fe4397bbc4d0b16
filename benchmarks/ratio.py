"""Human against synthetic descriptions on NL-RX: the ratio curve at a fixed size, and what adding people's rows does.

    python -m benchmarks.ratio [--seeds 1 2] [--steps 1000] [--threads 2] [--data DIR] [--json FILE]

NL-RX describes each regular expression twice: once by a program (`synth`), once by a person (`turk`). A model is
pre-trained from scratch for each point of two lines, the same recipe and number of steps for all, and reads people's
descriptions (`turk` val):

- fixed size: every expression once, the stated share of them in a person's words and the rest in the program's. The
  expressions are the same at every point, so nothing but who described them changes;
- accumulate: all of the program's descriptions, and that share of people's beside them. Nothing is replaced.

An answer is right where it accepts exactly the texts that the reference accepts (`rules.text.regular_languages`); exact
match is printed beside it. An expression is left out where either description of it stands in val, or nearly so. One
half of val stands for dev, and feeds `rules.data.sweep`; the curve printed is of the other half. What is measured is
written to FILE after each run, and a run found there is not repeated. Every point has the same number of steps, so a
row of the accumulate line is shown half as often.

The exit code is 1 where the human share does not matter in the direction that the literature says, or where the
sweep's verdict on dev disagrees with the curve on the other half.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from runner.edges.transformers_models import TransformersModels
from runner.ports import Model
from runner.records.cluster import TinyBase
from runner.records.conversation import Message, Role
from runner.records.dataset import Example
from runner.records.params import BaseRecipe, SweepKnobs
from runner.records.scenario import Origin
from runner.records.training import CurveShape
from runner.rules.canonical import digest
from runner.rules.data.bands import ArmScores, Bands, Dev
from runner.rules.data.sweep import judge
from runner.rules.text.regular_languages import same_language
from runner.rules.text.similarity import ShingleIndex, normal_text, shingles

DATA = Path(os.environ.get("HALLMARK_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
OUT = Path(__file__).resolve().parents[1] / "build" / "acceptance" / "ratio.json"
SIZE, THRESHOLD = 2, 0.8
"""Two descriptions are near with this Jaccard similarity of their word pairs."""
SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
FIXED, ACCUMULATE = "fixed", "accumulate"
TITLES = {
    FIXED: "fixed size: that share of the descriptions is a person's, the rest a program's",
    ACCUMULATE: "accumulate: all of the program's descriptions, and that share of people's beside them",
}
RECIPE = {
    "vocabulary": 512,
    "layers": 2,
    "max_length": 128,
    "batch": 32,
    "prompt_loss": 0.0,
    "prompt_dropout": 0.0,
    "reversed_share": 0.0,
}
"""Chosen on rows held out of train, on people's descriptions alone; val was not looked at."""
NEW_TOKENS = 64
WRITTEN = {
    "<VOW>": "AEIOUaeiou",
    "<NUM>": "0-9",
    "<LET>": "A-Za-z",
    "<CAP>": "A-Z",
    "<LOW>": "a-z",
    "<M0>": "dog",
    "<M1>": "truck",
    "<M2>": "ring",
    "<M3>": "lake",
}
"""What the data's signs stand for: its README, and the evaluation of Locascio et al. (EMNLP 2016)."""


class Row(NamedTuple):
    """One description and the expression it is of."""

    text: str
    regex: str


class Target(NamedTuple):
    """One expression as each of the two described it; the two may number the quoted words in another order."""

    human: Row
    synthetic: Row


class Run(NamedTuple):
    """One point of one line with one seed: who described how many, and which test rows were right."""

    line: str
    share: float
    seed: int
    human: int
    synthetic: int
    right: tuple[bool, ...]
    exact: tuple[bool, ...]
    seconds: float


def pairs(data: Path, part: str) -> list[Target]:
    """`part` is `train` or `val`. Answers are written without the spaces that the data puts between signs."""

    def rows(who: str) -> list[Row]:
        home = data / "nl_rx" / who
        texts, regexes = ((home / f"{side}-{part}.txt").read_text().splitlines() for side in ("src", "targ"))
        return [Row(t.strip(), r.replace(" ", "")) for t, r in zip(texts, regexes, strict=True)]

    return [Target(human, made) for human, made in zip(rows("turk"), rows("synth"), strict=True)]


def unleaked(train: Sequence[Target], frozen: Sequence[str]) -> list[Target]:
    """The targets of which neither description stands among `frozen`, exactly or nearly."""
    index = ShingleIndex([shingles(text, SIZE) for text in frozen], threshold=THRESHOLD)
    for position, text in enumerate(frozen):
        index.add(position, shingles(text, SIZE))
    known = {normal_text(text) for text in frozen}

    def stands(text: str) -> bool:
        return normal_text(text) in known or bool(index.find(shingles(text, SIZE)))

    return [one for one in train if not stands(one.human.text) and not stands(one.synthetic.text)]


def mixture(targets: Sequence[Target], line: str, share: float, *, seed: int) -> list[Example]:
    """A larger share holds every human row of a smaller one with the same seed."""
    order = list(range(len(targets)))
    random.Random(seed).shuffle(order)
    humans = set(order[: round(share * len(targets))])
    rows = []
    for position, one in enumerate(targets):
        if position in humans:
            rows.append(_example(f"human-{position}", one.human, Origin.HUMAN))
        if position not in humans or line == ACCUMULATE:
            rows.append(_example(f"made-{position}", one.synthetic, Origin.SYNTHETIC))
    return rows


def _example(name: str, row: Row, origin: Origin) -> Example:
    said = (Message(role=Role.USER, content=row.text),)
    return Example(id=name, capability="regex", input=said, answer=row.regex, origin=origin)


def written(regex: str) -> str:
    for sign, meaning in WRITTEN.items():
        regex = regex.replace(sign, meaning)
    return regex


def equivalent(answer: str, reference: str) -> bool:
    """An answer that is no expression is wrong."""
    if answer == reference:
        return True
    try:
        return same_language(written(answer), written(reference))
    except ValueError:
        return False


def measure(
    models: TransformersModels, rows: Sequence[Example], test: Sequence[Row], *, recipe: BaseRecipe, seed: int
) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
    """Which test rows are right by language, and which to the letter."""
    made = models.pretrain(rows, (), instruction="", recipe=recipe, seed=seed, threads=models.threads)
    model = Model(base=TinyBase(kind="tiny"), weights=made.weights)
    prompts = [(Message(role=Role.USER, content=row.text),) for row in test]
    answers = models.answer(model, prompts, max_new_tokens=NEW_TOKENS).texts
    both = list(zip(answers, test, strict=True))
    return tuple(equivalent(a, row.regex) for a, row in both), tuple(a == row.regex for a, row in both)


def points(seeds: Sequence[int]) -> list[tuple[str, float, int]]:
    """Every run, seed by seed, so that one seed alone is a whole curve. Both lines start at nothing human."""
    lines = [(FIXED, share) for share in SHARES] + [(ACCUMULATE, share) for share in SHARES if share]
    return [(line, share, seed) for seed in seeds for line, share in lines]


def measured(arguments: argparse.Namespace, targets: Sequence[Target], test: Sequence[Row]) -> list[Run]:
    """The runs, those in the file that were made with these settings taken over."""
    recipe = BaseRecipe.model_validate({**RECIPE, "steps": (arguments.steps,)})
    models = TransformersModels(threads=arguments.threads)
    settings = digest([recipe.model_dump(mode="json"), len(targets), [row.text for row in test]])
    found = _kept(arguments.json, settings)
    runs = []
    for line, share, seed in points(arguments.seeds):
        run = found.get((line, share, seed))
        if run is None:
            rows, started = mixture(targets, line, share, seed=seed), time.monotonic()
            right, exact = measure(models, rows, test, recipe=recipe, seed=seed)
            human = sum(row.origin is Origin.HUMAN for row in rows)
            run = Run(line, share, seed, human, len(rows) - human, right, exact, round(time.monotonic() - started, 1))
            found[line, share, seed] = run
            _keep(arguments.json, settings, found.values())
        print(f"{line:>10} {share:>5.0%} seed {seed}: {_share(run.right):.3f} in {run.seconds:.0f} s", flush=True)
        runs.append(run)
    return runs


def _kept(path: Path, settings: str) -> dict[tuple[str, float, int], Run]:
    if not path.is_file():
        return {}
    said = json.loads(path.read_text())
    rows = [Run(**row) for row in said["runs"]] if said["settings"] == settings else []
    return {(run.line, run.share, run.seed): run for run in rows}


def _keep(path: Path, settings: str, runs: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"settings": settings, "runs": [run._asdict() for run in runs]}) + "\n")


def _share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits)


def arm_name(line: str, share: float) -> str:
    return f"{line if share else FIXED}-human-{100 * share:03.0f}"


def names(*lines: str) -> list[str]:
    """The arms of these lines, people's rows alone among them: what the others must beat."""
    every = [arm_name(line, share) for line in lines for share in SHARES]
    return list(dict.fromkeys([*every, arm_name(FIXED, 1.0)]))


def bands(runs: Sequence[Run], half: int, *lines: str) -> Bands:
    """Lines as a sweep's arms, on every second row: from 0 what the sweep sees as dev, from 1 what the curve shows."""
    arms: dict[str, list[Run]] = {name: [] for name in names(*lines)}
    for run in runs:
        arms.get(arm_name(run.line, run.share), []).append(run)
    scores = [
        ArmScores(
            name=name,
            synthetic_share=round(of[0].synthetic / (of[0].synthetic + of[0].human), 9),
            seeds=tuple(run.seed for run in of),
            scores=tuple(tuple(map(float, run.right[half::2])) for run in of),
        )
        for name, of in arms.items()
    ]
    return Bands(scores, Dev(("regex",) * len(scores[0].scores[0]), {"regex": 1.0}), seed=0)


def show(runs: Sequence[Run], line: str) -> None:
    """The line's curve on the test half."""
    test = bands(runs, 1, line)
    print(f"\n{TITLES[line]}\n  human     rows: human  synthetic   by language (95 % interval)   to the letter")
    for share in SHARES:
        name = arm_name(line, share)
        of = [run for run in runs if arm_name(run.line, run.share) == name]
        exact = statistics.fmean(_share(run.exact[1::2]) for run in of)
        found, mean = test.interval(name), test.mean(name)
        sizes = f"{of[0].human:>11,} {of[0].synthetic:>10,}"
        print(f"{share:>7.0%} {sizes}   {mean:.3f} ({found.low:.3f} to {found.high:.3f}) {exact:>10.3f}  {_bar(mean)}")


def _bar(value: float) -> str:
    return "#" * round(60 * value)


def faults(runs: Sequence[Run], line: str) -> list[str]:
    """Where the line does not run as it should, or the sweep's verdict on dev is not what the other half shows."""
    knobs = SweepKnobs()
    choice = judge(bands(runs, 0, line), margin=knobs.margin, equivalent=knobs.equivalent)
    print(f"the sweep, on the other half: {choice.shape}; chooses {choice.arm}. {choice.explanation}")
    test, alone, none = bands(runs, 1, line), arm_name(FIXED, 1.0), arm_name(line, 0.0)
    top, found = arm_name(line, 1.0), []
    if test.difference(top, none).low <= 0:
        found.append(f"{top} is not beyond doubt above {none}")
    if choice.arm is None or test.difference(choice.arm, max(names(line), key=test.mean)).high < 0:
        found.append(f"the arm that the sweep chooses, {choice.arm}, is beaten beyond doubt on the curve")
    for name, gain in choice.gains.items():
        there = test.difference(name, alone)
        if (gain.interval.low > 0 and there.high < 0) or (gain.interval.high < 0 and there.low > 0):
            found.append(f"the sweep's judgement of {name} is turned round on the curve")
    if choice.shape is CurveShape.PEAK and max(map(test.mean, names(line))) <= test.mean(alone):
        found.append(f"the sweep says peak, and nothing on the curve is above {alone}")
    if choice.shape is not CurveShape.PEAK and any(
        test.difference(n, alone).low > knobs.equivalent for n in names(line)
    ):
        found.append("the curve has a peak that the sweep does not see")
    return found


def replaced_and_added(runs: Sequence[Run]) -> list[str]:
    """Where adding people's rows loses to putting them in the place of others, beyond doubt."""
    test = bands(runs, 1, FIXED, ACCUMULATE)
    gap = test.mean(arm_name(FIXED, 1.0)) - test.mean(arm_name(FIXED, 0.0))
    print("\nof what people's descriptions alone gain over a program's, there is with people's share at")
    found = []
    for share in SHARES[1:]:
        said = []
        for line in (FIXED, ACCUMULATE):
            gained = (test.mean(arm_name(line, share)) - test.mean(arm_name(FIXED, 0.0))) / gap if gap else 0.0
            said.append(f"{line} {gained:>5.0%}")
        print(f"{share:>7.0%}  {'   '.join(said)}")
        if test.difference(arm_name(ACCUMULATE, share), arm_name(FIXED, share), among=len(SHARES) - 1).high < 0:
            found.append(f"with {share:.0%} human, keeping every synthetic row is worse beyond doubt")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", type=Path, default=OUT)
    arguments = parser.parse_args()
    test = [one.human for one in pairs(arguments.data, "val")]
    train = pairs(arguments.data, "train")
    targets = unleaked(train, [row.text for row in test])
    print(
        f"{len(targets):,} of {len(train):,} expressions, the others stand in val; {len(test):,} test rows", flush=True
    )
    runs = measured(arguments, targets, test)
    wrong = []
    for line in (FIXED, ACCUMULATE):
        show(runs, line)
        wrong += faults(runs, line)
    wrong += replaced_and_added(runs)
    print("\nthe human share matters as it should, and the sweep agrees" if not wrong else "\n" + "\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
