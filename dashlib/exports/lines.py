"""The lines of an export: where its fields are, and which lines are torn or glued.

A parser that is handed an open quote or a missing field reads on without a word. So the structure is judged first, over
all lines at once; only lines whose quotes do not fit are read one by one.
"""

import re
from collections.abc import Buffer, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import TYPE_CHECKING

import polars as pl

from dashlib.exports.gate import BLOCK

if TYPE_CHECKING:
    import numpy as np

MAX_FIELD = 64 * 1024  # characters of a field; real ones have some hundred
MAX_COLUMNS = 200

# The letters and signs of ordinary exports; a line with any other character is looked at more closely.
ORDINARY = r"\t -~\u00a0-\u00ac\u00ae-\u024f‘’“”–—…•€™\u202f\u2009"
# é put into UTF-8 twice is Ã and a sign that Windows-1252 has between 80 and BF; ï¿½ is a character lost before that.
TWICE_ENCODED = r"Ã[\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|ï¿½"

ODD = rf"[^{ORDINARY}]|{TWICE_ENCODED}"

LINE = pl.col("line")


@dataclass(frozen=True, repr=False)
class Field:
    """A field as it stands in its line, with its quotes; `fits` is false when a quote stands where none may."""

    text: str
    start: int
    fits: bool


@dataclass(frozen=True)
class Grammar:
    """How fields are told apart: by a delimiter, which quotes take away its meaning."""

    delimiter: str

    def fields(self, line: str) -> Iterator[Field]:
        # With a delimiter before the first as well, each field is a delimiter and what follows it.
        for found in self._field.finditer(self.delimiter + line):
            yield Field(found[0][1:], found.start(), found.lastgroup != "misfit")

    def opens(self, line: str) -> bool:
        """Whether a field of this line begins with a quote that is not closed in it."""
        misfits = (field for field in self.fields(line) if not field.fits and field.text.startswith('"'))
        return any(self._stays_open(line, field.start) for field in misfits)

    def _stays_open(self, line: str, start: int) -> bool:
        end = next((mark for mark in self._mark.finditer(line, start + 1) if mark.lastgroup), None)
        return end is None or end.lastgroup == "next"

    @cached_property
    def _field(self) -> re.Pattern[str]:
        d = self.delimiter
        quoted, plain = rf'"[^"]*+(?:""[^"]*+)*+"(?={d}|\Z)', rf'[^"{d}\n]*+(?={d}|\Z)'
        return re.compile(rf'{d}(?:{quoted}|{plain}|(?P<misfit>"[^"]*+(?:"[^{d}]*+)?|[^{d}]*+))')

    @cached_property
    def _mark(self) -> re.Pattern[str]:
        """Inside quotes: a doubled one, one that opens the next field (so this is open), the end, or a stray one."""
        d = self.delimiter
        return re.compile(rf'""|(?P<next>(?<={d})"(?!{d}|\Z))|(?P<end>"(?={d}|\Z))|"')


@dataclass(frozen=True, repr=False)
class Text:
    """The text of an export in UTF-8, its header, and its physical lines by number from 1."""

    data: bytes
    header: str
    header_line: int
    grammar: Grammar

    @property
    def names(self) -> list[str]:
        """What the header calls its columns, as written."""
        return [field.text.strip().strip('"').replace('""', '"') for field in self.grammar.fields(self.header)]

    @property
    def is_cut_off(self) -> bool:
        """Whether the last line has no end."""
        return not self.data.endswith(b"\n")

    @property
    def last_line(self) -> int:
        return len(self._ends) - 1

    def line(self, first: int, last: int | None = None) -> str:
        """The text of one line, or of the lines `first` to `last`."""
        start, end = self.span(first, last or first)
        return self.data[start:end].decode().removesuffix("\r")

    def span(self, first: int, last: int) -> tuple[int, int]:
        """The offsets between which these lines lie, without the last line's end."""
        return int(self._ends[first - 1]) + 1, int(self._ends[last])

    @cached_property
    def _ends(self) -> "np.ndarray[tuple[int], np.dtype[np.intp]]":
        # 8 MiB that pages, which read no files, do without.
        import numpy as np

        octets = np.frombuffer(self.data, np.uint8)
        ends = [np.flatnonzero(octets[at : at + BLOCK] == ord("\n")) + at for at in range(0, len(octets), BLOCK)]
        return np.concatenate(
            [np.array([-1]), *ends, np.array([len(octets)] if self.is_cut_off else [], dtype=np.intp)]
        )


def find_header(data: bytes) -> Text:
    """The text with its first line that is not blank, and the delimiter which that line has most of outside quotes."""
    first = re.search(rb"\S", data)
    start = data.rfind(b"\n", 0, first.start()) + 1 if first else 0
    end = data.find(b"\n", start)
    header = data[start : end if end >= 0 else len(data)].decode().removesuffix("\r")
    unquoted = re.sub(r'"[^"]*"', "", header)
    return Text(data, header, data.count(b"\n", 0, start) + 1, Grammar(max(";,\t", key=unquoted.count)))


def survey(text: Text) -> pl.DataFrame:
    """What can be said of each physical line without reading its fields.

    Returns:
        (lines from the header on, 8), in order: line_number i64; fields u32, by delimiters outside quotes; size u32,
        bytes; quotes u32, null where there are none or they fit; blank bool, nothing but delimiters; repeated bool, the
        header's own words; odd bool, with characters that exports do not have; mark u64, equal for equal lines.
    """
    delimiter = text.grammar.delimiter
    lines = _scan(
        text,
        fields=LINE.str.count_matches(delimiter, literal=True) + 1,
        size=LINE.str.len_bytes(),
        blank=LINE.str.contains(rf'^[{delimiter}\s"]*$'),
        repeated=LINE.str.strip_prefix("\ufeff") == text.header,
        odd=LINE.str.contains(ODD),
        mark=LINE.hash(),
    )
    return _with_quotes(text, lines) if b'"' in text.data else lines.with_columns(quotes=pl.lit(None, pl.UInt32))


