"""The reference tables as people use them: what is loaded, looking up a code, and what every change has in common.

Nothing is deleted from codes, contexts and establishments: what goes is inactive. Every change leaves its trace in
`audit_events` and a new version in `reference_state`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa

from dashlib.errors import AccessDenied
from dashlib.imports import MANUAL
from dashlib.imports.codes import CODE_ROWS, MONEY
from dashlib.schema import AuditEvent, Base, Code, ContextElement, Establishment, Holiday, ReferenceState, RuleEntry
from dashlib.workbench import Workbench

ENTERED = "Saisie"
"""The source of what somebody entered by hand: imports leave it as it is."""

EDITORS = frozenset({"editor", "admin"})
PRICES = ("tariff_value", "units", "cap")


@dataclass(frozen=True)
class Table:
    """A reference table: its columns as frames have them, and what tells its rows apart.

    Of `key` columns a row in force is the only one, except in codes, where several amounts can stand for the same.
    Lists are text joined by «|», custom_fields is JSON text.
    """

    name: str
    model: type[Base]
    key: tuple[str, ...]
    columns: Mapping[str, Any]
    is_unique: bool = True
    soft: bool = True
    selectors: tuple[str, ...] = field(default=())

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return list(self.columns)

    @property
    def origin(self) -> str:
        """The column that says who brought a row: codes name their source, of other tables no file tells it."""
        return "source" if self.name == "codes" else "origin"

    @property
    def told(self) -> list[str]:
        """The columns' names, and among them or beside them who brought a row."""
        return list(dict.fromkeys((*self.columns, self.origin)))

    @property
    def id(self) -> sa.ColumnElement[Any]:
        """What names a row in an update; a holiday has no id but its key."""
        table = self.model.__table__
        if self.soft:
            return sa.cast(table.c.id, sa.Text)
        return sa.func.concat_ws("@", *(sa.cast(table.c[name], sa.Text) for name in self.key))


_TEXT = dict.fromkeys
TABLES = {
    table.name: table
    for table in (
        Table("codes", Code, ("code", "place", "role", "kind"), CODE_ROWS, False, selectors=("place", "role", "kind")),
        Table(
            "contexts",
            ContextElement,
            ("context",),
            _TEXT(("context", "description", "aliases", "kind", "source", "custom_fields"), pl.String),
        ),
        Table(
            "establishments",
            Establishment,
            ("code",),
            _TEXT(("code", "name", "city", "region", "custom_fields"), pl.String),
        ),
        Table(
            "holidays",
            Holiday,
            ("date", "applies_to"),
            {"date": pl.Date, "applies_to": pl.String, "name": pl.String},
            soft=False,
            selectors=("applies_to",),
        ),
    )
}


def status(wb: Workbench) -> pl.DataFrame:
    """What is loaded of each table.

    Returns:
        (5, 7), by table: table str; rows i64, in force; codes i64, distinct ones, of codes only; source, version str;
        trusted bool; updated_at, UTC.
    """
    tables: dict[str, type[Base]] = {table.name: table.model for table in TABLES.values()} | {"rules": RuleEntry}
    active = [
        sa.select(sa.literal(name).label("table"), sa.func.count().label("rows"))
        .select_from(model)
        .where(_in_force(model))
        for name, model in tables.items()
    ]
    counted = sa.union_all(*active).subquery()
    codes = sa.select(sa.func.count(sa.distinct(Code.code))).where(Code.active.is_(True)).scalar_subquery()
    state = ReferenceState
    return wb.frame(
        sa.select(
            counted.c.table,
            counted.c.rows,
            sa.case((counted.c.table == "codes", codes)).label("codes"),
            state.source,
            state.trusted,
            state.version,
            state.updated_at,
        )
        .join_from(counted, state, state.table_name == counted.c.table, isouter=True)
        .order_by(counted.c.table)
    )


def search(wb: Workbench, words: str, *, limit: int = 50) -> pl.DataFrame:
    """Codes in force whose label holds all the words, in any form, accents or not; or those of a number.

    Returns:
        (rows, 8), best first: code, place, role, kind str, tariff_value CAD, units, description, section, leaf str,
        trusted bool.
    """
    label = sa.func.to_tsvector(sa.text("'french_unaccent'"), Code.description)
    asked = sa.func.websearch_to_tsquery(sa.text("'french_unaccent'"), words)
    is_number = words.strip().isdigit()
    found = Code.code == words.strip().zfill(5) if is_number else label.op("@@")(asked)
    best = [] if is_number else [sa.func.ts_rank(label, asked).desc()]
    shown = ("code", "place", "role", "kind", "tariff_value", "units", "description", "section", "leaf", "trusted")
    today = sa.func.current_date()
    return wb.frame(
        sa.select(*(Code.__table__.c[name] for name in shown))
        .where(Code.active.is_(True), found, sa.or_(Code.valid_to.is_(None), Code.valid_to >= today))
        .order_by(*best, Code.code, Code.place, Code.role, Code.tariff_value)
        .limit(limit)
    )


def export_rows(wb: Workbench, name: str) -> pl.DataFrame:
    """All rows in force of a table, closed tariffs too, as `dashlib reference import` takes them back.

    Returns:
        (rows, the table's columns), by key.
    """
    table = TABLES[name]
    first = (*table.key, *(["valid_from"] if "valid_from" in table.columns else []))
    with wb.database.connect() as connection:
        return active_rows(connection, table).select(table.names).sort(*dict.fromkeys((*first, *table.names)))


