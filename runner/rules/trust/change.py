"""Which class a change belongs to, what that class may do, and the manifest of what changed (PROTOCOL.md, The gate)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from runner.records.base import SLUG
from runner.records.change import ChangeClass, Operation, PathChange
from runner.records.verdict import Reason
from runner.rules.canonical import digest, sha256

MAX_FILE = 5 * 1024 * 1024
MAX_FILES = 20_000
REGULAR = frozenset({"100644", "100755", "000000"})
POLICY_FILES = ("policy/allowed_signers", "policy/revoked", "policy/trust.yaml")
APPROVALS = "policy/approvals/"
ONE, OPERATIONS, REGULAR_FILES = "2.1 one class", "2.2 operations", "2.3 regular files"
NAMES, SIZES = "2.4 safe names", "2.5 size caps"
_NONE: Mapping[str, str] = {}
_TRIAGE = rf"(?:[^/]+|{SLUG}/{SLUG}\.(?:yaml|dsse\.json))"
_SAFE = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.+=-]*\Z")
_PROMOTION = re.compile(rf"clusters/(?P<cluster>{SLUG})/promotions/(?P<sequence>[1-9][0-9]{{0,5}})/(?P<rest>.+)\Z")
_BENCHMARK = re.compile(
    rf"(?:scenarios/(?P<tested>[^/]+)/.+|clusters/(?P<own>{SLUG})/(?:cluster\.yaml|benchmark\.lock))\Z"
)
_JUDGE = re.compile(rf"rubrics/judges/(?P<judge>{SLUG})\.yaml\Z")
_APPROVAL = re.compile(rf"policy/approvals/[0-9a-f]{{64}}/{SLUG}\.dsse\.json\Z")
_REST = re.compile(rf"(?:record\.yaml|evidence/[a-z]+(?:-[a-z]+)*(?:\.[a-z]+)+|approvals/{SLUG}\.dsse\.json)\Z")
_PATHS: tuple[tuple[ChangeClass, re.Pattern[str]], ...] = (
    (ChangeClass.POLICY, re.compile(r"policy/(?:trust\.yaml|allowed_signers|revoked)\Z")),
    (
        ChangeClass.BENCHMARK,
        re.compile(
            rf"(?:scenarios|rubrics)/.+"
            rf"|clusters/{SLUG}/(?:cluster\.yaml|problem\.md|benchmark\.lock|imports/{SLUG}\.yaml)\Z"
        ),
    ),
    (
        ChangeClass.DATA,
        re.compile(
            rf"clusters/{SLUG}/(?:data/[^/]+\.dvc|(?:data|evaluations)/\.gitignore|triage/{_TRIAGE}"
            rf"|evaluations/{SLUG}\.(?:json|jsonl\.zst\.dvc))\Z"
        ),
    ),
    (ChangeClass.PROMOTION, _PROMOTION),
    (
        ChangeClass.DOCS,
        re.compile(rf"docs/.+|[^/]+\.md\Z|LICENSE\Z|clusters/{SLUG}/(?:handoff|escalations/{SLUG})\.md\Z"),
    ),
    (
        ChangeClass.CODE,
        re.compile(
            r"(?:runner|tests|benchmarks|\.github|\.gitlab|\.forgejo|\.ci)/.+|\.gitlab-ci\.yml\Z"
            r"|\.dvc/(?:config|\.gitignore|plots/[^/]+\.json)\Z|(?:dvc|params)\.yaml\Z"
            r"|(?:Makefile|pyproject\.toml|constraints[^/]*\.txt|\.gitignore|\.gitattributes|\.dvcignore"
            r"|\.pre-commit-(?:config|hooks)\.yaml|\.python-version)\Z"
        ),
    ),
)


class Place(NamedTuple):
    """The promotion that a path belongs to."""

    cluster: str
    sequence: int
    rest: str

    @property
    def directory(self) -> str:
        return f"clusters/{self.cluster}/promotions/{self.sequence}/"


def benchmark_cluster(path: str) -> str:
    """The cluster whose scenarios, cluster.yaml or benchmark.lock a path is; empty for anything else."""
    match = _BENCHMARK.match(path)
    return (match["tested"] or match["own"]) if match else ""


def judge_of(path: str) -> str:
    """The judge whose file a path is; empty for anything else."""
    match = _JUDGE.match(path)
    return match["judge"] if match else ""


def promotion_place(path: str) -> Place | None:
    match = _PROMOTION.match(path)
    return Place(match["cluster"], int(match["sequence"]), match["rest"]) if match else None


def class_of(path: str) -> ChangeClass | None:
    """The class that a path belongs to; None where no class has it."""
    return next((change for change, pattern in _PATHS if pattern.match(path)), None)


def classes(changes: Iterable[PathChange]) -> tuple[ChangeClass, ...]:
    """The classes of a change, approvals left out. Revocation and rollback are told apart by content, later."""
    found = {class_of(change.path) for change in changes if not change.path.startswith(APPROVALS)}
    return tuple(sorted(change for change in found if change is not None))


def approvals_prefix(changes: Sequence[PathChange]) -> str:
    """Where the approvals of this very change stand."""
    places = [place for change in changes if (place := promotion_place(change.path))]
    return f"{places[0].directory}approvals/" if places else APPROVALS


def manifest(changes: Iterable[PathChange], contents: Mapping[str, bytes], *, leaving_out: str) -> str:
    """The change manifest's digest: sha256 of the canonical list of [status, path, mode, sha256], sorted by path.

    A deleted path has mode 000000 and no sha256. `contents` holds every other path's bytes.
    """
    return digest(
        [
            [c.operation.value, c.path, c.mode, None if c.operation is Operation.DELETE else sha256(contents[c.path])]
            for c in sorted(changes, key=lambda change: change.path)
            if not c.path.startswith(leaving_out)
        ]
    )


def shape_problems(
    changes: Sequence[PathChange], contents: Mapping[str, bytes], *, twins: Mapping[str, str] = _NONE, step: str
) -> list[Reason]:
    """Step 2: one class, its operations, regular files, safe names, size caps, no two names that differ only in case:
    among what changes, and (`twins`) beside what is there."""
    reasons = [*_class_problems(changes, step)]
    if len(changes) > MAX_FILES:
        reasons.append(
            Reason(step=step, problem=f"{SIZES}: {len(changes)} files change", hint=f"at most {MAX_FILES} in a merge")
        )
    folded: dict[str, str] = {}
    for change in changes:
        found = _file_problem(change, contents)
        if found:
            problem = f"{found[0]}: {change.path!r} {found[1]}"
            reasons.append(Reason(step=step, problem=problem, hint="remove it from the branch"))
        twin = folded.setdefault(change.path.casefold(), change.path)
        twin = twins.get(change.path, twin)
        if twin != change.path:
            problem = f"{NAMES}: {change.path!r} and {twin!r} differ only in case"
            reasons.append(Reason(step=step, problem=problem, hint="on many machines they are one file: rename one"))
    return reasons


def _class_problems(changes: Sequence[PathChange], step: str) -> Iterable[Reason]:
    found = classes(changes)
    if len(found) > 1:
        yield Reason(
            step=step, problem=f"{ONE}: several classes in one merge: {', '.join(found)}", hint="one class a merge"
        )
    if not found:
        yield Reason(step=step, problem=f"{ONE}: nothing changes that belongs to a class")
    homes = sorted({place.directory for change in changes if (place := promotion_place(change.path))})
    if len(homes) > 1:
        yield Reason(
            step=step, problem=f"{ONE}: several promotions in one merge: {', '.join(homes)}", hint="one a merge"
        )


def _file_problem(change: PathChange, contents: Mapping[str, bytes]) -> tuple[str, str] | None:
    """The rule that one changed path breaks, and how; none where it breaks none."""
    parts = change.path.split("/")
    if not all(_SAFE.match(part) and part not in {".", ".."} and part.lower() != ".git" for part in parts):
        return NAMES, "is not a safe name"
    if len(change.path) > 200:
        return NAMES, "is too long a name"
    irregular = _irregular(change.mode)
    if irregular:
        return REGULAR_FILES, irregular
    if len(contents.get(change.path, b"")) > MAX_FILE:
        return SIZES, f"is larger than {MAX_FILE} bytes"
    if change.path.startswith(APPROVALS):
        if not _APPROVAL.match(change.path):
            return ONE, "is no approval: policy/approvals/<manifest>/<person>.dsse.json"
        added = change.operation is Operation.ADD
        return None if added else (OPERATIONS, "is an approval, and approvals are only added")
    kind = class_of(change.path)
    if kind is None:
        return ONE, "belongs to no class"
    place = promotion_place(change.path)
    if place is not None and not _REST.match(place.rest):
        return ONE, "is no part of a promotion"
    problem = _operation_problem(change, kind)
    return (OPERATIONS, problem) if problem else None


def _irregular(mode: str) -> str:
    """Why a mode is no regular file's; empty where it is one."""
    if mode == "160000":
        return "is a submodule: its files are another repository's (mode 160000)"
    if mode == "120000":
        return "is a symbolic link, not a regular file (mode 120000)"
    return "" if mode in REGULAR else f"is not a regular file (mode {mode})"


