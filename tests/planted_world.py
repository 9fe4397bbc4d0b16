"""A promotion on real git whose every corner has a planted secret: scenarios, data, answers, notes, risks, names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from runner.edges.yaml_dump import dump
from runner.records.evidence import EvidenceFile
from runner.records.step import Step
from runner.records.verdict import Verdict
from runner.rules.canonical import sha256, tree_digest
from tests.planted import carrier, planted
from tests.promotion_fixture import CLUSTER, World, scenario_file, scenarios

SECRETS = planted()
TEXTS = [carrier(secret, number) for number, (_, secret) in enumerate(SECRETS)]
"""Each secret in a message of its own."""
FLEET: dict[str, Any] = {"boundary": "plant-7", "serves_in": ["shop"], "exports": ["summaries", "scorecards"]}
ROWS = ("gold", "signals", "reference", "base")
ANSWERS = {"baseline": ("core-answers", "dev-answers", "baseline-answers"), "assess": ("answers",)}


class PlantedWorld(World):
    """A `World` with the 200 spread over it."""

    fleet: dict[str, Any] = FLEET

    def tree(self) -> dict[str, bytes]:
        texts = iter(TEXTS[:86])
        files = {**super().tree(), **self._scenarios(texts)}
        home = "clusters/desk"
        files[f"{home}/problem.md"] += f"{next(texts)}\n\n{next(texts)}\n".encode()
        files[f"{home}/handoff.md"] += f"{next(texts)}\n".encode()
        capabilities = [{**one, "title": next(texts), "definition": next(texts)} for one in CLUSTER["capabilities"]]
        cluster = {**CLUSTER, "title": next(texts), "capabilities": capabilities, "fleet": self.fleet}
        files[f"{home}/cluster.yaml"] = dump(cluster)
        for at, name in enumerate(ROWS):
            rows = [{"id": f"{name}-{n}", "text": text} for n, text in enumerate(TEXTS[86 + at :: 8])]
            files[f"{home}/data/{name}.jsonl.dvc"] = dump(self._pointer(f"{name}.jsonl", rows, meta=True))
        return files

    def _scenarios(self, texts: Iterator[str]) -> dict[str, bytes]:
        """Three of them a scenario: prompt, objective, criterion."""
        found = {}
        for (name, scenario), capability in scenarios().items():
            data = scenario_file(scenario, capability).decode()
            for said in ("Find the right answer.", f"Question {scenario}?", "names it"):
                data = data.replace(said, json.dumps(next(texts)), 1)
            found[f"scenarios/desk/{name}/{scenario}.yaml"] = data.encode()
        return found

    def evidence(self, iteration: str, adapter: str | None, **change: Any) -> dict[str, bytes]:
        files = super().evidence(iteration, adapter, **change)
        risks = [{"title": text, "detail": TEXTS[199 - at]} for at, text in enumerate(TEXTS[180:185])]
        files[EvidenceFile.RISKS] = json.dumps({"risks": risks}).encode()
        said = json.loads(files[EvidenceFile.OPERATIONS])
        files[EvidenceFile.OPERATIONS] = json.dumps({**said, "machine": TEXTS[190]}).encode()
        outside = (EvidenceFile.OPERATIONS, EvidenceFile.REPORT, EvidenceFile.ROLLBACK)
        self.records["bundle"] = tree_digest({name: data for name, data in files.items() if name not in outside})
        return files

    def answer(self, iteration: str) -> None:
        """The run branch, with what the models were asked and said behind DVC."""
        files: dict[str, bytes] = {}
        outs = []
        start = 90
        for phase, names in ANSWERS.items():
            outputs = {}
            for name in names:
                rows = [{"id": f"{n}", "answer": text} for n, text in enumerate(TEXTS[start::8])]
                start += 1
                pointer = self._pointer(f"clusters/desk/run/{name}.jsonl", rows)["outs"][0]
                outs.append(pointer)
                outputs[name] = sha256(_lines(rows))
            step = Step(iteration=iteration, phase=phase, inputs={}, outputs=outputs, verdict=Verdict())
            files[f"clusters/desk/run/steps/{phase}.json"] = step.model_dump_json().encode()
        files["dvc.lock"] = dump({"schema": "2.0", "stages": {"run@desk": {"cmd": "x", "outs": outs}}})
        self.git.move({f"refs/heads/runs/desk/{iteration}": (self.git.commit_files([self.main], files, "Run\n"), None)})

    def _pointer(self, path: str, rows: Sequence[dict[str, str]], *, meta: bool = False) -> dict[str, Any]:
        data = _lines(rows)
        md5 = hashlib.md5(data).hexdigest()
        place = self.path / "storage" / "files" / "md5" / md5[:2] / md5[2:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        out = {"md5": md5, "size": len(data), "hash": "md5", "path": path}
        return {"outs": [out], **({"meta": {"sha256": sha256(data)}} if meta else {})}


def _lines(rows: Sequence[dict[str, str]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)
