import logging
from datetime import UTC, date, datetime
from io import BytesIO

import altair as alt
import pytest
from openpyxl import load_workbook

from dashlib import chart_script, metrics, pages
from dashlib.errors import DatabaseUnavailable
from dashlib.pages import base
from dashlib.pages.filters import NONE, Filters
from dashlib.pages.visit import Visit
from tests import seed

pytestmark = pytest.mark.database

OPENERS = (pages.error_rates, pages.common_rules, pages.patient_days)
COUNTED = "3\u00a0lignes sur 8".replace("\u00a0", " ")


@pytest.fixture
def clinic(wb):
    with wb.database.connect() as connection:
        seed.clinic(connection, wb.viewer.id)
    return wb


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
        page.redraw()
    assert "Cette partie n’a pas pu être produite" in page.outline
    assert "96,4" in page.outline
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


def test_choosing_a_rule_opens_its_sheet_with_its_workshop(clinic):
    page = pages.common_rules(Visit(), clinic)
    page._on_rule({"rule_id": "OFFICE_FEE_19929"})
    sheet = page.cards[2]
    assert "OFFICE_FEE_19929" in sheet._said.value
    assert len(page._tuning.children) == 1
    page.bar.reset()
    assert page._tuning.children == ()


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
