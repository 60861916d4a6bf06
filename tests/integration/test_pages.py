import logging
import re
import sys
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, date, datetime
from html import unescape
from io import BytesIO

import altair as alt
import comm
import ipywidgets as widgets
import polars as pl
import pytest
import sqlalchemy as sa
from openpyxl import load_workbook

from dashlib import chart_script, metrics, pages
from dashlib.errors import DatabaseUnavailable
from dashlib.pages import base
from dashlib.pages.controls import Choices
from dashlib.pages.filters import NONE, Filters
from dashlib.pages.visit import PAGES, Visit
from dashlib.runs import find_run
from dashlib.schema import ValidationRun
from dashlib.validation import validate_file
from tests import seed
from tests.exports import export, line
from tests.integration import loading

pytestmark = pytest.mark.database

OPENERS = (pages.error_rates, pages.common_rules, pages.patient_days)
COUNTED = "3\u00a0lignes sur 8".replace("\u00a0", " ")


@pytest.fixture
def clinic(wb):
    with wb.database.connect() as connection:
        seed.clinic(connection, wb.viewer.id)
    return wb


EVE, GUY = "9100001-00001 | Exemple, Ève - Omnipraticien", "9100002-00001 | Exemple, Guy - Omnipraticien"
ANA, BEN = "TEST80010112 - EXEMPLE, ANA", "TEST80010213 - EXEMPLE, BEN"
LINES = (
    line(facture="900000001", code="15815", date="2025-06-02", debut="09:00", fin="09:30", patient=ANA, doctor=EVE),
    line(facture="900000002", code="15815", date="2025-06-09", debut="09:00", fin="09:30", patient=ANA, doctor=EVE),
    line(facture="900000003", code="15815", date="2025-06-09", debut="10:00", paye="49,15", patient=BEN, doctor=EVE),
    line(facture="900000004", code="19928", date="2025-06-17", debut="08:00", prel="32,40", patient=BEN, doctor=GUY),
)


@pytest.fixture
def run(wb, tmp_path):
    path = tmp_path / "factures.csv"
    path.write_text(export(*LINES), "utf-8")
    validate_file(wb, path, run_date=date(2025, 7, 2))
    return wb


def plain(html):
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", html)))


@pytest.mark.parametrize("opener", OPENERS)
def test_somebody_without_a_run_is_told_how_to_begin(wb, opener):
    page = opener(Visit(), wb)
    assert "Aucune exécution" in page.outline
    assert "dashlib validate fichier.csv" in page.outline
    assert page.widget == ""


def test_a_database_that_does_not_answer_is_said_with_what_to_do(monkeypatch):
    def no_database():
        raise DatabaseUnavailable("DL-DB-001", host="somewhere")

    monkeypatch.setattr(base, "open_workbench", no_database)
    assert "The database does not answer" in pages.error_rates(Visit("en")).outline


def test_a_page_that_fails_says_a_reference_and_neither_page_nor_log_a_value(clinic, monkeypatch, caplog):
    page = pages.error_rates(Visit(), clinic)

    def broken(*_, **__):
        raise ValueError("TEST00000000")

    monkeypatch.setattr(metrics, "error_facts", broken)
    with caplog.at_level(logging.ERROR):
        page.bar.take(Filters(period="7"))
        first = pages.error_rates(Visit(), clinic)
    assert re.search(r"pas pu être montré \(référence [0-9A-F]{6}\)\s: les chiffres sont ceux de", page.outline)
    assert "96,4" in page.outline
    assert (page.bar.filters, page.bar._period.disabled) == (Filters(), True)
    assert "Cette partie n’a pas pu être produite" in first.outline
    assert "Taux d’erreur</h1>" in first.outline
    assert "ValueError" in caplog.text
    assert "TEST00000000" not in page.outline + caplog.text


def test_a_card_that_fails_leaves_the_others_and_can_be_tried_again(clinic, monkeypatch):
    page = pages.error_rates(Visit(), clinic)
    trend, severities = page.cards[:2]
    drawn = trend._chart.spec
    with monkeypatch.context() as patched:
        patched.setattr(severities, "_ask", lambda _: 1 / 0)
        page.redraw()
    said, retry = severities._place.children
    assert "Cette partie n’a pas pu être produite" in said.value
    assert trend._chart.spec == drawn
    retry.click()
    assert severities._place.children == (severities._chart,)


