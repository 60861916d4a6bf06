"""What a report asks of one run, whatever came after it."""

from typing import Any

import polars as pl
import sqlalchemy as sa

from dashlib.metrics.rows import total
from dashlib.metrics.rules import labelled
from dashlib.schema import RejectedRecord, RollupDay, RollupDoctorDay, RollupRule, ValidationRun
from dashlib.workbench import Workbench

LINES_SHOWN = 12


def run_summary(wb: Workbench, run_id: str) -> dict[str, Any] | None:
    """A run's own figures, or None when the viewer has no such run: id, number, status, when, lines and money.

    `first` and `last` are its first and last day of service, null for a run without lines; `awaiting` is what its lines
    bill that are not yet answered, CAD.
    """
    run = ValidationRun
    found = wb.frame(
        sa.select(
            run.id,
            run.number,
            run.status,
            run.error_code,
            run.completed_at,
            run.record_count,
            run.rejected_count,
            run.error_count,
            run.warning_count,
            run.info_count,
            run.lines_in_error,
            run.lines_in_warning,
            run.at_risk,
            run.to_repay,
            run.gain,
            run.run_date,
            _awaiting(run_id).label("awaiting"),
            sa.func.min(RollupDay.date_de_service).label("first"),
            sa.func.max(RollupDay.date_de_service).label("last"),
        )
        .outerjoin(RollupDay, RollupDay.validation_run_id == run.id)
        .where(run.id == sa.cast(run_id, sa.Uuid))
        .group_by(run.id)
    )
    return found.row(0, named=True) if found.height else None


def _awaiting(run_id: str) -> sa.ScalarSelect[Any]:
    # Pages ask other questions, and do without what reads rules: 10 MiB.
    from dashlib.rules.advice import AWAITING

    rule = RollupRule
    return (
        sa.select(total(rule.amount))
        .where(rule.validation_run_id == sa.cast(run_id, sa.Uuid), rule.category == AWAITING)
        .scalar_subquery()
    )


def most_common_rules(wb: Workbench, run_id: str, *, lang: str = "fr") -> pl.DataFrame:
    """Rules that found something in a run, most results first; columns of `rules_by_stake`."""
    unpaid = sa.case((RollupRule.at_risk > 0, RollupRule.date_de_service)).label("earliest_unpaid")
    found = sa.select(RollupRule, unpaid).where(RollupRule.validation_run_id == sa.cast(run_id, sa.Uuid)).subquery()
    return labelled(wb, found, lang).sort("results", "rule_id", descending=[True, False])


def patient_days(wb: Workbench, run_id: str) -> pl.DataFrame:
    """Distinct patients of each doctor on each day in one run; columns of `doctor_days`, the busiest doctors first."""
    cell = RollupDoctorDay
    found = wb.frame(
        sa.select(cell.doctor, cell.date_de_service, cell.patients, cell.registered, cell.walk_in)
        .where(cell.validation_run_id == run_id)
        .order_by(cell.doctor, cell.date_de_service)
    )
    busiest = pl.col("patients").median().over("doctor")
    return found.sort(busiest, pl.col("doctor"), pl.col("date_de_service"), descending=[True, False, False])


def rejected_lines(wb: Workbench, run_id: str) -> pl.DataFrame:
    """Why lines of a run could not become records, most frequent reason first; never their content.

    Returns:
        (reasons, 4): error_code str; column_name str, null where the whole line is at fault; lines i64; line_numbers
        list[i64], the first LINES_SHOWN physical lines of the file. Empty too when rejected lines were cleared.
    """
    line = RejectedRecord
    return (
        wb.frame(sa.select(line.error_code, line.column_name, line.line_number).where(line.validation_run_id == run_id))
        .group_by("error_code", "column_name")
        .agg(lines=pl.len().cast(pl.Int64), line_numbers=pl.col("line_number").sort().head(LINES_SHOWN))
        .sort("lines", "error_code", "column_name", descending=[True, False, False])
    )
