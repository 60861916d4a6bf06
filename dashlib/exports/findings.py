"""What was found in an export and where: frames of findings, and the faults that they are told as."""

import polars as pl

from dashlib.errors import Fact, Fault, Level
from dashlib.exports.faults import SHOWN
from dashlib.exports.headers import Header

FOUND = {"row_number": pl.Int64, "line_number": pl.Int64, "code": pl.String, "column": pl.String, "fact": pl.String}
"""`column` is a column of the records, `fact` a number, a code point or the name of a foreign column."""

WARNINGS = ("DL-ROW-002", "DL-ROW-003")


def find(
    rows: pl.DataFrame, where: pl.Expr, code: str, column: str | None = None, fact: pl.Expr | None = None
) -> pl.DataFrame:
    """A finding (FOUND) for each of the rows where this holds."""
    found = rows.select(
        "row_number",
        "line_number",
        code=pl.lit(code),
        column=pl.lit(column, pl.String),
        fact=pl.lit(None, pl.String) if fact is None else fact.cast(pl.String),
        holds=where,
    )
    return found.filter("holds").drop("holds")


def warn(rows: pl.DataFrame, where: pl.Expr, code: str, column: str | None = None) -> list[Fault]:
    """A warning that names the rows where this holds, if there are any; they can be as many as the lines."""
    lines = rows.select("line_number", holds=where).filter("holds")["line_number"]
    return [Fault(code, "warning", tuple(lines.head(SHOWN)), len(lines), column)] if len(lines) else []


def find_torn(rows: pl.DataFrame, header: Header) -> pl.DataFrame:
    """The rows whose shape is at fault, with the column where it shows, or else the number of their fields."""
    torn = rows.filter(pl.col("fault").is_not_null())
    columns = pl.Series([header.column_at(position) for position in torn["position"]], dtype=pl.String)
    names = pl.Series([None if at is None else header.names[at] for at in torn["position"]], dtype=pl.String)
    fact = pl.coalesce(names, pl.col("fields").cast(pl.String))
    return torn.select("row_number", "line_number", code="fault", column=columns, fact=fact)


def as_faults(found: pl.DataFrame, header: Header) -> list[Fault]:
    """One fault for each code, column and fact, with its first lines."""
    kinds = found.group_by("code", "column", "fact", maintain_order=True).agg(
        lines=pl.col("line_number").sort().head(SHOWN), count=pl.len()
    )
    return [
        Fault(code, _level(code), tuple(lines), count, column, _facts(column, fact, header))
        for code, column, fact, lines, count in kinds.iter_rows()
    ]


def _level(code: str) -> Level:
    return "warning" if code in WARNINGS else "rejected"


def _facts(column: str | None, fact: str | None, header: Header) -> dict[str, Fact]:
    facts: dict[str, Fact] = {"fact": fact or "", "expected": len(header.names)}
    return facts if column else {"column": fact or "", **facts}