def test_a_page_that_failed_can_be_tried_again(clinic, monkeypatch):
    page = pages.error_rates(Visit(), clinic)
    with monkeypatch.context() as patched:
        patched.setattr(metrics, "error_facts", lambda *_, **__: 1 / 0)
        page.bar.take(Filters(period="7"))
    [retry] = page._ways_out.children
    retry.click()
    assert page._ways_out.children == ()
    assert page.cards[0]._place.children == (page.cards[0]._chart,)


def test_old_figures_are_stamped_as_such(wb):
    with wb.database.connect() as connection:
        run = seed.run(connection, wb.viewer.id, completed_at=datetime(2025, 6, 28, 1, 0, tzinfo=UTC))
        seed.days(connection, run, "date_de_service | doctor | lieu_de_pratique | lines\n2025-06-27 | M1 | | 5")
    assert "Données du 27\u00a0juin 2025\u00a0; aucune exécution depuis." in pages.error_rates(Visit(), wb).outline


def test_lines_without_doctor_or_place_can_be_chosen_too(wb):
    with wb.database.connect() as connection:
        run = seed.run(connection, wb.viewer.id)
        drawn = "date_de_service | doctor | lieu_de_pratique | lines\n2025-06-27 | M1 | 54321 | 5\n2025-06-27 | | | 3"
        seed.days(connection, run, drawn)
    page = pages.error_rates(Visit(filters={"place": NONE, "doctor": NONE}), wb)
    assert page.bar.scope.places == ("",)
    assert page.bar.counted.value == COUNTED


def test_the_address_of_a_page_holds_its_filters_and_language(monkeypatch):
    monkeypatch.setenv("QUERY_STRING", "lang=en&doctor=M%C3%89D-1&period=30")
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5")
    assert pages.visit() == Visit("en", {"doctor": "MÉD-1", "period": "30"}, "/")


@pytest.mark.parametrize(
    "asked",
    [
        {"period": "30"},
        {"period": "dates", "since": "2025-06-01", "until": "2025-06-07"},
        {"doctor": "MÉD-0A11AA1111,MÉD-0B22BB2222", "severity": "warning"},
        {"place": "55102", "rule": "OFFICE_FEE_19929"},
    ],
)
def test_filters_that_come_from_an_address_make_the_same_address(clinic, asked):
    held = metrics.holdings(clinic)
    assert Filters.read(asked, held).asked == asked


@pytest.mark.parametrize(
    "asked",
    [
        {"doctor": "NOBODY"},
        {"period": "13"},
        {"period": "dates", "since": "2025-06-09", "until": "2025-06-07"},
        {"period": "dates", "since": "yesterday", "until": "2025-06-07"},
        {"rule": "<script>", "severity": "bad"},
    ],
)
def test_a_filter_that_there_is_not_is_left_out(clinic, asked):
    assert Filters.read(asked, metrics.holdings(clinic)) == Filters()


def test_what_is_picked_on_a_chart_becomes_a_filter_and_stands_in_the_address(clinic):
    page = pages.error_rates(Visit(), clinic)
    page._on_severity({"severity": "warning"})
    page._on_doctor({"doctor": "MÉD-0C33CC3333", "begins": "2025-06-09"})
    assert page.bar.filters == Filters(
        period="dates",
        since=date(2025, 6, 9),
        until=date(2025, 6, 15),
        doctor=("MÉD-0C33CC3333",),
        severity="warning",
    )
    assert page._actions.query == (
        "error_rates.ipynb?period=dates&since=2025-06-09&until=2025-06-15&doctor=M%C3%89D-0C33CC3333&severity=warning"
    )


def test_a_range_drawn_on_the_trend_is_days_of_the_clinic(clinic):
    page = pages.error_rates(Visit(), clinic)
    ends = [datetime(2025, 6, day, 16, 0, tzinfo=UTC).timestamp() * 1000 for day in (2, 5)]
    page._on_days({"noon": ends})
    assert (page.bar.scope.since, page.bar.scope.until) == (date(2025, 6, 2), date(2025, 6, 5))