def _operation_problem(change: PathChange, kind: ChangeClass) -> str:
    """What the class may not do to its path; empty where it may."""
    if promotion_place(change.path) is not None:
        return "" if change.operation is Operation.ADD else "is promoted already, and promotions are append-only"
    if kind is ChangeClass.DATA:
        adds_only = "/triage/" in change.path
        if change.operation is Operation.DELETE or (adds_only and change.operation is not Operation.ADD):
            return "is data that may be added" + ("" if adds_only else " or modified") + ", nothing else"
    if kind is ChangeClass.POLICY and change.operation not in {Operation.ADD, Operation.MODIFY}:
        return "is needed by the gate and may not be removed"
    return ""


def step_problems(old: str, new: str, parents: Sequence[str], *, step: str) -> list[Reason]:
    """Step 1: `new` is one first-parent step from `old`."""
    if parents and parents[0] == old:
        return []
    problem = f"1.1 parent: {new[:12]} is not one first-parent step from {old[:12]}"
    return [Reason(step=step, problem=problem, hint="merge with --no-ff, or squash to one commit, on the present main")]


def net_problems(changes: Iterable[PathChange], touched: Mapping[str, frozenset[str]], *, step: str) -> list[Reason]:
    """Step 5: every incoming commit touches only paths that the merge changes in the end."""
    net = {change.path for change in changes}
    return [
        Reason(
            step=step,
            problem=f"commit {commit[:12]} touches {path!r}, which the merge does not change in the end",
            hint="rebuild the branch from main without it",
        )
        for commit, paths in touched.items()
        for path in sorted(paths - net)
    ]
