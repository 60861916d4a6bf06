import io
import os
from pathlib import Path

import pytest

from dashlib.errors import ExportRefused
from dashlib.exports import read_export, said, split_storable
from tests.hostile import FILES, HEADER, file, hostile_file, row, rows
from tests.tables import cells

REFUSED = """
    file                      | code         | lines         | column              | under it
    06_utf16_no_bom           | DL-ENC-001   |               |                     |
    07_mojibake_header        | DL-ENC-002   | 1 2 3 4 5 6   | Doctor Info         |
    08_replacement_char       | DL-ENC-003   | 1             | 5                   |
    09_mixed_encoding         | DL-ENC-004   | 4             |                     |
    10_nul_bytes              | DL-BIN-001   | 2 3 4 5 6     | Code                |
    11_empty                  | DL-EMPTY-001 |               |                     |
    12_bom_only               | DL-EMPTY-001 |               |                     |
    13_header_only            | DL-EMPTY-002 |               |                     |
    14_no_header              | DL-HDR-001   | 1             |                     |
    15_missing_column         | DL-HDR-002   | 1             | Patient             |
    16_duplicate_header       | DL-HDR-003   | 1             | Code                |
    18_reordered_columns      | DL-HDR-002   | 1             | Date de Service     |
    26_unbalanced_quote       | DL-QUOTE-001 | 4             |                     |
    27_quote_in_field         | DL-FILE-001  | 2             | Élément de contexte | DL-QUOTE-002
    30_huge_field             | DL-FILE-001  | 2             | Élément de contexte | DL-SIZE-002
    31_many_columns           | DL-HDR-004   |               |                     |
    34_date_ddmmyyyy          | DL-FILE-001  | 2             | Date de Service     | DL-DATE-001
    35_date_impossible        | DL-FILE-001  | 2             | Date de Service     | DL-DATE-002
    36_date_excel_serial      | DL-FILE-001  | 2             | Date de Service     | DL-DATE-003
    37_amount_point_and_comma | DL-FILE-001  | 2             | Montant payé        | DL-NUM-001
    38_amount_nan_inf         | DL-FILE-001  | 2 3 4         | Montant payé        | DL-NUM-002
    39_amount_3_decimals      | DL-FILE-001  | 2             | Montant payé        | DL-NUM-003
    41_excel_sci_id           | DL-FILE-001  | 2             | ID RAMQ             | DL-ID-001
    43_unicode_digits_code    | DL-FILE-001  | 2             | Code                | DL-CHAR-001
    44_zero_width_in_id       | DL-FILE-001  | 2             | ID RAMQ             | DL-CHAR-002
    45_bidi_override          | DL-FILE-001  | 2             | Patient             | DL-CHAR-002
    47_xlsx_renamed           | DL-TYPE-001  |               |                     |
    48_gzip_bomb              | DL-TYPE-001  |               |                     |
    49_html_login_page        | DL-TYPE-002  |               |                     |
    50_pdf                    | DL-TYPE-001  |               |                     |
"""
READ = """
    file                       | rows    | rejected | faults
    01_ok_utf8                 | 1-5     |          |
    02_ok_utf8_bom             | 1-5     |          |
    03_ok_latin1               | 1-5     |          | W-ENC-LEGACY
    04_ok_cp1252_euro_quote    | 1       |          | W-ENC-LEGACY
    05_utf16le_bom             | 1-5     |          |
    17_header_case_space       | 1-5     |          | W-HDR-001 1
    19_semicolon               | 1-5     |          |
    20_tab                     | 1-5     |          |
    21_mixed_delimiters        | 1-2     | 3 at 4   | DL-ROW-001 4
    22_cr_only                 | 1-5     |          |
    23_crlf_mixed              | 1-2     |          |
    24_short_row               | 1-2     | 3 at 4   | DL-ROW-001 4
    25_long_row                | 1-2     | 3 at 4   | DL-ROW-001 4
    28_embedded_newline        | 1-2     |          |
    29_truncated_mid_row       | 1-4     | 5 at 6   | DL-TRUNC-001 6
    32_blank_lines_and_totals  | 1-2     |          | W-ROW-BLANK 4 5, W-ROW-FOOTER 6
    33_repeated_header_mid     | 1-4     |          | W-HDR-005 4, W-DUP 5 6
    40_amount_negative         | 1       |          | W-NUM-NEG 2
    42_leading_zero_code       | 1       |          |
    46_formula_injection       | 1-4     |          |
    51_duplicate_rows          | 1-2     |          | W-DUP 3
    52_wrong_number_in_patient | 1-2     |          | W-PHI-UNMASKED 2
"""
VALUES = ("FAUX", "Exemple", "15804", "１５８０４", "2025-02-30", "45870", "1,234.50", "49,155", "1.5771", "7000000000")


