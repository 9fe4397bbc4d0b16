"""Who a judge is: its digest, its model's names, and whether it would judge itself or what it wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from runner.records.cluster import Base, Cluster, HubBase, PathBase
from runner.records.judge import Judge
from runner.records.judging import Calibration, JudgeFile, ServedModel
from runner.records.rubric import Criterion, Rubric, RubricStatus
from runner.records.terms import SetName
from runner.rules.canonical import digest

ANYBODY = frozenset({"base", "checkpoint", "default", "hf", "latest", "main", "model", "snapshot", "weights"})
"""Names that say nothing of the model that bears them."""
_ADAPTED = re.compile(r"-[0-9a-f]{16}$")
"""What an endpoint puts behind the base's name for an adapter of it."""
_ENDING = re.compile(r"\.(?:gguf|safetensors|bin)$")


def judge_digest(judge: JudgeFile) -> str:
    """sha256 of all that decides its verdicts: model, revision, prompt, options, floor. Not of how hard it is asked.

    What has its default is left out: what a later version adds changes no digest that history holds, and a default
    may never become another.
    """
    return digest(judge.model_dump(mode="json", exclude={"asking"}, exclude_defaults=True))


def asked(rubric: Rubric) -> Iterator[tuple[Criterion, Judge]]:
    """The rubric's criteria that a judge decides, with their graders."""
    for criterion in rubric.criteria:
        if isinstance(criterion.grader, Judge):
            yield criterion, criterion.grader


def judges_of(rubrics: Iterable[Rubric], *, approved: bool = False) -> tuple[str, ...]:
    """The judges that the rubrics (the approved ones) name, sorted."""
    found = (one for one in rubrics if one.status is RubricStatus.APPROVED or not approved)
    return tuple(sorted({grader.judge for rubric in found for _, grader in asked(rubric)}))


def judges_digest(judges: Mapping[str, JudgeFile], calibrations: Mapping[str, Calibration]) -> str:
    """sha256 over the judges and their calibrations, which say what of theirs counts."""
    each = [[name, judge_digest(judges[name]), calibrations.get(name)] for name in sorted(judges)]
    return digest([[name, sha256, found and digest(found)] for name, sha256, found in each])


def benchmark_judges(rubrics: Iterable[Rubric], judges: Mapping[str, JudgeFile]) -> dict[str, str]:
    """The digest of each judge of an approved rubric: what the benchmark pins. `rubrics` are those that grade."""
    return {name: judge_digest(judges[name]) for name in judges_of(rubrics, approved=True) if name in judges}


def unsent(judge: JudgeFile, name: SetName) -> str:
    """Why the judge may not be shown scenarios of a set; empty where it may."""
    if not isinstance(judge.model, ServedModel) or name in judge.model.sends:
        return ""
    return f"scenarios of {name} may not leave for {judge.model.url}"


def described(judge: JudgeFile) -> str:
    """The judge's model in words."""
    model = judge.model
    if isinstance(model, ServedModel):
        return f"{model.model} ({model.revision}) behind {model.url}"
    return f"{model.id}@{model.revision}" if isinstance(model, HubBase) else f"{model.path} ({model.sha256[:12]})"


def conflicts(judge: JudgeFile, cluster: Cluster, *, weights: str = "", adapter: str = "") -> Iterator[str]:
    """Why this judge may not judge this cluster's candidates: it is their base, the candidate, or what writes their
    training data. By digests and, because one model has many addresses, by names.

    `weights` is the digest of the base's files and `adapter` the candidate's, where they are known.
    """
    own = frozenset(_names(judge))
    served = _spoken(cluster.serving.endpoint.model) if cluster.serving.endpoint is not None else ()
    theirs = {*_base_names(cluster.base), *served, *filter(None, (weights, adapter))}
    for name in sorted(own):
        if name in theirs or _ADAPTED.sub("", name) in theirs:
            yield f"its model is the candidate or the candidate's base ({name})"
    for server in cluster.generation.servers if cluster.generation is not None else ():
        for name in sorted(own & set(_spoken(server.model))):
            yield f"its model is that of the server {server.id}, which may write training data ({name})"


def _names(judge: JudgeFile) -> Iterator[str]:
    model = judge.model
    if isinstance(model, ServedModel):
        yield from _spoken(model.model)
        yield from (name for name in _spoken(model.revision) if re.fullmatch(r"[0-9a-f]{32,}", name))
    else:
        yield from _base_names(model)
    for alias in judge.aliases:
        yield from _spoken(alias)


def _base_names(base: Base) -> Iterator[str]:
    match base:
        case PathBase(path=path, sha256=sha256):
            yield sha256
            yield from _spoken(path)
        case HubBase(id=name, revision=revision):
            yield revision
            yield from _spoken(name)


def _spoken(name: str) -> Iterator[str]:
    """A name as it is compared: its last part, because servers leave out whose it is; case and separators aside."""
    last = name.strip().rstrip("/").rpartition("/")[2].casefold().removeprefix("sha256:")
    found = re.sub(r"[\s_.:@-]+", "-", _ENDING.sub("", last)).strip("-")
    if found and found not in ANYBODY:
        yield found
