import re
from datetime import date

import pytest
from playwright.sync_api import expect

from dashlib.serve import address
from dashlib.validation import validate_file
from tests.exports import export
from tests.integration.test_explorer import FIRST, SECOND
from tests.serving import dashboards, moved_in, serious, serving

pytestmark = pytest.mark.browser


@pytest.fixture(scope="session")
def office(short_folder):
    """The data folder of an office with two runs, the later of them without a line of the first."""
    with moved_in(short_folder / "office") as wb:
        for lines in (SECOND, FIRST):
            path = wb.settings.home / "factures.csv"
            path.write_text(export(*lines), "utf-8")
            validate_file(wb, path, run_date=date(2025, 7, 2))
        wb.database.close()
        yield wb.settings.home


@pytest.fixture(scope="session")
def explorer(office):
    """The address of the explorer's page, as `dashlib dashboards` serves it."""
    with serving(office, dashboards) as port:
        yield address(port, "explorer.ipynb")


def opened(page):
    page.wait_for_selector(".dx .dx-row")
    page.wait_for_function("[...document.fonts].some(font => font.family.includes('Source Sans 3'))")
    return page


def rows(page):
    return page.locator(".dx-row")


def facet(page, name):
    return page.locator(".dx-value", has_text=re.compile(name))


def test_from_a_facet_to_a_rule_a_result_why_setting_aside_and_trying_a_correction(visit, explorer):
    page = opened(visit(explorer))
    facet(page, "Erreur").click()
    expect(page.get_by_role("button", name="Retirer le filtre Gravité : Erreur")).to_be_visible()
    page.get_by_role("tab", name="Règles").click()
    rows(page).filter(has_text="ANNUAL_INTAKE_VISIT").click()
    expect(rows(page)).to_have_count(2)
    rows(page).first.click()
    detail = page.locator('[data-region="detail"]')
    expect(detail.get_by_role("heading", name="Pourquoi ?")).to_be_visible()
    expect(detail.locator(".dx-sum")).to_contain_text("maximum")
    expect(detail.locator(".dx-day .bar.touched").first).to_be_visible()

    detail.get_by_label(re.compile("^Code, ligne")).first.fill("15804")
    detail.get_by_label(re.compile("^Code, ligne")).first.press("Tab")
    expect(detail.locator(".dx-edits")).to_contain_text("15804")
    detail.get_by_role("button", name="Revalider").click()
    expect(detail.locator(".dx-tried")).to_contain_text("réglé")
    with page.expect_download() as handed:
        detail.get_by_role("button", name="Feuille de corrections").click()
    assert handed.value.suggested_filename.startswith("corrections-")

    detail.get_by_role("button", name="Écarter…").click()
    detail.get_by_label("Motif").select_option("accepte")
    detail.get_by_role("button", name="Écarter", exact=True).click()
    expect(page.locator('[data-region="said"]')).to_contain_text("1 constat écarté")
    expect(detail.locator(".dx-strip")).to_contain_text("Écarté")
    detail.get_by_role("button", name="Rouvrir").click()
    expect(page.locator('[data-region="said"]')).to_contain_text("1 constat rouvert")
    assert (page.outside, page.faults) == ([], [])


def test_the_keyboard_walks_filters_sets_aside_helps_and_is_silent_while_somebody_types(visit, explorer):
    page = opened(visit(explorer))
    detail = page.locator('[data-region="detail"]')
    page.locator(".dx-foot").click()
    page.keyboard.press("n")
    expect(rows(page).nth(0)).to_have_attribute("aria-selected", "true")
    rows(page).nth(0).focus()
    page.keyboard.press("ArrowDown")
    expect(rows(page).nth(1)).to_be_focused()
    expect(detail.locator(".dx-called")).to_contain_text(rows(page).nth(1).get_attribute("data-arg"))
    page.keyboard.press("p")
    expect(rows(page).nth(0)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("e")
    expect(page.get_by_label("Motif")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Au clavier")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("f")
    expect(page.locator(".dx-value").first).to_be_focused()
    with page.expect_download() as handed:
        page.keyboard.press("x")
    assert handed.value.suggested_filename == "constats-2.xlsx"
    selected = page.locator(".dx-row[aria-selected=true]").get_attribute("data-arg")
    page.get_by_label("Recherche").click()
    page.keyboard.type("nnn?")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.locator(".dx-row[aria-selected=true]").get_attribute("data-arg") == selected
    page.keyboard.press("Enter")
    expect(page.get_by_text("Aucun constat pour ces filtres")).to_be_visible()


def test_a_view_is_saved_a_run_compared_and_the_selection_copied_as_code(visit, explorer):
    page = opened(visit(explorer, permissions=["clipboard-read", "clipboard-write"]))
    page.get_by_label("Comparer à").select_option("1")
    facet(page, "Nouveau").click()
    expect(page.get_by_role("button", name="Retirer le filtre État : Nouveau")).to_be_visible()
    page.get_by_role("button", name="Enregistrer…").click()
    page.get_by_label("Nom de la vue").fill("Nouveaux")
    page.keyboard.press("Enter")
    expect(page.locator('[data-region="said"]')).to_contain_text("Nouveaux")
    page.get_by_role("button", name="Copier comme code").click()
    page.get_by_role("dialog").get_by_role("button", name="Copier").click()
    expect(page.locator('[data-region="said"]')).to_contain_text("Copié")
    assert "found.new" in page.evaluate("navigator.clipboard.readText()")


@pytest.mark.parametrize("width", [1440, 900, 390])
def test_the_page_fits_and_reads_in_the_dark(visit, explorer, width):
    page = opened(visit(explorer, width=width, color_scheme="dark"))
    rows(page).first.click()
    expect(page.locator(".dx-sheet h2")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert serious(page) == []
    ink, ground = page.evaluate(
        "[getComputedStyle(document.querySelector('.dx')).color, getComputedStyle(document.querySelector('.dx')).backgroundColor]"
    )
    assert sum(map(int, re.findall(r"\d+", ink)[:3])) > sum(map(int, re.findall(r"\d+", ground)[:3]))
