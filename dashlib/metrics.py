"""One question, one query, one frame: what dashboards and reports ask of roll-ups and run tables.

Dashboards take each day of a doctor from the newest completed run that holds it: overlapping exports count once.
Roll-ups hold no identity: doctors are pseudonyms.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa

from dashlib.figures import ErrorFacts, Figures
from dashlib.schema import (
    RejectedRecord,
    RollupDay,
    RollupDoctorDay,
    RollupRule,
    RuleEntry,
    ValidationRun,
)
from dashlib.workbench import Workbench

CELL = ("date_de_service", "doctor", "lieu_de_pratique")
COUNTS = ("lines", "lines_in_error", "lines_in_warning", "invoices", "clean_invoices", "at_risk", "to_repay", "gain")
LINES_SHOWN = 12
LEAST_TO_COMPARE = 10  # times: a period is not compared with one of less than a tenth of its lines


@dataclass(frozen=True)
class Holdings:
    """What the roll-ups hold: the newest completed run, and the days, doctors and places that filters can choose."""

    run_number: int
    completed_at: datetime
    first: date
    last: date
    lines: int
    doctors: tuple[str, ...]
    places: tuple[str, ...]


@dataclass(frozen=True)
class Scope:
    """The part that a page looks at: days from `since` to `until`, both included, of one place or doctor or of all."""

    since: date
    until: date
    place: str | None = None
    doctor: str | None = None

    @property
    def before(self) -> "Scope":
        """As many days, just before."""
        days = self.until - self.since + timedelta(days=1)
        return Scope(self.since - days, self.until - days, self.place, self.doctor)


def holdings(wb: Workbench) -> Holdings | None:
    """What there is to choose from; None while no completed run holds a line."""
    day = _newest(RollupDay)
    newest = wb.frame(
        sa.select(ValidationRun.number, ValidationRun.completed_at, ValidationRun.run_date)
        .where(ValidationRun.status == "completed", ValidationRun.id.in_(sa.select(RollupDay.validation_run_id)))
        .order_by(ValidationRun.number.desc())
        .limit(1)
    )
    if newest.is_empty():
        return None
    held = wb.frame(
        sa.select(
            sa.func.min(day.c.date_de_service).label("first"),
            sa.func.max(day.c.date_de_service).label("last"),
            sa.cast(sa.func.sum(day.c.lines), sa.BigInteger).label("lines"),
        )
    ).row(0, named=True)
    number, completed_at, run_date = newest.row(0)
    # A date that a rule reports as lying in the future must not move every page's period there.
    held["last"] = max(held["first"], min(held["last"], run_date or held["last"]))
    choices = {name: _choices(wb, day.c[name]) for name in ("doctor", "lieu_de_pratique")}
    return Holdings(number, completed_at, **held, doctors=choices["doctor"], places=choices["lieu_de_pratique"])


def error_facts(wb: Workbench, scope: Scope, *, severity: str | None, lang: str) -> ErrorFacts:
    """All that the page of error rates shows; without a severity it looks at errors and lists every rule."""
    looked_at = severity or "error"
    days, earlier = (error_days(wb, part, severity=looked_at) for part in (scope, scope.before))
    seen, seen_before = (doctor_days(wb, part) for part in (scope, scope.before))
    extent = _extent(wb, scope)
    comparable = int(earlier["lines"].sum()) * LEAST_TO_COMPARE > int(days["lines"].sum())
    return ErrorFacts(
        since=scope.since,
        until=scope.until,
        severity=looked_at,
        days=days,
        now=Figures.of(days),
        before=Figures.of(earlier) if comparable else None,
        rules=rules_by_stake(wb, scope, severity=severity, lang=lang),
        seen=seen,
        seen_before=seen_before if comparable else seen_before.clear(),
        places=extent["places"],
        doctors=extent["doctors"],
    )


def error_days(wb: Workbench, scope: Scope, *, severity: str = "error") -> pl.DataFrame:
    """Lines, invoices and money of each day.

    Returns:
        (days that have lines, 10), by date: date_de_service date; lines, lines_in_error, lines_in_warning, invoices,
        clean_invoices i64; at_risk, to_repay, gain decimal (CAD); hits i64, the lines with a result of `severity`
        (for info, which roll-ups do not count by line, the results).
    """
    day = _newest(RollupDay, scope)
    sums = [_total(day.c[name]).label(name) for name in COUNTS]
    per_day = wb.frame(
        sa.select(day.c.date_de_service, *sums)
        .where(*_within(day, scope))
        .group_by(day.c.date_de_service)
        .order_by(day.c.date_de_service)
    )
    if severity != "info":
        return per_day.with_columns(hits=pl.col(f"lines_in_{severity}"))
    found = _rules_of(scope, "info")
    hits = wb.frame(
        sa.select(found.c.date_de_service, _total(found.c.results).label("hits")).group_by(found.c.date_de_service)
    )
    return per_day.join(hits, on="date_de_service", how="left", maintain_order="left").with_columns(
        pl.col("hits").fill_null(0)
    )


def rules_by_stake(wb: Workbench, scope: Scope, *, severity: str | None = None, lang: str = "fr") -> pl.DataFrame:
    """Rules that found something, errors first, then by the money at stake.

    Returns:
        (rules x severities, 6): rule_id, label, severity str; results, lines i64; amount decimal (CAD). A rule without
        a label is called by its name.
    """
    return _by_rule(wb, _rules_of(scope, severity), lang)


def doctor_days(wb: Workbench, scope: Scope) -> pl.DataFrame:
    """Distinct patients of each doctor on each day, over all places, or in one place where the scope names it.

    Returns:
        (doctor days, 5), by doctor and date: doctor str, date_de_service date; patients, registered, walk_in i64.
    """
    # Distinct patients do not add up over places: each level has its own roll-up.
    cell = _newest(RollupDay if scope.place is not None else RollupDoctorDay, scope)
    counts = [cell.c[name] for name in ("patients", "registered", "walk_in")]
    return wb.frame(
        sa.select(cell.c.doctor, cell.c.date_de_service, *counts)
        .where(*_within(cell, scope))
        .order_by(cell.c.doctor, cell.c.date_de_service)
    )


def run_summary(wb: Workbench, run_id: str) -> dict[str, Any] | None:
    """A run's own figures, or None when the viewer has no such run: id, number, status, when, lines and money.

    `first` and `last` are its first and last day of service, null for a run without lines.
    """
    run = ValidationRun
    found = wb.frame(
        sa.select(
            run.id,
            run.number,
            run.status,
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
            sa.func.min(RollupDay.date_de_service).label("first"),
            sa.func.max(RollupDay.date_de_service).label("last"),
        )
        .outerjoin(RollupDay, RollupDay.validation_run_id == run.id)
        .where(run.id == sa.cast(run_id, sa.Uuid))
        .group_by(run.id)
    )
    return found.row(0, named=True) if found.height else None


def most_common_rules(wb: Workbench, run_id: str, *, lang: str = "fr") -> pl.DataFrame:
    """Rules that found something in a run, most results first; columns of `rules_by_stake`."""
    found = sa.select(RollupRule).where(RollupRule.validation_run_id == run_id).subquery()
    return _by_rule(wb, found, lang).sort("results", "rule_id", descending=[True, False])


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


def _newest(table: type[Any], scope: Scope | None = None) -> sa.Subquery:
    """Rows of a roll-up, each doctor's day from the newest completed run that holds it, whatever the place."""
    # By number and not by time of completion: what was asked for last is what the user means.
    nth = sa.func.rank().over(partition_by=(table.doctor, table.date_de_service), order_by=ValidationRun.number.desc())
    ranked = (
        sa.select(*table.__table__.c, nth.label("nth"))
        .join(ValidationRun, ValidationRun.id == table.validation_run_id)
        .where(ValidationRun.status == "completed")
    )
    if scope:
        ranked = ranked.where(table.date_de_service.between(scope.since, scope.until))
    if scope and scope.doctor is not None:
        ranked = ranked.where(table.doctor == scope.doctor)
    rows = ranked.subquery()
    return sa.select(rows).where(rows.c.nth == 1).subquery()


