"""Runs as people look at them: found by number or age, and what each found as frames, with pseudonyms."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import polars as pl
import sqlalchemy as sa

from dashlib import messages, reference, storage
from dashlib.errors import NotFound
from dashlib.schema import (
    Base,
    BillingRecord,
    File,
    RejectedRecord,
    ValidationLog,
    ValidationResult,
    ValidationRun,
)
from dashlib.workbench import Workbench

FILE = "file"  # the category of results that say why a line was rejected


@dataclass(frozen=True)
class Run:
    """One validation of one export, as it stands in the database; frames are read when asked for.

    Identities in the frames are pseudonyms. `status` is pending, processing, completed or failed; money is in CAD.
    """

    wb: Workbench
    figures: dict[str, Any]

    @property
    def id(self) -> UUID:
        return UUID(str(self.figures["id"]))

    @property
    def number(self) -> int:
        return int(self.figures["number"])

    @property
    def status(self) -> str:
        return str(self.figures["status"])

    @property
    def results(self) -> pl.DataFrame:
        """What rules said: (results, 15), gravest first, then by line; messages in the language in force."""
        return self.results_in("fr")

    def results_in(self, lang: str) -> pl.DataFrame:
        kept = self._rows(ValidationResult, RESULT_COLUMNS)
        if lang != "fr":
            rules = reference.rules_in_force(self.wb)
            kept = kept.with_columns(message=messages.translated(kept, rules, lang))
        gravity = pl.col("severity").replace_strict({"error": 0, "warning": 1, "info": 2}, return_dtype=pl.Int8)
        return kept.sort(gravity, "row_number", "rule_id").drop("details")

    @property
    def records(self) -> pl.DataFrame:
        """The lines as kept: (lines, columns of `billing_records`), in file order; empty once they are cleared."""
        return self._rows(BillingRecord, RECORD_COLUMNS).sort("row_number")

    @property
    def rejected(self) -> pl.DataFrame:
        """Lines that could not become records: (lines, 4) row_number, line_number, error_code, column_name."""
        return self._rows(RejectedRecord, ("row_number", "line_number", "error_code", "column_name")).sort(
            "line_number"
        )

    @property
    def logs(self) -> pl.DataFrame:
        """What happened, oldest first: (entries, 5)."""
        return self._rows(ValidationLog, ("created_at", "level", "source", "message", "details")).sort("created_at")

    @property
    def summary(self) -> pl.DataFrame:
        """A line per rule that reported: (rules, 6) rule_id, severity, results, lines, amount, factures; most first."""
        kept = self._rows(ValidationResult, ("rule_id", "severity", "row_number", "amount", "invoice"))
        return (
            kept.group_by("rule_id", "severity")
            .agg(
                results=pl.len().cast(pl.Int64),
                lines=pl.col("row_number").n_unique().cast(pl.Int64),
                amount=pl.col("amount").sum(),
                factures=pl.col("invoice").n_unique().cast(pl.Int64),
            )
            .sort("results", "rule_id", descending=[True, False])
        )

    @property
    def lines_touched(self) -> int:
        """Records with at least one error or warning."""
        grave = self._rows(ValidationResult, ("row_number", "severity", "category")).filter(
            pl.col("severity") != "info", pl.col("category") != FILE
        )
        return grave["row_number"].n_unique()

    def as_dict(self) -> dict[str, Any]:
        """The run's figures for another program: keys are the columns of `validation_runs`, and `file`."""
        return {
            name: value if isinstance(value, int | bool | None) else str(value) for name, value in self.figures.items()
        }

    def _rows(self, table: type[Base], names: Sequence[str]) -> pl.DataFrame:
        columns = table.__table__.c
        query = sa.select(*(_plain(columns[name]) for name in names)).where(columns.validation_run_id == self.id)
        return self.wb.pseudonyms.redacted(self.wb.frame(query))

    def __repr__(self) -> str:
        return f"Run({self.number}, {self.status})"


def _plain(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return sa.cast(column, sa.Text).label(str(column.key)) if isinstance(column.type, sa.JSON) else column


RESULT_COLUMNS = (
    *("severity", "rule_id", "message", "code", "date_service", "invoice", "row_number", "amount", "doctor", "patient"),
    *("category", "rule_version", "related", "fingerprint", "details"),
)
RECORD_COLUMNS = tuple(storage.RECORDS)


def list_runs(wb: Workbench, last: int = 20) -> list[Run]:
    """The viewer's newest runs, newest first."""
    columns = [c for c in ValidationRun.__table__.c if c.name != "user_id"]
    query = (
        sa.select(*columns, File.original_filename.label("file"))
        .join(File, File.id == ValidationRun.file_id)
        .order_by(ValidationRun.number.desc())
        .limit(last)
    )
    with wb.database.connect() as connection:
        return [Run(wb, dict(row)) for row in connection.execute(query).mappings()]


def find_run(wb: Workbench, wanted: str | int | UUID) -> Run:
    """The run that people mean by its number, the beginning of its id, `last`, or `last~1` for the one before.

    Raises:
        NotFound: DL-RUN-404, no run is meant; DL-RUN-405, several are.
    """
    runs = list_runs(wb, last=10_000)
    text = str(wanted)
    if back := re.fullmatch(r"last(?:~(\d+))?", text):
        found = runs[int(back[1] or 0) :][:1]
    else:
        found = [run for run in runs if text == str(run.number)]
        found = found or [run for run in runs if len(text) >= 4 and str(run.id).startswith(text.lower())]
    if len(found) != 1:
        raise NotFound("DL-RUN-405" if found else "DL-RUN-404")
    return found[0]
