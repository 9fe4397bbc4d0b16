"""The moments between two writes, by name: what stands then is all that a kill or a full disk leaves.

Every edge that writes what must survive says `reach(point)` as it passes, and nothing happens. No setting, variable or
argument can make anything happen: only code that is in the process already can put a function into `watchers`. The
tests do, in child processes of their own: they kill the process there or let the disk be full, and run the same
command again. So the list below is also the list of states that every command must be able to take up.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path


class WritePoint(StrEnum):
    """Its value names the room and says what has just been done, or is next."""

    FILE_WRITTEN = "file: written beside, not in its place"
    FILE_REPLACED = "file: in its place"
    TREE_WRITTEN = "directory: written beside, not in its place"
    TREE_REMOVED = "directory: the old one removed, the new one not in its place"
    TREE_REPLACED = "directory: in its place"

    OBJECT_STORED = "git: an object stored that nothing names"
    COMMIT_STORED = "git: a commit stored that no ref names"
    REFS_NEXT = "git: refs about to move"
    REFS_MOVED = "git: refs moved"
    PUSH_NEXT = "git: a push about to start"
    PUSHED = "git: pushed"

    ENTRY_STORED = "ledger: the entry's commit stored, the ledger not moved"
    ENTRY_APPENDED = "ledger: the entry appended"

    RUN_CUT = "run: the branch cut, no work tree"
    RUN_OPENED = "run: the work tree made, nothing in it prepared"
    OUTPUTS_WRITTEN = "run: a stage's outputs written"
    OUTPUTS_KEPT = "run: the outputs in DVC's cache and dvc.lock, not pushed"
    OUTPUTS_PUSHED = "run: the outputs pushed, no commit"
    STEP_WRITTEN = "run: the step written, not staged"
    STEP_STAGED = "run: the step staged, not committed"
    STEP_COMMITTED = "run: the step committed, not pushed"
    STEP_PUSHED = "run: the step pushed, not in the ledger"

    DATA_ASIDE = "data: another file set aside, the right one not brought"
    DATA_POINTED = "data: the pointer written, the cache without the bytes"
    DATA_CACHED = "data: pointer and cache whole, not pushed"
    DATA_PUSHED = "data: pushed"

    IMPORT_STAGED = "import: the cluster written beside"
    IMPORT_MOVED = "import: a part of the cluster in its place"
    INIT_GIT = "init: git ready, DVC not"
    INIT_DVC = "init: DVC ready, no templates"
    INIT_FILES = "init: the layout written, no policy"
    INIT_POLICY = "init: the policy written, no cluster"
    INIT_CLUSTER = "init: the cluster made, nothing committed"
    HOOK_SETTINGS = "hook: git's settings made, no hook"


watchers: list[Callable[[WritePoint, str], None]] = []
"""Called at every point with the file or ref that is written. Empty but in tests."""


def reach(point: WritePoint, writing: Path | str) -> None:
    """Say that `point` is reached in writing a file, a directory or a ref."""
    for watch in watchers:
        watch(point, str(writing))
