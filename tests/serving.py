"""A workbench's folder, its dashboards served as a user serves them, and a browser to look at them."""

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from dashlib.database import stop
from dashlib.workbench import open_workbench

HOUSE = Path(__file__).parent.parent
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
PATIENCE_MS = 120_000  # what comes at last is right: how soon it comes, `make bench` measures


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
    port = free_port()
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


@contextmanager
def browser():
    """A Chromium that asks nothing of the outside by itself. Playwright allows one at a time in a process."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    assert CHROMIUM, "no Chromium: run tests/install-browser"
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


def serious(page):
    """What axe-core finds on the page that somebody could not use it for: rule and first element of each."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    grave = [violation for violation in found if violation["impact"] in {"serious", "critical"}]
    return [(violation["id"], violation["nodes"][0]["html"][:200]) for violation in grave]


def free_port():
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
