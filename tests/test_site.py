"""The site of docs/: every page is in the navigation, every verb and every kind of file has its page, links hold."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from handbook import hooks, nouns, verbs
from runner.cli.main import VERBS, group
from runner.records.schemas import SCHEMAS, schema
from tests.printed import ROOT

DOCS = ROOT / "docs"
SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
FETCHED = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^\s\"'>]+")
LINKED = re.compile(r"\[[^\]]*\]\(([^)#\s]+)")


def in_navigation(part: Any) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    for one in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from in_navigation(one)


def written() -> dict[str, str]:
    return {path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md")}


def generated() -> dict[str, str]:
    return {path: text for module in hooks.GENERATED.values() for path, text in module.pages().items()}


def test_every_page_stands_in_the_navigation_once() -> None:
    listed = list(in_navigation(hooks.filled(SITE["nav"])))
    assert sorted(listed) == sorted({*written(), *generated()})


def test_every_page_is_led_to_by_another() -> None:
    """Whoever starts at the first page and follows links comes to all of them."""
    pages = {**written(), **generated()}
    reached, waiting = set(), ["index.md"]
    while waiting:
        page = waiting.pop()
        if page in pages and page not in reached:
            reached.add(page)
            here = os.path.dirname(page)
            waiting += [os.path.normpath(os.path.join(here, link)) for link in LINKED.findall(pages[page])]
    assert sorted(set(pages) - reached) == []


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_has_a_page_that_says_all_of_it(name: str) -> None:
    text = verbs.pages()[verbs.path(name)]
    command = group.get_command(click.Context(group), name)
    assert command is not None
    for words, one in tree(command, name):
        assert f"# hallmark {words}\n" in text
        assert all(f"`{option.opts[0]}`" in text for option in one.params if isinstance(option, click.Option))
    assert f"hallmark {name}" in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)[0], "no example"


def tree(command: click.Command, words: str) -> Iterator[tuple[str, click.Command]]:
    yield words, command
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from tree(inner, f"{words} {name}")


def test_a_page_says_what_a_command_may_exit_with() -> None:
    assert "4 `WAITING`" in verbs.pages()[verbs.path("iterate")]
    assert "4 `WAITING`" not in verbs.pages()[verbs.path("fmt")]


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_kind_of_file_has_a_page_that_says_all_of_it(name: str) -> None:
    text = nouns.pages()[nouns.path(name)]
    whole = schema(name)
    parts = {name: whole, **{title: part for title, part in whole.get("$defs", {}).items() if "properties" in part}}
    for title, part in parts.items():
        assert all(f"| `{field}` |" in text for field in part["properties"]), title
    assert all(f"### {title}\n" in text for title in parts if title != name)


@pytest.mark.parametrize("name", SCHEMAS)
def test_an_example_is_one(name: str) -> None:
    language, text = nouns.example(name)
    value = json.loads(text) if language == "json" else yaml.load(text, Loader=yaml.BaseLoader)
    assert value.keys() >= set(schema(name).get("required", ()))
    found = json.loads(text) if language == "json" else yaml.safe_load(text)
    SCHEMAS[name].model_validate_json(json.dumps(found))


def test_what_a_record_says_of_a_field_is_found() -> None:
    assert "What the model may call." in nouns.page("scenario")
    assert "`fp-guard`" in nouns.page("scenario")


def test_a_diagram_has_its_drawing_and_a_drawing_its_diagram() -> None:
    wanted = {hooks.drawing(found) for text in written().values() for found in hooks.DIAGRAM.findall(text)}
    assert wanted == {path.name for path in (DOCS / "images").glob("diagram-*.svg")}
    assert wanted


@pytest.mark.parametrize(
    ("link", "holds"),
    [
        ("https://example.org/a", True),
        ("http://127.0.0.1:8000/v1", True),
        ("https:///a", False),
        ("http://[::1", False),
    ],
)
def test_an_address_is_one(link: str, holds: bool) -> None:
    assert hooks.address(link) is holds


def build(project: Path, site: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)],
        cwd=project,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_site_builds_strictly_and_fetches_nothing(tmp_path: Path) -> None:
    done = build(ROOT, tmp_path / "out" / "site")
    assert done.returncode == 0, done.stderr
    pages = sorted((tmp_path / "out" / "site").rglob("*.html"))
    assert len(pages) > len(VERBS) + len(SCHEMAS)
    assert [page.name for page in pages if FETCHED.search(page.read_text(encoding="utf-8"))] == []
    assert "huggingface.co" in (tmp_path / "out" / "external-links.txt").read_text()


def test_a_link_to_nowhere_ends_the_build(tmp_path: Path) -> None:
    shutil.copytree(DOCS, tmp_path / "docs")
    settings = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    (tmp_path / "mkdocs.yml").write_text(settings.replace("handbook/hooks.py", str(ROOT / "handbook" / "hooks.py")))
    with (tmp_path / "docs" / "ci.md").open("a") as page:
        page.write("\n[gone](exit-codes.md#no-such-heading)\n")
    done = build(tmp_path, tmp_path / "out" / "site")
    assert done.returncode != 0
    assert "no-such-heading" in done.stderr
