"""The fewest rows of roll-ups in force that add up to a scope: thirteen weeks, weeks, and days at the two ends."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from dashlib.metrics.scope import Scope
from dashlib.schema import RollupDay, RollupDoctorSpan, RollupRule, RollupRuleSpan, RollupWeek

COUNTS = (
    *("lines", "lines_in_error", "lines_in_warning", "lines_in_info", "worst_warning", "worst_info"),
    *("invoices", "clean_invoices", "at_risk", "to_repay", "gain"),
)
FOUND = ("results", "lines", "invoices", "amount", "at_risk", "to_repay", "gain", "acknowledged")
SEEN = ("patients", "registered", "registered_paid", "walk_in", "walk_in_paid")
FEES = ("fee_billed", "fee_below", "fee_difference")
ALL = "*"
SPANS, DOCTORS_SPANS = (364, 91, 7), (91,)
FIRST_MONDAY = date(2001, 1, 1)  # from which the database counts spans

type Rows = sa.Select[*tuple[Any, ...]]


def cells(scope: Scope, *, by_week: bool, of_doctors: bool = False) -> sa.Subquery:
    """Doctors' days or weeks at places: date_de_service (of a week its Monday), week, doctor, lieu_de_pratique, `days`
    (how many the row sums), COUNTS, SEEN and FEES.

    By day each row is a day; by week the days at the two ends, outside a whole week, are rows of their own. `doctor` is
    told where the scope names doctors, or for `of_doctors`; else a row can be of all («*»).
    """
    first, end = whole_weeks(scope) if by_week else (scope.since, scope.since)
    whole = RollupWeek
    parts = [_cell_days(scope, *ends) for ends in _outside(scope, first, end)]
    if first < end:
        at = [whole.week.label("date_de_service"), whole.week.label("week")]
        known = [*at, whole.doctor, whole.lieu_de_pratique, whole.days]
        figures = [getattr(whole, name) for name in (*COUNTS, *SEEN, *FEES)]
        where = [whole.week >= first, whole.week < end, *_of(scope, whole.doctor, whole.lieu_de_pratique)]
        if not scope.doctors:
            where.append(whole.doctor != ALL if of_doctors else whole.doctor == ALL)
        parts.append(sa.select(*known, *figures).where(*where))
    return sa.union_all(*parts).subquery()


def doctor_rows(scope: Scope) -> sa.Subquery:
    """Doctors at their places over the whole scope: doctor, lieu_de_pratique, lines, at_risk, patients."""
    spans, ends = _divided(scope, (DOCTORS_SPANS[0], 7))
    day, week, long = RollupDay, RollupWeek, RollupDoctorSpan
    names = ("doctor", "lieu_de_pratique", "lines", "at_risk", "patients")

    def part(table: Any, *where: Any) -> Rows:
        chosen = _of(scope, table.doctor, table.lieu_de_pratique)
        return sa.select(*(getattr(table, name) for name in names)).where(*where, *chosen)

    parts = [part(day, day.in_force, day.date_de_service.between(*end)) for end in ends]
    for size, first, end in spans:
        at = week.week if size == 7 else long.first
        of_one = [week.doctor != ALL] if size == 7 else []
        parts.append(part(week if size == 7 else long, at >= first, at < end, *of_one))
    return sa.union_all(*parts).subquery()


def rule_rows(
    scope: Scope, *, severity: str | None, rules: Sequence[str] = (), by_place: bool = False, by: str = "scope"
) -> sa.Subquery:
    """What rules found: first (date), week, doctor, lieu_de_pratique («*» in sums over all), rule_id, severity, FOUND,
    earliest_unpaid (null where nothing unpaid is at risk).

    Args:
        by: what rows are to be added up by: scope, week or day; the finer, the more rows.
        by_place: tells the places.
    """
    wanted = (scope.rule,) if scope.rule else tuple(rules)
    of_one = bool(scope.doctors)
    # Single doctors have no weeks.
    if by == "day" or (of_one and by == "week"):
        return _rule_days(scope, scope.since, scope.until, severity, wanted).subquery()
    sizes = DOCTORS_SPANS if of_one else SPANS if by == "scope" else SPANS[-1:]
    spans, ends = _divided(scope, sizes)
    parts = [_rule_days(scope, since, until, severity, wanted) for since, until in ends]
    parts += [_rule_spans(scope, *span, severity, wanted, by_place=by_place) for span in spans]
    return sa.union_all(*parts).subquery()


def total(column: Any) -> sa.ColumnElement[Any]:
    """A sum with its column's type and name: PostgreSQL widens it, and an empty sum is none."""
    kind = sa.BigInteger() if isinstance(column.type, sa.Integer) else sa.Numeric(18, 2)
    return sa.cast(sa.func.coalesce(sa.func.sum(column), 0), kind).label(column.name)


