import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from dashlib import valkey
from dashlib.database import stop
from dashlib.valkey import Valkey
from tests.integration.caches import settings_of

pytestmark = pytest.mark.database

HERE = Path(__file__).parents[2]
START = """
import os, sys
from pathlib import Path
from dashlib.valkey import Valkey
home, uid = Path(sys.argv[1]), int(sys.argv[2])
if uid != os.geteuid():
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
Valkey(home).ensure()
print((Valkey(home).folder / "valkey.pid").read_text())
"""


@pytest.fixture(scope="module")
def server(short_folder):
    made = Valkey(short_folder / "v")
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def running(server):
    server.ensure()


def pid(server):
    return int((server.folder / "valkey.pid").read_text())


def in_another_process(home, uid=None):
    command = [sys.executable, "-c", START, home, str(uid or os.geteuid())]
    return subprocess.Popen(command, cwd=HERE, env={"PYTHONPATH": str(HERE)}, text=True, stdout=subprocess.PIPE)


def test_four_processes_that_start_at_once_share_one_server(short_folder):
    home = short_folder / "vfour"
    children = [in_another_process(home) for _ in range(4)]
    said = {child.communicate()[0] for child in children}
    assert len(said) == 1
    assert Valkey(home).stop()


def test_after_kill_9_the_next_who_needs_it_starts_it_again(server):
    before = pid(server)
    os.kill(before, signal.SIGKILL)
    while server.is_running():
        time.sleep(0.01)
    server.ensure()
    assert server.is_running()
    assert pid(server) != before


def test_no_second_one_is_started_beside_one_that_hangs(server):
    before = pid(server)
    os.kill(before, signal.SIGSTOP)
    try:
        with pytest.raises(TimeoutError):
            server.ensure()
        assert not server.stop()
    finally:
        os.kill(before, signal.SIGCONT)
    assert pid(server) == before


def test_it_stops_with_the_database_and_only_once(server):
    stop(settings_of(home=server.home))
    assert not server.is_running()
    assert not server.stop()


def test_it_is_closed_to_others_and_listens_nowhere_else(server):
    assert {path.stat().st_mode & 0o077 for path in (server.folder, server.socket.parent, server.socket)} == {0}
    told = server._said(b"CONFIG GET port\r\n")
    assert told.split() == [b"*2", b"$4", b"port", b"$1", b"0"]


def test_it_keeps_nothing_on_disk(server):
    server._said(b"SET key value\r\n")
    server.stop()
    server.ensure()
    assert server._said(b"EXISTS key\r\n") == b":0\r\n"
    assert not [file for file in server.folder.rglob("*") if file.suffix in (".rdb", ".aof")]


def test_a_long_path_has_its_socket_elsewhere(short_folder):
    made = Valkey(short_folder / ("long" * 25))
    made.ensure()
    elsewhere = made.socket.parent
    assert elsewhere.parent == Path(tempfile.gettempdir())
    assert elsewhere.stat().st_mode & 0o077 == 0
    assert made.stop()
    shutil.rmtree(elsewhere)


def test_it_never_runs_as_root(server):
    assert Path(f"/proc/{pid(server)}").stat().st_uid != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only for root is there a service user who may not reach a folder")
def test_where_the_service_user_cannot_reach_the_wheel_he_is_given_the_program(short_folder, monkeypatch):
    closed = short_folder / "closed wheel"
    closed.mkdir(mode=0o700)
    shutil.copy(valkey.find_program(), closed)
    monkeypatch.setattr(valkey, "find_program", lambda: closed / "valkey-server")
    made = Valkey(short_folder / "vclosed")
    made.ensure()
    assert made.stop()


def test_an_ordinary_user_runs_it_himself(short_folder, ordinary_user):
    home = short_folder / "vnobody"
    home.mkdir(mode=0o700)
    os.chown(home, ordinary_user, -1)
    in_another_process(home, ordinary_user).communicate()
    started = int((home / "postgres" / "valkey.pid").read_text())
    assert Path(f"/proc/{started}").stat().st_uid == ordinary_user
    os.kill(started, signal.SIGTERM)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_socket_folder_that_somebody_else_made_is_refused(short_folder, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(short_folder))
    made = Valkey(short_folder / ("else" * 26))
    made.socket.parent.mkdir()
    os.chown(made.socket.parent, pwd.getpwnam("nobody").pw_uid, -1)
    with pytest.raises(PermissionError):
        made.ensure()


def test_where_the_wheel_has_no_program_there_is_none(monkeypatch):
    monkeypatch.setattr(valkey, "find_spec", {}.get)
    assert valkey.find_program() is None
