"""Near-duplicates: texts a second, recall and precision, beside datasketch and rensa alone in the same run.

    python -m benchmarks.dedup [--texts 20000] [--runs 5] [--million 1000000] [--data DIR] [--json FILE]

The texts have 60 words of a Zipf vocabulary, a quarter of them one of twenty boilerplates. A tenth are copies of
others with three words replaced, at any place. A text counts as found where it is judged near one that stands before
it: recall is the share of the planted ones found, precision the share of those found that were planted. Every system
gets the same texts, threshold and word 3-shingles, its own way of using them, and takes its turn in every round; the
first round is not counted. Wall seconds and the process's own processor seconds are both given: on a busy machine the
first say more about the others. `--million 0` leaves the memory out. It reports and does not judge: the exit code is 0.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, combinations
from pathlib import Path
from typing import NamedTuple

from runner.edges.minhash import PERMUTATIONS, RECALL, MinHashSuspects
from runner.rules.text.near_duplicates import SIZE, banding, leaders
from runner.rules.text.similarity import words

DATA = Path(os.environ.get("HALLMARK_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
THRESHOLD = 0.7
"""Three words of 60 replaced leave 49 of 67 shingles shared at the least: .73."""
LENGTH, REPLACED, BOILERPLATES, BOILERPLATE, VOCABULARY = 60, 3, 20, 15, 30_000
SIGNATURE = 128
"""Permutations that the peers use: the default of both."""
GOAL, GOAL_RECALL, GOAL_PRECISION, GOAL_GIB = 50_000, 0.95, 0.99, 4.0
Pairs = set[frozenset[int]]


class Corpus(NamedTuple):
    texts: list[str]
    planted: set[int]
    """Positions of texts that a near-duplicate stands before."""


class Score(NamedTuple):
    recall: float
    precision: float

    @classmethod
    def of(cls, found: set[int] | Pairs, truth: set[int] | Pairs) -> Score:
        right = len(set(found) & set(truth))
        return cls(right / len(truth), right / len(found) if found else 1.0)


def corpus(size: int, *, seed: int) -> Corpus:
    """`size` texts, a tenth of them planted, in random order."""
    random_ = random.Random(seed)
    letters = "etaoinshrdlucmfwypvbgk"
    vocabulary = ["".join(random_.choices(letters, k=random_.randint(2, 9))) for _ in range(VOCABULARY)]
    weights = list(accumulate(1 / (rank + 2.7) for rank in range(VOCABULARY)))

    def draw(count: int) -> list[str]:
        return random_.choices(vocabulary, cum_weights=weights, k=count)

    boilerplates = [draw(BOILERPLATE) for _ in range(BOILERPLATES)]
    made: list[tuple[int, list[str]]] = []
    for source in range(size - size // 10):
        made.append((source, [*random_.choice(boilerplates), *draw(LENGTH - BOILERPLATE)]))
    for source in range(size // 10):
        found = list(made[source][1])
        for place, word in zip(random_.sample(range(LENGTH), REPLACED), draw(REPLACED), strict=True):
            found[place] = word
        made.append((source, found))
    random_.shuffle(made)
    seen, planted = set[int](), set[int]()
    for position, (source, _) in enumerate(made):
        (planted if source in seen else seen).add(position if source in seen else source)
    return Corpus([f"{' '.join(found).capitalize()}." for _, found in made], planted)


def ours(texts: Sequence[str], *, threshold: float = THRESHOLD, size: int = SIZE) -> list[int]:
    """The position of the text that stands for each, as phase 3 finds it."""
    suspects = MinHashSuspects().suspects(texts, threshold=threshold, size=size)
    return leaders(texts, threshold=threshold, size=size, suspects=suspects)


def by_hallmark(texts: Sequence[str]) -> set[int]:
    return {position for position, leader in enumerate(ours(texts)) if leader != position}


def shingle_lists(texts: Iterable[str]) -> list[list[str]]:
    """The word shingles as lists of strings, which is what both peers take."""
    split = [words(text) for text in texts]
    return [[" ".join(found[i : i + SIZE]) for i in range(len(found) - SIZE + 1)] for found in split]


def by_rensa(texts: Sequence[str]) -> set[int]:
    """As its documentation says: a deduplicator with LSH, which compares signatures."""
    from rensa import RMinHash, RMinHashDeduplicator

    signatures = RMinHash.from_token_sets(shingle_lists(texts), num_perm=SIGNATURE, seed=42)
    kept = RMinHashDeduplicator(threshold=THRESHOLD, num_perm=SIGNATURE, use_lsh=True).add_pairs(
        (str(position), signature) for position, signature in enumerate(signatures)
    )
    return {position for position, new in enumerate(kept) if not new}


def by_datasketch(texts: Sequence[str]) -> set[int]:
    """As its documentation says: ask the index for each text, then put it in."""
    from datasketch import MinHash, MinHashLSH

    encoded = ([shingle.encode() for shingle in one] for one in shingle_lists(texts))
    index, found = MinHashLSH(threshold=THRESHOLD, num_perm=SIGNATURE), set[int]()
    for position, signature in enumerate(MinHash.bulk(encoded, num_perm=SIGNATURE)):
        if index.query(signature):
            found.add(position)
        index.insert(position, signature)
    return found


SYSTEMS: dict[str, Callable[[Sequence[str]], set[int]]] = {
    "hallmark": by_hallmark,
    "rensa": by_rensa,
    "datasketch": by_datasketch,
}


def side_by_side(planted: Corpus, runs: int) -> dict[str, dict[str, float]]:
    """Per system the median texts a second, by the wall clock and by its own processor time, and how well it found."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in SYSTEMS}
    scores: dict[str, Score] = {}
    for turn in range(runs + 1):
        for name, find in SYSTEMS.items():
            wall, own = time.perf_counter(), time.process_time()
            found = find(planted.texts)
            if turn:
                seconds[name].append((time.perf_counter() - wall, time.process_time() - own))
            scores[name] = Score.of(found, planted.planted)
    size = len(planted.texts)
    return {
        name: {
            "texts_per_s": round(size / statistics.median(wall for wall, _ in seconds[name])),
            "texts_per_processor_s": round(size / statistics.median(own for _, own in seconds[name])),
            **scores[name]._asdict(),
        }
        for name in SYSTEMS
    }


