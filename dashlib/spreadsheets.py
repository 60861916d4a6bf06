"""Excel workbooks, sheet by sheet and row by row: real dates, numbers and money, and text that stays text. Pure.

Number formats are kept in Excel's own notation, whatever the reader's language: «#,##0.00» is shown as «# ##0,00»
where Excel speaks French.
"""

import io
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

import polars as pl

from dashlib import texts

if TYPE_CHECKING:  # a tenth of a second, which only those wait for who write a workbook
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

MAX_ROWS = 1_048_575  # below the header
MAX_NAME = 31
MAX_TEXT = 32_767
LINE_POINTS = 13.5  # a line of text of this size, between two others
WIDEST, NARROWEST = 60, 8
INK, LINE, GROUND, BRAND = "#1B2430", "#DDE2E8", "#F1F4F9", "#1A3A90"
ERROR, WARNING, MUTED = "#8A1A1D", "#9C6206", "#6E7580"

# Signs that XML does not have, and that no program shows.
NO_XML = r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]"

FORMATS = {
    "fr": {
        "money": f'#,##0.00"{texts.NBSP}$";"{texts.MINUS}"#,##0.00"{texts.NBSP}$"',
        "share": f'0.0"{texts.NBSP}"%',
    },
    "en": {"money": f'"$"#,##0.00;"{texts.MINUS}$"#,##0.00', "share": "0.0%"},
}
PLAIN_FORMATS = {
    "text": "@",
    "integer": "#,##0",
    "decimal": "#,##0.00",
    "date": "yyyy-mm-dd",
    "moment": "yyyy-mm-dd hh:mm",
}


@dataclass(frozen=True)
class Sheet:
    """A table of a workbook: its name, and its rows as frames of the same columns, at least one.

    By column: `titles` are the headings, `widths` in characters (by default as wide as what is in it), `wrapped` are
    texts of several lines, `hidden` are not shown, `choices` what may be chosen, `longest` the characters allowed,
    `shares` numbers shown as %. `faded` is a column and the value for which its row is faded, `urgent` a column of
    days of which 0 to 15 stand out.
    """

    name: str
    frames: Iterable[pl.DataFrame]
    titles: Mapping[str, str] = field(default_factory=dict)
    widths: Mapping[str, float] = field(default_factory=dict)
    wrapped: Sequence[str] = ()
    hidden: Sequence[str] = ()
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    longest: Mapping[str, int] = field(default_factory=dict)
    shares: Sequence[str] = ()
    faded: tuple[str, str] | None = None
    urgent: str | None = None


def cells(frame: pl.DataFrame, lang: str) -> pl.DataFrame:
    """Rows as a spreadsheet's cells can hold them: numbers, days, moments in Toronto, and text; nothing nested."""
    written = [_cell(pl.col(name), dtype, lang).alias(name) for name, dtype in frame.schema.items()]
    # A carriage return ends a line of the file, wherever it stands.
    text = pl.col(pl.String).str.replace_all(r"\r\n?", "\n").str.replace_all(texts.NARROW, texts.NBSP, literal=True)
    return frame.select(written).with_columns(text)


def _cell(value: pl.Expr, dtype: pl.DataType, lang: str) -> pl.Expr:
    match dtype:
        case pl.List() | pl.Array():
            return value.cast(pl.List(pl.String)).list.join(" ", ignore_nulls=True).replace("", None)
        case pl.Boolean():
            yes, no = (texts.text(f"cell.{said}", lang) for said in ("yes", "no"))
            return pl.when(value).then(pl.lit(yes)).when(~value).then(pl.lit(no))
        case pl.Datetime():
            local = value if dtype.time_zone is None else value.dt.convert_time_zone(str(texts.TORONTO))
            return local.dt.strftime("%Y-%m-%d %H:%M")
        case pl.Time():
            return value.dt.strftime("%H:%M")
        case pl.Struct():
            return value.struct.json_encode()
        case pl.Categorical() | pl.Enum() | pl.Null():
            return value.cast(pl.String)
        case _:
            return value


@contextmanager
def book(out: BinaryIO, lang: str, *, title: str = "") -> Iterator["Book"]:
    """A workbook that is written to `out` at the end. Until then its sheets lie in a folder of their own, closed to
    others and removed whatever happens; one that is wanted in memory is written in memory.
    """
    import xlsxwriter

    in_memory = isinstance(out, io.BytesIO)
    with nullcontext("") if in_memory else tempfile.TemporaryDirectory(prefix="dashlib-") as folder:
        options = {"in_memory": True} if in_memory else {"constant_memory": True, "tmpdir": folder}
        # Text is written as text by name; these are for whoever forgets.
        never = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
        workbook = xlsxwriter.Workbook(out, {**options, **never, "default_date_format": "yyyy-mm-dd"})
        workbook.set_properties({"title": title, "company": "", "comments": "dashlib"})
        try:
            yield Book(workbook, lang)
        except BaseException:
            # Its files are closed before the folder goes, and nothing of it is kept.
            for sheet in workbook.worksheets():
                if not in_memory:
                    sheet.row_data_fh.close()
            workbook.fileclosed = True
            raise
        workbook.close()


