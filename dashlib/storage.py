"""A run's own tables: loaded by COPY beside the judging, indexed when full, attached last, dropped to clear.

A run's rows lie in partitions of its own. They are tables apart until the end of the load: whatever ties them to their
parents or to the run any earlier would lock out its heartbeat until the commit.
"""

import io
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import cast
from uuid import UUID

import polars as pl
import psycopg
import sqlalchemy as sa
from psycopg import sql

from dashlib.rollups import RollUps

BLOCK = 100_000  # rows of a COPY block: large enough to be fast, small enough to show progress

RECORDS: dict[str, pl.Expr] = {
    "row_number": pl.col("row_number"),
    "facture": pl.col("facture"),
    "id_ramq": pl.col("id_ramq"),
    "date_de_service": pl.col("date_de_service"),
    "debut": pl.when(pl.col("debut_min").is_not_null()).then("debut"),
    "fin": pl.when(pl.col("fin_min").is_not_null()).then("fin"),
    "lieu_de_pratique": pl.col("lieu_de_pratique"),
    "secteur_activite": pl.col("secteur_activite"),
    "diagnostic": pl.col("diagnostic"),
    "code": pl.col("code"),
    "unites": pl.col("unites").cast(pl.String).str.strip_suffix(".0"),
    "role": pl.col("role"),
    "element_de_contexte": pl.col("element_de_contexte"),
    "montant_preliminaire": pl.col("montant_preliminaire"),
    "montant_paye": pl.col("montant_paye"),
    "doctor": pl.col("doctor"),
    "patient": pl.col("patient"),
    "periode": pl.col("periode"),
    "doctor_name": pl.col("doctor_name"),
    "patient_name": pl.col("patient_name"),
}
# What stood in the place of a time that cannot be read: for judging the line again, not for showing.
UNREAD_TIMES: dict[str, pl.Expr] = {
    f"{name}_illisible": pl.when(pl.col(f"{name}_min").is_null()).then(name) for name in ("debut", "fin")
}
RESULTS: dict[str, pl.Expr] = {
    **{
        name: pl.col(name)
        for name in (
            *("rule_id", "severity", "message", "invoice", "patient", "code", "amount", "date_service", "row_number"),
            *("doctor", "category", "rule_version", "fingerprint", "details", "number", "line_mark"),
            *("at_risk", "to_repay", "gain", "lieu_de_pratique", "id_ramq", "is_paid"),
        )
    },
    "related": pl.format("{{{}}}", pl.col("related").list.eval(pl.element().cast(pl.String)).list.join(",")),
}
REJECTED = {name: pl.col(name) for name in ("row_number", "line_number", "error_code", "column_name", "raw")}
FIGURES = 20163
"""The database's lock on which run holds a doctor's day, and on what follows from it."""


