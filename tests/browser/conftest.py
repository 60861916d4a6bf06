import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from dashlib.embedded import Cluster
from dashlib.serve import address
from dashlib.workbench import open_workbench
from tests import seed

HOUSE = Path(__file__).parent.parent.parent
SCREENSHOTS = HOUSE / "build" / "screenshots"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
OURS = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:", "file:")


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
    Cluster(home).stop()


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


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium):
    """Opens an address at a width; the page has `outside`, requests that leave this machine, and `faults`."""
    contexts = []

    def opened(url, *, width=1440, **options):
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, timezone_id="America/Toronto", **options
        )
        contexts.append(context)
        page = context.new_page()
        page.outside, page.faults = [], []
        page.on("request", lambda request: None if request.url.startswith(OURS) else page.outside.append(request.url))
        page.on("pageerror", lambda fault: page.faults.append(str(fault)))
        page.goto(url, wait_until="commit")
        return page

    yield opened
    for context in contexts:
        context.close()


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
