"""What a fresh install knows: codes that the shipped rules name, context elements, Quebec holidays.

A starter, not the published tables: labels are our own words, and a code that is missing here may well exist. It is
replaced table by table when the published ones are imported.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from importlib import resources

import holidays
import polars as pl

from dashlib.rules.base import CODES, Reference

SOURCE = "Liste de départ de dashlib"
"""What codes of the starter say that they are from."""

_YEARS_BACK = 3


def starter_codes() -> pl.DataFrame:
    """Codes that the shipped rules name, with what the rules tell of them.

    Returns:
        (codes and places, 9), by code and place: code str, 5 digits; description str, French, our own words; place
        str, Cabinet, Établissement or all; tariff_value decimal(10,2) in CAD, null where no rule states it; section,
        level1_group, leaf, source str, null where unknown; trusted bool, false on every line.
    """
    return _table("codes.csv").with_columns(pl.col("tariff_value").cast(pl.Decimal(10, 2)), pl.col("trusted") == "true")


def starter_contexts() -> pl.DataFrame:
    """Context elements of the manual and short codes of billing software, as far as known.

    Returns:
        (contexts, 5): context, description, kind, source str; aliases list[str], other spellings, empty where none.
    """
    aliases = pl.col("aliases").fill_null("").str.split("|").list.filter(pl.element() != "")
    return _table("contexts.csv").with_columns(aliases)


def _table(name: str) -> pl.DataFrame:
    return pl.read_csv(resources.files(__name__).joinpath(name).read_bytes(), infer_schema=False)


def quebec_holidays(years: Iterable[int]) -> pl.DataFrame:
    """Days on which a service counts as given on a holiday, on their calendar dates, never moved.

    Returns:
        (holidays, 2), by date: date date, name str in French.

    Source:
        Manuel des omnipraticiens (list of holidays); Patriots' Day is the Monday before 25 May. Dates that move come
        from the `holidays` library.
    """
    wanted = sorted(set(years))
    days = [day for year in wanted for day in _holidays(year).items()]
    return pl.DataFrame(days, schema={"date": pl.Date, "name": pl.String}, orient="row").sort("date")


def _holidays(year: int) -> dict[date, str]:
    published = holidays.country_holidays(
        "CA", subdiv="QC", years=year, observed=False, categories=("public", "optional"), language="fr"
    )
    # The library knows the days of labour law; the agreement adds these around Christmas and New Year.
    agreed = {
        date(year, 1, 1): "Jour de l'An",
        date(year, 1, 2): "Lendemain du jour de l'An",
        date(year, 12, 24): "Veille de Noël",
        date(year, 12, 25): "Noël",
        date(year, 12, 26): "Lendemain de Noël",
        date(year, 12, 31): "Veille du jour de l'An",
    }
    return dict(published) | agreed


def starter_reference(run_date: date) -> Reference:
    """What lines are judged against before any published table is imported.

    The codes are a starter, so an unknown one is one notice for the whole run. Contexts and holidays are complete, as
    far as the manual lists them.
    """
    years = range((run_date - timedelta(days=366 * _YEARS_BACK)).year, run_date.year + 2)
    return Reference(
        run_date=run_date,
        codes=starter_codes().with_columns(
            pl.lit(None, CODES[name]).alias(name) for name in CODES.keys() - _table("codes.csv").columns
        ),
        contexts=starter_contexts(),
        holidays=quebec_holidays(years).with_columns(applies_to=pl.lit("all")),
        trusted=frozenset({"contexts", "holidays"}),
    )
