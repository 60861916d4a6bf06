"""The workbook as clerks give it back: what they ticked and noted, row by row. Pure, and wary of every file.

A workbook is a zip of XML: before it is opened, its parts are unpacked once, block by block, and must be as small as
they say. openpyxl tells a formula from a value; a cell that holds one is not read, whatever it would give.
"""

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from dashlib import texts
from dashlib.cards import without_cards
from dashlib.errors import TicksRefused
from dashlib.exports.gate import read_bytes

MIB = 2**20
MAX_FILE, MAX_PART, MAX_WHOLE = 32 * MIB, 64 * MIB, 512 * MIB
MAX_PARTS = 2_000
MAX_ROWS, MAX_COLUMNS = 1_048_576, 100
MAX_HEADER = 5  # the rows among which a sheet's headings are looked for
SHEETS = "xl/worksheets/"  # parts that are read row by row; all others are held whole
MACROS = re.compile(r"vbaproject|macrosheets/|activex/", re.IGNORECASE)

MAX_NOTE = 500
EMPTY_BOX, TICKED_BOX = "☐", "☑"
TICKED = {TICKED_BOX, "☒", "✓", "✔", "x", "1", "oui", "vrai", "fait", "yes", "true", "done"}
UNTICKED = {"", EMPTY_BOX, "0", "non", "faux", "no", "false", "-", "—"}
CODED = re.compile(r"_x00[01][0-9A-Fa-f]_")  # how Excel writes signs that XML does not have
COLUMNS = ("key", "done", "note")  # found by their headings, in either language, wherever they stand
KEY = r"^([0-9]{1,18}):([0-9]{1,9}) ([0-9A-F]{32}) ([0-9A-F]{8})$"

ROWS = {
    "sheet": pl.Int64,
    "row": pl.Int64,
    "run": pl.Int64,
    "number": pl.Int64,
    "fingerprint": pl.String,
    "mark": pl.String,
    "done": pl.Boolean,
    "note": pl.String,
    "masked": pl.Boolean,
    "fault": pl.String,
}


@dataclass(frozen=True)
class Ticks:
    """What a workbook says. `saved_at` is when it was saved, as it says itself; None where it does not.

    `rows`: (rows that say something, ROWS), in order; `sheet` and `row` count from 1; `run`, `number`, `fingerprint`
    and `mark` are the key's parts, null where it was changed. `fault` is formula, key, done or note where the row
    cannot be taken. A health insurance number in a note is masked already, and `masked` says so.
    """

    rows: pl.DataFrame
    saved_at: datetime | None


def key(result: pl.Expr, fingerprint: pl.Expr, mark: pl.Expr) -> pl.Expr:
    """What a row of the workbook is known by when it comes back: a result, its fingerprint, what was said of it."""
    return pl.format("{} {} {}", result, fingerprint, mark)


RAW = {"sheet": pl.Int64, "row": pl.Int64, **dict.fromkeys(COLUMNS, pl.String), "formula": pl.Boolean}


def read_ticks(path: Path) -> Ticks:
    """Reads a workbook that was given back.

    Raises:
        ExportMissing: there is no such file.
        ExportRefused: it is no file that can be read.
        TicksRefused: DL-TICK-001, too big; 002, no Excel workbook, or damaged; 003, unpacked it would be too big; 004,
            it holds macros; 005, it has no sheet with the columns.
    """
    import openpyxl  # half of a second, and of this use only

    if path.is_file() and path.stat().st_size > MAX_FILE:
        raise TicksRefused("DL-TICK-001", limit=MAX_FILE // MIB)
    data = read_bytes(path)
    names = {texts.text(f"head.{name}", lang).casefold(): name for name in COLUMNS for lang in texts.LANGUAGES}
    try:
        _require_harmless(data)
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, keep_links=False)
        headed = [(at, sheet, _headings(sheet, names)) for at, sheet in enumerate(book.worksheets, 1)]
        sheets = [list(_rows(at, sheet, *heading)) for at, sheet, heading in headed if heading]
        saved = book.properties.modified
    except TicksRefused:
        raise
    except Exception:  # noqa: BLE001 (a damaged workbook trips its reader in any way, and what that says quotes cells)
        raise TicksRefused("DL-TICK-002") from None
    if not sheets:
        raise TicksRefused("DL-TICK-005", columns=", ".join(texts.text(f"head.{name}") for name in COLUMNS))
    said = pl.DataFrame([row for rows in sheets for row in rows], schema=RAW, orient="row")
    return Ticks(_understood(said), saved and saved.replace(tzinfo=UTC))


