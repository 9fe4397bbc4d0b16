"""Gather what a step of main says of triage: lists, reviews and their envelopes. Keys and policies are the base's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

from runner.errors import RecordError
from runner.promotion.sources import Policy, Sources
from runner.records.base import SLUG, Record
from runner.records.change import PathChange
from runner.records.cluster import Cluster
from runner.records.evidence import EvidenceFile
from runner.records.triage import Review, TriageFile
from runner.records.triage_policy import Triage
from runner.records.verdict import Reason
from runner.reviews import REVIEW, envelope_path, opened, place_of
from runner.rules.triage.decisions import candidates_digest
from runner.rules.trust.facts import NO_TRIAGE, Decided, Promotion, SignedReview, TriageStep
from runner.rules.trust.triage import STEP, SUBJECTS

R = TypeVar("R", bound=Record)
_LIST = re.compile(rf"clusters/(?P<cluster>{SLUG})/triage/[^/]+\.yaml\Z")
_REVIEW = re.compile(rf"(?P<stem>clusters/(?P<cluster>{SLUG})/triage/{SLUG}/{SLUG})\.(?:yaml|dsse\.json)\Z")


def triage_step(
    sources: Sources,
    old: str,
    new: str,
    policy: Policy,
    *,
    changes: tuple[PathChange, ...],
    contents: Mapping[str, bytes],
    promotion: Promotion | None,
    now: str,
) -> TriageStep:
    """What the step from `old` to `new` brings of triage, and for a promotion what its iteration's reviews say."""
    if promotion is not None:
        return TriageStep(decided=_decided(sources, old, promotion))
    matches = [match for change in changes if (match := _REVIEW.match(change.path) or _LIST.match(change.path))]
    if not matches:
        return NO_TRIAGE
    policies = {name: _policy(sources, old, name) for name in {match["cluster"] for match in matches}}
    tray = _Tray(sources)
    lists = {
        match[0]: record
        for match in matches
        if match.re is _LIST and match[0] in contents and policies[match["cluster"]].signed
        if (record := tray.parsed(match[0], contents[match[0]], TriageFile)) is not None
    }
    stems = sorted({match["stem"] for match in matches if match.re is _REVIEW})
    reviews = tuple(_signed(tray, sources, new, f"{stem}{REVIEW}", policy, now) for stem in stems)
    return TriageStep(policies, reviews, lists, tuple(tray.problems))


class _Tray:
    """Parses what a step brings, and keeps why it cannot be read."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self.problems: list[Reason] = []

    def parsed(self, path: str, data: bytes, kind: type[R]) -> R | None:
        try:
            return self._sources.parse(data, kind, path=path)
        except RecordError as error:
            hint = "run `hallmark check` on the branch"
            self.problems.append(Reason(step=STEP, problem=f"{SUBJECTS}: it cannot be read: {error}", hint=hint))
            return None


def _policy(sources: Sources, commit: str, cluster: str) -> Triage:
    """What the cluster asks for at `commit`; nothing where there is no such cluster yet."""
    path = f"clusters/{cluster}/cluster.yaml"
    return sources.record(commit, path, Cluster).triage if sources.exists(commit, path) else Triage()


def _signed(tray: _Tray, sources: Sources, new: str, path: str, policy: Policy, now: str) -> SignedReview:
    """The review at `path` as `new` has it, opened with the base's keys."""
    cluster, iteration, _ = place_of(path)
    list_path = f"clusters/{cluster}/triage/{iteration}.yaml"
    data, envelope, listed = (_read(sources, new, one) for one in (path, envelope_path(path), list_path))
    review = tray.parsed(path, data, Review) if data else None
    file = tray.parsed(list_path, listed, TriageFile) if listed else None
    candidates = candidates_digest(file) if file is not None else ""
    return opened(
        path,
        review,
        data,
        envelope,
        candidates=candidates,
        verifier=sources.verifier,
        keys=policy.keys,
        at=now,
    )


def _read(sources: Sources, commit: str, path: str) -> bytes:
    """The file's bytes; none where it is not there."""
    return sources.objects.read(commit, path) if sources.exists(commit, path) else b""


def _decided(sources: Sources, commit: str, promotion: Promotion) -> dict[str, Decided]:
    """The reviews of the promotion's iteration on main, where the evidence says who decided."""
    if EvidenceFile.TRIAGE not in promotion.evidence:
        return {}
    home = f"clusters/{promotion.before.cluster.id}/triage/{promotion.record.run.iteration}"
    found = {}
    for path in sources.objects.files(commit, home):
        if _REVIEW.match(path) and path.endswith(REVIEW):
            review = sources.record(commit, path, Review)
            data = sources.objects.files(commit, path)[path]
            found[place_of(path)[2]] = Decided(review, sources.sha256(data.blob))
    return found
