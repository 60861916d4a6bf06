"""Reading an export: its bytes in; billing records out, with every fault and where it stands, and no line lost.

A fault of the file refuses it whole. A fault of a line sets that line aside with its code and keeps the others.
"""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from dashlib import texts
from dashlib.errors import ExportRefused, Fault
from dashlib.exports.cells import read_cells
from dashlib.exports.faults import HEADERS, facts_of, refusal, refuse
from dashlib.exports.findings import as_faults, find, find_torn, warn
from dashlib.exports.gate import read_bytes, require_readable, shown_name, to_utf8
from dashlib.exports.headers import Header, match_header
from dashlib.exports.lines import MAX_FIELD, Text, find_header
from dashlib.exports.rows import read_rows

__all__ = ["REJECTED", "Export", "facts_of", "read_export", "require_readable", "said", "shown_name", "split_storable"]

REJECTED = {
    "row_number": pl.Int64,
    "line_number": pl.Int64,
    "error_code": pl.String,
    "column_name": pl.String,
    "raw": pl.String,
}
CLEAR_NAM = r"^\s*[A-Z]{4}[0-9]{8}(?:\s|$)"

# A line without date or code is read, but the tables cannot hold it: storing sets it aside.
INCOMPLETE = {"date_de_service": "DL-DATE-000", "code": "DL-CODE-000"}
# A row that can become a record, as far as its shape tells.
CLAIM = pl.col("row_number").is_not_null() & pl.col("fault").is_null() & ~pl.col("is_total")
LEGACY = Fault("W-ENC-LEGACY", "warning")
# Below this many lines a few bad ones are soon more than half: such a file is refused only when nothing is left of it.
FEW = 10


@dataclass(frozen=True)
class Export:
    """What an export holds.

    `records` (lines, SCHEMA), one chunk, in file order: typed, text as exported. `rejected` (lines, REJECTED): a row
    for each line that cannot become a record, with the code of its first fault and its text (PHI). `incomplete` (lines,
    REJECTED): those lines of `records` that lack the date or the code. `faults`: rejections, then warnings. `lines` are
    the numbered lines, `totals` those among them that only add up others.
    """

    records: pl.DataFrame = field(repr=False)
    rejected: pl.DataFrame = field(repr=False)
    incomplete: pl.DataFrame = field(repr=False)
    faults: tuple[Fault, ...]
    encoding: str
    delimiter: str
    lines: int
    totals: int
    columns: int
    sha256: str
    size: int


def read_export(source: Path | bytes) -> Export:
    """Reads an export whole and once, as text, and casts it once.

    Raises:
        ExportRefused: the file as a whole; its `faults` are all that was found, the reason first.
    """
    try:
        return _read(read_bytes(source) if isinstance(source, Path) else source)
    except ExportRefused as refused:
        refused.facts.setdefault("file", shown_name(source) if isinstance(source, Path) else "")
        raise


def split_storable(export: Export) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The records that the tables can hold, and all lines that they cannot (REJECTED), both in file order."""
    if export.incomplete.is_empty():
        return export.records, export.rejected
    rejected = pl.concat([export.rejected, export.incomplete]).sort("line_number")
    return export.records.drop_nulls(list(INCOMPLETE)), rejected


def said(fault: Fault) -> str:
    """A fault in a sentence: its code, what is wrong, where, and what to do."""
    return texts.error(fault.code, facts_of(fault))


def _read(data: bytes) -> Export:
    with ThreadPoolExecutor(1) as beside:
        size, digest = len(data), beside.submit(hashlib.sha256, data)
        utf8, encoding = to_utf8(data)
        del data  # bytes in another encoding need not stay beside their text
        text = find_header(utf8)
        header, faults = match_header(text)
        rows = read_rows(text, header, faults)
        records, found = _read_records(rows, header)
        rows = rows.drop(*HEADERS)  # what they said is in the records now
        rejected = _by_line(found)
        refuse([*_refused_in_bulk(rows, rejected), *faults, *as_faults(found, header)])
        incomplete = pl.concat([find(records, pl.col(name).is_null(), code, name) for name, code in INCOMPLETE.items()])
        told = [*as_faults(pl.concat([found, incomplete]), header), *_warnings(rows, records, header)]
        return Export(
            records=records,
            rejected=_with_text(rejected, text, rows),
            incomplete=_with_text(_by_line(incomplete), text, rows),
            faults=(*faults, *told, *([LEGACY] if encoding == "windows-1252" else [])),
            encoding=encoding,
            delimiter=text.grammar.delimiter,
            lines=rows["row_number"].count(),
            totals=int(rows["is_total"].sum()),
            columns=len(header.names),
            sha256=digest.result().hexdigest(),
            size=size,
        )


def _by_line(found: pl.DataFrame) -> pl.DataFrame:
    """The first finding of each line, in file order."""
    return found.unique("row_number", keep="first", maintain_order=True).sort("line_number")


def _read_records(rows: pl.DataFrame, header: Header) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The records (lines, SCHEMA), and what is wrong with the rows that cannot be one (faults, FOUND)."""
    is_claim = rows.select(CLAIM).to_series()
    numbers = rows.select("row_number", "line_number")
    values, misread = read_cells(rows.select(*HEADERS), rows["odd"] & is_claim)
    misread = misread.filter(is_claim.gather(misread["index"]))
    found = numbers[misread["index"]].hstack(misread.drop("index"))
    # A million lines are a quarter of a gigabyte: they are filtered once, and only when one is to go.
    kept = is_claim & ~numbers["line_number"].is_in(found["line_number"].implode())
    records = numbers.hstack(values)
    return (records if kept.all() else records.filter(kept)).rechunk(), pl.concat([find_torn(rows, header), found])


