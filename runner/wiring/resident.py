"""The process that stays to judge pushes, as the hook asks and begins it. It loads nothing of the gate."""

from __future__ import annotations

from runner.edges.resident import Answer as Answer
from runner.edges.resident import ask as ask
from runner.edges.resident import begin as begin
from runner.edges.resident import stay as stay
