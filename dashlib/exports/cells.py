"""What a cell of an export says: its text in; a day, an amount or a number out, or the code of what is wrong with it.

An amount that can be read in two ways is never guessed, and nothing is rounded.
"""

from collections.abc import Callable

import polars as pl

from dashlib.records import COLUMNS, MONEY

BLANKS = " \t\u00a0\u2009\u202f"  # also those that group thousands in French
ABSENT = ["", "-", "n/d", "n/a", "s/o"]

NUMBER = rf"[+-]?(?:[0-9]{{1,3}}(?:[{BLANKS}][0-9]{{3}})+|[0-9]+)"
AMOUNT = rf"^{NUMBER}(?:[.,][0-9]{{1,2}})?$"
FINER_AMOUNT = rf"^{NUMBER}[.,][0-9]{{3,}}$"
UNITS = rf"^{NUMBER}(?:[.,][0-9]+)?$"
NOT_FINITE = r"(?i)^[+-]?(?:nan|inf|infinity|∞|[0-9]+(?:[.,][0-9]+)?e[+-]?[0-9]+)$"
DAY = r"^[0-9]{4}(?:-[0-9]{2}-|/[0-9]{2}/)[0-9]{2}$"
EXCEL_DAY = r"^[0-9]{5}(?:[.,][0-9]+)?$"  # days since 1900: 45870 is a day of 2025
SCIENTIFIC = r"^\s*[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]+\s*$"

# Digits of other scripts look like ours and equal none; characters without a shape hide in a number that looks right.
FOREIGN_DIGIT = r"[\p{Nd}&&[^0-9]]"
INVISIBLE = r"([\p{Cc}\p{Cf}\p{Zl}\p{Zp}\x{115F}\x{1160}\x{3164}\x{FFA0}&&[^\t\n\r]])"

FAULTS = {"index": pl.UInt32, "code": pl.String, "column": pl.String, "fact": pl.String}

type Reader = Callable[[pl.Expr], tuple[pl.Expr, pl.Expr]]
"""From the text of a cell to its value and the code of its fault; both are null where nothing is said."""


