from datetime import UTC, date, datetime, timedelta

import pytest

from dashlib.errors import UsageError
from dashlib.timetable import Period, last_time, next_time, period_called, period_of, require_cron


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "after", "comes"),
    [
        # Clocks go forward on 2025-03-09: 2:00 EST is 3:00 EDT, and 2:30 is not there.
        ("30 2 * * *", "2025-03-08 12:00", ["2025-03-09 07:00", "2025-03-10 06:30"]),
        ("0 6 * * 1", "2025-03-08 12:00", ["2025-03-10 10:00", "2025-03-17 10:00"]),
        ("0 6 * * 1", "2025-03-02 12:00", ["2025-03-03 11:00", "2025-03-10 10:00"]),
        # Clocks go back on 2025-11-02: 2:00 EDT is 1:00 EST, so 1:30 is there twice, and 2:30 once.
        ("30 2 * * *", "2025-11-01 12:00", ["2025-11-02 07:30", "2025-11-03 07:30"]),
        ("30 1 * * *", "2025-11-01 12:00", ["2025-11-02 05:30", "2025-11-03 06:30"]),
        ("0 6 * * 1", "2025-10-26 12:00", ["2025-10-27 10:00", "2025-11-03 11:00"]),
        ("0 6 1 * *", "2025-06-15 12:00", ["2025-07-01 10:00", "2025-08-01 10:00"]),
    ],
)
def test_a_schedule_keeps_the_time_of_the_offices_through_both_changes_of_clocks(cron, after, comes):
    first = next_time(cron, utc(after))
    assert [first, next_time(cron, first)] == [utc(each) for each in comes]
    assert [last_time(cron, first), last_time(cron, utc(comes[1]))] == [utc(each) for each in comes]


@pytest.mark.parametrize(
    ("cron", "from_", "comes"),
    [
        ("30 2 * * *", "2025-03-09 05:00", ["2025-03-09 07:00"]),
        ("30 2 * * *", "2025-11-02 04:00", ["2025-11-02 07:30"]),
        ("30 1 * * *", "2025-11-02 04:00", ["2025-11-02 05:30"]),
        ("0 3 * * *", "2025-03-09 05:00", ["2025-03-09 07:00"]),
    ],
)
def test_asked_every_minute_of_a_day_of_change_a_time_comes_once(cron, from_, comes):
    minutes = [utc(from_) + timedelta(minutes=n) for n in range(24 * 60)]
    seen = {last_time(cron, minute) for minute in minutes}
    assert sorted(when for when in seen if when >= utc(from_)) == [utc(each) for each in comes]


def test_the_last_time_is_the_moment_itself_when_it_comes_then():
    assert last_time("0 6 * * 1", utc("2025-06-30 10:00")) == utc("2025-06-30 10:00")
    assert last_time("0 6 * * 1", utc("2025-06-30 09:59")) == utc("2025-06-23 10:00")
    assert next_time("0 6 * * 1", utc("2025-06-30 10:00")) == utc("2025-07-07 10:00")


@pytest.mark.parametrize(
    ("kind", "day", "name", "since", "until"),
    [
        ("weekly", "2025-06-30", "2025-W26", "2025-06-23", "2025-06-29"),
        ("weekly", "2025-06-29", "2025-W25", "2025-06-16", "2025-06-22"),
        ("weekly", "2025-03-10", "2025-W10", "2025-03-03", "2025-03-09"),
        ("weekly", "2027-01-05", "2026-W53", "2026-12-28", "2027-01-03"),
        ("weekly", "2025-01-06", "2025-W01", "2024-12-30", "2025-01-05"),
        ("monthly", "2025-07-01", "2025-06", "2025-06-01", "2025-06-30"),
        ("monthly", "2024-03-31", "2024-02", "2024-02-01", "2024-02-29"),
        ("monthly", "2025-01-15", "2024-12", "2024-12-01", "2024-12-31"),
    ],
)
def test_a_report_is_of_the_last_whole_week_or_month(kind, day, name, since, until):
    whole = Period(name, date.fromisoformat(since), date.fromisoformat(until))
    assert period_of(kind, date.fromisoformat(day)) == whole


@pytest.mark.parametrize(
    "cron", ["", "often", "* * * *", "61 * * * *", "0 6 31 2 *", "@weekly", "0 6 * * 9", "0 0 6 * * 1"]
)
def test_what_is_no_cron_or_never_comes_is_refused(cron):
    with pytest.raises(UsageError, match="DL-SCHED-001"):
        require_cron(cron)


@pytest.mark.parametrize(
    ("kind", "name", "since", "until"),
    [
        ("weekly", "2025-W26", "2025-06-23", "2025-06-29"),
        ("weekly", "2025-w01", "2024-12-30", "2025-01-05"),
        ("weekly", "2026-W53", "2026-12-28", "2027-01-03"),
        ("monthly", "2024-02", "2024-02-01", "2024-02-29"),
        ("monthly", "2025-12", "2025-12-01", "2025-12-31"),
    ],
)
def test_people_call_a_week_or_a_month_by_its_name(kind, name, since, until):
    found = period_called(kind, name)
    assert (str(found.since), str(found.until), found.name) == (since, until, name.upper())


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("weekly", "2025-W53"),
        ("weekly", "2025-06"),
        ("weekly", "juin"),
        ("monthly", "2025-13"),
        ("monthly", "2025-W26"),
    ],
)
def test_what_names_no_period_is_refused(kind, name):
    with pytest.raises(UsageError, match="DL-REP-002"):
        period_called(kind, name)
