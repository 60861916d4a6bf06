"""Corrections of lines, as people write them: which line, which column, and what should stand there. Pure.

An absent cell leaves what stands there, «-» empties it. Values are read as an export's would be, so that «32,40» is an
amount; nothing of them is ever quoted.
"""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from dashlib.errors import CorrectionsRefused, ExportRefused, Fact, Fault
from dashlib.exports import facts_of
from dashlib.exports.cells import read_cells
from dashlib.exports.gate import read_bytes, shown_name, to_utf8
from dashlib.records import COLUMNS, SCHEMA

EMPTIED = "-"
NAMES = tuple(column.name for column in COLUMNS)
NEEDED = {"date_de_service": "DL-DATE-000", "code": "DL-CODE-000"}
MAX_BYTES = 16 * 2**20  # some hundred thousand lines: more is another export, not corrections of one
PSEUDONYM = r"^(?:MÉD|PAT)-[0-9A-F]+$"

type Corrections = Mapping[int, Mapping[str, Any]] | pl.DataFrame | Path | str


def correct(lines: pl.DataFrame, corrections: Corrections) -> tuple[pl.DataFrame, int]:
    """The lines as they would be, and how many of them were corrected.

    Args:
        lines: (lines, columns of records.SCHEMA), in file order.
        corrections: {row_number: {column: value}}, None emptying a cell; or a frame, or a CSV file, with `row_number`
            and any columns of the records by their names.

    Raises:
        CorrectionsRefused: all faults at once, each with its lines and its column.
    """
    wanted = _numbered(_as_text(corrections))
    faults = _find_strangers(wanted, lines)
    values, found = read_cells(_cells(wanted), pl.Series([True] * wanted.height, dtype=pl.Boolean))
    _refuse([*faults, *_find_unreadable(wanted, values, found)])
    return _put(lines, wanted, values), wanted.height


def _as_text(corrections: Corrections) -> pl.DataFrame:
    if isinstance(corrections, Path | str):
        return _read_file(Path(corrections))
    if isinstance(corrections, Mapping):
        names = dict.fromkeys(str(name) for cells in corrections.values() for name in cells)
        rows = [
            [str(row), *(_said(cells[name]) if name in cells else None for name in names)]
            for row, cells in corrections.items()
        ]
        return pl.DataFrame(rows, schema=dict.fromkeys(["row_number", *names], pl.String), orient="row")
    return corrections.select(pl.all().cast(pl.String))


def _said(value: Any) -> str:
    return EMPTIED if value is None else str(value)