def _refused_in_bulk(rows: pl.DataFrame, rejected: pl.DataFrame) -> list[Fault]:
    """Refuses a file without claims, or whose claims are mostly unreadable."""
    claims = int(rows.select((pl.col("row_number").is_not_null() & ~pl.col("is_total")).sum()).item())
    if claims == 0:
        return [refusal("DL-EMPTY-002")]
    too_many = rejected.height * 2 > claims if claims >= FEW else rejected.height == claims
    return [refusal("DL-FILE-001", rejected=rejected.height, claims=claims)] if too_many else []


def _warnings(rows: pl.DataFrame, records: pl.DataFrame, header: Header) -> list[Fault]:
    """What does not stop a line from being read, and should be known."""
    last = rows.filter(pl.col("row_number").is_not_null())["line_number"].max()
    is_blank = pl.col("row_number").is_null() & ~pl.col("repeated") & (pl.col("line_number") < last)
    ragged = [
        find(rows, CLAIM & pl.col("is_short"), "DL-ROW-002", fact=pl.col("fields")),
        find(rows, CLAIM & pl.col("is_long"), "DL-ROW-003", fact=pl.col("fields")),
    ]
    return [
        *as_faults(pl.concat(ragged), header),
        *warn(rows, is_blank, "W-ROW-BLANK"),
        *warn(rows, pl.col("repeated"), "W-HDR-005"),
        *warn(rows, pl.col("is_total"), "W-ROW-FOOTER"),
        *_warn_of_repetitions(rows),
        *warn(records, pl.col("montant_preliminaire") < 0, "W-NUM-NEG", "montant_preliminaire"),
        *warn(records, pl.col("montant_paye") < 0, "W-NUM-NEG", "montant_paye"),
        *warn(records, pl.col("patient").str.contains(CLEAR_NAM), "W-PHI-UNMASKED", "patient"),
    ]


def _warn_of_repetitions(rows: pl.DataFrame) -> list[Fault]:
    """Lines that stand in the file before, word for word."""
    if rows["mark"].n_unique() == rows.height:
        return []
    numbered = rows.filter(pl.col("row_number").is_not_null(), pl.col("line_number") == pl.col("last_line"))
    return warn(numbered, ~pl.col("mark").is_first_distinct(), "W-DUP")


def _with_text(found: pl.DataFrame, text: Text, rows: pl.DataFrame) -> pl.DataFrame:
    """The lines that were set aside, with what they say, up to the longest field that could be read."""
    if found.is_empty():
        return pl.DataFrame(schema=REJECTED)
    spans = found.join(rows.select("line_number", "last_line"), on="line_number", maintain_order="left")
    raw = [text.line(*span)[:MAX_FIELD] for span in spans.select("line_number", "last_line").iter_rows()]
    return found.select(
        "row_number", "line_number", error_code="code", column_name="column", raw=pl.Series(raw, dtype=pl.String)
    )
