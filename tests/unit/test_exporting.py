import io
import json
import subprocess
import sys
from datetime import UTC, date, datetime, time
from decimal import Decimal

import openpyxl
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dashlib import exporting, spreadsheets
from dashlib.errors import UsageError

BOM = "\ufeff"
MONEY_FR = '#,##0.00"\u00a0$";"−"#,##0.00"\u00a0$"'
MONEY_EN = '"$"#,##0.00;"−$"#,##0.00'
LINES = pl.DataFrame(
    {
        "code": ["08857", "00005"],
        "invoice": ["000000012", None],
        "amount": [Decimal("1234.50"), Decimal("-32.10")],
        "day": [date(2025, 7, 1), None],
        "at": [datetime(2025, 7, 1, 3, 59, tzinfo=UTC), None],
        "start": [time(9, 5), None],
        "lines": [3, 1200],
        "share": [0.5, None],
        "open": [True, False],
        "related": [[1, 22], []],
    },
    schema_overrides={"amount": pl.Decimal(38, 2)},
)


def sheet_of(data, name=None):
    book = openpyxl.load_workbook(io.BytesIO(data) if isinstance(data, bytes) else data)
    return book[name] if name else book.worksheets[0]


def shown(value):
    return str(value) if isinstance(value, datetime) else value


def test_a_csv_for_excel_in_french_is_written_byte_for_byte_like_this():
    assert exporting.csv_bytes(LINES).decode() == (
        BOM
        + "code;invoice;amount;day;at;start;lines;share;open;related\r\n"
        + "08857;000000012;1234,50;2025-07-01;2025-06-30 23:59;09:05;3;0,5;oui;1 22\r\n"
        + "00005;;-32,10;;;;1200;;non;\r\n"
    )


def test_a_csv_for_excel_in_english_has_commas_and_points():
    assert exporting.csv_bytes(LINES.select("code", "amount", "open"), "en").decode() == (
        BOM + "code,amount,open\r\n08857,1234.50,yes\r\n00005,-32.10,no\r\n"
    )


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", " =", "'=", '"=', "＝", "＠"])
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe(start):
    written = exporting.csv_bytes(pl.DataFrame({"note": [f"{start}1+1"], "other": ["x"]}))
    assert pl.read_csv(written, separator=";")["note"].item().startswith("'")


def test_a_heading_that_would_run_is_made_text_too():
    assert exporting.csv_bytes(pl.DataFrame({"=1+1": ["x"]})).decode() == BOM + "'=1+1\r\nx\r\n"


def test_numbers_codes_and_plain_text_are_left_alone():
    text = ["-49,15", "+1", "08857", "2025-07-01", "a=b", "F-1"]
    assert exporting.csv_bytes(pl.DataFrame({"t": text})).decode().split("\r\n")[1:-1] == text


def test_delimiters_quotes_and_line_breaks_in_text_are_quoted():
    written = exporting.csv_bytes(pl.DataFrame({"t": ['a;b "c"', "d\r\ne"]}))
    assert written.decode() == BOM + 't\r\n"a;b ""c"""\r\n"d\ne"\r\n'


def test_narrow_spaces_which_other_programs_show_as_boxes_become_ordinary_ones_that_do_not_break():
    assert "1\u00a0234" in exporting.csv_bytes(pl.DataFrame({"t": ["1\u202f234"]})).decode()


def test_people_are_given_headings_and_programs_the_columns_names():
    rows = pl.DataFrame({"days_left": [3]})
    headings = exporting.titles(rows.columns, "fr")
    assert exporting.csv_bytes(rows, titles=headings).decode() == BOM + "Jours restants\r\n3\r\n"
    assert exporting.jsonl_bytes(rows) == b'{"days_left":3}\n'


def test_several_frames_are_one_csv_with_one_heading():
    assert exporting.csv_bytes(iter([LINES.select("code"), LINES.select("code")])).decode().count("code") == 1


@pytest.mark.parametrize(("lang", "money"), [("fr", MONEY_FR), ("en", MONEY_EN)])
def test_cells_of_a_workbook_have_their_types_and_formats(lang, money):
    sheet = sheet_of(exporting.xlsx_bytes({"Lignes": LINES}, lang), "Lignes")
    cells = [(shown(cell.value), cell.data_type, cell.number_format) for cell in sheet[2]]
    assert cells == [
        ("08857", "s", "@"),
        ("000000012", "s", "@"),
        (1234.5, "n", money),
        ("2025-07-01 00:00:00", "d", "yyyy-mm-dd"),
        ("2025-06-30 23:59:00", "d", "yyyy-mm-dd hh:mm"),
        ("09:05", "s", "@"),
        (3, "n", "#,##0"),
        (0.5, "n", "#,##0.00"),
        ("oui" if lang == "fr" else "yes", "s", "@"),
        ("1 22", "s", "@"),
    ]
    assert sheet["B3"].value is None


def test_a_sheet_has_a_frozen_heading_a_filter_and_prints_across_with_its_heading_on_each_page():
    sheet = sheet_of(exporting.xlsx_bytes({"A": LINES}, titles={"code": "Code de facturation"}))
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:J3"
    assert sheet.print_title_rows == "$1:$1"
    assert sheet.page_setup.orientation == "landscape"
    assert sheet["A1"].value == "Code de facturation"
    assert sheet.column_dimensions["E"].width >= 16


