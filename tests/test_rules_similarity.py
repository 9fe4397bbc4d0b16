"""Near-duplicates against brute force, and perturbations that are the same for the same seed."""

from __future__ import annotations

import random

import pytest

from runner.rules.text.near_duplicates import leaders
from runner.rules.text.perturbation import REWRITES, ROBUSTNESS, perturb, rewrite
from runner.rules.text.similarity import ShingleIndex, jaccard, normal_text, shingles


def corpus(size: int, seed: int) -> list[str]:
    """Random texts, a third of them small changes of earlier ones."""
    random_ = random.Random(seed)
    vocabulary = [f"w{n}" for n in range(60)]
    texts: list[str] = []
    for _ in range(size):
        if texts and random_.random() < 0.35:
            found = random_.choice(texts).split()
            found[random_.randrange(len(found))] = random_.choice(vocabulary)
        else:
            found = random_.choices(vocabulary, k=random_.randint(1, 25))
        texts.append(" ".join(found))
    return texts


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_index_finds_exactly_what_brute_force_finds(threshold: float, size: int) -> None:
    sets = [shingles(text, size) for text in corpus(150, seed=size)]
    index = ShingleIndex(sets[:40], threshold=threshold)
    for key, one in enumerate(sets):
        index.add(key, one)
    for one in sets:
        truth = {
            (key, jaccard(one, other)) for key, other in enumerate(sets) if jaccard(one, other) >= threshold - 1e-9
        }
        assert set(index.find(one)) == truth


def test_a_leader_is_near_each_of_its_members_and_leads_itself() -> None:
    texts = corpus(300, seed=9)
    chosen = leaders(texts, threshold=0.6)
    assert len(set(chosen)) < len(texts)
    for position, leader in enumerate(chosen):
        assert chosen[leader] == leader <= position
        if leader != position:
            assert jaccard(shingles(texts[position], 3), shingles(texts[leader], 3)) >= 0.6


def test_a_chain_of_changes_does_not_run_together() -> None:
    words = [f"w{n}" for n in range(20)]
    chain = [" ".join([f"x{n}" for n in range(step)] + words[step:]) for step in range(20)]
    assert len(set(leaders(chain, threshold=0.8))) > 3


def test_texts_without_words_are_no_duplicates() -> None:
    assert leaders(["!!!", "???", ""], threshold=0.8) == [0, 1, 2]
    with pytest.raises(ValueError, match="threshold"):
        ShingleIndex([], threshold=0)
    with pytest.raises(ValueError, match="threshold"):
        leaders(["a"], threshold=0)


def test_normal_text_ignores_what_does_not_change_the_words() -> None:
    assert normal_text("Where\u2019s  MY order?!") == normal_text("wheres my order") == "wheres my order"
    assert normal_text("Straße ﬁne") == "strasse fine"


def test_ten_thousand_texts_take_a_moment() -> None:
    random_ = random.Random(2)
    vocabulary = [f"w{n}" for n in range(3000)]
    texts = [" ".join(random_.choices(vocabulary, k=12)) for _ in range(10_000)]
    texts += [text.replace(text.split()[0], "other", 1) for text in texts[:500]]
    chosen = leaders(texts, threshold=0.6)
    assert chosen[10_000:] == list(range(500))


@pytest.mark.parametrize("kind", sorted(ROBUSTNESS))
def test_a_perturbation_is_seeded_by_scenario(kind: str) -> None:
    text = "Where is my parcel, please? It should have arrived on Tuesday. I was at home all day."
    made = {perturb(text, kind, seed=seed, key="s1") for seed in range(20)}
    assert perturb(text, kind, seed=1, key="s1") == perturb(text, kind, seed=1, key="s1")
    assert len(made) > 1
    assert made != {text}
    assert all(made)


def test_rewrites_keep_most_words() -> None:
    text = "the zip on my tent is broken, so I would like to send it back"
    random_ = random.Random(4)
    made = [rewrite(text, random_) for _ in range(50)]
    assert len(set(made)) > 25
    for one in made:
        assert jaccard(shingles(one, 1), shingles(text, 1)) > 0.6
    assert all(change("", random.Random(1)) == "" for change in REWRITES.values())
    assert all(change("a", random.Random(1)) for change in REWRITES.values())


def test_a_rewrite_keeps_the_values_of_a_structured_answer() -> None:
    text = "Please add Paint It Black to my Sunday Morning playlist, thank you"
    answer = '{"intent": "AddToPlaylist", "slots": {"entity_name": "Paint It Black", "playlist": "Sunday Morning"}}'
    made = {rewrite(text, random.Random(seed), answer=answer) for seed in range(200)}
    assert len(made) > 50
    assert all("Paint It Black" in one and "Sunday Morning" in one for one in made)
    lost = {rewrite(text, random.Random(seed)) for seed in range(200)}
    assert any("Paint It Black" not in one for one in lost)
    assert rewrite(text, random.Random(3), answer="add-to-playlist") == rewrite(text, random.Random(3))
