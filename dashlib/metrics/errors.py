"""What the page of error rates asks: is the billing clean, is it getting better, and where is it not?"""

from dataclasses import dataclass
from typing import Any

import polars as pl
import sqlalchemy as sa

from dashlib.figures import ErrorFacts, Figures
from dashlib.metrics.rows import cells, doctor_rows, rule_rows, total, week_of
from dashlib.metrics.rules import most_at_risk, rules_by_stake
from dashlib.metrics.scope import Scope
from dashlib.schema import RollupChange, RollupDoctorDay, ValidationRun
from dashlib.workbench import Workbench

FIGURES = (
    *("lines", "lines_in_error", "lines_in_warning", "lines_in_info", "invoices", "clean_invoices"),
    *("at_risk", "to_repay", "gain"),
)
SEVERITIES = ("error", "warning", "info")
LEAST_TO_COMPARE = 10  # times: a period is not compared with one of less than a tenth of its lines
DOCTORS_SHOWN = 15
RUN, CHANGE = ValidationRun, RollupChange


@dataclass(frozen=True)
class RunChange:
    """The newest run beside run `before`, in the doctors' days that both hold.

    `rows`: (4, 5) status (new, fixed, persisting, rule_changed) str, results i64, at_risk, to_repay, gain (CAD). A line
    counts once in each sum; the money of rule_changed is that of its results which are still there.
    """

    run: int
    before: int
    rows: pl.DataFrame


def error_facts(
    wb: Workbench, scope: Scope, *, severity: str | None, lang: str, rules: pl.DataFrame | None = None
) -> ErrorFacts:
    """All that the page of error rates shows; without a severity it looks at errors and lists every rule.

    Args:
        rules: the rules of the scope where they were asked for already, with the columns of `rules_by_stake`.
    """
    looked_at = severity or "error"
    days, earlier = (error_days(wb, part, severity=looked_at) for part in (scope, scope.before))
    seen, seen_before = (_seen(wb, part) for part in (scope, scope.before))
    held = _held(wb, scope)
    comparable = int(earlier["lines"].sum()) * LEAST_TO_COMPARE > int(days["lines"].sum())
    return ErrorFacts(
        since=scope.since,
        until=scope.until,
        severity=looked_at,
        days=days,
        now=Figures.of(days),
        before=Figures.of(earlier) if comparable else None,
        rules=rules_by_stake(wb, scope, severity=severity, lang=lang) if rules is None else rules,
        seen=seen,
        seen_before=seen_before if comparable else seen_before.clear(),
        places=held["lieu_de_pratique"].n_unique(),
        doctors=held["doctor"].n_unique(),
    )


def error_days(wb: Workbench, scope: Scope, *, severity: str = "error") -> pl.DataFrame:
    """Lines, invoices and money of each day, or of each week of a long period.

    Returns:
        (days or weeks that have lines, 11), by date: date_de_service date, of a week its first day in the scope; lines,
        lines_in_error, lines_in_warning, lines_in_info, invoices, clean_invoices i64; at_risk, to_repay, gain decimal
        (CAD); hits i64, the lines with a result of `severity`.
    """
    found = cells(scope, by_week=scope.is_by_week)
    at = found.c.week if scope.is_by_week else found.c.date_de_service
    day = at.label("date_de_service")
    days = wb.frame(sa.select(day, *(total(found.c[name]) for name in FIGURES)).group_by(at).order_by(at))
    if scope.rule:
        days = _of_rule_alone(days, wb, scope)
    # The first week can begin before the period.
    first = pl.max_horizontal("date_de_service", pl.lit(scope.since))
    return days.with_columns(date_de_service=first, hits=pl.col(f"lines_in_{severity}"))


