"""An ssh server of our own on loopback: scratch keys, one user (whoever runs the tests), sftp and nothing else."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SSHD = Path("/usr/sbin/sshd")


@dataclass(frozen=True)
class Server:
    port: int
    key: Path
    """The one client key that it knows."""

    def url(self, folder: Path) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{folder}"


def install() -> str:
    """Set `openssh-server` up from Debian where it is missing. Says why it cannot be; empty where it is here."""
    if SSHD.exists():
        return ""
    if shutil.which("apt-get") is None:
        return f"{SSHD} is missing, and this is no Debian"
    if os.geteuid() != 0:
        return f"{SSHD} is missing, and only root can `apt-get install openssh-server`"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", "openssh-server"]):
        done = subprocess.run(
            ["apt-get", "-qq", *command], env=environment, capture_output=True, text=True, check=False
        )
    return "" if SSHD.exists() else f"`apt-get install openssh-server` failed: {done.stderr.strip()[-300:]}"


@contextlib.contextmanager
def serving(home: Path) -> Iterator[Server]:
    """Serve from `home` until the block ends."""
    home.mkdir(parents=True)
    for name in ("host", "client"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / name)], check=True)
    shutil.copy(home / "client.pub", home / "authorized_keys")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    settings = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": home / "host",
        "AuthorizedKeysFile": home / "authorized_keys",
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
        "Subsystem": "sftp internal-sftp",
    }
    (home / "config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(parents=True, exist_ok=True)  # where it separates its privileges
    server = subprocess.Popen([str(SSHD), "-D", "-f", str(home / "config"), "-E", str(home / "log")])
    try:
        _wait(server, port, home / "log")
        yield Server(port, home / "client")
    finally:
        server.terminate()
        server.wait(timeout=10)


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + 15
    while time.monotonic() < until and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"sshd did not start: {log.read_text() if log.exists() else ''}")
