"""What is wrong with where data is kept, and with locks that keep others out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from shlex import quote

from runner.rules.doctor.facts import Cache, Lock, Reached, Remote
from runner.rules.doctor.findings import Said, ok, problem, warning
from runner.rules.repository.dvc_config import PATH, without_password
from runner.rules.text.shown import shown

STALE = 600
"""Seconds after which a lock that nobody is known to hold was left behind."""
ELSEWHERE = "without it an adapter's bytes are on this machine alone: nobody else can verify or serve it"


def cache(fact: Cache) -> Iterator[Said]:
    if fact.error:
        why = "every import, ingest and iteration writes there before anything is pushed"
        fix = f"ls -ld {quote(fact.path)}"
        yield problem(f"DVC's cache cannot be written: {shown(fact.error)}", why=why, fix=fix)
    else:
        yield ok("DVC's cache takes what is written")


def remote(fact: Remote) -> Iterator[Said]:
    yield from _secrets(fact)
    if not fact.url:
        yield problem("DVC has no default remote", why=ELSEWHERE, fix="dvc remote add --default store URL")
        return
    error = f": {shown(' '.join(fact.error.split()))}" if fact.error else ""
    if not fact.name:
        yield problem(f"the DVC remote is not known{error}", why=ELSEWHERE, fix=f"$EDITOR {PATH}")
        return
    named = f"the DVC remote {fact.name} ({without_password(fact.url)})"
    if fact.missing:
        why = "DVC reaches this kind of remote by a package of its own"
        yield problem(f"{named} needs {fact.missing}", why=why, fix=f"python -m pip install {fact.missing}")
    elif fact.reached is Reached.NOT_YET:
        yield ok(f"{named} is not there yet, and nothing was published: the first push makes it")
    elif fact.reached is Reached.NOTHING:
        yield problem(f"{named} cannot be read{error}", why=ELSEWHERE, fix=_mend(fact))
    elif fact.reached is Reached.READ:
        yield warning(
            f"{named} can be read and not written{error}",
            why="that does for verifying and serving; iterations and `hallmark ingest` publish to it",
            fix=_mend(fact),
        )
    else:
        yield ok(f"{named} was written to, read and cleared")


def _mend(fact: Remote) -> str:
    kind = fact.url.partition("://")[0] if "://" in fact.url else ""
    if kind == "ssh":
        return "ssh-add -l"
    if kind == "s3":
        return "env | grep --only-matching '^AWS_[A-Z_]*'"
    if kind:
        return f"dvc remote modify --local {fact.name} --help"
    return f"ls -ld {quote(fact.url)}"


def _secrets(fact: Remote) -> Iterator[Said]:
    if fact.tracked_secrets:
        yield problem(
            f".dvc/config has {', '.join(fact.tracked_secrets)}",
            why="it is in git, for everybody who ever clones: credentials come from the environment, an ssh agent or "
            ".dvc/config.local; and what was committed has to be changed where it opens something",
            fix=f"dvc remote modify --unset {fact.name} {fact.tracked_secrets[0].rpartition('.')[2]}",
        )
    if fact.local_is_tracked:
        yield problem(
            "git tracks .dvc/config.local",
            why="it is where this machine's own credentials stand",
            fix="git rm --cached .dvc/config.local && echo /config.local >> .dvc/.gitignore",
        )


def locks(found: Iterable[Lock]) -> Iterator[Said]:
    quiet = True
    for lock in found:
        if lock.broken:
            quiet = False
            why = "DVC refuses every command while it cannot read it"
            yield problem(f"{lock.path} cannot be read: {lock.broken}", why=why, fix=f"rm {quote(lock.path)}")
        elif lock.held:
            quiet = False
            why = "another command is at work here, and yours would wait for it"
            yield warning(f"{lock.path} is held by {lock.held}", why=why, fix=f"ps -p {lock.held.split()[0]}")
        elif lock.age > STALE:
            quiet = False
            why = "what made it was killed, and git or DVC may refuse to work until it is gone"
            fix = f"rm {quote(lock.path)}"
            yield problem(f"{lock.path} was left behind {minutes(lock.age)} ago", why=why, fix=fix)
    if quiet:
        yield ok("nothing holds a lock, and none was left behind")


def minutes(seconds: int) -> str:
    """An age in words."""
    for length, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= length:
            number = seconds // length
            return f"{number} {name}{'' if number == 1 else 's'}"
    return f"{seconds} seconds"
