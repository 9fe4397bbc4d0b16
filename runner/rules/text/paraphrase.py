"""Other words for the same: contractions, everyday synonyms, the way a question is put, greetings and thanks.

It is lexical. The tables are English, know no domain and understand nothing: they hold what means the same in nearly
every sentence, so a text may come out a little stiff, and its meaning stays. In another language only the greeting
changes. A test set of people's own paraphrases says more; this one costs nothing and is the same on every machine.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping

Change = Callable[[str, random.Random], str]

CONTRACTED = {
    "I am": "I'm",
    "I have": "I've",
    "I would": "I'd",
    "I will": "I'll",
    "it is": "it's",
    "that is": "that's",
    "what is": "what's",
    "where is": "where's",
    "cannot": "can't",
    "do not": "don't",
    "does not": "doesn't",
    "did not": "didn't",
    "is not": "isn't",
    "was not": "wasn't",
    "has not": "hasn't",
    "have not": "haven't",
    "would not": "wouldn't",
    "could not": "couldn't",
}
"""Where a word follows: nobody writes `who I'm`."""
WRITTEN_OUT = {short: long for long, short in CONTRACTED.items() if not short.endswith(("'s", "'d"))}
"""`it's` may be `it has`, and `I'd` may be `I had`."""
SYNONYMS = {
    "want to": "would like to",
    "would like to": "want to",
    "need to": "have to",
    "help me": "assist me",
    "tell me": "let me know",
    "let me know": "tell me",
    "maybe": "perhaps",
    "perhaps": "maybe",
    "right now": "at the moment",
    "at the moment": "right now",
    "as soon as possible": "as quickly as possible",
    "because": "since",
    "a problem": "an issue",
    "an issue": "a problem",
    "is wrong": "is not right",
    "until now": "so far",
    "so far": "until now",
    "a lot of": "lots of",
    "in order to": "so as to",
    "is there a way to": "is it possible to",
    "is it possible to": "is there a way to",
}
QUESTIONS = (
    (re.compile(r"(how) (?:do|can|could|should|would) (i|we) (.+?)\s*\?*\s*\Z", re.I | re.S), r"Tell me how \2 can \3"),
    (re.compile(r"(can|could|may) (i|we) (.+?)\s*\?*\s*\Z", re.I | re.S), r"I would like to know whether \2 \1 \3"),
    (re.compile(r"(?:what|where|why|when|how|which|who)\b.+\?\s*\Z", re.I | re.S), r"Please tell me: \g<0>"),
)
"""A whole question and another way to put it. The first that fits is taken."""
GREETINGS = ("Hello, ", "Hi there, ", "Good day, ", "Hey, ")
THANKS = (" Thanks.", " Thank you.", " Many thanks.", " Thank you in advance.")


def paraphrase(text: str, random_: random.Random) -> str:
    """`text` in other words: two of the changes that alter it, drawn and applied in turn; always at least one."""
    done = 0
    for change in random_.sample(CHANGES, len(CHANGES)):
        changed = change(text, random_)
        done += changed != text
        text = changed
        if done == 2:
            break
    return text


def contract(text: str, random_: random.Random) -> str:
    """With one pair of words contracted, or one contraction written out."""
    followed = {words: said for words, said in CONTRACTED.items() if re.search(rf"\b{words}\s+\w", text, re.I)}
    return _one_of({**followed, **WRITTEN_OUT}, text, random_)


def synonym(text: str, random_: random.Random) -> str:
    """With one phrase replaced by one that means the same."""
    return _one_of(SYNONYMS, text, random_)


def put_differently(text: str, random_: random.Random) -> str:
    """One question as a request, or as an indirect question; any other text as it is."""
    if text.count("?") > 1 or re.search(r"[.!?]\s+\S", text):
        return text
    for pattern, said in QUESTIONS:
        match = pattern.match(text.strip())
        if match:
            return re.sub(r"(?<=whether )(\w+) (\w+)", _in_a_clause, match.expand(said))
    return text


def _in_a_clause(found: re.Match[str]) -> str:
    """`I Can`, as a question's first words come out of it, as a clause has them."""
    who, verb = found.groups()
    return f"{'I' if who in 'iI' else who.lower()} {verb.lower()}"


def courteous(text: str, random_: random.Random) -> str:
    """With a greeting before it, or thanks after it."""
    if random_.random() < 0.5:
        return random_.choice(GREETINGS) + text
    return ended(text) + random_.choice(THANKS)


def ended(text: str) -> str:
    """`text` with a full stop where it ends without a mark, so that a sentence may follow."""
    bare = text.rstrip()
    return bare if not bare or bare[-1] in ".!?:;" else f"{bare}."


CHANGES: tuple[Change, ...] = (contract, synonym, put_differently, courteous)


def _one_of(table: Mapping[str, str], text: str, random_: random.Random) -> str:
    """`text` with one place that the table knows changed as it says, its first letter's case kept."""
    found = [
        (match.start(), match.end(), said)
        for words, said in table.items()
        for match in re.finditer(rf"(?<!\w){re.escape(words)}(?![\w'])", text, re.I)
    ]
    if not found:
        return text
    start, end, said = random_.choice(sorted(found))
    capital = text[start].isupper()
    said = said[0].upper() + said[1:] if capital else said if said[0] == "I" else said[0].lower() + said[1:]
    return text[:start] + said + text[end:]
