"""A CSV of a reference table: its text in; its cells out, as text, with their line numbers."""

import csv
import io
import unicodedata
from collections.abc import Mapping

import polars as pl

from dashlib.errors import RuleError
from dashlib.imports.faults import fault, refuse

DELIMITERS = ";\t,"
MAX_FIELD = 100_000  # characters of one cell
LINE = "line"


def read_cells(text: str) -> pl.DataFrame:
    """(rows, a text column for each header + line i64), in file order; an empty cell is null.

    Headers are compared without case, accents and spaces.

    Raises:
        ReferenceRefused: DL-REF-020, a header stands twice or is empty; DL-REF-021, rows have more or fewer fields than
            the header; DL-REF-022, a quote never closes; DL-REF-023, there is a header only.
    """
    lines, rows = _records(text)
    header = [header_name(cell) for cell in rows[0]]
    # By their places: a file without a header has a line in its stead, and what that says stays unsaid.
    twice = [at for at, name in enumerate(header, 1) if not name or header.count(name) > 1]
    if twice:
        refuse([fault("DL-REF-020", [1], columns=", ".join(map(str, twice)))])
    torn = [line for line, row in zip(lines[1:], rows[1:], strict=True) if len(row) != len(header)]
    if torn:
        refuse([fault("DL-REF-021", torn, fields=len(header))])
    if len(rows) == 1:
        raise RuleError("DL-REF-023")
    columns = {name: [row[at] for row in rows[1:]] for at, name in enumerate(header)}
    trimmed = pl.all().str.strip_chars()
    cells = pl.DataFrame(columns, schema=dict.fromkeys(header, pl.String)).with_columns(trimmed)
    empty = pl.all() == ""
    return cells.with_columns(pl.when(empty).then(None).otherwise(pl.all()).name.keep()).with_columns(
        pl.Series(LINE, lines[1:], pl.Int64)
    )


def _records(text: str) -> tuple[list[int], list[list[str]]]:
    """The records with the line where each begins; blank lines are none."""
    csv.field_size_limit(MAX_FIELD)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    lines, rows, at = [], [], 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                lines.append(at)
                rows.append(row)
            at = reader.line_num + 1
    except csv.Error:
        refuse([fault("DL-REF-022", [at])])
    return lines, rows


def _delimiter(text: str) -> str:
    """The one that the first line has most of."""
    first = text.lstrip().split("\n", 1)[0]
    return max(DELIMITERS, key=first.count)


def header_name(cell: str) -> str:
    """A header as columns are named: lower case, without accents, words joined by «_»."""
    plain = "".join(c for c in unicodedata.normalize("NFD", cell) if not unicodedata.combining(c))
    return "_".join(plain.lower().replace("-", " ").replace("_", " ").split())


def renamed(cells: pl.DataFrame, names: Mapping[str, str]) -> pl.DataFrame:
    """The cells with other words for their columns, where those that we use are not there already.

    Raises:
        ReferenceRefused: DL-REF-030, several columns mean the same.
    """
    wanted = {old: new for old, new in names.items() if old in cells.columns and new not in cells.columns}
    meant = list(wanted.values())
    if twice := sorted({name for name in meant if meant.count(name) > 1}):
        refuse([fault("DL-REF-030", [1], columns=", ".join(twice))])
    return cells.rename(wanted)
