"""Which of several sources a row of the reference is taken from, so that no amount stands there twice.

What somebody entered by hand stands above the official manual, that above lists which users bring, these above the
starter. The table scraped from the manual's page only fills in for codes of which nobody else has an amount.
"""

from collections.abc import Sequence
from datetime import date

import polars as pl

from dashlib.catalogue import ENTERED, Table
from dashlib.imports import BROCHURE, MANUAL, SCRAPED_TABLE, Imported
from dashlib.imports.faults import DOUBTED
from dashlib.starter import SOURCE as STARTER

SCRAPED = (SCRAPED_TABLE, BROCHURE)
LOWEST = (STARTER, *SCRAPED)
NO_LIST = (ENTERED, MANUAL, *LOWEST)

TARIFF = ("code", "place", "role", "kind")
"""What an amount is for; of these one holds on a day."""
TITLES = ("section", "level1_group", "leaf")
CURRENT = pl.col("valid_to").is_null()
SOURCE = pl.col("source")


def titled(imported: Imported, existing: pl.DataFrame) -> pl.DataFrame:
    """The rows of codes with the titles that there are, where the file has none; the scraped table has them wrong.

    Rules name codes by their titles, and the starter, which knows them, gives way to the rows of the file.
    """
    scraped = imported.form == "scraped"
    taken = (*TITLES, "description") if scraped else TITLES
    # Rows of the file that are there already have found their titles before.
    same = ("code", "place", "tariff_value") if scraped else TARIFF
    known = existing.sort("code", "place", *TITLES, nulls_last=True)
    rows = imported.rows
    for donors, on in ((SOURCE == STARTER, ("code",)), (SOURCE.is_in(imported.sources), same)):
        titles = known.filter(donors & pl.col("section").is_not_null()).unique(list(on), keep="first")
        given = titles.select(*on, *(pl.col(name).alias(f"{name}_known") for name in taken), is_known=pl.lit(True))
        rows = rows.join(given, on=list(on), how="left", nulls_equal=True, maintain_order="left")
        takes = pl.col("is_known").fill_null(False) & (pl.lit(scraped) | pl.col("section").is_null())
        rows = rows.with_columns(
            pl.when(takes).then(f"{name}_known").otherwise(name).alias(name) for name in taken
        ).select(imported.rows.columns)
    return rows


