"""What a stored directory of DVC's (a `.dir` object) lists, read as data: relative paths and the md5 of each file.

DVC writes wherever such a path leads, `../` included (PROTOCOL.md, fact 7). Here a path is plain names, and two paths
can never be one file on any file system.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from runner.errors import DataError
from runner.rules.strict_json import strict_json

MAX_FILES = 100_000
MAX_NAME, MAX_PATH, MAX_DEPTH = 255, 1024, 16
MD5 = re.compile(r"[0-9a-f]{32}\Z")
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=-]*\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def read_listing(data: bytes, *, where: str) -> dict[str, str]:
    """Relative path to md5. Raises `DataError`, which names `where`, with everything that is wrong."""
    try:
        entries = strict_json(data)
    except ValueError as error:
        raise DataError(f"{where}: the stored directory object is damaged: {error}") from error
    if not isinstance(entries, list) or len(entries) > MAX_FILES:
        raise DataError(f"{where}: the stored directory object is no list of at most {MAX_FILES} files")
    problems = [problem for entry in entries if (problem := _entry_problem(entry))]
    paths = [entry["relpath"] for entry in entries if not _entry_problem(entry)]
    problems += _clashes(paths)
    if problems:
        said = "; ".join(problems[:5])
        raise DataError(f"{where}: the stored directory is refused: {said}. Nothing was written; store it again")
    return {entry["relpath"]: entry["md5"] for entry in entries}


def _entry_problem(entry: Any) -> str:
    if not isinstance(entry, dict) or not isinstance(entry.get("relpath"), str):
        return "an entry has no relpath"
    path, md5 = entry["relpath"], entry.get("md5")
    if not isinstance(md5, str) or not MD5.match(md5):
        return f"{_shown(path)} has no md5"
    problem = path_problem(path)
    return f"{_shown(path)} {problem}" if problem else ""


def path_problem(path: str) -> str:
    """Why a relative path may not be written below a directory; empty where it may."""
    parts = path.split("/")
    if _CONTROL.search(path):
        return "has control characters"
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        return "is absolute"
    if "\\" in path:
        return "has a backslash"
    if any(part in {"", ".", ".."} for part in parts):
        return "has an empty, `.` or `..` part"
    if any(part.casefold().rstrip(". ") == ".git" for part in parts):
        return "leads into a .git"
    if len(path) > MAX_PATH or len(parts) > MAX_DEPTH or any(len(part) > MAX_NAME for part in parts):
        return "is too long"
    if not all(_PLAIN.match(part) for part in parts):
        return "is not made of plain names (letters, digits, `_`, `.`, `+`, `=`, `-`; no leading dot or hyphen)"
    return ""


def _clashes(paths: Iterable[str]) -> list[str]:
    """Paths that are one file, or a file and a directory, on some file system."""
    found = []
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for path in paths:
        key = path.casefold()
        if key in files:
            twice = files[key] == path
            found.append(
                f"{_shown(path)} is listed twice" if twice else f"{_shown(path)} and {_shown(files[key])} clash"
            )
        files[key] = path
        parts = path.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            folder = "/".join(parts[:depth])
            if folders.setdefault(folder.casefold(), folder) != folder:
                found.append(f"the directories {_shown(folders[folder.casefold()])} and {_shown(folder)} clash")
    found += [f"{_shown(files[key])} is a file and a directory" for key in sorted(set(files) & set(folders))]
    return found


def _shown(path: str) -> str:
    text = ascii(path)
    return text if len(text) <= 80 else f"{text[:77]}…"
