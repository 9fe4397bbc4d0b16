"""Settings to edges: the only module that knows which implementation stands behind which port."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from runner import workspace as workspaces
from runner.edges import door, dvc_data, import_csv, new_workspace, run_branch
from runner.edges.adapter_store import DvcAdapterStore, PromotedAdapters
from runner.edges.answer_cache import AnswerCache
from runner.edges.arm_store import LocalArms
from runner.edges.artifacts import DirectoryArtifacts
from runner.edges.cached_models import CachedModels
from runner.edges.classifier import LinearTextClassifier
from runner.edges.dvc_objects import DvcObjects
from runner.edges.embeddings import LocalEmbeddings
from runner.edges.engines.chosen import answering
from runner.edges.files import write_file
from runner.edges.generators.chosen import generators
from runner.edges.git_command import commit_of, git, has_remote
from runner.edges.judges import AskedJudges
from runner.edges.ledger_store import GitLedgerStore
from runner.edges.lm_eval import LmEvalTasks
from runner.edges.machine import SystemClock, ThisMachine
from runner.edges.minhash import MinHashSuspects
from runner.edges.presidio import presidio_names
from runner.edges.readers import CommitReader, DirectoryReader
from runner.edges.run_branch import BranchPullRequests, BranchRuns
from runner.edges.signing import SshVerifier
from runner.edges.traces.senders import KEY_VARIABLE
from runner.edges.transformers_models import TransformersModels
from runner.edges.yaml_dump import dump
from runner.edges.yaml_files import parse
from runner.errors import DataError, RecordError
from runner.ports import LanguageModels, LedgerStore, Ports, Progress, Reader, silent
from runner.records.base import Record
from runner.records.collapse import Collapse, Size
from runner.records.dataset import Example
from runner.records.promotion import PromotionRecord
from runner.records.step import Step
from runner.records.trace import IngestedFile
from runner.rules.canonical import sha256
from runner.wiring.boundary import admit, admitted, asked_inside
from runner.workspace import Workspace

R = TypeVar("R", bound=Record)

if TYPE_CHECKING:
    from runner.flywheel import Flow
    from runner.pipeline import Phase


def root(path: Path) -> Path:
    """The top of the work tree that `path` is in. Raises `RecordError` outside of one, `GitError` where git fails."""
    here = path.resolve()
    if not any((folder / ".git").exists() for folder in (here, *here.parents)):
        hint = "go into a workspace, or make one: hallmark init DIR"
        raise RecordError("is no workspace, and lies in none", path=str(here), hint=hint)
    return Path(git(here, "rev-parse", "--show-toplevel"))


def commit(path: Path, revision: str = "HEAD") -> str:
    """The commit that `revision` names. Raises `GitError` where there is none."""
    return commit_of(path, revision)


def reader(path: Path, revision: str | None = None) -> Reader:
    """The reviewed files of a work tree, or of a revision."""
    return DirectoryReader(root(path)) if revision is None else CommitReader(path, commit(path, revision))


def workspace(path: Path, cluster: str, revision: str | None = None) -> Workspace:
    return workspaces.load(reader(path, revision), cluster, parse=parse)


def cluster_names(path: Path, revision: str | None = None) -> tuple[str, ...]:
    return workspaces.clusters(reader(path, revision))


def ingest(
    path: Path, cluster: str, files: Sequence[Path], *, push: bool, format: str = "", names: bool = False
) -> IngestedFile:
    """Take the traces in `files` into the cluster's signals, redacted; `push` them to DVC's default remote."""
    top = root(path)
    admit(top, cluster)
    recogniser = presidio_names() if names else None
    key = os.environ.get(KEY_VARIABLE, "").encode()
    result = door.ingest(top, cluster, files, format=format, names=recogniser, key=key)
    if push:  # also where nothing was new: a kill may have come between keeping and pushing
        dvc_data.publish(top, [top / "clusters" / cluster / "data" / "signals.jsonl"])
    return result


def initialise(directory: Path, *, remote: str) -> tuple[str, ...]:
    """Make a workspace of `directory` without a forge's files. The files that it wrote, relative to it."""
    return new_workspace.initialise(directory, remote=remote).written


def ledger_store(path: Path) -> LedgerStore:
    top = root(path)
    return GitLedgerStore(top, remote="origin" if has_remote(top) else None)


def adapter_store(path: Path) -> DvcAdapterStore:
    """The adapters that the repository at `path` has in its DVC cache or default remote."""
    return DvcAdapterStore(DvcObjects.of_work_tree(root(path)))


def remembering(models: LanguageModels, own: Path, cluster: str) -> LanguageModels:
    """`models` with this machine's memory of the cluster's answers, which is in its own folder, unless
    `HALLMARK_NO_CACHE` is set."""
    if os.environ.get("HALLMARK_NO_CACHE"):
        return models
    return CachedModels(models, AnswerCache(own / "answers" / cluster))


def own_folder(top: Path) -> Path:
    """`.hallmark`, what this machine remembers, and runs. Raises `DataError` where git tracks what is in it: somebody
    else's answers, verdicts or programs would stand in the place of its own."""
    if git(top, "ls-files", "--", ".hallmark"):
        hint = "take it out of the repository: git rm -r --cached .hallmark"
        raise DataError(f"{top / '.hallmark'} comes with the repository, and is to be this machine's own; {hint}")
    return top / ".hallmark"


