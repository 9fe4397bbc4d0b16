"""Two hundred secrets of twenty kinds, made from a seed, and the ways in which one can hide in a file."""

from __future__ import annotations

import base64
import codecs
import html
import json
import random
import string
from collections.abc import Callable, Mapping
from urllib.parse import quote

EACH = 10
FIRST = (
    "Zephyrine",
    "Quillon",
    "Ottoline",
    "Barnaby",
    "Isolde",
    "Thaddeus",
    "Perpetua",
    "Lysander",
    "Cordelia",
    "Evander",
)
LAST = (
    "Quillfeather",
    "Marchbanks",
    "Thistlewood",
    "Ravensgate",
    "Hollowbrook",
    "Winterbourne",
    "Ashgrove",
    "Fenwright",
    "Larkspur",
    "Oakhurst",
)
WORDS = (
    "ferry",
    "lantern",
    "orchard",
    "violin",
    "copper",
    "saddle",
    "thimble",
    "glacier",
    "walnut",
    "harbour",
    "pepper",
    "marble",
    "cushion",
    "anchor",
    "meadow",
    "candle",
    "ribbon",
    "falcon",
    "barrel",
    "puzzle",
    "basket",
    "hammer",
    "tunnel",
    "garden",
    "pillow",
    "rocket",
    "window",
    "silver",
    "dragon",
    "button",
)


def _digits(draw: random.Random, count: int) -> str:
    return "".join(draw.choice(string.digits) for _ in range(count))


def _letters(draw: random.Random, count: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(draw.choice(alphabet) for _ in range(count))


def _card(draw: random.Random) -> str:
    body = "4" + _digits(draw, 14)
    doubled = [int(one) * (2 - at % 2) for at, one in enumerate(body)]
    total = sum(value - 9 * (value > 9) for value in doubled)
    return body + str(-total % 10)


def _iban(draw: random.Random) -> str:
    account = _digits(draw, 18)
    check = 98 - int(account + "131400") % 97
    return f"DE{check:02}{account}"


def _jwt(draw: random.Random) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part({'sub': _digits(draw, 8)})}.{_letters(draw, 32)}"


def _pem(draw: random.Random) -> str:
    return f"-----BEGIN PRIVATE KEY-----\n{_letters(draw, 64)}\n-----END PRIVATE KEY-----"


def _phone(draw: random.Random) -> str:
    return f"+44 20 7{_digits(draw, 3)} {_digits(draw, 4)}"


def _person(draw: random.Random) -> str:
    return f"{draw.choice(FIRST)} {draw.choice(LAST)}"


def _sentence(draw: random.Random) -> str:
    return f"Why did the {' '.join(draw.sample(WORDS, 6))} never come back to me?"


KINDS: Mapping[str, Callable[[random.Random], str]] = {
    "openai": lambda draw: f"sk-{_letters(draw, 12)}7{_letters(draw, 30)}",
    "aws": lambda draw: "AKIA" + _letters(draw, 16, string.ascii_uppercase + string.digits),
    "github": lambda draw: "ghp_" + _letters(draw, 36),
    "slack": lambda draw: f"xoxb-{_digits(draw, 12)}-{_letters(draw, 24)}",
    "stripe": lambda draw: "sk_live_" + _letters(draw, 24),
    "jwt": _jwt,
    "pem": _pem,
    "url": lambda draw: f"postgres://admin:{_letters(draw, 10)}@db{_digits(draw, 2)}.internal.example/main",
    "email": lambda draw: f"{draw.choice(WORDS)}.{draw.choice(WORDS)}{_digits(draw, 2)}@mail.example.com",
    "phone": _phone,
    "card": _card,
    "iban": _iban,
    "ssn": lambda draw: f"{draw.randint(100, 660)}-{draw.randint(10, 99)}-{draw.randint(1000, 9999)}",
    "ipv4": lambda draw: f"10.{draw.randint(20, 250)}.{draw.randint(20, 250)}.{draw.randint(20, 250)}",
    "ipv6": lambda draw: "2001:db8:" + ":".join(f"{draw.randint(4096, 65535):x}" for _ in range(6)),
    "person": _person,
    "password": lambda draw: f"{draw.choice(WORDS).title()}{_digits(draw, 3)}!{draw.choice(WORDS)}",
    "token": lambda draw: _letters(draw, 32, "0123456789abcdef"),
    "sentence": _sentence,
    "case": lambda draw: f"CASE-{_digits(draw, 5)}-{_letters(draw, 3, string.ascii_uppercase)}",
}


