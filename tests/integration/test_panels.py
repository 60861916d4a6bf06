import logging
from datetime import UTC, datetime

import altair as alt
import pytest

from dashlib import metrics, panels
from dashlib.errors import DatabaseUnavailable
from dashlib.panels import Visit
from tests import seed

pytestmark = pytest.mark.database


@pytest.fixture
def clinic(wb):
    with wb.database.connect() as connection:
        seed.clinic(connection, wb.viewer.id)
    return wb


def test_somebody_without_a_run_is_told_how_to_begin(wb):
    page = panels.error_rates(Visit(), wb)
    assert "Aucune exécution" in page.outline
    assert "dashlib validate fichier.csv" in page.outline
    assert page.widget == ""


def test_a_database_that_does_not_answer_is_said_with_what_to_do(monkeypatch):
    def no_database():
        raise DatabaseUnavailable("DL-DB-001", host="somewhere")

    monkeypatch.setattr(panels, "open_workbench", no_database)
    assert "The database does not answer" in panels.error_rates(Visit("en")).outline


def test_a_panel_that_fails_says_a_reference_and_neither_page_nor_log_a_value(clinic, monkeypatch, caplog):
    page = panels.error_rates(Visit(), clinic)

    def broken(*_, **__):
        raise ValueError("TEST00000000")

    monkeypatch.setattr(metrics, "error_facts", broken)
    with caplog.at_level(logging.ERROR):
        page.redraw()
    assert "Cette partie n’a pas pu être produite" in page.outline
    assert "96,4" in page.outline
    assert "ValueError" in caplog.text
    assert "TEST00000000" not in page.outline + caplog.text


def test_a_panel_that_failed_can_be_tried_again(clinic, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(metrics, "error_facts", lambda *_, **__: 1 / 0)
        page = panels.error_rates(Visit(), clinic)
    [retry] = page._actions.children
    retry.click()
    assert "96,4" in page.outline
    assert page._actions.children == ()


def test_old_figures_are_stamped_as_such(wb):
    with wb.database.connect() as connection:
        run = seed.run(connection, wb.viewer.id, completed_at=datetime(2025, 6, 28, 1, 0, tzinfo=UTC))
        seed.days(connection, run, "date_de_service | doctor | lieu_de_pratique | lines\n2025-06-27 | M1 | | 5")
    assert "Données du 27\u00a0juin 2025\u00a0; aucune exécution depuis." in panels.error_rates(Visit(), wb).outline


def test_lines_without_doctor_or_place_can_be_chosen_too(wb):
    with wb.database.connect() as connection:
        run = seed.run(connection, wb.viewer.id)
        drawn = "date_de_service | doctor | lieu_de_pratique | lines\n2025-06-27 | M1 | 54321 | 5\n2025-06-27 | | | 3"
        seed.days(connection, run, drawn)
    page = panels.error_rates(Visit(filters={"place": panels.NONE, "doctor": panels.NONE}), wb)
    assert page._bar.scope.place == ""
    assert page._bar._count.value == "3\u00a0lignes sur 8".replace("\u00a0", " ")


def test_the_address_of_a_page_holds_its_filters_and_language(monkeypatch):
    monkeypatch.setenv("QUERY_STRING", "lang=en&doctor=M%C3%89D-1&period=30")
    assert panels.visit() == Visit("en", {"doctor": "MÉD-1", "period": "30"})


def test_a_filter_that_the_page_does_not_have_is_left_out(clinic):
    page = panels.error_rates(Visit(filters={"doctor": "NOBODY", "period": "7"}), clinic)
    assert page._bar.chosen == {"period": "7"}


def test_the_script_of_charts_is_made_once_and_asks_nothing_of_the_network(tmp_path, monkeypatch):
    for value, name in ((False, "_is_offline"), (alt.JupyterChart._esm, "_esm")):
        monkeypatch.setattr(alt.JupyterChart, name, value)
    panels.offline_charts(tmp_path)
    [kept] = tmp_path.iterdir()
    monkeypatch.setattr(alt.JupyterChart, "_is_offline", False)
    monkeypatch.setattr(alt.JupyterChart, "enable_offline", lambda: 1 / 0)
    panels.offline_charts(tmp_path)
    assert str(alt.JupyterChart._esm) == kept.read_text("utf-8")
    assert "https://esm.sh" not in kept.read_text("utf-8")
