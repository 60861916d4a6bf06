"""Frames as files that other programs open: CSV for Excel, Excel, Parquet and JSON lines. Pure.

A file is written beside its name, for its owner's eyes only, and takes the name when it is whole. A table may come as
one frame or as many, one after the other: it is never held as a whole.
"""

import io
import os
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

import polars as pl
from polars.io.plugins import register_io_source

from dashlib import spreadsheets, texts
from dashlib.errors import UsageError
from dashlib.spreadsheets import Sheet

type Kind = Literal["csv", "xlsx", "parquet", "jsonl"]
type Rows = pl.DataFrame | Iterable[pl.DataFrame]

KINDS: tuple[Kind, ...] = ("csv", "xlsx", "parquet", "jsonl")
MEDIA: dict[Kind, str] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
    "jsonl": "application/x-ndjson",
}
# OWASP: what a spreadsheet takes for a formula, also in full-width forms and behind blanks or quotes.
FORMULA = r"^[\s'\"]*[=+\-@\t\r\n＝＋－＠]"
NUMBER = r"^[+\-]?\d+([.,]\d+)?$"
# What Excel expects where numbers have a decimal comma, and where they have a point.
SEPARATORS = {"fr": ";", "en": ","}


def csv_bytes(rows: Rows, lang: str = "fr", *, titles: Mapping[str, str] | None = None) -> bytes:
    """A table as CSV that Excel opens by a double click, in French with `;` and decimal comma.

    Text that a spreadsheet would run as a formula gets an apostrophe before it. Excel drops the zeros that a code
    begins with when it opens a CSV, whatever stands there: where that matters, write xlsx.
    """
    out = io.BytesIO()
    _write_csv(out, _frames(rows), lang, titles or {})
    return out.getvalue()


def xlsx_bytes(
    tables: Mapping[str, pl.DataFrame], lang: str = "fr", *, titles: Mapping[str, str] | None = None
) -> bytes:
    """Tables as an Excel workbook, a sheet each, with real dates, numbers and money; text stays text."""
    out = io.BytesIO()
    with spreadsheets.book(out, lang) as made:
        for name, rows in tables.items():
            made.add(Sheet(name, [rows], titles=titles or {}))
    return out.getvalue()


def parquet_bytes(rows: pl.DataFrame) -> bytes:
    """A table as Parquet, with its types as they are."""
    out = io.BytesIO()
    rows.write_parquet(out)
    return out.getvalue()


def jsonl_bytes(rows: Rows) -> bytes:
    """A table as JSON objects, one a line, whose keys are the columns' names."""
    out = io.BytesIO()
    _write_jsonl(out, _frames(rows))
    return out.getvalue()


def write(
    rows: Rows, path: Path, lang: str = "fr", *, kind: Kind | None = None, titles: Mapping[str, str] | None = None
) -> int:
    """Writes a table to a file, replacing what was there, and gives the number of its rows.

    Args:
        rows: a frame, or frames of the same columns one after the other, of which there is at least one.
        kind: by default what the name ends with.
        titles: headings for people, by column, in CSV and Excel; programs are given the columns' own names.

    Raises:
        UsageError: DL-OUT-003, the name tells no format.
        OSError: nothing can be written there; the file that was there is untouched.
    """
    counted = _Counted(_frames(rows))
    with replacing(path) as out:
        match kind or kind_of(path):
            case "csv":
                _write_csv(out, counted, lang, titles or {})
            case "xlsx":
                with spreadsheets.book(out, lang) as made:
                    made.add(Sheet(path.stem, counted, titles=titles or {}))
            case "parquet":
                _write_parquet(out, counted)
            case "jsonl":
                _write_jsonl(out, counted)
    return counted.rows


def kind_of(path: Path) -> Kind:
    """The format that a file's name tells.

    Raises:
        UsageError: DL-OUT-003, it tells none.
    """
    ending = path.suffix.lower().removeprefix(".")
    for kind in KINDS:
        if ending == kind or (ending == "ndjson" and kind == "jsonl"):
            return kind
    raise UsageError("DL-OUT-003", kinds=", ".join(KINDS))


def titles(names: Collection[str], lang: str) -> dict[str, str]:
    """Headings for people of the columns that have one; the others keep their names."""
    words = texts.words(lang)
    return {name: words.get(f"head.{name}", name) for name in names}


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes this name when it is whole. Until then it lies beside it, readable by its owner only."""
    descriptor, begun = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as out:
            yield out
        Path(begun).replace(path)
    except BaseException:
        Path(begun).unlink(missing_ok=True)
        raise


class _Counted:
    """Frames that count their rows as they go by."""

    def __init__(self, frames: Iterable[pl.DataFrame]) -> None:
        self.rows = 0
        self._frames = frames

    def __iter__(self) -> Iterator[pl.DataFrame]:
        for frame in self._frames:
            self.rows += frame.height
            yield frame


def _frames(rows: Rows) -> Iterable[pl.DataFrame]:
    return [rows] if isinstance(rows, pl.DataFrame) else rows


def _write_csv(out: BinaryIO, frames: Iterable[pl.DataFrame], lang: str, titles: Mapping[str, str]) -> None:
    out.write("\ufeff".encode())
    for place, frame in enumerate(frames):
        names = pl.Series([titles.get(name, name) for name in frame.columns], dtype=pl.String)
        written = spreadsheets.cells(frame, lang).with_columns(_harmless(pl.col(pl.String)).name.keep())
        written.columns = names.to_frame("name").select(_harmless(pl.col("name"))).to_series().to_list()
        written.write_csv(
            out,
            include_header=place == 0,
            separator=SEPARATORS[lang],
            decimal_comma=lang == "fr",
            line_terminator="\r\n",
            float_scientific=False,
        )


def _harmless(text: pl.Expr) -> pl.Expr:
    """Text that would run as a formula made text; a number is none."""
    risky = text.str.contains(FORMULA) & ~text.str.contains(NUMBER)
    return pl.when(risky).then("'" + text).otherwise(text)


def _write_jsonl(out: BinaryIO, frames: Iterable[pl.DataFrame]) -> None:
    for frame in frames:
        frame.write_ndjson(out)


def _write_parquet(out: BinaryIO, frames: Iterable[pl.DataFrame]) -> None:
    coming = iter(frames)
    first = next(coming)

    def source(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, batch: int | None
    ) -> Iterator[pl.DataFrame]:
        yield first
        yield from coming

    told: Callable[..., Iterator[pl.DataFrame]] = source
    register_io_source(told, schema=first.schema).sink_parquet(out, maintain_order=True)
