"""The clinic's lines as an exporter writes them, in any delimiter and encoding, and the truth beside them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl

from dashlib.demo import people
from dashlib.demo.advice import expected_advice
from dashlib.demo.cases import Needs
from dashlib.demo.clinic import SECTORS, Clinic, is_woman, make_clinic
from dashlib.demo.planted import Planted, choose_stories, lacking, lines_of, plant
from dashlib.errors import UsageError
from dashlib.rules import shipped_rules
from dashlib.texts import TORONTO

DELIMITERS = {"semicolon": ";", "comma": ",", "tab": "\t"}
ENCODINGS = ("utf-8", "utf-8-sig", "windows-1252")

MOST_ERRORS = 0.1
_CHUNK = 250_000
_PAID_AFTER_WEEKS = 3

# Source: the export's 23 columns, in the exporter's own words, untranslated ones included.
HEADER = (
    "#", "Facture", "ID RAMQ", "Date de Service", "Début", "Fin", "Periode", "Lieu de pratique", "Secteur d'activité",
    "Diagnostic", "Code", "Unités", "Rôle", "Élement de contexte", "Montant Preliminaire", "Montant payé",
    "Doctor Info",
    "DEV NOTE - À TRADUIRE: Report_DailyClaimInfo_TotalPrelAmount",
    "DEV NOTE - À TRADUIRE: Report_DailyClaimInfo_TotalFinalAmount",
    "DEV NOTE - À TRADUIRE: Report_DailyClaimInfo_TotalCount",
    "Agence", "Patient", "Grand Total",
)  # fmt: skip


@dataclass(frozen=True)
class DemoSummary:
    """What was written: lines, doctors, stories planted, results and different rules to be expected; for what day."""

    rows: int
    doctors: int
    planted: int
    expected: int
    rules: int
    run_date: date


def share(text: str) -> float:
    """The number that "3%" or "0.03" says.

    Raises:
        UsageError: DL-DEMO-001, it says none.
    """
    number = text.strip().replace(",", ".")
    try:
        return float(number.rstrip("% ")) / (100 if number.endswith("%") else 1)
    except ValueError:
        raise UsageError("DL-DEMO-001", most=round(MOST_ERRORS * 100)) from None


def write_demo(
    path: Path,
    *,
    rows: int,
    seed: int,
    errors: float,
    run_date: date | None = None,
    truth: Path | None = None,
    delimiter: str = "semicolon",
    encoding: str = "utf-8",
) -> DemoSummary:
    """Writes an invented export of `rows` lines, the same for the same arguments, with errors on a share of them.

    Judged on `run_date` by the shipped rules and the starter reference, the file gives the results of the truth file
    and no other: those that are planted, and the advice that any clinic's lines give. The truth has one line a result:
    rule, row_number, severity; by row_number and rule.

    Args:
        path: the export; 23 columns, decimal comma; 22 fields a line where a comma separates.
        errors: stories planted, most with one line in error, as a share of the lines, from 0 to 0.1.
        run_date: all services but the planted late, old and future ones lie 2 to 64 days before; today if not given.
        delimiter, encoding: one of DELIMITERS, one of ENCODINGS.

    Raises:
        UsageError: DL-DEMO-001, fewer than one line, or a share of errors out of bounds.
    """
    if rows < 1 or not 0 <= errors <= MOST_ERRORS:
        raise UsageError("DL-DEMO-001", most=round(MOST_ERRORS * 100))
    run_date = run_date or datetime.now(TORONTO).date()
    rng = np.random.default_rng(seed)
    stories, clinic = _stories_and_clinic(rng, rows, errors, run_date)
    planted = plant(rng, stories, clinic, run_date=run_date)
    lines = _in_file_order(clinic, planted)
    expected = _expected(lines, run_date)
    if truth:
        expected.write_csv(truth)
    # Under its name only when it is whole: a file cut short would be taken for the one that was asked for.
    begun = path.with_name(f"{path.name}.part")
    _write_export(begun, _cells(rng, lines, clinic, planted), DELIMITERS[delimiter], encoding)
    begun.replace(path)
    return DemoSummary(
        rows=lines.height,
        doctors=lines["doctor"].n_unique(),
        planted=len(stories),
        expected=expected.height,
        rules=expected["rule"].n_unique(),
        run_date=run_date,
    )


def _stories_and_clinic(rng: np.random.Generator, rows: int, errors: float, run_date: date) -> tuple[list[int], Clinic]:
    """Stories, and a clinic that has the days they need and bills the rest of the lines."""
    without: frozenset[Needs] = frozenset()
    while True:
        stories = choose_stories(rng, rows=rows, errors=errors, without=without)
        clinic = make_clinic(rng, rows=rows - lines_of(stories), run_date=run_date)
        missing = lacking(stories, clinic)
        if not missing:
            return stories, clinic
        without |= missing


def _in_file_order(clinic: Clinic, planted: Planted) -> pl.DataFrame:
    """By day, doctor and time; fees, which have no time, end a doctor's day."""
    own = clinic.lines.with_columns(step=pl.int_range(pl.len()))
    more = planted.lines.with_columns(
        pl.col("patient") + clinic.births.size,
        pl.col("visit") + own.select(pl.col("visit").max().fill_null(0) + 1).item(),
    )
    lines = pl.concat([own, more.with_columns(pl.col("step") + own.height)], how="diagonal")
    return lines.sort("day", "doctor", "minute", "step", nulls_last=True).with_columns(
        row_number=pl.int_range(1, pl.len() + 1)
    )


