"""How much the door finds, and how often it is wrong: sentence templates with fillers of our own, and real queries."""

from __future__ import annotations

import base64
import csv
import json
import random
import re
import string
from collections import Counter
from collections.abc import Callable

from runner.rules.data.flags import flags
from runner.rules.text.redaction import KINDS, redact

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


LETTERS = string.ascii_letters + string.digits


def drawn(rng: random.Random, number: int, letters: str = LETTERS) -> str:
    """With a digit in it, as a key has."""
    return "".join(rng.choice(letters) for _ in range(number - 1)) + rng.choice("123456789")


def token(rng: random.Random) -> str:
    """A JSON web token: two objects in base64, and a signature."""
    head, body = (base64.urlsafe_b64encode(json.dumps({name: drawn(rng, 20)}).encode()) for name in ("alg", "sub"))
    return b".".join([head.rstrip(b"="), body.rstrip(b"="), drawn(rng, 43).encode()]).decode()


SECRETS: dict[str, Callable[[random.Random], str]] = {
    "cloud access key": lambda rng: "AKIA" + drawn(rng, 16, string.ascii_uppercase + string.digits),
    "maps key": lambda rng: "AIza" + drawn(rng, 35),
    "forge token": lambda rng: rng.choice(["ghp_", "gho_", "ghs_"]) + drawn(rng, 36),
    "fine-grained forge token": lambda rng: "github_pat_" + drawn(rng, 40),
    "model API key": lambda rng: rng.choice(["sk-", "sk-proj-", "sk-ant-"]) + drawn(rng, 40),
    "payment key": lambda rng: rng.choice(["sk_live_", "rk_live_", "pk_test_"]) + drawn(rng, 24),
    "chat token": lambda rng: f"xoxb-{digits(rng, 11)}-{drawn(rng, 24)}",
    "hub token": lambda rng: "hf_" + drawn(rng, 34),
    "package token": lambda rng: "npm_" + drawn(rng, 36),
    "mail key": lambda rng: f"SG.{drawn(rng, 22)}.{drawn(rng, 43)}",
    "web token": token,
    "bearer token": lambda rng: "Bearer " + drawn(rng, 32),
    "private key": lambda rng: f"-----BEGIN RSA PRIVATE KEY-----\n{drawn(rng, 64)}\n-----END RSA PRIVATE KEY-----",
    "password in a setting": lambda rng: "password=" + drawn(rng, 12),
    "URL with a user": lambda rng: f"postgres://admin:{drawn(rng, 12)}@db.example.com:5432/shop",
    "URL with a token": lambda rng: f"https://api.example.com/v1/items?api_key={drawn(rng, 24)}",
}
FRAMES = [
    "{}",
    "my key is {}, it stopped working today",
    "I get 401 with {}",
    "curl fails: -H 'Authorization: {}'",
    "here it is:\n{}\nplease check",
    'config = "{}"',
    "({}) is what your docs told me to use.",
]


def test_secrets_of_every_shape_are_found(capsys) -> None:
    """What must go is the last word of each: the secret itself, whatever stands before it."""
    rng = random.Random(11)
    recall = {}
    for shape, make in SECRETS.items():
        texts = [(secret, FRAMES[index % len(FRAMES)].format(secret)) for index, secret in enumerate(made(make, rng))]
        recall[shape] = sum(core(secret) not in redact(text).text for secret, text in texts) / len(texts)
    with capsys.disabled():
        print(f"\nrecall of secrets: {', '.join(f'{shape} {share:.3f}' for shape, share in recall.items())}")
    assert min(recall.values()) >= 0.95


def made(make: Callable[[random.Random], str], rng: random.Random) -> list[str]:
    return [make(rng) for _ in range(42)]


def core(secret: str) -> str:
    """The part that opens something."""
    return max(re.split(r"[\n ]|://|password=|api_key=|@", secret), key=len)


def test_what_a_text_needs_before_a_kind_is_looked_for_hides_nothing(data) -> None:
    """Looking for every kind in every text finds the same."""
    rng = random.Random(3)
    lines = (data / "pii_templates/templates.txt").read_text(errors="replace").splitlines()
    texts = [filled(line, rng)[0] for line in lines]
    texts += [frame.format(make(rng)) for make in SECRETS.values() for frame in FRAMES]
    with (data / "banking77/train.csv").open(newline="") as file:
        texts += [row["text"] for row in csv.DictReader(file)][:2000]
    texts += ["::1", "1.2.3.4", "token=abcdefgh", "a [at] example.org", "Bearer " + "x" * 20, "RSSMRA85T10A562S", ""]
    for text in texts:
        whole = text
        for mask in KINDS.values():
            whole, _ = mask(whole)
        assert redact(text).text == whole


def test_real_queries_are_left_alone(capsys, data):
    path = data / "banking77/train.csv"
    with path.open(newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    wrong = [text for text in texts if redact(text).counts]
    with capsys.disabled():
        print(f"\nfalse positives on BANKING77: {len(wrong)} of {len(texts)} ({len(wrong) / len(texts):.3%})")
    flagged = [text for text in texts if flags([text])]
    with capsys.disabled():
        print(f"flagged as speaking to a model: {len(flagged)} of {len(texts)}")
    assert len(flagged) < 0.001 * len(texts)
    assert len(texts) > 10_000
    assert len(wrong) < 0.01 * len(texts)
