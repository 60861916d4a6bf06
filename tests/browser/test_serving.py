import re
import signal
import time

import psutil
import pytest
from playwright.sync_api import expect

from dashlib.serve import address
from tests.serving import moved_in, serious, serving

pytestmark = pytest.mark.browser

HASTY = """
from dashlib import cli, kernels, serve
kernels.AWAY_S, serve.CULL_S, serve.WARM_KERNELS = 6, 1, 0
cli.main()
"""
SECRETS = {"DASHLIB_SMTP_URL": "smtp://clerk:secret@127.0.0.1", "SOMEBODYS_TOKEN": "secret"}


def hasty(port):
    return ("-c", HASTY, "dashboards", "--port", port, "--no-browser")


@pytest.fixture(scope="module")
def small(short_folder):
    """Dashboards for two visitors at a time, whose closed pages end within seconds."""
    with (
        moved_in(short_folder / "small") as wb,
        serving(wb.settings.home, hasty, DASHLIB_MAX_VISITORS="2", **SECRETS) as port,
    ):
        wb.database.close()
        yield address(port, "validate_file.ipynb")


def kernels(home):
    each = psutil.process_iter(["cmdline", "environ"])
    ours = [one for one in each if (one.info["environ"] or {}).get("DASHLIB_HOME") == str(home)]
    return [one for one in ours if "dashlib.page_kernel" in (one.info["cmdline"] or ())]


def wait_for_kernels(count, home, patience_s=30):
    ends = time.monotonic() + patience_s
    while len(kernels(home)) != count and time.monotonic() < ends:
        time.sleep(0.2)
    assert len(kernels(home)) == count


def opened(page):
    expect(page.locator(".d-live h1")).to_have_text("Valider un fichier")
    return page


def test_who_finds_no_seat_is_told_so_and_gets_in_when_one_is_free(visit, small):
    first, second = opened(visit(small)), opened(visit(small))
    third = visit(small)
    expect(third.get_by_role("heading", name="Trop de visiteurs")).to_be_visible()
    assert serious(third) == []
    answer = third.request.get(f"{small}?lang=en")
    assert (answer.status, answer.headers["retry-after"]) == (503, "10")
    assert "Too many visitors" in answer.text()
    root = third.request.get(small.partition("voila/")[0])
    assert ("theme.css" in root.text(), "validate_file.ipynb" in root.text()) == (True, True)
    opened(first)
    second.close()
    opened(third)
    assert (third.outside, third.faults) == ([], [])


def test_the_kernel_of_a_closed_page_ends(visit, small, short_folder):
    home = short_folder / "small"
    wait_for_kernels(0, home)
    page = opened(visit(small))
    wait_for_kernels(1, home)
    time.sleep(8)
    wait_for_kernels(1, home)
    page.close()
    wait_for_kernels(0, home)


def test_who_goes_from_page_to_page_leaves_no_more_kernels_than_there_are_seats(visit, small, short_folder):
    page = opened(visit(small))
    for _ in range(3):
        page.reload(wait_until="commit")
        opened(page)
        assert len(kernels(short_folder / "small")) <= 2


def test_a_kernel_knows_the_database_and_no_secret_that_it_has_no_use_for(visit, small, short_folder):
    opened(visit(small))
    [kernel] = kernels(short_folder / "small")
    told = kernel.environ()
    assert "DASHLIB_HOME" in told
    assert not set(SECRETS) & set(told)


def test_a_page_whose_kernel_is_gone_says_so_and_can_be_loaded_again(visit, small, short_folder):
    wait_for_kernels(0, short_folder / "small")
    page = opened(visit(small))
    [kernel] = kernels(short_folder / "small")
    expect(page.locator("#lost")).to_be_hidden()
    kernel.send_signal(signal.SIGKILL)
    expect(page.get_by_text("Connexion perdue")).to_be_visible(timeout=30_000)
    page.get_by_role("link", name="Recharger").click()
    opened(page)
    expect(page.locator("#lost")).to_be_hidden()


def test_the_theme_is_chosen_once_for_all_pages_and_stands_before_the_first_paint(visit, small):
    page = opened(visit(small, color_scheme="light"))
    button = page.locator(".d-live").get_by_role("button", name=re.compile("^Thème"))
    expect(button).to_have_text("Thème automatiqueclairsombre")
    assert button.inner_text() == "Thème automatique"
    button.click()
    button.click()
    assert button.inner_text() == "Thème sombre"
    page.reload(wait_until="commit")
    page.wait_for_selector("#loading, .d-page")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 31)"
    opened(page)
    page.locator(".d-live").get_by_role("button", name=re.compile("^Thème")).click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(244, 246, 248)"
    assert page.evaluate("localStorage.getItem('dashlib-theme')") is None


def test_a_browser_asks_for_the_scripts_of_a_version_once(visit, small):
    page = visit(small)
    asked = []
    opened(page)
    page.on("response", lambda answer: asked.append(answer) if "/dashlib/" in answer.url else None)
    page.reload(wait_until="commit")
    opened(page)
    cached = page.evaluate(
        "performance.getEntriesByType('resource').filter(e => e.name.includes('/dashlib/voila')).map(e => e.transferSize)"
    )
    assert len(asked) > 10
    assert set(cached) == {0}


def test_no_kernel_outlives_the_server(visit, short_folder):
    with moved_in(short_folder / "brief") as wb:
        wb.database.close()
        with serving(wb.settings.home, hasty) as port:
            opened(visit(address(port, "validate_file.ipynb")))
            assert kernels(wb.settings.home)
        wait_for_kernels(0, wb.settings.home, patience_s=10)
