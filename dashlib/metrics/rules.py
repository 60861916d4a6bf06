"""What the page of common rules asks: what causes the errors, where, with whom, and what is worth treating first?"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl
import sqlalchemy as sa

from dashlib.figures import gravity
from dashlib.metrics.labels import label_of
from dashlib.metrics.rows import FOUND, cells, doctor_rows, rule_rows, total
from dashlib.metrics.scope import Scope
from dashlib.recounting import today
from dashlib.schema import (
    ResultAcknowledgement,
    RollupChange,
    RollupRule,
    RuleEntry,
    ValidationResult,
    ValidationRun,
)
from dashlib.workbench import Workbench

DOCTORS_SHOWN = 12
EXAMPLES_SHOWN = 3
EXAMPLE = ("date_service", "doctor", "code", "message", "amount", "at_risk", "to_repay", "gain")
RUN, RESULT, ASIDE = ValidationRun, ValidationResult, ResultAcknowledgement


@dataclass(frozen=True)
class RuleSheet:
    """A rule's figures in a scope, and a few of its results; money in CAD.

    `examples`: (at most 3, 10) result str («418:37»), EXAMPLE, details str (JSON): open results of the run of the
    viewer's own that holds the rule's last day, with pseudonyms.
    """

    rule: str
    results: int
    lines: int
    invoices: int
    acknowledged: int
    at_risk: Decimal
    to_repay: Decimal
    gain: Decimal
    examples: pl.DataFrame


def rules_by_stake(wb: Workbench, scope: Scope, *, severity: str | None = None, lang: str = "fr") -> pl.DataFrame:
    """Rules with open results, in the order of `first_to_treat`.

    Returns:
        (rules x severities, 13): rule_id, label, severity str; results, lines, invoices i64, open ones (an invoice
        counts once in each doctor's day and place); amount, at_risk, to_repay, gain, stake decimal (CAD), `stake` being
        the three before it; acknowledged i64, results set aside; earliest_unpaid date, the first service with money at
        risk, null where there is none. A rule without a label is called by its name.
    """
    return _told(wb, scope, severity, lang).filter(pl.col("results") > 0)


def common_rules(wb: Workbench, scope: Scope, *, severity: str | None = None, lang: str = "fr") -> pl.DataFrame:
    """`rules_by_stake`, also of rules whose results are all set aside, with `new` i64: results of the rule that the
    newest run has and the run before had not, told once where a rule has two severities."""
    newest = sa.select(RUN.id).where(RUN.status == "completed").order_by(RUN.number.desc()).limit(1).scalar_subquery()
    change = RollupChange
    new = wb.frame(
        sa.select(change.rule_id, change.results.label("new")).where(
            change.validation_run_id == newest, change.status == "new", change.rule_id != ""
        )
    )
    rules = _told(wb, scope, severity, lang).join(new, on="rule_id", how="left", maintain_order="left")
    return rules.with_columns(new=pl.when(pl.col("rule_id").is_first_distinct()).then("new").fill_null(0))


def rules_by_place(wb: Workbench, scope: Scope, rules: Sequence[str], *, severity: str | None = None) -> pl.DataFrame:
    """What these rules found at each place.

    Returns:
        (rules x places, 9): rule_id, lieu_de_pratique str; results, lines, seen i64, `seen` being all lines of the
        place; at_risk, to_repay, gain decimal (CAD); per_thousand f64, lines reported in a thousand.
    """
    return _rates(wb, scope, rules, severity, "lieu_de_pratique")


def rules_by_doctor(
    wb: Workbench,
    scope: Scope,
    rules: Sequence[str],
    *,
    severity: str | None = None,
    doctors: int = DOCTORS_SHOWN,
) -> pl.DataFrame:
    """What these rules found with the `doctors` doctors who have most at risk; columns of `rules_by_place`, with
    doctor str in the place's stead."""
    chosen = tuple(most_at_risk(wb, scope, doctors)["doctor"])
    narrowed = Scope(scope.since, scope.until, scope.places, chosen or scope.doctors, scope.rule)
    return _rates(wb, narrowed, rules, severity, "doctor")


def most_at_risk(wb: Workbench, scope: Scope, doctors: int) -> pl.DataFrame:
    """(at most `doctors`, 1) doctor str: those with most at risk in the scope, most first."""
    found = doctor_rows(scope)
    most = sa.func.sum(found.c.at_risk).desc()
    ranked = sa.select(found.c.doctor).group_by(found.c.doctor).order_by(most, found.c.doctor)
    return wb.frame(ranked.limit(doctors))


def rule_weeks(wb: Workbench, scope: Scope, rules: Sequence[str]) -> pl.DataFrame:
    """What these rules found in each week.

    Returns:
        (rules x weeks with results, 7), by rule and week: rule_id str; week date, a Monday; results, lines i64;
        at_risk, to_repay, gain decimal (CAD).
    """
    found = rule_rows(scope, severity=None, rules=_asked(rules), by="week")
    figures = [total(found.c[name]) for name in ("results", "lines", "at_risk", "to_repay", "gain")]
    group = [found.c.rule_id, found.c.week]
    return wb.frame(sa.select(*group, *figures).group_by(*group)).filter(pl.col("results") > 0).sort("rule_id", "week")


def rule_sheet(wb: Workbench, rule: str, scope: Scope) -> RuleSheet:
    """A rule's figures in the scope, whatever rule that names, and a few of its results."""
    only = Scope(scope.since, scope.until, scope.places, scope.doctors, rule)
    found = rule_rows(only, severity=None)
    names = ("results", "lines", "invoices", "acknowledged", "at_risk", "to_repay", "gain")
    figures = wb.frame(sa.select(*(total(found.c[name]) for name in names))).row(0, named=True)
    return RuleSheet(rule, **figures, examples=_examples(wb, rule))


def first_to_treat(rules: pl.DataFrame) -> pl.DataFrame:
    """Rules in the order in which they are worth treating: errors first, then by stake, then by results."""
    return rules.sort(gravity(), -pl.col("stake"), -pl.col("results"), "rule_id", nulls_last=True)


def labelled(wb: Workbench, found: sa.Subquery, lang: str) -> pl.DataFrame:
    """Rows of rules added up by rule and severity, with their labels."""
    group = [found.c.rule_id, found.c.severity]
    earliest = sa.func.min(found.c.earliest_unpaid).label("earliest_unpaid")
    summed = sa.select(*group, *(total(found.c[name]) for name in FOUND), earliest).group_by(*group).subquery()
    rest = [summed.c[name] for name in (*FOUND, "earliest_unpaid")]
    query = sa.select(summed.c.rule_id, label_of(summed.c.rule_id, lang), summed.c.severity, *rest)
    rules = wb.frame(query.outerjoin(RuleEntry, RuleEntry.name == summed.c.rule_id))
    order = ("rule_id", "label", "severity", "results", "lines", "invoices", "amount", "at_risk", "to_repay", "gain")
    stake = (pl.col("at_risk") + pl.col("to_repay") + pl.col("gain")).alias("stake")
    return rules.select(*order, stake, "acknowledged", "earliest_unpaid")


def _told(wb: Workbench, scope: Scope, severity: str | None, lang: str) -> pl.DataFrame:
    return first_to_treat(labelled(wb, rule_rows(scope, severity=severity), lang))


def _asked(rules: Sequence[str]) -> Sequence[str]:
    """No rule is none, not all."""
    return rules or ("",)


def _rates(wb: Workbench, scope: Scope, rules: Sequence[str], severity: str | None, by: str) -> pl.DataFrame:
    rows = rule_rows(scope, severity=severity, rules=_asked(rules), by_place=by == "lieu_de_pratique")
    group = [rows.c.rule_id, rows.c[by]]
    figures = [total(rows.c[name]) for name in ("results", "lines", "at_risk", "to_repay", "gain")]
    # Sorted here: asked for an order, PostgreSQL sorts all rows in place of adding them up first.
    found = wb.frame(sa.select(*group, *figures).group_by(*group)).filter(pl.col("results") > 0).sort("rule_id", by)
    lines = cells(scope, by_week=True)
    seen = wb.frame(sa.select(lines.c[by], total(lines.c.lines).label("seen")).group_by(lines.c[by]))
    rated = found.join(seen, on=by, how="left", maintain_order="left")
    rated = rated.with_columns(per_thousand=pl.col("lines") / pl.col("seen") * 1000)
    return rated.select("rule_id", by, "results", "lines", "seen", "at_risk", "to_repay", "gain", "per_thousand")


def _examples(wb: Workbench, rule: str) -> pl.DataFrame:
    found = RollupRule
    run = wb.frame(
        sa.select(RUN.id)
        .join(found, found.validation_run_id == RUN.id)
        .where(RUN.user_id == wb.viewer.id, found.in_force, found.rule_id == rule, found.results > 0)
        .order_by(found.date_de_service.desc())
        .limit(1)
    )
    # Without an order, PostgreSQL stops at the third result that it comes upon.
    columns: list[sa.ColumnElement[Any]] = [RESULT.__table__.c[name] for name in EXAMPLE]
    called = sa.func.concat(RUN.number, ":", RESULT.number, type_=sa.Text).label("result")
    query = (
        sa.select(called, *columns, sa.cast(RESULT.details, sa.Text).label("details"))
        .join(RUN, RUN.id == RESULT.validation_run_id)
        .where(RESULT.validation_run_id == (sa.cast(run.item(), sa.Uuid) if run.height else sa.null()))
        .where(RESULT.rule_id == rule, ~_is_aside())
        .limit(EXAMPLES_SHOWN)
    )
    return wb.pseudonyms.redacted(wb.frame(query)).sort("result")


def _is_aside() -> sa.ColumnElement[bool]:
    stands = sa.or_(ASIDE.until.is_(None), ASIDE.until >= today())
    same = (ASIDE.fingerprint == RESULT.fingerprint, ASIDE.line_mark == RESULT.line_mark)
    return sa.exists().where(ASIDE.user_id == RUN.user_id, *same, ASIDE.revoked_at.is_(None), stands)
