"""How long a service lasted, as its line tells it; minutes are whole."""

import polars as pl

# Source: rule types, 9. A service that seems to end before it began ran past midnight if it was no longer than that.
LONGEST_OVERNIGHT = 12 * 60
# Fewer units than that are periods or people, not minutes.
LEAST_UNITS = 5

_APART = pl.col("fin_min") - pl.col("debut_min")
_OVERNIGHT = _APART + 1440

BY_TIMES = pl.when(_APART > 0).then(_APART).when((_APART < 0) & (_OVERNIGHT <= LONGEST_OVERNIGHT)).then(_OVERNIGHT)
"""From start to end, null where one is absent, both are equal, or the end comes before the start by day."""

TELLS_TIME = ((_APART > 0) | (_APART <= LONGEST_OVERNIGHT - 1440)).fill_null(False)
"""True where BY_TIMES tells something, which is quicker to know than what."""


def by_units(least: pl.Expr | int = LEAST_UNITS) -> pl.Expr:
    """What software writes as units and means as minutes, without its fraction; null under `least`."""
    whole = pl.col("unites").floor().cast(pl.Int64, strict=False)
    return pl.when(whole >= least).then(whole)
