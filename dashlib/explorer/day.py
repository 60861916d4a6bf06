"""The day of a patient around a result, and his year: as far as the lines are still kept."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import polars as pl
import sqlalchemy as sa

from dashlib import reference
from dashlib.schema import BillingRecord
from dashlib.workbench import Workbench

LINES = BillingRecord
MOST_LINES = 200
"""What is drawn of one day; a patient with more lines is no patient."""


@dataclass(frozen=True)
class PatientDay:
    """One patient's lines on one day, and the days of his year, under his pseudonym.

    `lines`: (lines, by time) row_number, debut and fin as HH:MM, code, unites, montant_preliminaire, montant_paye,
    is_paid, doctor, lieu_de_pratique, facture, and touched, whether the result is about it. `year`: (days, by date)
    date_de_service, lines, and yearly, the codes among them that may be billed once a year.
    """

    day: date
    patient: str
    lines: pl.DataFrame
    year: pl.DataFrame


def read_day(wb: Workbench, run_id: UUID, row_number: int, touched: list[int]) -> PatientDay | None:
    """The day of the patient of a line; None where the line was cleared, or names nobody.

    Args:
        touched: the lines that the result is about.
    """
    with wb.database.connect() as connection:
        asked = sa.select(LINES.patient, LINES.date_de_service).where(
            LINES.validation_run_id == run_id, LINES.row_number == row_number
        )
        found = connection.execute(asked).one_or_none()
    if found is None or found.patient is None:
        return None
    [patient] = wb.pseudonyms.patients(pl.Series([found.patient]))
    his = (LINES.validation_run_id == run_id, LINES.patient == found.patient)
    day = found.date_de_service
    return PatientDay(day, str(patient), _lines(wb, his, day, touched), _year(wb, his, day))


def _lines(wb: Workbench, his: tuple[sa.ColumnElement[bool], ...], day: date, touched: list[int]) -> pl.DataFrame:
    columns = (
        *(LINES.row_number, _clock(LINES.debut), _clock(LINES.fin), LINES.code, LINES.unites),
        *(LINES.montant_preliminaire, LINES.montant_paye, LINES.doctor, LINES.lieu_de_pratique, LINES.facture),
    )
    query = (
        sa.select(*columns)
        .where(*his, LINES.date_de_service == day)
        .order_by(LINES.debut, LINES.row_number)
        .limit(MOST_LINES)
    )
    return wb.pseudonyms.redacted(wb.frame(query)).with_columns(
        is_paid=(pl.col("montant_paye") > 0).fill_null(False), touched=pl.col("row_number").is_in(touched)
    )


def _clock(column: Any) -> sa.ColumnElement[str]:
    # Python has no time for 24:00, an end that exports hold.
    return sa.func.left(sa.cast(column, sa.Text), 5, type_=sa.Text()).label(column.key)


def _year(wb: Workbench, his: tuple[sa.ColumnElement[bool], ...], day: date) -> pl.DataFrame:
    first, last = date(day.year, 1, 1), date(day.year, 12, 31)
    yearly = sa.func.string_agg(LINES.code.distinct(), " ", type_=sa.Text()).filter(LINES.code.in_(_yearly_codes(wb)))
    query = (
        sa.select(LINES.date_de_service, sa.func.count().label("lines"), yearly.label("yearly"))
        .where(*his, LINES.date_de_service.between(first, last))
        .group_by(LINES.date_de_service)
        .order_by(LINES.date_de_service)
    )
    return wb.frame(query)


def _yearly_codes(wb: Workbench) -> list[str]:
    """Codes that some rule in force allows so many times in a calendar year."""
    conditions = [rule.condition for rule in reference.rules_in_force(wb)]
    yearly = [c for c in conditions if c.type == "frequency_limit" and c.period == "calendar_year"]
    return sorted({code for condition in yearly for code in condition.codes})
