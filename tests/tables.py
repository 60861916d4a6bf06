"""Small tables drawn in text, as frames: what the tests judge."""

from datetime import date
from typing import Any

import polars as pl

from dashlib.engine import find_results
from dashlib.records import SCHEMA, prepare
from dashlib.rules import Rule, parse_rules
from dashlib.rules.base import Reference

RUN_DATE = date(2025, 6, 30)
REFERENCE = Reference(run_date=RUN_DATE)
DEFAULTS = {
    "date_de_service": "2025-03-04",
    "lieu_de_pratique": "54999",
    "role": "1",
    "montant_preliminaire": "10,00",
    "montant_paye": "0,00",
    "doctor": "D1",
    "patient": "P1",
}


def cells(text: str) -> list[dict[str, str]]:
    """Rows of a table whose columns are separated by |; an empty cell or - is absent."""
    header, *rows = [line for line in text.strip().splitlines() if line.strip()]
    names = [name.strip() for name in header.split("|")]
    return [dict(zip(names, (cell.strip() for cell in row.split("|")), strict=True)) for row in rows]


def records(text: str, **defaults: str) -> pl.DataFrame:
    """A table as records of an export; `defaults` and DEFAULTS fill the columns that the table does not draw."""
    rows = []
    for number, row in enumerate(cells(text), 1):
        drawn = {name: None if cell in ("", "-") else cell for name, cell in row.items()}
        rows.append({"row_number": number, **DEFAULTS, **defaults, **drawn})
    return frame(rows)


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows of text as a frame with the columns of SCHEMA; what a row lacks is null."""
    text = pl.DataFrame(
        [{name: None if row.get(name) is None else str(row[name]) for name in SCHEMA} for row in rows],
        schema=dict.fromkeys(SCHEMA, pl.String),
    )
    money = pl.col("montant_preliminaire", "montant_paye").str.replace(",", ".")
    return text.with_columns(money, line_number=pl.col("row_number")).select(
        pl.col(n).cast(t) if t != pl.Date else pl.col(n).str.to_date() for n, t in SCHEMA.items()
    )


def rule(condition: dict[str, Any], **more: Any) -> Rule:
    [parsed] = parse_rules([{"name": "RULE", "category": "test", "condition": condition, **more}])
    return parsed


def results(
    rules: Rule | list[Rule], text: str | pl.DataFrame, ref: Reference = REFERENCE, **defaults: str
) -> pl.DataFrame:
    exported = records(text, **defaults) if isinstance(text, str) else text
    return find_results(prepare(exported), rules if isinstance(rules, list) else [rules], ref).results


def broken(rules: Rule | list[Rule], text: str, ref: Reference = REFERENCE, **defaults: str) -> list[int]:
    """Numbers of the lines reported."""
    return results(rules, text, ref, **defaults)["row_number"].to_list()


def skipped(rules: Rule | list[Rule], text: str, ref: Reference = REFERENCE, **defaults: str) -> int:
    counts = find_results(prepare(records(text, **defaults)), rules if isinstance(rules, list) else [rules], ref).counts
    return int(counts["skipped"].sum())
