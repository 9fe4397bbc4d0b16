"""Whether a command talks with a person or with a program."""

from __future__ import annotations

import os
import sys


def may_ask() -> bool:
    """Whether somebody sits at a terminal. A stream that was closed is none."""
    streams = (sys.stdin, sys.stdout)
    return all(one is not None and one.isatty() for one in streams) and os.environ.get("TERM", "dumb") != "dumb"
