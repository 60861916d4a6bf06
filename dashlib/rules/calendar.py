"""The holidays of the agreement, and those on which an establishment rests instead."""

import functools
from collections.abc import Iterable
from datetime import date, timedelta

import polars as pl

from dashlib.rules.base import Reference

EVERYWHERE = "all"
"""What `applies_to` says of a day that holds for every establishment."""


@functools.cache
def agreed_holidays(year: int) -> dict[date, str]:
    """The agreement's holidays of a year by date, named in French: calendar dates, never moved to another day.

    Source:
        Manuel des omnipraticiens, P.G. 2.4.7.6; rule types, 7: Patriots' Day is the Monday before 25 May.
    """
    easter = _easter(year)
    return {
        date(year, 1, 1): "Jour de l'An",
        date(year, 1, 2): "Lendemain du jour de l'An",
        easter - timedelta(days=2): "Vendredi saint",
        easter + timedelta(days=1): "Lundi de Pâques",
        _monday(date(year, 5, 18)): "Journée nationale des patriotes",
        date(year, 6, 24): "Fête nationale",
        date(year, 7, 1): "Fête du Canada",
        _monday(date(year, 9, 1)): "Fête du travail",
        _monday(date(year, 10, 8)): "Action de grâce",
        date(year, 12, 24): "Veille de Noël",
        date(year, 12, 25): "Noël",
        date(year, 12, 26): "Lendemain de Noël",
        date(year, 12, 31): "Veille du jour de l'An",
    }


def _monday(first: date) -> date:
    """The first Monday on or after a day."""
    return first + timedelta(days=-first.weekday() % 7)


def _easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar.

    Source:
        Anonymous, Nature, 20 April 1876, as in Meeus, Astronomical Algorithms, chapter 8.
    """
    century, of_century = divmod(year, 100)
    golden = year % 19
    leaps = (century + 8) // 25
    moon = (19 * golden + century - century // 4 - (century - leaps + 1) // 3 + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (of_century // 4) - moon - of_century % 4) % 7
    late = (golden + 11 * moon + 22 * weekday) // 451
    month, day = divmod(moon + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)


# The RAMQ has paid doctors since 1 November 1970; no export of today holds services of the last year.
YEARS = range(1970, 2101)


def mark_holidays(lines: pl.LazyFrame, ref: Reference) -> pl.LazyFrame:
    """Adds `is_holiday` bool: whether the date of service is a holiday at the line's `lieu`; null without a date.

    A general date holds everywhere, but not where an establishment has a date of its own for the holiday of that name,
    in the same year of reference. In a year without any general date the agreement's list holds.

    Args:
        lines: (lines, at least date_de_service, lieu).
        ref: its `holidays`.
    """
    published = pl.concat([Reference(ref.run_date).holidays, ref.holidays], how="diagonal").with_columns(
        pl.col("applies_to").fill_null(EVERYWHERE)
    )
    general = _general(published, YEARS)
    here = _own(published, general)
    everywhere = pl.col("date_de_service").is_in(general["date"].unique().to_list())
    return (
        lines.join(here.lazy(), left_on=["date_de_service", "lieu"], right_on=["date", "lieu"], how="left")
        .with_columns(is_holiday=pl.coalesce("holds", everywhere))
        .drop("holds")
    )


def _general(published: pl.DataFrame, years: Iterable[int]) -> pl.DataFrame:
    """(date, name) of the days that hold for everyone."""
    known = published.filter(pl.col("applies_to") == EVERYWHERE).select("date", "name")
    missing = sorted(set(years) - set(known["date"].dt.year()))
    agreed = [day for year in missing for day in agreed_holidays(year).items()]
    return pl.concat([known, pl.DataFrame(agreed, schema=known.schema, orient="row")])


def _own(published: pl.DataFrame, general: pl.DataFrame) -> pl.DataFrame:
    """(date, lieu, holds): an establishment's own days, and the general ones that they stand for there."""
    # The year of reference runs from 1 May to 30 April.
    year = pl.col("date").dt.offset_by("-4mo").dt.year().alias("year")
    own = published.filter(pl.col("applies_to") != EVERYWHERE).select(
        "date", "name", year, lieu=pl.col("applies_to").str.zfill(5)
    )
    replaced = own.join(general.select("name", year, general="date"), on=["name", "year"])
    return (
        pl.concat(
            [
                own.select("date", "lieu", holds=True),
                replaced.select("lieu", date="general", holds=pl.lit(False)).select("date", "lieu", "holds"),
            ]
        )
        .group_by("date", "lieu")
        .agg(pl.col("holds").any())
    )
