"""When a schedule comes, and of which days its report is: cron in the clock of the offices. Pure.

A time that a change of clocks leaves out (2:30 on March 9, 2025) comes at the first minute after it, 3:00; a time that
it repeats (1:30 on November 2, 2025) comes once, the first time; 2:30 that day is there once. So does Debian's cron.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from dashlib.errors import UsageError
from dashlib.texts import TORONTO

type Kind = Literal["weekly", "monthly"]

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
FIELDS = 5  # cronsim takes a sixth, seconds, which nobody needs for a report


@dataclass(frozen=True)
class Period:
    """The days of a report, the last one included; `name` is 2025-W26 or 2025-06."""

    name: str
    since: date
    until: date


def require_cron(cron: str) -> None:
    """Raises: UsageError: DL-SCHED-001, it is no cron, or its day never comes."""
    try:
        if len(cron.split()) != FIELDS:
            raise UsageError("DL-SCHED-001")
        next(CronSim(cron, datetime.now(TORONTO)))
    except (CronSimError, StopIteration):
        raise UsageError("DL-SCHED-001") from None


def next_time(cron: str, after: datetime, zone: ZoneInfo = TORONTO) -> datetime:
    """The first time that comes after a moment, in UTC."""
    coming = (when.astimezone(UTC) for when in CronSim(cron, after.astimezone(zone) - HOUR))
    return next(when for when in coming if when > after)


def last_time(cron: str, until: datetime, zone: ZoneInfo = TORONTO) -> datetime:
    """The last time that came, at a moment or before it, in UTC."""
    # An hour further, because an hour that is repeated hides the times of its first pass from the second.
    past = (when.astimezone(UTC) for when in CronSim(cron, until.astimezone(zone) + HOUR, reverse=True))
    return next(when for when in past if when <= until)


def period_of(kind: Kind, day: date) -> Period:
    """The last whole week, Monday to Sunday, or the last whole month, that a day finds behind it."""
    if kind == "weekly":
        until = day - timedelta(days=day.isoweekday())
        return Period(f"{until:%G-W%V}", until - 6 * DAY, until)
    until = day.replace(day=1) - DAY
    return Period(f"{until:%Y-%m}", until.replace(day=1), until)


def period_called(kind: Kind, name: str) -> Period:
    """The week or month that people call 2025-W26 or 2025-06.

    Raises:
        UsageError: DL-REP-002, none is called so.
    """
    try:
        if kind == "weekly":
            year, week = (int(part) for part in name.upper().split("-W"))
            return period_of(kind, date.fromisocalendar(year, week, 7) + DAY)
        return period_of(kind, date.fromisoformat(f"{name}-01") + 31 * DAY)
    except ValueError:
        raise UsageError("DL-REP-002") from None
