import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import closing, contextmanager, suppress

from dashlib import cache
from dashlib.settings import Settings
from dashlib.valkey import Valkey

REDIS = shutil.which("redis-server")


def settings_of(url=None, home="/nonexistent"):
    return Settings(DATABASE_URL=None, REDIS_URL=url, home=home)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Distributions:
    """The distribution's redis-server, reached by REDIS_URL."""

    def __init__(self, folder):
        assert REDIS, "no redis-server: run tests/install-browser"
        self.port = free_port()
        self.folder = folder
        self.settings = settings_of(f"redis://127.0.0.1:{self.port}/0", folder)

    def ensure(self):
        if self.answers():
            return
        command = [REDIS, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while not self.answers():
            time.sleep(0.01)

    def answers(self):
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5) as line:
            line.sendall(b"PING\r\n")
            return line.recv(7) == b"+PONG\r\n"
        return False

    def send(self, what):
        self.process.send_signal(what)
        if what == signal.SIGKILL:
            self.process.wait()

    def stop(self):
        self.process.kill()
        self.process.wait()


class Embedded:
    """The Valkey of the wheel, as dashlib itself starts it."""

    def __init__(self, folder):
        self.valkey = Valkey(folder)
        self.settings = settings_of(home=folder)

    def ensure(self):
        self.valkey.ensure()

    def send(self, what):
        pid = int((self.valkey.folder / "valkey.pid").read_text())
        os.kill(pid, what)
        while what == signal.SIGKILL and self.valkey.is_running():
            time.sleep(0.01)

    def stop(self):
        self.valkey.stop()


def opened(server):
    """The cache of a process that asks this server for the first time."""
    return cache.open_cache(server.settings)


@contextmanager
def asked(server):
    """The server itself, behind the cache's back."""
    url = server.settings.redis_url
    with closing(cache._client(url.get_secret_value() if url else f"unix://{server.valkey.socket}")) as client:
        yield client
