"""A licence as each format names it: SPDX's identifier, the Hugging Face Hub's, a URL."""

from __future__ import annotations

SPDX = "https://spdx.org/licenses/"
HUB = frozenset(
    {
        "AFL-3.0", "Apache-2.0", "Artistic-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSD-3-Clause-Clear", "BSL-1.0",
        "CC-BY-2.0", "CC-BY-2.5", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-NC-2.0", "CC-BY-NC-3.0", "CC-BY-NC-4.0",
        "CC-BY-NC-ND-3.0", "CC-BY-NC-ND-4.0", "CC-BY-NC-SA-2.0", "CC-BY-NC-SA-3.0", "CC-BY-NC-SA-4.0", "CC-BY-ND-4.0",
        "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC0-1.0", "CDLA-Permissive-1.0", "CDLA-Permissive-2.0", "CDLA-Sharing-1.0",
        "ECL-2.0", "EPL-1.0", "EPL-2.0", "EUPL-1.1", "EUPL-1.2", "ISC", "LPPL-1.3c", "MIT", "MPL-2.0", "MS-PL", "NCSA",
        "OFL-1.1", "OSL-3.0", "PostgreSQL", "Unlicense", "WTFPL", "Zlib", "etalab-2.0",
    }
)  # fmt: skip
"""SPDX identifiers that the Hub has too, in lower case. It takes any other as `other` with a name."""
COPYLEFT = {
    f"{family}-{version}-{kind}": f"{family}-{version}".lower()
    for family, versions in {"GPL": ("2.0", "3.0"), "LGPL": ("2.1", "3.0"), "AGPL": ("3.0",)}.items()
    for version in versions
    for kind in ("only", "or-later")
}
"""GNU's, whose identifiers at SPDX say more than the Hub's."""


_AS_LISTED = {one.lower(): one for one in (*HUB, *COPYLEFT)}


def identifier(license: str) -> str | None:
    """As SPDX lists it, in whichever case it is stated (SPDX 2.3, annex D.2); None for what it is not told by."""
    return _AS_LISTED.get(license.lower())


def on_hub(license: str) -> dict[str, str]:
    """The card's keys; none where nothing is stated."""
    if not license:
        return {}
    if (listed := identifier(license)) is not None:
        return {"license": COPYLEFT.get(listed, listed.lower())}
    return {"license": "other", "license_name": license.lower().removeprefix("licenseref-")}


def in_bom(license: str) -> list[dict[str, dict[str, str]]]:
    """CycloneDX's licence choice; empty where nothing is stated."""
    if not license:
        return []
    listed = identifier(license)
    return [{"license": {"name": license} if listed is None else {"id": listed}}]


def url(license: str) -> str:
    """Where its text stands; what SPDX does not have is named as it is."""
    listed = identifier(license)
    return license if listed is None else f"{SPDX}{listed}.html"