class Book:
    """A workbook that is being written; what is written stays written."""

    def __init__(self, workbook: "Workbook", lang: str) -> None:
        self.lang = lang
        self._workbook = workbook
        self._names: set[str] = set()
        self._formats: dict[tuple[tuple[str, Any], ...], Format] = {}

    def add(self, sheet: Sheet) -> int:
        """Writes a table, on as many sheets as it needs, and gives the number of its rows."""
        total, part, begun = 0, 1, None
        for frame in _filled(sheet.frames):
            written = self._cells(frame)
            begun = begun or _Table(self, sheet, self.page(sheet.name), frame.schema, written)
            while written.height > MAX_ROWS - begun.rows:
                here = MAX_ROWS - begun.rows
                begun.append(written.head(here))
                begun.finish()
                part, written = part + 1, written.slice(here)
                begun = _Table(self, sheet, self.page(f"{sheet.name} ({part})"), frame.schema, written)
            begun.append(written)
            total += frame.height
        if begun is not None:
            begun.finish()
        return total

    def page(self, name: str) -> "Worksheet":
        """An empty sheet, which prints on letter paper, across, as wide as one page."""
        sheet: Worksheet = self._workbook.add_worksheet(self._own_name(name))
        sheet.set_landscape()
        sheet.set_paper(1)
        sheet.set_margins(left=0.4, right=0.4, top=0.6, bottom=0.6)
        sheet.fit_to_pages(1, 0)
        sheet.hide_gridlines(2)
        page = texts.text("book.page", self.lang, page="&P", pages="&N")
        sheet.set_footer(f"&L{texts.text('book.confidential', self.lang)}&C&A&R{page}")
        return sheet

    def format(self, **properties: Any) -> "Format":
        """A format, made once."""
        key = tuple(sorted(properties.items()))
        if key not in self._formats:
            base = {"font_name": "Calibri", "font_size": 10, "font_color": INK, "valign": "top"}
            self._formats[key] = self._workbook.add_format(base | properties)
        return self._formats[key]

    def heading(self, **properties: Any) -> "Format":
        """The format of a table's first row."""
        under = {"bg_color": GROUND, "bottom": 2, "bottom_color": BRAND}
        return self.format(bold=True, text_wrap=True, **under, **{"valign": "vcenter"} | properties)

    def kind(self, kind: str, **properties: Any) -> "Format":
        """The format of text, integer, decimal, money, share, date or moment."""
        code = PLAIN_FORMATS.get(kind) or FORMATS[self.lang][kind]
        return self.format(num_format=code, **properties)

    def _own_name(self, wanted: str) -> str:
        """A name that Excel takes: short, without signs of its own, and not there yet."""
        plain = "".join("-" if sign in "[]:*?/\\" else sign for sign in wanted).strip("' ") or "-"
        name, copy = plain[:MAX_NAME], 1
        while name.lower() in self._names or name.lower() == "history":
            copy += 1
            ending = f" ({copy})"
            name = plain[: MAX_NAME - len(ending)] + ending
        self._names.add(name.lower())
        return name

    def _cells(self, frame: pl.DataFrame) -> pl.DataFrame:
        moments = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Datetime)]
        text = pl.col(pl.String).str.replace_all(NO_XML, "\ufffd")
        written = cells(frame.select(pl.exclude(moments)), self.lang).with_columns(text.str.slice(0, MAX_TEXT))
        local = [pl.col(name).dt.convert_time_zone(str(texts.TORONTO)).dt.replace_time_zone(None) for name in moments]
        return written.hstack(frame.select(local)).select(frame.columns) if moments else written