def names(table):
    return [drawn["file"] for drawn in cells(table)]


def numbers(drawn):
    first, _, last = drawn.partition("-")
    return list(range(int(first), int(last or first) + 1))


def listed(faults):
    return ", ".join(" ".join((fault.code, *map(str, fault.lines))) for fault in faults)


def refusal(source):
    with pytest.raises(ExportRefused) as raised:
        read_export(source)
    return raised.value


def test_every_hostile_file_is_in_one_of_the_tables():
    assert sorted(names(REFUSED) + names(READ)) == sorted(FILES)


@pytest.mark.parametrize("drawn", cells(REFUSED), ids=names(REFUSED))
def test_a_hostile_file_is_refused_with_its_code_line_and_column(drawn):
    refused = refusal(hostile_file(drawn["file"]))
    fault = refused.faults[1 if drawn["under it"] else 0]
    assert refused.code == drawn["code"] == refused.faults[0].code
    assert fault.code == (drawn["under it"] or drawn["code"])
    assert " ".join(map(str, fault.lines)) == drawn["lines"]
    assert said(fault).startswith(fault.code)
    assert ", ".join(map(str, fault.lines)) in said(fault)
    assert drawn["column"] in said(fault)


@pytest.mark.parametrize("drawn", cells(READ), ids=names(READ))
def test_a_hostile_file_is_read_and_what_it_lacks_is_told(drawn):
    export = read_export(hostile_file(drawn["file"]))
    assert export.records["row_number"].to_list() == numbers(drawn["rows"])
    at = export.rejected.select("row_number", "line_number").rows()
    assert ", ".join(f"{row_number} at {line}" for row_number, line in at) == drawn["rejected"]
    assert listed(export.faults) == drawn["faults"]


@pytest.mark.parametrize("name", FILES)
def test_no_message_about_a_hostile_file_holds_a_cell(name):
    try:
        told = [said(fault) for fault in read_export(hostile_file(name)).faults]
    except ExportRefused as refused:
        told = [str(refused), repr(refused), *map(said, refused.faults), repr(refused.faults)]
    assert [value for value in VALUES if value in " ".join(told)] == []


@pytest.mark.parametrize(
    "name", ["02_ok_utf8_bom", "03_ok_latin1", "05_utf16le_bom", "19_semicolon", "20_tab", "22_cr_only"]
)
def test_the_same_lines_in_another_form_give_the_same_records(name):
    assert read_export(hostile_file(name)).records.equals(read_export(hostile_file("01_ok_utf8")).records)


def test_windows_characters_are_not_taken_for_latin_1():
    assert read_export(hostile_file("04_ok_cp1252_euro_quote")).records["element_de_contexte"].item() == "l’acte œuvre"


def test_a_field_with_a_line_break_keeps_it_and_counts_its_lines():
    records = read_export(hostile_file("28_embedded_newline")).records
    assert records["element_de_contexte"].to_list() == ["ligne 1\nligne 2", None]
    assert records["line_number"].to_list() == [2, 4]


def test_formulas_are_imported_as_text():
    contexts = read_export(hostile_file("46_formula_injection")).records["element_de_contexte"].to_list()
    assert contexts == ["=HYPERLINK('http://x')", "@SUM(1)", "+1+cmd|' /C calc'!A0", "\t=1+1"]


