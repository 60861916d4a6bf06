import hashlib
import re
from pathlib import Path

import polars as pl
import pytest

from dashlib import exports, texts
from dashlib.errors import ExportRefused
from dashlib.exports import read_export, split_storable
from dashlib.records import SCHEMA
from tests.exports import HEADER, export, line
from tests.tables import cells

LINES = [line(facture=f"9{number:08}") for number in range(1, 10)]
SHORT = ";".join(line().split(";")[:14])
COMMA_HEADER = HEADER.replace(";", ",")
DOCTOR = '"9100001-00001 | Exemple, Ève - Omnipraticien"'


def comma(prel='"49,15"', *, fields=22):
    """A line of the comma variant, which leaves out the last field."""
    service = f'1,900000001,70000000001,2025-03-04,09:00,,202511,54999,Aucun Secteur,5301,15804,0,1,,{prel},"0,00",'
    return f"{service}{DOCTOR},0,0,0,90000,PATIENT{',' * (fields - 22)}"


def read(*lines, header=HEADER):
    return read_export("\n".join((header, *lines, "")).encode())


def faults(found):
    return [(fault.code, fault.lines) for fault in found.faults]


def refused(*lines, header=HEADER):
    with pytest.raises(ExportRefused) as raised:
        read(*lines, header=header)
    return raised.value


def test_records_have_the_columns_and_types_of_the_schema_in_one_piece():
    records = read(*LINES).records
    assert dict(records.schema) == SCHEMA
    assert records.n_chunks() == 1


