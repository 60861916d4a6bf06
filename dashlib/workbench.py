"""What every question is asked with: who asks, the database, and the cache. Opened once, handed down."""

import getpass
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa
from polars.datatypes import DataTypeClass

from dashlib import shipment
from dashlib.cache import Cache, open_cache
from dashlib.database import Database, open_database
from dashlib.errors import AccessDenied
from dashlib.keys import pseudonyms
from dashlib.phi import Pseudonyms
from dashlib.schema import User
from dashlib.settings import Settings, read_settings


@dataclass(frozen=True)
class Viewer:
    """The user on whose behalf something is read: `role` is pending, viewer, editor or admin."""

    id: str
    email: str
    role: str


@dataclass(frozen=True)
class Workbench:
    """Passed, never subclassed, never grown."""

    viewer: Viewer
    database: Database
    pseudonyms: Pseudonyms
    settings: Settings
    cache: Cache

    def frame(self, query: sa.Select[*tuple[Any, ...]]) -> pl.DataFrame:
        """The answer to `query`, typed by its columns even when it has no rows; UUID and JSON columns are text."""
        columns = list(query.selected_columns)
        schema = {column.name: dtype_of(column.type) for column in columns}
        with self.database.connect() as connection:
            rows: list[tuple[Any, ...]] = [tuple(row) for row in connection.execute(query)]
        uuids = [i for i, column in enumerate(columns) if isinstance(column.type, sa.Uuid)]
        if uuids:
            rows = [tuple(str(v) if i in uuids and v is not None else v for i, v in enumerate(row)) for row in rows]
        return pl.DataFrame(rows, schema=schema, orient="row")


def dtype_of(column: sa.types.TypeEngine[Any]) -> pl.DataType | DataTypeClass:
    """The frame's type of a database column."""
    match column:
        case sa.Numeric(asdecimal=True):
            return pl.Decimal(38, column.scale or 0)
        case sa.DateTime():
            return pl.Datetime("us", "UTC")
        case sa.Uuid():
            return pl.String
        case sa.ARRAY():
            return pl.List(dtype_of(column.item_type))
        case sa.JSON():
            return pl.Object()
        case _:
            return pl.DataType.from_python(column.python_type)


def open_workbench(env_file: Path | str | None = None) -> Workbench:
    """The workbench of whoever runs this process.

    Without DATABASE_URL the PostgreSQL of this machine is started, and made at first use; its one user is whoever is
    logged in, as an administrator.

    Raises:
        DatabaseUnavailable: no database answers, or its tables are of another version.
        AccessDenied: there is no key for the pseudonyms, or not this database's.
        UsageError: a setting is impossible.
    """
    settings = read_settings(Path(env_file) if env_file else None)
    cache = open_cache(settings)
    database = open_database(settings)
    names = pseudonyms(settings, database)  # before anybody is entered: who has no key is nobody
    _install(database)
    return Workbench(enter(database), database, names, settings, cache)


def _install(database: Database) -> None:
    """Brings in what this dashlib ships, where it is not; reading rules takes 13 MiB, which pages do without."""
    with database.connect() as connection:
        is_there = shipment.is_there(connection)
    if not is_there:
        from dashlib.installing import install

        install(database)


def enter(database: Database) -> Viewer:
    """Who runs this process, entered among the users at his first visit."""
    with database.connect() as connection:
        login = f"{connection.scalar(sa.select(sa.func.session_user()))}" if not database.cluster else getpass.getuser()
        user, email = (
            (f"local|{login}", f"{login}@localhost") if database.cluster else (f"db|{login}", f"{login}@database")
        )
        return Viewer(user, email, str(connection.scalar(sa.select(sa.func.enter(user, email)))))


def called(user: str) -> str:
    """What parameters of notebooks call a user, in place of a login or an address that others could read."""
    return hashlib.sha256(user.encode()).hexdigest()[:16]


def for_owner(wb: Workbench, owner: str) -> Workbench:
    """The workbench of the user whom parameters call `owner`, as `on_behalf_of` gives it.

    Raises:
        AccessDenied: DL-ACC-001, he is gone, or may see nothing.
    """
    with wb.database.connect() as connection:
        users = connection.scalars(sa.select(User.id))
        return on_behalf_of(wb, next((user for user in users if called(user) == owner), ""))


def on_behalf_of(wb: Workbench, user: str) -> Workbench:
    """The workbench of the user whose work is done in the background, with his rights as they are now.

    Raises:
        AccessDenied: DL-ACC-001, he is gone, or may see nothing.
    """
    query = sa.select(User.id, User.email, User.role).where(User.id == user, User.role != "pending")
    with wb.database.connect() as connection:
        found = connection.execute(query).one_or_none()
    if found is None:
        raise AccessDenied("DL-ACC-001")
    return replace(wb, viewer=Viewer(*found))