def test_choosing_a_rule_opens_its_sheet_with_its_workshop_and_asks_nothing_else(clinic, monkeypatch):
    page = pages.common_rules(Visit(), clinic)
    with monkeypatch.context() as patched:
        patched.setattr(metrics, "common_rules", lambda *_, **__: 1 / 0)
        page._on_rule({"rule_id": "OFFICE_FEE_19929"})
    assert "OFFICE_FEE_19929" in page._drawer.body
    assert len(page._tuning.children) == 1
    assert page._actions.query == "common_rules.ipynb?rule=OFFICE_FEE_19929"
    page._on_sheet("")
    assert (page._drawer.body, page._tuning.children) == ("", ())


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        (
            "fr",
            [
                "Paramètres",
                "patients inscrits exigés\u00a0: 19928 → 6",
                "contextes de sans rendez-vous\u00a0: AR, G160",
                "‹inscrits vus› inscrits (min. 6)",
                "le carnet rule_workshop",
                "Source",
                "Version",
                "Exceptions",
                "Ouvrir dans l’explorateur",
                "Écartés",
            ],
        ),
        (
            "en",
            [
                "Parameters",
                "registered patients required: 19928 → 6",
                "contexts of walk-in: AR, G160",
                "the notebook rule_workshop",
                "Source",
                "Version",
                "Exceptions",
                "Open in the explorer",
                "Set aside",
            ],
        ),
    ],
)
def test_the_sheet_of_a_rule_says_thresholds_source_version_and_exceptions(run, lang, words):
    page = pages.common_rules(Visit(lang, {"rule": "OFFICE_FEE_19928"}), run)
    assert [word for word in words if word not in page._drawer.body] == []
    assert not re.search(r"thresholds|walk_in_contexts|\{\w+\}", page._drawer.body)


def test_the_examples_of_a_rule_come_with_their_arithmetic_and_without_names(run):
    page = pages.common_rules(Visit(filters={"rule": "OFFICE_FEE_19928"}), run)
    said = plain(page._drawer.body)
    assert "1:" in said
    assert "MÉD-" in said
    assert "inscrits vus 0 sans rendez-vous vus 0 inscrits exigés 6 sans rendez-vous exigés 10" in said
    assert not [name for name in ("TEST8001", "EXEMPLE", "Exemple, ", "9100002") if name in page._drawer.body]


def test_the_sheet_of_a_doctors_day_counts_its_patients_and_tells_its_results_with_the_patients_day(run):
    [doctor] = metrics.doctor_days(run, metrics.Scope(date(2025, 6, 9), date(2025, 6, 9)))["doctor"]
    page = pages.patient_days(Visit(filters={"day": f"2025-06-09,{doctor}"}), run)
    said = plain(page._drawer.body)
    assert page._drawer.label == f"Feuille du 9\u00a0juin 2025\u00a0: {doctor}"
    assert "2 patients distincts" in said
    assert "Inscrits 1 1 2 Sans rendez-vous 0 0 0" in said
    assert "15815" in said
    assert "PAT-" in said
    assert "09:00" in page._drawer.body
    assert not [name for name in ("TEST8001", "EXEMPLE", "Exemple, ", "9100001") if name in page._drawer.body]


def test_the_sheet_of_a_day_leads_to_those_of_its_doctors_and_closes(clinic):
    page = pages.patient_days(Visit(), clinic)
    page._on_day({"day": "2025-06-10"})
    assert page._actions.query == "patient_days.ipynb?day=2025-06-10"
    assert page._drawer.body.count("data-sheet=") == 3
    page._on_sheet("2025-06-10,MÉD-0C33CC3333")
    assert "MÉD-0C33CC3333" in page._drawer.label
    page._on_sheet("")
    assert (page._drawer.body, page._actions.query) == ("", "patient_days.ipynb")


def test_results_of_a_day_are_shown_to_the_owner_of_their_run_only(wb):
    with wb.database.connect() as connection:
        others = loading.run(connection, "db|stranger")
        seed.days(
            connection, others, "date_de_service | doctor | lieu_de_pratique | lines\n2025-06-27 | M1 | 54321 | 5"
        )
        seen = "date_de_service | doctor | patients | registered | walk_in\n2025-06-27 | M1 | 2 | 2 | 0"
        seed.doctor_days(connection, others, seen)
        connection.execute(sa.update(ValidationRun).values(status="completed", completed_at=datetime.now(UTC)))
    page = pages.patient_days(Visit(filters={"day": "2025-06-27,M1"}), wb)
    assert "Les constats et les lignes ne sont montrés qu’à qui a fait l’exécution." in page._drawer.body
    assert "2 patients distincts" in plain(page._drawer.body)


def test_a_sheet_that_fails_says_a_reference_and_leaves_the_page(clinic, monkeypatch):
    page = pages.patient_days(Visit(), clinic)
    monkeypatch.setattr(metrics, "day_figures", lambda *_: 1 / 0)
    page._on_sheet("2025-06-10")
    assert "Cette partie n’a pas pu être produite" in page._drawer.body