def test_a_rejected_line_keeps_its_text():
    rejected = read_export(hostile_file("24_short_row")).rejected
    assert rejected.rows() == [(3, 4, "DL-ROW-001", None, "3,1,2")]


def test_all_kinds_of_faults_are_told_in_one_pass():
    lines = [*rows(9), row(10, date="x"), row(11, paye="1.2.3"), "1,2", row(13, ctx='a"b'), row(14, ramq="1E+10")]
    faults = read_export(file(lines).encode()).faults
    assert listed(faults) == ("DL-ROW-001 13, DL-QUOTE-002 14, DL-ID-001 15, DL-DATE-001 11, DL-NUM-001 12")


def test_the_faults_of_the_header_and_of_the_lines_are_told_together():
    refused = refusal(file([row(1), row(2, ctx='"open')], HEADER.replace("Patient", "Patiente")).encode())
    assert listed(refused.faults) == "DL-HDR-002 1, DL-QUOTE-001 3"
    assert "«Patient»" in str(refused)
    assert "«Patiente»" in str(refused)


def test_a_fault_names_twenty_lines_and_counts_them_all():
    lines = [row(number, date="x" if number <= 30 else "2025-08-01") for number in range(1, 101)]
    [fault] = read_export(file(lines).encode()).faults
    assert (fault.lines, fault.count) == (tuple(range(2, 22)), 30)
    assert "… (30)" in said(fault)


@pytest.mark.parametrize(
    ("good", "bad", "is_refused"),
    [(5, 5, False), (5, 6, True), (4, 5, False), (0, 3, True), (1, 8, False), (6, 5, False)],
)
def test_a_file_is_refused_when_more_than_half_is_rejected_and_a_small_one_when_all_is(good, bad, is_refused):
    lines = [row(number, date="x" if number > good else "2025-08-01") for number in range(1, good + bad + 1)]
    if is_refused:
        assert refusal(file(lines).encode()).code == "DL-FILE-001"
    else:
        assert read_export(file(lines).encode()).rejected.height == bad


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    refused = refusal(tmp_path / "juin.csv")
    assert (refused.code, refused.exit_code) == ("DL-FILE-002", 8)
    assert "juin.csv" in str(refused)


def test_a_name_with_a_health_card_number_is_not_shown_whole(tmp_path):
    assert "TEST00000000" not in str(refusal(tmp_path / "TEST00000000.csv"))


def test_a_folder_is_refused(tmp_path):
    assert refusal(tmp_path).code == "DL-FILE-003"


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    assert refusal(tmp_path / "pipe.csv").code == "DL-FILE-004"


def test_a_device_without_end_is_refused():
    assert refusal(Path("/dev/zero")).code == "DL-FILE-004"


def test_a_name_that_no_system_can_open_is_refused(tmp_path):
    assert refusal(tmp_path / ("x" * 300)).code == "DL-FILE-005"


def test_a_file_without_right_to_read_is_refused(tmp_path, monkeypatch):
    def denied(*_):
        raise PermissionError

    monkeypatch.setattr("dashlib.exports.gate.os.open", denied)
    assert refusal(tmp_path / "x.csv").code == "DL-FILE-005"


class Growing(io.FileIO):
    def read(self, *_):
        with Path(f"/dev/fd/{self.fileno()}").open("ab") as more:
            more.write(b"x")
        return super().read()


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path, monkeypatch):
    growing = tmp_path / "x.csv"
    growing.write_text(file(rows()))
    monkeypatch.setattr("dashlib.exports.gate.os.fdopen", Growing)
    assert refusal(growing).code == "DL-FILE-006"


def test_lines_without_date_or_code_are_read_but_cannot_be_stored():
    export = read_export(file([row(1), row(2, date=""), row(3, code=" ")]).encode())
    records, rejected = split_storable(export)
    assert export.records["row_number"].to_list() == [1, 2, 3]
    assert records["row_number"].to_list() == [1]
    assert rejected.select("row_number", "line_number", "error_code").rows() == [
        (2, 3, "DL-DATE-000"),
        (3, 4, "DL-CODE-000"),
    ]
    assert rejected["raw"].to_list() == [row(2, date=""), row(3, code=" ")]
