"""What the evidence says of the judges: who they are, how they agree with people, what counts, how steady they were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from runner.records.judging import Agreement, Calibration, JudgeFile, JudgeReport, JudgesReport, JudgeUse
from runner.records.risks import Risk
from runner.records.rubric import Rubric
from runner.records.score import GradedAnswer
from runner.rules.evaluation.grading import criterion_slug
from runner.rules.judges.asking import wording
from runner.rules.judges.calibration import shown_criteria
from runner.rules.judges.identity import asked, described, judge_digest
from runner.rules.judges.verdicts import steadiness, uses


def judges_report(
    rows: Iterable[GradedAnswer],
    rubrics: Mapping[str, Rubric],
    judges: Mapping[str, JudgeFile],
    calibrations: Mapping[str, Calibration],
) -> JudgesReport | None:
    """Every judge that was asked, sorted by its id; None where none was."""
    found = uses(rows)
    if not found:
        return None
    shown = shown_criteria(rubrics.values(), judges, calibrations)
    return JudgesReport(
        judges=tuple(
            _report(judges[name], found[name], _slugs(name, rubrics), calibrations.get(name), shown)
            for name in sorted(found)
        )
    )


def judge_risks(report: JudgesReport | None) -> Iterator[Risk]:
    """What an approver takes on with the judges' verdicts."""
    if report is None:
        return
    for one in report.judges:
        counted = sorted(set(one.criteria) - set(one.shown))
        if counted:
            kappas = ", ".join(f"{name} {k.value:.2f}" for name in counted if (k := one.criteria[name].kappa))
            detail = f"{one.judge} ({one.model}) decides {', '.join(counted)}; kappa with people: {kappas}."
            detail += (
                f" The order turned {one.flip_rate:.1%} of its votes; on {one.abstentions:.1%} it gave no verdict."
            )
            yield Risk(title="A model judges", detail=detail)
        for name, why in one.shown.items():
            yield Risk(title="A judge that counts for nothing", detail=f"{name} by {one.judge} is for show: {why}.")


def _slugs(judge: str, rubrics: Mapping[str, Rubric]) -> list[str]:
    """The criteria that a judge decides."""
    return sorted(
        criterion_slug(rubric, criterion)
        for rubric in rubrics.values()
        for criterion, grader in asked(rubric)
        if grader.judge == judge
    )


def _report(
    judge: JudgeFile,
    found: tuple[JudgeUse, ...],
    slugs: Iterable[str],
    calibration: Calibration | None,
    shown: Mapping[str, str],
) -> JudgeReport:
    return JudgeReport(
        judge=judge.id,
        sha256=judge_digest(judge),
        model=described(judge),
        criteria=_current(judge, calibration),
        shown={slug: shown[slug] for slug in slugs if slug in shown},
        uses=found,
        **steadiness(found)._asdict(),
    )


def _current(judge: JudgeFile, calibration: Calibration | None) -> dict[str, Agreement]:
    if calibration is None or (calibration.sha256, calibration.wording) != (judge_digest(judge), wording()):
        return {}
    return dict(calibration.criteria)
