"""Settings to the edges with which people begin: a workspace, its first policy, and imports of what they have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from runner.edges import import_csv, new_workspace
from runner.edges.adopt import sources
from runner.edges.forge_files import forges as known_forges
from runner.edges.write_points import WritePoint, reach
from runner.edges.yaml_files import line_of, parse
from runner.errors import RecordError, RecordErrors
from runner.ports import Progress, silent
from runner.promotion.policy import Member, first_policy, judge_files
from runner.records.adoption import Format
from runner.records.setup import Answers, FirstCluster, KeyFile, Person, PolicyAnswers
from runner.rules.adopt.compose import Source, Wanted
from runner.rules.adopt.guess import base_of
from runner.rules.canonical import sha256
from runner.rules.data.labelled_answers import Request
from runner.rules.data.new_cluster import NewCluster
from runner.rules.data.splits import SEED
from runner.rules.trust.change import POLICY_FILES
from runner.rules.trust.signers import TRUST
from runner.wiring import flywheel, promotion

WHOLE = import_csv.WHOLE
MESSAGE = "A Hallmark workspace"


def import_labelled(
    path: Path,
    files: Mapping[str, Path],
    request: Request,
    *,
    push: bool,
    seed: int = SEED,
    progress: Progress = silent,
) -> NewCluster:
    """Make a cluster of labelled text in the workspace at `path`; `push` its data to DVC's default remote."""
    top = flywheel.root(path)
    return import_csv.import_labelled(top, files, request, push=push, seed=seed, progress=progress)


def import_files(path: Path, source: Source, wanted: Wanted, *, push: bool, progress: Progress = silent) -> NewCluster:
    """Make a cluster of another program's files in the workspace at `path`; `push` as above."""
    return sources.import_files(flywheel.root(path), source, wanted, push=push, progress=progress)


def forges() -> tuple[str, ...]:
    """What `Answers.forge` may be."""
    return (*known_forges(), new_workspace.NO_FORGE)


