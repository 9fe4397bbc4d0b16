"""Where in a repository what people govern stands, without the records of it."""

from __future__ import annotations

RUBRICS = "rubrics/"
GOVERNED = ("clusters/", "params.yaml", "policy/", RUBRICS, "scenarios/")