def planted(seed: int = 7) -> list[tuple[str, str]]:
    """(kind, secret), ten of each kind, all different."""
    draw = random.Random(seed)
    found: dict[str, str] = {}
    for kind, make in KINDS.items():
        count = len(found) + EACH
        while len(found) < count:
            found.setdefault(make(draw), kind)
    return [(kind, secret) for secret, kind in found.items()]


def carrier(secret: str, number: int) -> str:
    """A message that has the secret in it."""
    draw = random.Random(number)
    first, second, third, fourth = draw.sample(WORDS, 4)
    return f"My {first} and the {second} are with {secret} and nobody called about the {third} or {fourth} yet"


ALIKE = str.maketrans("aceopxyiSIH", "\u0430\u0441\u0435\u043e\u0440\u0445\u0443\u0456\u0405\u0406\u041d")
"""Latin letters to the Cyrillic ones that are drawn alike."""
GREEK = str.maketrans(
    "aoviAEHIKMNOPTXYZ",
    "\u03b1\u03bf\u03bd\u03b9\u0391\u0395\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a7\u03a5\u0396",
)
LEET = str.maketrans("aeiostAEIOST", "431057431057")
WAYS: Mapping[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "upper case": str.upper,
    "zero-width": lambda text: "\u200b".join(text),
    "soft hyphens": lambda text: "\u00ad".join(text),
    "look-alikes": lambda text: text.translate(ALIKE),
    "Greek look-alikes": lambda text: text.translate(GREEK),
    "digits for letters": lambda text: text.translate(LEET),
    "full width": lambda text: "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text),
    "spaced": " ".join,
    "dashed": "-".join,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64url": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "base64 twice": lambda text: base64.b64encode(base64.b64encode(text.encode())).decode(),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "base85": lambda text: base64.b85encode(text.encode()).decode(),
    "ascii85": lambda text: base64.a85encode(text.encode()).decode(),
    "binary": lambda text: " ".join(f"{byte:08b}" for byte in text.encode()),
    "hexadecimal": lambda text: text.encode().hex(),
    "percent": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "percent, as needed": lambda text: quote(text, safe=""),
    "html": lambda text: "".join(f"&#{ord(one)};" for one in text),
    "html, as needed": html.escape,
    "backslash u": lambda text: "".join(f"\\u{ord(one):04x}" for one in text),
    "backslash x": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    "character codes": lambda text: ", ".join(str(ord(one)) for one in text),
    "quoted-printable": lambda text: "".join(f"={byte:02X}" for byte in text.encode()),
    "reversed": lambda text: text[::-1],
    "rot13": lambda text: codecs.encode(text, "rot13"),
    "hex of base64": lambda text: base64.b64encode(text.encode()).hex(),
}
"""How a text can stand in one string."""
SPLITS: Mapping[str, Callable[[str], object]] = {
    "over two fields": lambda text: {"a": text[: len(text) // 2], "b": text[len(text) // 2 :]},
    "over a list": lambda text: [text[at : at + 4] for at in range(0, len(text), 4)],
    "letter by letter": lambda text: list(text),
    "as a key": lambda text: {text: 1},
    "as numbers": lambda text: [ord(one) for one in text],
    "base64 over fields": lambda text: {
        "a": base64.b64encode(text.encode()).decode()[:10],
        "b": base64.b64encode(text.encode()).decode()[10:],
    },
}
"""How it can stand in more than one."""