@pytest.mark.parametrize("opener", OPENERS)
def test_every_tile_is_a_sentence_with_its_definition(clinic, opener):
    page = opener(Visit(), clinic)
    tiles = page._tiles.value
    assert tiles.count('role="group"') == tiles.count("<details") == 6
    assert not re.search(r'aria-label="[^"]*[▲▼▬]', tiles)


def test_a_page_whose_database_is_down_keeps_its_figures_stamped_and_lets_nothing_be_chosen(clinic, monkeypatch):
    page = pages.error_rates(Visit(), clinic)
    shown, drawn = page._tiles.value, page.cards[0]._chart

    def down(*_, **__):
        raise DatabaseUnavailable("DL-DB-001", host="somewhere")

    with monkeypatch.context() as patched:
        patched.setattr(metrics, "error_facts", down)
        page.bar.take(Filters(period="7"))
    assert re.search(r"La base de données ne répond pas\s: les chiffres sont ceux de", page.outline)
    assert (page._tiles.value, page.cards[0]._place.children) == (shown, (drawn,))
    assert (page.bar.filters, page.bar._period.disabled) == (Filters(), True)
    [retry] = page._ways_out.children
    retry.click()
    assert "ne répond pas" not in page.outline
    assert (page.bar.filters, page.bar._period.disabled) == (Filters(period="7"), False)


def test_filters_that_leave_nothing_name_the_one_that_did_and_the_ways_out(clinic):
    asked = {"period": "dates", "since": "2025-05-24", "until": "2025-05-25", "doctor": "MÉD-0C33CC3333"}
    page = pages.error_rates(Visit(filters=asked), clinic)
    assert "«\u00a0Période 24\u00a0mai – 25\u00a0mai 2025\u00a0» n’en laisse aucune." in page.outline
    assert [way.description for way in page._ways_out.children] == [
        "Retirer «\u00a0Médecin\u00a0»",
        "Élargir à toutes les dates",
    ]
    page._ways_out.children[-1].click()
    assert page.facts.figures.now.lines > 0


def test_a_run_that_stopped_on_its_way_is_told_with_whose_figures_stand(clinic):
    with clinic.database.connect() as connection:
        seed.run(connection, clinic.viewer.id, status="failed", progress=62, error_code="DL-RUN-001")
    assert "interrompue à 62\u00a0%" in pages.error_rates(Visit(), clinic).outline


@pytest.mark.parametrize("opener", OPENERS)
def test_somebody_without_a_role_is_told_whom_to_ask(clinic, opener):
    page = opener(Visit(), replace(clinic, viewer=replace(clinic.viewer, role="pending")))
    assert "Votre rôle ne donne pas accès à cette page." in page.outline
    assert "Demandez le rôle" in page.outline


def test_small_numbers_of_patients_do_not_leave_in_a_workbook(wb):
    with wb.database.connect() as connection:
        run = seed.run(connection, wb.viewer.id)
        drawn = "date_de_service | doctor | lieu_de_pratique | lines\n2025-06-27 | M1 | 54321 | 5"
        seed.days(connection, run, drawn)
        seen = "date_de_service | doctor | patients | registered | walk_in\n2025-06-27 | M1 | 9 | 6 | 3"
        seed.doctor_days(connection, run, seen)
    page = pages.patient_days(Visit(), wb)
    frames = page.tables(page.facts)
    assert frames["Médecin-jour"].select("patients", "registered", "walk_in").row(0) == (9, 6, None)
    assert frames["Note"].item() == "Les nombres de 1 à 4 patients ne sont pas donnés."


def test_small_numbers_of_patients_do_not_leave_in_the_files_behind_the_charts(wb):
    with wb.database.connect() as connection:
        run = seed.run(connection, wb.viewer.id)
        seed.days(connection, run, "date_de_service | doctor | lieu_de_pratique | lines\n2025-06-27 | M1 | 54321 | 5")
        seen = "date_de_service | doctor | patients | registered | walk_in\n2025-06-27 | M1 | 3 | 3 | 0"
        seed.doctor_days(connection, run, seen)
    page = pages.patient_days(Visit(), wb)
    files = [
        b64decode(found).decode("utf-8-sig")
        for card in page.cards
        for found in re.findall(r"base64,([^\"]+)", card._data.value)
    ]
    assert len(files) == 3
    assert [file for file in files if re.search(r"[;,]3[;,\r]", file)] == []
    assert "Les nombres de 1 à 4 patients ne sont pas donnés." in page.cards[0]._data.value


