"""SQL of one's own over the documented views: read only, and with no right to anything else.

PostgreSQL sees to that, whatever the statement says (migration 0010): it is answered by a function of the role that may
read the views alone. Here it is only made ready: its columns are found, its `:names` become bound values.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import psycopg
import sqlalchemy as sa
from psycopg import sql
from psycopg.types.json import Jsonb

from dashlib.errors import UsageError
from dashlib.workbench import Workbench

MOST = 10_000
"""Rows of an answer; whoever needs more of them takes an export."""

PATIENCE_S = 30
JSONB = 3802  # its number in every PostgreSQL

# What is no place for a `:name`: words in quotes, comments, casts. Then the names.
TOKENS = re.compile(
    r"""[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*" | \$(\w*)\$.*?\$\1\$ | --[^\n]* | /\*.*?\*/ | ::
    | :(?P<name>[A-Za-z_]\w*)""",
    re.X | re.S,
)
TYPES = {
    bool: "boolean",
    int: "bigint",
    float: "double precision",
    Decimal: "numeric",
    date: "date",
    datetime: "timestamptz",
    str: "text",
}
DTYPES: dict[int, Any] = {
    16: pl.Boolean,
    **dict.fromkeys((20, 21, 23, 26), pl.Int64),
    **dict.fromkeys((700, 701), pl.Float64),
    1082: pl.Date,
    1083: pl.Time,
    1114: pl.Datetime("us"),
    1184: pl.Datetime("us", "UTC"),
}
NUMERIC = 1700
UNREADABLE = {
    "42P01": "DL-SQL-009",
    "42703": "DL-SQL-010",
    "42883": "DL-SQL-011",
    "42803": "DL-SQL-012",
    "42702": "DL-SQL-013",
}
# The database itself: it broke off, is going down, or its disk is full.
OF_THE_SERVER = ("08", "57P", "53100")


@dataclass(frozen=True)
class Answer:
    """The rows of an answer, at most MOST of them; `is_cut` when there were more."""

    frame: pl.DataFrame
    is_cut: bool


def ask(wb: Workbench, statement: str, given: Mapping[str, Any] | None = None) -> Answer:
    """Answers one SELECT over the views; each `:name` in it takes its value of `given`.

    Values are True, False, whole and decimal numbers, dates, text, None, and lists of one kind of these.

    Raises:
        UsageError: DL-SQL-001, it cannot be read; 002, it is no single SELECT; 003, it wants more than the views; 004,
            it took more than PATIENCE_S; 005, it stopped underway; 006, a name without a value; 007, a value of no
            known kind; 008, two columns of one name; 009 to 013, a word in it is not known or not clear.
    """
    names, bound = _bind(statement, given or {})
    with wb.database.raw() as connection, connection.transaction(force_rollback=True):
        connection.execute(f"SET TRANSACTION READ ONLY; SET LOCAL search_path = dashlib_views; "
                           f"SET LOCAL statement_timeout = '{PATIENCE_S}s'; SET LOCAL lock_timeout = '5s'")  # fmt: skip
        columns = _columns(connection, bound)
        with _told():
            asked = connection.execute(_question(columns), [bound, Jsonb(names), MOST + 1])
            rows = asked.fetchall()
            return Answer(_frame(asked, rows[:MOST]), len(rows) > MOST)


def views(wb: Workbench, lang: str = "fr") -> pl.DataFrame:
    """What can be asked: (views and columns, 4) view, column, type, about; a view's own row, first, has no column."""
    query = sa.text("""
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), d.description
        FROM pg_class AS c
        JOIN pg_description AS d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass
        LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND a.attnum > 0
        WHERE c.relnamespace = 'dashlib_views'::regnamespace AND c.relkind = 'v'
        ORDER BY c.relname, d.objsubid
    """)
    spoken = ("fr", "en").index(lang)
    with wb.database.connect() as connection:
        rows = [(*row[:3], row[3].split("\n")[spoken]) for row in connection.execute(query)]
    return pl.DataFrame(rows, schema=dict.fromkeys(("view", "column", "type", "about"), pl.String), orient="row")


def _bind(statement: str, given: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The values by name, and the statement with a typed place for each."""
    values: dict[str, Any] = {}

    def place(found: re.Match[str]) -> str:
        name = found["name"]
        if name is None:
            return found[0]
        if name not in given:
            raise UsageError("DL-SQL-006", name=name)
        kind, values[name] = _kind(name, given[name])
        if kind.endswith("[]"):
            return f"ARRAY(SELECT jsonb_array_elements_text($1->'{name}')::{kind[:-2]})"
        return f"($1->>'{name}')::{kind}"

    return values, TOKENS.sub(place, statement)


def _kind(name: str, value: Any) -> tuple[str, Any]:
    """PostgreSQL's word for the kind of a value, and the value as JSON has it."""
    if isinstance(value, pl.Series):
        value = value.to_list()
    if isinstance(value, list | tuple | set):
        kinds = {_kind(name, each)[0] for each in value} or {"text"}
        if len(kinds) == 1 and not (kind := kinds.pop()).endswith("[]"):
            return f"{kind}[]", [_kind(name, each)[1] for each in value]
    elif value is None:
        return "text", None
    elif type(value) in TYPES:
        written = value if isinstance(value, bool | int | str) else str(value)
        return TYPES[type(value)], written
    raise UsageError("DL-SQL-007", name=name)


def _columns(connection: psycopg.Connection, bound: str) -> list[sql.Composed]:
    """The columns of the answer with their types: PostgreSQL reads the statement, and does nothing yet."""
    wire, encoding = connection.pgconn, "utf-8"
    made = wire.prepare(b"", bound.encode(encoding), [JSONB])
    if made.status == psycopg.pq.ExecStatus.FATAL_ERROR:
        raise _unreadable(psycopg.errors.error_from_result(made, encoding), bound)
    told = wire.describe_prepared(b"")
    if not told.nfields:
        raise UsageError("DL-SQL-002")
    names = [(told.fname(i) or b"").decode(encoding) for i in range(told.nfields)]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError("DL-SQL-008", name=twice)
    kinds = [[told.ftype(i), told.fmod(i)] for i in range(told.nfields)]
    types = [connection.execute("SELECT format_type(%s::oid, %s::int)", kind).fetchone() for kind in kinds]
    written = [row[0] for row in types if row]
    # The names of types are PostgreSQL's own, quoted by it where need be.
    return [sql.SQL("{} " + kind).format(sql.Identifier(name)) for name, kind in zip(names, written, strict=True)]


def _question(columns: list[sql.Composed]) -> sql.Composed:
    asked = sql.SQL("SELECT * FROM dashlib_views.ask(%s, %s, %s) AS asked({})")
    return asked.format(sql.SQL(", ").join(columns))


def _unreadable(refused: psycopg.Error, bound: str) -> UsageError:
    """Why a statement cannot be read, with the word at which; of data nothing has been looked at by then."""
    at = refused.diag.statement_position
    if at is None:
        several = refused.sqlstate == "42601"  # «cannot insert multiple commands into a prepared statement»
        return UsageError("DL-SQL-002") if several else UsageError("DL-SQL-005", state=refused.sqlstate or "—")
    before, rest = bound[: int(at) - 1], bound[int(at) - 1 :]
    word = re.match(r"'[^']{0,40}'?|[\w.\"]+|\S|$", rest)
    code = UNREADABLE.get(refused.sqlstate or "", "DL-SQL-001")
    return UsageError(code, line=before.count("\n") + 1, near=word[0] if word else "")


@contextmanager
def _told() -> Iterator[None]:
    """What stops a statement underway, without PostgreSQL's words: they can quote a row."""
    try:
        yield
    except psycopg.errors.QueryCanceled:
        raise UsageError("DL-SQL-004", seconds=PATIENCE_S) from None
    except REFUSED:
        raise UsageError("DL-SQL-003") from None
    except psycopg.Error as stopped:
        state = stopped.sqlstate or ""
        if isinstance(stopped, psycopg.OperationalError) and (not state or state.startswith(OF_THE_SERVER)):
            raise
        raise UsageError("DL-SQL-005", state=state or type(stopped).__name__) from None


REFUSED = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.FeatureNotSupported,
    psycopg.errors.InvalidCursorDefinition,
    psycopg.errors.ActiveSqlTransaction,
    psycopg.errors.InvalidTableDefinition,  # what comes back is no column: of a function that does something instead
)


def _frame(asked: psycopg.Cursor[tuple[Any, ...]], rows: Sequence[tuple[Any, ...]]) -> pl.DataFrame:
    """The rows as a frame whose columns have the database's types; what has no like here is text."""
    described = asked.description or []
    cells = list(zip(*rows, strict=True)) or [()] * len(described)
    return pl.DataFrame([_series(column, list(values)) for column, values in zip(described, cells, strict=True)])


def _series(column: psycopg.Column, values: list[Any]) -> pl.Series:
    known = DTYPES.get(column.type_code)
    if known is not None:
        return pl.Series(column.name, values, dtype=known)
    if column.type_code == NUMERIC:
        return _decimals(column, values)
    if any(isinstance(value, list) for value in values):
        return pl.Series(column.name, [value and [*map(_written, value)] for value in values], dtype=pl.List(pl.String))
    return pl.Series(column.name, [*map(_written, values)], dtype=pl.String)


def _decimals(column: psycopg.Column, values: list[Decimal | None]) -> pl.Series:
    """To the digit that PostgreSQL gave; NaN and infinity, which no decimal is, make them floats."""
    there = [value for value in values if value is not None]
    if not all(value.is_finite() for value in there):
        return pl.Series(column.name, [value and float(value) for value in values], dtype=pl.Float64)
    digits = [-int(value.as_tuple().exponent) for value in there]
    scale = column.scale if column.scale is not None else max(0, *digits, 0)
    return pl.Series(column.name, values, dtype=pl.Decimal(38, min(scale, 20)))


def _written(value: Any) -> str | None:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return None if value is None else str(value)
