"""Answers to a question about a ledger: which results it leaves, what else could be chosen, and the sums. Pure frames.

Money at risk and to repay counts each line once, whatever the number of its results; the three sums are never netted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import polars as pl

from dashlib.explorer.query import BANDS, FACETS, NO_DAYS, PAGE, STAKES, Facet, Query, Word

IN_ORDER: Mapping[str, tuple[str, ...]] = {
    "severity": ("error", "warning", "info"),
    "days": (*BANDS, NO_DAYS),
    "status": ("open", "acknowledged"),
    "state": ("new", "persisting", "fixed", "rule_changed"),
}
"""Facets whose values have an order of their own; the others stand by their counts."""


@dataclass(frozen=True)
class Totals:
    """What a selection holds; a sum is None where one of its results was kept without money."""

    results: int
    lines: int
    invoices: int
    rules: int
    at_risk: Decimal | None
    to_repay: Decimal | None
    gain: Decimal | None


@dataclass(frozen=True)
class Sifter:
    """A ledger's rows and what a searched word means, asked again for every question.

    Args:
        patients: the pseudonyms of the rows' patients, where the word is one of them.
    """

    rows: pl.DataFrame
    word: Word
    searched: bool
    patients: pl.Series | None = None

    def selection(self, query: Query) -> pl.DataFrame:
        """The rows that a question leaves, in its order."""
        return ordered(self._left(query), query.sort)

    def facet(self, query: Query, name: Facet) -> pl.DataFrame:
        """What could be chosen in a facet while all others stay as they are.

        Returns:
            (values of all rows, 4) value str, results u32 and money decimal (of `query.measure`), both 0 where the
            other facets leave none of it, chosen bool; in the facet's own order, or the most results first.
        """
        left = self._left(query.but(**{name: ()}))
        counted = left.group_by(name).agg(results=pl.len())
        found = (
            self.rows.select(pl.col(name).unique())
            .join(counted, on=name, how="left")
            .join(_money(left, query.measure, name), on=name, how="left")
            .select(
                pl.col(name).cast(pl.String).alias("value"),
                pl.col("results").fill_null(0),
                pl.col("money").fill_null(0),
            )
            .with_columns(chosen=pl.col("value").is_in(list(getattr(query, name))))
        )
        if name in IN_ORDER:
            place = pl.col("value").replace_strict({v: n for n, v in enumerate(IN_ORDER[name])}, default=99)
            return found.sort(place, "value")
        return found.sort("results", "money", "value", descending=[True, True, False])

    def facets(self, query: Query) -> dict[Facet, pl.DataFrame]:
        """All facets that have a list; `state` only where two runs are compared."""
        return {name: self.facet(query, name) for name in FACETS if name != "state" or query.compare is not None}

    def _left(self, query: Query) -> pl.DataFrame:
        chosen = [
            pl.col(name).is_in(_known(self.rows[name], values).implode()) for name, values in query.chosen.items()
        ]
        if self.searched:
            chosen.append(self._matches())
        return self.rows.filter(chosen) if chosen else self.rows

    def _matches(self) -> pl.Expr:
        word = self.word
        columns = {"patient": pl.lit(self.patients)} if self.patients is not None else {}
        found = [
            columns.get(name, pl.col(name).cast(pl.String)).str.starts_with(text)
            for name, text in word.begins.items()
            if name != "patient" or self.patients is not None
        ]
        found += [pl.col("row_number") == word.row_number] if word.row_number is not None else []
        found += [pl.col("rule_id").is_in(_known(self.rows["rule_id"], word.rules).implode())] if word.rules else []
        return pl.any_horizontal(found).fill_null(False) if found else pl.lit(False)


def _known(column: pl.Series, values: Sequence[str]) -> pl.Series:
    """The values as the column has them; what is none of its words is left out."""
    return pl.Series(values, dtype=pl.String).cast(column.dtype, strict=False).drop_nulls()


def ordered(rows: pl.DataFrame, sort: str) -> pl.DataFrame:
    """Rows in the order that is asked for; equals by run and number, and what is not known last."""
    column = sort.removeprefix("-")
    is_down = sort.startswith("-")
    if column == "severity":
        by = [pl.col("severity").to_physical(), pl.col("stake")]
        return rows.sort(by, descending=[is_down, True], nulls_last=True, maintain_order=True)
    return rows.sort(column, descending=is_down, nulls_last=True, maintain_order=True)


def page(selection: pl.DataFrame, number: int) -> pl.DataFrame:
    """PAGE rows; the last page where there are not so many."""
    return selection.slice((min(number, pages(selection)) - 1) * PAGE, PAGE)


def pages(rows: pl.DataFrame) -> int:
    return max(1, -(-rows.height // PAGE))


def totals(selection: pl.DataFrame) -> Totals:
    """How much a selection holds."""
    counted = ("line", "invoice", "rule_id")
    lines, invoices, rules = selection.select(pl.col(counted).drop_nulls().n_unique()).row(0)
    known = not selection.select(pl.any_horizontal(pl.col(STAKES).is_null().any())).item()
    at_risk, to_repay, gain = (_sum(selection, name) if known else None for name in STAKES)
    return Totals(selection.height, lines, invoices, rules, at_risk, to_repay, gain)


def _sum(rows: pl.DataFrame, measure: str) -> Decimal:
    return Decimal(str(_money(rows, measure, "run")["money"].sum() or 0))


def _money(rows: pl.DataFrame, measure: str, by: str) -> pl.DataFrame:
    """(values of a column, 2) the column, money: a gain of each result, any other sum of each line once."""
    there = rows.filter(pl.col(measure) != 0)
    if measure != "gain":
        there = there.group_by({by, "line"}).agg(pl.col(measure).max())
    return there.group_by(by).agg(money=pl.col(measure).cast(pl.Decimal(38, 2)).sum())


def by_rule(selection: pl.DataFrame) -> pl.DataFrame:
    """(rules, 7) rule_id, severity, results, lines, at_risk, to_repay, gain; the gravest first, then most at stake."""
    return _sums(selection, ["rule_id", "severity"]).sort(pl.col("severity").to_physical(), maintain_order=True)


def by_invoice(selection: pl.DataFrame) -> pl.DataFrame:
    """(invoices, 6) invoice, results, lines, at_risk, to_repay, gain, the most at stake first."""
    return _sums(selection.filter(pl.col("invoice").is_not_null()), ["invoice"])


def described(shown: pl.DataFrame, selection: pl.DataFrame) -> pl.DataFrame:
    """Invoices of `by_invoice`, with doctor, the first date_service, the gravest severity and the fewest days_left."""
    about = (
        selection.filter(pl.col("invoice").is_in(shown["invoice"].implode()))
        .group_by("invoice")
        .agg(pl.col("doctor").first(), pl.col("date_service", "severity", "days_left").min())
    )
    return shown.join(about, on="invoice", how="left", maintain_order="left")


def _sums(rows: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Results, lines and sums of each group, the most at stake first."""
    lines = rows.group_by([*by, "line"]).agg(
        pl.len().alias("results"), pl.col("at_risk", "to_repay").max(), pl.col("gain").sum()
    )
    money = [pl.col(name).cast(pl.Decimal(38, 2)).sum() for name in STAKES]
    grouped = lines.group_by(by).agg(pl.col("results").sum(), pl.len().alias("lines"), *money)
    return grouped.sort(pl.max_horizontal(STAKES), "results", by[0], descending=[True, True, False], nulls_last=True)


def said(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows for drawing, with words in place of categories."""
    return frame.with_columns(
        pl.selectors.categorical().cast(pl.String), pl.selectors.enum().cast(pl.String)
    ).to_dicts()