def test_an_export_knows_its_own_form():
    data = export(*LINES).encode()
    found = read_export(data)
    assert (found.encoding, found.delimiter, found.lines, found.totals, found.columns) == ("utf-8", ";", 9, 0, 23)
    assert (found.size, found.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_a_file_is_read_as_its_bytes_are(tmp_path):
    (tmp_path / "x.csv").write_text(export(*LINES), encoding="cp1252")
    assert read_export(tmp_path / "x.csv").records.equals(read(*LINES).records)


NUMBERED = """
    line                                | row  | kept
    first                               | 1    | yes
                                        | -    |
    ;;;;;;;;;;;;;;;;;;;;;;              | -    |
    second                              | 2    | yes
    header                              | -    |
    third                               | 3    | yes
    1;2;3                               | 4    | no
    fourth                              | 5    | yes
    ;;;;;;;;;;;;;;49,15;0,00;;;;;;;     | 6    | no
"""


def test_blank_lines_and_headers_have_no_number_and_totals_have_one():
    lines = [LINES[3] if d["line"].isalpha() and d["line"] != "header" else d["line"] for d in cells(NUMBERED)]
    found = read(*(HEADER if text == "header" else text for text in lines))
    assert found.records.select("row_number", "line_number").rows() == [(1, 2), (2, 5), (3, 7), (5, 9)]
    assert found.rejected.select("row_number", "line_number").rows() == [(4, 8)]
    assert (found.lines, found.totals) == (6, 1)


@pytest.mark.parametrize(
    "total",
    [
        ";;;;;;;;;;;;;;1 234,56;1 000,00;;;;;;;",
        "Total;900000009;;;;;;;;;;;;;49,15;0,00;;;;;;;",
        "TOTAUX;;;;;;;;;;;;;;49,15",
        "Grand Total;;;;",
        ";;;;;;;;;;;;;;1234,56",
        "7;;;2025-03-04;;;;54999;;;;;;;49,15;0,00;9100001 | A;;;;;P;",
    ],
)
def test_a_line_that_only_adds_up_others_is_dropped_and_counted(total):
    found = read(*LINES, total)
    assert (found.records.height, found.rejected.height, found.lines, found.totals) == (9, 0, 10, 1)
    assert faults(found)[-1][0] == "W-PHI-UNMASKED"
    assert ("W-ROW-FOOTER", (11,)) in faults(found)


@pytest.mark.parametrize("claim", [line(code=""), line(facture="")])
def test_a_line_with_an_invoice_or_a_code_is_a_claim(claim):
    assert read(*LINES, claim).totals == 0


def test_a_line_of_one_word_is_rejected_and_not_taken_for_a_total():
    assert read(*LINES, "remarque").rejected["error_code"].to_list() == ["DL-ROW-001"]


def test_a_short_line_with_date_and_code_is_read_as_far_as_it_goes():
    found = read(*LINES, SHORT)
    last = found.records.row(-1, named=True)
    assert (last["code"], last["element_de_contexte"], last["montant_paye"], last["patient"]) == (
        "15804",
        None,
        None,
        None,
    )
    assert faults(found)[0] == ("DL-ROW-002", (11,))


def test_a_missing_last_field_that_is_not_held_is_no_fault():
    assert [code for code, _ in faults(read(*(text.removesuffix(";") for text in LINES)))] == ["W-PHI-UNMASKED"]


def test_a_missing_last_field_that_is_held_is_told():
    header, lines = HEADER.removesuffix(";Grand Total"), [text.removesuffix(";") for text in LINES]
    found = read(*lines, ";".join(lines[0].split(";")[:-1]), header=header)
    assert faults(found)[0] == ("DL-ROW-002", (11,))


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_long_line_is_read_without_its_surplus(delimiter):
    lines = [text.replace(";", delimiter) for text in (*LINES, f"{LINES[0]};x;y")]
    found = read(*lines, header=HEADER.replace(";", delimiter))
    assert found.records.height == 10
    assert faults(found)[0] == ("DL-ROW-003", (11,))


def test_where_commas_separate_a_long_line_is_an_amount_cut_in_two():
    found = read(*([comma()] * 9), comma("49,15", fields=24), header=COMMA_HEADER)
    assert found.rejected.select("row_number", "error_code").rows() == [(10, "DL-ROW-001")]


def test_an_amount_cut_in_two_is_found_where_lines_leave_out_the_last_field():
    found = read(*([comma()] * 9), comma("49,15"), header=COMMA_HEADER)
    assert found.rejected.select("row_number", "error_code").rows() == [(10, "DL-ROW-001")]


def test_a_comma_line_with_its_last_field_beside_lines_without_is_read():
    assert read(*([comma()] * 9), comma(fields=23), header=COMMA_HEADER).records.height == 10


@pytest.mark.parametrize("kept", [-8, -30, -100])
def test_a_last_line_cut_off_is_rejected(kept):
    found = read_export(export(*LINES).encode()[:kept])
    assert found.rejected.select("row_number", "line_number", "error_code").rows() == [(9, 10, "DL-TRUNC-001")]


def test_a_last_line_without_its_end_is_read_when_nothing_is_missing():
    assert read_export(export(*LINES).encode()[:-1]).records.height == 9


@pytest.mark.parametrize("cell", ['"NOM; Prénom"', '"NOM ""dit"" Prénom"', '"a;""b"";c"', '""', '"a\nb"', '"a\n\n;b"'])
def test_a_quoted_field_may_hold_delimiters_quotes_and_line_breaks(cell):
    expected = cell[1:-1].replace('""', '"') or None
    assert read(*LINES, line(patient=cell), LINES[0]).records["patient"].to_list()[9:] == [
        expected,
        "TEST80010112 - EXEMPLE, PATIENTE",
    ]


@pytest.mark.parametrize("cell", ['5" de long', 'a"b"c', '"a"b', '"a" ', ' "a"', '"5" écran"'])
def test_a_quote_where_none_may_stand_rejects_its_line_only(cell):
    found = read(*LINES, line(contexte=cell), LINES[0])
    assert found.rejected.select("row_number", "error_code", "column_name").rows() == [
        (10, "DL-QUOTE-002", "element_de_contexte")
    ]
    assert found.records["row_number"].to_list() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 11]


def test_a_quote_that_never_closes_refuses_the_file_and_names_its_line():
    error = refused(*LINES, line(contexte='"AR'), *LINES)
    assert (error.code, error.faults[0].lines) == ("DL-QUOTE-001", (11,))


