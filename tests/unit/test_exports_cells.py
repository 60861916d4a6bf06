from datetime import date
from decimal import Decimal

import pytest

from dashlib.exports import read_export
from tests.exports import HEADER, export, line


def read(**cells):
    """The one line that is judged, among lines without fault."""
    text = export(line(**cells), *(line(facture=f"91{number:07}") for number in range(20)))
    read = read_export(text.encode())
    codes = [(fault.code, fault.column) for fault in read.faults if fault.level == "rejected"]
    return read.records.filter(row_number=1), codes


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("49,15", "49.15"),
        ("49.15", "49.15"),
        ("29,9", "29.90"),
        ("1 234,56", "1234.56"),
        ("1\u00a0234,56", "1234.56"),
        ("1\u202f234,56", "1234.56"),
        ("64,80 $", "64.80"),
        (" 7 ", "7.00"),
        ("007,50", "7.50"),
        ("+1", "1.00"),
        ("-49,15", "-49.15"),
        ("−49,15", "-49.15"),
        ("-0,01", "-0.01"),
        ("99999999,99", "99999999.99"),
    ],
)
def test_an_amount_is_read_to_the_cent(written, amount):
    records, codes = read(paye=written)
    assert (records["montant_paye"].item(), codes) == (Decimal(amount), [])


@pytest.mark.parametrize("written", ["", " ", "-", "n/d", "N/A", "s/o"])
def test_an_absent_amount_is_null(written):
    records, codes = read(paye=written)
    assert (records["montant_paye"].item(), codes) == (None, [])


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("1,234.50", "DL-NUM-001"),
        ("1.234,50", "DL-NUM-001"),
        ("1,234,567", "DL-NUM-001"),
        ("1.2.3", "DL-NUM-001"),
        ("NaN", "DL-NUM-002"),
        ("-inf", "DL-NUM-002"),
        ("1e308", "DL-NUM-002"),
        ("1,5E+03", "DL-NUM-002"),
        ("100000000", "DL-NUM-002"),
        ("49,155", "DL-NUM-003"),
        ("1.234", "DL-NUM-003"),
        ("49,1500", "DL-NUM-003"),
        ("12 34,50", "DL-NUM-004"),
        ("1234 567", "DL-NUM-004"),
        ("(49,15)", "DL-NUM-004"),
        ("49,15-", "DL-NUM-004"),
        ("5,", "DL-NUM-004"),
        ("abc", "DL-NUM-004"),
        ("4９,15", "DL-CHAR-001"),
    ],
)
def test_an_amount_that_is_not_clear_rejects_its_line(written, code):
    records, codes = read(prel=written)
    assert (records.height, codes) == (0, [(code, "montant_preliminaire")])


@pytest.mark.parametrize("written", ["2025-03-04", "2025/03/04", " 2025-03-04 "])
def test_a_day_is_read_with_the_year_first(written):
    assert read(date=written)[0]["date_de_service"].item() == date(2025, 3, 4)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("04/03/2025", "DL-DATE-001"),
        ("2025-3-4", "DL-DATE-001"),
        ("2025-03/04", "DL-DATE-001"),
        ("20250304", "DL-DATE-001"),
        ("2025-03-04 00:00", "DL-DATE-001"),
        ("n/d", "DL-DATE-001"),
        ("2025-02-30", "DL-DATE-002"),
        ("2025-13-01", "DL-DATE-002"),
        ("0000-01-01", "DL-DATE-002"),
        ("45870", "DL-DATE-003"),
        ("45870,5", "DL-DATE-003"),
        ("２025-03-04", "DL-CHAR-001"),
    ],
)
def test_a_date_that_is_no_day_rejects_its_line(written, code):
    records, codes = read(date=written)
    assert (records.height, codes) == (0, [(code, "date_de_service")])


@pytest.mark.parametrize(
    ("written", "units"),
    [
        ("0", 0.0),
        ("1,5", 1.5),
        ("1 000", 1000.0),
        ("-2", -2.0),
        ("", None),
        ("abc", None),
        ("NaN", None),
        ("1e3", None),
    ],
)
def test_units_that_cannot_be_read_are_absent(written, units):
    text = f"{HEADER}\n{line().replace(';0;1;;', f';{written};1;;')}\n"
    assert read_export(text.encode()).records["unites"].item() == units


@pytest.mark.parametrize(
    ("cells", "code", "column"),
    [
        ({"facture": "9,00E+08"}, "DL-ID-001", "facture"),
        ({"ramq": "1.5771E+10"}, "DL-ID-001", "id_ramq"),
        ({"ramq": "7e10"}, "DL-ID-001", "id_ramq"),
        ({"code": "１５８０４"}, "DL-CHAR-001", "code"),
        ({"ramq": "157\u200b71"}, "DL-CHAR-002", "id_ramq"),
        ({"patient": "TEST\u202e80010112"}, "DL-CHAR-002", "patient"),
        ({"contexte": "AR\x1a"}, "DL-CHAR-002", "element_de_contexte"),
        ({"doctor": "A\u00adB"}, "DL-CHAR-002", "doctor"),
        ({"lieu": "54999\ufeff"}, "DL-CHAR-002", "lieu_de_pratique"),
    ],
)
def test_a_damaged_cell_rejects_its_line_and_names_its_column(cells, code, column):
    records, codes = read(**cells)
    assert (records.height, codes) == (0, [(code, column)])


def test_the_code_point_of_an_invisible_character_is_told():
    text = export(*(line(ramq="1\u200b") if number == 3 else line() for number in range(1, 10)))
    assert read_export(text.encode()).faults[0].facts["fact"] == "U+200B"


def test_uncommon_letters_and_signs_are_no_damage():
    records, codes = read(contexte="Ň ß „x“ ½ → 漢", patient="TEST80010112 - ŁÔ’Œ")
    assert (records["element_de_contexte"].item(), codes) == ("Ň ß „x“ ½ → 漢", [])


@pytest.mark.parametrize("written", ["15804", "8875", "08129", "15643A", " 15804"])
def test_a_code_is_kept_as_exported(written):
    assert read(code=written)[0]["code"].item() == written


def test_doctor_and_patient_keep_their_blanks():
    records, _ = read(doctor="1999123-10456 | Tremplin, Zoé - Omnipraticien  ", patient=" - NOM")
    assert records.select("doctor", "patient").row(0) == ("1999123-10456 | Tremplin, Zoé - Omnipraticien  ", " - NOM")


def test_the_first_fault_of_a_line_is_the_one_it_is_kept_with():
    text = export(*(line() for _ in range(9)), line(date="x", paye="y", ramq="1E+10"))
    assert read_export(text.encode()).rejected.select("error_code", "column_name").rows() == [("DL-ID-001", "id_ramq")]
