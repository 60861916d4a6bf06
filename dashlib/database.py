"""The way to PostgreSQL, the embedded one or any other, and the upkeep of its tables.

The library works as `dashlib_app`, which owns nothing; migrations work as `dashlib_owner`. An error that leaves this
file says which state and which constraint, never a value: PostgreSQL's own words can quote a patient.
"""

import re
import subprocess
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import sqlalchemy as sa
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from dashlib.embedded import APP, DATABASE, OWNER, READER, Cluster, find_programs
from dashlib.errors import DatabaseUnavailable, UsageError
from dashlib.resources import folder
from dashlib.settings import Settings
from dashlib.valkey import Valkey

if TYPE_CHECKING:
    from alembic.config import Config

OLDEST = 16  # PostgreSQL's version: the guide's, and the first with GRANT … WITH SET


class StatementError(Exception):
    """PostgreSQL refused a statement: a mistake of whoever wrote it. Holds no value of a row."""

    def __init__(self, sqlstate: str | None, *, constraint: str | None = None, message: str | None = None) -> None:
        super().__init__(sqlstate, constraint, message)
        self.sqlstate, self.constraint, self.message = sqlstate, constraint, message

    def __str__(self) -> str:
        return ", ".join(filter(None, (f"SQLSTATE {self.sqlstate}", self.constraint, self.message)))


