"""Settings to what reads a fleet, and no more: `hallmark status` shows 200 clusters within a second of a cold start."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import ValidationError

from runner.edges.fleet_reading import HEADS, TAGS, FleetReading, top_of
from runner.edges.readers import DirectoryReader
from runner.edges.yaml_files import parse
from runner.errors import HallmarkError, RecordError, VerificationError
from runner.ledger import PHASES
from runner.records.base import SLUG, Record
from runner.records.change import ChangeClass
from runner.records.evidence import CandidateSummary, EvidenceFile
from runner.records.fleet_status import FleetCluster, FleetRow, Headline
from runner.records.ledger import Entry
from runner.records.policy import Requirement, Trust
from runner.records.promotion import PromotionRecord
from runner.rules.loop.fleet import Seen, assessed, course, figures, fleet_row, is_sequence, told
from runner.rules.loop.waits import PROPOSALS, Proposal

R = TypeVar("R", bound=Record)
TRUST = "policy/trust.yaml"
ASSESS = PHASES.index("assess")


class FleetRoom:
    """One repository, while its fleet is read."""

    def __init__(self, top: Path, *, offline: bool) -> None:
        self._files, self._reading = DirectoryReader(top), FleetReading(top)
        self._reading.look(offline=offline)
        self._branches = self._by_cluster()
        self._cards: dict[str, bytes] = {}
        """The scorecard of each run that was assessed and not yet promoted."""
        self._decided: dict[str, list[tuple[str, str]]] = {}
        """Who decided what of each open proposal, by its ref."""

    def rows(self) -> tuple[FleetRow, ...]:
        """Every cluster of the work tree, by name."""
        names = [
            name for name in self._reading.names("clusters") if re.fullmatch(SLUG, name) and self._is_cluster(name)
        ]
        tails = self._reading.tails(names, told=lambda entries, whole: told(entries, whole=whole))
        courses = {name: course(tail, PHASES) for name, tail in tails.items()}
        running = {name: one.iteration for name, one in courses.items() if one.passed > ASSESS and not one.received}
        self._cards = self._reading.run_files(running, EvidenceFile.SCORECARD)
        self._decided = self._reading.decisions(
            [
                (f"{HEADS}{kind}/{name}/{number}", f"clusters/{name}/promotions/{number}/approvals")
                for name in names
                for kind in PROPOSALS
                for number in self._branches.get(name, {}).get(kind, {})
                if is_sequence(number)
            ]
        )
        asked = self._asked()
        return tuple(self._row(name, tails[name], asked) for name in names)

    @property
    def behind(self) -> bool:
        return self._reading.behind

    def close(self) -> None:
        self._reading.close()

    def _is_cluster(self, name: str) -> bool:
        return "cluster.yaml" in self._reading.names(f"clusters/{name}")

    def _row(self, name: str, tail: Sequence[Entry], asked: Mapping[ChangeClass, Sequence[Requirement]]) -> FleetRow:
        """One that cannot be read hides none of the others."""
        try:
            if name in self._reading.broken:
                raise VerificationError(self._reading.broken[name])
            seen = self._seen(name, tail, asked)
            shown, whose = self._figures(seen)
            return fleet_row(seen, phases=PHASES, shown=shown, shown_of=whose)
        except HallmarkError as error:
            return FleetRow(cluster=name, phases=len(PHASES), problem=str(error).splitlines()[0])

    def _seen(self, name: str, tail: Sequence[Entry], asked: Mapping[ChangeClass, Sequence[Requirement]]) -> Seen:
        home = f"clusters/{name}"
        records = {
            number: self._record(f"{home}/promotions/{number}/record.yaml", PromotionRecord)
            for number in sorted(map(int, filter(is_sequence, self._reading.names(f"{home}/promotions"))))
        }
        branches = self._branches.get(name, {})
        receipted = frozenset(int(one) for one in branches.get("tag", ()) if is_sequence(one))
        return Seen(
            cluster=self._record(f"{home}/cluster.yaml", FleetCluster),
            records=records,
            tail=tail,
            receipted=receipted,
            proposals=tuple(self._proposals(name, branches, after=max({*records, *receipted}, default=0))),
            escalations=frozenset(branches.get("escalation", ())),
            asked=asked,
        )

    def _record(self, path: str, kind: type[R]) -> R:
        return parse(self._files.read(path), kind, path=path)

    def _proposals(self, name: str, branches: Mapping[str, Mapping[str, str]], *, after: int) -> list[Proposal]:
        found = []
        for kind in PROPOSALS:
            for number, since in branches.get(kind, {}).items():
                if is_sequence(number) and int(number) > after:
                    said = self._decided.get(f"{HEADS}{kind}/{name}/{number}", [])
                    signed = tuple(who for who, what in said if what == "approve")
                    rejected = tuple(who for who, what in said if what == "reject")
                    found.append(Proposal(kind, int(number), since, signed, rejected))
        return found

    def _figures(self, seen: Seen) -> tuple[CandidateSummary | None, str]:
        """Of the run where it was assessed, else of the promotion that serves."""
        name, found = seen.cluster.id, course(seen.tail, PHASES)
        if name in self._cards:
            path = f"clusters/{name}/run/{EvidenceFile.SCORECARD}"
            return _headline(self._cards[name], seen.cluster, path=path), f"iteration {found.iteration}"
        number = assessed(seen.records)
        if not number:
            return None, ""
        evidence = f"clusters/{name}/promotions/{number}/evidence"
        if EvidenceFile.SCORECARD not in self._reading.names(evidence):
            return None, ""
        path = f"{evidence}/{EvidenceFile.SCORECARD}"
        return _headline(self._files.read(path), seen.cluster, path=path), f"promotion {number}"

    def _asked(self) -> Mapping[ChangeClass, Sequence[Requirement]]:
        """What the policy asks of a change; nothing where there is none that can be read."""
        try:
            return self._record(TRUST, Trust).changes
        except RecordError:
            return {}

    def _by_cluster(self) -> dict[str, dict[str, dict[str, str]]]:
        """Cluster, kind of branch (`tag` for the tag of a receipt) and the rest of its name, to when it was made."""
        found: dict[str, dict[str, dict[str, str]]] = {}
        for ref, tip in self._reading.refs.items():
            kind, _, rest = ref.removeprefix(HEADS).partition("/")
            if ref.startswith(f"{TAGS}promotions/"):
                kind, rest = "tag", ref.removeprefix(f"{TAGS}promotions/")
            cluster, _, last = rest.partition("/")
            if last:
                found.setdefault(cluster, {}).setdefault(kind, {})[last] = tip.since
        return found


class Fleet(NamedTuple):
    rows: tuple[FleetRow, ...]
    """By cluster."""
    behind: bool
    """Whether the remote's main is not this clone's."""


def fleet(path: Path, *, offline: bool = False) -> Fleet:
    """A row for each cluster of the work tree at `path`; ledger and branches are the remote's now, or
    (`offline`) as fetched last. Raises `RecordError` outside of a work tree, `GitError` where git fails."""
    top = top_of(path)
    if top is None:
        hint = "go into a workspace, or make one: hallmark init DIR"
        raise RecordError("is no workspace, and lies in none", path=str(path.resolve()), hint=hint)
    room = FleetRoom(top, offline=offline)
    try:
        return Fleet(room.rows(), room.behind)
    finally:
        room.close()


def _headline(data: bytes, cluster: FleetCluster, *, path: str) -> CandidateSummary:
    try:
        return figures(Headline.model_validate_json(data), cluster)
    except ValidationError as error:
        raise RecordError(error.errors()[0]["msg"], path=path) from error
    except KeyError as error:
        raise RecordError(f"it has no figures for {error}", path=path) from error
