"""Workers in processes of their own, on the database of one test."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from psycopg.conninfo import conninfo_to_dict

from dashlib.embedded import APP

HOUSE = Path(__file__).parent.parent.parent


def settings_of(database, redis_url, **more):
    """The variables by which another process finds a test's database, key and cache."""
    login = conninfo_to_dict(database.login(APP))
    place = f"/{login['dbname']}?host={quote(login['host'], safe='')}&port={login['port']}"
    ours = {
        "DATABASE_URL": f"postgresql://{login['user']}:{quote(login['password'], safe='')}@{place}",
        "REDIS_URL": redis_url,
        "DASHLIB_HOME": str(database.settings.home),
        "DASHLIB_PHI_KEY_FILE": str(database.settings.home / "phi.key"),
    }
    others = {name: value for name, value in os.environ.items() if not name.startswith("DASHLIB_")}
    return others | ours | more


@contextmanager
def worker(settings, *arguments):
    """A worker, in a group of its own with the kernels that it starts; killed at the end unless it ended before."""
    command = (sys.executable, "-m", "dashlib", "worker", *arguments)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, cwd=HOUSE, env=settings, text=True, start_new_session=True, **pipes)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def empty_queue(settings):
    """What a worker says that does all there is to do, and ends."""
    with worker(settings, "--once") as process:
        said = process.communicate(timeout=180)[1]
    assert process.returncode == 0, said
    return said


def wait_until(holds, patience_s=90):
    ends = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < ends, "it never came to pass"
        time.sleep(0.05)


def ask(database, question):
    with database.owner() as connection:
        return [tuple(row) for row in connection.execute(sa.text(question))]


def silence_workers(database):
    """Makes all workers look as if nothing was heard of them for a minute."""
    with database.owner() as connection:
        connection.execute(
            sa.text("UPDATE procrastinate.procrastinate_workers SET last_heartbeat = now() - interval '1 minute'")
        )