def test_two_open_quotes_do_not_make_one_field_of_the_lines_between():
    error = refused(*LINES, line(contexte='"AR'), *LINES, line(contexte='AR"'), *LINES)
    assert (error.code, error.faults[0].lines) == ("DL-QUOTE-001", (11,))


def test_an_open_quote_in_the_header_refuses_the_file():
    assert refused(*LINES, header=HEADER.replace("Facture", '"Facture')).code == "DL-QUOTE-001"


def test_columns_are_found_by_name_in_any_order_and_spelling():
    names, cells = HEADER.split(";"), LINES[0].split(";")
    order = sorted(range(len(names)), key=lambda at: names[at][::-1])
    header = ";".join(names[at].upper().replace("É", "E").replace(" ", "  ") for at in order)
    found = read(*[";".join(cells[at] for at in order)] * 9, header=header)
    assert found.records.drop("row_number", "line_number").row(0) == read(LINES[0]).records.drop(
        "row_number", "line_number"
    ).row(0)
    assert "W-HDR-001" in [fault.code for fault in found.faults]


def test_a_header_that_lacks_only_an_accent_is_not_told():
    assert "W-HDR-001" not in [fault.code for fault in read(*LINES).faults]


@pytest.mark.parametrize("name", ["ID RAMQ", "Début", "Fin", "Periode", "Diagnostic", "Unités", "Rôle"])
def test_a_column_that_is_not_essential_may_be_missing(name):
    assert read(*LINES, header=HEADER.replace(f";{name};", ";X;")).records.height == 9


@pytest.mark.parametrize(
    "name", ["Facture", "Date de Service", "Lieu de pratique", "Code", "Montant payé", "Doctor Info", "Patient"]
)
def test_an_essential_column_may_not_be_missing(name):
    error = refused(*LINES, header=HEADER.replace(f";{name};", ";X;"))
    assert error.code == "DL-HDR-002"
    assert error.facts["columns"] == f"«{name}»"


def test_every_missing_and_every_double_column_is_told():
    error = refused(*LINES, header=HEADER.replace("Patient", "Code").replace("Facture", "Fact"))
    assert [(fault.code, fault.facts["columns"]) for fault in error.faults] == [
        ("DL-HDR-002", "«Facture», «Patient»"),
        ("DL-HDR-003", "«Code»"),
    ]


def test_blank_lines_may_stand_before_the_header():
    found = read_export(f"\n\n{export(*LINES)}".encode())
    assert found.records.select(pl.col("line_number").first()).item() == 4


def test_the_delimiter_is_the_one_that_the_header_has_most_of_outside_quotes():
    assert read(comma(), header=f'{COMMA_HEADER},"{";" * 40}"').delimiter == ","


@pytest.mark.parametrize("text", ["", "\n", " \n\t\n", "\ufeff", "\ufeff\r\n"])
def test_a_file_without_text_is_empty(text):
    with pytest.raises(ExportRefused, match="DL-EMPTY-001"):
        read_export(text.encode())


@pytest.mark.parametrize("lines", [[], ["", ";;"], [";;;;;;;;;;;;;;49,15;0,00;;;;;;;"]])
def test_a_file_without_claims_is_refused(lines):
    assert refused(*lines).code == "DL-EMPTY-002"


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        (("PRÉCISÉ\u00a0» – L’ŒUVRE €", "cp1252"), "windows-1252"),
        (("Étude", "cp1252"), "windows-1252"),
        (("Étude", "utf-8"), "utf-8"),
        (("Étude", "utf-8-sig"), "utf-8-sig"),
        (("Étude", "utf-16-le"), "utf-16"),
        (("Étude", "utf-16-be"), "utf-16"),
    ],
)
def test_an_encoding_is_recognised_and_every_character_kept(written, read_as):
    context, encoding = written
    mark = "\ufeff" if encoding.startswith("utf-16") else ""
    found = read_export((mark + export(line(contexte=context))).encode(encoding))
    assert (found.encoding, found.records["element_de_contexte"].item()) == (read_as, context)


