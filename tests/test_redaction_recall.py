"""How much the door finds, and how often it is wrong: sentence templates with fillers of our own, and real queries."""

from __future__ import annotations

import csv
import random
import re
from collections import Counter
from collections.abc import Callable

from runner.rules.redaction import redact

TEXTS = 500


def digits(rng: random.Random, number: int) -> str:
    return "".join(rng.choice("0123456789") for _ in range(number))


def card(rng: random.Random) -> str:
    """Luhn's digit by trying: the rule that is tested is not asked."""
    body = rng.choice(["4", "51", "37", "6011"])
    body += digits(rng, (14 if body == "37" else 15) - len(body))
    for last in "0123456789":
        doubled = [int(d) * (2 if index % 2 == 0 else 1) for index, d in enumerate(reversed(body))]
        if (sum(d - 9 if d > 9 else d for d in doubled) + int(last)) % 10 == 0:
            whole = body + last
            return whole if rng.random() < 0.5 else " ".join(re.findall(".{1,4}", whole))
    raise AssertionError


def iban(rng: random.Random) -> str:
    country, length = rng.choice([("DE", 22), ("AT", 20), ("CH", 21), ("ES", 24), ("PL", 28), ("FR", 27)])
    body = digits(rng, length - 4)
    check = 98 - int(body + str(int(country[0], 36)) + str(int(country[1], 36)) + "00") % 97
    whole = f"{country}{check:02d}{body}"
    return whole if rng.random() < 0.5 else " ".join(re.findall(".{1,4}", whole))


def phone(rng: random.Random) -> str:
    area, mid, end = rng.randint(201, 989), digits(rng, 3), digits(rng, 4)
    return rng.choice(
        [
            f"({area}) {mid}-{end}",
            f"{area}-{mid}-{end}",
            f"+1 {area} {mid} {end}",
            f"+44 20 {end} {end}",
            f"+49{end}{mid}",
        ]
    )


def email(rng: random.Random) -> str:
    return (
        f"{rng.choice(['kim', 'li.wei', 'o_brien'])}{digits(rng, 2)}@{rng.choice(['example.com', 'mail.example.org'])}"
    )


def ip(rng: random.Random) -> str:
    if rng.random() < 0.3:
        return ":".join(f"{rng.randrange(16**4):x}" for _ in range(8))
    return ".".join(str(rng.randrange(1, 255)) for _ in range(4))


def url(rng: random.Random) -> str:
    return f"https://user{digits(rng, 2)}:{digits(rng, 6)}@files.example.com/{digits(rng, 3)}"


def ssn(rng: random.Random) -> str:
    return f"{rng.randint(100, 665)}-{rng.randint(10, 99)}-{rng.randint(1000, 9999)}"


FILLERS: dict[str, tuple[str, Callable[[random.Random], str]]] = {
    "credit_card_number": ("card", card),
    "iban": ("iban", iban),
    "phone_number": ("phone", phone),
    "email": ("email", email),
    "ip_address": ("ip", ip),
    "url": ("url", url),
    "ssn": ("national_id", ssn),
}
OTHERS = {"age": "41", "postcode": "10117", "zipcode": "10117", "building_number": "12", "year": "1998"}
"""What else a template asks for; any other placeholder becomes a word."""


def filled(template: str, rng: random.Random) -> tuple[str, list[tuple[str, str]]]:
    """A sentence, and what of it must go: kind and text."""
    planted: list[tuple[str, str]] = []

    def fill(found: re.Match[str]) -> str:
        name = found[1]
        if name not in FILLERS:
            return OTHERS.get(name, "Willow")
        kind, make = FILLERS[name]
        planted.append((kind, make(rng)))
        return planted[-1][1]

    return re.sub(r"\{\{(\w+)\}\}", fill, template.replace("\\n", "\n")), planted


def test_what_is_planted_is_found(capsys, data):
    path = data / "pii_templates/templates.txt"
    rng = random.Random(7)
    lines = path.read_text(errors="replace").splitlines()
    templates = [line for line in lines if any(f"{{{{{name}}}}}" in line for name in FILLERS)]
    there, gone = Counter[str](), Counter[str]()
    for index in range(TEXTS):
        text, planted = filled(templates[index % len(templates)], rng)
        left = redact(text)
        for kind, secret in planted:
            there[kind] += 1
            gone[kind] += secret not in left.text and f"[{kind.upper()}]" in left.text
    recall = {kind: gone[kind] / number for kind, number in sorted(there.items())}
    with capsys.disabled():
        said = ", ".join(f"{kind} {share:.3f} of {there[kind]}" for kind, share in recall.items())
        print(f"\nrecall on {TEXTS} texts of {len(templates)} templates: {said}")
    assert set(recall) == {kind for kind, _ in FILLERS.values()}
    assert min(recall.values()) >= 0.95


def test_real_queries_are_left_alone(capsys, data):
    path = data / "banking77/train.csv"
    with path.open(newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    wrong = [text for text in texts if redact(text).counts]
    with capsys.disabled():
        print(f"\nfalse positives on BANKING77: {len(wrong)} of {len(texts)} ({len(wrong) / len(texts):.3%})")
    assert len(texts) > 10_000
    assert len(wrong) < 0.01 * len(texts)
