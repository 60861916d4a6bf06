from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from dashlib.explorer.day import PatientDay
from dashlib.explorer.query import Query, Word, meaning
from dashlib.explorer.timeline import drawing, year_strip
from dashlib.explorer.trying import Trial

RULES = {"ANNUAL_VISIT": "annual_visit visite periodique", "OFFICE_FEE_19928": "office_fee_19928 frais de bureau"}
DAY = date(2025, 6, 9)


def test_choosing_a_value_starts_on_the_first_page_and_choosing_it_again_takes_it_back():
    asked = Query(run=3, page=4).toggled("severity", "error")
    assert (asked.severity, asked.page) == (("error",), 1)
    assert asked.toggled("severity", "error") == Query(run=3)


def test_money_is_sorted_from_the_most_and_all_else_from_the_least():
    assert Query().sorted_by("stake").sort == "-stake"
    assert Query().sorted_by("stake").sorted_by("stake").sort == "stake"
    assert Query().sorted_by("doctor").sort == "doctor"
    assert Query().sorted_by("doctor").sorted_by("doctor").sort == "-doctor"


def test_a_kept_view_knows_neither_runs_nor_page_and_is_opened_on_others():
    kept = Query(run=3, compare=2, severity=("error",), state=("new",), word="15815", page=4).kept()
    assert kept.keys().isdisjoint({"run", "compare", "page"})
    assert Query(run=9, compare=8).opened(kept | {"gone": 1}) == Query(
        run=9, compare=8, severity=("error",), state=("new",), word="15815"
    )
    assert Query(run=9).opened(kept).state == ()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Périodique", Word(rules=("ANNUAL_VISIT",))),
        ("office_fee", Word(rules=("OFFICE_FEE_19928",))),
        (
            "19928",
            Word({"code": "19928", "invoice": "19928", "id_ramq": "19928"}, 19928, ("OFFICE_FEE_19928",)),
        ),
        ("PAT-7f3a", Word({"patient": "PAT-7F3A"})),
        ("med-7F3A", Word({"doctor": "MÉD-7F3A"})),
        ("Exemple", Word()),
        ("", Word()),
    ],
)
def test_a_searched_word_is_a_number_a_pseudonym_or_words_of_rules(typed, meant):
    assert meaning(typed, RULES) == meant


def test_corrections_are_kept_by_line_and_written_as_a_sheet():
    trial = Trial()
    trial.put(7, "code", "15804", "15815")
    trial.put(7, "debut", "", "09:00")
    trial.put(3, "code", "00097", "15815")
    trial.put(3, "facture", "1", "2")
    trial.put(9, "code", "15815", "15815")
    assert trial.sheet().decode("utf-8-sig") == "row_number;code;debut\n3;00097;\n7;15804;-\n"
    assert trial.cell(7, "debut", "09:00") == ""
    assert trial.cell(3, "debut", "08:00") == "08:00"


def line(row, debut, fin, *, touched=False, paid=False, doctor="MÉD-A"):
    return {
        "row_number": row,
        "debut": debut,
        "fin": fin,
        "code": f"1580{row}",
        "unites": "0",
        "montant_preliminaire": Decimal("49.15"),
        "montant_paye": Decimal("49.15") if paid else None,
        "is_paid": paid,
        "doctor": doctor,
        "lieu_de_pratique": "54999",
        "facture": "900000001",
        "touched": touched,
    }


def patient_day(*lines, year=()):
    days = pl.DataFrame(year, schema=["date_de_service", "lines", "yearly"], orient="row")
    return PatientDay(DAY, "PAT-7F3A", pl.DataFrame(lines), days)


def test_a_day_is_drawn_by_doctor_with_what_is_counted_what_overlaps_and_what_is_paid():
    found = patient_day(
        line(1, "08:00", "10:00", touched=True),
        line(2, "09:00", "09:30", paid=True),
        line(3, "13:00", "14:30", touched=True),
        line(4, "15:00", None, doctor="MÉD-B"),
        line(5, None, None),
    )
    drawn = drawing(found, "fr", limit="180")
    assert drawn.count('class="lane"') == 2
    assert 'class="bar touched overlaps"' in drawn
    assert 'class="bar paid overlaps"' in drawn
    assert ">120<" in drawn
    assert "210\u202fmin / 180" in drawn or "210 min / 180" in drawn
    assert "Sans heure" in drawn
    assert ">15805<" in drawn
    assert 'aria-label="5 lignes de PAT-7F3A, 9\u00a0juin 2025"' in drawn


def test_a_day_reaches_as_far_as_its_lines_and_otherwise_from_six_to_ten():
    assert ">06:00<" in drawing(patient_day(line(1, "08:00", "09:00")), "fr")
    assert ">04:00<" in drawing(patient_day(line(1, "04:30", "24:00")), "fr")


def test_a_year_has_a_tick_a_day_and_a_diamond_for_a_yearly_code():
    found = patient_day(line(1, "08:00", "09:00"), year=[(date(2025, 2, 3), 1, None), (DAY, 2, "15815")])
    drawn = year_strip(found, "fr")
    assert drawn.count('class="tick"') == 1
    assert drawn.count('class="yearly here"') == 1
    assert "2 jours facturés en 2025" in drawn