def test_the_rules_to_treat_first_lead_to_their_results_in_the_explorer(clinic):
    page = pages.error_rates(Visit("en"), clinic)
    links = re.findall(r'href="([^"]+)"', page.cards[3]._said.value)
    rules = page.facts.figures.rules["rule_id"].head(8).to_list()
    assert links == [*(f"explorer.ipynb?lang=en&amp;rule={rule}" for rule in rules), "explorer.ipynb?lang=en"]


def test_what_became_of_results_leads_to_those_in_the_explorer(run, tmp_path):
    path = tmp_path / "corrigees.csv"
    path.write_text(export(*LINES[:2]), "utf-8")
    validate_file(run, path, run_date=date(2025, 7, 2))
    page = pages.error_rates(Visit(), run)
    change = page.facts.change
    here = f"explorer.ipynb?run={change.run}&amp;compare={change.before}&amp;state="
    states = change.rows.filter(pl.col("results") > 0)["status"].to_list()
    assert {link for link in re.findall(r'href="([^"]+)"', page.cards[4]._data.value) if "explorer" in link} == {
        f"{here}{state}" for state in states
    }


def test_money_that_is_urgent_stands_with_what_is_at_risk_and_is_no_sum_of_its_own(wb):
    with wb.database.connect() as connection:
        run = seed.run(connection, wb.viewer.id)
        drawn = """date_de_service | doctor | lieu_de_pratique | lines | at_risk
                   2025-03-31      | M1     | 54321            | 5     | 1.00
                   2025-04-01      | M1     | 54321            | 5     | 20.00
                   2025-04-16      | M1     | 54321            | 5     | 300.00
                   2025-04-17      | M1     | 54321            | 5     | 4000.00
                   2025-06-30      | M1     | 54321            | 5     | 0.00"""
        seed.days(connection, run, drawn)
    page = pages.error_rates(Visit(filters={"period": "7"}), wb)
    assert "dont 320,00\u00a0$ à envoyer d’ici 15 jours" in page._tiles.value


