"""The rows of an export's table: which lines are claims, which only add up others, and which do not hold together.

A row is a line, or the lines that one quoted field spans. Rows are numbered from 1; blank lines and repeated headers
have no number.
"""

import polars as pl

from dashlib.errors import Fault
from dashlib.exports.faults import HEADERS, refusal, refuse
from dashlib.exports.findings import as_faults, find_torn
from dashlib.exports.headers import Header
from dashlib.exports.lines import TWICE_ENCODED, Text, blank_out, find_lines, find_troubles, survey

# What refuses the file wherever it stands: text encoded twice, characters lost before, bytes that no text has.
RUINED = {"DL-ENC-002": TWICE_ENCODED, "DL-ENC-003": "\ufffd", "DL-BIN-001": "\\x00"}
# Without a header there is nothing to hold the lines against.
NO_HEADER = ("DL-HDR-001", "DL-HDR-004", "DL-QUOTE-001")
TOTAL = r"(?i)^\s*(?:grand[\s-]+)?tota(?:l|ux)"


def read_rows(text: Text, header: Header, faults: list[Fault]) -> pl.DataFrame:
    """Reads the table as text and judges the shape of each row.

    Args:
        faults: those of the header, which are told together with those of the lines.

    Returns:
        (rows, columns of the records as str, and more), in order: line_number i64, last_line i64; row_number i64, null
        for blank lines and repeated headers; repeated bool; odd bool; mark u64; fields u32; is_total, is_short, is_long
        bool; fault str, the code that rejects the row, null for totals and claims; position i64, the field at fault.

    Raises:
        ExportRefused: the text as a whole.
    """
    surveyed = survey(text)
    if surveyed["odd"].any():
        refuse(_find_ruins(text, header))
    refuse(fault for fault in faults if fault.code in NO_HEADER)
    body = surveyed.filter(pl.col("line_number") > text.header_line)
    rows = _number(body, find_troubles(text, body, len(header.names)))
    refuse([*faults, *_find_unclosed(rows), *_find_emptiness(rows), *as_faults(_find_broken(rows, header), header)])
    return _judge(rows.hstack(_parse(text, header, rows)), text, header)


def _find_ruins(text: Text, header: Header) -> list[Fault]:
    ruins = {code: at for code, at in find_lines(text, RUINED).items() if len(at)}
    return [refusal(code, at, column=_column_of(text, header, at, RUINED[code])) for code, at in ruins.items()]


def _column_of(text: Text, header: Header, at: pl.Series, pattern: str) -> str:
    """The column in which `pattern` first stands below the header: its name, or its number where it is none of ours."""
    below = at.filter(at > text.header_line)
    cells = pl.Series([field.text for field in text.grammar.fields(text.line((below if len(below) else at)[0]))])
    position = cells.str.contains(pattern).arg_true()[0]
    return HEADERS.get(header.column_at(position) or "", str(position + 1))


def _number(lines: pl.DataFrame, troubles: pl.DataFrame) -> pl.DataFrame:
    rows = lines.join(troubles, on="line_number", how="left", maintain_order="left", suffix="_found").with_columns(
        last_line=pl.coalesce("last_line", "line_number"), fields=pl.coalesce("fields_found", "fields")
    )
    joined = pl.col("last_line") > pl.col("line_number")
    swallowed = (pl.col("last_line").cum_max().shift(1) >= pl.col("line_number")).fill_null(False)
    blank = pl.col("blank") & pl.col("fault").is_null() & ~joined
    return (
        rows.with_columns(is_row=~swallowed & ~blank & ~pl.col("repeated"), odd=pl.col("odd") | joined)
        .filter(~swallowed)
        .with_columns(row_number=pl.when("is_row").then(pl.col("is_row").cum_sum().cast(pl.Int64)))
        .drop("is_row", "blank", "fields_found", "quotes", "size")
    )


def _find_unclosed(rows: pl.DataFrame) -> list[Fault]:
    unclosed = rows.filter(pl.col("fault") == "DL-QUOTE-001")["line_number"]
    return [refusal("DL-QUOTE-001", unclosed)] if len(unclosed) else []


