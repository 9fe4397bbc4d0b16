"""Numbers that name a person, an account or a machine: IBANs, national ids, IP addresses.

All but the American number have check digits or letters, so that an order number is not taken for one:

| number | country | check | source |
|---|---|---|---|
| IBAN | about 80 | mod 97, and the country's length | ISO 13616 |
| social security number | US | none: areas and groups that are never given | SSA, 2011 |
| CPF | BR | two digits, mod 11 | Receita Federal |
| DNI, NIE | ES | a letter, mod 23 | Ministerio del Interior |
| NIR | FR | two digits, 97 less mod 97 | INSEE |
| codice fiscale | IT | a letter, mod 26 | D.M. 23 December 1976 |
| henkilötunnus | FI | a sign, mod 31 | Digital and Population Data Services Agency |
| PESEL | PL | a digit, mod 10, and a birthday | Ministry of Digital Affairs |
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

_LENGTHS = {
    country: length
    for length, countries in (
        (15, "NO"), (16, "BE"), (18, "DK FI FO GL NL SD"), (19, "MK SI"), (20, "AT BA EE KZ LT LU XK"),
        (21, "CH HR LI LV"), (22, "BG BH CR DE GB GE IE ME RS VA"), (23, "AE GI IL IQ OM TL"),
        (24, "AD CZ ES MD PK RO SA SE SK TN VG"), (25, "LY PT ST"), (26, "IS TR"), (27, "FR GR IT MC MR SM"),
        (28, "AL AZ BY CY DO GT HU LB NI PL SV"), (29, "BR EG PS QA UA"), (30, "JO KW MU"), (31, "MT SC"), (32, "LC"),
    )
    for country in re.findall("..", countries.replace(" ", ""))
}  # fmt: skip
"""How long an IBAN of each country is (the SWIFT registry)."""
_IBAN = re.compile(r"(?<![A-Z0-9])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}", re.IGNORECASE)
_ELSE = re.compile(
    r"\b(?:order|invoice|ticket|case|tracking|ref|reference|parcel|item|article|product|serial|sku|model|part|batch|"
    r"version|release|build)\b[^\d\n]{0,16}\Z|\bv\.?\s?\Z",
    re.IGNORECASE,
)
_EDGE, _END = r"(?<![\w.-])", r"(?![\w-]|\.\d)"
_IPV4 = re.compile(rf"(?<![\w.:/-])(?:\d{{1,3}}\.){{3}}\d{{1,3}}{_END}|(?<=://)(?:\d{{1,3}}\.){{3}}\d{{1,3}}{_END}")
_IPV6 = re.compile(
    r"(?<![\w:.])(?:[0-9a-f:]{2,30}:(?:\d{1,3}\.){3}\d{1,3}|[0-9a-f:]{2,39})(?![\w:]|\.\d)", re.IGNORECASE
)


def mask_ibans(text: str) -> tuple[str, int]:
    """`text` with each IBAN replaced by `[IBAN]`, and how many there were. Groups of four may stand apart."""
    count, at, pieces = 0, 0, []
    found = _IBAN.search(text)
    while found:
        end = _iban_end(found[0])
        if end:
            pieces += [text[at : found.start()], "[IBAN]"]
            at = found.start() + end
            count += 1
        found = _IBAN.search(text, found.start() + (end or 2))
    return "".join([*pieces, text[at:]]), count


def _iban_end(candidate: str) -> int:
    """Where the IBAN ends that `candidate` starts with; 0 if it starts with none."""
    length = _LENGTHS.get(candidate[:2].upper(), 0)
    at = [index for index, character in enumerate(candidate) if character not in " -"]
    if not length or len(at) < length or candidate[at[length - 1] + 1 :][:1].isalnum():
        return 0
    plain = "".join(candidate[index] for index in at[:length]).upper()
    return at[length - 1] + 1 if int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1 else 0


def mask_ids(text: str) -> tuple[str, int]:
    """`text` with each national id replaced by `[NATIONAL_ID]`, and how many there were."""
    count = 0
    for pattern, holds in _NATIONAL:
        text, number = _masked(text, pattern, holds, "[NATIONAL_ID]")
        count += number
    return text, count


def mask_addresses(text: str) -> tuple[str, int]:
    """`text` with each IP address (RFC 791, RFC 4291) replaced by `[IP]`, and how many there were."""
    text, four = _masked(text, _IPV4, _is_ip, "[IP]")
    text, six = _masked(text, _IPV6, lambda word: _looks_like_ipv6(word) and _is_ip(word), "[IP]")
    return text, four + six


def _masked(text: str, pattern: re.Pattern[str], holds: Callable[[str], bool], token: str) -> tuple[str, int]:
    count = 0

    def replace(found: re.Match[str]) -> str:
        nonlocal count
        if not holds(found[0]) or _ELSE.search(text[max(0, found.start() - 40) : found.start()]):
            return found[0]
        count += 1
        return token

    return pattern.sub(replace, text), count


def _is_ip(word: str) -> bool:
    try:
        ipaddress.ip_address(word)
    except ValueError:
        return False
    return True


def _looks_like_ipv6(word: str) -> bool:
    """C++ writes `std::add` and a clock 12:30: an address has three groups or more, or is the loopback."""
    return word == "::1" or (word.count(":") >= 3 and any(character.isdigit() for character in word))


def _digits(word: str) -> list[int]:
    return [int(character) for character in word if character.isdigit()]


def _ssn(word: str) -> bool:
    area, group, serial = word[:3], word[4:6], word[7:]
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"


def _cpf(word: str) -> bool:
    digits = _digits(word)
    if len(set(digits)) == 1:
        return False
    for at in (9, 10):
        rest = sum(digit * (at + 1 - index) for index, digit in enumerate(digits[:at])) * 10 % 11
        if rest % 10 != digits[at]:
            return False
    return True


def _dni(word: str) -> bool:
    plain = word.upper().replace("-", "")
    number = int(plain[:-1].translate(str.maketrans("XYZ", "012")))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23] == plain[-1]


def _nir(word: str) -> bool:
    plain = re.sub(r"\s", "", word).upper().replace("2A", "19").replace("2B", "18")
    return 97 - int(plain[:13]) % 97 == int(plain[13:])


_ODD = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", (
    1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22,
    25, 24, 23), strict=True))  # fmt: skip


def _codice_fiscale(word: str) -> bool:
    even = {character: index % 10 if index < 10 else index - 10 for index, character in enumerate(_ODD)}
    word = word.upper()
    total = sum((_ODD if index % 2 == 0 else even)[character] for index, character in enumerate(word[:15]))
    return chr(ord("A") + total % 26) == word[15]


def _hetu(word: str) -> bool:
    day, month = int(word[:2]), int(word[2:4])
    sign = "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(word[:6] + word[7:10]) % 31]
    return 1 <= day <= 31 and 1 <= month <= 12 and sign == word[10].upper()


def _pesel(word: str) -> bool:
    digits = _digits(word)
    month, day = (digits[2] * 10 + digits[3]) % 20, digits[4] * 10 + digits[5]
    total = sum(digit * weight for digit, weight in zip(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1), strict=True))
    return 1 <= month <= 12 and 1 <= day <= 31 and total % 10 == 0


_NATIONAL: tuple[tuple[re.Pattern[str], Callable[[str], bool]], ...] = (
    (re.compile(rf"{_EDGE}\d{{3}}([- ])\d\d\1\d{{4}}{_END}"), _ssn),
    (re.compile(rf"{_EDGE}\d{{3}}\.\d{{3}}\.\d{{3}}-\d\d{_END}"), _cpf),
    (re.compile(rf"{_EDGE}(?:[XYZ]-?\d{{7}}|\d{{8}})-?[A-HJ-NP-TV-Z]{_END}", re.IGNORECASE), _dni),
    (re.compile(rf"{_EDGE}[12] ?\d\d ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d\d|2[AB]) ?\d{{3}} ?\d{{3}} ?\d\d{_END}"), _nir),
    (re.compile(rf"{_EDGE}[A-Z]{{6}}\d\d[A-EHLMPRST][0-7]\d[A-Z]\d{{3}}[A-Z]{_END}", re.IGNORECASE), _codice_fiscale),
    (re.compile(rf"{_EDGE}\d{{6}}[-+A-FU-Y]\d{{3}}[0-9A-FHJ-NPR-Y]{_END}"), _hetu),
    (re.compile(r"(?<=pesel[ :])\d{11}\b|(?<=pesel: )\d{11}\b", re.IGNORECASE), _pesel),
)
