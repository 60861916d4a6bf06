"""One run beside another, by fingerprint: what the data, and what a changed rule, made come and go."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import polars as pl
import sqlalchemy as sa

from dashlib import results
from dashlib.comparison import Comparison, compare
from dashlib.errors import UsageError
from dashlib.installing import judge_alike
from dashlib.kept import has_kept_lines
from dashlib.schema import BillingRecord, RuleVersion, RunRule, ValidationResult
from dashlib.workbench import Workbench

RESULTS, LINES = ValidationResult, BillingRecord


@dataclass(frozen=True)
class RunComparison(Comparison):
    """A run beside an earlier one; `before` and `after` are their numbers.

    `reference_changed` when they were judged by other tables: what came or went may have done so for that.

    Each result tells in `in_other` whether the other run holds a line of its doctor, patient, day and invoice: where
    it does not, the result came or went with the line, not with a correction. Null where the lines of one of the runs
    were cleared. When payments arrive, a result may move from a line of its group to another: one fixed and one new.
    """

    before: int
    after: int
    reference_changed: bool

    def without_line(self, frame: pl.DataFrame) -> int | None:
        """How many of these results have no line in the other run; None where that is not known."""
        known = frame["in_other"].is_not_null().all()
        return int((~frame["in_other"]).sum()) if known else None


def diff(wb: Workbench, before: dict[str, Any], after: dict[str, Any], lang: str = "fr") -> RunComparison:
    """Compares two completed runs, given by their figures; messages are in `lang`.

    Raises:
        UsageError: DL-DIFF-001, their fingerprints were made with different keys.
    """
    require_one_key(before, after)
    runs = UUID(str(before["id"])), UUID(str(after["id"]))
    kept = all(has_kept_lines(wb, run) for run in runs)
    sides = [_results(wb, run, other if kept else None, lang) for run, other in (runs, runs[::-1])]
    found = compare(*sides, changed=judged_otherwise(wb, *runs))
    frames = {name: getattr(found, name) for name in ("new", "fixed", "persisting", "rule_changed")}
    return RunComparison(
        **frames,
        before=int(before["number"]),
        after=int(after["number"]),
        reference_changed=before["reference_version"] != after["reference_version"],
    )


def require_one_key(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Raises UsageError DL-DIFF-001 for two runs, given by their figures, whose fingerprints cannot be compared."""
    if before["fingerprint_key"] != after["fingerprint_key"]:
        raise UsageError("DL-DIFF-001", before=str(before["number"]), after=str(after["number"]))


def _results(wb: Workbench, run_id: UUID, other: UUID | None, lang: str) -> pl.DataFrame:
    found = results.read_results(wb, run_id)
    found = (found if lang == "fr" else results.translated(wb, found, lang)).drop("details")
    if other is None:
        return found.with_columns(in_other=pl.lit(None, pl.Boolean))
    alone = _without_line(wb, run_id, other)
    return found.with_columns(in_other=~pl.col("fingerprint").is_in(alone.implode()))


def _without_line(wb: Workbench, run_id: UUID, other: UUID) -> pl.Series:
    """Fingerprints of the results about whose doctor, patient, day and invoice the other run holds no line."""
    texts = ((RESULTS.doctor, LINES.doctor), (RESULTS.patient, LINES.patient), (RESULTS.invoice, LINES.facture))
    same = [sa.func.coalesce(mine, "") == sa.func.coalesce(its, "") for mine, its in texts]
    there = sa.exists().where(LINES.validation_run_id == other, LINES.date_de_service == RESULTS.date_service, *same)
    return wb.frame(sa.select(RESULTS.fingerprint).where(RESULTS.validation_run_id == run_id, ~there))["fingerprint"]


def judged_otherwise(wb: Workbench, before: UUID, after: UUID) -> set[str]:
    """Rules that judged one of the runs only, or both by other contents; a version that says the same is no change."""
    then, now = (_versions_of(wb, run) for run in (before, after))
    others = [name for name in then.keys() & now.keys() if then[name].version != now[name].version]
    return {*then.keys() ^ now.keys(), *(name for name in others if not judge_alike(then[name].rule, now[name].rule))}


def _versions_of(wb: Workbench, run: UUID) -> dict[str, sa.Row[Any]]:
    """The rules that judged a run, each with its version and what that says; null where it was not kept."""
    same = sa.and_(RuleVersion.name == RunRule.rule_id, RuleVersion.version == RunRule.rule_version)
    judged = (
        sa.select(RunRule.rule_id, RunRule.rule_version.label("version"), RuleVersion.rule)
        .outerjoin(RuleVersion, same)
        .where(RunRule.validation_run_id == run)
    )
    with wb.database.connect() as connection:
        return {row.rule_id: row for row in connection.execute(judged)}
