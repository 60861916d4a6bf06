"""What the page of patients asks: how many, on which days, and are the office fees billed as they were earned?"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa

from dashlib.metrics.rows import SEEN, cells, doctor_rows, total, week_of
from dashlib.metrics.scope import Scope
from dashlib.schema import RollupDate, RollupDay, RollupDoctorDay, RuleEntry
from dashlib.workbench import Workbench

WEEKDAYS_OVER = 182
SEVERITIES = ("error", "warning", "info")
DAYS_LISTED = 500
BUSIEST = 8
DATES, DAY, CELL = RollupDate, RollupDoctorDay, RollupDay


def patient_totals(wb: Workbench, scope: Scope) -> pl.DataFrame:
    """Patients of each day over the doctors of the scope; of a long period the sums of the days of each week.

    Returns:
        (days or weeks, 8), by date: date_de_service date, of a week its first day in the scope; days i64, how many
        worked days it sums; patients, registered, registered_paid, walk_in, walk_in_paid i64; is_exact bool. Exact is
        who is counted once a day whatever his doctors: where one run holds the day, or one doctor worked. Else the
        figures of the doctors add up, in which a patient of two counts twice.
    """
    days = _by_date(scope).subquery()
    if not scope.is_by_week:
        return wb.frame(sa.select(days).order_by(days.c.date_de_service))
    week = days.c.week if scope.places else week_of(days.c.date_de_service)
    exact = sa.func.bool_and(days.c.is_exact, type_=sa.Boolean).label("is_exact")
    figures = [total(days.c[name]) for name in ("days", *SEEN)]
    weeks = wb.frame(sa.select(week.label("date_de_service"), *figures, exact).group_by(week).order_by(week))
    if scope.places:
        # Sums by place do not tell dates: those on which anybody worked are as near as they come.
        at = week_of(DATES.date_de_service)
        within = DATES.date_de_service.between(scope.since, scope.until)
        worked = wb.frame(
            sa.select(at.label("date_de_service"), sa.func.count().label("days")).where(within).group_by(at)
        )
        weeks = weeks.drop("days").join(worked, on="date_de_service", how="left", maintain_order="left")
        weeks = weeks.select("date_de_service", "days", *SEEN, "is_exact")
    return weeks.with_columns(date_de_service=pl.max_horizontal("date_de_service", pl.lit(scope.since)))


def doctor_days(wb: Workbench, scope: Scope) -> pl.DataFrame:
    """Distinct patients of each doctor on each day, over all places, or over those that the scope names.

    Returns:
        (doctor days, 9), by doctor and date: doctor str, date_de_service date; patients, registered, walk_in,
        registered_paid, walk_in_paid i64 (over several places that are named, their sums); worst str, the gravest open
        result of any rule (error, warning, info), null where there is none; lines i64. Of a long period, and where no
        doctor is named, those of the BUSIEST doctors with most patients.
    """
    if scope.is_by_week and not scope.doctors:
        scope = replace(scope, doctors=_busiest(wb, scope))
    at = ["doctor", "date_de_service"]
    names = ("patients", "registered", "walk_in", "registered_paid", "walk_in_paid")
    found = cells(scope, by_week=False)
    told = [sa.case((found.c[f"lines_in_{severity}"] > 0, rank)) for rank, severity in enumerate(SEVERITIES)]
    gravest = sa.cast(sa.func.coalesce(*told), sa.Integer).label("gravest")
    seen = [found.c[name] for name in names]
    # Added up here: for as many groups as rows PostgreSQL takes longer.
    places = wb.frame(sa.select(found.c.doctor, found.c.date_de_service, found.c.lines, *seen, gravest))
    days = places.group_by(at).agg(pl.col("lines", *names).sum(), pl.col("gravest").min())
    if not scope.places:
        counts = [sa.cast(getattr(DAY, name), sa.BigInteger).label(name) for name in names]
        known = wb.frame(sa.select(DAY.doctor, DAY.date_de_service, *counts).where(*_held(scope)))
        days = known.join(days.drop(names), on=at, how="left")
    worst = pl.col("gravest").replace_strict(dict(enumerate(SEVERITIES)), default=None, return_dtype=pl.String)
    return days.sort(at).select(*at, *names, worst=worst, lines=pl.col("lines").fill_null(0))


def weekday_patients(wb: Workbench, scope: Scope) -> pl.DataFrame:
    """Patients of each day with its weekday, of the newest half year of the scope.

    Returns:
        (days, 3), by date: date_de_service date; weekday i8, 1 is Monday; patients i64, as `patient_totals` has them.
    """
    since = max(scope.since, scope.until - timedelta(WEEKDAYS_OVER - 1))
    days = _by_date(replace(scope, since=since), by_day=True).subquery()
    found = wb.frame(sa.select(days.c.date_de_service, days.c.patients).order_by(days.c.date_de_service))
    return found.select("date_de_service", pl.col("date_de_service").dt.weekday().alias("weekday"), "patients")


def day_table(wb: Workbench, scope: Scope, *, limit: int = DAYS_LISTED) -> pl.DataFrame:
    """Each doctor's day at each place, the newest first.

    Returns:
        (at most `limit`, 10): date_de_service date; doctor, lieu_de_pratique str; patients, registered, walk_in, lines
        i64; fee_codes str, the office fees billed, null where there is none; expected_code str, those that the rules
        ask for, "" none, null where they have nothing to say and nothing was billed; difference decimal (CAD), what
        that brings, null where they have nothing to say.
    """
    told = CELL.fee_results > 0
    expected = sa.case((told, CELL.fee_expected), else_=CELL.fee_codes).label("expected_code")
    difference = sa.case((told, CELL.fee_difference)).label("difference")
    counts = [sa.cast(getattr(CELL, n), sa.BigInteger).label(n) for n in ("patients", "registered", "walk_in", "lines")]
    where = [CELL.in_force, CELL.date_de_service.between(scope.since, scope.until)]
    where += [CELL.doctor.in_(scope.doctors)] if scope.doctors else []
    where += [CELL.lieu_de_pratique.in_(scope.places)] if scope.places else []
    return wb.frame(
        sa.select(
            CELL.date_de_service, CELL.doctor, CELL.lieu_de_pratique, *counts, CELL.fee_codes, expected, difference
        )
        .where(*where)
        .order_by(CELL.date_de_service.desc(), CELL.doctor, CELL.lieu_de_pratique)
        .limit(limit)
    )


def office_fee_thresholds(wb: Workbench) -> pl.DataFrame:
    """What office fees ask for, by the rules in force.

    Returns:
        (fees, 5), by code: code str; registered, walk_in i64, the patients needed, null where the category has no fee;
        rule_id str; rule_version i64.
    """
    rule = RuleEntry
    of_fees = rule.condition["type"].astext == "office_fee_validation"
    in_force = (rule.enabled.is_not(sa.false()), rule.active.is_not(sa.false()), of_fees)
    rules = wb.frame(
        sa.select(rule.name, rule.version, rule.condition["thresholds"].label("thresholds")).where(*in_force)
    )
    rows = [
        (code, least.get("registered"), least.get("walkIn"), name, version)
        for name, version, by_code in rules.iter_rows()
        for code, least in by_code.items()
    ]
    whole = pl.Int64
    schema = {"code": pl.String, "registered": whole, "walk_in": whole, "rule_id": pl.String, "rule_version": whole}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("code", "rule_id")


def _by_date(scope: Scope, *, by_day: bool = False) -> sa.Select[*tuple[Any, ...]]:
    """Rows of date_de_service, days, SEEN and is_exact; of places in a long period, weeks with `week` too."""
    if scope.places:
        found = cells(scope, by_week=scope.is_by_week and not by_day)
        at = found.c.date_de_service
        worked = sa.cast(sa.literal(1), sa.BigInteger).label("days")
        figures = [total(found.c[name]) for name in SEEN]
        is_exact = (sa.func.sum(found.c.days) == 1).label("is_exact")
        of_week = sa.func.min(found.c.week).label("week")
        rows = sa.select(at, worked, *figures, is_exact).group_by(at)
        return rows.add_columns(of_week) if scope.is_by_week and not by_day else rows
    if scope.doctors:
        worked = sa.cast(sa.literal(1), sa.BigInteger).label("days")
        figures = [total(getattr(DAY, name)) for name in SEEN]
        is_exact = (sa.func.count() == 1).label("is_exact")
        return (
            sa.select(DAY.date_de_service, worked, *figures, is_exact)
            .where(*_held(scope))
            .group_by(DAY.date_de_service)
        )
    figures = [sa.cast(getattr(DATES, name), sa.BigInteger).label(name) for name in SEEN]
    worked = sa.cast(sa.literal(1), sa.BigInteger).label("days")
    within = DATES.date_de_service.between(scope.since, scope.until)
    return sa.select(DATES.date_de_service, worked, *figures, DATES.is_exact).where(within)


def _held(scope: Scope) -> list[sa.ColumnElement[bool]]:
    where: list[sa.ColumnElement[bool]] = [
        DAY.in_force.is_(sa.true()),
        DAY.date_de_service.between(scope.since, scope.until),
    ]
    return where + ([DAY.doctor.in_(scope.doctors)] if scope.doctors else [])


def _busiest(wb: Workbench, scope: Scope) -> tuple[str, ...]:
    found = doctor_rows(scope)
    most = sa.func.sum(found.c.patients).desc()
    query = sa.select(found.c.doctor).group_by(found.c.doctor).order_by(most, found.c.doctor).limit(BUSIEST)
    return tuple(wb.frame(query)["doctor"])
