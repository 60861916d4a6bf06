"""Importing a reference file: what would change, and the change itself, in one transaction.

A file speaks for what it names as its source: rows of other sources stay, and rows that somebody entered by hand are
never overwritten. What it no longer holds becomes inactive. Where the day of a change is known, the old tariff ends the
day before, so that an old service is judged by the tariff of its day.
"""

from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

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
from dashlib.errors import UsageError
from dashlib.imports import MANUAL, SCRAPED_TABLE, Imported, count_by, read_reference
from dashlib.imports.faults import DOUBTED
from dashlib.starter import SOURCE as STARTER
from dashlib.storage import copy_rows
from dashlib.workbench import Workbench

VALIDITY = ("valid_from", "valid_to")


@dataclass(frozen=True)
class Plan:
    """What an import changes. Frames hold the table's columns; `changed`, `closed` and `removed` also the row's id.

    `changed` are rows put right in place; `closed` those whose tariff ends the day before `effective`, their successors
    being among `added`; `removed` those that become inactive. `suspects` are rows of the file in doubt (DOUBTED).
    """

    table: Table
    imported: Imported = field(repr=False)
    effective: date | None
    added: pl.DataFrame = field(repr=False)
    changed: pl.DataFrame = field(repr=False)
    closed: pl.DataFrame = field(repr=False)
    removed: pl.DataFrame = field(repr=False)
    unchanged: int
    suspects: pl.DataFrame = field(repr=False)

    @property
    def refused(self) -> pl.DataFrame:
        return self.imported.refused

    @property
    def is_empty(self) -> bool:
        return all(rows.is_empty() for rows in self.changes.values())

    @property
    def changes(self) -> dict[str, pl.DataFrame]:
        """Rows that come, change and go, by what happens to them: added, changed, closed, removed."""
        return {name: getattr(self, name) for name in ("added", "changed", "closed", "removed")}

    def as_dict(self) -> dict[str, Any]:
        """Counts, for another program and for the log: no cell of the file."""
        rows = self.imported.rows
        return {
            "table": self.table.name,
            "source": self.imported.source,
            "read": self.imported.read,
            "rows": rows.height,
            "codes": rows["code"].n_unique() if self.table.name == "codes" else None,
            "refused": self.refused.height,
            "refused_by_reason": count_by(self.refused, "reason"),
            "suspect": self.suspects.select("line", "code", "place", "tariff_value").unique().height,
            "suspect_by_reason": count_by(self.suspects, "reason"),
            "added": self.added.height,
            "changed": self.changed.height,
            "closed": self.closed.height,
            "removed": self.removed.height,
            "unchanged": self.unchanged,
            "effective": self.effective.isoformat() if self.effective else None,
        }


def plan_import(wb: Workbench, kind: str, path: Path, *, effective: date | None = None) -> Plan:
    """What importing the file would change; nothing is written.

    Args:
        kind: manual, codes, contexts, establishments or holidays.
        effective: the day from which the file's tariffs hold, when it does not tell itself.

    Raises:
        NotFound: there is no such file.
        RuleError: the file is refused, with all its faults.
        UsageError: DL-REF-050, the file tells its days itself, or has no tariffs.
    """
    imported = _read(path, kind, effective)
    with wb.database.connect() as connection:
        return _plan(connection, imported, effective)


def import_reference(wb: Workbench, kind: str, path: Path, *, effective: date | None = None) -> Plan:
    """Imports the file in one transaction, and gives what it changed; arguments and errors are those of plan_import.

    Raises:
        AccessDenied: DL-REF-051, the viewer may not change the reference.
    """
    require_editor(wb)
    imported = _read(path, kind, effective)
    with wb.database.connect() as connection:
        lock_reference(connection)
        plan = _plan(connection, imported, effective)
        if not plan.is_empty:
            _apply(connection, plan)
            details, source = plan.as_dict(), imported.source
            note_change(connection, plan.table, "reference.imported", details, mark=imported.sha256, source=source)
        return plan


def _read(path: Path, kind: str, effective: date | None) -> Imported:
    imported = read_reference(path, kind)
    if effective and (imported.dated or imported.table != "codes"):
        raise UsageError("DL-REF-050", table=imported.table)
    return imported


def _plan(connection: sa.Connection, imported: Imported, effective: date | None) -> Plan:
    table = TABLES[imported.table]
    existing = active_rows(connection, table)
    agreed, denied = _agreeing(imported, existing)
    incoming, yours = _split_yours(agreed, existing)
    # A file that tells no days says nothing of tariffs that have ended, nor of when the others began.
    is_current = table.name == "codes" and not imported.dated
    current = existing.filter(pl.col("valid_to").is_null()) if is_current else existing
    content = [name for name in table.names if not (is_current and name in VALIDITY)]
    fresh = incoming.join(current, on=content, how="anti", nulls_equal=True)
    left = current.join(incoming, on=content, how="anti", nulls_equal=True)
    starter, mine = _replaced(left, imported, table)
    pairs, added, gone = _pair(fresh, mine, table, dated=imported.dated)
    is_repriced = _is_repriced(effective)
    successors = pairs.filter(is_repriced).with_columns(valid_from=effective) if effective else pairs.clear()
    # What begins on that day or later has no day before it to end on.
    began = (pl.col("valid_from").is_null() | (pl.col("valid_from") < effective)) if effective else pl.lit(False)
    ended, undone = (gone.filter(chosen) for chosen in (began, ~began)) if is_current else (gone.clear(), gone)
    kept = [pl.col(f"{name}_old").alias(name) for name in VALIDITY if is_current]
    return Plan(
        table=table,
        imported=imported,
        effective=effective,
        added=pl.concat([added.select(table.names), successors.select(table.names)]),
        changed=pairs.filter(~is_repriced).with_columns(kept).select("id", *table.names),
        closed=pl.concat([current.join(successors, on="id", how="semi"), ended]),
        removed=pl.concat([starter, undone]),
        unchanged=incoming.height - fresh.height,
        suspects=pl.concat([imported.suspects, denied, yours]),
    )


