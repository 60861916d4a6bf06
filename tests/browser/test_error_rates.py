import re

import pytest
from playwright.sync_api import expect

from tests.serving import serious

pytestmark = pytest.mark.browser

EVERYBODY = {
    "Factures sans erreur": "96,4 %",
    "Lignes en erreur": "1,5 %",
    "À risque": "4 201,40 $",
    "À rembourser": "192,00 $",
    "Gain possible": "168,30 $",
    "Patients par jour": "25",
}
DOCTOR_C = {
    "Factures sans erreur": "93,9 %",
    "Lignes en erreur": "2,5 %",
    "À risque": "2 410,60 $",
    "À rembourser": "60,00 $",
    "Gain possible": "56,10 $",
    "Patients par jour": "26",
}


TREND = ".d-live .d-card.s8"


def live(page):
    """The page once its widgets stand and its chart is drawn."""
    page.wait_for_selector(f"{TREND} .vega-embed svg")
    page.evaluate("document.fonts.ready")
    return page


def plain(text):
    return text.replace("\u00a0", " ").replace("\u202f", " ")


def tiles(page, root=".d-live"):
    labels = page.locator(f"{root} .d-tile .l").all_inner_texts()
    return dict(zip(labels, map(plain, page.locator(f"{root} .d-tile .v").all_inner_texts()), strict=True))


def points(page):
    return page.locator(f'{TREND} [aria-roledescription="point"]')


def first_rule(page):
    return page.locator(".d-live .d-card.s5 .d-place tbody tr").first


def choose(page, label, option):
    select = page.get_by_role("combobox", name=label, exact=True)
    if select.count():
        select.select_option(label=option)
        return
    page.locator(".d-choices", has=page.get_by_text(label, exact=True)).get_by_role("button").first.click()
    page.get_by_role("dialog", name=label).get_by_label(option).check()
    page.keyboard.press("Escape")


@pytest.mark.parametrize("width", [1440, 900, 390])
def test_the_page_shows_its_figures_and_chart_and_asks_nothing_of_the_outside(visit, dashboard, width):
    page = live(visit(dashboard, width=width))
    expect(page.get_by_role("heading", level=1)).to_have_text("Taux d’erreur")
    expect(points(page)).to_have_count(28)
    assert tiles(page) == EVERYBODY
    assert "Traceback" not in page.content()
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert (page.outside, page.faults) == ([], [])


def test_choosing_a_doctor_redraws_tiles_chart_table_and_sentence_and_reset_takes_it_back(visit, dashboard):
    page = live(visit(dashboard))
    drawn = page.locator(f"{TREND} .vega-embed svg").inner_html()
    choose(page, "Médecin", "MÉD-0C33CC3333")
    expect(page.get_by_text("2\u202f016 lignes sur 6\u202f066")).to_be_visible()
    expect(page.get_by_text("Le taux de lignes en erreur est de 2,5\u00a0% (cible 2\u00a0%).")).to_be_visible()
    assert tiles(page) == DOCTOR_C
    expect(first_rule(page)).to_contain_text("1\u202f309,00\u00a0$")
    page.wait_for_function(
        "drawn => document.querySelector('.d-live .d-card.s8 .vega-embed svg').innerHTML !== drawn", arg=drawn
    )
    page.get_by_role("button", name="Réinitialiser").click()
    expect(page.get_by_text("6\u202f066 lignes sur 6\u202f066")).to_be_visible()
    assert tiles(page) == EVERYBODY


def test_choosing_warnings_draws_their_rate_and_leaves_their_rules(visit, dashboard):
    page = live(visit(dashboard))
    choose(page, "Gravité", "Avertissement")
    expect(page.get_by_role("heading", name="Évolution du taux d’avertissement")).to_be_visible()
    assert tiles(page)["Lignes en avertissement"] == "0,6 %"
    expect(first_rule(page)).to_contain_text("Heure de début manquante")


def test_days_without_an_error_are_good_news_and_not_an_empty_chart(visit, dashboard):
    page = live(visit(dashboard))
    choose(page, "Médecin", "MÉD-0B22BB2222")
    choose(page, "Période", "7 derniers jours")
    expect(page.get_by_text("Aucune erreur sur 354 lignes")).to_be_visible()
    expect(page.locator(f"{TREND} .vega-embed")).to_have_count(0)


def test_filters_that_leave_nothing_are_named_and_can_be_taken_away(visit, dashboard):
    page = visit(f"{dashboard}?place=55102&doctor=MÉD-0B22BB2222")
    expect(page.get_by_text("Rien n’a été facturé avec cette combinaison").first).to_contain_text(
        "Lieu 55102, Médecin MÉD-0B22BB2222", timeout=60_000
    )
    page.get_by_role("button", name="Retirer « Lieu »".replace(" »", "\u00a0»").replace("« ", "«\u00a0")).click()
    expect(page.get_by_text("2\u202f022 lignes sur 6\u202f066")).to_be_visible()
    live(page)


def test_the_figures_behind_the_chart_can_be_read_as_a_table(visit, dashboard):
    page = live(visit(dashboard))
    page.locator(TREND).get_by_text("Voir les données").click()
    first = page.locator(f"{TREND} details tbody tr").first.locator("td").all_inner_texts()
    assert [plain(cell) for cell in first] == ["2025-06-30", "216", "3", "1,4 %"]


def test_the_figures_stand_in_the_page_before_any_script_runs(visit, dashboard):
    page = visit(dashboard, java_script_enabled=False)
    page.wait_for_selector(".d-still .d-tile")
    assert tiles(page, ".d-still") == EVERYBODY
    expect(page.get_by_text("Le taux de lignes en erreur est de 1,5\u00a0% (cible 2\u00a0%).")).to_be_visible()


def test_the_page_speaks_english_when_asked(visit, dashboard):
    page = live(visit(dashboard))
    choose(page, "Médecin", "MÉD-0C33CC3333")
    expect(page.get_by_text("2\u202f016 lignes sur 6\u202f066")).to_be_visible()
    page.get_by_role("link", name="English").click()
    live(page)
    expect(page.get_by_text("2,016 lines of 6,066")).to_be_visible()
    expect(page).to_have_title("Error rate")
    assert tiles(page)["At risk"] == "$2,410.60"
    assert not re.search(r"\d,\d\d\s?[$%]", page.locator("body").inner_text())


def test_the_page_prints_whole(visit, dashboard):
    page = live(visit(dashboard))
    page.emulate_media(media="print")
    expect(page.locator(".d-live .d-bar")).to_be_hidden()
    cards = page.locator(".d-live .d-card").all()
    assert not [card for card in cards if card.evaluate("card => card.scrollWidth > card.clientWidth + 1")]


def test_a_page_of_another_site_that_takes_our_address_is_refused(visit, chromium, dashboard):
    context = chromium.new_context(extra_http_headers={"Host": "elsewhere.example"})
    assert context.request.get(dashboard).status == 403
    context.close()


def test_a_chart_drawn_before_its_card_has_a_width_gets_one(visit, dashboard):
    page = live(visit(dashboard))
    page.evaluate("""() => {
        const chart = document.querySelector('.d-live .vega-embed svg.marks');
        chart.setAttribute('width', '0');
    }""")
    page.wait_for_function(
        "() => Number(document.querySelector('.d-live .vega-embed svg.marks').getAttribute('width')) > 300"
    )
