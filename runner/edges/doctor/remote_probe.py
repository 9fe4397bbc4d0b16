"""A probe of a workspace's default DVC remote over the network, as a process of its own: DVC's file systems keep
threads and sockets that nobody can end from outside. Prints how far it came as one line of JSON."""

from __future__ import annotations

import json
import re
import sys
import uuid
from pathlib import Path

from runner.edges.dvc_objects import DvcObjects
from runner.edges.dvc_remote import DvcRemote
from runner.errors import DataError
from runner.rules.doctor.facts import Reached

FOLDER = "hallmark-doctor"
CONTENT = b"hallmark doctor\n"
MISSING = re.compile(r"requires '(dvc-\w+)' to be installed")
"""What DVC says where a kind of remote needs a package that is not here."""


def main() -> None:
    reached, error, missing = probe(Path(sys.argv[1]))
    print(json.dumps({"reached": reached, "error": error, "missing": missing}))


def probe(top: Path) -> tuple[Reached, str, str]:
    """How far it came, why no further, and which package is missing for this kind of remote."""
    name, url = DvcObjects.of_work_tree(top).remote
    reached = Reached.NOTHING
    try:
        remote = DvcRemote(top / ".dvc", name, url=url)
        remote.size(f"files/md5/{'0' * 2}/{'0' * 30}")
        reached = Reached.READ
        remote.try_out(f"{FOLDER}/{uuid.uuid4().hex}", CONTENT)
    except DataError as error:
        missing = MISSING.search(str(error))
        return reached, str(error), missing[1] if missing else ""
    return Reached.WRITTEN, "", ""


if __name__ == "__main__":
    main()
