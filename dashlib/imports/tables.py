"""Reference tables as CSV: our own export, lists that users make, and the forms that others publish.

A file is refused whole with all its faults, each with its column and its lines; only the scraped table of codes, whose
faults are known, is taken row by row.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

import polars as pl

from dashlib.cards import LIKE_CARD
from dashlib.errors import Fault, RuleError
from dashlib.imports.cells import LINE, renamed
from dashlib.imports.codes import CODE_ROWS, MONEY
from dashlib.imports.faults import fault, refuse

type Kind = Literal["code", "money", "date", "flag", "place", "list", "text", "context", "establishment", "applies_to"]


@dataclass(frozen=True)
class Form:
    """How a table is written: its columns, those that no row may lack, what makes two rows the same, other words."""

    columns: Mapping[str, Kind]
    needed: tuple[str, ...]
    key: tuple[str, ...]
    words: Mapping[str, str]


_CODE_KINDS: dict[str, Kind] = {
    "code": "code", "place": "place", "tariff_value": "money", "units": "money", "cap": "money",
    "valid_from": "date", "valid_to": "date", "trusted": "flag",
}  # fmt: skip
FORMS: dict[str, Form] = {
    "codes": Form(
        {name: _CODE_KINDS.get(name, "text") for name in CODE_ROWS if name != "custom_fields"},
        ("code", "description"),
        (),
        {"tarif": "tariff_value", "montant": "tariff_value", "lieu": "place", "libelle": "description"},
    ),
    "contexts": Form(
        {"context": "context", "description": "text", "aliases": "list", "kind": "text", "source": "text"},
        ("context", "description"),
        ("context",),
        {"code": "context", "label_fr": "description", "libelle": "description"},
    ),
    "establishments": Form(
        {"code": "establishment", "name": "text", "city": "text", "region": "text"},
        ("code", "name"),
        ("code",),
        {"numero": "code", "nom": "name", "ville": "city", "region_name": "region"},
    ),
    "holidays": Form(
        {"date": "date", "applies_to": "applies_to", "name": "text"},
        ("date", "name"),
        ("date", "applies_to"),
        {"nom": "name", "jour": "date", "etablissement": "applies_to"},
    ),
}
PLACES = {
    "cabinet": "Cabinet", "etablissement": "Établissement", "établissement": "Établissement", "all": "all",
    "tous": "all", "domicile": "Domicile",
}  # fmt: skip
FLAGS = {"true": True, "vrai": True, "oui": True, "false": False, "faux": False, "non": False}
BY_ITSELF = ("custom_fields",)
SENSIBLE = (date(1900, 1, 1), date(2199, 12, 31))  # a day beyond was typed wrongly, and PostgreSQL cannot read them all
CONTEXT = r"^\S{1,60}$"  # the longest known has 31 characters


def read_table(cells: pl.DataFrame, table: str) -> pl.DataFrame:
    """Rows of a table from the cells of its CSV: the columns of its form, custom_fields as JSON text, and line.

    Raises:
        ReferenceRefused: every fault, with its column and lines: DL-REF-024, columns are missing; DL-REF-025, an
            establishments list without RAMQ numbers; DL-REF-026, a needed cell is empty; DL-REF-027, a cell is not
            what its column holds; DL-REF-028, a row stands twice; DL-REF-029, tariffs contradict each other;
            DL-REF-030, several columns mean the same; DL-REF-031, a tariff ends before it begins.
    """
    form = FORMS[table]
    cells = renamed(cells, form.words)
    _require_columns(cells, table, form)
    typed = cells.select(
        *(_typed(pl.col(name), kind).alias(name) for name, kind in form.columns.items() if name in cells.columns),
        custom_fields=_custom_fields(cells, form),
        line=pl.col(LINE),
    )
    filled = typed.with_columns(_defaults(typed, table))
    refuse(
        [
            *_empty(cells, form),
            *_misread(cells, typed, form),
            *_repeated(filled, form),
            *_ended_early(filled),
            *_contradictory(filled),
        ]
    )
    return filled


def _require_columns(cells: pl.DataFrame, table: str, form: Form) -> None:
    missing = [name for name in form.needed if name not in cells.columns]
    if table == "establishments" and "code" in missing:
        raise RuleError("DL-REF-025")
    if missing:
        refuse([fault("DL-REF-024", [1], columns=", ".join(missing), table=table)])


def _typed(cell: pl.Expr, kind: Kind) -> pl.Expr:
    """What a cell says; null where it is empty or says nothing of this kind."""
    match kind:
        case "code":
            padded = cell.str.zfill(5)
            return pl.when(padded.str.contains(r"^\d{5}$")).then(padded)
        case "money":
            plain = cell.str.replace(",", ".", literal=True).str.replace_all(r"[\s$]", "")
            return pl.when(plain.str.contains(r"^\d{1,8}(\.\d{1,2})?$")).then(plain).cast(MONEY)
        case "date":
            day = cell.str.to_date("%Y-%m-%d", strict=False)
            return pl.when(day.is_between(*SENSIBLE)).then(day)
        case "flag":
            return cell.str.to_lowercase().replace_strict(FLAGS, default=None, return_dtype=pl.Boolean)
        case "place":
            return cell.str.to_lowercase().replace_strict(PLACES, default=None, return_dtype=pl.String)
        case "list":
            return cell
        case "context":
            written = cell.str.strip_chars_start("#").str.to_uppercase()
            return pl.when(written.str.contains(CONTEXT) & ~written.str.contains(LIKE_CARD)).then(written)
        case "establishment":
            return pl.when(cell.str.contains(r"^[0-9A-Za-z]{1,10}$")).then(_padded(cell))
        case "applies_to":
            named = cell.str.to_lowercase().is_in(["all", "tous"])
            return pl.when(named).then(pl.lit("all")).when(cell.str.contains(r"^\d{1,5}$")).then(_padded(cell))
        case "text":
            return cell


def _padded(number: pl.Expr) -> pl.Expr:
    return pl.when(number.str.contains(r"^\d+$")).then(number.str.zfill(5)).otherwise(number)


def _custom_fields(cells: pl.DataFrame, form: Form) -> pl.Expr:
    """Columns that the table does not have, as JSON text; true and false are booleans, so that rules can ask flags."""
    own = [name for name in cells.columns if name not in (*form.columns, *BY_ITSELF, LINE)]
    kept = [name for name in BY_ITSELF if name in cells.columns]
    told = [
        json.dumps(fields, ensure_ascii=False, sort_keys=True) if (fields := _fields(row, kept)) else None
        for row in cells.select(*own, *kept).iter_rows(named=True)
    ]
    return pl.lit(pl.Series(told or [None] * cells.height, dtype=pl.String))


def _fields(row: dict[str, str | None], kept: list[str]) -> dict[str, object]:
    fields: dict[str, object] = {}
    for name, cell in row.items():
        if name in kept and cell is not None:
            fields |= _object(cell) or {name: cell}
        elif cell is not None:
            fields[name] = FLAGS.get(cell.lower(), cell)
    return fields


def _object(cell: str) -> dict[str, object] | None:
    """The object that a text is in JSON; None where it is no object, or one that PostgreSQL cannot keep."""
    try:
        found = json.loads(cell)
        # Neither NaN nor half a character; a zero is told by what it is written as.
        kept = json.dumps(found, allow_nan=False).encode("ascii")
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and rb"\u0000" not in kept else None


def _defaults(typed: pl.DataFrame, table: str) -> list[pl.Expr]:
    """What a table needs and a file need not say."""
    given: dict[str, dict[str, object]] = {
        "codes": {"place": "all", "trusted": True} | ({} if "kind" in typed.columns else {"kind": "fee"}),
        "contexts": {"aliases": ""},
        "holidays": {"applies_to": "all"},
    }
    columns = FORMS[table].columns
    absent = [pl.lit(None, _dtype(columns[n])).alias(n) for n in columns if n not in typed.columns]
    filled = {name: pl.lit(value) for name, value in given.get(table, {}).items()}
    return [
        *(expr for expr in absent if expr.meta.output_name() not in filled),
        *(
            pl.col(name).fill_null(value) if name in typed.columns else value.alias(name)
            for name, value in filled.items()
        ),
    ]


def _dtype(kind: Kind) -> pl.DataType | type[pl.DataType]:
    return {"money": MONEY, "date": pl.Date(), "flag": pl.Boolean()}.get(kind, pl.String())


def _empty(cells: pl.DataFrame, form: Form) -> list[Fault]:
    found = {name: _lines(cells, pl.col(name).is_null()) for name in form.needed}
    return [fault("DL-REF-026", lines, column=name) for name, lines in found.items() if lines]


def _misread(cells: pl.DataFrame, typed: pl.DataFrame, form: Form) -> list[Fault]:
    both = cells.select(pl.all().name.prefix("said:")).hstack(typed)
    found = {
        name: _lines(both, pl.col(f"said:{name}").is_not_null() & pl.col(name).is_null())
        for name in form.columns
        if f"said:{name}" in both.columns
    }
    return [fault("DL-REF-027", lines, column=name) for name, lines in found.items() if lines]


def _repeated(rows: pl.DataFrame, form: Form) -> list[Fault]:
    """Rows of one key; of codes, which have none, rows that say the same in every column."""
    key = list(form.key) or [name for name in rows.columns if name != LINE]
    lines = _lines(rows, pl.struct(key).is_duplicated() & pl.all_horizontal(pl.col(form.needed[0]).is_not_null()))
    return [fault("DL-REF-028", lines, key=", ".join(form.key or ("code",)))] if lines else []


def _ended_early(rows: pl.DataFrame) -> list[Fault]:
    lines = _lines(rows, pl.col("valid_to") < pl.col("valid_from")) if "valid_to" in rows.columns else []
    return [fault("DL-REF-031", lines, column="valid_to")] if lines else []


def _contradictory(rows: pl.DataFrame) -> list[Fault]:
    """Two amounts for the same code, place, role, kind and day, both said to be certain."""
    if "tariff_value" not in rows.columns:
        return []
    sure = rows.filter("trusted", pl.col("tariff_value").is_not_null(), pl.col("kind") != "supplement")
    of = ["code", "place", "role", "kind"]
    dated = sure.with_columns(
        begins=pl.col("valid_from").fill_null(date.min), ends=pl.col("valid_to").fill_null(date.max)
    )
    # Rows of one stretch share days, each with another of it: two amounts there hold on the same day.
    before = pl.col("ends").cum_max().shift(1)
    stretches = dated.sort("begins", LINE).with_columns(starts=(pl.col("begins") > before.over(of)).fill_null(True))
    stretches = stretches.with_columns(stretch=pl.col("starts").cum_sum().over(of)).sort(LINE)
    lines = _lines(stretches, pl.col("tariff_value").n_unique().over(*of, "stretch") > 1)
    return [fault("DL-REF-029", lines)] if lines else []


def _lines(rows: pl.DataFrame, where: pl.Expr) -> list[int]:
    return rows.filter(where)[LINE].to_list()