def grouped(texts: Sequence[str], *, threshold: float, size: int) -> Pairs:
    """Every pair of texts that one text stands for."""
    groups = defaultdict(list)
    for position, leader in enumerate(ours(texts, threshold=threshold, size=size)):
        groups[leader].append(position)
    return {frozenset(pair) for group in groups.values() for pair in combinations(group, 2)}


def restaurants(data: Path) -> dict[str, Score]:
    """Records of name, address, city and kitchen, by single words: few words, and the duplicates say other ones."""
    with (data / "dedupe_restaurant" / "restaurant-nophone-training.csv").open() as file:
        rows = list(csv.reader(file, skipinitialspace=True))[1:]
    same = defaultdict(list)
    for position, row in enumerate(rows):
        same[row[-1]].append(position)
    truth = {frozenset(pair) for group in same.values() for pair in combinations(group, 2)}
    texts = [" ".join(row[:-1]) for row in rows]
    return {
        f"dedupe_restaurant, words, {threshold}": Score.of(grouped(texts, threshold=threshold, size=1), truth)
        for threshold in (0.5, 0.6, 0.7)
    }


def articles(data: Path) -> dict[str, Score]:
    scores = {}
    for count in (100, 1000):
        lines = (data / "minhash_articles" / f"articles_{count}.train").read_text().splitlines()
        names, texts = zip(*(line.split(" ", 1) for line in lines), strict=True)
        place = {name: position for position, name in enumerate(names)}
        pairs = (data / "minhash_articles" / f"articles_{count}.truth").read_text().splitlines()
        truth = {frozenset(place[name] for name in pair.split()) for pair in pairs}
        found = grouped(texts, threshold=0.5, size=SIZE)
        scores[f"minhash_articles {count}, {SIZE}-shingles, 0.5"] = Score.of(found, truth)
    return scores


def memory(texts: int) -> dict[str, float]:
    """In a process of its own: what `texts` texts take, peak with the texts themselves and the interpreter."""
    program = (
        "import json, resource, time; from benchmarks import dedup\n"
        f"texts, planted = dedup.corpus({texts}, seed=2); own = time.process_time()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; found = dedup.by_hallmark(texts)\n"
        "own = time.process_time() - own; peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(json.dumps([before / 2**20, peak / 2**20, own, *dedup.Score.of(found, planted)]))"
    )
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True)
    before, peak, own, recall, precision = json.loads(done.stdout)
    return {
        "texts": texts,
        "texts_alone_gib": round(before, 2),
        "peak_gib": round(peak, 2),
        "texts_per_processor_s": round(texts / own),
        "recall": recall,
        "precision": precision,
    }


def reached(condition: bool) -> str:
    return "reached" if condition else "NOT REACHED"


def show_systems(systems: dict[str, dict[str, float]], *, texts: int, runs: int) -> None:
    shape = banding(THRESHOLD, recall=RECALL, permutations=PERMUTATIONS)
    print(f"{texts:,} texts of {LENGTH} words, threshold {THRESHOLD}: {shape.bands} bands of {shape.rows} rows")
    print(f"median of {runs:<2} {'texts/s':>9} {'texts/processor s':>18} {'recall':>8} {'precision':>10}")
    for name, one in systems.items():
        speed = f"{one['texts_per_s']:>9,.0f} {one['texts_per_processor_s']:>18,.0f}"
        print(f"{name:<12} {speed} {one['recall']:>8.4f} {one['precision']:>10.4f}")
    own = systems["hallmark"]
    found = own["recall"] >= GOAL_RECALL and own["precision"] >= GOAL_PRECISION
    print(f"at least {GOAL:,} texts/s: {reached(own['texts_per_s'] >= GOAL)}")
    print(f"recall {GOAL_RECALL} and precision {GOAL_PRECISION}: {reached(found)}")


def show_memory(one: dict[str, float]) -> None:
    print(f"{one['texts']:,} texts: {one['peak_gib']} GiB at the peak, {one['texts_alone_gib']} before the search")
    print(f"recall {one['recall']:.4f}, precision {one['precision']:.4f}; ", end="")
    print(f"{one['texts_per_processor_s']:,} texts/processor s; ", end="")
    print(f"under {GOAL_GIB:g} GiB: {reached(one['peak_gib'] < GOAL_GIB)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--million", type=int, default=1_000_000, help="texts whose memory is measured")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    report: dict[str, object] = {}
    report["systems"] = systems = side_by_side(corpus(options.texts, seed=1), options.runs)
    show_systems(systems, texts=options.texts, runs=options.runs)
    if options.data.is_dir():
        found = {**restaurants(options.data), **articles(options.data)}
        for name, score in found.items():
            print(f"{name:<40} P {score.precision:.2f} R {score.recall:.2f}")
        report["sets"] = {name: score._asdict() for name, score in found.items()}
    else:
        print(f"{options.data} is absent: dedupe_restaurant and minhash_articles were not measured")
    if options.million:
        report["memory"] = kept = memory(options.million)
        show_memory(kept)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
