import os
import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import pytest

from dashlib import metrics, pages
from dashlib.metrics import Scope
from dashlib.pages.error_rates import day_of
from dashlib.pages.visit import Visit
from tests import seed

DRAWING = """
import sys
from datetime import date, timedelta
import polars as pl
from dashlib import charts
days = [date.fromisoformat(sys.argv[1]) + timedelta(n) for n in range(-2, 3)]
kinds = ("patients", "registered", "registered_paid", "walk_in", "walk_in_paid")
seen = pl.DataFrame({"date_de_service": days, **{kind: [9, 8, 7, 6, 5] for kind in kinds}})
rates = pl.DataFrame({"date_de_service": days, "lines": [50] * 5, "hits": [1, 2, 3, 4, 5]})
print(charts.svg(charts.patients_by_day(seen, "fr", width=900), "fr"))
print(charts.svg(charts.error_trend(rates, "en", width=900), "en"))
"""
CHANGES = [date(2025, 3, 9), date(2025, 11, 2)]
DAYS = """
    date_de_service | doctor         | lieu_de_pratique | lines | lines_in_error | patients | registered | walk_in
    {0}             | MÉD-0A11AA1111 | 54321            | 40    | 4              | 10       | 10         | 0
    {1}             | MÉD-0A11AA1111 | 54321            | 50    | 5              | 20       | 15         | 5
    {2}             | MÉD-0A11AA1111 | 54321            | 60    | 6              | 30       | 20         | 10
"""
SEEN = """
    date_de_service | doctor         | patients | registered | walk_in
    {0}             | MÉD-0A11AA1111 | 10       | 10         | 0
    {1}             | MÉD-0A11AA1111 | 20       | 15         | 5
    {2}             | MÉD-0A11AA1111 | 30       | 20         | 10
"""


@pytest.fixture
def around(wb):
    """A run of the days before, on and after a change of the clock."""

    def around(day):
        with wb.database.connect() as connection:
            run = seed.run(connection, wb.viewer.id)
            days = [day + timedelta(n) for n in (-1, 0, 1)]
            seed.days(connection, run, DAYS.format(*days))
            seed.doctor_days(connection, run, SEEN.format(*days))
        return days

    return around


def noons(card):
    return {row["noon"] for rows in card._chart.spec["datasets"].values() for row in rows if "noon" in row}


@pytest.mark.database
@pytest.mark.parametrize("day", CHANGES)
def test_a_day_on_which_the_clock_changes_is_a_day_of_its_own(wb, around, day):
    days = around(day)
    scope = Scope(days[0], days[-1])
    assert metrics.error_days(wb, scope).select("date_de_service", "lines").rows() == [
        *zip(days, (40, 50, 60), strict=True)
    ]
    assert metrics.error_days(wb, Scope(day, day))["lines"].to_list() == [50]
    assert metrics.weekday_patients(wb, scope)["weekday"].to_list() == [6, 7, 1]
    weeks = metrics.severity_weeks(wb, scope).select("week", "lines").rows()
    assert weeks == [(day - timedelta(6), 90), (day + timedelta(1), 60)]


@pytest.mark.database
@pytest.mark.parametrize("day", CHANGES)
def test_charts_are_given_the_noon_of_each_day_and_give_the_day_back(wb, around, day):
    days = around(day)
    rates, patients = (opener(Visit(), wb) for opener in (pages.error_rates, pages.patient_days))
    for card in (rates.cards[0], patients.cards[0]):
        assert {noon for noon in noons(card) if "T00" not in noon} == {f"{each}T12:00:00" for each in days}
    calendar = next(rows for rows in patients.cards[1]._chart.spec["datasets"].values() if "day" in rows[0])
    assert sorted((row["day"], row["monday"]) for row in calendar) == [
        (str(days[0]), str(day - timedelta(6))),
        (str(days[1]), str(day - timedelta(6))),
        (str(days[2]), str(day + timedelta(1))),
    ]
    for each in days:
        for hour in (12, 16, 17):
            moment = datetime(each.year, each.month, each.day, hour, tzinfo=UTC).timestamp() * 1000
            assert day_of(moment) == each


@pytest.mark.parametrize("day", CHANGES)
def test_a_chart_names_the_same_days_wherever_the_clock_stands(day):
    drawings = [
        subprocess.run(
            [sys.executable, "-c", DRAWING, str(day)],
            env={**os.environ, "TZ": zone},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for zone in ("America/Toronto", "UTC")
    ]
    here, there = (re.findall(">([^<>]+)<", drawing) for drawing in drawings)
    assert here == there
    assert [name for name in here if name.startswith(f"{day.day} ")]