@dataclass(frozen=True)
class Database:
    """A PostgreSQL database: `name` in the embedded `cluster`, or without a cluster the one of `settings`."""

    settings: Settings
    cluster: Cluster | None = None
    name: str = DATABASE

    @contextmanager
    def connect(self) -> Iterator[sa.Connection]:
        """A connection as dashlib_app: one transaction, committed at the end, taken back on an error.

        Raises:
            DatabaseUnavailable: DL-DB-001, it does not answer; DL-DB-003, its disk is full; DL-DB-004, it is too old;
                DL-DB-006, the roles are missing; DL-DB-007, DATABASE_URL is not an address.
            StatementError: anything else that PostgreSQL refused.
        """
        with self._without_values(), self._engine.connect() as connection:
            yield connection
            connection.commit()

    @contextmanager
    def raw(self) -> Iterator[psycopg.Connection]:
        """The same, as psycopg has it: for COPY."""
        with self._without_values(), self.open(APP) as connection:
            yield connection

    @contextmanager
    def owner(self) -> Iterator[sa.Connection]:
        """The same as dashlib_owner, who owns the tables: for migrations, whose mistakes are told in full."""
        with self._without_values(tell=True), self._make_engine(OWNER, poolclass=sa.NullPool).connect() as connection:
            yield connection
            connection.commit()

    def close(self) -> None:
        """Closes the connections that are kept open for the next question."""
        self._engine.dispose()

    @property
    def address(self) -> str:
        """Where it is, for messages; without the password."""
        if self.cluster:
            return str(self.cluster.folder)
        parts = conninfo_to_dict(self.login(APP))
        return f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"

    def login(self, role: str) -> str:
        """What libpq needs to connect on behalf of `role`. It can hold a password."""
        if self.cluster:
            return self.cluster.conninfo(role, self.name)
        url = self.settings.database_url.get_secret_value() if self.settings.database_url else ""
        try:
            # Addresses made for SQLAlchemy name the driver; libpq does not know it.
            login = make_conninfo(re.sub(r"^postgres(ql)?(\+\w+)?:", "postgresql:", url), connect_timeout=5)
        except psycopg.Error:
            raise DatabaseUnavailable("DL-DB-007") from None
        # A password with a raw @ or / in it spills into what follows, which messages show.
        if any("@" in str(conninfo_to_dict(login).get(part, "")) for part in ("host", "port", "dbname")):
            raise DatabaseUnavailable("DL-DB-007")
        return login

    def open(self, role: str | None) -> psycopg.Connection:
        """A new connection in `role`; without one, as whoever logs in."""
        with self._without_values():
            connection = psycopg.connect(self.login(role or APP))
        try:
            if (found := connection.info.server_version // 10_000) < OLDEST:
                raise DatabaseUnavailable("DL-DB-004", host=self.address, found=found, oldest=OLDEST)
            if role:
                _take_role(connection, role, self.address)
        except BaseException:
            connection.close()
            raise
        return connection

    def revision(self) -> str | None:
        """The migration that the tables are at; None where there are none."""
        with self.connect() as connection:
            if connection.scalar(sa.text("SELECT to_regclass('public.alembic_version')")) is None:
                return None
            revision: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
            return revision

    @cached_property
    def _engine(self) -> sa.Engine:
        return self._make_engine(APP, pool_size=2, max_overflow=8, pool_pre_ping=True)

    def _make_engine(self, role: str, **pool: Any) -> sa.Engine:  # create_engine's own keywords
        return sa.create_engine("postgresql+psycopg://", creator=lambda: self.open(role), hide_parameters=True, **pool)

    @contextmanager
    def _without_values(self, *, tell: bool = False) -> Iterator[None]:
        try:
            yield
        except (psycopg.Error, sa.exc.StatementError) as error:
            cause = error.orig if isinstance(error, sa.exc.StatementError) else error
            raise self._said_safely(cause, tell=tell) from None

    def _said_safely(self, cause: BaseException | None, *, tell: bool) -> Exception:
        state = cause.sqlstate if isinstance(cause, psycopg.Error) else None
        if state == psycopg.errors.DiskFull.sqlstate:
            return DatabaseUnavailable("DL-DB-003", host=self.address)
        # Class 08: the connection broke; 57P: the server is going down, or not yet up; no state: it was never there.
        if isinstance(cause, psycopg.OperationalError) and (state is None or state.startswith(("08", "57P"))):
            return DatabaseUnavailable("DL-DB-001", host=self.address)
        if not isinstance(cause, psycopg.Error):
            return StatementError(None, message=type(cause).__name__)
        message = cause.diag.message_primary if tell else None
        return StatementError(state, constraint=cause.diag.constraint_name, message=message)


def open_database(settings: Settings, *, check: bool = True) -> Database:
    """The database that the settings name; without DATABASE_URL the embedded one, started and made if need be.

    Raises:
        DatabaseUnavailable: it cannot be used, or, where `check`, its tables are not of this version (DL-DB-002: they
            are older or missing, DL-DB-005: they are newer).
    """
    database = Database(settings, None if settings.database_url else Cluster(settings.home, settings.pg_bin))
    if database.cluster:
        database.cluster.ensure()
    if check:
        try:
            _bring_up_to_date(database)
        except BaseException:
            database.close()
            raise
    return database


def _bring_up_to_date(database: Database) -> None:
    """A new embedded database gets its tables; any other must have them, for migrating is somebody's decision."""
    revision, known = database.revision(), revisions()
    if revision is None and database.cluster:
        migrate(database)
    elif revision != known[-1]:
        newer = revision is not None and revision not in known
        raise DatabaseUnavailable("DL-DB-005" if newer else "DL-DB-002", host=database.address)


def stop(settings: Settings) -> bool:
    """Stops the embedded servers of these settings, the cache's too. False when there was no database running."""
    Valkey(settings.home).stop()
    return Cluster(settings.home, settings.pg_bin).stop()


def revisions() -> list[str]:
    """The migrations, oldest first. Their files are numbered, so that none needs to be run to know the last."""
    return sorted(path.stem for path in (folder("migrations") / "versions").glob("[0-9]*.py"))


def status(database: Database) -> dict[str, str | int | None]:
    """Where it is, PostgreSQL's version, the tables' migration and the newest there is, its size in bytes."""
    asked = sa.text("SELECT current_setting('server_version'), pg_database_size(current_database())")
    with database.connect() as connection:
        server, size = connection.execute(asked).one()
    about = {"address": database.address, "server": server, "bytes": size}
    return about | {"revision": database.revision(), "newest": revisions()[-1]}


def show(database: Database) -> list[tuple[str, str, bool]]:
    """The migrations, oldest first: name, what it says of itself, and whether the tables have it."""
    from alembic.script import ScriptDirectory

    at = database.revision() or ""
    scripts = ScriptDirectory(str(folder("migrations"))).walk_revisions()
    return [(script.revision, script.doc, script.revision <= at) for script in scripts][::-1]


def migrate(database: Database, revision: str = "head", *, backup: bool = True) -> Path | None:
    """Brings the tables to `revision`; on a server that is not ours, makes the roles first where they are missing.

    Returns:
        The backup made before; None where there was nothing to keep or nothing to do.

    Raises:
        DatabaseUnavailable: DL-DB-006, roles are missing and the login may not make them; DL-DB-008, there is no
            backup, and so nothing was changed.
        UsageError: DL-DB-016, there is no such migration.
    """
    if not database.cluster:
        _make_roles(database)
    elif not _has_reader(database):
        database.close()
        database.cluster.add_reader()
    return _move(database, "upgrade", revisions()[-1] if revision == "head" else revision, backup=backup)


def downgrade(database: Database, revision: str, *, backup: bool = True) -> Path | None:
    """Takes the tables back to an earlier `revision`, or with "base" away altogether; else as `migrate`."""
    return _move(database, "downgrade", revision, backup=backup)


def new_revision(database: Database, message: str) -> Path:
    """Writes the next migration: what the tables lack against `dashlib.schema`, to be read and mended by hand."""
    from alembic import command

    name = f"{len(revisions()) + 1:04}_" + re.sub(r"\W+", "_", message.lower()).strip("_")
    with _alembic(database) as config:
        command.revision(config, message, autogenerate=True, rev_id=name)
    return folder("migrations") / "versions" / f"{name}.py"


def back_up(database: Database) -> Path:
    """Writes the whole database into <home>/backups, readable by its owner only; `pg_restore` reads it back.

    Raises:
        DatabaseUnavailable: DL-DB-008, it could not be written, or pg_dump is older than the server.
    """
    backups = database.settings.home / "backups"
    backups.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = backups / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{database.revision()}.dump"
    login: dict[str, Any] = conninfo_to_dict(database.login(OWNER))
    password = re.sub(r"([:\\])", r"\\\1", str(login.pop("password", "")))
    # Everybody on a machine can read the arguments of a program, but not our files.
    with tempfile.NamedTemporaryFile("w", dir=backups, suffix=".pgpass") as passwords:
        if password:
            passwords.write(f"*:*:*:*:{password}\n")
            passwords.flush()
            login["passfile"] = passwords.name
        program = find_programs(database.settings.pg_bin, spare=database.settings.home) / "pg_dump"
        wanted = [f"--dbname={make_conninfo(**login)}", f"--role={OWNER}", "--format=custom", f"--file={file}"]
        try:
            subprocess.run([program, *wanted], check=True, capture_output=True, umask=0o077)
        except (OSError, subprocess.CalledProcessError):
            file.unlink(missing_ok=True)
            raise DatabaseUnavailable("DL-DB-008", host=database.address, path=str(backups)) from None
    return file


def _move(database: Database, verb: str, revision: str, *, backup: bool) -> Path | None:
    from alembic import command
    from alembic.util import CommandError

    kept = back_up(database) if backup and database.revision() != revision and _holds_data(database) else None
    try:
        with _alembic(database) as config:
            getattr(command, verb)(config, revision)
    except CommandError:
        if kept:
            kept.unlink()  # nothing was changed that it could bring back
        raise UsageError("DL-DB-016", revision=revision) from None
    return kept


@contextmanager
def _alembic(database: Database) -> Iterator["Config"]:
    from alembic.config import Config

    with database.owner() as connection:
        config = Config(attributes={"connection": connection}, cmd_opts=Namespace(quiet=True))
        config.set_main_option("script_location", str(folder("migrations")).replace("%", "%%"))
        config.set_main_option("file_template", "%%(rev)s")
        yield config


def _holds_data(database: Database) -> bool:
    with database.owner() as connection:
        names = set(sa.inspect(connection).get_table_names()) - {"alembic_version"}
        return any(connection.scalar(sa.text(f'SELECT EXISTS (SELECT FROM "{name}")')) for name in names)


def _take_role(connection: psycopg.Connection, role: str, address: str) -> None:
    try:
        connection.execute(sql.SQL("SET ROLE {}; SET timezone TO 'UTC'").format(sql.Identifier(role)))
        connection.commit()
    except psycopg.Error:
        connection.rollback()
        raise _roles_missing(_wanted(connection), address) from None


def _has_reader(database: Database) -> bool:
    with database.connect() as connection:
        return connection.scalar(sa.select(sa.func.to_regrole(READER))) is not None


def _make_roles(database: Database) -> None:
    """Makes the roles and lets this login take them, as far as they are missing and the login may."""
    with closing(database.open(None)) as connection:
        wanted = _wanted(connection)
        with suppress(psycopg.Error), connection.transaction():
            for statement in wanted:
                connection.execute(statement)
        # Who may not grant a right is only warned by PostgreSQL, so it is asked once more.
        if _wanted(connection):
            raise _roles_missing(wanted, database.address)
        connection.commit()


def _roles_missing(wanted: list[sql.Composed], address: str) -> DatabaseUnavailable:
    return DatabaseUnavailable("DL-DB-006", host=address, sql="; ".join(each.as_string() for each in wanted))


def _wanted(connection: psycopg.Connection) -> list[sql.Composed]:
    """What must be said to PostgreSQL before this login can take its roles, and the owner make tables."""
    name, info = sql.Identifier, connection.info
    asked = """
        SELECT rolname, pg_has_role(rolname, 'SET'), has_schema_privilege(rolname, 'public', 'CREATE')
               AND has_database_privilege(rolname, current_database(), 'CREATE'),
               pg_has_role(rolname, to_regrole(%s), 'USAGE') AND pg_has_role(rolname, to_regrole(%s), 'SET')
        FROM pg_roles WHERE rolname = ANY (%s)"""
    names = [OWNER, APP, READER]
    found = {role: rights for role, *rights in connection.execute(asked, [READER, READER, names])}
    absent = [role for role in names if role not in found]
    closed = [role for role in (OWNER, APP) if role in absent or not found[role][0]]
    wanted = [sql.SQL("CREATE ROLE {}").format(name(role)) for role in absent]
    if closed:
        taken, by = sql.SQL(", ").join(map(name, closed)), name(info.user)
        wanted.append(sql.SQL("GRANT {} TO {} WITH INHERIT FALSE, SET TRUE").format(taken, by))
    if OWNER in absent or not found[OWNER][2]:
        wanted.append(sql.SQL("GRANT {} TO {} WITH INHERIT TRUE, SET TRUE").format(name(READER), name(OWNER)))
    if OWNER in absent or not found[OWNER][1]:
        wanted.append(sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(name(info.dbname), name(OWNER)))
        wanted.append(sql.SQL("GRANT USAGE, CREATE ON SCHEMA public TO {}").format(name(OWNER)))
    return wanted
