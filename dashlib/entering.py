"""Changing one row of the reference by hand: what an import then leaves as it is.

Of a code one amount holds on each day: a new one ends that before it, and ends itself before the next.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import polars as pl
import sqlalchemy as sa

from dashlib import reference
from dashlib.catalogue import (
    ENTERED,
    PRICES,
    TABLES,
    Table,
    active_rows,
    close_tariffs,
    lock_reference,
    note_change,
    require_editor,
    take_out,
    write_rows,
)
from dashlib.errors import NotFound, RuleError
from dashlib.imports import FORMS, ReferenceRefused
from dashlib.imports.cells import LINE, header_name, renamed
from dashlib.imports.tables import read_table
from dashlib.workbench import Workbench

EMPTY = ("", "-")  # what clears a field
DAYS = ("valid_from", "valid_to")
DAY = timedelta(days=1)
ENDS = (("begins", "from"), ("ends", "to"))

type Outcome = Literal["added", "changed"]


@dataclass(frozen=True)
class Entry:
    """What setting a row did: the last day of the amount before, and that of the new one, where either was cut."""

    outcome: Outcome
    before_ends: date | None = None
    ends: date | None = None


def set_row(wb: Workbench, name: str, key: str, given: Mapping[str, str]) -> Entry:
    """Changes the row of this key, or adds it. A field that the table does not have goes into custom_fields.

    Of a code with several rows, `place`, `role` and `kind` say which, and `valid_from` of which day; else the one that
    has not ended. A new amount from another day is a row of its own: the amount before it ends the day before, and it
    ends itself the day before the next.

    Raises:
        RuleError: DL-REF-052, a value is not what its field holds; DL-REF-053, several rows are meant; DL-REF-055, a
            field that a new row needs is missing; DL-REF-057, two amounts would hold on the same day.
        AccessDenied: DL-REF-051, the viewer may not change the reference.
    """
    require_editor(wb)
    table = TABLES[name]
    fields = _named(table, key, given)
    with wb.database.connect() as connection:
        lock_reference(connection)
        found = _meant(_matching(connection, table, fields), fields)
        if found.height > 1:
            raise RuleError("DL-REF-053", key=key, count=found.height, fields=", ".join(table.selectors))
        row = _typed_row(table, {**_as_text(found, table), **_entered(table), **fields})
        known = found.clear() if _is_another_period(found, row) else found
        cut, ends = _fit_days(connection, table, row, known, fields)
        row = row.with_columns(valid_to=ends) if ends else row
        by_hand = row.with_columns(pl.lit(ENTERED).alias(table.origin))
        write_rows(connection, table, by_hand.with_columns(known["id"]) if known.height else by_hand)
        outcome: Outcome = "changed" if found.height else "added"
        changed = {name if name in table.columns else "custom_fields" for name in fields if name != table.key[0]}
        details = {"key": key, "fields": sorted(changed), "outcome": outcome}
        note_change(connection, table, "reference.set", details, mark=row.write_json())
    reference.changed(wb, name)
    return Entry(outcome, cut, ends)


def remove_row(wb: Workbench, name: str, key: str, given: Mapping[str, str] | None = None) -> int:
    """Takes the rows of this key out of force; of a code those that have not ended, unless `valid_from` says which.

    Of those, `place`, `role` and `kind` choose.

    Returns:
        How many.

    Raises:
        NotFound: DL-REF-054, there is none.
        AccessDenied: DL-REF-051, the viewer may not change the reference.
    """
    require_editor(wb)
    table = TABLES[name]
    with wb.database.connect() as connection:
        lock_reference(connection)
        fields = _named(table, key, given or {})
        found = _meant(_matching(connection, table, fields), fields)
        if found.is_empty():
            raise NotFound("DL-REF-054", table=name, key=key)
        take_out(connection, table, found["id"])
        note_change(connection, table, "reference.removed", {"key": key, "rows": found.height}, mark=key)
    reference.changed(wb, name)
    return found.height


def _named(table: Table, key: str, given: Mapping[str, str]) -> dict[str, str | None]:
    """The fields given, by our names, with the key among them; «-» is null."""
    cells = pl.DataFrame({header_name(name): [value.strip()] for name, value in given.items()})
    try:
        names: dict[str, str | None] = dict(renamed(cells, FORMS[table.name].words).row(0, named=True)) if given else {}
    except ReferenceRefused as refused:
        raise RuleError("DL-REF-052", column=refused.faults[0].facts["columns"]) from None
    cleared = {name: None if value in EMPTY else value for name, value in names.items()}
    return {**cleared, table.key[0]: key.strip()}


def _matching(connection: sa.Connection, table: Table, fields: Mapping[str, str | None]) -> pl.DataFrame:
    """The rows in force of this key, and of the selectors that are given."""
    wanted = _typed_row(
        table, {**_stand_ins(table), **{n: fields[n] for n in (table.key[0], *table.selectors) if n in fields}}
    )
    rows = active_rows(connection, table)
    asked = [n for n in (table.key[0], *table.selectors) if n in fields or (n == "applies_to")]
    return rows.filter(pl.col(name).eq_missing(wanted[name].item()) for name in asked)


def _stand_ins(table: Table) -> dict[str, str | None]:
    return {name: "x" for name in FORMS[table.name].needed if name != table.key[0]}


def _as_text(found: pl.DataFrame, table: Table) -> dict[str, str | None]:
    """The row that there is, as a file would write it."""
    if found.is_empty():
        return {}
    return {n: None if v is None else str(v) for n, v in found.select(table.names).row(0, named=True).items()}


def _entered(table: Table) -> dict[str, str | None]:
    """What is true of a code entered by hand, unless it says otherwise."""
    return {"source": ENTERED, "trusted": "true", "anchor": None} if table.name == "codes" else {}


def _typed_row(table: Table, fields: Mapping[str, str | None]) -> pl.DataFrame:
    cells = pl.DataFrame({name: [value] for name, value in fields.items()}, schema=dict.fromkeys(fields, pl.String))
    try:
        return read_table(cells.with_columns(pl.lit(1, pl.Int64).alias(LINE)), table.name).select(table.names)
    except ReferenceRefused as refused:
        facts = refused.faults[0].facts
        if refused.code == "DL-REF-024":
            raise RuleError("DL-REF-055", columns=facts["columns"]) from None
        raise RuleError("DL-REF-052", column=facts.get("column", table.key[0])) from None


def _meant(rows: pl.DataFrame, fields: Mapping[str, str | None]) -> pl.DataFrame:
    """Of a code the row that begins on the day given, else those that have not ended."""
    if "valid_to" not in rows.columns:
        return rows
    begun = rows.filter(pl.col("valid_from").cast(pl.String).eq_missing(pl.lit(fields.get("valid_from") or "")))
    return begun if begun.height else rows.filter(pl.col("valid_to").is_null())


def _is_another_period(found: pl.DataFrame, row: pl.DataFrame) -> bool:
    """Whether the row has another amount than the one found, from another day on."""
    if found.is_empty() or "valid_from" not in row.columns or row["valid_from"].item() is None:
        return False
    old, new = found.row(0, named=True), row.row(0, named=True)
    return old["valid_from"] != new["valid_from"] and any(old[name] != new[name] for name in PRICES)


def _fit_days(
    connection: sa.Connection,
    table: Table,
    row: pl.DataFrame,
    known: pl.DataFrame,
    fields: Mapping[str, str | None],
) -> tuple[date | None, date | None]:
    """Ends the amount before, where the row comes in another's days; gives its last day, and that of the row if cut."""
    if table.name != "codes" or (known.height and known.select(DAYS).equals(row.select(DAYS))):
        return None, None
    # Whoever says when an amount ends means that day; and one that is moved does not leave its last day behind.
    is_fixed = bool(known.height) or fields.get("valid_to") is not None
    others = active_rows(connection, table).join(known, on="id", how="anti")
    before, ends = _fitted(others.join(row, on=table.key, how="semi", nulls_equal=True), row, is_fixed)
    if before.is_empty():
        return None, ends
    begins: date = row["valid_from"].item()
    close_tariffs(connection, before["id"], begins)
    return begins - DAY, ends


def _fitted(others: pl.DataFrame, row: pl.DataFrame, is_fixed: bool) -> tuple[pl.DataFrame, date | None]:
    """The rows that end the day before this one begins, and its own last day where another begins later."""
    begins, ends = row["valid_from"].item() or date.min, row["valid_to"].item() or date.max
    spans = others.with_columns(
        begins=pl.col("valid_from").fill_null(date.min), ends=pl.col("valid_to").fill_null(date.max)
    )
    sharing = spans.filter(pl.col("begins") <= ends, pl.col("ends") >= begins).sort("begins")
    before, after = sharing.filter(pl.col("begins") < begins), sharing.filter(pl.col("begins") >= begins)
    # An amount that goes on behind this one would have to be split in two.
    denied = pl.concat([after.filter((pl.col("begins") == begins) | is_fixed), before.filter(pl.col("ends") > ends)])
    if denied.height:
        first = denied.row(0, named=True)
        days = {name: "…" if first[f"valid_{end}"] is None else first[f"valid_{end}"].isoformat() for name, end in ENDS}
        raise RuleError("DL-REF-057", key=first["code"], **days)
    return before, (after["begins"][0] - DAY if after.height else None)