def read_cells(cells: pl.DataFrame, odd: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What the cells say, and what is wrong with them.

    Args:
        cells: (lines, columns of records), all str, empty ones null.
        odd: bool, the lines that hold characters which ordinary exports do not have.

    Returns:
        (lines, columns of records), typed, null where absent or at fault; and (faults, FAULTS), by column: `index` is
        the line from 0, `fact` the code point of an invisible character.
    """
    values, faults = [], [pl.DataFrame(schema=FAULTS)]
    suspects = cells.with_row_index("index").filter(odd)
    for column in COLUMNS:
        strange = _find_strange_characters(suspects.select("index", text=column.name), column.name)
        value, unread = _read(cells[column.name])
        values.append(value.alias(column.name))
        faults += [strange, unread.join(strange, on="index", how="anti", maintain_order="left")]
    return pl.DataFrame(values), pl.concat(faults)


def _find_strange_characters(suspects: pl.DataFrame, column: str) -> pl.DataFrame:
    invisible = pl.col("text").str.extract(INVISIBLE)
    digit = pl.col("text").str.contains(FOREIGN_DIGIT)
    found = suspects.select(
        "index",
        code=pl.when(invisible.is_not_null()).then(pl.lit("DL-CHAR-002")).when(digit).then(pl.lit("DL-CHAR-001")),
        column=pl.lit(column),
        fact=invisible,
    ).drop_nulls("code")
    points = {character: f"U+{ord(character):04X}" for character in found["fact"].drop_nulls().unique()}
    return found.with_columns(pl.col("fact").replace(points))


def _read(cells: pl.Series) -> tuple[pl.Series, pl.DataFrame]:
    if cells.name in READERS:
        return _read_distinct(cells, READERS[cells.name])
    if cells.name in IDENTIFIERS:
        return cells, _faults(cells.name, cells.str.contains(SCIENTIFIC).arg_true(), "DL-ID-001")
    return cells, pl.DataFrame(schema=FAULTS)


def _read_distinct(cells: pl.Series, reader: Reader) -> tuple[pl.Series, pl.DataFrame]:
    """Reads each distinct text once: a million lines have some hundred days and some thousand amounts."""
    number = cells.cast(pl.Categorical(pl.Categories.random())).to_physical()
    first = number.arg_unique()
    distinct = pl.DataFrame({"text": cells.gather(first), "number": number.gather(first)}).drop_nulls().sort("number")
    value, code = reader(pl.col("text"))
    meanings = distinct.select(value=value, code=code)
    if meanings["code"].null_count() == meanings.height:
        return meanings["value"].gather(number), pl.DataFrame(schema=FAULTS)
    codes = meanings["code"].gather(number)
    at = codes.is_not_null().arg_true()
    return meanings["value"].gather(number), _faults(cells.name, at, codes.gather(at))


def _faults(column: str, index: pl.Series, code: pl.Series | str) -> pl.DataFrame:
    return pl.select(index=index, code=code if isinstance(code, pl.Series) else pl.lit(code)).select(
        "index", pl.col("code").cast(pl.String), column=pl.lit(column), fact=pl.lit(None, pl.String)
    )


def _day(text: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    trimmed = text.str.strip_chars(BLANKS)
    is_day = trimmed.str.contains(DAY)
    day = pl.when(is_day).then(trimmed.str.replace_all("/", "-", literal=True)).str.to_date("%Y-%m-%d", strict=False)
    # PostgreSQL and the calendar know no year 0.
    day = pl.when(day.dt.year() > 0).then(day)
    code = (
        pl.when((trimmed == "") | day.is_not_null())
        .then(None)
        .when(is_day)
        .then(pl.lit("DL-DATE-002"))
        .when(trimmed.str.contains(EXCEL_DAY))
        .then(pl.lit("DL-DATE-003"))
        .otherwise(pl.lit("DL-DATE-001"))
    )
    return day, code


def _amount(text: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    written = (
        text.str.replace("−", "-", literal=True).str.strip_chars(BLANKS).str.strip_suffix("$").str.strip_chars(BLANKS)
    )
    is_amount = written.str.contains(AMOUNT)
    amount = pl.when(is_amount).then(_plain(written)).cast(MONEY, strict=False)
    separators = written.str.count_matches(r"[.,]")
    code = (
        pl.when(written.str.to_lowercase().is_in(ABSENT) | amount.is_not_null())
        .then(None)
        .when(is_amount | written.str.contains(NOT_FINITE))
        .then(pl.lit("DL-NUM-002"))
        .when(written.str.contains(FINER_AMOUNT))
        .then(pl.lit("DL-NUM-003"))
        .when((separators > 1) & written.str.contains(rf"^[-+0-9.,{BLANKS}]+$"))
        .then(pl.lit("DL-NUM-001"))
        .otherwise(pl.lit("DL-NUM-004"))
    )
    return amount, code


def _units(text: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    written = text.str.strip_chars(BLANKS)
    units = pl.when(written.str.contains(UNITS)).then(_plain(written)).cast(pl.Float64, strict=False)
    return pl.when(units.is_finite()).then(units), pl.lit(None, pl.String)


def _plain(number: pl.Expr) -> pl.Expr:
    return number.str.replace_all(rf"[{BLANKS}+]", "").str.replace(",", ".", literal=True)


def _code(text: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    return pl.when(text.str.strip_chars() != "").then(text), pl.lit(None, pl.String)


READERS: dict[str, Reader] = {
    "date_de_service": _day,
    "code": _code,
    "unites": _units,
    "montant_preliminaire": _amount,
    "montant_paye": _amount,
}
IDENTIFIERS = ("facture", "id_ramq")
