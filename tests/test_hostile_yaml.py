"""Reviewed files made to mislead a reader or to fall over the loader: refused, with a line, and soon."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from runner.edges.readers import DirectoryReader
from runner.edges.yaml_files import dump, load, parse
from runner.errors import RecordError, RecordErrors
from runner.records.base import Slug
from runner.records.change import Operation, PathChange
from runner.records.cluster import Cluster
from runner.records.scenario import Scenario
from runner.rules.trust.change import class_of, promotion_place, shape_problems

LAUGHS = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True))
BOMBS: dict[str, tuple[bytes, str]] = {
    "a billion laughs": (LAUGHS.encode(), "anchor"),
    "an alias of itself": (b"a: &a [*a]\n", "anchor"),
    "merge keys": (b"a: &a {x: 1}\nb: {<<: *a}\n", "anchor"),
    "a list as deep as the file is long": (b"[" * 500_000, "deeper than 20"),
    "mappings as deep": (b"{a: " * 200_000, "deeper than 20"),
    "a list in lists by dashes": (b"- " * 300_000 + b"x\n", "deeper than 20"),
    "a key twice": (b"id: a\nid: b\n", "twice"),
    "a key twice, once quoted": (b'id: a\n"id": b\n', "twice"),
    "a key twice, once escaped": (b'id: a\n"\\x69d": b\n', "twice"),
    "a thousand keys twice": (b"".join(b"k%d: 1\n" % (number % 500) for number in range(1_000)), "twice"),
    "five megabytes": (b"a: " + b"x" * 5_000_000, "bytes long"),
    "a tag that makes an object": (b"a: !!python/object/apply:os.system [id]\n", "tag"),
    "a binary": (b"a: !!binary aGk=\n", "tag"),
    "UTF-16": ("a: 1\n".encode("utf-16"), "not UTF-8"),
    "UTF-16 without a mark": ("a: 1\n".encode("utf-16-le"), "U+0000"),
    "a byte-order mark": (b"\xef\xbb\xbfa: 1\n", "byte-order mark"),
    "a NUL": (b"a: x\0y\n", "U+0000"),
    "an escape sequence": (b"a: \x1b[2J\n", "U+001B"),
    "half a surrogate pair": (b'a: "\\ud800"\n', "not YAML"),
    "no UTF-8": (b"a: \xc0\xaf\n", "not UTF-8"),
    "two documents": (b"a: 1\n...\n---\nb: 1\n", "second document"),
    "a whole number of a megabyte": (b"a: " + b"9" * 900_000 + b"\n", "more digits"),
}
HIDDEN = {
    "right-to-left override": "\u202e",
    "left-to-right mark": "\u200e",
    "right-to-left mark": "\u200f",
    "arabic letter mark": "\u061c",
    "isolate": "\u2066",
    "zero-width space": "\u200b",
    "word joiner": "\u2060",
    "soft hyphen": "\u00ad",
    "hangul filler": "\u3164",
    "tag letter": "\U000e0041",
    "variation selector of the supplement": "\U000e0100",
    "interlinear annotation": "\ufff9",
    "next line": "\u0085",
    "line separator": "\u2028",
    "not a character": "\uffff",
}


@pytest.mark.parametrize("what", sorted(BOMBS))
def test_it_is_refused_soon_with_a_reason(what: str) -> None:
    data, says = BOMBS[what]
    started = time.process_time()
    with pytest.raises(RecordErrors) as caught:
        parse(data, Scenario, path="scenarios/desk/core/a.yaml")
    assert time.process_time() - started < 5
    assert any(says in error.problem for error in caught.value.errors)
    assert all(error.path for error in caught.value.errors)


@pytest.mark.parametrize("what", sorted(HIDDEN))
def test_what_a_reviewer_cannot_see_is_refused_or_written_out(what: str) -> None:
    character = HIDDEN[what]
    with pytest.raises(RecordErrors, match=f"U\\+{ord(character):04X}"):
        load(f"title: Re{character}fund\n".encode(), path="a.yaml")
    written = dump({"title": f"Re{character}fund"})
    assert character.encode() not in written
    assert load(written, path="a.yaml").value == {"title": f"Re{character}fund"}


def test_joiners_that_scripts_and_emoji_need_are_read() -> None:
    text = "\u0646\u200c\u0645 \U0001f468\u200d\U0001f469 \u0939\u093f\u0902"
    assert load(f"title: {text}\n".encode(), path="a.yaml").value == {"title": text}


SLUG = TypeAdapter(Slug)
NAMES = [
    "../a",
    "/etc",
    "-rf",
    ".git",
    "a/b",
    "a\\b",
    "A",
    "\u0430",
    "\u00e9",
    "e\u0301",
    "a\n",
    "a\0",
    "a--b",
    "-",
    "a-",
]
TEXTS = st.text(max_size=20) | st.sampled_from(
    [*NAMES, "a" * 65, "a\u202eb", "CON", "desk.", "desk ", "~", "a*", "$(id)"]
)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(TEXTS)
def test_an_id_that_is_taken_is_safe_everywhere(text: str) -> None:
    """As a file name, a ref, an argument, an unquoted word of YAML's, and on a file system that folds case."""
    try:
        SLUG.validate_python(text)
    except ValidationError:
        return
    assert text.isascii()
    assert text == text.lower()
    assert text.replace("-", "").isalnum()
    assert not text.startswith("-")
    assert not text.endswith("-")
    assert len(text) <= 64


@settings(max_examples=500, deadline=None, derandomize=True)
@given(
    TEXTS, TEXTS, st.sampled_from(["record.yaml", "evidence/{}", "approvals/{}.dsse.json", "{}"]), st.integers(0, 10**7)
)
def test_a_path_that_the_gate_takes_is_safe(cluster: str, name: str, rest: str, sequence: int) -> None:
    path = f"clusters/{cluster}/promotions/{sequence}/{rest.format(name)}"
    change = PathChange(Operation.ADD, path, "100644", "0" * 40, "")
    if shape_problems([change], {path: b""}, step="2"):
        return
    assert path.isascii()
    assert path.isprintable()
    place = promotion_place(path)
    assert place is not None
    assert (place.cluster, place.sequence) == (cluster, sequence)
    assert all(part not in ("", ".", "..") and part[0] not in "-." for part in path.split("/"))


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.lists(TEXTS, min_size=1, max_size=5).map("/".join))
def test_a_path_of_a_class_never_leaves_the_tree(path: str) -> None:
    change = PathChange(Operation.ADD, path, "100644", "0" * 40, "")
    if class_of(path) is None or shape_problems([change], {path: b""}, step="2"):
        return
    assert os.path.normpath(path) == path
    assert not path.startswith("/")


# a work tree


def test_links_and_pipes_are_refused_and_do_not_hang(tmp_path: Path) -> None:
    (tmp_path / "clusters" / "desk").mkdir(parents=True)
    (tmp_path / "clusters" / "desk" / "cluster.yaml").symlink_to("/etc/passwd")
    reader = DirectoryReader(tmp_path)
    with pytest.raises(RecordError, match="symbolic link"):
        reader.paths("clusters/")
    with pytest.raises(RecordError, match="cannot be read"):
        reader.read("clusters/desk/cluster.yaml")
    os.mkfifo(tmp_path / "params.yaml")
    assert reader.paths("params.yaml") == []
    with pytest.raises(RecordError, match="no regular file"):
        reader.read("params.yaml")
    with pytest.raises(RecordError):
        parse(b"", Cluster, path="clusters/desk/cluster.yaml")
