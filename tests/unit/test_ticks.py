import zipfile
from datetime import UTC, datetime

import openpyxl
import pytest

from dashlib.errors import ExportMissing, ExportRefused, TicksRefused
from dashlib.ticks import read_ticks

KEY = "418:37 0123456789ABCDEF0123456789ABCDEF 01234567"


@pytest.fixture
def workbook(tmp_path):
    def write(*rows, headings=("Facture", "Fait", "Note", "Clé"), name="a.xlsx"):
        book = openpyxl.Workbook()
        book.active.append(headings)
        for row in rows:
            book.active.append(row)
        book.save(tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def packed(tmp_path):
    def write(parts, name="a.xlsx"):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as file:
            for part, text in parts.items():
                file.writestr(part, text)
        return tmp_path / name

    return write


def parts_of(path):
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def test_a_row_says_of_which_result_it_is_whether_that_is_done_and_what_was_noted(workbook):
    read = read_ticks(workbook(("900000001", "☑", "corrigé", KEY)))
    assert read.rows.to_dicts() == [
        {
            "sheet": 1,
            "row": 2,
            "run": 418,
            "number": 37,
            "fingerprint": "0123456789ABCDEF0123456789ABCDEF",
            "mark": "01234567",
            "done": True,
            "note": "corrigé",
            "masked": False,
            "fault": None,
        }
    ]
    assert abs((datetime.now(UTC) - read.saved_at).total_seconds()) < 120


@pytest.mark.parametrize(
    ("box", "done", "fault"),
    [
        ("☑", True, None),
        ("x", True, None),
        ("OUI", True, None),
        (True, True, None),
        (1, True, None),
        ("☐", False, None),
        (None, False, None),
        (" ", False, None),
        (False, False, None),
        ("peut-être", None, "done"),
        (2, None, "done"),
        ("=TRUE()", None, "formula"),
    ],
)
def test_a_box_is_ticked_in_many_ways_and_nothing_is_guessed(workbook, box, done, fault):
    row = read_ticks(workbook((None, box, None, KEY))).rows.row(0, named=True)
    assert (row["done"], row["fault"]) == (done, fault)


@pytest.mark.parametrize(
    ("note", "read", "masked"),
    [
        ("  appelé la RAMQ\nle 3  ", "appelé la RAMQ\nle 3", False),
        ("TEST80010112", "[HEALTH-CARD-REDACTED]", True),
        ("voir test 8001 0112 svp", "voir [HEALTH-CARD-REDACTED] svp", True),
        (None, None, False),
        (3, "3", False),
        ("a_x000D_b _x005F_x0041_", "a b _x0041_", False),
    ],
)
def test_a_note_is_read_without_blanks_around_and_without_health_insurance_numbers(workbook, note, read, masked):
    row = read_ticks(workbook((None, "☑", note, KEY))).rows.row(0, named=True)
    assert (row["note"], row["masked"], row["fault"]) == (read, masked, None)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ((None, "☑", "x" * 501, KEY), "note"),
        ((None, "☑", "=1+1", KEY), "formula"),
        ((None, "☑", '=HYPERLINK("http://example.org")', KEY), "formula"),
        ((None, "☑", None, "418:37"), "key"),
        ((None, "☑", None, None), "key"),
        ((None, "☑", None, f"{KEY} '; DROP TABLE"), "key"),
        ((None, "☑", None, KEY.replace("418", "9" * 30)), "key"),
    ],
)
def test_what_cannot_be_taken_is_said_by_its_row(workbook, row, fault):
    rows = read_ticks(workbook((None, "☐", None, KEY), row)).rows
    assert rows.select("row", "fault").rows() == [(2, None), (3, fault)]


def test_columns_are_found_by_their_headings_in_either_language_and_in_any_order(workbook):
    read = read_ticks(workbook((KEY, "☑", "sent"), headings=("key ", "DONE", "Note")))
    assert read.rows.select("run", "done", "note").rows() == [(418, True, "sent")]


def test_empty_rows_say_nothing(workbook):
    assert read_ticks(workbook((None,) * 4, ("900000001", None, None, None))).rows.height == 0


def test_sheets_without_the_columns_are_passed_over(workbook):
    path = workbook((None, "☑", None, KEY))
    book = openpyxl.load_workbook(path)
    book.create_sheet("Notes", 0).append(["Fait", "à la main"])
    book.save(path)
    assert read_ticks(path).rows["sheet"].to_list() == [2]


def test_a_workbook_without_the_columns_is_refused(workbook):
    with pytest.raises(TicksRefused, match="DL-TICK-005") as refused:
        read_ticks(workbook(("x", "☑"), headings=("Facture", "Fait")))
    assert refused.value.exit_code == 3


@pytest.mark.parametrize(
    "data", [b"", b"PK", b"a;b\n1;2\n", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), b"%PDF-1.7"]
)
def test_what_is_no_workbook_is_refused(tmp_path, data):
    (tmp_path / "a.xlsx").write_bytes(data)
    with pytest.raises(TicksRefused, match="DL-TICK-002"):
        read_ticks(tmp_path / "a.xlsx")


