"""The JSON Schemas of the reviewed files and of documents that are printed, as published under `docs/schemas/`."""

from typing import Any

from runner.records.adoption import ImportRecord
from runner.records.base import Record
from runner.records.cluster import BenchmarkLock, Cluster, Problem
from runner.records.cluster_status import ClusterStatus
from runner.records.evaluation import EvaluationRun
from runner.records.exported import ExportedPromotion, ExportedScorecard, ExportedSummary
from runner.records.fleet_status import FleetRow
from runner.records.handoff import Handoff
from runner.records.judging import Calibration, JudgeFile, JudgeLabels
from runner.records.params import Params
from runner.records.pointer import DataPointer
from runner.records.policy import Trust
from runner.records.preference import PreferencePair, SupervisedRow, UnpairedPreference
from runner.records.promotion import PromotionRecord
from runner.records.rubric import Rubric
from runner.records.scenario import Scenario
from runner.records.setup import Answers
from runner.records.traffic import TrafficResult
from runner.records.triage import Review, TriageFile
from runner.records.trigger_findings import Findings
from runner.records.workbench import WorkbenchReport

SCHEMAS: dict[str, type[Record]] = {
    "scenario": Scenario,
    "rubric": Rubric,
    "judge": JudgeFile,
    "judge-labels": JudgeLabels,
    "judge-calibration": Calibration,
    "cluster": Cluster,
    "problem": Problem,
    "benchmark-lock": BenchmarkLock,
    "handoff": Handoff,
    "params": Params,
    "import": ImportRecord,
    "init-answers": Answers,
    "triage": TriageFile,
    "review": Review,
    "data-pointer": DataPointer,
    "promotion": PromotionRecord,
    "trust": Trust,
    "traffic-result": TrafficResult,
    "evaluation": EvaluationRun,
    "workbench": WorkbenchReport,
    "trigger-findings": Findings,
    "fleet-row": FleetRow,
    "cluster-status": ClusterStatus,
    "supervised-row": SupervisedRow,
    "preference-pair": PreferencePair,
    "unpaired-preference": UnpairedPreference,
    "exported-promotion": ExportedPromotion,
    "exported-summary": ExportedSummary,
    "exported-scorecard": ExportedScorecard,
}


def schema(name: str) -> dict[str, Any]:
    """The schema (draft 2020-12) of one kind of file."""
    found = SCHEMAS[name].model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}
