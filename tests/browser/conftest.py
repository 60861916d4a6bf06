import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from dashlib.database import stop
from dashlib.serve import address
from dashlib.workbench import open_workbench
from tests import seed

HOUSE = Path(__file__).parent.parent.parent
SCREENSHOTS = HOUSE / "build" / "screenshots"


@contextmanager
def moved_in(home):
    """A workbench on a new folder, as somebody has it who sets nothing but DASHLIB_HOME; its server ends with it."""
    with pytest.MonkeyPatch.context() as surroundings:
        surroundings.delenv("DATABASE_URL", raising=False)
        surroundings.setenv("DASHLIB_HOME", str(home))
        wb = open_workbench()
    yield wb
    stop(wb.settings)


@contextmanager
def serving(home, command, **surroundings):
    """The port at which a command serves this folder's pages; `command` is given the port."""
    port = _free_port()
    kept = {n: v for n, v in os.environ.items() if n != "DATABASE_URL"}
    environment = kept | {"DASHLIB_HOME": str(home)} | surroundings
    server = subprocess.Popen(
        (sys.executable, *command(str(port))), cwd=HOUSE, env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        _wait_for(port, server)
        yield port
    finally:
        server.terminate()
        server.communicate(timeout=30)


def dashboards(port):
    return ("-m", "dashlib", "dashboards", "--port", port, "--no-browser")


@pytest.fixture(scope="session")
def clinic(short_folder):
    """The data folder of a clinic with two runs. No test adds to it: the figures of all others would change."""
    with moved_in(short_folder / "clinic") as wb:
        with wb.database.connect() as connection:
            seed.clinic(connection, wb.viewer.id)
        wb.database.close()
        yield wb.settings.home


@pytest.fixture(scope="session")
def dashboard(clinic):
    """The address of the clinic's dashboard, served as `dashlib dashboards` serves it."""
    with serving(clinic, dashboards) as port:
        yield address(port)


@pytest.fixture(scope="session")
def new_dashboard(short_folder):
    """The address of the dashboard of somebody who begins, and hands in files."""
    with moved_in(short_folder / "new") as wb:
        wb.database.close()
        with serving(wb.settings.home, dashboards) as port:
            yield address(port)


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(port, server, patience_s=60):
    ends = time.monotonic() + patience_s
    while time.monotonic() < ends and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    server.kill()
    raise AssertionError(f"the dashboards were not served:\n{server.communicate()[1]}")
