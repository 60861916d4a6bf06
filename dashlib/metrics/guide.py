"""The four queries of the schema guide, answered from what is counted once: none of them reads a line."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import polars as pl
import sqlalchemy as sa

from dashlib.metrics.rows import total
from dashlib.schema import Code, RollupContext, RollupDoctorDay, RunRule, ValidationRun
from dashlib.workbench import Workbench

RUN, JUDGED, SEEN, CONTEXTS = ValidationRun, RunRule, RollupDoctorDay, RollupContext


def validation_run_with_results(wb: Workbench, run_id: UUID | str) -> pl.DataFrame:
    """A run with its results counted, those set aside too.

    Returns:
        (1, 7), or (0, 7) where there is no such run: id str, number i64, status str; record_count, errors, warnings,
        infos i64.
    """
    severities = {"errors": RUN.error_count, "warnings": RUN.warning_count, "infos": RUN.info_count}
    counts = [column.label(name) for name, column in severities.items()]
    query = sa.select(RUN.id, RUN.number, RUN.status, RUN.record_count, *counts)
    return wb.frame(query.where(RUN.id == sa.cast(str(run_id), sa.Uuid)))


def most_common_errors(wb: Workbench, *, days: int = 30, limit: int = 10) -> pl.DataFrame:
    """Rules with most results of severity error in the completed runs of the last `days` days.

    Returns:
        (at most `limit`, 3), most first: rule_id str; error_count i64; percentage f64, of all such results, to two
        decimals.
    """
    since = datetime.now(UTC) - timedelta(days)
    found = wb.frame(
        sa.select(JUDGED.rule_id, total(JUDGED.errors).label("error_count"))
        .join(RUN, RUN.id == JUDGED.validation_run_id)
        .where(RUN.status == "completed", RUN.completed_at >= since, JUDGED.errors > 0)
        .group_by(JUDGED.rule_id)
    )
    share = (pl.col("error_count") * 100 / pl.col("error_count").sum()).round(2)
    return found.with_columns(percentage=share).sort("error_count", "rule_id", descending=[True, False]).head(limit)


def patient_daily_count(wb: Workbench, run_id: UUID | str) -> pl.DataFrame:
    """Distinct patients of each doctor on each day of a run.

    Returns:
        (doctor days, 3), by date and doctor: date_de_service date; doctor str, a pseudonym; unique_patients i64.
    """
    return wb.frame(
        sa.select(SEEN.date_de_service, SEEN.doctor, SEEN.patients.label("unique_patients"))
        .where(SEEN.validation_run_id == sa.cast(str(run_id), sa.Uuid))
        .order_by(SEEN.date_de_service, SEEN.doctor)
    )


def codes_needing_contexts(wb: Workbench, run_id: UUID | str, *, limit: int = 50) -> pl.DataFrame:
    """Codes in error on lines without any context, where one would have exempted them, as the run found them.

    Returns:
        (at most `limit`, 4), most lines first: code, description str, null where the code is not known; contexts
        list[str], any of which would do; lines i64.
    """
    described = sa.select(Code.code, sa.func.min(Code.description).label("description")).group_by(Code.code).subquery()
    contexts = sa.func.array_agg(CONTEXTS.context, type_=sa.ARRAY(sa.Text)).label("contexts")
    lines = sa.func.max(CONTEXTS.lines).label("lines")
    return wb.frame(
        sa.select(CONTEXTS.code, sa.func.min(described.c.description).label("description"), contexts, lines)
        .outerjoin(described, described.c.code == CONTEXTS.code)
        .where(CONTEXTS.validation_run_id == sa.cast(str(run_id), sa.Uuid))
        .group_by(CONTEXTS.code)
        .order_by(lines.desc(), CONTEXTS.code)
        .limit(limit)
    ).with_columns(pl.col("contexts").list.sort())