def severity_weeks(wb: Workbench, scope: Scope) -> pl.DataFrame:
    """Lines of each week by their worst open result.

    Returns:
        (weeks, 6), by week: week date, a Monday; lines, error, warning, info, clean i64; the last four make `lines`.
    """
    found = cells(scope, by_week=True)
    names: tuple[str, ...] = ("lines", "lines_in_error", "worst_warning", "worst_info")
    weeks = wb.frame(
        sa.select(found.c.week, *(total(found.c[name]) for name in names)).group_by(found.c.week).order_by(found.c.week)
    )
    if scope.rule:
        of_rule = _rule_lines(wb, scope, "week").rename({"first": "week"})
        weeks = weeks.select("week", "lines").join(of_rule, on="week", how="left", maintain_order="left")
        names = ("lines", *(f"lines_in_{severity}" for severity in SEVERITIES))
    said = dict(zip(names[1:], SEVERITIES, strict=True))
    weeks = weeks.select("week", *names).rename(said).with_columns(pl.col(SEVERITIES).fill_null(0))
    return weeks.with_columns(clean=pl.col("lines") - pl.sum_horizontal(SEVERITIES))


def doctor_weeks(wb: Workbench, scope: Scope, *, severity: str = "error", doctors: int = DOCTORS_SHOWN) -> pl.DataFrame:
    """Lines and those with a result of `severity` of each doctor in each week, of the `doctors` with most at risk.

    Returns:
        (doctors x weeks, 6), most at risk first, then by week: doctor str; week date, a Monday; lines, hits i64;
        at_risk, to_repay decimal (CAD).
    """
    most = most_at_risk(wb, scope, doctors)
    narrowed = Scope(scope.since, scope.until, scope.places, tuple(most["doctor"]), scope.rule)
    if most.is_empty():
        narrowed = scope
    found = cells(narrowed, by_week=True)
    hits = total(found.c[f"lines_in_{severity}"]).label("hits")
    figures = [total(found.c.lines), hits, total(found.c.at_risk), total(found.c.to_repay)]
    group = [found.c.doctor, found.c.week]
    weeks = wb.frame(sa.select(*group, *figures).group_by(*group))
    if scope.rule:
        rows = rule_rows(narrowed, severity=severity, by="week")
        group = [rows.c.doctor, rows.c.week]
        figures = [total(rows.c.lines).label("hits"), total(rows.c.at_risk), total(rows.c.to_repay)]
        of_rule = wb.frame(sa.select(*group, *figures).group_by(*group))
        weeks = weeks.select("doctor", "week", "lines").join(of_rule, on=["doctor", "week"], how="left")
        weeks = weeks.with_columns(pl.col("hits", "at_risk", "to_repay").fill_null(0))
    ranked = weeks.join(most.with_row_index("rank").select("doctor", "rank"), on="doctor")
    return ranked.sort("rank", "week").drop("rank")


def run_change(wb: Workbench) -> RunChange | None:
    """What came and went with the newest completed run; None where no run before holds any of its doctors' days."""
    newest = sa.select(RUN.id).where(RUN.status == "completed").order_by(RUN.number.desc()).limit(1).scalar_subquery()
    figures = (CHANGE.results, CHANGE.at_risk, CHANGE.to_repay, CHANGE.gain)
    found = wb.frame(
        sa.select(RUN.number, CHANGE.before, CHANGE.status, *figures)
        .join(RUN, RUN.id == CHANGE.validation_run_id)
        .where(CHANGE.validation_run_id == newest, CHANGE.rule_id == "")
    )
    if found.is_empty():
        return None
    order = pl.col("status").cast(pl.Enum(["new", "fixed", "persisting", "rule_changed"]))
    number, before = found.row(0)[:2]
    return RunChange(number, before, found.drop("number", "before").sort(order))


