"""The lines of a run that are still kept, as they were exported: what rules can judge again.

A run's records say all that rules ask of a line, so a run judged again from them by the same rules gives the same
results. What differs is how a line is written: "8:05" comes back as "08:05", a doctor as the licence number alone, a
patient with a whole card as the card alone.
"""

import io
from collections.abc import Sequence
from uuid import UUID

import polars as pl
import sqlalchemy as sa
from psycopg import sql

from dashlib.records import SCHEMA
from dashlib.storage import driver
from dashlib.workbench import Workbench

# A time that could be read is kept as a time (24:00 is one, of an end), any other as the text that stood there.
_TIMES = {name: f"coalesce(left({name}::text, 5), {name}_illisible)" for name in ("debut", "fin")}
_KEPT = {name: _TIMES.get(name, name) for name in SCHEMA} | {"line_number": "NULL"}


def kept_lines(wb: Workbench, run_id: UUID, *, rows: Sequence[int] | None = None) -> pl.DataFrame:
    """The kept lines of a run, or those of them with these row numbers, for `records.prepare`.

    Returns:
        (lines, columns of records.SCHEMA), in file order; empty when they were cleared. `line_number` is null. It
        holds identities: judge it, and show only pseudonyms.
    """
    columns = sql.SQL(", ").join(sql.SQL("{} AS {}").format(sql.SQL(v), sql.Identifier(n)) for n, v in _KEPT.items())
    wanted = sql.SQL("validation_run_id = {}").format(sql.Literal(str(run_id)))
    if rows is not None:
        wanted += sql.SQL(" AND row_number = ANY ({}::int[])").format(sql.Literal(list(rows)))
    query = sql.SQL("COPY (SELECT {} FROM billing_records WHERE {} ORDER BY row_number) TO STDOUT (FORMAT csv)")
    text = io.BytesIO()
    with wb.database.connect() as connection, driver(connection).cursor().copy(query.format(columns, wanted)) as copy:
        for block in copy:
            text.write(block)
    return _typed(text.getvalue())


def _typed(text: bytes) -> pl.DataFrame:
    """What PostgreSQL wrote: an empty field is null, and there is no empty text among the records."""
    if not text:
        return pl.DataFrame(schema=SCHEMA)
    lines = pl.read_csv(text, has_header=False, new_columns=list(SCHEMA), infer_schema=False)
    return lines.with_columns(
        pl.col(name).str.to_date() if dtype == pl.Date else pl.col(name).cast(dtype) for name, dtype in SCHEMA.items()
    )


def has_kept_lines(wb: Workbench, run_id: UUID) -> bool:
    """Whether any line of the run is still there to be judged."""
    query = sa.text("SELECT EXISTS (SELECT FROM billing_records WHERE validation_run_id = :run)")
    with wb.database.connect() as connection:
        return bool(connection.scalar(query, {"run": run_id}))