def _expected(lines: pl.DataFrame, run_date: date) -> pl.DataFrame:
    severities = {rule.name: rule.severity for rule in shipped_rules()}
    told = lines.select("row_number", "found").drop_nulls().explode("found").drop_nulls().unnest("found")
    own = pl.coalesce("severity", pl.col("rule").replace_strict(severities, return_dtype=pl.String))
    planted = told.select("rule", "row_number", severity=own)
    advice = expected_advice(lines, run_date).with_columns(severity=pl.lit("info"))
    return pl.concat([planted, advice]).sort("row_number", "rule")


def _cells(rng: np.random.Generator, lines: pl.DataFrame, clinic: Clinic, planted: Planted) -> pl.DataFrame:
    """All 23 columns as text, null where the cell is empty."""
    doctors = people.doctors(rng, clinic.doctors.height + planted.newcomers)
    doctor = lines["doctor"].to_numpy()
    weeks = _PAID_AFTER_WEEKS + pl.col("visit") % 3
    period = (pl.col("day") + pl.duration(weeks=pl.coalesce("period_weeks", weeks))).dt
    invoice = pl.col("visit").rank("dense").cast(pl.Int64)
    total, final = lines["cents"].sum(), lines["paid"].sum()
    cells = [
        pl.col("row_number").cast(pl.String),
        (130_000_000 + invoice).cast(pl.String),
        (15_770_000_000 + invoice * 3).cast(pl.String),
        pl.col("day").cast(pl.String),
        pl.coalesce("debut", _clock("minute")),
        pl.coalesce("fin", _clock("end")),
        pl.format("{}{}", period.iso_year(), period.week().cast(pl.String).str.zfill(2)),
        pl.coalesce("lieu_text", pl.col("lieu").cast(pl.String).str.zfill(5)).replace("", None),
        pl.lit(pl.Series(SECTORS).gather(lines["sector"])),
        pl.col("diagnostic"),
        pl.col("code").cast(pl.String),
        pl.col("units").cast(pl.String),
        pl.col("role").fill_null("1"),
        pl.col("context"),
        _money(pl.col("cents")),
        _money(pl.col("paid")),
        pl.when(pl.col("unread_doctor").fill_null(False))
        .then(pl.lit(doctors["unread"].gather(doctor)))
        .otherwise(pl.lit(doctors["text"].gather(doctor))),
        _money(pl.lit(total, pl.Int64)),
        _money(pl.lit(final, pl.Int64)),
        pl.lit(str(lines.height)),
        pl.lit("90210"),
        _patients(rng, lines, clinic, planted),
        pl.lit(None, pl.String),
    ]
    return lines.select(cell.alias(name) for cell, name in zip(cells, HEADER, strict=True))


def _clock(minutes: str) -> pl.Expr:
    hour, minute = pl.col(minutes) // 60 % 24, pl.col(minutes) % 60
    return pl.format("{}:{}", hour.cast(pl.String).str.zfill(2), minute.cast(pl.String).str.zfill(2))


def _money(cents: pl.Expr) -> pl.Expr:
    """Decimal comma, two decimals, no thousands separator: -49,15."""
    sign = pl.when(cents < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    return pl.format("{}{},{}", sign, cents.abs() // 100, (cents.abs() % 100).cast(pl.String).str.zfill(2))


def _patients(rng: np.random.Generator, lines: pl.DataFrame, clinic: Clinic, planted: Planted) -> pl.Expr:
    """The patient's cell of each line; only those who come are given names. Patients of stories have whole NAMs."""
    seen, line = np.unique(lines["patient"].to_numpy(), return_inverse=True)
    regular = seen[seen < clinic.births.size]
    births = np.concatenate([clinic.births, planted.births])[seen]
    women = pl.concat([pl.Series(is_woman(regular)), planted.women.gather(seen[regular.size :] - clinic.births.size)])
    text = pl.lit(people.patients(rng, births, women, whole_from=regular.size).gather(line))
    return pl.when(pl.col("spoiled_nam").fill_null(False)).then(text.str.slice(1)).otherwise(text)


def _write_export(path: Path, cells: pl.DataFrame, delimiter: str, encoding: str) -> None:
    # Where a comma separates, exporters leave out the last, empty field of every line.
    body = cells.drop("Grand Total") if delimiter == "," else cells
    with path.open("wb") as file:
        file.write(f"{delimiter.join(HEADER)}\n".encode(encoding))
        for text in _written(body, delimiter):
            file.write(text if encoding != "windows-1252" else text.decode().encode(encoding))


def _written(body: pl.DataFrame, delimiter: str) -> Iterator[bytes]:
    for chunk in body.iter_slices(_CHUNK):
        yield chunk.write_csv(separator=delimiter, include_header=False, quote_style="necessary").encode()
