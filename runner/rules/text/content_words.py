"""What a text is about and how it is spelt, whatever the order of its words: English content words, character n-grams.

In a language without a stop-word list here all words are content words, which asks more of a match, not less.
"""

from __future__ import annotations

from functools import lru_cache

from runner.rules.text.similarity import Shingles, normal_text, words

_STOPS = """
a an the and or but if then than so as of at by for from in into on onto to with without about over under up down
out off through between is are was were be been being am do does did doing done have has had having can could will
would shall should may might must i me my mine we us our ours you your yours he him his she her it its they them
their this that these those there here what which who whom whose when where why how not no nor dont doesnt didnt
cant cannot couldnt wont wouldnt isnt arent wasnt werent havent hasnt hadnt im ive id ill youre youve thats theres
whats please just also very really too any some all get got go going need want like know tell help let make made
use used using way able still even ever yet now hi hello hey thanks thank
"""
STOP_WORDS = frozenset(_STOPS.split())
ENDINGS = ("ings", "ing", "edly", "ed", "ies", "es", "s", "ly")
SHORTEST_STEM = 3
GRAM = 4
"""Characters of an n-gram: long enough that two texts on one matter share few by chance."""


def content_words(text: str) -> Shingles:
    """The stems of the words that carry the meaning: which they are, not how often or in which order."""
    return frozenset(stem(word) for word in words(text) if word not in STOP_WORDS)


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """`word` without its ending, so that `charges`, `charged` and `charging` are one. Rough, and always the same."""
    ending = next((one for one in ENDINGS if word.endswith(one) and len(word) - len(one) >= SHORTEST_STEM), "")
    if ending:
        word = word.removesuffix(ending) + ("y" if ending == "ies" else "")
    if len(word) > SHORTEST_STEM + 1 and word.endswith("e"):
        word = word[:-1]
    doubled = len(word) > SHORTEST_STEM and word[-1] == word[-2] and word[-1] not in "aeiouls"
    return word[:-1] if doubled else word


def character_grams(text: str) -> Shingles:
    """The character 4-grams of the normalised text, a space at either end. Empty for a text without words."""
    plain = normal_text(text)
    padded = f" {plain} "
    shifted = (padded[start:] for start in range(GRAM))
    return frozenset(map("".join, zip(*shifted, strict=False))) if plain else frozenset()