def _scan(text: Text, *keep: pl.Expr, **facts: pl.Expr) -> pl.DataFrame:
    lines = pl.scan_lines(text.data, row_index_name="line_number", row_index_offset=1).with_columns(
        pl.col("line_number").cast(pl.Int64)
    )
    # Line by line, the streaming engine keeps the order, uses all cores and never holds the text a second time.
    wanted = lines.filter(pl.col("line_number") >= text.header_line, *keep)
    return wanted.select("line_number", **facts).collect(engine="streaming")


def _with_quotes(text: Text, lines: pl.DataFrame) -> pl.DataFrame:
    """Counts the fields of lines with quotes anew, and finds the lines whose quotes do not fit."""
    d = text.grammar.delimiter
    # With a NUL for all that stands in quotes, quotes fit when none is left and each NUL is beside delimiters or NULs.
    bones = LINE.str.replace_all(r'"[^"]*"', "\0")
    quoted = _scan(
        text,
        LINE.str.contains('"', literal=True),
        fields_outside=bones.str.count_matches(d, literal=True) + 1,
        quotes=pl.when(bones.str.contains(rf'"|[^{d}\x00]\x00|\x00[^{d}\x00]')).then(
            LINE.str.count_matches('"', literal=True)
        ),
    )
    joined = lines.join(quoted, on="line_number", how="left", maintain_order="left")
    return joined.with_columns(fields=pl.coalesce("fields_outside", "fields")).drop("fields_outside")


def find_lines(text: Text, patterns: dict[str, str]) -> dict[str, pl.Series]:
    """The numbers of the odd lines that hold each of these patterns."""
    lines = _scan(text, LINE.str.contains(ODD), **{name: LINE.str.contains(p) for name, p in patterns.items()})
    return {name: lines.filter(name)["line_number"] for name in patterns}


TROUBLES = {
    "line_number": pl.Int64,
    "last_line": pl.Int64,
    "fields": pl.UInt32,
    "fault": pl.String,
    "position": pl.Int64,
}


def find_troubles(text: Text, lines: pl.DataFrame, columns: int) -> pl.DataFrame:
    """Reads the troubled lines one by one.

    A line in which a quote opens is joined to the next one that has an odd number of quotes: what lies between them has
    its quotes in pairs. That is one field with line breaks in it, unless it would swallow a whole line or too much.

    Args:
        lines: (lines, columns of `survey`), without the header.
        columns: how many the header has.

    Returns:
        (troubled lines, TROUBLES), in order. `last_line` is where the joined line ends; `fault` a code, null when
        the line can be read after all; `position` the field with the fault, from 0.
    """
    troubled = lines.filter(pl.col("quotes").is_not_null() | (pl.col("size") > MAX_FIELD))
    odd = troubled.filter(pl.col("quotes") % 2 == 1)["line_number"].to_list()
    partners = {line: following for line, following in zip_longest(odd, odd[1:]) if line}
    found, done = [], 0
    for line in troubled["line_number"]:
        if line > done:
            found.append(_look_at(text, line, partners.get(line), line in partners, columns))
            done = found[-1][1]
    return pl.DataFrame(found, schema=TROUBLES, orient="row")


def _look_at(
    text: Text, line: int, partner: int | None, is_odd: bool, columns: int
) -> tuple[int, int, int, str | None, int | None]:
    words = text.line(line)
    if not (is_odd and text.grammar.opens(words)):
        return (line, line, *_judge(list(text.grammar.fields(words)), columns))
    fields = _join(text, line, partner, columns) if partner else None
    if fields:
        return line, partner or line, fields, None, None
    is_last = line == text.last_line and text.is_cut_off
    return line, line, sum(1 for _ in text.grammar.fields(words)), "DL-TRUNC-001" if is_last else "DL-QUOTE-001", None


def _judge(fields: list[Field], columns: int) -> tuple[int, str | None, int | None]:
    """How many fields a line has, what is wrong with it, and in which of them."""
    misfit = next((number for number, field in enumerate(fields) if not field.fits), None)
    too_long = next((number for number, field in enumerate(fields) if len(field.text) > MAX_FIELD), None)
    if misfit is not None:
        return len(fields), *(
            ("DL-QUOTE-002", misfit) if len(fields) in (columns - 1, columns) else ("DL-ROW-001", None)
        )
    return len(fields), None if too_long is None else "DL-SIZE-002", too_long


def _join(text: Text, first: int, last: int, columns: int) -> int | None:
    """How many fields the lines have when they are one, or None when they are not."""
    start, end = text.span(first, last)
    if end - start > MAX_COLUMNS * MAX_FIELD:
        return None
    words = text.line(first, last)
    fields = list(text.grammar.fields(words))
    fits = all(field.fits and len(field.text) <= MAX_FIELD for field in fields)
    # Two lines glued by two lone quotes hold the delimiters of both.
    swallows = words.count(text.grammar.delimiter) >= 2 * (columns - 1)
    return len(fields) if fits and not swallows else None


def blank_out(text: Text, lines: list[int]) -> bytes:
    """The text with blanks in place of these lines, so that a parser reads the others, and as many lines as before."""
    view, at = memoryview(text.data), 0
    parts: list[Buffer] = []
    for line in lines:
        start, end = text.span(line, line)
        parts += [view[at:start], b" " * (end - start)]
        at = end
    return b"".join([*parts, view[at:]]) if lines else text.data