@pytest.mark.parametrize("text", ["=1+1", "@SUM(1)", "http://example.org", "mailto:a@b", "{=1}", "0012", "1e5"])
def test_no_text_of_a_workbook_becomes_a_formula_a_link_or_a_number(tmp_path, text):
    rows = pl.DataFrame({"t": [text]})
    exporting.write(rows, tmp_path / "a.xlsx")
    for data in (exporting.xlsx_bytes({"A": rows}), tmp_path / "a.xlsx"):
        cell = sheet_of(data)["A2"]
        assert (cell.value, cell.data_type, cell.hyperlink) == (text, "s", None)


def test_signs_that_xml_does_not_know_do_not_damage_a_workbook(tmp_path):
    exporting.write(pl.DataFrame({"t": ["a\x00b\x1fc\ufffe", "x" * 40_000]}), tmp_path / "a.xlsx")
    sheet = sheet_of(tmp_path / "a.xlsx")
    assert sheet["A2"].value == "a\ufffdb\ufffdc\ufffd"
    assert len(sheet["A3"].value) == 32_767


def test_sheets_get_names_that_excel_takes():
    rows = pl.DataFrame({"t": ["x"]})
    names = ["a/b:c", "A-B-C", "x" * 40, "x" * 40 + "y", "History", ""]
    book = openpyxl.load_workbook(io.BytesIO(exporting.xlsx_bytes(dict.fromkeys(names, rows))))
    assert book.sheetnames == ["a-b-c", "A-B-C (2)", "x" * 31, "x" * 27 + " (2)", "History (2)", "-"]


def test_rows_beyond_those_of_a_sheet_go_to_further_sheets_with_the_same_heading(monkeypatch, tmp_path):
    monkeypatch.setattr(spreadsheets, "MAX_ROWS", 2)
    assert (
        exporting.write(iter([pl.DataFrame({"n": [1, 2, 3]}), pl.DataFrame({"n": [4, 5]})]), tmp_path / "n.xlsx") == 5
    )
    book = openpyxl.load_workbook(tmp_path / "n.xlsx")
    assert {sheet.title: [cell.value for cell in sheet["A"]] for sheet in book} == {
        "n": ["n", 1, 2],
        "n (2)": ["n", 3, 4],
        "n (3)": ["n", 5],
    }


def test_a_table_without_rows_is_a_heading(tmp_path):
    exporting.write(LINES.clear(), tmp_path / "a.xlsx")
    assert [cell.value for cell in sheet_of(tmp_path / "a.xlsx")[1]] == LINES.columns


def test_parquet_keeps_the_types_and_the_order(tmp_path):
    assert exporting.write(iter([LINES, LINES.reverse()]), tmp_path / "a.parquet") == 4
    assert_frame_equal(pl.read_parquet(tmp_path / "a.parquet"), pl.concat([LINES, LINES.reverse()]))
    assert_frame_equal(pl.read_parquet(io.BytesIO(exporting.parquet_bytes(LINES))), LINES)


def test_json_lines_are_one_object_a_line(tmp_path):
    exporting.write(LINES, tmp_path / "a.ndjson")
    first = json.loads((tmp_path / "a.ndjson").read_text("utf-8").splitlines()[0])
    assert (first["code"], first["amount"], first["related"]) == ("08857", "1234.50", [1, 22])


def test_a_name_that_tells_no_format_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(UsageError, match="DL-OUT-003"):
        exporting.write(LINES, tmp_path / "a.doc")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", exporting.KINDS)
def test_a_file_is_for_its_owner_only_and_is_replaced_as_a_whole(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    path.write_text("before")
    exporting.write(LINES, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", exporting.KINDS)
def test_what_stops_halfway_leaves_the_file_as_it_was_and_nothing_beside_it(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(spreadsheets.tempfile, "tempdir", str(tmp_path))
    path = tmp_path / f"a.{kind}"
    path.write_text("before")

    def torn():
        yield LINES
        raise KeyError

    with pytest.raises((KeyError, pl.exceptions.ComputeError)):
        exporting.write(torn(), path)
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


LARGE = """
import resource, sys
from decimal import Decimal
from pathlib import Path
import polars as pl
from dashlib import exporting

def pages():
    for start in range(0, 200_000, 20_000):
        n = pl.int_range(start, start + 20_000, eager=True)
        yield pl.DataFrame({"n": n, "t": n.cast(pl.String) + " un message d'une longueur ordinaire, comme en ont les constats"})
first = next(iter(pages()))
exporting.write(first.head(10), Path(sys.argv[1]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(exporting.write(pages(), Path(sys.argv[1])), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize("kind", exporting.KINDS)
def test_two_hundred_thousand_rows_are_written_in_bounded_memory(tmp_path, kind):
    done = subprocess.run(
        [sys.executable, "-c", LARGE, tmp_path / f"a.{kind}"], capture_output=True, text=True, check=True
    )
    rows, mebibytes = map(int, done.stdout.split())
    assert rows == 200_000
    assert mebibytes < 100