@pytest.mark.parametrize(
    ("data", "code", "lines"),
    [
        (export(*LINES).encode() + line(contexte="é").encode("cp1252"), "DL-ENC-004", (11,)),
        (export(*LINES).encode("cp1252") + line(contexte="é").encode(), "DL-ENC-004", (11,)),
        (b"\xef\xbb\xbf" + export(*LINES).encode("cp1252"), "DL-ENC-004", (1, *range(2, 11))),
        (export(*LINES).encode("cp1252").replace(b"AR", b"") + b"\x81\n", "DL-ENC-001", ()),
        (export(*LINES).encode("utf-32"), "DL-BIN-001", ()),
        (export(*LINES).encode("utf-16")[:-1], "DL-ENC-001", ()),
        (export(*LINES, line(contexte="DÃ©but")).encode(), "DL-ENC-002", (11,)),
        (export(*LINES, line(contexte="Ã\u00a0 voir")).encode(), "DL-ENC-002", (11,)),
        (export(*LINES, line(contexte="ï¿½")).encode(), "DL-ENC-002", (11,)),
        (export(*LINES, line(contexte="\ufffd")).encode(), "DL-ENC-003", (11,)),
        (export(*LINES, line(contexte="\0")).encode(), "DL-BIN-001", (11,)),
    ],
)
def test_text_that_is_damaged_refuses_the_file(data, code, lines):
    with pytest.raises(ExportRefused) as raised:
        read_export(data)
    assert raised.value.code == code
    assert raised.value.faults[0].lines[: len(lines)] == lines


def test_a_portuguese_name_is_not_taken_for_text_encoded_twice():
    assert read(line(patient="TEST00000000 - SÃO, JOÃO")).records["patient"].item() == "TEST00000000 - SÃO, JOÃO"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_end_will_do(end):
    found = read_export(export(*LINES).replace("\n", end).encode())
    assert found.records.equals(read(*LINES).records)


def test_lines_that_repeat_an_earlier_one_are_told_and_kept():
    found = read(*LINES, LINES[0], LINES[0])
    assert found.records.height == 11
    assert ("W-DUP", (11, 12)) in faults(found)


def test_negative_amounts_and_clear_numbers_are_told():
    found = read(line(paye="-1,00"), line(prel="-2,00", patient="TESTxxxx0112 - A"))
    assert faults(found) == [("W-NUM-NEG", (3,)), ("W-NUM-NEG", (2,)), ("W-PHI-UNMASKED", (2,))]


def test_a_line_without_date_and_code_is_set_aside_once():
    found = read(*LINES, line(date="", code=""))
    records, rejected = split_storable(found)
    assert records.height == 9
    assert rejected.select("row_number", "line_number", "error_code", "column_name").rows() == [
        (10, 11, "DL-DATE-000", "date_de_service")
    ]


def test_what_cannot_be_stored_is_in_file_order():
    _, rejected = split_storable(read(*LINES, line(code=""), line(paye="x"), line(date="")))
    assert rejected["error_code"].to_list() == ["DL-CODE-000", "DL-NUM-004", "DL-DATE-000"]


def test_the_text_of_a_joined_line_is_kept_whole():
    found = read(*LINES, line(patient='"a\nb"', paye="x"))
    assert found.rejected["raw"].item() == line(patient='"a\nb"', paye="x")


def test_what_an_export_prints_of_itself_holds_no_line():
    assert "EXEMPLE" not in repr(read(*LINES, line(paye="x")))


def test_every_code_of_reading_has_its_words():
    sources = "".join(file.read_text("utf-8") for file in Path(exports.__file__).parent.glob("*.py"))
    codes = set(re.findall(r"(?:DL|W)-[A-Z]+(?:-[A-Z0-9]+)?", sources))
    assert codes <= texts.words("fr").keys()
