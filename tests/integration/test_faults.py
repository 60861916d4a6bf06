import os
import signal
import subprocess
import sys
import time

import pytest
import sqlalchemy as sa

from dashlib.database import open_database
from dashlib.demo import write_demo
from dashlib.settings import Settings

pytestmark = [pytest.mark.database, pytest.mark.slow]


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    path = tmp_path_factory.mktemp("big") / "big.csv"
    write_demo(path, rows=200_000, seed=1, errors=0.01)
    return path


def dashlib(home, *arguments, **options):
    environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"} | {"DASHLIB_HOME": str(home)}
    command = [sys.executable, "-m", "dashlib", "--lang", "en", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment | options.get("env", {}), **pipes)


def ended(process):
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def look(home, question):
    database = open_database(Settings(DATABASE_URL=None, home=home))
    try:
        with database.connect() as connection:
            return connection.execute(sa.text(question)).one()
    finally:
        database.close()


LAST = "SELECT status, error_code FROM validation_runs ORDER BY number DESC LIMIT 1"
LEFT = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname ~ '_[0-9a-f]{32}$'"


@pytest.fixture
def home(short_folder):
    folder = short_folder / "f"
    yield folder
    ended(dashlib(folder, "db", "stop"))


def under_way(home, big):
    """A validation that has begun to load."""
    process = dashlib(home, "validate", big)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        time.sleep(0.1)
        try:
            if look(home, "SELECT count(*) FROM validation_runs WHERE status = 'processing' AND progress >= 15")[0]:
                return process
        except Exception:
            continue
    raise AssertionError("it never began")


def test_ctrl_c_cancels_the_run_and_leaves_nothing(home, big):
    process = under_way(home, big)
    process.send_signal(signal.SIGINT)
    code, _, err = ended(process)
    assert code == 130
    assert "Traceback" not in err
    assert look(home, LAST) == ("failed", "DL-RUN-CANCELLED")
    assert look(home, LEFT) == (0,)


def test_a_killed_run_leaves_nothing_but_its_name(home, big):
    process = under_way(home, big)
    process.kill()
    ended(process)
    time.sleep(1)
    assert look(home, LEFT) == (0,)
    assert look(home, LAST) == ("processing", None)


def test_a_database_that_does_not_answer_returns_5_and_says_where_and_what_to_do(tmp_path):
    url = {"DATABASE_URL": "postgresql://someone:secret-word@127.0.0.1:1/nothing", "DASHLIB_PHI_KEY": "k"}
    code, _, err = ended(dashlib(tmp_path, "runs", env=url))
    assert code == 5
    assert "DL-DB-001" in err
    assert "127.0.0.1:1" in err
    assert "To do:" in err
    assert "secret-word" not in err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk to fill")
def test_a_full_disk_returns_5_and_keeps_nothing_and_works_again_with_more_space(short_folder, big):
    disk = short_folder / "d"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=130m,mode=711", "tmpfs", disk], check=True)
    try:
        code, _, err = ended(dashlib(disk / "h", "validate", big))
        assert code == 5
        # Full while the lines are copied; or, when not even its log can be written, the server stops.
        assert "DL-DB-003" in err or "DL-DB-001" in err
        assert "Traceback" not in err
        subprocess.run(["mount", "-o", "remount,size=400m", disk], check=True)
        assert look(disk / "h", LEFT) == (0,)
        assert ended(dashlib(disk / "h", "validate", big))[0] == 0
        assert look(disk / "h", LAST) == ("completed", None)
    finally:
        ended(dashlib(disk / "h", "db", "stop"))
        subprocess.run(["umount", disk], check=True)