def pass_over(
    rows: pl.DataFrame, imported: Imported, table: Table, existing: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows to take, and those of which a better source has the same (DOUBTED), whatever they say."""
    is_there = _among(rows, existing, table.names)
    if table.name != "codes":
        by_hand = existing.filter(pl.col(table.origin) == ENTERED)
        reason = _first(yours=_among(rows, by_hand, table.key) & ~is_there)
    elif imported.form == "scraped":
        reason = _first(**_scraped(rows, existing))
    else:
        is_low = rows["source"].is_in(LOWEST)
        above = existing.filter(SOURCE.is_in([MANUAL, ENTERED]))
        same = _among(rows, existing.filter(SOURCE == MANUAL, CURRENT), TARIFF) & rows["valid_to"].is_null()
        reason = _first(
            yours=_is_by_hand(rows, existing, imported) & ~is_there,
            manual=same & ~rows["source"].is_in([MANUAL, ENTERED]),
            better=_among(rows, above, ("code",)) & is_low & ~is_there,
        )
    marked = rows.with_columns(reason=reason)
    passed = marked.filter(pl.col("reason").is_not_null())
    return marked.filter(pl.col("reason").is_null()).drop("reason"), _told(passed, table)


def _is_by_hand(rows: pl.DataFrame, existing: pl.DataFrame, imported: Imported) -> pl.Series:
    """Whether somebody entered, for days of a row, what it is about; a file that tells no days speaks of today."""
    begins, ends = pl.col("valid_from").fill_null(date.min), pl.col("valid_to").fill_null(date.max)
    by_hand = existing.filter(SOURCE == ENTERED, pl.lit(imported.dated) | CURRENT)
    by_hand = by_hand.select("code", "place", "kind", hand="role", from_day=begins, to_day=ends)
    on = ["code", "place", "kind"]
    both = rows.with_row_index("row").join(by_hand, on=on, nulls_equal=True)
    both = both.filter(pl.col("hand").is_null() | pl.col("hand").eq_missing("role"))
    if imported.dated:
        both = both.filter(begins <= pl.col("to_day"), ends >= pl.col("from_day"))
    return pl.int_range(rows.height, eager=True, dtype=pl.UInt32).is_in(both["row"].implode())


def _scraped(rows: pl.DataFrame, existing: pl.DataFrame) -> dict[str, pl.Series]:
    """Why rows of the scraped table are left: each code is taken from one source, whatever its places are there."""
    has_amount = (SOURCE != STARTER) | pl.col("tariff_value").is_not_null()
    better = {
        "yours": SOURCE == ENTERED,
        "manual": SOURCE == MANUAL,
        "better": ~SOURCE.is_in(SCRAPED) & has_amount,
    }
    held = {name: _among(rows, existing.filter(those), ("code",)) for name, those in better.items()}
    ordered = rows.sort("source", "line")
    first_at, first = (
        ordered.unique(list(of), keep="first")["line"].implode()
        for of in (("code", "place"), ("code", "place", "tariff_value"))
    )
    # The page repeats amounts under other titles; of the brochure no amount is better than another.
    of_brochure = (rows["source"] == BROCHURE) & ~rows["line"].is_in(first_at)
    return held | {"repeated": ~rows["line"].is_in(first), "contradictory": of_brochure}


def give_way(left: pl.DataFrame, kept: pl.DataFrame, imported: Imported) -> pl.DataFrame:
    """Rows of codes in force, of other sources, in whose stead the file's now stand."""
    scraped = imported.form == "scraped"
    speaking = kept if scraped else kept.filter(~SOURCE.is_in(LOWEST))
    # The starter knows where a code stands: who knows that too speaks for the code, others for one place of it.
    placed = imported.rows.filter(pl.col("section").is_not_null()).join(speaking, on=["line", "code"], how="semi")
    lowest = left.filter(SOURCE.is_in([STARTER] if scraped else LOWEST))
    lists = left.filter(~SOURCE.is_in([*NO_LIST, *imported.sources]), CURRENT)
    of_manual = left.filter(SOURCE == MANUAL, CURRENT)
    given = [
        _those(lowest, placed, ("code",)),
        _those(lowest, speaking, ("code", "place")),
        _those(lists, kept.filter(CURRENT, ~SOURCE.is_in(LOWEST)), TARIFF),
        _those(of_manual, kept.filter(CURRENT, SOURCE == ENTERED), TARIFF),
    ]
    return pl.concat(given).unique("id", maintain_order=True)


def own_sources(imported: Imported) -> list[str]:
    """The sources whose rows an import of this kind of file has brought: what it lacks of them goes."""
    return {"page": [MANUAL], "scraped": list(SCRAPED)}.get(
        imported.form, [source for source in imported.sources if source not in NO_LIST]
    )


def _among(rows: pl.DataFrame, held: pl.DataFrame, on: Sequence[str]) -> pl.Series:
    """Whether each row has its like, in these columns, among those held."""
    marks = held.select(on).unique().with_columns(is_held=pl.lit(True))
    return (
        rows.select(on)
        .join(marks, on=list(on), how="left", nulls_equal=True, maintain_order="left")["is_held"]
        .fill_null(False)
    )


def _those(rows: pl.DataFrame, like: pl.DataFrame, on: Sequence[str]) -> pl.DataFrame:
    return rows.join(like, on=list(on), how="semi", nulls_equal=True)


def _first(**reasons: pl.Series) -> pl.Expr:
    """The first reason that there is, by row."""
    return pl.coalesce(pl.when(held).then(pl.lit(name)) for name, held in reasons.items())


def _told(passed: pl.DataFrame, table: Table) -> pl.DataFrame:
    said = {name: pl.lit(None, dtype) for name, dtype in DOUBTED.items() if name not in passed.columns}
    key = pl.col(table.key[0]).cast(pl.String)
    return passed.with_columns(**(said | {"code": key})).select(DOUBTED.keys()).cast(pl.Schema(DOUBTED))
