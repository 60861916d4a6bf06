"""What a page can choose from, and the part of it that it looks at."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from dashlib.metrics.labels import label_of
from dashlib.recounting import recount_expired
from dashlib.schema import RollupDoctorDay, RollupDoctorSpan, RollupRuleSpan, RollupWeek, RuleEntry, ValidationRun
from dashlib.workbench import Workbench

BY_WEEK_FROM = 120
"""Days above which a period is told by week: a day is then no more than a point."""

WEEKS, DAYS, HELD, SPANS, RUNS = RollupWeek, RollupDoctorDay, RollupDoctorSpan, RollupRuleSpan, ValidationRun


@dataclass(frozen=True)
class Holdings:
    """What the roll-ups hold: the newest completed run, and the days, doctors, places and rules to choose from.

    `rules` are those that have results, with their label by name.
    """

    run_number: int
    completed_at: datetime
    first: date
    last: date
    lines: int
    doctors: tuple[str, ...]
    places: tuple[str, ...]
    rules: dict[str, str]


@dataclass(frozen=True)
class Scope:
    """The part that a page looks at: days from `since` to `until`, both included, of some places and doctors or of all.

    With a `rule`, lines, invoices and patients are still all, errors and money those of that rule alone.
    """

    since: date
    until: date
    places: tuple[str, ...] = ()
    doctors: tuple[str, ...] = ()
    rule: str | None = None

    @property
    def days(self) -> int:
        return (self.until - self.since).days + 1

    @property
    def is_by_week(self) -> bool:
        """Whether figures over time are told by week."""
        return self.days > BY_WEEK_FROM

    @property
    def before(self) -> "Scope":
        """As many days, just before."""
        return replace(self, since=self.since - timedelta(self.days), until=self.until - timedelta(self.days))


def holdings(wb: Workbench, *, lang: str = "fr") -> Holdings | None:
    """What there is to choose from; None while no completed run holds a line.

    What was set aside until a day that has passed counts again from here on.
    """
    recount_expired(wb)
    newest = wb.frame(
        sa.select(RUNS.number, RUNS.completed_at, RUNS.run_date)
        .where(RUNS.status == "completed", sa.exists().where(DAYS.validation_run_id == RUNS.id))
        .order_by(RUNS.number.desc())
        .limit(1)
    )
    if newest.is_empty():
        return None
    ends = [edge(DAYS.date_de_service).label(name) for name, edge in (("first", sa.func.min), ("last", sa.func.max))]
    held = wb.frame(sa.select(*ends).where(DAYS.in_force)).row(0, named=True)
    number, completed_at, run_date = newest.row(0)
    # A date that a rule reports as lying in the future must not move every page's period there.
    held["last"] = max(held["first"], min(held["last"], run_date or held["last"]))
    lines = wb.frame(
        sa.select(sa.cast(sa.func.sum(WEEKS.lines), sa.BigInteger).label("lines")).where(WEEKS.doctor == "*")
    ).item()
    doctors, places = (_choices(wb, column) for column in (HELD.doctor, HELD.lieu_de_pratique))
    return Holdings(number, completed_at, **held, lines=lines, doctors=doctors, places=places, rules=_rules(wb, lang))


def _choices(wb: Workbench, column: sa.orm.InstrumentedAttribute[str]) -> tuple[str, ...]:
    return tuple(wb.frame(sa.select(column).distinct().order_by(column)).to_series())


def _rules(wb: Workbench, lang: str) -> dict[str, str]:
    found = (
        sa.select(SPANS.rule_id)
        .where(SPANS.days == 364, SPANS.doctor == "*", SPANS.lieu_de_pratique == "*")
        .distinct()
        .subquery()
    )
    label = label_of(found.c.rule_id, lang)
    query = sa.select(found.c.rule_id, label).outerjoin(RuleEntry, RuleEntry.name == found.c.rule_id)
    return dict(wb.frame(query.order_by(found.c.rule_id)).iter_rows())