def ports(
    path: Path, space: Workspace, *, cached: bool = True, progress: Progress = silent, by_intake: bool = False
) -> Ports:
    """Everything a phase of the cluster may use of the outside, for the repository at `path`. Models remember what they
    answered where they are `cached`. Raises `DataError` as `own_folder` does, also where nothing is cached, and
    `RecordError` on a machine outside of the cluster's boundary, and for servers that are: not for these `by_intake`,
    which refuses them by a verdict that the ledger keeps."""
    if not by_intake:
        asked_inside(space)
    admitted(space.cluster.place, space.cluster.id)
    tree, top = reader(path), root(path)
    own = own_folder(top)
    cluster, threads = space.cluster.id, space.params.threads

    def promotion(sequence: int) -> PromotionRecord:
        file = f"clusters/{cluster}/promotions/{sequence}/record.yaml"
        return parse(tree.read(file), PromotionRecord, path=file)

    local = TransformersModels(threads=threads)
    models = answering(
        local,
        space.cluster.serving,
        root=top,
        cluster=cluster,
        rank=space.params.train.rank,
    )
    models = remembering(models, own, cluster) if cached else models
    return Ports(
        models=models,
        generators=generators(models, journals=own / "generation" / cluster),
        classifier=LinearTextClassifier(),
        near_duplicates=MinHashSuspects(),
        machine=ThisMachine(),
        clock=SystemClock(),
        adapters=PromotedAdapters(promotion, adapter_store(path)),
        verifier=SshVerifier(),
        dump_yaml=dump,
        progress=progress,
        embeddings=LocalEmbeddings(top, threads=threads),
        judges=AskedJudges(local, journals=own / "judges" / cluster),
        general=LmEvalTasks(top, threads=threads),
    )


def parse_record(data: bytes, kind: type[R], *, path: str) -> R:
    """A reviewed file as its record. Raises `RecordErrors` with every problem of it."""
    return parse(data, kind, path=path)


def root_of_trust(path: Path) -> str:
    """sha256 of the work tree's policy/trust.yaml: of a first policy, what `hallmark verify --root` asks for."""
    return sha256((root(path) / "policy" / "trust.yaml").read_bytes())


def bring_data(path: Path, cluster: str) -> list[Path]:
    """Bring what the cluster's data pointers name into the work tree, checked by sha256. Raises `RecordError` on a
    machine outside of the cluster's boundary."""
    top = root(path)
    admit(top, cluster)
    pointers = sorted((top / "clusters" / cluster / "data").glob("*.jsonl.dvc"))
    return dvc_data.fetch_all(top, [pointer.with_suffix("") for pointer in pointers])


def data_of(top: Path, cluster: str) -> DirectoryArtifacts:
    """What lies in the cluster's folder of the work tree `top`, held against what its pointers record."""
    home = top / "clusters" / cluster
    return DirectoryArtifacts(home, dvc_data.recorded(home))


def publish_data(path: Path, cluster: str) -> None:
    """Bring the cluster's data and push it to the default DVC remote."""
    dvc_data.publish(root(path), bring_data(path, cluster))


def dump_record(record: Record, *, every: bool = False) -> bytes:
    """A record as a reviewed file says it; what has its default is left out, but for `every`."""
    return dump(record.model_dump(mode="json", exclude_defaults=not every))


@dataclass(frozen=True)
class Workbench:
    """What one phase needs in the work tree at hand."""

    workspace: Workspace
    artifacts: DirectoryArtifacts
    ports: Ports


def workbench(path: Path, cluster: str) -> Workbench:
    top = root(path)
    space = workspace(top, cluster)
    outside = ports(top, space)
    home = top / "clusters" / cluster
    pins = {**dvc_data.recorded(home), **run_branch.recorded(top, cluster)}
    return Workbench(space, DirectoryArtifacts(home, pins), outside)


def flow(
    path: Path,
    cluster: str,
    *,
    progress: Progress = silent,
    tell: Callable[[Phase, Step], None] = lambda phase, step: None,
) -> Flow:
    """The flywheel of a cluster, pinned to HEAD of the repository at `path`."""
    from runner.flywheel import Flow  # brings the phases: checking a file need not wait for them

    top = root(path)
    head = commit(top)
    tree = CommitReader(top, head)
    space = workspaces.load(tree, cluster, parse=parse)
    bring_data(top, cluster)
    return Flow(
        reader=tree,
        workspace=space,
        load=lambda reader: workspaces.load(reader, cluster, parse=parse),
        source=data_of(top, cluster),
        ledger=ledger_store(top),
        runs=BranchRuns(top, head),
        pulls=BranchPullRequests(top, head),
        ports=replace(
            ports(top, space, progress=progress, by_intake=True),
            arms=LocalArms(top / ".hallmark" / "arms" / cluster),
        ),
        dump_yaml=dump_record,
        tell=tell,
    )


def collapse(
    path: Path, cluster: str, size: Size, *, data: Path | None, plot: Path, progress: Progress = silent
) -> Collapse:
    """Simulate generations on the cluster's base and gold data, or on the labelled texts of the CSV file `data`, and
    draw the picture at `plot`."""
    from runner.edges.plots import collapse_png
    from runner.phases.collapse import cluster_study, labelled_study, simulate

    top = root(path)
    space = workspace(top, cluster)
    if data is None:
        bring_data(top, cluster)
        artifacts = data_of(top, cluster)
        human = [
            row for name in ("base-data", "gold") if artifacts.exists(name) for row in artifacts.rows(name, Example)
        ]
        study = cluster_study(space, human, size)
    else:
        labelled = import_csv.read_labelled(data, import_csv.Columns())
        study = labelled_study(space, data.name, [(row.text, row.label) for row in labelled], size)
    found = simulate(study, ports(top, space, progress=progress))
    write_file(plot, collapse_png(found))
    return found