def _within(rows: sa.Subquery, scope: Scope) -> list[sa.ColumnElement[bool]]:
    """The place is chosen last: a newer run that moved a day elsewhere has emptied it here."""
    return [] if scope.place is None else [rows.c.lieu_de_pratique == scope.place]


def _rules_of(scope: Scope, severity: str | None) -> sa.Subquery:
    """Results by rule of the newest days. Days, not results, tell which run is newest: a clean day has no results."""
    day = _newest(RollupDay, scope)
    kept = sa.select(day.c.validation_run_id, *(day.c[name] for name in CELL)).where(*_within(day, scope)).subquery()
    same = [RollupRule.validation_run_id == kept.c.validation_run_id]
    same += [getattr(RollupRule, name) == kept.c[name] for name in CELL]
    found = sa.select(RollupRule).join(kept, sa.and_(*same))
    return found.where(RollupRule.severity == severity).subquery() if severity else found.subquery()


def _by_rule(wb: Workbench, found: sa.Subquery, lang: str) -> pl.DataFrame:
    gravest = sa.case({"error": 0, "warning": 1}, value=found.c.severity, else_=2)
    amount = _total(found.c.amount)
    labels = [sa.func.max(RuleEntry.label[spoken].astext) for spoken in (lang, "fr")]
    return wb.frame(
        sa.select(
            found.c.rule_id,
            sa.func.coalesce(*labels, found.c.rule_id).label("label"),
            found.c.severity,
            _total(found.c.results).label("results"),
            _total(found.c.lines).label("lines"),
            amount.label("amount"),
        )
        .outerjoin(RuleEntry, RuleEntry.name == found.c.rule_id)
        .group_by(found.c.rule_id, found.c.severity)
        .order_by(gravest, amount.desc().nulls_last(), found.c.rule_id)
    )


def _extent(wb: Workbench, scope: Scope) -> dict[str, int]:
    day = _newest(RollupDay, scope)
    distinct = {"places": day.c.lieu_de_pratique, "doctors": day.c.doctor}
    counts = [sa.func.count(column.distinct()).label(name) for name, column in distinct.items()]
    return wb.frame(sa.select(*counts).where(*_within(day, scope))).row(0, named=True)


def _choices(wb: Workbench, column: sa.ColumnElement[str]) -> tuple[str, ...]:
    return tuple(wb.frame(sa.select(column).distinct().order_by(column)).to_series())


def _total(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """A sum with its column's type: PostgreSQL widens it, and an empty sum is none."""
    kind = sa.BigInteger() if isinstance(column.type, sa.Integer) else sa.Numeric(18, 2)
    return sa.cast(sa.func.coalesce(sa.func.sum(column), 0), kind)
