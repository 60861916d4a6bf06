"""The lines of a run's file that can be sent now, and those that are held back, as they stand in the file.

A line is held back when it has an open error, which is one that nobody set aside; when it could not be read; or when it
is on an invoice with such a line, for an invoice goes as a whole. All others can be sent: a warning holds nothing back,
and a line that is paid already stays too, for other lines are judged beside it. Together the two files hold every claim
of the file once.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import polars as pl
import sqlalchemy as sa

from dashlib.acknowledgements import set_aside_now
from dashlib.errors import ExportRefused, NotFound
from dashlib.exporting import replacing
from dashlib.exports.excerpts import claims_of, excerpt
from dashlib.exports.gate import read_bytes
from dashlib.schema import BillingRecord, File, ResultAcknowledgement, ValidationResult, ValidationRun
from dashlib.todo import own_run
from dashlib.workbench import Workbench

RESULTS, RUNS, ASIDE = ValidationResult, ValidationRun, ResultAcknowledgement


@dataclass(frozen=True)
class Sorted:
    """Row numbers of a file's claims: those that can be sent, those in error, and those that wait for their invoice.

    `paid` of those that can be sent are paid already; None when the run's lines were cleared.
    """

    sendable: pl.Series
    in_error: pl.Series
    waiting: pl.Series
    paid: int | None

    @property
    def held(self) -> pl.Series:
        return pl.concat([self.in_error, self.waiting]).sort()


def write_lines(wb: Workbench, run_id: UUID, path: Path, *, held: bool = False, source: Path | None = None) -> Sorted:
    """Writes the lines that can be sent, or those held back, with the file's own header, columns, order and encoding.

    Args:
        source: where the run's file is now, if it was moved.

    Raises:
        NotFound: DL-RUN-404, 406, not the viewer's completed run; DL-SEND-001, its file is gone or was changed.
    """
    run = own_run(wb, run_id)
    claims = claims_of(_bytes(wb, run_id, run.number, source))
    rows = claims.rows.with_columns(facture=pl.col("facture").str.strip_chars())
    errors = _in_error(wb, run_id)
    own = pl.col("row_number").is_in(errors.implode())
    stopped = rows.filter(own)["facture"].drop_nulls().unique()
    by_invoice = pl.col("facture").is_in(stopped.implode()).fill_null(False)
    found = Sorted(
        sendable=(sendable := rows.filter(~own & ~by_invoice)["row_number"]),
        in_error=rows.filter(own)["row_number"],
        waiting=rows.filter(~own & by_invoice)["row_number"],
        paid=_paid(wb, run_id, sendable),
    )
    lines = excerpt(claims, found.held if held else found.sendable)
    with replacing(path) as out:
        out.write(lines)
    return found


def _bytes(wb: Workbench, run_id: UUID, number: int, source: Path | None) -> bytes:
    """The run's file as it was validated."""
    query = sa.select(File.path, File.sha256).join(RUNS, RUNS.file_id == File.id).where(RUNS.id == run_id)
    with wb.database.connect() as connection:
        path, digest = connection.execute(query).one()
    try:
        data = read_bytes(source or Path(path))
    except ExportRefused:
        raise NotFound("DL-SEND-001", run=str(number)) from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise NotFound("DL-SEND-001", run=str(number))
    return data


def _in_error(wb: Workbench, run_id: UUID) -> pl.Series:
    """The row numbers of lines with an error that nobody set aside, those that could not be read among them."""
    query = (
        sa.select(sa.cast(RESULTS.row_number, sa.BigInteger).label("row_number"))
        .distinct()
        .join(RUNS, RUNS.id == RESULTS.validation_run_id)
        .outerjoin(ASIDE, set_aside_now())
        .where(RESULTS.validation_run_id == run_id, RESULTS.severity == "error")
        .where(ASIDE.id.is_(None), RESULTS.row_number.is_not(None))
    )
    return wb.frame(query)["row_number"]


def _paid(wb: Workbench, run_id: UUID, rows: pl.Series) -> int | None:
    query = sa.select(BillingRecord.row_number, (BillingRecord.montant_paye > 0).label("paid"))
    kept = wb.frame(query.where(BillingRecord.validation_run_id == run_id))
    if kept.is_empty():
        return None
    return kept.filter("paid", pl.col("row_number").is_in(rows.implode())).height