def _find_broken(rows: pl.DataFrame, header: Header) -> pl.DataFrame:
    return find_torn(rows.filter(pl.col("fault") != "DL-QUOTE-001"), header)


def _find_emptiness(rows: pl.DataFrame) -> list[Fault]:
    return [refusal("DL-EMPTY-002")] if rows["row_number"].is_null().all() else []


def _parse(text: Text, header: Header, rows: pl.DataFrame) -> pl.DataFrame:
    """The cells of our columns, and the first of each row, as text; empty ones are null."""
    cells = _parse_columns(text, rows, sorted({0, *header.positions.values()}))
    if cells.height != rows.height:
        raise RuntimeError(f"the parser found {cells.height} rows where the gate had counted {rows.height}")
    own = {name: pl.col(str(header.positions[name])) for name in HEADERS if name in header.positions}
    lacking = dict.fromkeys(HEADERS.keys() - own, pl.lit(None, pl.String))
    return cells.select(pl.col("0").alias("first"), **own, **lacking)


def _parse_columns(text: Text, rows: pl.DataFrame, positions: list[int]) -> pl.DataFrame:
    data = blank_out(text, rows.filter(pl.col("fault").is_not_null())["line_number"].to_list())
    quoted = b'"' in data
    try:
        cells = pl.read_csv(
            data,
            separator=text.grammar.delimiter,
            quote_char='"' if quoted else None,
            skip_lines=text.header_line - 1,
            infer_schema=False,
            truncate_ragged_lines=True,
            columns=positions,
        )
    except pl.exceptions.PolarsError:
        # Its message could quote a cell.
        raise RuntimeError("the parser refused a text that had passed the gate") from None
    cells.columns = [str(position) for position in positions]
    return cells.with_columns(pl.when(pl.all() != "").then(pl.all())) if quoted else cells


def _judge(rows: pl.DataFrame, text: Text, header: Header) -> pl.DataFrame:
    """Which rows are totals, and which have too few or too many fields to be read.

    A missing last field that we do not hold is nothing; a short row is read as far as it goes if date and code are
    there, and a long one without its surplus. But where commas separate, a surplus field is an amount cut in two.
    """
    columns = len(header.names)
    fields, last_line = pl.col("fields"), rows["last_line"].max()
    judged = rows.with_columns(
        is_short=fields < columns - (not header.holds(columns - 1)),
        is_long=fields > columns,
    ).with_columns(is_total=_is_total())
    is_shorter = pl.col("is_short") | (fields < fields.mode().min())
    cut_off = is_shorter & (pl.col("last_line") == last_line) & text.is_cut_off
    unusable = pl.col("is_short") & (_absent("date_de_service") | _absent("code"))
    if text.grammar.delimiter == ",":
        unusable |= pl.col("is_long") | _is_shifted()
    counted = pl.col("row_number").is_not_null() & ~pl.col("is_total")
    fault = (
        pl.when(~counted)
        .then(None)
        .when(cut_off)
        .then(pl.lit("DL-TRUNC-001"))
        .when(unusable)
        .then(pl.lit("DL-ROW-001"))
    )
    return judged.with_columns(fault=pl.coalesce("fault", fault))


def _is_total() -> pl.Expr:
    """A row without invoice and code, or one that says so in its first cell and has no code."""
    says_so = pl.col("first").str.contains(TOTAL).fill_null(False)
    is_whole_row = pl.col("row_number").is_not_null() & pl.col("fault").is_null()
    return (
        is_whole_row
        & _absent("code")
        & (says_so | (_absent("facture") & (~pl.col("is_short") | pl.col("first").is_null())))
    )


def _is_shifted() -> pl.Expr:
    """Where the last field is left out, a row that seems to have it is one cut in two when its doctor is a number."""
    return (pl.col("fields") > pl.col("fields").mode().min()) & ~pl.col("doctor").str.contains(r"\p{L}").fill_null(True)


def _absent(column: str) -> pl.Expr:
    return pl.col(column).is_null() | pl.col(column).str.contains(r"^\s*$")