def _agreeing(imported: Imported, existing: pl.DataFrame) -> tuple[Imported, pl.DataFrame]:
    """The file with rows of the scraped table untrusted where the manual itself, being there, has other amounts."""
    if imported.source != SCRAPED_TABLE:
        return imported, pl.DataFrame(schema=DOUBTED)
    manual = existing.filter(pl.col("source") == MANUAL).select("code", "tariff_value")
    said = pl.struct("code", "tariff_value").is_in(
        manual.select(pl.struct("code", "tariff_value")).to_series().implode()
    )
    is_denied = pl.col("trusted") & pl.col("code").is_in(manual["code"].implode()) & ~said
    denied = imported.rows.filter(is_denied).select("line", "code", "place", "tariff_value", reason=pl.lit("manual"))
    return replace(imported, rows=imported.rows.with_columns(trusted=pl.col("trusted") & ~is_denied)), denied


def _split_yours(imported: Imported, existing: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows to import, and those left out because somebody entered the same by hand (DOUBTED)."""
    if imported.table != "codes":
        return imported.rows, pl.DataFrame(schema=DOUBTED)
    of = ["code", "place", "kind"]
    entered = existing.filter(pl.col("source") == ENTERED).select(of)
    theirs = pl.col("source") != ENTERED
    marked = imported.rows.join(entered.unique().with_columns(is_yours=True), on=of, how="left", maintain_order="left")
    is_yours = theirs & pl.col("is_yours").is_not_null()
    told = marked.filter(is_yours).select("line", "code", "place", "tariff_value", reason=pl.lit("yours"))
    return marked.filter(~is_yours).drop("is_yours"), told


def _replaced(left: pl.DataFrame, imported: Imported, table: Table) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of lesser sources that the file replaces, and rows that it speaks for without having them as they are."""
    rows = imported.rows
    if table.name == "codes":
        # The starter knows where a code stands in the manual: only who knows that too can replace it, and the scraped
        # table has its titles wrong.
        placed = rows.filter(pl.col("section").is_not_null()).select("code").unique()
        replaces = {MANUAL: [STARTER, SCRAPED_TABLE], SCRAPED_TABLE: []}
        lesser = replaces.get(imported.source, [STARTER])
        of_lesser = left.filter(pl.col("source").is_in(lesser)).join(placed, on="code", how="semi")
        spoken_for = [source for source in imported.sources if source not in (*lesser, STARTER)]
        return of_lesser, left.filter(pl.col("source").is_in(spoken_for))
    if table.name == "holidays":
        # A list speaks for its own years and places.
        spoken = rows.select("applies_to", year=pl.col("date").dt.year()).unique()
        of_list = left.with_columns(year=pl.col("date").dt.year()).join(spoken, on=["applies_to", "year"], how="semi")
        return left.clear(), of_list.drop("year")
    return left.clear(), left


def _pair(
    fresh: pl.DataFrame, mine: pl.DataFrame, table: Table, *, dated: bool
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Rows of the file with the row that each puts right (id, old values as …_old), rows to add, and rows gone.

    Where several rows have a key, the nth of the file is the nth of the table, in the order of their amounts.
    """
    key = [*table.key, *(["valid_from"] if dated else [])]
    new, old = _numbered(fresh, key, table), _numbered(mine, key, table)
    on = [*key, "nth"]
    pairs = new.join(old, on=on, suffix="_old", coalesce=True, nulls_equal=True)
    # A key of a join has no old value beside it; it is the same.
    pairs = pairs.with_columns(pl.col(n).alias(f"{n}_old") for n in (*PRICES, *VALIDITY) if n in key)
    gone = old.join(new, on=on, how="anti", nulls_equal=True).select("id", *table.names)
    if dated:
        gone = gone.filter(pl.col("valid_to").is_null())
    return pairs, new.join(old, on=on, how="anti", nulls_equal=True), gone


def _numbered(rows: pl.DataFrame, key: list[str], table: Table) -> pl.DataFrame:
    return rows.sort(*table.names, nulls_last=True).with_columns(nth=pl.int_range(pl.len()).over(key))


def _is_repriced(effective: date | None) -> pl.Expr:
    """Whether a row's amount changes on a day that is known and later than the day it began."""
    if effective is None:
        return pl.lit(False)
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_old")) for name in PRICES)
    return differs & (pl.col("valid_from_old").is_null() | (pl.col("valid_from_old") < effective))


def _apply(connection: sa.Connection, plan: Plan) -> None:
    """Writes a plan, set-at-a-time; the caller's transaction makes it whole."""
    table = plan.table
    take_out(connection, table, plan.removed["id"])
    if plan.effective:
        close_tariffs(connection, plan.closed["id"], plan.effective)
    write_rows(connection, table, plan.changed)
    if table.is_unique:
        write_rows(connection, table, plan.added)
    else:
        copy_rows(connection, table.name, plan.added, {name: pl.col(name) for name in table.names})