def _read_file(path: Path) -> pl.DataFrame:
    """The table in a CSV file, all text; where fields are separated by ; , or a tab, its header tells."""
    if path.is_file() and path.stat().st_size > MAX_BYTES:
        _refuse([Fault("DL-WHATIF-007", "refused", facts={"limit": MAX_BYTES // 2**20})])
    data = read_bytes(path)
    try:
        text, _ = to_utf8(data)
    except ExportRefused as refused:
        raise ExportRefused(refused.code, refused.faults, **refused.facts, file=shown_name(path)) from None
    header = text.split(b"\n", 1)[0].decode()
    try:
        table = pl.read_csv(text, separator=max(";,\t", key=header.count), infer_schema=False)
    except pl.exceptions.PolarsError:
        # Its message could quote a cell.
        raise CorrectionsRefused("DL-WHATIF-008", [Fault("DL-WHATIF-008", "refused")]) from None
    return table.rename(lambda name: name.strip())


def _numbered(table: pl.DataFrame) -> pl.DataFrame:
    """(corrections, row_number i64 + columns as text, null where nothing is corrected), each line once."""
    _refuse(_find_foreign_columns(table.columns))
    number = pl.col("row_number").str.strip_chars().cast(pl.Int64, strict=False)
    text = pl.col(name for name in table.columns if name != "row_number")
    wanted = table.with_columns(number, pl.when(text.str.strip_chars() != "").then(text).name.keep())
    unread = wanted["row_number"].is_null().arg_true() + 2  # below the header, which is line 1
    twice = wanted.filter(pl.col("row_number").is_duplicated())["row_number"].drop_nulls().unique().sort()
    _refuse([*_fault("DL-WHATIF-003", unread), *_fault("DL-WHATIF-004", twice)])
    return wanted


def _find_foreign_columns(names: Sequence[str]) -> list[Fault]:
    """Columns that are none of the records'. They are told by their place: without a header they would be cells."""
    foreign = [at for at, name in enumerate(names, 1) if name not in (*NAMES, "row_number")]
    near = [difflib.get_close_matches(names[at - 1].lower(), NAMES, 1, 0.8) for at in foreign]
    facts: dict[str, Fact] = {
        "columns": ", ".join(map(str, foreign)),
        "near": ", ".join(m for [m] in filter(None, near)) or "—",
    }
    faults = [] if "row_number" in names else [Fault("DL-WHATIF-002", "refused")]
    return faults + ([Fault("DL-WHATIF-001", "refused", facts=facts)] if foreign else [])


def _find_strangers(wanted: pl.DataFrame, lines: pl.DataFrame) -> list[Fault]:
    """Lines that are not there, and pseudonyms in the place of identities."""
    unknown = wanted.join(lines, on="row_number", how="anti")["row_number"].sort()
    people = [name for name in ("doctor", "patient") if name in wanted.columns]
    disguised = [
        fault
        for name in people
        for fault in _fault("DL-WHATIF-006", wanted.filter(pl.col(name).str.contains(PSEUDONYM))["row_number"], name)
    ]
    return [*_fault("DL-WHATIF-005", unknown), *disguised]


def _cells(wanted: pl.DataFrame) -> pl.DataFrame:
    """What the readers of exports are given: every column, and emptied cells as absent ones."""
    given = [name for name in NAMES if name in wanted.columns]
    absent = [pl.lit(None, pl.String).alias(name) for name in NAMES if name not in given]
    kept = [pl.when(pl.col(name).str.strip_chars() != EMPTIED).then(name).alias(name) for name in given]
    return wanted.with_columns(*kept, *absent).select(NAMES)


def _find_unreadable(wanted: pl.DataFrame, values: pl.DataFrame, found: pl.DataFrame) -> list[Fault]:
    """Values that cannot be read, by the codes that an export's have, and cells that no line can do without."""
    faults = []
    for code, column, fact in found.select("code", "column", "fact").unique(maintain_order=True).iter_rows():
        at = found.filter(code=code, column=column)["index"]
        faults += _fault(code, wanted["row_number"].gather(at), column, fact=fact or "")
    for name, code in (NEEDED | {"unites": "DL-WHATIF-009"}).items():
        if name in wanted.columns:
            said = pl.col(name).is_not_null() & ((pl.col(name) != EMPTIED) if name == "unites" else pl.lit(True))
            empty = wanted.with_columns(value=values[name]).filter(said, pl.col("value").is_null())["row_number"]
            told = {row for fault in faults if fault.column == name for row in fault.lines}
            faults += _fault(code, empty.filter(~empty.is_in(list(told))), name)
    return faults


def _put(lines: pl.DataFrame, wanted: pl.DataFrame, values: pl.DataFrame) -> pl.DataFrame:
    given = [name for name in NAMES if name in wanted.columns]
    said = {f"{name}_said": wanted[name].is_not_null() for name in given}
    corrected = values.select(wanted["row_number"], pl.col(given).name.suffix("_new"), **said)
    beside = lines.join(corrected, on="row_number", how="left", maintain_order="left")
    return beside.with_columns(
        pl.when(pl.col(f"{name}_said").fill_null(False))
        .then(f"{name}_new")
        .otherwise(name)
        .cast(SCHEMA[name])
        .alias(name)
        for name in given
    ).select(list(SCHEMA))


def _fault(code: str, rows: pl.Series, column: str | None = None, **facts: str) -> list[Fault]:
    """One fault with the lines where it stands, if there are any."""
    shown = tuple(rows.head(20).to_list())
    return [Fault(code, "refused", shown, len(rows), column, dict(facts))] if len(rows) else []


def _refuse(faults: Sequence[Fault]) -> None:
    if faults:
        raise CorrectionsRefused(faults[0].code, faults, **facts_of(faults[0]))
