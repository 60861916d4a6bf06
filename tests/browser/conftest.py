import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dashlib.database import stop
from dashlib.serve import address
from dashlib.workbench import open_workbench
from tests import seed

HOUSE = Path(__file__).parent.parent.parent
SCREENSHOTS = HOUSE / "build" / "screenshots"


@pytest.fixture(scope="session")
def clinic(short_folder):
    """The data folder of a clinic with two runs, as somebody has it who sets nothing but DASHLIB_HOME."""
    home = short_folder / "clinic"
    with pytest.MonkeyPatch.context() as surroundings:
        surroundings.delenv("DATABASE_URL", raising=False)
        surroundings.setenv("DASHLIB_HOME", str(home))
        wb = open_workbench()
    with wb.database.connect() as connection:
        seed.clinic(connection, wb.viewer.id)
    wb.database.close()
    yield home
    stop(wb.settings)


@pytest.fixture(scope="session")
def dashboard(clinic):
    """The address of the clinic's dashboard, served as `dashlib dashboards` serves it."""
    port = _free_port()
    command = (sys.executable, "-m", "dashlib", "dashboards", "--port", str(port), "--no-browser")
    surroundings = {n: v for n, v in os.environ.items() if n != "DATABASE_URL"} | {"DASHLIB_HOME": str(clinic)}
    server = subprocess.Popen(command, cwd=HOUSE, env=surroundings, stderr=subprocess.PIPE, text=True)
    try:
        _wait_for(port, server)
        yield address(port)
    finally:
        server.terminate()
        server.communicate(timeout=30)


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
