"""What mkdocs calls while it builds the site: the generated pages, their places, the diagram, and the links outward."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from handbook import nouns, verbs

GENERATED = {"commands": verbs, "files": nouns}
DIAGRAM = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+((?:runner|tests|benchmarks|\.github|[A-Z]+\.md)[^)]*)\)")
FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
"""Addresses in code are examples, and nobody follows them."""
LINK = re.compile(r"https?://[^\s<>\"')\]]+")
outward: dict[str, set[str]] = {}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill in, for each `generated: commands` or `files` of the navigation, the pages that there are."""
    outward.clear()
    config.nav = filled(config.nav)
    return config


def filled(part: Any) -> Any:
    if isinstance(part, list):
        return [filled(one) for one in part]
    if isinstance(part, dict):
        ((title, inside),) = part.items()
        if isinstance(inside, str) and inside.startswith("generated:"):
            return {title: list(GENERATED[inside.removeprefix("generated:")].pages())}
        return {title: filled(inside)}
    return part


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for module in GENERATED.values():
        for path, text in module.pages().items():
            files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    for link in LINK.findall(CODE.sub("", markdown)):
        outward.setdefault(link.rstrip(".,;:`"), set()).add(page.file.src_uri)
    drawn = DIAGRAM.sub(lambda found: picture(found[1], page.file.src_uri), markdown)
    return "".join(part if part.startswith("```") else nested(outside(part)) for part in FENCED.split(drawn))


def nested(markdown: str) -> str:
    """Lists inside lists, which forges take from two spaces on and this renderer from four."""
    return re.sub(r"^  (?=- )", "    ", markdown, flags=re.MULTILINE)


def picture(source: str, page: str) -> str:
    """The drawing of a mermaid diagram, which stands beside the pages: nothing is drawn in the reader's browser."""
    return f"![Diagram]({'../' * page.count('/')}images/{drawing(source)})"


def drawing(source: str) -> str:
    """The file's name says of which source it is: a diagram that was changed has no drawing yet.

    `mmdc --backgroundColor white --input SOURCE --output FILE` (npm's @mermaid-js/mermaid-cli), with `htmlLabels` off,
    draws one.
    """
    return f"diagram-{hashlib.sha256(source.encode()).hexdigest()[:12]}.svg"


def outside(markdown: str) -> str:
    """Links to files of the repository that are no pages become their path in it: the site stands without it."""
    return OUTSIDE.sub(shown, markdown)


def shown(found: re.Match[str]) -> str:
    label = found[1].strip("`")
    return f"`{found[2]}`" if label == found[2] else f"{found[1]} (`{found[2]}`)"


def on_post_build(config: MkDocsConfig) -> None:
    """Every link outward, beside the site, for whoever has a network. One that is no address ends the build."""
    wrong = sorted(f"{link} ({', '.join(sorted(where))})" for link, where in outward.items() if not address(link))
    if wrong:
        raise PluginError("no addresses: " + "; ".join(wrong))
    lines = [f"{link}\t{' '.join(sorted(where))}" for link, where in sorted(outward.items())]
    (Path(config.site_dir).parent / "external-links.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")


def address(link: str) -> bool:
    try:
        parts = urlsplit(link)
        return bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        return False
