import csv
import io
from contextlib import suppress

from hypothesis import example, given
from hypothesis import strategies as st

from dashlib.errors import ExportRefused
from dashlib.exports import read_export
from tests.hostile import hostile_file

COLUMNS = (
    "#", "Facture", "Date de Service", "Lieu de pratique", "Code", "Montant Preliminaire", "Montant payé",
    "Doctor Info", "Patient", "Élément de contexte", "Diagnostic", "Note",
)  # fmt: skip
FREE = {"doctor": 7, "patient": 8, "element_de_contexte": 9, "diagnostic": 10}
CONTROL = hostile_file("01_ok_utf8")

texts = st.text(st.sampled_from("aé -#x9'\"\n;,\t"), max_size=8)
quotings = st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
free_cells = st.tuples(texts, texts, texts, texts, texts)


@st.composite
def exports(draw):
    """Bytes of an export, what separates its fields, and its encoding."""
    delimiter = draw(st.sampled_from(";,\t"))
    written = io.StringIO(newline="")
    lines = draw(st.lists(free_cells, min_size=1, max_size=6))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    writer = csv.writer(written, delimiter=delimiter, quoting=draw(quotings), lineterminator=end)
    writer.writerow(COLUMNS)
    for number, cells in enumerate(lines, 1):
        writer.writerow((number, f"9{number:08}", "2025-03-04", "54999", "15804", "49,15", "0.00", *cells))
    text = written.getvalue()
    return (
        text.removesuffix(end) if draw(st.booleans()) else text,
        delimiter,
        draw(st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16"])),
    )


@given(exports())
@example((",".join(COLUMNS) + '\n1,900000001,2025-03-04,54999,15804,"49,15",0.00,"a""b","c\nd",,,', ",", "utf-8"))
def test_an_export_is_refused_or_read_as_pythons_csv_module_reads_it(export):
    text, delimiter, encoding = export
    expected = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))[1:]
    with suppress(ExportRefused):
        read = read_export(text.encode(encoding))
        kept = [expected[number - 1] for number in read.records["row_number"]]
        for column, position in FREE.items():
            assert read.records[column].to_list() == [cells[position] or None for cells in kept]
        assert read.records.height + read.rejected.height == len(expected)


@given(st.integers(0, len(CONTROL) - 1), st.integers(0, 255))
def test_a_changed_byte_never_ends_in_a_traceback_nor_loses_a_line_in_silence(at, byte):
    changed = CONTROL[:at] + bytes([byte]) + CONTROL[at + 1 :]
    with suppress(ExportRefused):
        export = read_export(changed)
        assert export.records.height == 5 or export.faults or export.lines != 5


@given(st.binary(max_size=300))
def test_no_bytes_at_all_end_in_a_traceback(data):
    with suppress(ExportRefused):
        read_export(data)