def _filled(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The frames that have rows, or if none has, one that has none: a column is as wide as what is in the first."""
    empty, any_filled = None, False
    for frame in frames:
        if frame.height:
            any_filled = True
            yield frame
        empty = frame if empty is None else empty
    if empty is not None and not any_filled:
        yield empty


def _letter(column: int) -> str:
    """A column's name in formulas, of the first 26."""
    return chr(ord("A") + column)


class _Table:
    """One sheet of a table while it is written."""

    def __init__(self, book: Book, sheet: Sheet, page: "Worksheet", schema: pl.Schema, first: pl.DataFrame) -> None:
        self.rows = 0
        self._book, self._sheet, self._page, self._columns = book, sheet, page, list(schema)
        self._writers = [self._writer(name, dtype) for name, dtype in schema.items()]
        self._set_columns(first)
        page.set_row(0, 30)
        for at, (name, dtype) in enumerate(schema.items()):
            page.write_string(0, at, sheet.titles.get(name, name), book.heading(**self._aligned(name, dtype)))
        page.freeze_panes(1, 0)
        page.repeat_rows(0)

    def append(self, written: pl.DataFrame) -> None:
        # Where people write, the lines between rows go through; elsewhere an empty cell costs nothing.
        writers, ruled = self._writers, bool(self._sheet.choices)
        for at, (lines, row) in enumerate(zip(self._lines(written), written.iter_rows(), strict=True), self.rows + 1):
            if lines > 1:
                self._page.set_row(at, LINE_POINTS * lines)
            for column, value in enumerate(row):
                write, form = writers[column]
                if value is not None:
                    write(at, column, value, form)
                elif ruled:
                    self._page.write_blank(at, column, None, form)
        self.rows += written.height

    def _lines(self, written: pl.DataFrame) -> list[int]:
        """How many lines each row needs: not all programs fit a row to its wrapped text by themselves."""
        needed = [
            (pl.col(name).str.len_chars() / (1.15 * self._sheet.widths.get(name, WIDEST))).ceil()
            for name in self._sheet.wrapped
        ]
        lines = pl.max_horizontal(pl.lit(1.0), *needed).cast(pl.Int64)
        return written.select(lines.alias("lines")).to_series().to_list() if needed else [1] * written.height

    def finish(self) -> None:
        """What concerns the whole table, once its length is known."""
        last, right = max(self.rows, 1), len(self._columns) - 1
        self._page.autofilter(0, 0, last, right)
        for name, choices in self._sheet.choices.items():
            self._page.data_validation(*self._span(name, last), self._allowed(validate="list", source=list(choices)))
        for name, longest in self._sheet.longest.items():
            allowed = self._allowed(validate="length", criteria="<=", value=longest)
            self._page.data_validation(*self._span(name, last), allowed)
        self._stand_out(last, right)

    def _allowed(self, **rule: Any) -> dict[str, Any]:
        said = {f"error_{part}": texts.text(f"book.refused.{part}", self._book.lang) for part in ("title", "message")}
        return {**rule, **said, "ignore_blank": True}

    def _span(self, name: str, last: int) -> tuple[int, int, int, int]:
        at = self._columns.index(name)
        return 1, at, last, at

    def _stand_out(self, last: int, right: int) -> None:
        sheet, book, page = self._sheet, self._book, self._page
        if sheet.faded is not None:
            name, value = sheet.faded
            letter = _letter(self._columns.index(name))
            rule = {"type": "formula", "criteria": f'=${letter}2="{value}"', "format": book.format(font_color=MUTED)}
            page.conditional_format(1, 0, last, right, rule)
        if sheet.urgent is not None:
            soon = {"type": "cell", "criteria": "between", "minimum": 0, "maximum": 15}
            over = {"type": "cell", "criteria": "<", "value": 0}
            span = self._span(sheet.urgent, last)
            # An empty cell counts as 0.
            page.conditional_format(*span, {"type": "blanks", "stop_if_true": True, "format": book.format()})
            page.conditional_format(*span, soon | {"format": book.format(bold=True, font_color=ERROR)})
            page.conditional_format(*span, over | {"format": book.format(font_color=MUTED)})

    def _writer(self, name: str, dtype: pl.DataType) -> tuple[Callable[..., Any], "Format"]:
        page, kind = self._page, self._kind(name, dtype)
        write = {"text": page.write_string, "date": page.write_datetime, "moment": page.write_datetime}
        wrap = {"text_wrap": True} if name in self._sheet.wrapped else {}
        form = self._book.kind(kind, bottom=1, bottom_color=LINE, **wrap, **self._aligned(name, dtype))
        return write.get(kind, page.write_number), form

    def _aligned(self, name: str, dtype: pl.DataType) -> dict[str, str]:
        """Numbers end below each other; boxes stand in the middle."""
        if name in self._sheet.choices:
            return {"align": "center"}
        return {"align": "right" if dtype.is_numeric() else "left"}

    def _kind(self, name: str, dtype: pl.DataType) -> str:
        if name in self._sheet.shares:
            return "share"
        if isinstance(dtype, pl.Datetime):
            return "moment"
        if dtype == pl.Date:
            return "date"
        if isinstance(dtype, pl.Decimal):
            return "money" if dtype.scale == 2 else "integer" if dtype.scale == 0 else "decimal"
        if dtype.is_integer():
            return "integer"
        return "decimal" if dtype.is_float() else "text"

    def _set_columns(self, first: pl.DataFrame) -> None:
        for at, name in enumerate(self._columns):
            width = self._sheet.widths.get(name) or self._fitting(first[name], self._sheet.titles.get(name, name))
            options = {"hidden": True} if name in self._sheet.hidden else {}
            self._page.set_column(at, at, width, None, options)

    def _fitting(self, column: pl.Series, title: str) -> int:
        """As wide as almost all that is in it, and its heading on two lines."""
        lengths = column.cast(pl.String).str.len_chars()
        # Money is shown with its sign and groups, which the number has not.
        signs = 4 if column.dtype.is_numeric() else 2
        longest = int(lengths.quantile(0.98, "higher") or 0) + signs
        return max(NARROWEST, min(WIDEST, max(longest, len(title) // 2 + 5, *map(len, title.split()), 0)))
