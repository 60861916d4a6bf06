from datetime import date

import pytest

from dashlib import preview, rulebook
from dashlib.errors import NotFound
from dashlib.rules import parse_rules
from dashlib.validation import validate_file
from dashlib.workshop import Workshop
from tests.exports import export
from tests.integration.test_preview import FIRST, LIMIT

pytestmark = pytest.mark.database


@pytest.fixture
def bench(wb, tmp_path):
    rulebook.save_rules(wb, parse_rules([LIMIT]), note="ours")
    path = tmp_path / "factures.csv"
    path.write_text(export(*FIRST), "utf-8")
    validate_file(wb, path, run_date=date(2025, 5, 31))
    return Workshop("OUR_LIMIT", days=90, wb=wb)


def test_a_form_shows_the_rule_as_it_is(bench):
    assert bench.fields["max"].value == "1"
    assert bench.fields["codes"].value == "15815"
    assert bench.fields["enabled"].value == "true"
    assert bench.changes() == {}
    assert "OUR_LIMIT" in bench.sheet.value


def test_the_preview_button_shows_what_would_change_and_saves_nothing(bench, wb):
    bench.fields["max"].value = "2"
    bench.buttons["preview"].click()
    assert "5 des 90 jours ont encore leurs lignes" in bench.said.value
    assert "Constats perdus" in bench.said.value
    assert "TEST80010112" not in bench.said.value
    assert rulebook.find_rule(wb, "OUR_LIMIT").version == 1


def test_the_save_button_keeps_a_new_version_with_its_note(bench, wb):
    bench.fields["max"].value = "2"
    bench.more.value = "where.places=cabinet"
    bench.note.value = "essai"
    bench.buttons["save"].click()
    assert "version 2 enregistrée" in bench.said.value
    assert bench.fields["where.places"].value == "cabinet"
    assert (bench.note.value, bench.more.value, bench.changes()) == ("", "", {})
    assert rulebook.history(wb, "OUR_LIMIT")[0].note == "essai"


def test_the_undo_button_puts_the_form_back(bench):
    bench.fields["max"].value = "2"
    bench.buttons["undo"].click()
    assert bench.fields["max"].value == "1"
    assert "revenu à la règle" in bench.said.value


def test_what_is_refused_is_said_in_place_and_the_form_stays(bench):
    bench.fields["max"].value = "none"
    bench.buttons["preview"].click()
    assert "max\u00a0: doit être un nombre entier" in bench.said.value
    assert bench.fields["max"].value == "none"
    bench.fields["max"].value = "2"
    bench.buttons["save"].click()
    assert "DL-RULE-006" in bench.said.value


def test_a_failure_says_a_reference_and_no_value(bench, monkeypatch, caplog):
    def broken(*_, **__):
        raise ValueError("TEST00000000")

    monkeypatch.setattr(preview, "preview", broken)
    bench.fields["max"].value = "2"
    bench.buttons["preview"].click()
    assert "Cette partie n’a pas pu être produite" in bench.said.value
    assert "TEST00000000" not in bench.said.value + caplog.text


def test_another_rule_can_be_chosen(bench):
    bench.rule.value = "ANNUAL_PERIODIC_VISIT"
    assert "ANNUAL_PERIODIC_VISIT" in bench.sheet.value
    assert "max" in bench.fields


def test_it_speaks_english(bench, wb):
    english = Workshop("OUR_LIMIT", lang="en", wb=wb)
    assert english.buttons["save"].description == "Save"
    english.fields["max"].value = "2"
    english.buttons["save"].click()
    assert "needs a note" in english.said.value


def test_a_rule_that_there_is_not_is_said_at_once(wb):
    with pytest.raises(NotFound, match="DL-RULE-404"):
        Workshop("ANNUAL_PERIODIC_VISITS", wb=wb)