def active_rows(connection: sa.Connection, table: Table) -> pl.DataFrame:
    """(rows in force, the table's columns + id str, and who brought them), in no order."""
    columns = [_selected(table.model.__table__.c[name]) for name in table.told]
    query = sa.select(table.id, *columns).where(_in_force(table.model))
    schema = {"id": pl.String, **dict.fromkeys(table.told, pl.String), **table.columns}
    rows = [tuple(row) for row in connection.execute(query)]
    read = pl.DataFrame(
        rows, schema={n: pl.Object if n == "custom_fields" else t for n, t in schema.items()}, orient="row"
    )
    if "custom_fields" not in schema:
        return read
    fields = [json.dumps(f, ensure_ascii=False, sort_keys=True) if f else None for f in read["custom_fields"]]
    return read.with_columns(pl.Series("custom_fields", fields, pl.String))


def write_rows(connection: sa.Connection, table: Table, rows: pl.DataFrame) -> None:
    """Writes rows, all by one statement: those with an `id` in place of the row of that id, others added.

    A row of a unique table that was inactive is in force again. Where the rows do not tell who brought them, those that
    are there keep what they say.
    """
    if rows.is_empty():
        return
    is_known = "id" in rows.columns and table.soft
    names = [name for name in table.told if name in rows.columns]
    given = ", ".join(f"{name} {_sql_type(table.columns.get(name))}" for name in names)
    values = ", ".join(_written(name) for name in names)
    source = f"jsonb_to_recordset(CAST(:rows AS jsonb)) AS r({'id uuid, ' if is_known else ''}{given})"
    active = ", active = true" if table.soft else ""
    if is_known:
        statement = (
            f"UPDATE {table.name} AS t SET ({', '.join(names)}) = ROW({values}){active} FROM {source} WHERE t.id = r.id"
        )
    else:
        statement = f"INSERT INTO {table.name} ({', '.join(names)}) SELECT {values} FROM {source}"
        if table.is_unique:
            updated = ", ".join(f"{name} = excluded.{name}" for name in names)
            statement += f" ON CONFLICT ({', '.join(table.key)}) DO UPDATE SET {updated}{active}"
    connection.execute(sa.text(statement), {"rows": rows.write_json()})


def take_out(connection: sa.Connection, table: Table, ids: pl.Series) -> None:
    """Makes rows inactive; a holiday, which cannot be, is deleted."""
    if ids.is_empty():
        return
    chosen = table.id.in_(ids.to_list())
    change = sa.update(table.model).values(active=False) if table.soft else sa.delete(table.model)
    connection.execute(change.where(chosen))


def close_tariffs(connection: sa.Connection, ids: pl.Series, successor: date) -> None:
    """Ends tariffs on the day before their successors begin."""
    if not ids.is_empty():
        ended = sa.update(Code).where(sa.cast(Code.id, sa.Text).in_(ids.to_list()))
        connection.execute(ended.values(valid_to=successor - timedelta(days=1)))


def lock_reference(connection: sa.Connection) -> None:
    """One change of the reference at a time, until the end of the transaction."""
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('dashlib.reference'))"))


def note_change(
    connection: sa.Connection,
    table: Table,
    event: str,
    details: Mapping[str, Any],
    *,
    mark: str,
    source: str | None = None,
) -> None:
    """Brings `reference_state` up to date and writes the audit event: counts and keys, no cell of a file.

    Codes are trusted while rows of the manual are in force; other tables once a list was imported.
    """
    state = connection.execute(
        sa.select(ReferenceState.version, ReferenceState.trusted).where(ReferenceState.table_name == table.name)
    ).one_or_none()
    before, trusted = state or ("", False)
    rows = connection.scalar(sa.select(sa.func.count()).select_from(table.model).where(_in_force(table.model)))
    if table.name == "codes":
        of_manual = sa.exists().where(Code.active.is_(True), Code.trusted, Code.source == MANUAL)
        trusted = bool(connection.scalar(sa.select(of_manual)))
    elif source is not None:
        trusted = bool(rows)
    version = hashlib.sha256(f"{before}:{mark}".encode()).hexdigest()[:16]
    now = {"rows": rows, "trusted": trusted, "version": version} | ({"source": source} if source else {})
    connection.execute(sa.update(ReferenceState).where(ReferenceState.table_name == table.name).values(**now))
    told = {**details, "version": version}
    entry = {"event": event, "kind": "reference", "target_id": table.name, "details": told}
    connection.execute(sa.insert(AuditEvent).values(entry))


def require_editor(wb: Workbench) -> None:
    """Refuses who may only look.

    Raises:
        AccessDenied: DL-REF-051.
    """
    if wb.viewer.role not in EDITORS:
        raise AccessDenied("DL-REF-051")


def _in_force(model: type[Base]) -> sa.ColumnElement[bool]:
    columns = model.__table__.c
    return columns.active.is_(True) if "active" in columns else sa.true()


def _selected(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    is_list = isinstance(column.type, sa.ARRAY)
    return sa.func.array_to_string(column, "|").label(column.key) if is_list else column


def _sql_type(dtype: Any) -> str:
    return {pl.Date: "date", pl.Boolean: "boolean", MONEY: "numeric"}.get(dtype, "text")


def _written(name: str) -> str:
    """A column's value from its text in a frame."""
    special = {
        "custom_fields": "CAST(r.custom_fields AS jsonb)",
        "aliases": "string_to_array(coalesce(r.aliases, ''), '|')",
    }
    return special.get(name, f"r.{name}")
