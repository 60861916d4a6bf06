"""The columns of a billing record, and what each means once it is read.

One name per column from the export to the chart: the database's, in French. `prepare` gives the rules what they judge:
identities to group by, places, contexts, minutes, money in cents. Nothing here knows a file, a database or a rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

MONEY = pl.Decimal(10, 2)


@dataclass(frozen=True)
class Column:
    """A column of the export: `name` in frames and tables, `header` as exported, `unit` in words.

    `phi` marks what identifies a person; `essential` what no export may lack.
    """

    name: str
    header: str
    dtype: pl.DataType | type[pl.DataType]
    unit: str = ""
    phi: bool = False
    essential: bool = False


# Source: the export's 23 columns, as exporters label them. The report totals, the agency and the grand total are not
# columns of ours: they cover more than the file holds and are never parsed.
COLUMNS = (
    Column("facture", "Facture", pl.String, "invoice number of the billing software, 9 digits", essential=True),
    Column("id_ramq", "ID RAMQ", pl.String, "RAMQ's invoice number, 11 digits"),
    Column("date_de_service", "Date de Service", pl.Date, "day, YYYY-MM-DD", essential=True),
    Column("debut", "Début", pl.String, "start, HH:MM as exported"),
    Column("fin", "Fin", pl.String, "end, HH:MM as exported"),
    Column("periode", "Periode", pl.String, "payment period, YYYYNN"),
    Column("lieu_de_pratique", "Lieu de pratique", pl.String, "establishment number, 5 digits", essential=True),
    Column("secteur_activite", "Secteur d'activité", pl.String),
    Column("diagnostic", "Diagnostic", pl.String, "CIM-9 without dot"),
    Column("code", "Code", pl.String, "billing code as exported", essential=True),
    Column("unites", "Unités", pl.Float64, "units, or minutes in some software; 0 means none"),
    Column("role", "Rôle", pl.String, "1, 2 or 3"),
    Column("element_de_contexte", "Élément de contexte", pl.String, "context codes as exported"),
    Column("montant_preliminaire", "Montant Preliminaire", MONEY, "CAD", essential=True),
    Column("montant_paye", "Montant payé", MONEY, "CAD", essential=True),
    Column("doctor", "Doctor Info", pl.String, "licence-group | name - speciality", phi=True, essential=True),
    Column("patient", "Patient", pl.String, "NAM - NAME", phi=True, essential=True),
)
SCHEMA = {"row_number": pl.Int64, "line_number": pl.Int64} | {c.name: c.dtype for c in COLUMNS}

FULL_NAM = r"^[A-Z]{4}\d{8}$"  # 4 letters, YYMMDD (month + 50 for women), 2 digits
MASKED_NAM = r"^[A-Z]{4}[xX*]{4}\d{4}$"  # exporters mask year and month, and keep day and the last two digits
PERIOD = r"^[0-9]{4}(?:0[1-9]|[1-4][0-9]|5[0-3])$"  # a year and a week
NO_SECTOR = "aucun secteur"
NO_TIME = 2047  # sorts after every minute of a day


def prepare(records: pl.DataFrame) -> pl.DataFrame:
    """Everything that a rule may ask of a line, beside what was exported.

    Args:
        records: (lines, columns of SCHEMA), as exported.

    Returns:
        (lines, more), in the same order. Blank text is null. Replaced: `code` zero-padded to 5; `doctor` the licence
        number, else the trimmed text; `patient` the full NAM, else the trimmed whole text (masked NAMs of two people
        can be equal). Added:
        `code_no` u32, the code as a number, null where it is no code of five digits;
        `nam` str, what stands before the name, as exported, "" where there is only a name; `doctor_name`,
        `patient_name`; `lieu` str, the place padded to 5 where it is all digits; `place` str, cabinet or etablissement;
        `contexts` str, normalised tokens as |G160|AR|, null where there is none;
        `debut_min`, `fin_min` i64, minutes after midnight, null where absent or unreadable (24:00 only as an end);
        `age_months` i64, completed at the service, null where the NAM is masked, malformed or impossible (its years
        are // 12); `born_month`, `born_day` i64, what `age_days` asks beside it, null where the NAM is not well formed;
        `is_masked` bool, a NAM without year and month; `is_licence` bool, a doctor known by number; `period_no` i32,
        the period's year * 100 + week, null where it is none; `prel_cents`, `paid_cents` i64;
        `is_paid` bool, a positive paid amount;
        `doctor_key`, `patient_key`, `lieu_key`, `day_key` i64, dense numbers to group by;
        `month_no` i64, full months from the year 0 to the service (a third is its quarter, a twelfth its year);
        `doctor_day`, `patient_day`, `patient_doctor`, `patient_doctor_day` i64, the same for groups, null where a part
        is null (such lines belong to no group); `time_no`, `order_no` i64, unique, in order of date, start (null last)
        and line, the second with paid lines first: the order of every "keep the first";
        `reversed` bool, a reversal or the line that it cancels.

    Source:
        Export format; Loi sur l'assurance maladie (NAM); clarifications of the rule types, "Shared".
    """
    read = [meant for column, meanings in _MEANINGS.items() for meant in _read(records[column], meanings)]
    lines = (
        records.with_columns(
            *read, *(pl.col(name).str.strip_chars().replace("", None) for name in ("facture", "id_ramq"))
        )
        .with_columns(
            day_key=pl.col("date_de_service").rank("dense").cast(pl.Int64) - 1,
            month_no=_month_no(),
            age_months=_age_months(),
            prel_cents=(pl.col("montant_preliminaire") * 100).cast(pl.Int64),
            paid_cents=(pl.col("montant_paye") * 100).cast(pl.Int64),
        )
        .with_columns(
            is_paid=(pl.col("paid_cents") > 0).fill_null(False),
            doctor_day=_group("doctor", "day"),
            patient_day=_group("patient", "day"),
            patient_doctor=_group("patient", "doctor"),
            patient_doctor_day=_group("patient", "doctor", "day"),
            time_no=_time_no(),
        )
        .with_columns(order_no=pl.col("time_no") + pl.when("is_paid").then(0).otherwise(2**62))
    )
    return _mark_reversals(lines)


def _read(column: pl.Series, steps: Sequence[dict[str, pl.Expr]]) -> pl.DataFrame:
    """What `steps` make of a column's text, one after the other, worked out once for each distinct value."""
    number = _numbers(column)
    first = number.arg_unique()
    distinct = pl.DataFrame([column.gather(first), number.gather(first).alias("number")]).drop_nulls().sort("number")
    values = distinct.select(pl.col(column.name).str.strip_chars().replace("", None))
    for step in steps:
        values = values.with_columns(**step)
    keys = [_numbers(values[name]).cast(pl.Int64).alias(key) for key, name in _KEYS.items() if name in values.columns]
    return values.with_columns(keys).select(pl.exclude("parts", "is_full", "licence").gather(number))


def _numbers(text: pl.Series) -> pl.Series:
    """A small number for each distinct text, by hashing: ranking would sort them all."""
    return text.cast(pl.Categorical(pl.Categories.random())).to_physical()


def _minutes(column: str, *, last: int) -> pl.Expr:
    parts = pl.col(column).str.extract_groups(r"^(\d{1,2}):([0-5]\d)$")
    minutes = parts.struct[0].cast(pl.Int64) * 60 + parts.struct[1].cast(pl.Int64)
    return pl.when(minutes <= last).then(minutes)


def _contexts() -> pl.Expr:
    """Tokens are split at , ; | and before a # that follows a blank, stripped of # and put in upper case."""
    tokens = (
        pl.col("element_de_contexte")
        .str.to_uppercase()
        .str.replace_all(r"\s#|[,;|]", "|")
        .str.replace_all(r"\s*\|[\s#|]*", "|")
        .str.replace_all(r"^[\s#|]+|[\s|]+$", "")
    )
    return pl.when(tokens != "").then(pl.format("|{}|", tokens))


def _birth() -> dict[str, pl.Expr]:
    """Month and day of birth that a full NAM tells, as if in this century: months since the year 0, and a day."""
    digits = pl.when("is_full").then(pl.col("nam").str.slice(4, 6)).cast(pl.Int64, strict=False)
    month, day = digits // 100 % 100 % 50, digits % 100  # women's months are written + 50
    longest = pl.when(month.is_in([4, 6, 9, 11])).then(30).otherwise(31)
    longest = pl.when(month != 2).then(longest).when(digits // 10_000 % 4 == 0).then(29).otherwise(28)
    exists = month.is_between(1, 12) & day.is_between(1, longest)
    return {"born_month": pl.when(exists).then((2000 + digits // 10_000) * 12 + month), "born_day": day}


def _age_months() -> pl.Expr:
    """The NAM has no century: the younger of two possible ages, never before birth, never above 110 years."""
    young = _months_if_young()
    # Of the years divisible by four only 1900 had no 29 February.
    old = pl.when((pl.col("born_month") != 2000 * 12 + 2) | (pl.col("born_day") != 29)).then(young + 1200)
    return pl.coalesce(pl.when(age.is_between(0, 111 * 12 - 1)).then(age) for age in (young, old))


def _month_no() -> pl.Expr:
    return pl.col("date_de_service").dt.year().cast(pl.Int64) * 12 + pl.col("date_de_service").dt.month() - 1


def _months_if_young() -> pl.Expr:
    """Completed months at the service of someone born in this century."""
    months = _month_no() + 1 - pl.col("born_month")
    return months - (pl.col("date_de_service").dt.day() < pl.col("born_day"))


def age_days() -> pl.Expr:
    """Days since birth, of a prepared line at its service; null where `age_months` is."""
    years_back = pl.when(pl.col("age_months") == _months_if_young()).then(0).otherwise(100)
    month = pl.col("born_month") - 1
    # Counted from the first of the month: a day that a year lacks is no error.
    born = pl.date(month // 12 - years_back, month % 12 + 1, 1) + pl.duration(days=pl.col("born_day") - 1)
    days = (pl.col("date_de_service") - born).dt.total_days()
    return pl.when(pl.col("age_months").is_not_null()).then(days)


# The first "-" between blanks parts the NAM from the name, since names hold hyphens; "- NAME" has an empty NAM.
_PARTS = pl.when(pl.col("patient").str.starts_with("- ")).then(pl.lit(" ") + pl.col("patient")).otherwise("patient")
_PLACE = pl.when(pl.col("lieu").str.starts_with("5")).then(pl.lit("cabinet")).otherwise(pl.lit("etablissement"))

_SECTOR = pl.col("secteur_activite")

_MEANINGS: dict[str, Sequence[dict[str, pl.Expr]]] = {
    "debut": [{"debut_min": _minutes("debut", last=1439)}],
    "fin": [{"fin_min": _minutes("fin", last=1440)}],
    "periode": [{"period_no": pl.when(pl.col("periode").str.contains(PERIOD)).then("periode").cast(pl.Int32)}],
    "lieu_de_pratique": [
        {
            "lieu": pl.when(pl.col("lieu_de_pratique").str.contains(r"^\d+$"))
            .then(pl.col("lieu_de_pratique").str.zfill(5))
            .otherwise("lieu_de_pratique")
        },
        {"place": pl.when(pl.col("lieu").is_not_null()).then(_PLACE)},
    ],
    "secteur_activite": [{"secteur_activite": pl.when(_SECTOR.str.to_lowercase() != NO_SECTOR).then(_SECTOR)}],
    "diagnostic": [],
    "code": [
        {"code": pl.col("code").str.zfill(5)},
        {"code_no": pl.when(pl.col("code").str.contains(r"^[0-9]{5}$")).then("code").cast(pl.UInt32)},
    ],
    "role": [],
    "element_de_contexte": [{"contexts": _contexts()}],
    # "1999123-10456 | Tremplin, Zoé - Omnipraticien": a doctor bills under several groups, so the licence identifies.
    "doctor": [
        {"doctor_name": pl.col("doctor").str.extract(r"\|\s*(.*?)\s*(?: - [^-]*)?$")},
        {"licence": pl.col("doctor").str.extract(r"^(\d{7})(?:-\d+)?\s*(?:\||$)")},
        {"doctor": pl.coalesce("licence", "doctor"), "is_licence": pl.col("licence").is_not_null()},
    ],
    # "TREZ85531207 - TREMPLIN, ZOÉ"
    "patient": [
        {"parts": _PARTS.str.splitn(" - ", 2)},
        {
            "nam": pl.col("parts").struct[0].str.strip_chars(),
            "patient_name": pl.col("parts").struct[1].str.strip_chars(),
        },
        {"is_full": pl.col("nam").str.contains(FULL_NAM), "is_masked": pl.col("nam").str.contains(MASKED_NAM)},
        {"patient": pl.when("is_full").then("nam").otherwise("patient"), **_birth()},
    ],
}
_KEYS = {"doctor_key": "doctor", "patient_key": "patient", "lieu_key": "lieu"}


def _group(*names: str) -> pl.Expr:
    first, *rest = names
    key = pl.col(f"{first}_key")
    for name in rest:
        key = key * (pl.col(f"{name}_key").max() + 1) + pl.col(f"{name}_key")
    return key


def _time_no() -> pl.Expr:
    day = pl.col("date_de_service").cast(pl.Int32).cast(pl.Int64) + 2**21  # days since 1970, made positive
    return (day * 2**11 + pl.col("debut_min").fill_null(NO_TIME)) * 2**28 + pl.col("row_number")


def _mark_reversals(lines: pl.DataFrame) -> pl.DataFrame:
    """Adds `reversed`: a line with a negative paid amount, or the latest earlier line of its service it takes back.

    Reversals take lines back like closing brackets: each cancels the nearest open line of the same doctor, patient,
    date, code and amount, and no line is cancelled twice.
    """
    if not (lines["paid_cents"] < 0).any():
        return lines.with_columns(reversed=False)
    service = ["patient_doctor_day", "code", "amount"]
    signed = lines.filter(pl.col("paid_cents") != 0, pl.col("patient_doctor_day").is_not_null()).select(
        "row_number", "patient_doctor_day", "code", sign=pl.col("paid_cents").sign(), amount=pl.col("paid_cents").abs()
    )
    taken_back = (
        signed.join(signed.filter(pl.col("sign") < 0).select(service).unique(), on=service, how="semi")
        .with_columns(balance=pl.col("sign").cum_sum().over(service, order_by="row_number"))
        .with_columns(lowest=pl.min_horizontal(pl.col("balance").cum_min().over(service, order_by="row_number"), 0))
        .with_columns(
            depth=pl.col("balance") - pl.col("lowest") + (pl.col("sign") < 0),
            alone=pl.col("lowest") < pl.col("lowest").shift(1, fill_value=0).over(service, order_by="row_number"),
        )
        .filter(~pl.col("alone"))
        .filter(pl.col("sign").shift(-1).over([*service, "depth"], order_by="row_number") < 0)
        .select("row_number", cancelled=True)
    )
    return (
        lines.join(taken_back, on="row_number", how="left", maintain_order="left")
        .with_columns(reversed=pl.col("cancelled").fill_null(False) | (pl.col("paid_cents") < 0).fill_null(False))
        .drop("cancelled")
    )