def test_a_workbook_cut_short_is_refused(workbook):
    path = workbook((None, "☑", None, KEY))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(TicksRefused, match="DL-TICK-002"):
        read_ticks(path)


def test_another_kind_of_zip_is_refused(packed):
    with pytest.raises(TicksRefused, match="DL-TICK-002"):
        read_ticks(packed({"a.txt": "TEST80010112"}))


@pytest.mark.parametrize("part", ["xl/vbaProject.bin", "xl/macrosheets/sheet1.xml", "xl/activeX/activeX1.bin"])
def test_a_workbook_with_macros_is_refused(workbook, packed, part):
    with pytest.raises(TicksRefused, match="DL-TICK-004"):
        read_ticks(packed(parts_of(workbook((None, "☑", None, KEY))) | {part: b"x"}))


def test_the_printers_settings_are_no_macros(workbook, packed):
    parts = parts_of(workbook((None, "☑", None, KEY))) | {"xl/printerSettings/printerSettings1.bin": b"x"}
    assert read_ticks(packed(parts)).rows.height == 1


@pytest.mark.parametrize(
    "bomb",
    [
        {"xl/sharedStrings.xml": bytes(65 * 2**20)},
        {f"xl/worksheets/sheet{n}.xml": bytes(60 * 2**20) for n in range(2, 12)},
        {f"xl/{n}.xml": b"" for n in range(2_001)},
    ],
    ids=["one part", "many sheets", "many parts"],
)
def test_a_zip_bomb_is_refused_before_it_is_unpacked(workbook, packed, bomb):
    with pytest.raises(TicksRefused, match="DL-TICK-003"):
        read_ticks(packed(parts_of(workbook((None, "☑", None, KEY))) | bomb))


def test_a_part_that_is_longer_than_it_says_is_refused(workbook, packed):
    path = packed(parts_of(workbook((None, "☑", None, KEY))) | {"xl/sharedStrings.xml": bytes(20 * 2**20)})
    honest, lie = (size.to_bytes(4, "little") for size in (20 * 2**20, 1000))
    path.write_bytes(path.read_bytes().replace(honest, lie))
    with pytest.raises(TicksRefused, match="DL-TICK-002"):
        read_ticks(path)


def test_entities_are_not_resolved(workbook, packed):
    parts = parts_of(workbook((None, "☑", "&", KEY)))
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    sheet = "xl/worksheets/sheet1.xml"
    with pytest.raises(TicksRefused, match="DL-TICK-002"):
        read_ticks(packed(parts | {sheet: bomb + parts[sheet].split(b"?>", 1)[-1]}))


@pytest.mark.parametrize("claimed", [b'<dimension ref="A1:XFD1048576"/>', b'<dimension ref="A1"/>', b""])
def test_what_a_sheet_says_of_its_size_is_not_believed(workbook, packed, claimed):
    parts = parts_of(workbook((None, "☑", None, KEY)))
    sheet = "xl/worksheets/sheet1.xml"
    assert b'<dimension ref="A1:D2"/>' in parts[sheet].replace(b" />", b"/>")
    forged = parts[sheet].replace(b" />", b"/>").replace(b'<dimension ref="A1:D2"/>', claimed)
    assert read_ticks(packed(parts | {sheet: forged})).rows.height == 1


def test_a_row_far_below_is_not_waited_for(workbook, packed):
    parts = parts_of(workbook((None, "☑", None, KEY)))
    sheet = "xl/worksheets/sheet1.xml"
    forged = parts[sheet].replace(b'<row r="2"', b'<row r="99999999999"')
    assert forged != parts[sheet]
    assert read_ticks(packed(parts | {sheet: forged})).rows.height == 0


def test_a_big_file_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "a.xlsx").open("wb") as file:
        file.truncate(200 * 2**20)
    with pytest.raises(TicksRefused, match="DL-TICK-001"):
        read_ticks(tmp_path / "a.xlsx")


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path):
    with pytest.raises(ExportMissing, match="DL-FILE-002"):
        read_ticks(tmp_path / "a.xlsx")
    with pytest.raises(ExportRefused, match="DL-FILE-003"):
        read_ticks(tmp_path)


def test_no_refusal_quotes_a_cell(workbook, packed):
    parts = parts_of(workbook((None, "☑", "SECRET", KEY)))
    torn = {name: text.replace(b"</row>", b"") for name, text in parts.items()}
    with pytest.raises(TicksRefused) as refused:
        read_ticks(packed(torn))
    assert "SECRET" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_a_workbook_that_does_not_tell_when_it_was_saved_is_read(workbook, packed):
    parts = parts_of(workbook((None, "☑", None, KEY)))
    del parts["docProps/core.xml"]
    assert read_ticks(packed(parts)).rows.height == 1


def test_many_rows_are_read(tmp_path):
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(["Fait", "Note", "Clé"])
    for n in range(20_000):
        sheet.append(["☑", "ok", KEY.replace("37", str(n))])
    book.save(tmp_path / "a.xlsx")
    assert read_ticks(tmp_path / "a.xlsx").rows["number"].to_list() == list(range(20_000))
