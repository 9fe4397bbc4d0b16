"""What people do in a rehearsal, as they type it: write a scenario, sign, decide on candidates, merge."""

from __future__ import annotations

import json
import re

from runner.records.scenario import Origin
from tests.rehearsal.world import Said, World

WORD = re.compile(r"[a-z']+")
READS_LIKE_ENGLISH = 0.8
"""The share of a synthetic message's words that some person used, for the played owner to accept it."""


class People:
    def __init__(self, world: World) -> None:
        self.world, self.cluster = world, world.cluster
        self.lost = 0
        """Merges that came second and were made again on the newer main."""

    def scenario(self, person: str, branch: str, *, like: str, name: str, text: str, extra: str = "") -> None:
        """A branch with one more scenario of `core`, made after another of the same capability, pushed. `extra` is
        appended to the file."""
        clone = self.world.clone(person)
        folder = clone / "scenarios" / self.cluster / "core"
        old = (folder / f"{like}.yaml").read_text()
        new = re.sub(r"(?m)^( *content:) .*$", rf"\1 {text}", old).replace(f"id: {like}\n", f"id: {name}\n")
        self._switch(person, branch)
        (folder / f"{name}.yaml").write_text(new + extra)
        self._push(person, branch, f"A scenario: {name}")

    def docs(self, person: str, text: str) -> None:
        """A line of a page that nobody has to sign, on main."""
        clone = self.world.clone(person)
        with (clone / "NOTES.md").open("a") as file:
            file.write(f"{text}\n")
        self._push(person, "main", text)

    def sign(self, person: str, branch: str) -> None:
        """The proposal of a change that is no promotion."""
        self.world.clone(person)
        self.world.run("hallmark", "propose", "--branch", branch, *self.world.key(person), by=person)

    def approve(self, person: str, target: str) -> None:
        self.world.clone(person)
        self.world.run("hallmark", "approve", target, *self.world.key(person), "--yes", by=person)

    def triage(self, person: str, branch: str) -> str:
        """Decide on every candidate, sign, and push the branch: what was decided, in words."""
        clone = self.world.clone(person)
        self.world.run("git", "switch", "--quiet", branch, by=person)
        listed = self.world.run(
            "hallmark", "triage", self.cluster, *self.world.key(person), "--json", by=person, check=False
        )
        waiting = json.loads(listed.text)["undecided"]
        human = {word for one in waiting if one["origin"] == Origin.HUMAN for word in _words(one)}
        known = human or {word for one in waiting for word in _words(one)}
        good = [one for one in waiting if one["origin"] == Origin.HUMAN or _share(one, known) >= READS_LIKE_ENGLISH]
        bad = [one for one in waiting if one not in good]
        decided = [part for one in good for part in ("--accept", one["candidate"])]
        if bad:
            decided += [part for one in bad for part in ("--reject", one["candidate"])]
            decided += ["--reason", "does not read like a customer's message"]
        self.world.run("hallmark", "triage", self.cluster, *self.world.key(person), *decided, "--finish", by=person)
        self.world.run("git", "switch", "--quiet", "main", cwd=clone, by=person)
        return f"{len(good)} accepted, {len(bad)} rejected"

    def merge(self, person: str, branch: str, *, check: bool = True) -> Said:
        """Merge the branch as it is on the forge and push main, through the gate. A race that was lost is run again."""
        while True:
            self.world.clone(person)
            words = ("git", "merge", "--quiet", "--no-ff", "--message", f"Merge {branch}", f"origin/{branch}")
            self.world.run(*words, by=person)
            said = self.world.run("git", "push", "origin", "main", by=person, check=False)
            lost = "fetch first" in said.text or "non-fast-forward" in said.text or "cannot lock ref" in said.text
            if said.code and lost:
                self.lost += 1
                continue
            if said.code and check:
                raise RuntimeError(f"{person} could not merge {branch}: {said.text}")
            return said

    def _switch(self, person: str, branch: str) -> None:
        self.world.run("git", "switch", "--quiet", "--create", branch, by=person)

    def _push(self, person: str, branch: str, message: str) -> None:
        self.world.run("git", "add", "--all", by=person)
        self.world.run("git", "commit", "--quiet", "--message", message, by=person)
        self.world.run("git", "push", "--quiet", "origin", branch, by=person)


def _words(candidate: dict[str, list[dict[str, str]]]) -> list[str]:
    return [word for message in candidate["input"] for word in WORD.findall(message["content"].lower())]


def _share(candidate: dict[str, list[dict[str, str]]], known: set[str]) -> float:
    words = _words(candidate)
    return sum(word in known for word in words) / len(words) if words else 0.0