def version_changes(wb: Workbench, scope: Scope) -> pl.DataFrame:
    """When the rule set changed: completed runs that were judged by another than the run before them.

    Returns:
        (runs, 3), by date: date date, the day as of which the run judged; run i64, its number; rules_version str.
    """
    before = sa.func.lag(RUN.rules_version).over(order_by=RUN.number)
    runs = (
        sa.select(RUN.number, RUN.run_date, RUN.completed_at, RUN.rules_version, before.label("before"))
        .where(RUN.status == "completed")
        .subquery()
    )
    day = sa.func.coalesce(runs.c.run_date, sa.cast(runs.c.completed_at, sa.Date), type_=sa.Date).label("date")
    return wb.frame(
        sa.select(day, runs.c.number.label("run"), runs.c.rules_version)
        .where(runs.c.before != runs.c.rules_version, day.between(scope.since, scope.until))
        .order_by(day, runs.c.number)
    )


def _seen(wb: Workbench, scope: Scope) -> pl.DataFrame:
    """Patients of each doctor's day, for their median; of a long period the mean of each week's."""
    found, day = cells(scope, by_week=True), RollupDoctorDay
    where = [day.in_force, day.date_de_service.between(scope.since, scope.until)]
    where += [day.doctor.in_(scope.doctors)] if scope.doctors else []
    if scope.is_by_week and scope.doctors and not scope.places:
        # Weeks tell the days at each place: who works at two in a day would see half as many in each.
        week = week_of(day.date_de_service).label("date_de_service")
        patients = sa.cast(sa.func.avg(day.patients), sa.Float).label("patients")
        return wb.frame(sa.select(week, patients).where(*where).group_by(week))
    if scope.is_by_week:
        mean = sa.cast(sa.func.sum(found.c.patients), sa.Float) / sa.func.sum(found.c.days)
        at = found.c.week.label("date_de_service")
        return wb.frame(sa.select(at, sa.cast(mean, sa.Float).label("patients")).group_by(found.c.week))
    if scope.places:
        found = cells(scope, by_week=False)
        return wb.frame(sa.select(found.c.date_de_service, sa.cast(found.c.patients, sa.Float).label("patients")))
    return wb.frame(sa.select(day.date_de_service, sa.cast(day.patients, sa.Float).label("patients")).where(*where))


def _held(wb: Workbench, scope: Scope) -> pl.DataFrame:
    """The doctors of a scope and their places, each pair once."""
    found = doctor_rows(scope)
    return wb.frame(sa.select(found.c.doctor, found.c.lieu_de_pratique).distinct())


def _of_rule_alone(days: pl.DataFrame, wb: Workbench, scope: Scope) -> pl.DataFrame:
    """Days with the errors and the money of one rule in place of all rules'."""
    of_rule = _rule_lines(wb, scope, "week" if scope.is_by_week else "day").rename({"first": "date_de_service"})
    kept = days.select("date_de_service", "lines", "invoices")
    joined = kept.join(of_rule, on="date_de_service", how="left", maintain_order="left")
    joined = joined.with_columns(pl.exclude("date_de_service").fill_null(0))
    return joined.with_columns(clean_invoices=pl.col("invoices") - pl.col("dirty")).select("date_de_service", *FIGURES)


def _rule_lines(wb: Workbench, scope: Scope, by: str) -> pl.DataFrame:
    """(days or weeks, 8): first, lines_in_error, lines_in_warning, lines_in_info, at_risk, to_repay, gain, dirty."""
    found = rule_rows(scope, severity=None, by=by)
    at = found.c.week if by == "week" else found.c.first

    def of(severity: str, column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[Any]:
        counted = sa.func.sum(column).filter(found.c.severity == severity)
        return sa.cast(sa.func.coalesce(counted, 0), sa.BigInteger).label(name)

    lines = [of(severity, found.c.lines, f"lines_in_{severity}") for severity in SEVERITIES]
    money = [total(found.c[name]) for name in ("at_risk", "to_repay", "gain")]
    dirty = of("error", found.c.invoices, "dirty")
    return wb.frame(sa.select(at.label("first"), *lines, *money, dirty).group_by(at))