def week_of(day: Any) -> sa.ColumnElement[date]:
    """The Monday of a date."""
    return sa.cast(sa.func.date_trunc("week", day), sa.Date)


def whole_weeks(scope: Scope) -> tuple[date, date]:
    """The first Monday of a scope, and the one after its last whole week; the same twice where there is none."""
    first = scope.since + timedelta(days=-scope.since.weekday() % 7)
    after = scope.until + timedelta(days=1)
    end = after - timedelta(days=after.weekday())
    return (first, end) if first < end else (scope.since, scope.since)


def _divided(scope: Scope, sizes: Sequence[int]) -> tuple[list[tuple[int, date, date]], list[tuple[date, date]]]:
    """A scope as whole spans (days, first, the first after), the longest inside, and the days left at the ends."""
    after = scope.until + timedelta(days=1)
    spans: list[tuple[int, date, date]] = []
    inner: tuple[date, date] | None = None
    for size in sizes:
        first = scope.since + timedelta(days=-(scope.since - FIRST_MONDAY).days % size)
        end = after - timedelta(days=(after - FIRST_MONDAY).days % size)
        if first >= end:
            continue
        if inner is None:
            spans.append((size, first, end))
        else:
            around = ((first, inner[0]), (inner[1], end))
            spans += [(size, start, stop) for start, stop in around if start < stop]
        inner = first, end
    return spans, _outside(scope, *(inner or (scope.since, scope.since)))


def _outside(scope: Scope, first: date, end: date) -> list[tuple[date, date]]:
    """The days before the first whole week and after the last, as (first, last); all of them where there is none."""
    day = timedelta(days=1)
    if first == end:
        return [(scope.since, scope.until)]
    ends = ((scope.since, first - day), (end, scope.until))
    return [(since, until) for since, until in ends if since <= until]


def _of(scope: Scope, doctor: Any, place: Any) -> list[sa.ColumnElement[bool]]:
    chosen = ((doctor, scope.doctors), (place, scope.places))
    return [column.in_(values) for column, values in chosen if values]


def _cell_days(scope: Scope, since: date, until: date) -> Rows:
    day = RollupDay
    is_billed = day.fee_codes.is_not(None)
    is_below = sa.and_(is_billed, day.fee_results > 0, day.fee_difference < 0)
    fees = (
        sa.case((is_billed, 1), else_=0).label("fee_billed"),
        sa.case((is_below, 1), else_=0).label("fee_below"),
        sa.case((is_below, day.fee_difference), else_=0).label("fee_difference"),
    )
    figures = [*(getattr(day, name) for name in (*COUNTS, *SEEN)), *fees]
    once = sa.literal(1, sa.Integer).label("days")
    known = [day.date_de_service, week_of(day.date_de_service).label("week"), day.doctor, day.lieu_de_pratique, once]
    where = [day.in_force, day.date_de_service.between(since, until), *_of(scope, day.doctor, day.lieu_de_pratique)]
    return sa.select(*known, *figures).where(*where)


def _rule_days(scope: Scope, since: date, until: date, severity: str | None, rules: Sequence[str]) -> Rows:
    found = RollupRule
    unpaid = sa.case((found.at_risk > 0, found.date_de_service)).label("earliest_unpaid")
    known = [
        found.date_de_service.label("first"),
        week_of(found.date_de_service).label("week"),
        found.doctor,
        found.lieu_de_pratique,
        found.rule_id,
        found.severity,
    ]
    where = [found.in_force, found.date_de_service.between(since, until)]
    where += _of(scope, found.doctor, found.lieu_de_pratique)
    where += _named(found.rule_id, rules) + ([found.severity == severity] if severity else [])
    return sa.select(*known, *(getattr(found, name) for name in FOUND), unpaid).where(*where)


def _rule_spans(
    scope: Scope, days: int, first: date, end: date, severity: str | None, rules: Sequence[str], *, by_place: bool
) -> Rows:
    span = RollupRuleSpan
    known = [span.first, span.first.label("week"), span.doctor, span.lieu_de_pratique, span.rule_id, span.severity]
    where = [span.first >= first, span.first < end]
    if scope.doctors:
        # Single doctors have one kind of span: saying so leads PostgreSQL to a worse index.
        where += [span.doctor != ALL, *_of(scope, span.doctor, span.lieu_de_pratique)]
    else:
        where += [span.days == days, span.doctor == ALL]
        one = span.lieu_de_pratique.in_(scope.places) if scope.places else span.lieu_de_pratique == ALL
        where.append(span.lieu_de_pratique != ALL if by_place and not scope.places else one)
    where += _named(span.rule_id, rules) + ([span.severity == severity] if severity else [])
    return sa.select(*known, *(getattr(span, name) for name in FOUND), span.earliest_unpaid).where(*where)


def _named(column: Any, rules: Sequence[str]) -> list[sa.ColumnElement[bool]]:
    return [column.in_(rules)] if rules else []
