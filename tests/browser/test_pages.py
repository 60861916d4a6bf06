import re
from io import BytesIO
from pathlib import Path

import pytest
from openpyxl import load_workbook
from playwright.sync_api import expect

from tests import exports
from tests.serving import serious

pytestmark = pytest.mark.browser

TITLES = {
    "error_rates": ("Taux d’erreur", "Error rate"),
    "common_rules": ("Règles les plus fréquentes", "Most common rules"),
    "patient_days": ("Patients par jour", "Patients per day"),
    "validate_file": ("Valider un fichier", "Validate a file"),
    "explorer": ("Explorateur", "Explorer"),
}
CHARTS = {"error_rates": 3, "common_rules": 2, "patient_days": 3}


def of(dashboard, page, asked=""):
    return dashboard.replace("error_rates.ipynb", f"{page}.ipynb{asked}")


def drawn(page, charts):
    expect(page.locator(".d-live .vega-embed svg.marks")).to_have_count(charts)
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(500)  # nobody clicks sooner than a chart begins to listen
    return page


def plain(text):
    return text.replace("\u00a0", " ").replace("\u202f", " ")


@pytest.mark.parametrize("name", ["common_rules", "patient_days"])
def test_each_page_is_drawn_at_each_width_and_in_the_dark_and_asks_nothing_of_the_outside(visit, dashboard, name):
    page = drawn(visit(of(dashboard, name)), CHARTS[name])
    expect(page.get_by_role("heading", level=1)).to_have_text(TITLES[name][0])
    for width in (1440, 900, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(500)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert serious(page) == []
    page.emulate_media(color_scheme="dark")
    assert serious(page) == []
    card = page.locator(".d-live .d-card").first
    assert card.evaluate("card => getComputedStyle(card).backgroundColor") == "rgb(28, 34, 43)"
    assert (page.outside, page.faults) == ([], [])


@pytest.mark.parametrize("name", ["common_rules", "patient_days"])
def test_each_page_speaks_english_and_no_number_is_french(visit, dashboard, name):
    page = drawn(visit(of(dashboard, name, "?lang=en")), CHARTS[name])
    expect(page).to_have_title(TITLES[name][1])
    assert not re.search(r"\d,\d\d[ \u00a0\u202f]?[$%]|\d[ \u00a0\u202f][$%]", page.locator("body").inner_text())


def test_the_pages_lead_to_each_other_with_the_same_filters(visit, dashboard):
    page = drawn(visit(of(dashboard, "error_rates", "?doctor=MÉD-0C33CC3333")), CHARTS["error_rates"])
    page.locator(".d-live").get_by_role("navigation").get_by_role("link", name="Patients par jour").click()
    drawn(page, CHARTS["patient_days"])
    expect(page.get_by_text("2\u202f016 lignes sur 6\u202f066")).to_be_visible()


def test_clicking_a_severity_filters_the_page_and_its_address(visit, dashboard):
    page = drawn(visit(dashboard), CHARTS["error_rates"])
    page.locator('.d-live .d-card.s4 [aria-roledescription="bar"]').nth(1).click()
    page.wait_for_url(re.compile(r"severity=(error|warning|info)"))


def test_clicking_a_bar_opens_the_sheet_of_its_rule(visit, dashboard):
    page = drawn(visit(of(dashboard, "common_rules")), CHARTS["common_rules"])
    page.locator('.d-live .d-card.s7 [aria-roledescription="bar"]').first.click()
    expect(page.locator(".d-drawer[open]")).to_contain_text("Source", timeout=15_000)
    expect(page).to_have_url(re.compile(r"rule=[A-Z0-9_]+"))
    page.keyboard.press("Escape")
    expect(page.locator(".d-drawer[open]")).to_have_count(0)
    expect(page).not_to_have_url(re.compile(r"rule="))


def test_the_sheet_of_a_day_opens_from_a_bar_a_cell_and_the_keyboard_and_again_after_it_was_closed(visit, dashboard):
    page = drawn(visit(of(dashboard, "patient_days")), CHARTS["patient_days"])
    sheet = page.locator(".d-drawer[open]")
    cell = page.locator('.d-live .d-card.s8 [aria-roledescription="rect mark"]').nth(2)
    for mark in (page.locator('.d-live .d-card.s12 [aria-roledescription="bar"]').nth(4), cell, cell):
        mark.click()
        expect(sheet).to_contain_text("patients distincts", timeout=15_000)
        page.keyboard.press("Escape")
        expect(sheet).to_have_count(0)
    day = page.locator(".d-live .d-card").last.locator("a[data-sheet]").first
    day.focus()
    page.keyboard.press("Enter")
    expect(sheet).to_contain_text("Frais de bureau", timeout=15_000)
    expect(page).to_have_url(re.compile(r"day=2025"))
    page.get_by_role("button", name="Fermer").click()
    expect(sheet).to_have_count(0)
    expect(day).to_be_focused()
    assert page.faults == []


def test_a_measure_is_switched_and_the_bars_are_drawn_anew(visit, dashboard):
    page = drawn(visit(of(dashboard, "common_rules")), CHARTS["common_rules"])
    before = page.locator(".d-live .d-card.s7 svg.marks").inner_html()
    page.get_by_role("button", name="Constats", exact=True).click()
    page.wait_for_function(
        "before => document.querySelector('.d-live .d-card.s7 svg.marks').innerHTML !== before", arg=before
    )


def test_the_link_to_what_is_looked_at_is_copied(visit, dashboard):
    page = drawn(visit(of(dashboard, "patient_days", "?period=7")), CHARTS["patient_days"])
    page.get_by_role("button", name="Copier le lien").click()
    expect(page.get_by_text("Lien copié")).to_be_visible()
    assert page.url.endswith("patient_days.ipynb?period=7")


def test_what_is_on_screen_is_saved_as_a_workbook(visit, dashboard):
    page = drawn(visit(dashboard), CHARTS["error_rates"])
    with page.expect_download() as saved:
        page.get_by_role("button", name="Excel").click()
    assert saved.value.suggested_filename == "error_rates_2025-05-22_2025-06-30.xlsx"
    book = load_workbook(BytesIO(Path(saved.value.path()).read_bytes()))
    assert book.sheetnames == ["Jours", "Règles", "Médecins"]
    assert book["Jours"].max_row == 29


def test_a_file_is_validated_in_the_background_and_its_outcome_shown(visit, new_dashboard, tmp_path):
    export = tmp_path / "export.csv"
    export.write_bytes(exports.export(*(exports.line(ramq=f"7000000000{n}") for n in range(3))).encode())
    page = visit(of(new_dashboard, "validate_file"))
    page.locator(".d-live input[type=file]").set_input_files(export)
    expect(page.get_by_text("export.csv ·")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Valider", exact=True).click()
    expect(page.get_by_text(re.compile(r"Exécution \d+ terminée"))).to_be_visible(timeout=60_000)
    expect(page.get_by_role("heading", name="Ce qui a été détecté")).to_be_visible()
    assert serious(page) == []


def test_a_file_that_is_no_export_is_refused_with_the_reason(visit, new_dashboard, tmp_path):
    export = tmp_path / "export.csv"
    export.write_text("this is no export\n1;2;3\n")
    page = visit(of(new_dashboard, "validate_file"))
    page.locator(".d-live input[type=file]").set_input_files(export)
    page.get_by_role("button", name="Valider", exact=True).click()
    expect(page.locator(".d-said.is-bad")).to_contain_text("DL-")


def test_an_empty_file_is_not_sent(visit, new_dashboard, tmp_path):
    (tmp_path / "empty.csv").touch()
    page = visit(of(new_dashboard, "validate_file"))
    page.locator(".d-live input[type=file]").set_input_files(tmp_path / "empty.csv")
    expect(page.locator(".d-said.is-bad")).to_contain_text("fichier vide")
    expect(page.get_by_role("button", name="Valider", exact=True)).to_be_disabled()