def test_the_doctors_who_are_chosen_have_a_calendar_each(clinic):
    everybody = metrics.holdings(clinic).doctors
    page = pages.patient_days(Visit(filters={"doctor": ",".join(everybody[:2])}), clinic)
    spec = page.cards[1]._chart.spec
    rows = spec["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert {row.partition("|")[0] for row in rows} == set(everybody[:2])
    assert len(rows) == 2 * 8


def test_on_a_phone_the_bar_is_folded_behind_a_button_that_counts_its_choices(clinic):
    page = pages.error_rates(Visit(filters={"severity": "error", "period": "30"}), clinic)
    assert page.bar.widget.children[0].label == "Filtres (2)"
    page.bar.reset()
    assert page.bar.widget.children[0].label == "Filtres"


def test_rules_can_be_drawn_by_their_results_instead_of_their_stake(clinic):
    page = pages.common_rules(Visit(), clinic)
    before = page.cards[0]._chart.spec
    page._by.value = "results"
    assert page.cards[0]._chart.spec != before


@pytest.mark.parametrize("opener", OPENERS)
def test_the_workbook_holds_what_is_on_screen(clinic, opener):
    page = opener(Visit(filters={"period": "7"}), clinic)
    name, content = page._workbook()
    book = load_workbook(BytesIO(content))
    assert name.endswith("_2025-06-24_2025-06-30.xlsx")
    assert {sheet.title: sheet.max_row - 1 for sheet in book} == {
        title: rows.height for title, rows in page.tables(page.facts).items()
    }


@pytest.mark.parametrize("lang", ["fr", "en"])
@pytest.mark.parametrize("opener", OPENERS)
def test_each_page_has_all_its_cards_in_both_languages(clinic, opener, lang):
    page = opener(Visit(lang), clinic)
    assert page.outline.count("<h2>") == len(page.cards)
    assert "pas pu" not in page.outline
    assert "could not" not in page.outline


def test_the_script_of_charts_is_made_once_and_asks_nothing_of_the_network(tmp_path, monkeypatch):
    for value, name in ((False, "_is_offline"), (alt.JupyterChart._esm, "_esm")):
        monkeypatch.setattr(alt.JupyterChart, name, value)
    kept = chart_script.offline_charts(tmp_path)
    assert kept == tmp_path / chart_script.script_name()
    monkeypatch.setattr(alt.JupyterChart, "_is_offline", False)
    monkeypatch.setattr(alt.JupyterChart, "enable_offline", lambda: 1 / 0)
    chart_script.offline_charts(tmp_path)
    assert str(alt.JupyterChart._esm) == kept.read_text("utf-8")
    assert "https://esm.sh" not in kept.read_text("utf-8")


def test_a_file_that_cannot_be_made_is_said_and_nothing_of_the_failure_is_logged(clinic, monkeypatch, caplog):
    page = pages.error_rates(Visit(), clinic)
    sent = []
    monkeypatch.setattr(page._actions, "send", lambda told, **_: sent.append(told))

    def broken():
        raise ValueError("TEST00000000")

    with caplog.at_level(logging.ERROR):
        page._actions._save(broken, "fr")
    assert sent == [{"failed": True}]
    assert "ValueError" in caplog.text
    assert "TEST00000000" not in caplog.text


def parts(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from parts(child)


def shown(page):
    drawn = [card._chart.spec if card._chart else card._said.value for card in page.cards]
    return page._actions.query, page._drawer.body, page._tiles.value, drawn


def use(control):
    match control:
        case widgets.Button():
            control.click()
        case widgets.Dropdown() | widgets.ToggleButtons():
            control.value = next(value for _, value in control.options if value not in (control.value, "dates"))
        case Choices():
            control.chosen = [control.options[0][0]]
        case _:
            return False
    return True


@pytest.mark.parametrize(
    ("opener", "controls"), [(pages.error_rates, 6), (pages.common_rules, 8), (pages.patient_days, 6)]
)
def test_every_control_of_a_page_does_something_that_can_be_seen(clinic, opener, controls):
    page = opener(Visit(filters={"period": "30"}), clinic)
    used = 0
    for control in [each for each in parts(page.widget) if getattr(each, "layout", None) is not None]:
        before = shown(page)
        if use(control):
            assert shown(page) != before, control
            used += 1
            page.bar.take(Filters(period="30"))
    assert used == controls


@pytest.mark.parametrize("opener", OPENERS)
def test_every_link_of_a_page_leads_to_a_page_and_every_sheet_that_is_named_opens(clinic, opener):
    page = opener(Visit(), clinic)
    html = page.outline + "".join(card._data.value + card._said.value for card in page.cards)
    pages_named = {link.partition("?")[0] for link in re.findall(r'href="([^"#]+)"', html) if link[:5] != "data:"}
    assert pages_named <= {f"{name}.ipynb" for name in PAGES}
    assert len(pages_named) >= 5
    for sheet in set(re.findall(r'data-sheet="([^"]+)"', html)):
        page._on_sheet(unescape(sheet))
        assert "<h2>" in page._drawer.body, sheet


def test_the_explorers_language_and_pages_keep_what_its_address_asked_for(run):
    page = pages.explorer(Visit("fr", {"run": "1", "state": "open"}), run)
    assert 'href="explorer.ipynb?lang=en&amp;run=1&amp;state=open"' in page.outline


def test_a_run_that_ended_before_it_was_cancelled_is_shown_and_not_called_cancelled(run, monkeypatch):
    page, told = pages.validate_file(Visit(), run), []
    monkeypatch.setattr(page._upload, "send", told.append)
    page._run = find_run(run, "last").id
    page._stop()
    assert [said["ended"] for said in told] == ["Exécution 1 terminée."]


def waiting(monkeypatch, **request):
    monkeypatch.setattr(sys.modules["dashlib.pages.visit"], "_request", lambda: request)
    monkeypatch.setenv("QUERY_STRING", "")
    monkeypatch.setenv("VOILA_PREHEAT", "True")


def test_a_warm_kernel_draws_the_page_for_nobody_and_then_waits_for_its_visitor(clinic, monkeypatch):
    told, drawn = [], []
    monkeypatch.setattr(comm, "create_comm", lambda **given: told.append(given) or comm.DummyComm(**given))
    waiting(monkeypatch, QUERY_STRING="lang=en")
    asked = pages.visit(lambda visit: drawn.append(pages.error_rates(visit, clinic)))
    assert (asked.lang, len(drawn), told) == ("en", 1, [])
    assert "96,4" in drawn[0].outline
    pages.error_rates(asked, clinic)
    assert told != []


def test_a_page_that_could_not_be_rehearsed_is_drawn_when_somebody_comes(monkeypatch):
    waiting(monkeypatch, QUERY_STRING="")
    assert pages.visit(lambda _: 1 / 0).lang == "fr"
