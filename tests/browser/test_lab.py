import json
import os
import signal
import subprocess
import sys
import time
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from playwright.sync_api import expect

from tests.serving import HOUSE, free_port

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def lab(clinic, tmp_path_factory):
    """The address of JupyterLab as `dashlib lab` says it, for somebody whose own settings of Jupyter are unwise."""
    unwise = tmp_path_factory.mktemp("jupyter")
    (unwise / "jupyter_server_config.json").write_text(
        '{"IdentityProvider": {"token": ""}, "ServerApp": {"ip": "0.0.0.0"}}'
    )
    kernel = unwise / "kernels" / "python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text('{"argv": ["false"], "display_name": "Wrong", "language": "python"}')
    command = (sys.executable, "-m", "dashlib", "lab", "--port", str(free_port()), "--no-browser")
    surroundings = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    surroundings |= {"DASHLIB_HOME": str(clinic), "JUPYTER_CONFIG_DIR": str(unwise), "JUPYTER_TOKEN": "known"}
    surroundings |= {"JUPYTER_PATH": str(unwise)}
    log = tmp_path_factory.mktemp("lab") / "stderr"
    with log.open("w") as stderr:
        server = subprocess.Popen(command, cwd=HOUSE, env=surroundings, stderr=stderr)
    folder, address, _ = _said(log, server)
    assert folder == f"Vos carnets : {clinic / 'notebooks'}"
    yield address.removeprefix("JupyterLab : ")
    server.send_signal(signal.SIGINT)
    assert server.wait(timeout=60) == 0, log.read_text()


def _said(log, server, patience_s=120):
    """The three lines by which it says that it is ready."""
    ends = time.monotonic() + patience_s
    while time.monotonic() < ends and server.poll() is None:
        if len(said := log.read_text("utf-8").splitlines()) >= 3:
            return said[:3]
        time.sleep(0.2)
    raise AssertionError(f"JupyterLab was not served:\n{log.read_text('utf-8')}")


def opened(visit, address):
    page = visit(address)
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell")
    expect(page.locator(".jp-Notebook-ExecutionIndicator")).to_have_attribute("data-status", "idle")
    return page


def test_jupyterlab_opens_in_french_on_the_first_notebook_and_its_kernel_answers(visit, lab, clinic):
    page = opened(visit, lab)
    expect(page.get_by_role("menuitem", name="Fichier")).to_be_visible()
    expect(page.locator(".jp-RenderedMarkdown h1").first).to_have_text("Premiers pas¶")
    expect(page.get_by_role("button", name="Python 3 (dashlib)", exact=True)).to_be_visible()
    page.set_viewport_size({"width": 1440, "height": 2000})  # JupyterLab draws only the cells that are in sight
    page.get_by_role("menuitem", name="Exécution").click()
    page.get_by_role("menuitem", name="Exécuter toutes les cellules").first.click()
    # This clinic's runs have roll-ups and no results, which one sentence says.
    failed = page.locator(".jp-OutputArea-output", has_text="✕ DL-WHY-404")
    expect(failed).to_have_count(1)
    assert "Traceback" not in failed.inner_text()
    expect(page.locator(".jp-OutputArea-output").first).to_have_text("[Run(2, completed), Run(1, completed)]")
    page.locator(".jp-Cell .cm-content", has_text="FROM v_results").click()
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".jp-OutputArea caption").first).to_have_text("0 ligne, 3 colonnes")
    assert page.outside == []
    assert [file.name for file in (clinic / "notebooks").glob("start*")] == ["start.ipynb"]


def test_nobody_looks_for_news_or_extensions(visit, lab):
    page = opened(visit, lab)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(3000)
    assert not [url for url in asked if "news" in url or "update" in url]
    assert page.get_by_role("tab", name="Gestionnaire d'extensions").count() == 0
    assert page.locator(".jp-Notification-Toast").count() == 0
    assert page.outside == []


def test_whoever_has_no_token_gets_nothing(lab):
    place = lab.split("/lab/")[0]
    for token in ("", "?token=known"):
        with pytest.raises(HTTPError, match="403"):
            urlopen(f"{place}/api/contents{token}")


def test_the_kernel_is_the_one_that_dashlib_runs_in(visit, lab):
    place, token = lab.split("/lab/")[0], lab.split("token=")[1]
    found = json.load(urlopen(f"{place}/api/kernelspecs?token={token}"))
    assert found["kernelspecs"]["python3"]["spec"]["display_name"] == "Python 3 (dashlib)"