def read_answers(path: Path) -> Answers:
    """The answers in a file. Raises `RecordErrors` with file, line and field of everything that is wrong."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecordError(f"cannot be read: {error.strerror}", path=str(path)) from None
    answers = parse(data, Answers, path=str(path))
    wrong = [
        RecordError(problem, path=str(path), line=line_of(data, field, path=str(path)), field=field, hint=hint)
        for field, problem, hint in _wrong(answers, path.parent)
    ]
    if wrong:
        raise RecordErrors(wrong)
    return answers


def _wrong(answers: Answers, folder: Path) -> Iterator[tuple[str, str, str]]:
    """(field, problem, hint) of each answer that cannot be used on this machine."""
    if answers.forge not in forges():
        yield "forge", f"there are no files for the forge {answers.forge}", f"forges: {', '.join(forges())}"
    if (problem := new_workspace.remote_problem(answers.remote)) is not None:
        yield "remote", *problem
    for field, named in _named(answers):
        if not (folder / named).exists():
            yield field, "there is no such file", "it is looked for from the folder where the answers are"
    if answers.cluster is not None:
        try:
            base_of(answers.cluster.model)
        except RecordError as error:
            yield "cluster.model", error.problem, error.hint


def _named(answers: Answers) -> list[tuple[str, str]]:
    """Every file that the answers name, by field."""
    found = []
    if answers.policy is not None:
        found += [(f"policy.people[{n}].key", one.key) for n, one in enumerate(answers.policy.people)]
        found += [("policy.ci.key", answers.policy.ci.key), ("policy.gate.key", answers.policy.gate.key)]
    if answers.cluster is not None:
        found += [(f"cluster.files[{n}]", one) for n, one in enumerate(answers.cluster.files)]
    return found


class Begun(NamedTuple):
    """What `begin` did."""

    written: tuple[str, ...]
    kept: tuple[str, ...]
    owners: new_workspace.TheirOwners | None
    root: str
    """The sha256 of policy/trust.yaml, empty where there is no policy."""
    cluster: NewCluster | None
    """The one that was made now; None where none was asked for, or it was there."""
    commit: str


def begin(directory: Path, answers: Answers, *, beside: Path) -> Begun:
    """A workspace as the answers say; the files that they name are read from `beside`. Run again, also after a kill, it
    goes on: what is there stays as it is. Raises what its parts raise."""
    members = _members(answers.policy, beside)
    remote = answers.remote or f"../{directory.resolve().name}-store"
    laid = new_workspace.initialise(directory, remote=remote, forge=answers.forge, owners=answers.owners)
    policy = _policy(directory, answers.policy, members)
    reach(WritePoint.INIT_POLICY, directory)
    made = _first_cluster(directory, answers.cluster, beside)
    reach(WritePoint.INIT_CLUSTER, directory)
    written = (*laid.written, *policy)
    there = promotion.read_policy(directory)
    commit = _committed(directory, answers) if answers.commit else ""
    root = sha256(there[TRUST]) if TRUST in there else ""
    return Begun(written, laid.kept, laid.owners, root, made, commit)


def _committed(directory: Path, answers: Answers) -> str:
    """All that an init writes; what else lies there is not committed."""
    names = [*new_workspace.layout(answers.forge, answers.owners), *new_workspace.DVC_FILES]
    names += POLICY_FILES if answers.policy is not None else ()
    if answers.cluster is not None:
        name = answers.cluster.id
        names += [f"scenarios/{name}", f"clusters/{name}", "params.yaml"]
        names += [path.relative_to(directory).as_posix() for path in (directory / "rubrics").glob(f"{name}-*.yaml")]
    return new_workspace.commit(directory, names, message=MESSAGE)


def _members(policy: PolicyAnswers | None, beside: Path) -> list[Member]:
    """The people, then CI and the gate, with their keys read. Raises `RecordError` for a key that may not sign."""
    if policy is None:
        return []
    found = [_member(one, beside) for one in (*policy.people, policy.ci, policy.gate)]
    for member in found:
        member.check()
    return found


def _member(one: KeyFile, beside: Path) -> Member:
    path = beside / one.key
    try:
        key = path.read_text(errors="replace")
    except OSError as error:
        raise RecordError(f"the key of {one.name} cannot be read: {error.strerror}", path=str(path)) from None
    return Member(one.name, key, one.roles if isinstance(one, Person) else (), str(path))


def _policy(directory: Path, asked: PolicyAnswers | None, members: list[Member]) -> tuple[str, ...]:
    """Write the first policy, unless there is one. Raises `RecordErrors` with every trap in it."""
    there = promotion.read_policy(directory)
    if asked is None or TRUST in there:
        return ()
    files = first_policy(
        members[:-2], ci=members[-2], gate=members[-1], repository=asked.repository, now=promotion.now(),
        days=asked.days, approvers=asked.approvers, dump=promotion.dump,
    )  # fmt: skip
    for path, data in there.items():
        if data != files[path]:
            raise RecordError("stands there already, and no policy names it", path=path, hint="move it away")
    verdict = judge_files(files, parse=parse, locate=line_of, now=promotion.now())
    if not verdict.passed:
        raise RecordErrors(RecordError(one.problem, field="policy", hint=one.hint) for one in verdict.reasons)
    promotion.write_files(directory, files)  # trust.yaml last: where it is, the policy is whole
    return tuple(files)


def _first_cluster(directory: Path, asked: FirstCluster | None, beside: Path) -> NewCluster | None:
    """Import the first cluster, unless it is there and whole."""
    if asked is None or import_done(directory, asked.id):
        return None
    paths = tuple(beside / name for name in asked.files)
    if asked.source is Format.LABELLED:
        request = Request(
            cluster=asked.id, text_column=asked.text_column, label_column=asked.label_column, triage=asked.triage,
            threshold_composite=asked.threshold_composite, threshold_heldout=asked.threshold_heldout,
        )  # fmt: skip
        return import_csv.import_labelled(directory.resolve(), {WHOLE: paths[0]}, request, push=True, seed=asked.seed)
    if asked.origin is None:
        raise RecordError("does not say who wrote the texts", field="cluster.origin", hint="write `origin: human`")
    wanted = Wanted(
        cluster=asked.id, format=asked.source, origin=asked.origin, severity=asked.severity, seed=asked.seed,
        base=base_of(asked.model), threshold_composite=asked.threshold_composite,
        threshold_heldout=asked.threshold_heldout, triage=asked.triage,
    )  # fmt: skip
    source = Source(paths, capability=asked.capability, data=asked.data)
    return sources.import_files(directory.resolve(), source, wanted, push=True)


def import_done(directory: Path, cluster: str) -> bool:
    """Whether the cluster is there, and no import of it was cut short."""
    there = (directory / "clusters" / cluster / "cluster.yaml").is_file()
    return there and not (directory / ".hallmark" / f"import-{cluster}").exists()