def _require_harmless(data: bytes) -> None:
    """Refuses what is no workbook, holds programs, or would fill the memory."""
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        listed = parts.infolist()
        if any(MACROS.search(part.filename) for part in listed):
            raise TicksRefused("DL-TICK-004")
        held = [part.file_size for part in listed if not part.filename.startswith(SHEETS)]
        whole = sum(part.file_size for part in listed)
        if len(listed) > MAX_PARTS or whole > MAX_WHOLE or max(held, default=0) > MAX_PART:
            raise TicksRefused("DL-TICK-003")
        for part in listed:
            # A part that is longer than it says fails its own check sum at the end of what it says.
            with parts.open(part) as unpacked:
                while unpacked.read(MIB):
                    pass


def _headings(sheet: Any, names: Mapping[str, str]) -> tuple[int, list[int]] | None:
    """The row of a sheet's headings and where the columns stand, if it is a sheet of ours."""
    sheet.reset_dimensions()  # what a sheet says of its size costs as much memory as it says
    for at, row in enumerate(sheet.iter_rows(max_row=MAX_HEADER, max_col=MAX_COLUMNS, values_only=True), 1):
        found = {names.get(str(value).strip().casefold(), ""): column for column, value in enumerate(row)}
        if found.keys() >= set(COLUMNS):
            return at, [found[name] for name in COLUMNS]
    return None


def _rows(place: int, sheet: Any, heading: int, columns: Sequence[int]) -> Iterator[tuple[Any, ...]]:
    """The rows of a sheet that say something: where they stand, their texts, and whether one is a formula."""
    rows = sheet.iter_rows(min_row=heading + 1, max_row=MAX_ROWS, max_col=MAX_COLUMNS)
    for at, row in enumerate(rows, heading + 1):
        cells = [row[column] if column < len(row) else None for column in columns]
        said = [_text(cell.value) if cell is not None else "" for cell in cells]
        if any(said):
            yield place, at, *said, any(cell is not None and cell.data_type == "f" for cell in cells)


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "1" if value else "0"
        case _:
            return CODED.sub(" ", str(value).replace("_x005F_", "_")).strip()


def _understood(said: pl.DataFrame) -> pl.DataFrame:
    parts = pl.col("key").str.extract_groups(KEY).struct
    box = pl.col("done").str.to_lowercase()
    read = said.with_columns(
        run=parts[0].cast(pl.Int64),
        number=parts[1].cast(pl.Int64),
        fingerprint=parts[2],
        mark=parts[3],
        done=pl.when(box.is_in(TICKED)).then(True).when(box.is_in(UNTICKED)).then(False),
        note=_masked(said["note"]),
    )
    fault = (
        pl.when("formula")
        .then(pl.lit("formula"))
        .when(pl.col("fingerprint").is_null())
        .then(pl.lit("key"))
        .when(pl.col("done").is_null())
        .then(pl.lit("done"))
        .when(pl.col("note").str.len_chars() > MAX_NOTE)
        .then(pl.lit("note"))
    )
    return read.with_columns(masked=(pl.col("note") != said["note"]).fill_null(False), fault=fault).select(
        pl.col(name).cast(dtype) for name, dtype in ROWS.items()
    )


def _masked(notes: pl.Series) -> pl.Series:
    """Notes without health insurance numbers, null where nothing is said."""
    written: Sequence[str] = notes.unique().to_list()
    return notes.replace_strict(written, [without_cards(note) or None for note in written], return_dtype=pl.String)
