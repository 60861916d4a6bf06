"""Rows of billing codes, whatever they come from: what makes one doubtful, and frames of the `codes` table."""

import json
from collections.abc import Sequence

import polars as pl

from dashlib.imports.faults import DOUBTED
from dashlib.imports.manual import Reading, Tariff

MONEY = pl.Decimal(10, 2)
CODE_ROWS: dict[str, pl.DataType | type[pl.DataType]] = {
    "code": pl.String,
    "description": pl.String,
    "tariff_value": MONEY,
    "place": pl.String,
    "level_groups": pl.String,
    "section": pl.String,
    "level1_group": pl.String,
    "leaf": pl.String,
    "role": pl.String,
    "kind": pl.String,
    "units": MONEY,
    "cap": MONEY,
    "valid_from": pl.Date,
    "valid_to": pl.Date,
    "source": pl.String,
    "anchor": pl.String,
    "trusted": pl.Boolean,
    "custom_fields": pl.String,
}
"""Columns of a row of `codes`; custom_fields is JSON text, null where there is none."""

TARIFF_OF = ("code", "place", "role", "kind", "valid_from")
"""What an amount is for. Two amounts for the same are one too many."""

# Source: clarifications, "tariff_check": what is outside is a misreading more often than a tariff.
PLAUSIBLE = (2, 10_000)


def manual_rows(reading: Reading, source: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What was read of the manual, as rows of `codes` with their line, and the rows in doubt (DOUBTED)."""
    rows = pl.DataFrame([_row(t, source) for t in reading.tariffs], schema=CODE_ROWS | {"line": pl.Int64}, orient="row")
    told = [(t.line, t.code, t.place, t.tariff_value, doubt) for t in reading.tariffs for doubt in t.doubts]
    strays = [(s.line, s.code, None, s.tariff_value, s.reason) for s in reading.strays]
    read = pl.DataFrame([*told, *strays], schema=DOUBTED, orient="row")
    return doubt(rows.unique([c for c in CODE_ROWS if c != "anchor"], keep="first", maintain_order=True), read)


def _row(tariff: Tariff, source: str) -> tuple[object, ...]:
    more: dict[str, object] = {"indicators": list(tariff.indicators)} if tariff.indicators else {}
    # The manual marks base units to which units of duration are added by an asterisk.
    more |= {"plus_duration": True} if tariff.plus_duration else {}
    fields = {
        **{name: getattr(tariff, name, None) for name in CODE_ROWS},
        "source": source,
        "trusted": not tariff.doubts,
        "custom_fields": json.dumps(more, ensure_ascii=False, sort_keys=True) if more else None,
    }
    return (*fields.values(), tariff.line)


def doubt(rows: pl.DataFrame, known: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows with `trusted` taken from those in doubt, and all doubts: those known, amounts that cannot be, and
    amounts that contradict each other."""
    amount = pl.col("tariff_value")
    contradicted = (amount.n_unique().over(TARIFF_OF) > 1) & amount.is_not_null() & (pl.col("kind") != "supplement")
    marked = rows.with_columns(
        implausible=(amount < PLAUSIBLE[0]) | (amount > PLAUSIBLE[1]),
        contradictory=contradicted,
    )
    found = [
        marked.filter(reason).select(*(c for c in DOUBTED if c != "reason"), reason=pl.lit(reason))
        for reason in ("implausible", "contradictory")
    ]
    trusted = pl.col("trusted") & ~pl.any_horizontal("implausible", "contradictory").fill_null(False)
    kept = marked.with_columns(trusted=trusted).drop("implausible", "contradictory")
    return kept, pl.concat([known, *found]).sort("line", maintain_order=True)


def count_by(rows: pl.DataFrame, column: str) -> dict[str, int]:
    """How many rows of each value, most first."""
    counted = rows[column].drop_nulls().value_counts(sort=True)
    names: Sequence[str] = counted[column].to_list()
    return dict(zip(names, counted["count"].to_list(), strict=True))