class Load:
    """One run's load, in one transaction of its own connection: nothing is seen before `finish` and the commit."""

    def __init__(self, connection: sa.Connection, run_id: UUID) -> None:
        self.connection = connection
        self.run_id = run_id
        self._do("start_load")

    def cancel(self) -> None:
        """Stops what is being copied, from another thread."""
        driver(self.connection).cancel()

    def records(self, lines: pl.DataFrame, copied: Callable[[int], None] | None = None) -> None:
        """Copies and indexes the lines (of `records.prepare`); `copied` is told the rows copied so far."""
        self._fill("billing_records", lines, RECORDS | UNREAD_TIMES, copied)

    def results(self, results: pl.DataFrame) -> None:
        """Copies and indexes the results, whose columns are at least those of RESULTS."""
        self._fill("validation_results", results, RESULTS)

    def rejected(self, rejected: pl.DataFrame) -> None:
        """Copies and indexes the lines that could not become records."""
        self._fill("rejected_records", rejected, REJECTED)

    def take_figures(self) -> None:
        """From here to the commit no other run and nobody who sets results aside changes figures."""
        self.connection.execute(sa.select(sa.func.pg_advisory_xact_lock(FIGURES)))

    def roll_ups(self, roll_ups: RollUps) -> None:
        """Copies the roll-ups. The run's days count from now on, but those that a newer run holds already."""
        self.rows("rollup_doctor_days", roll_ups.doctor_days)
        of_newer = sa.text("SELECT date_de_service, doctor FROM take_days(:run)")
        days = self.connection.execute(of_newer, {"run": self.run_id})
        names = {"date_de_service": pl.Date, "doctor": pl.String}
        lost = pl.DataFrame([tuple(day) for day in days], schema=names, orient="row").with_columns(in_force=False)
        for table, rows in (("rollup_days", roll_ups.days), ("rollup_rules", roll_ups.rules)):
            known = rows.join(lost, on=list(names), how="left").with_columns(pl.col("in_force").fill_null(True))
            self.rows(table, known.sort(*names))
        self.rows("rollup_contexts", roll_ups.contexts)
        self.rows("rollup_run_days", roll_ups.run_days)
        touched = {name: roll_ups.doctor_days[name].unique().to_list() for name in names}
        sums = sa.text("SELECT sum_weeks(CAST(:date_de_service AS date[]), CAST(:doctor AS text[]))")
        self.connection.execute(sums, touched)

    def rows(self, table: str, rows: pl.DataFrame) -> None:
        """Copies rows of this run into a table that all runs share."""
        columns = {"validation_run_id": pl.lit(str(self.run_id))} | {name: pl.col(name) for name in rows.columns}
        copy_rows(self.connection, table, rows, columns)

    def finish(self) -> None:
        """Makes the run's tables partitions; from here on its heartbeats wait, so the commit must follow at once."""
        self._do("attach_load")

    def _fill(
        self,
        parent: str,
        rows: pl.DataFrame,
        columns: dict[str, pl.Expr],
        copied: Callable[[int], None] | None = None,
    ) -> None:
        # The run's id is its tables' default, and a table made in this transaction is written frozen: no later vacuum.
        table = f"{parent}_{self.run_id.hex}"
        copy_rows(self.connection, table, rows, {"id": uuid7()} | columns, copied, options="FORMAT csv, FREEZE")
        self._do("finish_load", parent)

    def _do(self, function: str, *arguments: str) -> None:
        """DDL is the owner's; the library may only ask for that of a load."""
        self.connection.execute(sa.select(getattr(sa.func, function)(self.run_id, *arguments)))


def driver(connection: sa.Connection) -> psycopg.Connection:
    """psycopg's own connection below: COPY is its word, not SQLAlchemy's. Both are in one transaction."""
    return cast(psycopg.Connection, connection.connection.driver_connection)


def copy_rows(
    connection: sa.Connection,
    table: str,
    rows: pl.DataFrame,
    columns: dict[str, pl.Expr],
    copied: Callable[[int], None] | None = None,
    *,
    options: str = "FORMAT csv",
) -> None:
    """COPY of rows, a block at a time, into the table's columns of these names."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN ({})").format(sql.Identifier(table), names, sql.SQL(options))
    with driver(connection).cursor().copy(statement) as copy:
        for start in range(0, rows.height, BLOCK):
            block = rows.slice(start, BLOCK).lazy().with_row_index("n", offset=start).select(**columns)
            copy.write(_csv(block))
            if copied is not None:
                copied(min(start + BLOCK, rows.height))


def _csv(rows: pl.LazyFrame) -> memoryview:
    text = io.BytesIO()
    rows.collect(engine="in-memory").write_csv(text, include_header=False)
    return text.getbuffer()


def uuid7() -> pl.Expr:
    """UUIDs of version 7 as a column, from the row index `n`: this millisecond, bits of this load, then a counter.

    Ascending keys fill an index from one end; random ones cost the load four times as much.
    """
    milliseconds = int(datetime.now().astimezone().timestamp() * 1000)
    prefix = f"{milliseconds:012x}7{secrets.randbits(12):03x}{8 + secrets.randbits(2):x}{secrets.randbits(20):05x}"
    return pl.lit(prefix) + pl.col("n").cast(pl.String).str.zfill(10)
