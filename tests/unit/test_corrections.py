from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from dashlib import corrections
from dashlib.corrections import correct
from dashlib.errors import CorrectionsRefused, ExportRefused
from tests.tables import records

LINES = records("""
    code  | montant_preliminaire | element_de_contexte | unites
    15804 | 10,00                | #G160               | 1
    15805 | 20,00                | -                   | 2
""")


def written(tmp_path, text: str, encoding: str = "utf-8"):
    path = tmp_path / "corrections.csv"
    path.write_text(text, encoding)
    return path


def refused(corrections) -> list[tuple]:
    with pytest.raises(CorrectionsRefused) as refusal:
        correct(LINES, corrections)
    return [(fault.code, fault.lines, fault.column) for fault in refusal.value.faults]


def test_values_are_read_as_an_export_writes_them():
    lines, count = correct(LINES, {2: {"montant_preliminaire": "1 032,40 $", "date_de_service": "2025/03/05"}})
    assert lines.select("montant_preliminaire", "date_de_service", "code").rows() == [
        (Decimal("10.00"), date(2025, 3, 4), "15804"),
        (Decimal("1032.40"), date(2025, 3, 5), "15805"),
    ]
    assert count == 1


def test_a_table_without_a_column_to_correct_corrects_nothing(tmp_path):
    lines, count = correct(LINES, written(tmp_path, "row_number\n1\n"))
    assert (lines.equals(correct(LINES, {})[0]), count) == (True, 1)


def test_a_file_that_is_too_big_is_not_read(tmp_path, monkeypatch):
    path = written(tmp_path, "row_number;code\n1;15804\n")
    monkeypatch.setattr(corrections, "MAX_BYTES", 5)
    monkeypatch.setattr(corrections, "read_bytes", lambda _: 1 / 0)
    assert refused(path) == [("DL-WHATIF-007", (), None)]


def test_values_of_python_are_taken_as_they_are():
    lines, _ = correct(LINES, {1: {"montant_paye": Decimal("4.50"), "date_de_service": date(2025, 3, 6), "unites": 3}})
    assert lines.select("montant_paye", "date_de_service", "unites").row(0) == (Decimal("4.50"), date(2025, 3, 6), 3.0)


def test_a_file_leaves_what_it_does_not_say_and_empties_what_it_dashes(tmp_path):
    file = written(tmp_path, "row_number;element_de_contexte;code\n1;-;\n2;;15806\n")
    lines, count = correct(LINES, file)
    assert lines.select("element_de_contexte", "code").rows() == [(None, "15804"), (None, "15806")]
    assert count == 2


@pytest.mark.parametrize(("separator", "encoding"), [(";", "utf-8-sig"), (",", "cp1252"), ("\t", "utf-8")])
def test_files_come_with_other_separators_and_encodings(tmp_path, separator, encoding):
    rows = [["row_number", "secteur_activite"], ["1", "Clinique réseau"]]
    file = written(tmp_path, "\n".join(separator.join(row) for row in rows), encoding)
    assert correct(LINES, file)[0]["secteur_activite"][0] == "Clinique réseau"


def test_a_frame_corrects_where_it_is_not_null():
    frame = pl.DataFrame({"row_number": [1, 2], "code": [None, "15807"], "role": ["2", None]})
    assert correct(LINES, frame)[0].select("code", "role").rows() == [("15804", "2"), ("15807", "1")]


def test_no_correction_changes_nothing():
    lines, count = correct(LINES, {})
    assert lines.equals(LINES)
    assert count == 0


@pytest.mark.parametrize(
    ("corrections", "faults"),
    [
        ({7: {"code": "15804"}}, [("DL-WHATIF-005", (7,), None)]),
        ({1: {"montant": "3"}}, [("DL-WHATIF-001", (), None)]),
        ({1: {"montant_paye": "1.234,50"}}, [("DL-NUM-001", (1,), "montant_paye")]),
        ({1: {"date_de_service": "2025-02-30"}}, [("DL-DATE-002", (1,), "date_de_service")]),
        ({1: {"date_de_service": None}}, [("DL-DATE-000", (1,), "date_de_service")]),
        ({1: {"code": None}}, [("DL-CODE-000", (1,), "code")]),
        ({1: {"unites": "deux"}}, [("DL-WHATIF-009", (1,), "unites")]),
        ({1: {"facture": "9,0E+8"}}, [("DL-ID-001", (1,), "facture")]),
        ({1: {"code": "１５８０４"}}, [("DL-CHAR-001", (1,), "code")]),
        ({2: {"patient": "PAT-0123456789ABCDEF"}}, [("DL-WHATIF-006", (2,), "patient")]),
        (pl.DataFrame({"code": ["15804"]}), [("DL-WHATIF-002", (), None)]),
        (pl.DataFrame({"row_number": ["1", "x"], "code": ["1", "2"]}), [("DL-WHATIF-003", (3,), None)]),
        (pl.DataFrame({"row_number": [1, 1], "code": ["1", "2"]}), [("DL-WHATIF-004", (1,), None)]),
    ],
)
def test_what_cannot_be_a_correction_is_refused_with_its_line_and_column(corrections, faults):
    assert refused(corrections) == faults


def test_all_faults_are_told_at_once_and_none_quotes_a_value():
    corrections = {1: {"montant_paye": "secret"}, 2: {"montant_paye": "secret", "date_de_service": "secret"}}
    with pytest.raises(CorrectionsRefused) as refusal:
        correct(LINES, corrections | {9: {}})
    told = refusal.value
    assert [fault.code for fault in told.faults] == ["DL-WHATIF-005", "DL-DATE-001", "DL-NUM-004"]
    assert [fault.lines for fault in told.faults] == [(9,), (2,), (1, 2)]
    assert "secret" not in f"{told}{told.facts}{told.faults}"
    assert told.exit_code == 3


def test_the_name_of_a_column_that_may_be_a_cell_is_not_told():
    with pytest.raises(CorrectionsRefused) as refusal:
        correct(LINES, pl.DataFrame({"row_number": [1], "Tremplin, Zoé": ["x"], "montant_paie": ["1"]}))
    assert "Tremplin" not in f"{refusal.value}{refusal.value.faults}"
    assert "2, 3" in str(refusal.value)
    assert "montant_paye" in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "DL-EMPTY-001"),
        (b"PK\x03\x04", "DL-TYPE-001"),
        (b"<!DOCTYPE html><html>", "DL-TYPE-002"),
        ("row_number;code\n1;é\n".encode("utf-16-le"), "DL-ENC-001"),
        (b"row_number;code\n1;2;3\n", "DL-WHATIF-008"),
        (b"row_number;code\n" + b"1;15804\n" * 2_100_000, "DL-WHATIF-007"),
    ],
)
def test_a_file_that_is_no_table_is_refused_by_its_code(tmp_path, content, code):
    path = tmp_path / "corrections.csv"
    path.write_bytes(content)
    with pytest.raises(ExportRefused, match=code):
        correct(LINES, path)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ExportRefused, match="DL-FILE-002"):
        correct(LINES, tmp_path / "nothing.csv")
