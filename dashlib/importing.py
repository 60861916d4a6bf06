"""Importing a reference file: what would change, and the change itself, in one transaction.

A file speaks for what files of its kind have brought: what it lacks of that becomes inactive. Rows of other sources
stay, unless a better one now has the same (`precedence`), and what somebody entered by hand is never overwritten; only
who asks for it has the file replace the whole table. Where the day of a change is known, the old tariff ends the day
before, so that an old service is judged by the tariff of its day.
"""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

from dashlib import reference
from dashlib.catalogue import (
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
from dashlib.imports import LIST, Imported, count_by, read_reference
from dashlib.precedence import SOURCE, give_way, own_sources, pass_over, titled
from dashlib.storage import copy_rows
from dashlib.workbench import Workbench

VALIDITY = ("valid_from", "valid_to")


@dataclass(frozen=True)
class Plan:
    """What an import changes. Frames hold the table's columns; `changed`, `closed` and `removed` also the row's id.

    `changed` are rows put right in place; `closed` those whose tariff ends the day before `effective`, their successors
    being among `added`; `removed` those that become inactive, with who brought them. `rows` are those taken from the
    file, `passed` those of which a better source has the same, `suspects` those in doubt (DOUBTED both).
    """

    table: Table
    imported: Imported = field(repr=False)
    effective: date | None
    replace: bool
    rows: pl.DataFrame = field(repr=False)
    passed: pl.DataFrame = field(repr=False)
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
        rows = self.rows
        return {
            "table": self.table.name,
            "source": self.imported.source,
            "read": self.imported.read,
            "rows": rows.height,
            "codes": rows["code"].n_unique() if self.table.name == "codes" else None,
            "refused": self.refused.height,
            "refused_by_reason": count_by(self.refused, "reason"),
            "passed": self.passed.height,
            "passed_by_reason": count_by(self.passed, "reason"),
            "suspect": self.suspects.select("line", "code", "place", "tariff_value").unique().height,
            "suspect_by_reason": count_by(self.suspects, "reason"),
            "added": self.added.height,
            "changed": self.changed.height,
            "closed": self.closed.height,
            "removed": self.removed.height,
            "removed_by_source": count_by(self.removed, self.table.origin),
            "unchanged": self.unchanged,
            "effective": self.effective.isoformat() if self.effective else None,
            "replace": self.replace,
        }


def plan_import(wb: Workbench, kind: str, path: Path, *, effective: date | None = None, replace: bool = False) -> Plan:
    """What importing the file would change; nothing is written.

    Args:
        kind: manual, codes, contexts, establishments or holidays.
        effective: the day from which the file's tariffs hold, when it does not tell itself.
        replace: the file is the whole table (of holidays: of its years and places); what it lacks goes, whoever brought
            it, and what it has counts, whoever has it otherwise.

    Raises:
        NotFound: there is no such file.
        RuleError: the file is refused, with all its faults.
        UsageError: DL-REF-050, the file tells its days itself, or has no tariffs.
    """
    imported = _read(path, kind, effective)
    with wb.database.connect() as connection:
        return _plan(connection, imported, effective, replace=replace)


def import_reference(
    wb: Workbench, kind: str, path: Path, *, effective: date | None = None, replace: bool = False
) -> Plan:
    """Imports the file in one transaction, and gives what it changed; arguments and errors are those of plan_import.

    Raises:
        AccessDenied: DL-REF-051, the viewer may not change the reference.
    """
    require_editor(wb)
    imported = _read(path, kind, effective)
    with wb.database.connect() as connection:
        lock_reference(connection)
        plan = _plan(connection, imported, effective, replace=replace)
        if not plan.is_empty:
            _apply(connection, plan)
            details, source = plan.as_dict(), imported.source
            note_change(connection, plan.table, "reference.imported", details, mark=imported.sha256, source=source)
    if not plan.is_empty:
        reference.changed(wb, plan.table.name)
    return plan


def _read(path: Path, kind: str, effective: date | None) -> Imported:
    imported = read_reference(path, kind)
    if effective and (imported.dated or imported.table != "codes"):
        raise UsageError("DL-REF-050", table=imported.table)
    return imported


def _plan(connection: sa.Connection, imported: Imported, effective: date | None, *, replace: bool) -> Plan:
    table = TABLES[imported.table]
    existing = active_rows(connection, table)
    is_codes = table.name == "codes"
    rows = titled(imported, existing) if is_codes else imported.rows
    incoming, passed = pass_over(rows, imported, table, existing.clear() if replace else existing)
    # A file that tells no days says nothing of tariffs that have ended, nor of when the others began.
    is_current = is_codes and not imported.dated
    current = existing.filter(pl.col("valid_to").is_null()) if is_current else existing
    content = [name for name in table.names if not (is_current and name in VALIDITY)]
    fresh = incoming.join(current, on=content, how="anti", nulls_equal=True)
    left = current.join(incoming, on=content, how="anti", nulls_equal=True)
    replaced = give_way(left, incoming, imported) if is_codes and not replace else left.clear()
    mine = left.join(replaced, on="id", how="anti")
    pairs, added, gone = _pair(fresh, _own(mine, imported, table, replace=replace), table, imported)
    gone = gone if replace else _brought(gone, imported, table)
    is_repriced = _is_repriced(effective)
    successors = pairs.filter(is_repriced).with_columns(valid_from=effective) if effective else pairs.clear()
    # What begins on that day or later has no day before it to end on.
    began = (pl.col("valid_from").is_null() | (pl.col("valid_from") < effective)) if effective else pl.lit(False)
    ended, undone = (gone.filter(chosen) for chosen in (began, ~began)) if is_current else (gone.clear(), gone)
    kept = [pl.col(f"{name}_old").alias(name) for name in VALIDITY if is_current]
    columns = ["id", *table.told]
    return Plan(
        table=table,
        imported=imported,
        effective=effective,
        replace=replace,
        rows=incoming,
        passed=passed,
        added=pl.concat([added.select(table.names), successors.select(table.names)]),
        changed=pairs.filter(~is_repriced).with_columns(kept).select("id", *table.names),
        closed=pl.concat([current.join(successors, on="id", how="semi"), ended.select(columns)]),
        removed=pl.concat([replaced.select(columns), undone.select(columns)]),
        unchanged=incoming.height - fresh.height,
        suspects=imported.suspects.join(passed, on="line", how="anti"),
    )


def _own(left: pl.DataFrame, imported: Imported, table: Table, *, replace: bool) -> pl.DataFrame:
    """Rows that the file may put right: of codes those of its sources, of holidays those of its years and places."""
    if table.name == "codes" and not replace:
        return left.filter(SOURCE.is_in(imported.sources))
    if table.name == "holidays":
        spoken = imported.rows.select("applies_to", year=pl.col("date").dt.year()).unique()
        of_list = left.with_columns(year=pl.col("date").dt.year()).join(spoken, on=["applies_to", "year"], how="semi")
        return of_list.drop("year")
    return left


def _brought(gone: pl.DataFrame, imported: Imported, table: Table) -> pl.DataFrame:
    """Of rows that the file lacks, those that an earlier file of its kind brought."""
    if table.name != "codes":
        return gone.filter(pl.col(table.origin) == LIST)
    brought = gone.filter(SOURCE.is_in(own_sources(imported)))
    return brought.filter(pl.col("valid_to").is_null()) if imported.dated else brought


def _pair(
    fresh: pl.DataFrame, mine: pl.DataFrame, table: Table, imported: Imported
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Rows of the file with the row that each puts right (id, old values as …_old), rows to add, and rows gone.

    Where several rows have a key, the nth of the file is the nth of the table, in the order of their amounts.
    """
    key = [*table.key, *(["valid_from"] if imported.dated else [])]
    new, old = _numbered(fresh, key, table), _numbered(mine, key, table)
    on = [*key, "nth"]
    pairs = new.join(old, on=on, suffix="_old", coalesce=True, nulls_equal=True)
    # A key of a join has no old value beside it; it is the same.
    pairs = pairs.with_columns(pl.col(n).alias(f"{n}_old") for n in (*PRICES, *VALIDITY) if n in key)
    gone = old.join(new, on=on, how="anti", nulls_equal=True).select("id", *table.told)
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
    by_list = {} if table.name == "codes" else {"origin": pl.lit(LIST)}
    # Whoever brought a row has brought it, though a list puts it right.
    write_rows(connection, table, plan.changed.with_columns(**(by_list if plan.replace else {})))
    if table.is_unique:
        write_rows(connection, table, plan.added.with_columns(**by_list))
    else:
        copy_rows(connection, table.name, plan.added, {name: pl.col(name) for name in table.names})
